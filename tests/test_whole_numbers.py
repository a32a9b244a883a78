"""Many lines at once: read as one by one, or left to that reader."""

import json
import random

import numpy as np
import pytest

from sketchrnn_cli.errors import BadSketch
from sketchrnn_cli.sketches.formats import ndjson, whole_numbers

PLAIN = b'{"word":"cat","drawing":[[[1,20,255],[0,7,9]],[[3],[100]]],"recognized":true}'


def drawing(rng):
    lengths = [rng.choice([1, 2, 3, 30]) for _ in range(rng.randint(1, 6))]
    return [[[rng.choice([0, 9, 10, 99, 100, 255, 999]) for _ in range(n)] for _ in range(2)]
            for n in lengths]  # fmt: skip


def blocks(lines, **options):
    numbered = iter([iter(list(enumerate(lines, start=1)))])
    return list(ndjson.blocks_of(numbered, "x", None, **options))


def both(monkeypatch, lines, **options):
    """Drawings and errors with and without the quick reader."""
    results = []
    for read in (whole_numbers.read, lambda lines: None):
        with monkeypatch.context() as patch:
            patch.setattr(whole_numbers, "read", read)
            skipped = []
            found = blocks(lines, skipped=skipped.append, **options)
            results.append(([block.sketch(i) for block in found for i in range(len(block))],
                            [np.asarray(block.recognized).tolist() for block in found],
                            skipped))  # fmt: skip
    return results


def shown(result):
    sketches, recognized, skipped = result
    lines = [ndjson.to_line(sketch) for sketch in sketches]
    return lines, recognized, skipped


def test_lines_of_a_thousand_drawings_are_those_of_the_reader_of_single_ones(monkeypatch):
    rng = random.Random(1)
    lines = []
    for k in range(1100):  # more than are laid down together
        record = {"word": rng.choice(["cat", "ice cream", "наука"]), "drawing": drawing(rng)}
        record |= rng.choice([{}, {"recognized": False}, {"key_id": str(k), "recognized": True}])
        separators = rng.choice([(",", ":"), (", ", ": ")])
        lines.append(json.dumps(record, separators=separators).encode())
    assert whole_numbers.read(lines) is not None
    for extras in (False, True):
        quick, slow = both(monkeypatch, lines, extras=extras)
        assert shown(quick) == shown(slow)
        assert len(quick[0]) == len(lines)


OTHER = (
    *("1,20.5,255", "1,-20,255", "1,2000,255", "1,020,255", "1,00,255", "1,20,", "1,,20,255"),
    *(",1,20,255", "1 20,255", "1,20 ,255", "1,2e1,255", "1,true,255", "", "1,20", '1,"2",3'),
    *("1,20,255]", "[1,20,255", "1,[20],255", "1],[20,5", "1,20,255],[4,5,6"),
)


@pytest.mark.parametrize("row", OTHER)
def test_what_is_written_otherwise_is_left_to_the_reader_of_single_lines(monkeypatch, row):
    line = PLAIN.replace(b"1,20,255", row.encode())
    assert whole_numbers.read([PLAIN, line, PLAIN]) is None
    quick, slow = both(monkeypatch, [PLAIN, line, PLAIN])
    assert shown(quick) == shown(slow)


@pytest.mark.parametrize(
    "line",
    [
        b'{"drawing":[]}',
        b'{"drawing":[[]]}',
        b'{"drawing":[[[],[]]]}',
        b'{"drawing":[[[1],[2]]],"drawing":[[[3],[4]]]}',
        b'{"drawing":[[[1],[2]]],"drawing":7}',
        b'{"meta":{"drawing":[[[1],[2]]]}}',
        b'{"drawing":[[[1],[2]]],[[[3],[4]]]}',
        b'{"drawing":[[[1],[2]]]',
        b'{"drawing":[[[1],[2]]]}}',
        b'{"drawing":[[[1],[2]]],}',
        b'{"drawing":[[[1],[2],[3]]]}',
        b'{"drawing":[[[1,2],[3,4],[5,6]],[[1,2],[3,4]]]}',
        b'{"drawing":[[1,2],[3,4]]}',
        b'{"drawing":[[[[1],[2]]]]}',
        b'[{"drawing":[[[1],[2]]]}]',
        b'{"strokes":[[[1],[2]]]}',
        b"\xff" + PLAIN,
        b"7",
        b"",
    ],
)
def test_neither_is_another_object(monkeypatch, line):
    assert whole_numbers.read([PLAIN, line]) is None
    quick, slow = both(monkeypatch, [PLAIN, line])
    assert shown(quick) == shown(slow)


def test_a_key_within_a_text_is_no_key(monkeypatch):
    line = b'{"note":"\\"drawing\\":[[[1],[2]]]","drawing":[[[3],[4]]]}'
    assert whole_numbers.read([line]) is not None
    quick, slow = both(monkeypatch, [line], extras=True)
    assert shown(quick) == shown(slow)
    assert quick[0][0].strokes[0].tolist() == [[3, 4]]


def test_random_damage_is_found_as_before(monkeypatch):
    rng = random.Random(2)
    for _ in range(1500):
        line = bytearray(PLAIN)
        for _ in range(rng.choice([1, 1, 2])):
            at = rng.randrange(len(line))
            line[at : at + rng.randint(0, 2)] = bytes(rng.choices(b'[],0123459 {}":.-', k=1))
        quick, slow = both(monkeypatch, [PLAIN, bytes(line)])
        assert shown(quick) == shown(slow), bytes(line)


def test_an_error_names_the_line():
    with pytest.raises(BadSketch, match="x:2: stroke 0 has rows of different length"):
        blocks([PLAIN, PLAIN.replace(b"1,20,255", b"1,20")], skipped=None)
