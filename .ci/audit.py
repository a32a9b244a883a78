"""Ask for known vulnerabilities of every version that the lock files pin: all systems, all Pythons.

    python .ci/audit.py [--program pip-audit] [FILE...]

Exit 1 where there is one that .ci/advisories.txt does not explain, a line each: its id, then why
it does not concern us. Where no advisory service answers, that is told, and is no fault: a service
answers if it knows of a version that everyone knows to be broken.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from lock import LOCKED, ROOT, name_of, read

EXPLAINED = ROOT / ".ci" / "advisories.txt"
SERVICES = ("pypi", "osv")
BROKEN = "pillow==9.0.0"  # CVE-2022-22817 and many more

Found = dict[str, list[str]]  # "pillow==9.0.0" -> ids of its advisories and their other names


def ask(program: str, service: str, pins: list[str]) -> Found | None:
    """What a service knows of each pin that it knows; None if it cannot be asked."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text("".join(f"{pin}\n" for pin in pins), "utf-8")
        command = [program, "--disable-pip", "--no-deps", "--progress-spinner=off"]
        command += ["--format=json", "--aliases=on", f"--vulnerability-service={service}"]
        done = subprocess.run(
            [*command, "-r", str(wanted)], check=False, capture_output=True, text=True
        )
    if not done.stdout.strip():
        return None
    return {
        f"{each['name']}=={each['version']}": [
            " ".join([hole["id"], *hole["aliases"]]) for hole in each["vulns"]
        ]
        for each in json.loads(done.stdout)["dependencies"]
        if "skip_reason" not in each
    }


def rounds(pins: set[str]) -> list[list[str]]:
    """The pins in lists that have every package once, as pip-audit wants them."""
    lists: list[dict[str, str]] = []
    for pin in sorted(pins):
        for each in lists:
            if name_of(pin) not in each:
                each[name_of(pin)] = pin
                break
        else:
            lists.append({name_of(pin): pin})
    return [list(each.values()) for each in lists]


def explained() -> dict[str, str]:
    """Ids of advisories and why they do not concern us."""
    if not EXPLAINED.exists():
        return {}
    lines = EXPLAINED.read_text("utf-8").splitlines()
    parts = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return {name: why.strip() for name, _, why in parts if why.strip()}


def main() -> int:
    """Say what is known."""
    parser = argparse.ArgumentParser(description="Ask for known vulnerabilities of the pins.")
    parser.add_argument("--program", default="pip-audit")
    parser.add_argument("files", nargs="*", type=Path, default=sorted(LOCKED.glob("*.txt")))
    options = parser.parse_args()
    pins = {
        pin.partition(";")[0].strip().partition("+")[0]  # an advisory is for +cpu as well
        for path in options.files
        for pin in read(path)
    }
    for service in SERVICES:
        if (ask(options.program, service, [BROKEN]) or {}).get(BROKEN):
            break
    else:
        print(f"not audited: {len(pins)} pins; no advisory service answers here")
        return 0
    known: Found = {}
    for wanted in rounds(pins):
        answer = ask(options.program, service, wanted)
        if answer is None:
            print(f"{service} stopped answering")
            return 1
        known |= answer
    reasons = explained()
    n_holes = 0
    for pin, holes in sorted(known.items()):
        for hole in holes:
            why = next((reasons[name] for name in hole.split() if name in reasons), None)
            n_holes += why is None
            print(f"{pin}: {hole}: {why or 'NOT EXPLAINED in .ci/advisories.txt'}")
    if unknown := sorted(pins - known.keys()):
        print(f"{service} does not know: {', '.join(unknown)}")
    print(f"{len(known)} of {len(pins)} pins audited by {service}: {n_holes} unexplained")
    return 1 if n_holes else 0


if __name__ == "__main__":
    sys.exit(main())
