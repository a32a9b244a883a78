"""What is shipped, and what it is made with: the wheel, the pins and their hashes."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PACKAGE = "sketchrnn_cli"
SHIPPED = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "constraints.txt",
    ".gitignore",
)
BUILD = (
    "import sys; from hatchling.build import *; build_wheel(sys.argv[1]); build_sdist(sys.argv[1])"
)
LEFT_BEHIND = (
    f"{PACKAGE}/__pycache__/errors.cpython-311.pyc",
    f"{PACKAGE}/pretrained/words.safetensors.part",
    f"{PACKAGE}/pretrained/.DS_Store",
    f"{PACKAGE}/cli/notes.txt",
    f"{PACKAGE}/drawing/page/turns.js~",
    "tests/__pycache__/reference.cpython-311.pyc",
    "build/lib/sketchrnn_cli/errors.py",
    "dist/sketchrnn-0.0.1-py3-none-any.whl",
    "runs/cat/model.safetensors",
    "wheel.py",
)


def copy_tree(target, *, mode, time, backwards=False):
    """The project in another folder, as another person's checkout has it."""
    ours = [ROOT / name for name in SHIPPED]
    for folder in (PACKAGE, ".ci", "tests", "examples", "docs"):
        ours += [path for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    for path in sorted((p for p in ours if p.is_file()), reverse=backwards):
        copy = target / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        copy.chmod(mode)
        os.utime(copy, (time, time))
    return target


def build(tree, out, *, umask="0o022", **environment):
    """The wheel and the sdist of a tree, built offline."""
    code = f"import os; os.umask({umask}); {BUILD}"
    environment = {**os.environ, **environment}
    environment.pop("SOURCE_DATE_EPOCH", None)
    out.mkdir()
    subprocess.run([sys.executable, "-c", code, out], cwd=tree, env=environment, check=True)
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Built from a tree in which all sorts of things lie about."""
    folder = tmp_path_factory.mktemp("built")
    tree = copy_tree(folder / "here", mode=0o644, time=1_700_000_000)
    for name in LEFT_BEHIND:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("left behind", "utf-8")
    return build(tree, folder / "out", TZ="Pacific/Kiritimati", LC_ALL="C")


def test_the_wheel_contains_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        about = {name.partition(".dist-info/")[2] for name in set(wheel.namelist()) - names}
        card = wheel.read(f"{PACKAGE}/pretrained/README.md")
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / PACKAGE).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".DS_Store"
    }
    assert names == package
    assert about == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert f"{PACKAGE}/pretrained/words.safetensors" in names
    assert f"{PACKAGE}/pretrained/nouns.txt.gz" in names
    assert {f"{PACKAGE}/sketches/practice.{kind}" for kind in ("npz", "md")} <= names
    assert card.startswith(b"# The built-in model")


def test_the_sdist_contains_the_project_and_nothing_that_lay_about(built):
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {*SHIPPED, "PKG-INFO", f"{PACKAGE}/py.typed", "tests/test_supply.py"} <= names
    shipped = {name.partition("/")[0] for name in names} - {*SHIPPED, "PKG-INFO"}
    assert shipped == {PACKAGE, ".ci", "tests", "examples", "docs"}
    assert not names & set(LEFT_BEHIND)


@pytest.mark.slow
def test_another_folder_time_umask_and_place_give_the_same_bytes(built, tmp_path):
    tree = copy_tree(tmp_path / "there", mode=0o600, time=1_000_000_000, backwards=True)
    wheel, sdist = build(
        tree,
        tmp_path / "out",
        umask="0o077",
        TZ="America/Lima",
        LC_ALL="C.UTF-8",
        PYTHONHASHSEED="7",
    )
    assert wheel.read_bytes() == built[0].read_bytes()
    assert sdist.read_bytes() == built[1].read_bytes()


@pytest.mark.slow
def test_the_sdist_gives_the_same_wheel(built, tmp_path):
    with tarfile.open(built[1]) as sdist:
        sdist.extractall(
            tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {})
        )
    (tree,) = tmp_path.iterdir()
    assert build(tree, tmp_path / "out")[0].read_bytes() == built[0].read_bytes()


# The pins ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scripts():
    """.ci/lock.py and .ci/audit.py, which an installed package is without."""
    sys.path.insert(0, str(ROOT / ".ci"))
    try:
        import audit
        import lock
    finally:
        sys.path.remove(str(ROOT / ".ci"))
    return SimpleNamespace(lock=lock, audit=audit)


def locked(scripts, *names):
    return [scripts.lock.read(scripts.lock.LOCKED / f"{name}.txt") for name in names]


def test_constraints_and_hashes_pin_the_same_and_every_pin_has_a_hash(scripts):
    run, dev, torch, tools, cpu = locked(scripts, "run", "dev", "torch", "tools", "torch-cpu")
    constraints = scripts.lock.read(scripts.lock.CONSTRAINTS)
    assert constraints.keys() == dev.keys() | torch.keys()
    assert not dev.keys() & torch.keys()
    versions = {pin.partition(" ;")[0] for pin in dev}
    assert {pin.partition(" ;")[0] for pin in run} <= versions
    for pins in (run, dev, torch, tools, cpu):
        for pin, hashes in pins.items():
            assert hashes, pin
            assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in hashes), pin
    assert not any(constraints.values())
    (of_torch,) = (pin for pin in torch if pin.startswith("torch=="))
    assert [pin.partition("+")[0] for pin in cpu] == [of_torch]


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_every_requirement_has_one_pin_that_it_allows(scripts, python, system):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = project["project"]["dependencies"] + project["build-system"]["requires"]
    everywhere = {
        "python_version": python,
        "python_full_version": f"{python}.4",
        "sys_platform": system,
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    lists = {
        "run": (wanted, ["run", "torch"]),
        "dev": (wanted + project["project"]["optional-dependencies"]["dev"], ["dev", "torch"]),
    }
    for requirements, files in lists.values():
        pins = {}
        for pin in itertools.chain(*locked(scripts, *files)):
            pinned = Requirement(pin)
            if pinned.marker is None or pinned.marker.evaluate(everywhere):
                assert pinned.name not in pins, pin
                pins[pinned.name] = str(pinned.specifier).removeprefix("==")
        for text in requirements:
            required = Requirement(text)
            if required.marker is None or required.marker.evaluate(everywhere):
                assert required.specifier.contains(pins[required.name]), text


def test_a_pin_that_the_index_contradicts_is_found(scripts, tmp_path, monkeypatch):
    monkeypatch.setattr(scripts.lock, "ROOT", tmp_path)
    path = tmp_path / "run.txt"
    path.write_text(scripts.lock.text_of({"a==1": {"sha256:1"}, "b==2": {"sha256:2"}}), "utf-8")
    same = {"a==1": {"sha256:1"}, "b==2": {"sha256:2", "sha256:newer"}}
    assert scripts.lock.differences(path, same) == []
    other = {"a==1": {"sha256:other"}, "b==3": {"sha256:3"}}
    assert [line.partition(": ")[2][:6] for line in scripts.lock.differences(path, other)] == [
        "- b==2",
        "+ b==3",
        "! a==1",
    ]


def test_an_audit_counts_only_where_a_service_answers(scripts, tmp_path, monkeypatch, capsys):
    holes = {"pillow": "GHSA-8vj2-vxx3-667w"}
    monkeypatch.setattr(scripts.audit, "EXPLAINED", tmp_path / "advisories.txt")
    pins = tmp_path / "pins.txt"
    pins.write_text("a==1 ; x\na==2 ; y\ntorch==3+cpu\n", "utf-8")
    service = SimpleNamespace(state="unreached")

    def answer(command, **_options):
        if service.state == "unreached":
            return SimpleNamespace(stdout="")
        asked = [line.split("==") for line in Path(command[-1]).read_text("utf-8").split()]
        assert len({name for name, _ in asked}) == len(asked)
        known = [
            {"name": name, "version": version, "skip_reason": "Dependency not found"}
            if service.state == "blind"
            else {
                "name": name,
                "version": version,
                "vulns": [{"id": holes[name], "aliases": ["CVE-1"]}] if name in holes else [],
            }
            for name, version in asked
        ]
        return SimpleNamespace(stdout=json.dumps({"dependencies": known}))

    def audit():
        monkeypatch.setattr(sys, "argv", ["audit", str(pins)])
        return scripts.audit.main(), capsys.readouterr().out

    monkeypatch.setattr(scripts.audit, "subprocess", SimpleNamespace(run=answer))
    for service.state in ("unreached", "blind"):
        assert audit() == (0, "not audited: 3 pins; no advisory service answers here\n")
    service.state = "answers"
    assert audit() == (0, "3 of 3 pins audited by pypi: 0 unexplained\n")
    holes["torch"] = "GHSA-1"
    code, said = audit()
    assert code == 1
    assert "torch==3: GHSA-1 CVE-1: NOT EXPLAINED" in said
    (tmp_path / "advisories.txt").write_text("# why\nCVE-1 only on Windows 3.11\n", "utf-8")
    code, said = audit()
    assert code == 0
    assert "torch==3: GHSA-1 CVE-1: only on Windows 3.11" in said
    (tmp_path / "advisories.txt").write_text("CVE-1\n", "utf-8")  # without a reason
    assert audit()[0] == 1
