"""Tables of drawings: CSV as Kaggle has it, a drawing a row, its strokes JSON in a column."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

import orjson

from sketchrnn_cli.errors import BadFile
from sketchrnn_cli.files import name_of
from sketchrnn_cli.sketches.formats import sniff
from sketchrnn_cli.sketches.formats.json_objects import KEYS, MAX_LINE, Numbered

SEPARATORS = ",;\t|"
MAX_COLUMNS = 1000
_SEPARATOR = re.compile(r"sep=.\s*", re.I)  # a line of Excel's


def arrivals(source: str) -> Iterator[Iterator[Numbered]]:
    """The rows of a table as JSON objects with their lines; see ``json_objects.arrivals``.

    Raises:
        BadFile: no table, none of drawings, or a damaged one.
    """
    yield _rows(source, name_of(source))


def _rows(source: str, name: str) -> Iterator[Numbered]:
    lines = (line for line in _lines(source, name) if not _SEPARATOR.fullmatch(line))
    head = next((line for line in lines if line.strip()), "")
    if head.lstrip()[:1] in ("{", "["):
        raise BadFile(f"{name}: JSON, not a table; name it .ndjson")
    separator = max(SEPARATORS, key=head.count)
    before = csv.field_size_limit(MAX_LINE)
    table = csv.reader(lines, delimiter=separator)
    try:
        columns = [column.strip() for column in next(csv.reader([head], delimiter=separator), [])]
        key = next((column for key in KEYS for column in columns if column.lower() == key), None)
        if key is None or len(columns) > MAX_COLUMNS:
            has = ", ".join(columns[:6])[:200] or "nothing"
            raise BadFile(
                f"{name}: no column called drawing in a table with {has}; it takes a drawing a "
                "row, its strokes as JSON, [[[x...], [y...]], ...]"
            )
        for row in table:
            if row and (row[0] != columns[0] or [cell.strip() for cell in row] != columns):
                yield table.line_num + 1, _object(columns, row, key)
    except csv.Error as error:
        raise BadFile(f"{name}:{table.line_num + 1}: a damaged table: {error}") from None
    finally:
        csv.field_size_limit(before)


def _object(columns: list[str], row: list[str], key: str) -> bytes:
    """A row as JSON, its drawing as it stands there."""
    cells = dict(zip(columns, row, strict=False))
    drawing = cells.pop(key, "").strip() or "[]"
    others = orjson.dumps({column: cell for column, cell in cells.items() if cell})[1:-1]
    return b"".join([b"{", others, b"," if others else b"", b'"drawing":', drawing.encode(), b"}"])


def _lines(source: str, name: str) -> Iterator[str]:
    """Lines with their ends, as text; those of old programs end with a carriage return alone."""
    number, rest, end = 1, b"", b""
    for chunk in sniff.text_chunks(source, "a table"):
        end = end or (b"\n" if b"\n" in chunk or b"\r" not in chunk else b"\r")
        *lines, rest = (rest + chunk).split(end)
        if len(rest) > MAX_LINE:
            raise BadFile(f"{name}:{number}: a line of over {MAX_LINE >> 20} MiB")
        for line in lines:
            yield _text(line + b"\n", f"{name}:{number}")
            number += 1
    if rest:
        yield _text(rest, f"{name}:{number}")


def _text(line: bytes, where: str) -> str:
    try:
        return line.removeprefix(sniff.BOM).decode()  # where files were joined
    except UnicodeDecodeError:
        raise BadFile(f"{where}: not UTF-8; save the table as UTF-8") from None
