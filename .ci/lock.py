"""Pin what sketchrnn is tested with, and the hashes of all its files.

    python .ci/lock.py              keep the versions; take in what pyproject.toml changed
    python .ci/lock.py --upgrade    the newest versions
    python .ci/lock.py --check      write nothing; exit 1 where the pins do not fit pyproject.toml
    python .ci/lock.py --cpu WHEEL...    add hashes of CPU builds of PyTorch, which PyPI has not

It wants uv (pip install uv), which asks the index for every file of a version: those of all systems
and of Python 3.10 on. The files:

    constraints.txt             versions alone: pip refuses a folder ("pip install .") beside hashes
    .ci/locked/run.txt          what `pip install .` installs and builds with, but for torch
    .ci/locked/dev.txt          the same for `pip install '.[dev]'`
    .ci/locked/torch.txt        torch and its CUDA libraries as PyPI has them
    .ci/locked/torch-cpu.txt    torch as pytorch.org's index for CPUs has it: what was at hand
    .ci/locked/tools.txt        uv and pip-audit, to stand in an environment of their own
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
LOCKED = ROOT / ".ci" / "locked"
TOOLS = ("uv>=0.8", "pip-audit>=2.9")
UNREACHED = 2  # how uv ends when the index cannot be asked; 1: no versions go together
FIRST_LINE = "# The tested versions: pip install -c constraints.txt ... (written by .ci/lock.py)\n"

Pins = dict[str, set[str]]  # "numpy==2.4.6 ; python_full_version >= '3.11'" -> its hashes


def read(path: Path) -> Pins:
    """Requirements of a file and their hashes, none where there are none."""
    pins: Pins = {}
    for line in path.read_text("utf-8").replace("\\\n", " ").splitlines():
        requirement, *hashes = re.split(r"\s+--hash=", line.strip())
        if requirement and not requirement.startswith("#"):
            pins[requirement] = {each.strip() for each in hashes}
    return pins


def text_of(pins: Pins) -> str:
    """A requirements file."""
    return "".join(
        " \\\n    ".join([requirement, *(f"--hash={each}" for each in sorted(hashes))]) + "\n"
        for requirement, hashes in sorted(pins.items())
    )


def name_of(requirement: str) -> str:
    """The package of a pin."""
    return requirement.partition("==")[0]


def is_torch(requirement: str) -> bool:
    """Whether a CPU build of torch does without: torch itself, and what is for GPUs."""
    name = name_of(requirement)
    return name in ("torch", "triton") or name.startswith(("nvidia-", "cuda-"))


def resolve(*sources: Path, options: tuple[str, ...] = (), prefer: Path, upgrade: bool) -> Pins:
    """Pins and hashes of everything that projects and lists of requirements want."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pins.txt"
        if not upgrade:
            shutil.copy(prefer, out)  # uv keeps the versions that it finds there
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version=3.10"]
        command += ["--generate-hashes", "--no-annotate", "--no-header", *options]
        done = subprocess.run([*command, *map(str, sources), "-o", str(out)], check=False)
        if done.returncode:
            raise SystemExit(done.returncode)
        return read(out)


def without(pins: Pins, left_out: bool) -> Pins:
    """The pins that are, or are not, torch's."""
    return {pin: hashes for pin, hashes in pins.items() if is_torch(pin) != left_out}


def compute(*, upgrade: bool) -> dict[Path, Pins]:
    """What every file should hold."""
    project = ROOT / "pyproject.toml"
    built_with = tomllib.loads(project.read_text("utf-8"))["build-system"]["requires"]
    with tempfile.TemporaryDirectory() as folder:
        build, tool, chosen = (Path(folder) / name for name in ("build.in", "tools.in", "all.txt"))
        build.write_text("".join(f"{each}\n" for each in built_with), "utf-8")
        tool.write_text("".join(f"{each}\n" for each in TOOLS), "utf-8")
        dev = ("--extra=dev",)
        whole = resolve(project, build, options=dev, prefer=CONSTRAINTS, upgrade=upgrade)
        chosen.write_text("".join(f"{pin}\n" for pin in whole), "utf-8")
        same = (f"--constraint={chosen}",)
        bare = resolve(project, build, options=same, prefer=chosen, upgrade=False)
        kept = LOCKED / "tools.txt"
        tools = resolve(tool, prefer=kept if kept.exists() else chosen, upgrade=upgrade)
    return {
        CONSTRAINTS: dict.fromkeys(whole, set()),
        LOCKED / "run.txt": without(bare, left_out=True),
        LOCKED / "dev.txt": without(whole, left_out=True),
        LOCKED / "torch.txt": without(bare, left_out=False),
        LOCKED / "tools.txt": tools,
    }


def differences(path: Path, pins: Pins) -> list[str]:
    """What a file says that the index does not, in pins. A file may lack hashes of newer wheels."""
    old = read(path) if path.exists() else {}
    found = [f"- {pin}" for pin in sorted(old.keys() - pins.keys())]
    found += [f"+ {pin}" for pin in sorted(pins.keys() - old.keys())]
    for pin in sorted(old.keys() & pins.keys()):
        if pins[pin] and not pins[pin] & old[pin]:
            found.append(f"! {pin}: the index offers none of the files that are listed")
    return [f"{path.relative_to(ROOT)}: {line}" for line in found]


def add_builds(wheels: list[Path]) -> None:
    """Note the hashes of CPU builds of torch."""
    path = LOCKED / "torch-cpu.txt"
    pins = read(path) if path.exists() else {}
    for wheel in wheels:
        pin = f"torch=={wheel.name.split('-')[1]}"
        pins = {each: hashes for each, hashes in pins.items() if each == pin}
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        pins.setdefault(pin, set()).add(f"sha256:{digest}")
    path.write_text(text_of(pins), "utf-8", newline="\n")


def main() -> int:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(description="Pin what sketchrnn is tested with.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where pins differ")
    parser.add_argument("--cpu", nargs="+", type=Path, metavar="WHEEL", help="CPU builds of torch")
    options = parser.parse_args()
    if options.cpu:
        add_builds(options.cpu)
        return 0
    try:
        files = compute(upgrade=options.upgrade)
    except SystemExit as ended:
        if options.check and ended.code == UNREACHED:
            print("not checked: the index cannot be asked from here")
            return 0
        raise
    if options.check:
        found = [line for path, pins in files.items() for line in differences(path, pins)]
        print("\n".join(found) or "the pins fit pyproject.toml and the index")
        return 1 if found else 0
    LOCKED.mkdir(exist_ok=True)
    for path, pins in files.items():
        first = FIRST_LINE if path == CONSTRAINTS else ""
        path.write_text(first + text_of(pins), "utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
