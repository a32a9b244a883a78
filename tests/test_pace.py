"""The order of tests."""

from types import SimpleNamespace

import pace
import pytest

ALL = """
import pytest
pytestmark = pytest.mark.slow
def test_a(): pass
"""
SOME = """
import pytest
@pytest.mark.slow
@pytest.mark.parametrize("a", [1, 2])
def test_a(a): pass
@pytest.mark.parametrize("a", [1, 2])
def test_b(a): pass
"""


def test_the_slow_tests_of_a_file_are_a_part_of_their_own(tmp_path):
    (tmp_path / "test_all.py").write_text(ALL)
    (tmp_path / "test_some.py").write_text(SOME)
    names = ["test_all.py::test_a", "test_some.py::test_a[1]", "test_some.py::test_b[1]"]
    assert [pace.part(tmp_path, name) for name in names] == [
        "test_all.py: slow",
        "test_some.py: slow",
        "test_some.py",
    ]


def test_quick_tests_come_first_and_long_files_before_others(request):
    def item(name, marked):
        mark = pytest.mark.slow if marked else None
        path = request.path.with_name(f"{name}.py")
        return SimpleNamespace(path=path, get_closest_marker=lambda name: mark, name=name)

    items = [item("a", True), item(pace.LONGEST[1], True), item("a", False),
             item(pace.LONGEST[0], True), item(pace.LONGEST[0], False)]  # fmt: skip
    found = [(each.name, pace.turn(each) > 0) for each in sorted(items, key=pace.turn)]
    assert found == [
        ("a", False),
        (pace.LONGEST[0], False),
        (pace.LONGEST[0], True),
        (pace.LONGEST[1], True),
        ("a", True),
    ]


def test_what_the_text_says_is_what_pytest_finds(request):
    for item in request.session.items:
        if item.get_closest_marker("slow") is not None:
            assert pace.part(request.config.rootpath, item.nodeid).endswith(": slow"), item
