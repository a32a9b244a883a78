"""The order of tests: the quick ones first, then the slow ones, the longest files first."""

import ast
import functools
from pathlib import Path

import pytest

LONGEST = ("test_attacks", "test_distributed", "test_fuzz", "test_page_use", "test_examples")
MARK = "pytest.mark.slow"


def turn(item: pytest.Item) -> int:
    """By what to sort tests."""
    if item.get_closest_marker("slow") is None:
        return 0
    return 1 + ([*LONGEST, item.path.stem].index(item.path.stem))


def part(root: Path, nodeid: str) -> str:
    """What goes to one worker: the quick tests of a file, or its slow ones."""
    file, _, name = nodeid.partition("::")
    return f"{file}: slow" if name.partition("[")[0] in slow(root / file) else file


@functools.cache
def slow(path: Path) -> frozenset[str]:
    """The tests of a file that are marked so, as its text says: who deals tests has not run it."""
    body = ast.parse(path.read_text("utf-8")).body
    tests = [each for each in body if isinstance(each, ast.FunctionDef)]
    marks = [each for each in body if isinstance(each, ast.Assign)]
    if any(ast.unparse(each).startswith(f"pytestmark = {MARK}") for each in marks):
        return frozenset(test.name for test in tests)
    return frozenset(test.name for test in tests if MARK in map(ast.unparse, test.decorator_list))
