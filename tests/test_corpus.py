"""The packed set: what it holds, how it is split, and what happens to a damaged one."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic
from datafiles import QUICKDRAW, stroke3, write_npz

from sketchrnn_cli.errors import BadConfig, BadFile, BadSketch
from sketchrnn_cli.sketches import scratch, statistics
from sketchrnn_cli.sketches.build import BuildOptions, build, open_or_build
from sketchrnn_cli.sketches.corpus import Corpus, is_packed, write_sketch_rnn
from sketchrnn_cli.sketches.sketch import from_polylines, to_stroke3


def packed(tmp_path, *sources, name="packed.npz", **options):
    build([str(source) for source in sources], tmp_path / name, BuildOptions(**options))
    return Corpus.open(tmp_path / name)


def contents(corpus, split):
    return sorted(corpus.moves_of(i).tobytes() for i in corpus.indices(split))


def write_ndjson(path, n, seed=0):
    rng = np.random.default_rng(seed)
    lines = []
    for i in range(n):
        drawing = [rng.integers(0, 256, (2, int(rng.integers(1, 9)))).tolist() for _ in range(3)]
        drawing[0] = [[0, 255], [0, i % 256]]
        lines.append(
            json.dumps({"word": f"word {(i + 2) % 3}", "key_id": str(i), "drawing": drawing})
        )
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def test_it_holds_the_drawings_as_they_were(tmp_path):
    arrays = stroke3(50)
    source = write_npz(tmp_path / "cat.npz", train=arrays, valid=arrays[:5], test=arrays[5:9])
    corpus = packed(tmp_path, source)
    assert corpus.moves.dtype == np.int16
    assert isinstance(corpus.moves, np.memmap)
    assert corpus.words == ("cat",)
    assert corpus.n_max == max(len(a) for a in arrays)
    for split, expected in (("train", arrays), ("valid", arrays[:5]), ("test", arrays[5:9])):
        found = [corpus.moves_of(i) for i in corpus.indices(split)]
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == np.float32
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(to_stroke3(corpus.sketch(3)), arrays[3])
    assert corpus.sketch(3).word == "cat"
    with pytest.raises(BadConfig, match="no split 'tset'"):
        corpus.indices("tset")


def test_the_scale_is_the_deviation_of_the_clipped_training_offsets(tmp_path):
    train = [a.astype("f4") * 7.3 for a in stroke3(40)]
    for a in train:
        a[:, 2] = a[:, 2] > 0
    train[0][0, 0] = 5000
    source = write_npz(tmp_path / "a.npz", train=train, valid=stroke3(5), test=stroke3(5, 1))
    corpus = packed(tmp_path, source)
    assert corpus.moves.dtype == np.float32
    offsets = np.clip(np.concatenate(train)[:, :2], -1000, 1000)
    assert corpus.scale_factor == pytest.approx(offsets.astype("f8").std(), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "scale", "n_max", "mean", "duplicates", "leaks"),
    [
        ("benchmark/cat", 29.3183, 170, 62.8, 0, (0, 0)),
        ("sketch-rnn-datasets/aaron_sheep", 18.5198, 250, 125.2, 0, (0, 0)),
        ("sketch-rnn-datasets/omniglot", 53.437, 157, 31.1, 23, (0, 0)),
        ("sketch-rnn-datasets/kanji.rdp200", 22.7304, 70, 30.9, 105, (12, 6)),
    ],
)
def test_published_figures(shared_data, tmp_path, name, scale, n_max, mean, duplicates, leaks):
    corpus = packed(tmp_path, shared_data / f"{name}.npz")
    assert corpus.scale_factor == pytest.approx(scale, abs=6e-5)
    assert corpus.n_max == n_max
    train = corpus.indices("train")
    lengths = np.diff(corpus.offsets)[train]
    assert lengths.mean() == pytest.approx(mean, abs=0.051)
    report = corpus.report
    assert report["duplicates"]["train"] == duplicates
    leakage = report["leakage"]
    assert (leakage["valid_in_train"], leakage["test_in_train"]) == leaks


def test_the_same_drawings_give_the_same_bytes(tmp_path):
    source = write_ndjson(tmp_path / "a.ndjson", 300)
    packed(tmp_path, source, name="1.npz", threads=1)
    packed(tmp_path, source, name="2.npz", threads=2)
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()


def test_splits_do_not_depend_on_order_or_company(tmp_path):
    one = write_ndjson(tmp_path / "a.ndjson", 400)
    two = write_ndjson(tmp_path / "b.ndjson", 400, seed=1)
    forth, back = packed(tmp_path, one, two, name="1.npz"), packed(tmp_path, two, one, name="2.npz")
    alone = packed(tmp_path, one, name="3.npz")
    for split in ("train", "valid", "test"):
        assert contents(forth, split) == contents(back, split)
        assert set(contents(alone, split)) <= set(contents(forth, split))
        assert forth.split_hash(split) == back.split_hash(split)
        assert forth.split_hash(split) != alone.split_hash(split)
    assert forth.words == back.words
    shares = [len(forth.indices(split)) / len(forth) for split in ("train", "valid", "test")]
    assert shares == pytest.approx([0.9, 0.05, 0.05], abs=0.03)


def test_identical_drawings_share_a_split(tmp_path):
    arrays = stroke3(100)
    corpus = packed(tmp_path, write_npz(tmp_path / "a.npz", sketches=arrays * 4))
    found = [set(contents(corpus, split)) for split in ("train", "valid", "test")]
    assert all(found)
    assert sum(map(len, found)) == len(set().union(*found))
    assert sum(corpus.report["duplicates"].values()) == 300
    assert not any(corpus.report["leakage"].values())


def test_rounding_noise_does_not_make_a_drawing_another(tmp_path):
    arrays = [a.astype("f4") * 0.7 for a in stroke3(50)]
    for a in arrays:
        a[:, 2] = a[:, 2] > 0
    noisy = [a * np.array([1 + 1e-6, 1 - 1e-6, 1], "f4") for a in arrays]
    corpus = packed(tmp_path, write_npz(tmp_path / "a.npz", sketches=arrays + noisy))
    assert sum(corpus.report["duplicates"].values()) >= 48
    small = [a * np.array([1e-3, 1e-3, 1], "f4") for a in arrays]  # another unit, not all alike
    corpus = packed(tmp_path, write_npz(tmp_path / "b.npz", sketches=small), name="2.npz")
    assert sum(corpus.report["duplicates"].values()) == 0


def test_files_that_came_split_keep_their_splits_and_tell_of_leaks(tmp_path):
    arrays = stroke3(30)
    source = write_npz(
        tmp_path / "a.npz",
        train=arrays[:20] + arrays[:2],
        valid=arrays[20:25] + arrays[:1],
        test=arrays[25:] + arrays[1:3],
    )
    corpus = packed(tmp_path, source)
    assert corpus.report["splits"] == {"train": 22, "valid": 6, "test": 7}
    assert corpus.report["duplicates"] == {"train": 2, "valid": 0, "test": 0}
    assert corpus.report["leakage"] == {
        "valid_in_train": 1, "test_in_train": 2, "test_in_valid": 0,
    }  # fmt: skip
    anew = packed(tmp_path, source, name="2.npz", split=(80.0, 10.0, 10.0))
    assert not any(anew.report["leakage"].values())
    again = packed(tmp_path, tmp_path / "packed.npz", name="3.npz")
    for split in ("train", "valid", "test"):
        assert contents(again, split) == contents(corpus, split)


def test_what_is_missing_is_made_of_train(tmp_path):
    arrays, held = stroke3(300), stroke3(40, 5)
    source = write_npz(tmp_path / "a.npz", train=arrays, test=held)
    corpus = packed(tmp_path, source)
    assert contents(corpus, "test") == sorted(a.astype("f4").tobytes() for a in held)
    assert len(corpus.indices("valid")) == pytest.approx(300 * 5 / 95, abs=12)
    assert not any(corpus.report["leakage"].values())
    source = write_npz(tmp_path / "b.npz", train=arrays, valid=held)
    corpus = packed(tmp_path, source, name="2.npz")
    assert contents(corpus, "valid") == sorted(a.astype("f4").tobytes() for a in held)
    assert len(corpus.indices("test")) == pytest.approx(300 * 5 / 95, abs=12)


def test_an_unsplit_drawing_follows_its_equal_that_came_split(tmp_path):
    arrays = stroke3(60)
    split = write_npz(tmp_path / "a.npz", train=arrays[:20], valid=arrays[20:40], test=arrays[40:])
    loose = write_npz(tmp_path / "b.npz", sketches=arrays)
    corpus = packed(tmp_path, loose, split)
    assert corpus.report["splits"] == {"train": 40, "valid": 40, "test": 40}
    assert not any(corpus.report["leakage"].values())


@pytest.mark.parametrize("n", [3, 4, 8, 20])
def test_small_sets_have_every_split(tmp_path, n):
    corpus = packed(tmp_path, write_npz(tmp_path / "a.npz", sketches=stroke3(n, 7) * 2))
    sizes = corpus.report["splits"]
    assert all(sizes.values())
    assert sizes["train"] >= 2
    assert not any(corpus.report["leakage"].values())


def test_buckets_do_not_change_the_splits(monkeypatch, tmp_path):
    source = write_npz(tmp_path / "a.npz", sketches=stroke3(400) * 2)
    one = packed(tmp_path, source)
    assert one.report["duplicates"]["train"] > 300
    for bucket, piece in ((100, 10_000), (100, 7), (9, 1), (1, 4)):
        monkeypatch.setattr(scratch, "BUCKET", bucket)
        monkeypatch.setattr(scratch, "PIECE", piece)
        monkeypatch.setattr(scratch, "BATCH", 3 * piece)
        many = packed(tmp_path, source, name=f"{bucket}-{piece}.npz")
        assert (tmp_path / f"{bucket}-{piece}.npz").read_bytes() == one.path.read_bytes()
        assert one.report == many.report


def test_words_and_lengths_are_counted(tmp_path):
    corpus = packed(tmp_path, write_ndjson(tmp_path / "a.ndjson", 30))
    assert corpus.words == ("word 0", "word 1", "word 2")
    assert {w: f["drawings"] for w, f in corpus.report["words"].items()} == dict.fromkeys(
        corpus.words, 10
    )
    lengths = np.diff(corpus.offsets)
    assert corpus.report["points"]["mean"] == pytest.approx(lengths.mean(), abs=0.01)
    assert corpus.report["points"]["max"] == lengths.max() == corpus.n_max
    assert [corpus.sketch(i).word for i in range(3)] == ["word 2", "word 0", "word 1"]


def test_canvas_and_own_frame_do_not_mix_unasked(tmp_path):
    canvas = write_ndjson(tmp_path / "a.ndjson", 10)
    own = write_npz(tmp_path / "b.npz", sketches=stroke3(10))
    with pytest.raises(BadConfig, match=r"a\.ndjson lies on .*b\.npz in a frame of its own"):
        build([own, canvas], tmp_path / "c.npz", BuildOptions())
    assert not (tmp_path / "c.npz").exists()
    fitted = packed(tmp_path, own, canvas, fit=True)
    for i in range(len(fitted)):
        left, top, right, bottom = fitted.sketch(i).box()
        assert (left, top) == (0, 0)
        assert max(right, bottom) == 255
    assert fitted.preparation.fit
    assert not packed(tmp_path, own, canvas, fit=False, name="d.npz").preparation.fit


def test_too_long_and_too_short_are_counted(tmp_path):
    arrays = [np.ones((n, 3), "i2") for n in (1, 2, 5, 6, 7)] + [np.zeros((0, 3), "i2")]
    source = write_npz(tmp_path / "a.npz", sketches=arrays)
    corpus = packed(tmp_path, source, max_points=6, min_points=2)
    assert corpus.report["dropped"] == {"empty": 1, "over 6 points": 1, "under 2 points": 1}
    assert (corpus.report["read"], corpus.report["kept"]) == (6, 3)
    assert (corpus.preparation.max_points, corpus.preparation.min_points) == (6, 2)


def test_a_raw_file_is_simplified_and_an_endless_scribble_dropped(tmp_path):
    raw = {"word": "a", "drawing": [[[100.5, 150, 610.5], [100, 100.3, 100], [0, 20, 40]]]}
    zigzag = {"word": "a", "drawing": [[[0.5, 9] * 60_000, [0] * 120_000]]}
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, [raw, raw, zigzag])))
    corpus = packed(tmp_path, tmp_path / "a.ndjson")
    assert corpus.report["dropped"] == {"endless": 1}
    assert [s.tolist() for s in corpus.sketch(0).strokes] == [[[0, 0], [255, 0]]]
    assert corpus.preparation.simplified
    plain = packed(tmp_path, tmp_path / "a.ndjson", name="b.npz", simplify=False, max_points=10)
    assert len(plain.moves_of(0)) == 3
    assert not plain.preparation.simplified


def test_nothing_is_left_behind(tmp_path):
    (tmp_path / "in").mkdir()
    source = write_npz(tmp_path / "in" / "a.npz", sketches=[np.full((4, 3), np.nan, "f4")])
    with pytest.raises(BadSketch, match="not finite"):
        build([source], tmp_path / "b.npz", BuildOptions())
    with pytest.raises(BadFile, match=r"no drawings left of 1 read \(1 faulty\)"):
        build([source], tmp_path / "b.npz", BuildOptions(on_error="skip"))
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_drawings_at_hand_become_a_set(tmp_path):
    sketches = [from_polylines([[[0, 0], [i, 255]], [[i, i]]], "line") for i in range(1, 60)]
    synthetic.pack(sketches, tmp_path / "a.npz")
    corpus = Corpus.open(tmp_path / "a.npz")
    assert len(corpus) == 59
    assert all(corpus.report["splits"].values())
    assert corpus.preparation.fit


def test_a_packed_set_opens_and_anything_else_is_built(tmp_path):
    source = write_npz(tmp_path / "a.npz", sketches=stroke3(10))
    built = open_or_build([source], tmp_path / "work.npz")
    assert built.path == tmp_path / "work.npz"
    again = open_or_build([str(built.path)], tmp_path / "other.npz")
    assert again.path == built.path
    assert not (tmp_path / "other.npz").exists()
    assert not is_packed(source)
    assert not is_packed(tmp_path / "nothing.npz")


def damage(path, change):
    """Rewrite a packed set with one member changed, as an untrusted file may be."""
    with np.load(path) as arrays:
        members = {name: arrays[name] for name in arrays.files}
    about = json.loads(members["about"].tobytes())
    change(members, about)
    members["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(path, **members)


DAMAGE = {
    "no hashes": lambda m, a: m.pop("hashes"),
    "another type": lambda m, a: m.update(splits=m["splits"].astype("i8")),
    "another shape": lambda m, a: m.update(moves=m["moves"][:, :2]),
    "offsets back": lambda m, a: m["offsets"].__setitem__(2, 0),
    "an empty drawing": lambda m, a: (
        m["offsets"].__setitem__(2, m["offsets"][1]),
        a.update(n_max=10**6),
    ),
    "offsets beyond": lambda m, a: m["offsets"].__setitem__(-1, 10**12),
    "word beyond": lambda m, a: m["word_ids"].__setitem__(0, 9),
    "split beyond": lambda m, a: m["splits"].__setitem__(0, 9),
    "fewer splits": lambda m, a: m.update(splits=m["splits"][1:]),
    "no scale": lambda m, a: a.pop("scale_factor"),
    "scale of nothing": lambda m, a: a.update(scale_factor=0),
    "scale of text": lambda m, a: a.update(scale_factor="x"),
    "unknown preparation": lambda m, a: a["preparation"].update(magic=1),
    "newer": lambda m, a: a.update(version=99),
    "of something else": lambda m, a: a.update(format="x"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_set_is_one_line(tmp_path, name):
    path = packed(tmp_path, write_npz(tmp_path / "a.npz", sketches=stroke3(10))).path
    damage(path, lambda members, about: None)
    assert len(Corpus.open(path)) == 10  # rewriting alone does no harm
    damage(path, DAMAGE[name])
    with pytest.raises(BadFile, match=r"packed") as error:
        Corpus.open(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_set_cut_short_or_packed_again(tmp_path):
    path = packed(tmp_path, write_npz(tmp_path / "a.npz", sketches=stroke3(10))).path
    data = path.read_bytes()
    (tmp_path / "short.npz").write_bytes(data[: len(data) - 300])
    with pytest.raises(BadFile, match="damaged zip"):
        Corpus.open(tmp_path / "short.npz")
    with np.load(path) as arrays:
        np.savez_compressed(tmp_path / "again.npz", **arrays)
    with pytest.raises(BadFile, match="packed again"):
        Corpus.open(tmp_path / "again.npz")
    with pytest.raises(BadFile, match="not a packed set; make one with"):
        Corpus.open(tmp_path / "a.npz")


def test_members_lie_at_boundaries_and_numpy_reads_them(tmp_path):
    corpus = packed(tmp_path, write_npz(tmp_path / "a.npz", sketches=stroke3(10)))
    for array in (corpus.moves, corpus.offsets, corpus.splits, corpus.hashes, corpus.word_ids):
        assert array.offset % 64 == 0
    with np.load(corpus.path) as arrays:
        np.testing.assert_array_equal(arrays["moves"], corpus.moves)
        assert json.loads(arrays["about"].tobytes())["words"] == ["a"]
    with zipfile.ZipFile(corpus.path) as archive:
        assert archive.testzip() is None


def test_rows_are_read_from_the_file_in_any_order(tmp_path):
    corpus = packed(tmp_path, write_npz(tmp_path / "a.npz", sketches=stroke3(40)))
    for chosen in (np.arange(40), np.array([7, 3, 3, 4, 5, 39, 0]), np.zeros(0, np.int64)):
        rows = corpus.rows_of(chosen)
        expected = [corpus.moves_of(int(i)) for i in chosen]
        assert rows.dtype == corpus.moves.dtype
        np.testing.assert_array_equal(rows, np.concatenate([np.zeros((0, 3)), *expected]))
        mapless = replace(corpus, moves=np.array(corpus.moves))
        np.testing.assert_array_equal(mapless.rows_of(chosen), rows)


def test_rows_of_a_file_that_went_away_or_shrank(tmp_path):
    corpus = packed(tmp_path, write_npz(tmp_path / "a.npz", sketches=stroke3(40)))
    with pytest.raises(BadFile, match="no such file"):
        replace(corpus, path=tmp_path / "gone.npz").rows_of(np.arange(2))
    (tmp_path / "short.npz").write_bytes(corpus.path.read_bytes()[: corpus.moves.offset + 20])
    with pytest.raises(BadFile, match="ends early"):
        replace(corpus, path=tmp_path / "short.npz").rows_of(np.arange(2))


def resident(corpus):
    """Bytes of a packed set that are mapped into this process and have been looked at."""
    total, ours = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if "-" in line.split()[0]:
            ours = line.endswith(str(corpus.path))
        elif ours and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not tell")
def test_reading_a_whole_set_does_not_fill_memory_with_it(tmp_path):
    arrays = [np.ones((250, 3), np.int16) for _ in range(3000)]
    corpus = packed(tmp_path, write_npz(tmp_path / "a.npz", sketches=arrays))
    size = corpus.moves.nbytes
    assert sum(len(block) for block in corpus.blocks()) == 3000
    statistics.of_corpus(corpus)
    with (tmp_path / "old.npz").open("wb") as stream:
        write_sketch_rnn(corpus, stream)
    assert resident(corpus) < size / 4
    assert int(corpus.moves.sum()) == 3 * 250 * 3000  # and through the map it does
    assert resident(corpus) >= size


def test_a_set_in_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    source = write_npz(tmp_path / "a.npz", sketches=stroke3(10))
    with pytest.raises(BadFile, match="cannot be written"):
        build([source], tmp_path / "file" / "b.npz", BuildOptions())


def test_lines_that_say_nothing_get_a_word(tmp_path):
    line = QUICKDRAW.replace(b'"word":"cat",', b"")
    (tmp_path / "tv.ndjson").write_bytes(line)
    assert packed(tmp_path, tmp_path / "tv.ndjson").words == ("tv",)
    shutil.copy(tmp_path / "tv.ndjson", tmp_path / "dog.full.ndjson")
    assert packed(tmp_path, tmp_path / "dog.full.ndjson").words == ("dog",)
    assert packed(tmp_path, tmp_path / "tv.ndjson", label="set").words == ("set",)
