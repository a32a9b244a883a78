"""The npz reader gives what is in the file, and runs nothing that is in it."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from datafiles import member, objects, python2, stroke3, write_npz, write_zip
from hypothesis import given, settings
from hypothesis import strategies as st

from sketchrnn_cli.errors import BadFile, BadSketch, SketchError
from sketchrnn_cli.sketches.block import NO_TEST, NO_VALID, TEST, TRAIN, UNSPLIT, VALID, to_moves
from sketchrnn_cli.sketches.formats import (
    ReadOptions,
    archive,
    npz,
    pickled_arrays,
    read_sketches,
    sketch_rnn,
)
from sketchrnn_cli.sketches.sketch import from_stroke3


def drawings(source, **how):
    """{origin: [moves of every drawing]}"""
    result = {}
    for block in npz.read_blocks(source, options=ReadOptions(**how)):
        moves, bounds = to_moves(block), block.bounds
        for a, b in zip(bounds[:-1], bounds[1:], strict=True):
            result.setdefault(block.origin, []).append(moves[a:b])
    return result


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["i1", "<i2", ">i2", "i4", "i8", "u1", "f2", "f4", "f8"])
def test_every_number_type_and_protocol(tmp_path, protocol, dtype):
    arrays = [np.abs(a).astype(dtype) for a in stroke3(40)]
    source = write_npz(
        tmp_path / "a.npz", protocol, train=arrays, valid=arrays[:3], test=arrays[3:5]
    )
    found = drawings(source)
    assert_same(found[TRAIN], arrays)
    assert_same(found[VALID], arrays[:3])
    assert_same(found[TEST], arrays[3:5])


def test_many_drawings_pass_in_batches(tmp_path):
    arrays = stroke3(5000)
    source = write_npz(tmp_path / "a.npz", sketches=arrays)
    assert len(list(npz.read_blocks(source))) > 1
    assert_same(drawings(source)[UNSPLIT], arrays)


def test_pickles_of_python_2(tmp_path):
    arrays = [*stroke3(30), np.ones((90, 3), "i2")]
    data = python2(pickle.dumps(objects(arrays), protocol=3))
    assert_same(pickle.loads(data, encoding="latin1"), arrays)
    write_zip(tmp_path / "a.npz", sketches=member(data, 31))
    assert_same(drawings(str(tmp_path / "a.npz"))[UNSPLIT], arrays)


@pytest.mark.parametrize(
    "home",
    ["numpy.core.multiarray", "numpy._core.multiarray", "numpy.core._multiarray_umath"],
)
def test_the_homes_of_reconstruct(tmp_path, home):
    arrays = stroke3(3)
    data = pickle.dumps(objects(arrays), protocol=2)
    at = data.index(b"c") + 1
    data = data[:at] + home.encode() + data[data.index(b"\n") :]
    write_zip(tmp_path / "a.npz", sketches=member(data, 3))
    assert_same(drawings(str(tmp_path / "a.npz"))[UNSPLIT], arrays)


def test_arrays_that_are_shared(tmp_path):
    one = stroke3(1)[0]
    source = write_npz(tmp_path / "a.npz", sketches=[one, one, one])
    assert_same(drawings(source)[UNSPLIT], [one, one, one])
    many = stroke3(300)
    source = write_npz(tmp_path / "a.npz", 3, sketches=[*many, many[-1], many[0]])
    assert_same(drawings(source)[UNSPLIT], [*many, many[-1], many[0]])


@pytest.mark.parametrize(
    ("names", "origins"),
    [
        (["train"], {UNSPLIT}),
        (["sketches"], {UNSPLIT}),
        (["arr_0"], {UNSPLIT}),
        (["train", "test"], {NO_VALID, TEST}),
        (["train", "valid"], {NO_TEST, VALID}),
        (["train", "validation", "test"], {TRAIN, VALID, TEST}),
    ],
)
def test_splits_that_are_missing(tmp_path, names, origins):
    source = write_npz(tmp_path / "a.npz", **{name: stroke3(4) for name in names})
    assert set(drawings(source)) == origins


def test_extra_arrays_are_noted(tmp_path):
    notes = []
    source = write_npz(
        tmp_path / "a.npz", sketches=stroke3(4), pix_count=np.zeros(4), x=np.bool_(1)
    )
    drawings(source, note=notes.append)
    assert notes == [f"{source}: ignored pix_count, x"]


def test_stroke5(tmp_path):
    rows = np.array([[1, 2, 1, 0, 0], [3, 4, 0, 1, 0], [0, 0, 0, 0, 1], [9, 9, 0, 0, 1]], "f4")
    more = np.array([[1, 2, 0, 1, 0], [5, 6, 0.5, 0.5, 0.5], [3, 4, 0, 1, 0]], "f4")
    source = write_npz(tmp_path / "a.npz", sketches=[rows, rows[:2], more])
    two = [[1, 2, 0], [3, 4, 1]]
    assert_same(drawings(source)[UNSPLIT], [two, two, [[1, 2, 1], [5, 6, 0], [3, 4, 1]]])


def test_pen_of_three_states_and_a_last_row_that_does_not_lift(tmp_path):
    source = write_npz(
        tmp_path / "a.npz",
        sketches=[np.array([[1, 2, 0], [3, 4, 2], [5, 6, 0]], "i2"), np.array([[1, 1, 0]], "i2")],
    )
    assert_same(drawings(source)[UNSPLIT], [[[1, 2, 0], [3, 4, 1]], [[1, 1, 1]]])


@pytest.mark.parametrize("padding", [0.0, np.nan])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_arrays_lose_their_padding(tmp_path, padding, order):
    arrays = stroke3(7, dtype=np.float32)
    dense = np.full((7, 25, 3), padding, np.float32, order=order)
    for i, a in enumerate(arrays):
        dense[i, : len(a)] = a
    source = write_npz(tmp_path / "a.npz", train=dense, test=dense[:2])
    assert_same(drawings(source)[NO_VALID], arrays)
    assert_same(drawings(source)[TEST], arrays[:2])


def test_dense_stroke5(tmp_path):
    dense = np.zeros((2, 4, 5), "f4")
    dense[:, 0] = [1, 2, 1, 0, 0]
    dense[:, 1] = [3, 4, 0, 1, 0]
    dense[:, 2:] = [0, 0, 0, 0, 1]
    source = write_npz(tmp_path / "a.npz", sketches=dense)
    assert_same(drawings(source)[UNSPLIT], [[[1, 2, 0], [3, 4, 1]]] * 2)


def test_fortran_order_inside(tmp_path):
    arrays = [np.asfortranarray(a) for a in stroke3(5)]
    assert_same(drawings(write_npz(tmp_path / "a.npz", sketches=arrays))[UNSPLIT], arrays)


def test_one_array_a_stroke_is_one_drawing(tmp_path):
    lines = {f"arr_{i}": np.array([[i, 0.5], [i, 9]]) for i in range(12)}
    source = write_npz(tmp_path / "tree.npz", **lines)
    (sketch,) = read_sketches(source)
    assert [s[0, 0] for s in sketch.strokes] == list(range(12))
    assert sketch.word == "tree"
    lines = {name: lines["arr_3"] + k for k, name in enumerate(["s1", "s02", "s3", "s010"])}
    (sketch,) = read_sketches(write_npz(tmp_path / "tree.npz", **dict(reversed(lines.items()))))
    assert [s[0, 0] for s in sketch.strokes] == [3, 4, 5, 6]
    (block,) = npz.read_blocks(write_npz(tmp_path / "tree.npz", s1=np.zeros((0, 2))))
    assert (len(block), block.points.shape) == (1, (0, 2))
    source = write_npz(tmp_path / "tree.npz", s1=np.array([[1, 2], [3, 1e9]]))
    with pytest.raises(
        BadSketch, match=r"tree\.npz: s1: holds a number that is no place on a canv"
    ):
        drawings(source)


def test_empty_sketches_are_there_and_empty(tmp_path):
    arrays = [np.zeros((0, 3), "i2"), *stroke3(2), np.zeros((0,), "f8"), np.zeros((0, 0), "i2")]
    found = drawings(write_npz(tmp_path / "a.npz", sketches=arrays))[UNSPLIT]
    assert [len(a) for a in found] == [len(a) for a in arrays]
    assert len(list(read_sketches(str(tmp_path / "a.npz")))) == 2
    assert drawings(write_npz(tmp_path / "a.npz", a=[], b=[])) == {}


def test_sketches_come_before_other_arrays_that_could_be_drawings(tmp_path):
    one, other, notes = stroke3(3), stroke3(4, 1), []
    source = write_npz(tmp_path / "a.npz", dog=other, sketches=one)
    assert_same(drawings(source, note=notes.append)[UNSPLIT], one)
    assert notes == [f"{source}: ignored dog"]


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (b"  <!DOCTYPE html><html><body>404", "a web page"),
        (b"\xef\xbb\xbf<HTML>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
        (b"\x1f\x8b\x08", "not an npz"),
        (b"PK\x03\x04garbage", "truncated or damaged zip"),
    ],
)
def test_what_the_file_is_instead(tmp_path, content, says):
    path = tmp_path / "cat.npz"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=says) as error:
        drawings(str(path))
    assert one_line(error).startswith(str(path))


def test_a_truncated_zip(tmp_path):
    source = write_npz(tmp_path / "a.npz", sketches=stroke3(50))
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadFile, match="truncated or damaged zip"):
        drawings(source)


def test_a_missing_file(tmp_path):
    with pytest.raises(BadFile, match=r"\[x\]\.npz: no such file"):
        drawings(str(tmp_path / "[x].npz"))


class Runs:
    """What an attacker pickles."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_nothing_is_run(tmp_path, protocol):
    mark = tmp_path / "was-run"
    arrays = objects([*stroke3(2), Runs(str(mark))])
    write_zip(tmp_path / "a.npz", train=member(pickle.dumps(arrays, protocol=protocol), 3))
    with pytest.raises(BadFile, match="could run code") as error:
        drawings(str(tmp_path / "a.npz"))
    assert "a.npz: train: " in one_line(error)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Runs(str(mark))))  # and it would have
    assert mark.exists()


def test_the_name_is_told(tmp_path):
    data = b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R."
    write_zip(tmp_path / "a.npz", train=member(data))
    with pytest.raises(BadFile, match=r"names 'os\.system'"):
        drawings(str(tmp_path / "a.npz"))


HUGE = struct.pack("<I", 0x7FFFFFFF)
START = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"


@pytest.mark.parametrize(
    "attack",
    [
        b"\x80\x02Nr" + HUGE + b"j" + HUGE + b".",  # a memo that the C unpickler would allocate
        b"\x80\x02cnumpy\nndarray\nJ" + HUGE + b"\x85U\x02i1\x86R.",  # an array of 2 GiB
        b"\x80\x02T" + HUGE + b".",
        b"\x80\x03B\xff\xff\xff\xff.",
        b"\x80\x04\x8e" + b"\xff" * 8 + b".",
        b"\x80\x02" + b"(" * 3_000_000 + b".",
        b"\x80\x02" + b"N" * 3_000_000 + b".",
        b"\x80\x02h\x00.",
        b"\x80\x02R.",
        b"\x80\x02t.",
        b"\x80\x02NN\x86b.",
        b"\x80\x02]e.",
        b"\x80\x02N(Ne.",
        b"\x80\x02cnumpy",
        b"\x80\x02" + b"c" + b"x" * 500,
        b"\x80\x02.",
        b"\x80\x02].",
        b"\x80\x02X\x01\x00\x00\x00\xff.",
        b"",
        START + b"(K\x01J" + HUGE + b"K\x03\x86cnumpy\ndtype\nU\x02i2\x85R\x89U\x04abcdtb.",
    ],
)
def test_attacks_are_one_line_and_little_memory(tmp_path, attack):
    write_zip(tmp_path / "a.npz", train=member(attack))
    tracemalloc.start()
    with pytest.raises(BadFile) as error:
        drawings(str(tmp_path / "a.npz"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    one_line(error)
    assert peak < 100e6


@pytest.mark.parametrize(
    ("attack", "says"),
    [
        (b"\x80\x02T" + HUGE + b".", "a string of 2,147,483,647 bytes"),
        (b"\x80\x04\x8e" + b"\xff" * 8 + b".", "a string of 18,446,744,073,709,551,615 bytes"),
        (b"\x80\x02" + b"(" * 3_000_000 + b".", "nested too deeply"),
        (b"\x80\x02" + b"N" * 3_000_000 + b".", ": not an array of drawings: nested too deeply$"),
        (b"\x80\x02" + b"N" * 17 + b"t.", "damaged pickle: it ends early"),
        (b"\x80\x02(" + b"N" * 17 + b"t.", ": not an array of drawings: nested too deeply$"),
        (b"\x80\x02N\x85\x85\x85.", ": not an array of drawings: nested too deeply$"),
        (b"\x80\x02N\x85\x85.", "not an array of drawings, but something else$"),
        (b"\x80\x02(" + b"N" * 16 + b"t.", "not an array of drawings, but something else$"),
        (b"\x80\x02c" + b"x" * 500, ": damaged pickle: a name without an end$"),
        (
            b"\x80\x02" + b"".join(b"j" + struct.pack("<I", k) for k in range(70_000)),
            ": arrays that are shared too often$",
        ),
        (b"\x80\x02c" + b"x" * 100 + b"\ny\n.", f"names '{'x' * 80}', which"),
    ],
)
def test_limits_are_what_stops_an_attack(tmp_path, attack, says):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:  # not packed: no bomb
        archive.writestr("train.npy", member(attack))
    with pytest.raises(BadFile, match=says):
        drawings(str(tmp_path / "a.npz"))


def test_an_unpickler_counts_what_it_holds():
    made = pickled_arrays._Unpickler(io.BufferedReader(io.BytesIO(b"x" * 99)), set())
    assert (made.held, made.read(9), made.held, made.read(8), made.held) == (
        0, b"x" * 9, 9, b"x" * 8, 9,
    )  # fmt: skip
    one, shared = pickled_arrays.Array(0, 0, 0), pickled_arrays.Array(0, 0, 0)
    one.data, shared.data, shared.shared = b"xyz", b"xy", True
    made.outer[:] = [one, shared]
    assert made.hand_on() == [one, shared]
    assert (made.held, made.outer) == (6, [])
    for marks, held in ((pickled_arrays.MAX_MARKS, 0), (0, pickled_arrays.MAX_HELD)):
        made.metastack, made.held = [[]] * marks, held
        made.check()
        made.metastack, made.held = [[]] * (marks + bool(marks)), held + bool(held)
        with pytest.raises(pickled_arrays._Refused):
            made.check()


def test_what_a_pickle_says_of_an_array_is_checked():
    kind = pickled_arrays._Type("i2")
    assert pickled_arrays._text("x" * 200) == "x" * 200
    for state in (((2.0, 3), kind), ([2, 3], kind), (("2", 3), kind)):
        with pytest.raises(TypeError):
            pickled_arrays.Array(0, 0, 0).__setstate__((1, *state, False, b""))
    for text in ("x" * 201, 3, None):
        with pytest.raises(TypeError):
            pickled_arrays._text(text)


def test_strings_are_as_long_as_they_may_be(tmp_path, monkeypatch):
    source = write_npz(tmp_path / "a.npz", 3, sketches=[np.ones((100, 3), "i2")])
    monkeypatch.setattr(pickled_arrays, "MAX_STRING", 600)
    assert len(drawings(source)[UNSPLIT][0]) == 100
    monkeypatch.setattr(pickled_arrays, "MAX_STRING", 599)
    with pytest.raises(BadFile, match="damaged pickle: a string of 600 bytes$"):
        drawings(source)


@pytest.mark.parametrize("size", [401, 450, 463, 500, 777])
def test_how_a_pickle_arrives_makes_no_difference(tmp_path, monkeypatch, size):
    arrays = stroke3(60)
    source = write_npz(tmp_path / "a.npz", 3, sketches=[*arrays, *arrays[:3]])
    monkeypatch.setattr(pickled_arrays, "CHUNK", size)
    assert_same(drawings(source)[UNSPLIT], [*arrays, *arrays[:3]])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_an_error_or_other_drawings_but_never_a_traceback(tmp_path_factory, data):
    pickled = bytearray(
        pickle.dumps(objects(stroke3(6)), protocol=data.draw(st.sampled_from([2, 4])))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(pickled) - 1))
        pickled[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(pickled)))
    path = tmp_path_factory.mktemp("damage") / "a.npz"
    write_zip(path, train=member(bytes(pickled[:cut] if cut % 3 else pickled), 6))
    with contextlib.suppress(SketchError):
        drawings(str(path))


def test_bytes_must_fit_the_shape(tmp_path):
    data = pickle.dumps(objects([np.ones((4, 3), "i2")]), protocol=3)
    data = data.replace(b"K\x04K\x03\x86", b"K\x05K\x03\x86")
    write_zip(tmp_path / "a.npz", train=member(data))
    with pytest.raises(BadFile, match="24 bytes for 5 rows of 6"):
        drawings(str(tmp_path / "a.npz"))


def test_fewer_drawings_than_announced(tmp_path):
    data = pickle.dumps(objects(stroke3(4)), protocol=3)
    write_zip(tmp_path / "a.npz", train=member(data, 5))
    with pytest.raises(BadFile, match="4 drawings where 5 are announced; get the file again$"):
        drawings(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("size", [1_500_000, 20_000_000])
def test_a_bomb_is_not_unpacked(tmp_path, size):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.npy", b"\0" * size)
    with pytest.raises(BadFile, match="; no drawings are packed so tightly$"):
        drawings(str(tmp_path / "a.npz"))


def test_a_header_that_is_too_long(tmp_path):
    head = b"\x93NUMPY\x02\x00" + (1 << 30).to_bytes(4, "little") + b" " * 100
    write_zip(tmp_path / "a.npz", train=head)
    with pytest.raises(BadFile, match="too long"):
        drawings(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("header", [b"(" * 5000, b"{'descr': 3}", b"__import__('os')", b"{}"])
def test_a_header_that_is_none(tmp_path, header):
    head = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    write_zip(tmp_path / "a.npz", train=head)
    with pytest.raises(BadFile, match=r"header|no drawings"):
        drawings(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("shape", ["(-1, 3)", f"({1 << 48}, 3)", "('a',)", "3", "(2.0, 3)"])
def test_a_header_with_a_shape_that_is_none(tmp_path, shape):
    header = f"{{'descr': '<i2', 'fortran_order': False, 'shape': {shape}}}".encode()
    head = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    write_zip(tmp_path / "a.npz", train=head)
    with pytest.raises(BadFile, match=r"a\.npz: train\.npy: a \.npy header with shape") as error:
        drawings(str(tmp_path / "a.npz"))
    assert shape in one_line(error)


def test_too_many_members(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as zipped:
        for i in range(archive.MAX_MEMBERS + 1):
            zipped.writestr(str(i), b"")
    with pytest.raises(BadFile, match="members"):
        drawings(str(tmp_path / "a.npz"))


def test_a_zip_that_holds_other_things(tmp_path):
    source = write_npz(tmp_path / "a.npz", weights=np.zeros((4, 4)), bias=np.zeros(4, "i4"))
    with pytest.raises(BadFile, match=r"holds weights f8\[4, 4\], bias i4\[4\]"):
        drawings(source)
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
        archive.writestr("licence", "free")
    with pytest.raises(BadFile, match=r"without arrays; it holds readme\.txt, licence$"):
        drawings(str(tmp_path / "b.npz"))
    records = write_npz(tmp_path / "a.npz", table=np.zeros(3, [("a", "i4"), ("b", "f4")]))
    with pytest.raises(BadFile, match=r"no drawings: it holds table record\[3\]; drawings are"):
        drawings(records)


def test_arrays_of_arrays_are_no_drawings(tmp_path):
    inner = objects([np.ones((2, 2)), np.ones((3, 2))])
    source = write_npz(tmp_path / "a.npz", x=[inner, inner], y=np.zeros(2))
    says = r": x: holds arrays of arrays; it should hold one \(points, 3\) a drawing$"
    with pytest.raises(BadFile, match=says):
        drawings(source)


NAN = np.array([[1, 2, 0], [np.nan, 2, 1]], "f4")
FAULTS = [
    (NAN, "drawing 2 holds a number that is not finite"),
    (np.array([[np.inf, 2, 1]], "f8"), "drawing 2 holds a number that is not finite"),
    (np.ones((4, 2), "i2"), r"drawing 2 has shape \(4, 2\)"),
    (np.ones((4, 4), "i2"), r"drawing 2 has shape \(4, 4\)"),
    (np.array([[1, 2, 7]], "i2"), "pen column that holds 7"),
    (np.array([["a", "b", "c"]]), "not numbers"),
]


@pytest.mark.parametrize(("fault", "says"), FAULTS)
def test_a_faulty_drawing_is_named_or_skipped(tmp_path, fault, says):
    good = [a.astype(fault.dtype if fault.dtype.kind in "if" else "i2") for a in stroke3(4)]
    source = write_npz(tmp_path / "a.npz", train=[*good[:2], fault, *good[2:]], test=good)
    with pytest.raises(BadSketch, match=says) as error:
        drawings(source)
    assert "a.npz: train: " in one_line(error)
    skipped = []
    found = drawings(source, skipped=skipped.append)
    assert_same(found[NO_VALID], good)
    assert len(skipped) == 1


def test_written_for_others_reads_as_an_object_array(tmp_path):
    arrays = stroke3(300)
    buffer = io.BytesIO()
    sketch_rnn.write_objects(buffer, iter(arrays), len(arrays))
    data = buffer.getvalue()
    size = int.from_bytes(data[8:10], "little")
    assert (10 + size) % 64 == 0
    back = pickle.loads(data[10 + size :], encoding="latin1")
    assert (back.dtype, back.shape) == (object, (300,))
    assert {a.dtype for a in back} == {np.dtype("i2")}
    assert_same(back, arrays)
    write_zip(tmp_path / "a.npz", train=data, test=data)
    assert_same(drawings(str(tmp_path / "a.npz"))[TEST], arrays)


def test_an_empty_split_can_be_written(tmp_path):
    buffer = io.BytesIO()
    sketch_rnn.write_objects(buffer, iter([]), 0)
    data = buffer.getvalue()
    assert pickle.loads(data[10 + int.from_bytes(data[8:10], "little") :]).shape == (0,)
    write_zip(tmp_path / "a.npz", train=data)
    assert drawings(str(tmp_path / "a.npz")) == {}


def test_a_zip_that_is_given_up_inside_of_a_member_does_not_say_otherwise():
    held = []

    def give_up():
        with archive.NewZip(io.BytesIO(), "w") as new:
            held.append(new.open("train.npy", "w"))  # a plain zip would complain of it
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n", "n_train"),
    [
        ("benchmark/cat", 3548, 2948),
        ("sketch-rnn-datasets/aaron_sheep", 8000, 7400),
        ("sketch-rnn-datasets/omniglot", 32000, 30000),
        ("sketch-rnn-datasets/kanji.rdp200", 11458, 10358),
        ("sketch-rnn-datasets/short_kanji", 11100, 10000),
        ("quickdraw/sketchrnn-npz/alarm-clock", 2500, 2500),
        ("quickdraw/sketchrnn-npz/face", 2500, 2500),
        ("quickdraw/sketchrnn-npz/pig", 2500, 2500),
        ("odd/ivanpuhachov-test", 100, 85),
        ("odd/look_i16", 1600, 1300),
        ("odd/skyloken-test", 4, 4),
        ("odd/joeypoel-octopus-11224", 1, 1),
    ],
)
def test_every_real_file(shared_data, name, n, n_train):
    found = drawings(str(shared_data / f"{name}.npz"))
    train = [a for origin, arrays in found.items() if origin not in (VALID, TEST) for a in arrays]
    assert (sum(map(len, found.values())), len(train)) == (n, n_train)
    assert all(len(a) and np.isfinite(a).all() for arrays in found.values() for a in arrays)


# labels, one array a word, .npy, empty splits


def words_of(source, word=None, **how):
    blocks = npz.read_blocks(source, word, ReadOptions(**how))
    return [word for block in blocks for word in block.words]


LABELS = ["cat", "dog", "cat", "caf\u00e9"]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (objects(LABELS), LABELS),
        (np.array(LABELS), LABELS),
        (np.array(["cat", "dog", "cat", "owl"], "S"), ["cat", "dog", "cat", "owl"]),
        (np.array([3, 1, 3, 64]), ["3", "1", "3", "64"]),
        (np.array([3, 1, 3, 64], "u1"), ["3", "1", "3", "64"]),
        (np.array([3.0, 1, 3, 64], "f4"), ["3", "1", "3", "64"]),
        (objects([3, 1, 3, "cat"]), ["3", "1", "3", "cat"]),
    ],
)
@pytest.mark.parametrize("name", ["y", "labels", "train_words", "y_train"])
def test_labels_beside_drawings(tmp_path, labels, words, name):
    notes = []
    drawn = "train" if "train" in name else "x"
    if labels.dtype == object:
        data = member(pickle.dumps(labels, protocol=3), 4)
    else:
        stream = io.BytesIO()
        np.save(stream, labels)
        data = stream.getvalue()
    drawn_data = member(pickle.dumps(objects(stroke3(4)), protocol=3), 4)
    write_zip(tmp_path / "a.npz", **{drawn: drawn_data, name: data})
    assert words_of(str(tmp_path / "a.npz"), word="file", note=notes.append) == words
    assert notes == []


def test_labels_follow_their_drawings(tmp_path):
    arrays = [*stroke3(2), np.array([[1, 2, 7]], "i2"), np.ones((3, 2), "i2"), *stroke3(2)]
    source = write_npz(tmp_path / "a.npz", x=arrays, y=np.array(list("abcdef")))
    skipped = []
    assert words_of(source, skipped=skipped.append) == ["a", "b", "e", "f"]
    assert [fault.split(": ")[2].split(" ")[:2] for fault in skipped] == [
        ["drawing", "2"], ["drawing", "3"],
    ]  # fmt: skip


def test_labels_of_splits_are_kept_apart(tmp_path):
    source = write_npz(
        tmp_path / "a.npz", x_train=stroke3(3), x_test=stroke3(2), y_train=np.array([1, 2, 1]),
        y_test=np.array([2, 2]),
    )  # fmt: skip
    found = {block.origin: list(block.words) for block in npz.read_blocks(source)}
    assert found == {NO_VALID: ["1", "2", "1"], TEST: ["2", "2"]}


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        (np.array([0, 1, 0]), {"class_names": np.array(["cat", "dog"])}, ["cat", "dog", "cat"]),
        (np.eye(2)[[0, 1, 0]], {"classes": np.array(["cat", "dog"])}, ["cat", "dog", "cat"]),
        (np.eye(2, dtype="u1")[[0, 1, 0]], {}, ["0", "1", "0"]),
        (np.array([[5], [6], [5]]), {}, ["5", "6", "5"]),
        (np.array([0, 2, 0]), {"class_names": np.array(["cat", "dog"])}, ["0", "2", "0"]),
        (np.array(["a", "b", "a"]), {"class_names": np.array(["cat", "dog"])}, ["a", "b", "a"]),
    ],
)
@pytest.mark.parametrize("name", ["train", "x", "sketches"])
def test_names_of_labels_beside_them(tmp_path, labels, names, words, name):
    """And labels without a split belong to the only drawings."""
    notes = []
    source = write_npz(tmp_path / "a.npz", **{name: stroke3(3)}, labels=labels, **names)
    assert words_of(source, word="file", note=notes.append) == words
    assert notes == []


def test_labels_of_many_columns_are_a_fault(tmp_path):
    source = write_npz(tmp_path / "a.npz", x=stroke3(3), y=np.ones((3, 4)))
    with pytest.raises(BadFile, match=r"a\.npz: y: labels of 4 columns; give one for each drawing"):
        words_of(source)


def test_labels_for_other_drawings_are_noted(tmp_path):
    notes = []
    source = write_npz(tmp_path / "a.npz", x=stroke3(3), y=np.array(["cat", "dog"]))
    assert words_of(source, word="file", note=notes.append) == ["file"] * 3
    assert notes == [f"{source}: ignored y"]


def test_labels_that_are_none(tmp_path):
    source = write_npz(tmp_path / "a.npz", x=stroke3(2), y=np.array([True, False]))
    with pytest.raises(BadFile, match=r"a\.npz: y: labels of type '\|b1'; give texts or numbers"):
        words_of(source)
    labels = member(pickle.dumps(objects(["cat", None]), protocol=3), 2)
    drawn = member(pickle.dumps(objects(stroke3(2)), protocol=3), 2)
    write_zip(tmp_path / "a.npz", x=drawn, y=labels)
    with pytest.raises(BadFile, match=r"a\.npz: y: holds something else than labels"):
        words_of(source)
    labels = member(pickle.dumps(objects(["cat"]), protocol=3), 2)
    write_zip(tmp_path / "a.npz", x=drawn, y=labels)
    with pytest.raises(BadFile, match="1 labels in y; get it again"):
        words_of(source)


@pytest.mark.parametrize("code", [0xD800, 0x110000, 0xFFFFFFFF])
def test_labels_that_are_no_text(tmp_path, code):
    stream = io.BytesIO()
    np.save(stream, np.array(["a", "b"]))
    labels = stream.getvalue()[:-4] + code.to_bytes(4, "little")
    drawn = member(pickle.dumps(objects(stroke3(2)), protocol=3), 2)
    write_zip(tmp_path / "a.npz", x=drawn, y=labels)
    with pytest.raises(BadFile, match=r"a\.npz: y: a label that is no text$"):
        words_of(str(tmp_path / "a.npz"))


def test_pickled_labels_that_are_no_text(tmp_path):
    labels = member(pickle.dumps(objects(["cat", "\ud800"]), protocol=3), 2)
    drawn = member(pickle.dumps(objects(stroke3(2)), protocol=3), 2)
    write_zip(tmp_path / "a.npz", x=drawn, y=labels)
    with pytest.raises(BadFile, match=r"a\.npz: y: damaged, or a pickle of something else"):
        words_of(str(tmp_path / "a.npz"))


def test_one_array_a_word(tmp_path):
    source = write_npz(tmp_path / "a.npz", **{"cat": stroke3(2), "ice cream": stroke3(3)})
    assert words_of(source, word="file") == ["cat"] * 2 + ["ice cream"] * 3
    source = write_npz(tmp_path / "b.npz", arr_0=stroke3(2), arr_1=stroke3(3))
    with pytest.raises(BadFile, match="several arrays could be the drawings .arr_0 object.2."):
        words_of(source)


def test_empty_splits_are_no_splits(tmp_path):
    nothing = np.zeros(0, object)
    empty = member(pickle.dumps(nothing, protocol=3), 0)
    drawn = member(pickle.dumps(objects(stroke3(4)), protocol=3), 4)
    notes = []
    write_zip(tmp_path / "a.npz", train=drawn, valid=empty, test=empty)
    found = drawings(str(tmp_path / "a.npz"), note=notes.append)
    assert (set(found), notes) == ({UNSPLIT}, [])
    write_zip(tmp_path / "a.npz", train=drawn, valid=empty, test=drawn)
    assert set(drawings(str(tmp_path / "a.npz"))) == {NO_VALID, TEST}
    write_zip(tmp_path / "a.npz", train=empty, valid=empty, test=empty)
    assert list(read_sketches(str(tmp_path / "a.npz"))) == []


@pytest.mark.parametrize("dense", [True, False])
def test_an_array_by_itself(tmp_path, dense):
    arrays = stroke3(5)
    path = tmp_path / "owl.npy"
    if dense:
        whole = np.zeros((5, 20, 3), np.int16)
        for i, rows in enumerate(arrays):
            whole[i, : len(rows)] = rows
        np.save(path, whole)
    else:
        path.write_bytes(member(pickle.dumps(objects(arrays), protocol=3), 5))
    assert_same(drawings(str(path))[UNSPLIT], arrays)
    assert {sketch.word for sketch in read_sketches(str(path))} == {"owl"}


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "an empty file"), (b"PK\x03\x04", "a zip file; name it .npz"), (b"<html>", "a web page"),
     (b"\x93NUMPY\x01\x00\x02\x00{}", "a .npy header that cannot be read")],
)  # fmt: skip
def test_a_npy_that_is_none(tmp_path, content, says):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(BadFile, match=says) as error:
        drawings(str(tmp_path / "a.npy"))
    assert one_line(error).startswith(str(tmp_path / "a.npy"))


def _notes(tmp_path, *arrays):
    notes = []
    source = write_npz(tmp_path / "a.npz", train=list(arrays))
    drawings(source, note=notes.append)
    return [note.removeprefix(f"{source}: train: ") for note in notes]


def test_columns_that_look_like_something_else(tmp_path):
    rng = np.random.default_rng(0)
    moves = np.column_stack([rng.integers(-9, 9, (40, 2)), np.arange(40) % 10 == 9]).astype("i2")
    assert _notes(tmp_path, moves) == []
    assert _notes(tmp_path, np.abs(moves)[:19]) == []  # too few to tell
    turns = np.linspace(0, 6, 40)
    places = np.column_stack([90 * np.cos(turns), 90 * np.sin(turns), moves[:, 2]]).astype("f4")
    (note,) = _notes(tmp_path, places)
    assert note.startswith("long offsets hardly change from one to the next: these look like place")
    assert _notes(tmp_path, places * [0.1, 0.1, 1]) == []  # a pen whose points lie close together
    (note,) = _notes(tmp_path, np.abs(moves))
    assert note.startswith("no offset is below 0: these look like places (x, y), not moves")
    swapped = moves.copy()
    swapped[:, 2] = 1 - swapped[:, 2]
    (note,) = _notes(tmp_path, swapped)
    assert note.startswith("the pen lifts after 90% of the points: its column may say that the pen")
    five = np.zeros((40, 5), "f4")
    five[:, :2], five[:, 2], five[:, 3] = moves[:, :2], moves[:, 2], 1 - moves[:, 2]
    assert len(_notes(tmp_path, five)) == 1
    dots = moves.copy()
    dots[:, 2] = np.arange(40) % 10 < 6
    assert _notes(tmp_path, dots) == []  # 60 %
    still = np.zeros((40, 3), "i2")
    assert _notes(tmp_path, still) == []


def test_names_in_a_zip_write_nothing_strange(tmp_path):
    notes = []
    path = tmp_path / "a.npz"
    write_zip(path, **{"train": member(pickle.dumps(objects(stroke3(2))), 2),
                       "x\x1b[2J\u202e" * 400: archive_of(np.zeros(2))})  # fmt: skip
    drawings(str(path), note=notes.append)
    assert notes[0].startswith(f"{path}: ignored x?[2J?x?[2J?")
    assert len(notes[0]) < 1200


def archive_of(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_drawings_of_several_words_keep_them(tmp_path):
    sketches = [from_stroke3(rows, word) for rows, word in
                zip(stroke3(4), ["cat", "owl", None, "cat"], strict=True)]  # fmt: skip
    path = tmp_path / "two.npz"
    with path.open("wb") as stream:
        sketch_rnn.write_sketches(stream, sketches, 4)
    assert words_of(str(path), word="two") == ["cat", "owl", "", "cat"]
    with path.open("wb") as stream:
        sketch_rnn.write_sketches(stream, [sketches[0]] * 3, 3)
    assert words_of(str(path), word="two") == ["two"] * 3
    with np.load(path) as again:
        assert again.files == ["train", "valid", "test"]


# limits of pickles, each met and passed


def pickled(payload, n=1):
    batches = pickled_arrays.items(lambda: io.BytesIO(payload), "x")
    return [array for batch in batches for array in batch]


KIND = b"cnumpy\ndtype\nU\x02i2\x85R"
ARRAY = START[2:] + b"(K\x01K\x00K\x03\x86" + KIND + b"\x89U\x00tb"
OUTER = START + b"(K\x01K\x01\x85cnumpy\ndtype\nU\x01O\x85R\x89"


@pytest.mark.parametrize(
    ("name", "value", "payload", "says"),
    [
        ("MAX_MARKS", 3, b"\x80\x02((((NN\x86.", "nested too deeply"),
        ("MAX_STACK", 3, b"\x80\x02NNNN.", "nested too deeply"),
        ("MAX_STACK", 3, b"\x80\x02N(N(NN.", "nested too deeply"),
        ("MAX_TUPLE", 3, b"\x80\x02(NNNNt.", "nested too deeply"),
        ("MAX_TUPLE", 16, b"\x80\x02N\x85\x85\x85.", "nested too deeply"),
        ("MAX_HELD", 9, b"\x80\x02U\x0a0123456789.", "arrays too large to be drawings"),
        ("MAX_STRING", 9, b"\x80\x02U\x0a0123456789.", "a string of 10 bytes"),
        ("MAX_SHARED", 0, b"\x80\x02Nq\x00h\x00.", "arrays that are shared too often"),
        (
            "MAX_NAME",
            9,
            b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n.",
            "a name without an end",
        ),
    ],
)
def test_limits_of_pickles(monkeypatch, name, value, payload, says):
    monkeypatch.setattr(pickled_arrays, name, value)
    with pytest.raises(BadFile, match=f"^x: .*{says}"):
        pickled(payload)
    monkeypatch.undo()
    monkeypatch.setattr(pickled_arrays, name, max(value + 7, 10_000))
    if payload.endswith(b"\x85."):
        return  # tuples of tuples of tuples, at any length
    with pytest.raises(BadFile) as error:  # no array of drawings; but not for its size
        pickled(payload)
    assert says not in str(error.value)


def test_what_a_pickle_may_hold():
    assert [(a.descr, a.shape, a.data) for a in pickled(OUTER + b"](" + ARRAY * 2 + b"etb.")] == [
        ("i2", (0, 3), b"")
    ] * 2
    (alone,) = pickled(OUTER + b"]" + ARRAY + b"atb.")
    assert (alone.descr, alone.fortran) == ("i2", False)
    assert pickled(OUTER + b"]tb.") == []


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (OUTER + b"](Netb.", "holds something else where an array .points, 3. should be"),
        (OUTER + b"](K\x01etb.", "holds a number where an array"),
        (OUTER + b"](U\x01aetb.", "holds text where an array"),
        (OUTER + b"](" + ARRAY[:-2] + b"t0", "opcode 0x30"),
        (OUTER + b"](" + START[2:] + b"etb.", "holds an array where an array"),
        (OUTER + b"]](etb.", "holds arrays of arrays"),
        (b"\x80\x02].", "not an array of drawings, but something else"),
        (b"\x80\x02K\x01.", "not an array of drawings, but a number"),
        (b"\x80\x02" + ARRAY + b"](e\x86.", "not an array of drawings, but something else"),
        (b"\x80\x02](e" + ARRAY + b".", "not an array of drawings, but an array"),
        (b"\x80\x02N", "it ends early"),
        (b"\x80\x02U\x05ab", "it ends early"),
        (b"\x80\x02cos\nsystem\n.", "names 'os.system', which no array of drawings has"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "damaged, or a pickle of something else"),
        (b"\x80\x02" + KIND + b"Nb.", "damaged, or a pickle of something else"),
    ],
)
def test_what_a_pickle_may_not_hold(payload, says):
    with pytest.raises(BadFile, match=f"^x: .*{says}"):
        pickled(payload)


def test_arrays_are_handed_on_in_batches(monkeypatch):
    monkeypatch.setattr(pickled_arrays, "BATCH", 10)
    monkeypatch.setattr(pickled_arrays, "CHECKED", 8)
    payload = OUTER + b"]" + (ARRAY + b"a") * 35 + b"tb."
    sizes = [len(batch) for batch in pickled_arrays.items(lambda: io.BytesIO(payload), "x")]
    assert sum(sizes) == 35
    assert max(sizes) <= 11


def test_memory_is_given_back_as_arrays_are_handed_on(monkeypatch):
    big = START[2:] + b"(K\x01K\x28K\x03\x86" + KIND + b"\x89U\xf0" + bytes(240) + b"tb"
    monkeypatch.setattr(pickled_arrays, "MAX_HELD", 1000)
    monkeypatch.setattr(pickled_arrays, "BATCH_BYTES", 480)
    monkeypatch.setattr(pickled_arrays, "CHECKED", 4)
    assert len(pickled(OUTER + b"]" + (big + b"a") * 50 + b"tb.")) == 50
    with pytest.raises(BadFile, match="arrays too large to be drawings"):  # none is handed on
        pickled(OUTER + b"](" + big * 50 + b"etb.")
    shared = big[:-2] + b"tbq\x07"
    again = OUTER + b"]" + shared + b"a" + b"h\x07a" * 40 + b"tb."
    assert len(pickled(again)) == 41
