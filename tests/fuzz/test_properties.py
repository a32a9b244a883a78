"""What a writer writes, its reader reads; any text, table or command is right or told why not."""

from __future__ import annotations

import io
import json
import math
import os
import struct
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import commands
import datafiles
import networks
import numpy as np
import pytest
import targets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.drawing.svg import to_svg
from sketchrnn_cli.errors import BadConfig, BadSketch, SketchError
from sketchrnn_cli.inference import prompt
from sketchrnn_cli.model import checkpoint, sketch_rnn_js
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.sketches import block as blocks
from sketchrnn_cli.sketches import build as building
from sketchrnn_cli.sketches import corpus, formats
from sketchrnn_cli.sketches.formats import latents, ndjson, sketch_rnn
from sketchrnn_cli.sketches.sketch import (
    Sketch,
    from_stroke3,
    to_stroke3,
)
from sketchrnn_cli.training import config, state
from sketchrnn_cli.training import metrics as log

pytestmark = pytest.mark.filterwarnings("error")
few = settings(max_examples=25, deadline=None, derandomize=True)
some = settings(max_examples=100, deadline=None, derandomize=True)
QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
anything = st.text(max_size=60)
near = st.floats(-1e6, 1e6, width=32)
pixels = st.integers(-3000, 3000)


def strokes_of(number, *, most=6):
    stroke = st.lists(st.tuples(number, number), min_size=1, max_size=8)
    return st.lists(stroke, min_size=1, max_size=most).map(
        lambda all_: tuple(np.array(one, np.float32) for one in all_)
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
extras = st.dictionaries(text, json_values, max_size=3).map(
    lambda found: {k: v for k, v in found.items() if k not in ("word", "drawing")}
)
sketches = st.builds(Sketch, strokes_of(near), st.none() | text.filter(bool), extras)
whole = st.builds(Sketch, strokes_of(pixels), st.none() | text.filter(bool))


def same(a: Sketch, b: Sketch, *, within: float = 0.0) -> None:
    assert [len(s) for s in a.strokes] == [len(s) for s in b.strokes]
    np.testing.assert_allclose(a.points(), b.points(), rtol=0, atol=within)


# drawings


@pytest.mark.slow
@some
@given(st.lists(sketches, min_size=1, max_size=4))
def test_ndjson_gives_back_what_was_written(drawings):
    lines = b"".join(map(ndjson.to_line, drawings))
    path = targets.file("again.ndjson", lines)
    read = list(formats.read_sketches(path))
    for a, b in zip(drawings, read, strict=True):
        assert b.word == (a.word or "again")
        assert b.extras == a.extras
    together = [
        b.sketch(i) for b in formats.read_blocks(formats.expand([path])) for i in range(len(b))
    ]
    if not any(_reads_both_ways(a) for a in drawings):
        for a, b, c in zip(drawings, read, together, strict=True):
            same(a, b)
            same(a, c)


def _reads_both_ways(sketch: Sketch) -> bool:
    """The first stroke of another length than two tells that strokes are rows."""
    return all(len(stroke) in (2, 3) for stroke in sketch.strokes[:1])


@pytest.mark.slow
@some
@given(st.lists(sketches, min_size=1, max_size=4))
def test_blocks_write_the_lines_that_drawings_write(drawings):
    block = blocks.from_sketches(drawings)
    lines = [json.loads(line) for line in ndjson.to_lines(block)]
    assert lines == [json.loads(ndjson.to_line(sketch)) for sketch in drawings]


@pytest.mark.slow
@some
@given(strokes_of(near))
def test_moves_lead_to_where_they_come_from(strokes):
    sketch = Sketch(strokes)
    moves = to_stroke3(sketch)
    same(from_stroke3(moves), sketch, within=1.0)
    block = blocks.from_sketches([sketch, sketch])
    moves = blocks.to_moves(block)
    again = blocks.from_moves(moves, block.bounds, block.words)
    np.testing.assert_array_equal(again.strokes, block.strokes)


@few
@given(st.lists(whole, min_size=1, max_size=3))
def test_sketch_rnn_npz_gives_back_what_was_written(drawings):
    stream = io.BytesIO()
    sketch_rnn.write_sketches(stream, drawings, len(drawings))
    read = list(formats.read_sketches(targets.file("again.npz", stream.getvalue())))
    for a, b in zip(drawings, read, strict=True):
        same(a, b)
    with np.load(io.BytesIO(stream.getvalue())) as archive:
        labels = ["train_words"] if len({sketch.word for sketch in drawings}) > 1 else []
        assert sorted(archive.files) == ["test", "train", *labels, "valid"]


@few
@given(strokes_of(st.integers(0, 255)), st.integers(0, 2**32 - 1), st.booleans())
def test_bin_is_read_as_it_was_packed(strokes, time, recognized):
    record = struct.pack("<Q2sBIH", 7, b"US", recognized, time, len(strokes))
    for stroke in strokes:
        record += struct.pack("<H", len(stroke)) + stroke.T.astype(np.uint8).tobytes()
    (read,) = formats.read_sketches(targets.file("again.bin", record))
    same(read, Sketch(strokes))
    assert read.extras["recognized"] is recognized


@few
@given(
    st.lists(
        st.builds(Sketch, strokes_of(st.integers(0, 255)), st.none() | text), min_size=1, max_size=3
    )
)
def test_svg_gives_back_what_was_drawn(drawings):
    path = targets.file("again.svg", to_svg(drawings, Style(size=300)).encode())
    read = list(formats.read_sketches(path))
    assert len(read) == len(drawings)
    for a, b in zip(drawings, read, strict=True):
        assert len(a.strokes) == len(b.strokes)


@pytest.mark.slow
@few
@given(st.lists(whole, min_size=1, max_size=5))
def test_a_packed_set_holds_what_it_was_made_of(drawings):
    source = targets.file("set.ndjson", b"".join(map(ndjson.to_line, drawings)))
    out = targets.folder() / "set.npz"
    out.unlink(missing_ok=True)
    options = building.BuildOptions(threads=1, fit=False, simplify=False)
    if all(_reads_both_ways(a) for a in drawings):
        return
    with suppress(BadSketch):
        report = building.build([source], out, options)
        packed = corpus.Corpus.open(out)
        assert len(packed) == report["kept"]
        kept = sorted(packed.sketch(i).n_points for i in range(len(packed)))
        assert kept == sorted(sketch.n_points for sketch in drawings)[-len(kept) :]


# models


@few
@given(
    st.booleans(), st.lists(text.filter(bool), min_size=1, max_size=4, unique=True), extras,
    st.integers(1, 999), st.floats(1e-3, 1e6),
)  # fmt: skip
def test_a_model_is_read_as_it_was_saved(encoder, words, training, n_max, scale):
    made = networks.tiny(encoder=encoder, words=tuple(words), n_max=n_max, scale_factor=scale)
    made = replace(made, training=training)
    read = checkpoint.from_bytes(checkpoint.file_of(made), name="x")
    assert (read.config, read.words, read.n_max) == (made.config, made.words, n_max)
    assert read.scale_factor == scale
    assert read.training == training
    for name, array in made.weights.items():
        np.testing.assert_array_equal(read.weights[name], array)


@few
@given(st.booleans(), st.integers(0, 99), text)
def test_a_browser_model_is_read_as_it_was_exported(encoder, seed, word):
    made = networks.tiny(
        encoder=encoder, seed=seed, n_mixtures=20, decoder_size=4, encoder_size=3, words=(word,)
    )
    data, _ = sketch_rnn_js.file_of(made)
    read = sketch_rnn_js.load(targets.file("again.json", data))
    assert read.words == ((word,) if word else ())
    for name, array in made.weights.items():
        np.testing.assert_allclose(read.weights[name], array, atol=sketch_rnn_js.STEP)


@few
@given(
    st.integers(0, 10**9),
    st.floats(0, 1e9),
    st.dictionaries(text.filter(bool), st.lists(near, max_size=5), max_size=3),
)
def test_a_state_is_read_as_it_was_saved(step, seconds, values):
    arrays = {name: np.array(v, np.float32) for name, v in values.items() if name != "__metadata__"}
    progress = state.Progress(step=step, seconds=seconds)
    read = state.from_bytes(state.to_bytes(progress, arrays), Path("x"))
    assert read.progress == progress
    assert read.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read.arrays[name], array)


@few
@given(st.integers(1, 4), st.integers(1, 5), st.booleans(), st.booleans(), st.data())
def test_latents_are_read_as_they_were_written(n, z, with_sigma, with_words, data):
    values = st.lists(st.floats(-1e6, 1e6, width=32), min_size=n * z, max_size=n * z)
    mu = np.array(data.draw(values), np.float32).reshape(n, z)
    # numpy's own arrays of text drop zeros at their end
    words = data.draw(st.lists(text.map(lambda w: w.rstrip("\0")), min_size=n, max_size=n))
    given_ = latents.Latents(
        mu, mu + 1 if with_sigma else None, tuple(words) if with_words else None
    )
    stream = io.BytesIO()
    datafiles.write_latents(stream, given_)
    read = latents.read(targets.file("again.z.npz", stream.getvalue()))
    np.testing.assert_array_equal(read.mu, mu)
    if with_words:
        assert read.words == tuple(word or None for word in words)
    lines = b"".join(json.dumps({"z": row, "word": "a"}).encode() + b"\n" for row in mu.tolist())
    np.testing.assert_array_equal(latents.read(targets.file("again.z.ndjson", lines)).mu, mu)


# text


@some
@given(anything)
def test_any_text_is_a_prompt_or_a_fault(asked):
    with suppress(BadConfig):
        found = prompt.parse(asked, targets.LABELS)
        assert found.items


@some
@given(st.lists(anything, min_size=1, max_size=5), anything)
def test_a_model_may_have_any_words(labels, asked):
    with suppress(BadConfig):
        prompt.parse(asked, labels)
    for label in labels:  # a label that is spelled out means itself
        with suppress(BadConfig):
            (thing, *_) = prompt.parse(label, labels).items
            assert isinstance(thing, prompt.Item | prompt.Interpolation)


def _settings_of(cls):
    numbers = (
        st.integers() | st.floats() | st.booleans() | text | st.lists(st.integers(), max_size=2)
    )
    names = st.sampled_from([f.name for f in fields(cls)]) | text
    return st.dictionaries(names, numbers, max_size=4)


def _toml_text(value):
    """Whether TOML's integers and texts can say it."""
    import tomli_w

    try:
        return tomli_w.dumps(value)
    except (UnicodeEncodeError, ValueError):
        return None


@pytest.mark.slow
@some
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "model": _settings_of(ModelConfig),
            "training": _settings_of(config.TrainingConfig),
            "data": st.dictionaries(text, text, max_size=2),
            "other": st.integers(),
        },
    )
)
def test_any_settings_are_right_or_a_fault(tables):
    written = _toml_text(tables)
    if written is None:
        return
    path = Path(targets.file("any.toml", written.encode()))
    with suppress(SketchError):
        read = config.read_toml(path)
        ModelConfig.from_dict(read.get("model", {}))
        config.TrainingConfig.from_dict(read.get("training", {}))


@some
@given(anything)
def test_any_text_is_settings_or_a_fault(content):
    path = Path(targets.file("any.toml", content.encode("utf-8", "surrogatepass")))
    with suppress(SketchError):
        config.read_toml(path)


@some
@given(anything | st.from_regex(r"[0-9.dhms]{1,8}", fullmatch=True))
def test_any_text_is_a_time_or_a_fault(written):
    with suppress(BadConfig):
        seconds = config.parse_duration(written)
        assert seconds > 0
        assert math.isfinite(seconds)


@few
@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=6),
    st.floats(0, 1e6),
    st.integers(0, 10**6),
)
def test_metrics_are_read_as_they_were_told(steps, loss, cut):
    run = targets.folder() / "told"
    run.mkdir(exist_ok=True)
    (run / log.FILE_NAME).unlink(missing_ok=True)
    for step in steps:
        log.append(run, log.Metrics(step, "train", loss, loss, 0.0, 1e-3, 0.5, 9.0, 1.0))
    assert [record["step"] for record in log.read(run)] == steps
    log.truncate(run, cut)
    assert [record["step"] for record in log.read(run)] == [step for step in steps if step <= cut]


# the whole command line


def _commands():
    table = commands.options()

    def of(name):
        word = st.sampled_from(table[name]) | st.lists(anything, min_size=1, max_size=1)
        return st.lists(word, max_size=6).map(
            lambda parts: [name, *(w for part in parts for w in part)]
        )

    return st.sampled_from(sorted(table)).flatmap(of)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=QUIET)
@given(_commands())
def test_any_command_is_done_or_tells_what_is_wrong(words):
    data = json.dumps(words).encode()
    with suppress(targets.NoInput):
        targets.command_line(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    "data", [*commands.seeds()], ids=lambda data: " ".join(json.loads(data))[:60]
)
def test_the_commands_that_chance_begins_with_work(data, tmp_path):
    words = json.loads(data)
    place = commands.Place(tmp_path)
    with commands.inside(place.work):
        ended = commands.call(words, stdin=(place.kept / "d.ndjson").read_bytes())
    assert ended.code == 0, ended.stderr


LONG = "a" * 300
NAMES = [
    ["inspect", LONG], ["inspect", f"{LONG}.npz"], ["sample", "-m", LONG],
    ["export", "-m", LONG, "-o", "o.npz"], ["sample", "--complete", f"{LONG}.ndjson"],
    ["sample", "--latents", LONG], ["sample", "-o", f"{LONG}.svg"],
    ["encode", "d.ndjson", "-o", f"{LONG}.npz"], ["animate", "d.ndjson", "-o", f"{LONG}.gif"],
    ["inspect", "d.ndjson", "--grid", f"{LONG}.png"],
    ["inspect", "run", "--evaluate", f"{LONG}.npz"], ["preprocess", f"{LONG}.npz", "-o", "o.npz"],
    ["preprocess", "d.ndjson", "-o", f"{LONG}.npz"], ["encode", "--fit", "d.ndjson", "-m", LONG],
    ["inspect", "folder/" + LONG + "/x.bin"],
]  # fmt: skip


@pytest.mark.parametrize("words", NAMES, ids=lambda words: " ".join(words).replace(LONG, "LONG"))
def test_a_name_that_is_too_long_is_told(words):
    place = targets.place()
    with commands.inside(place.work):
        ended = commands.call(words)
    place.repair()
    assert ended.code == 1
    commands.check(ended)
    assert LONG in ended.stderr


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is closed to root"
)
def test_a_folder_that_may_not_be_looked_into_is_told(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    for words in (["inspect"], ["sample", "-m"], ["export", "-o"]):
        commands.check(commands.call([*words, str(tmp_path / "closed" / "x.npz")]))


def test_a_command_that_breaks_is_seen(monkeypatch):
    for fault in (KeyError("planted"), MemoryError()):

        def broken(*_: object, fault=fault) -> None:
            raise fault

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "load", broken)
            with pytest.raises(type(fault)):
                targets.command_line(b'["export", "-o", "o.html"]')
    ended = commands.Ended(1, b"", "error: a\nerror: b\n")
    for bad in (
        ended,
        ended._replace(stderr=""),
        ended._replace(code=3, stderr=""),
        ended._replace(code=0),
    ):
        with pytest.raises(AssertionError):
            commands.check(bad)
    commands.check(ended._replace(stderr="warning: w\nerror: a\n"))
