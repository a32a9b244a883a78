"""Values of options that need no validation library: texts, plain numbers, names of a list.

typer reads every value through pydantic, which takes a tenth of a second to load. What is no plain
value still goes that way, so that it is refused, or understood, as before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)


class NotPlain(Exception):
    """A value that pydantic is to look at."""


class Plain:
    """Reads the plain values of one parameter, and hands the others on."""

    def __init__(self, parameter: Any, others: Callable[[], Any]) -> None:
        self.annotation = parameter.type_descriptor.annotation
        self.about = parameter.type_descriptor.parameter_info
        self.others = others

    def __call__(self) -> Plain:
        """In place of a parameter's ``get_runtime_param``."""
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value of a parameter, as typer has it."""
        many = param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        try:
            if get_origin(self.annotation) is list and many and not isinstance(value, str):
                (kind,) = get_args(self.annotation)
                return [self._plain(kind, each) for each in value]
            return self._plain(self.annotation, value)
        except NotPlain:
            return self.others().coerce(value, param=param, ctx=ctx)

    def _plain(self, kind: Any, value: Any) -> Any:
        about, found = self.about, plain(kind, value)
        low = -math.inf if about.min is None else about.min
        high = math.inf if about.max is None else about.max
        if about.parser is not None or (kind in (int, float) and not low <= found <= high):
            raise NotPlain
        return found


def plain(kind: Any, value: Any) -> Any:
    """A value of a kind: a text, one of some texts, a whole number, a number, true or false.

    Raises:
        NotPlain: another kind, or a value that is not written plainly.
    """
    if kind in (str, int, float, bool) and type(value) is kind:
        return value
    if get_origin(kind) is Literal and type(value) is str and value in get_args(kind):
        return value
    if kind is int and type(value) is str and _WHOLE.fullmatch(value):
        return int(value)
    if kind is float and type(value) is str and _NUMBER.fullmatch(value):
        return float(value)
    raise NotPlain


def read_plainly(parameter: Any) -> None:
    """Let a parameter of typer read plain values by itself, where typer lets it."""
    others = getattr(parameter, "get_runtime_param", None)
    if others is not None and not isinstance(others, Plain):
        parameter.get_runtime_param = Plain(parameter, others)
