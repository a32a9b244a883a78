"""What is fuzzed: every reader, as a function of bytes that may raise SketchError and no more.

Each takes its bytes through public functions of the package, and looks at what it gets: all that
is read must be finite, and can be written.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import pickle
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import commands
import datafiles
import mutators
import networks
import numpy as np
from mutators import Mutator

from sketchrnn_cli.drawing.style import Style
from sketchrnn_cli.drawing.svg import to_svg
from sketchrnn_cli.errors import SketchError
from sketchrnn_cli.inference import prompt as prompts
from sketchrnn_cli.inference import request
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.inference.settings import Settings
from sketchrnn_cli.model import checkpoint, sketch_rnn_js, tensor_file
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.model.load import open_model
from sketchrnn_cli.sketches import build as building
from sketchrnn_cli.sketches import corpus, formats, labels, statistics
from sketchrnn_cli.sketches.block import to_moves
from sketchrnn_cli.sketches.formats import archive, ndjson, pickled_arrays, sketch_rnn
from sketchrnn_cli.sketches.formats import latents as latent_files
from sketchrnn_cli.sketches.formats.svg import path as svg_path
from sketchrnn_cli.sketches.preparation import prepare_like
from sketchrnn_cli.sketches.sketch import Sketch, from_polylines
from sketchrnn_cli.sketches.words import closest, fold, forms, visible
from sketchrnn_cli.training import config as training_config
from sketchrnn_cli.training import metrics as log
from sketchrnn_cli.training import state

MOST = 2000  # drawings of a file that are looked at
LONGEST = 4000  # bytes of plain inputs


class NoInput(Exception):
    """Bytes that stand for nothing here; not counted."""


class Target(NamedTuple):
    """One reader."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    mutate: Mutator
    tokens: tuple[bytes, ...] = ()
    share: float = 1.0  # of the executions of a campaign
    longest: int = LONGEST  # bytes


@cache
def folder() -> Path:
    """Where inputs are written, gone when the process ends."""
    import atexit

    made = Path(tempfile.mkdtemp(prefix="fuzz-"))
    owner = os.getpid()
    atexit.register(lambda: owner == os.getpid() and shutil.rmtree(made, ignore_errors=True))
    return made


def file(name: str, data: bytes) -> str:
    """A file with this content; a new one each time, for one may be mapped."""
    path = folder() / name
    try:
        path.unlink(missing_ok=True)
    except PermissionError:  # one that is mapped stays, on Windows
        path = Path(tempfile.mkdtemp(dir=folder())) / name
    path.write_bytes(data)
    return str(path)


def look(sketch: Sketch) -> None:
    """A drawing that was read."""
    for stroke in sketch.strokes:
        assert stroke.shape[0] >= 1, "an empty stroke"
        assert np.isfinite(stroke).all(), "a point that is not finite"
    ndjson.to_line(sketch)  # its word and fields are text


def drawings(path: str) -> list[Sketch]:
    """All drawings of a file, read in every way there is.

    Raises:
        SketchError: it cannot be read.
    """
    faults: list[str] = []
    fault: SketchError | None = None
    try:
        strict = _first(formats.read_sketches(path))
    except SketchError as error:
        fault = error
    skipping = _first(formats.read_sketches(path, on_error="skip", skipped=faults.append))
    for sketch in skipping:
        look(sketch)
    if fault is not None:
        assert os.path.basename(path) in str(fault), f"an error that names no file: {fault}"
        raise fault
    assert not faults, f"a fault where there was none: {faults[0]}"
    assert len(strict) == len(skipping), "other drawings when faulty ones are skipped"
    return strict


def _first(sketches: Any) -> list[Sketch]:
    return [sketch for _, sketch in zip(range(MOST), sketches, strict=False)]


def blocks(path: str) -> None:
    """The same in blocks, and what ``inspect`` counts in them."""
    notes: list[str] = []
    read = formats.read_all([path], formats.ReadOptions(skipped=notes.append, note=notes.append))
    found, examples = statistics.of_blocks(read, n_examples=3, seed=0)
    facts = found.to_dict()
    assert facts["n_sketches"] >= 0
    for example in examples:
        look(example)


# drawings


def read_npz(data: bytes) -> None:
    path = file("x.npz", data)
    drawings(path)
    blocks(path)
    for block in formats.read_blocks(formats.expand([path])):
        moves = to_moves(block)
        assert np.isfinite(moves).all(), "a move that is not finite"


def read_pickle(data: bytes) -> None:
    n = 0
    for batch in pickled_arrays.items(lambda: io.BytesIO(data), "x"):
        for item in batch:
            n += 1
            assert isinstance(item.data, bytes)


def read_npy_header(data: bytes) -> None:
    descr, fortran, shape = archive.read_header(io.BytesIO(data), "x")
    info = zipfile.ZipInfo("x")
    str(archive.Member("x", descr, fortran, shape, info, lambda: io.BytesIO(data), "x.npy"))


def read_ndjson(data: bytes) -> None:
    path = file("x.ndjson", data)
    _same_both_ways(path)


def read_ndjson_gz(data: bytes) -> None:
    path = file("x.ndjson.gz", data)
    drawings(path)
    blocks(path)


def _same_both_ways(path: str) -> None:
    """One by one and in blocks the same drawings are read, or none."""
    fault: SketchError | None = None
    one_by_one: list[Sketch] = []
    together: list[Sketch] = []
    try:
        one_by_one = drawings(path)
    except SketchError as error:
        fault = error
    try:
        for block in formats.read_all([path], formats.ReadOptions(extras=True)):
            together += [block.sketch(i) for i in range(len(block))]
    except SketchError:
        assert fault is not None, "a fault in blocks alone"
    else:
        assert fault is None, f"no fault in blocks, but: {fault}"
        assert len(one_by_one) == len(together) or len(together) > MOST, "other drawings in blocks"
        for a, b in zip(one_by_one, together, strict=False):
            assert a.word == b.word, "another word in blocks"
            assert np.array_equal(a.points(), b.points()), "other points in blocks"
            assert a.extras.keys() == b.extras.keys(), "other fields in blocks"
    if fault is not None:
        raise fault
    blocks(path)


def read_bin(data: bytes) -> None:
    path = file("x.bin", data)
    drawings(path)
    blocks(path)


def read_csv(data: bytes) -> None:
    _same_both_ways(file("x.csv", data))


def read_whiteboard(data: bytes) -> None:
    _same_both_ways(file("x.tldr" if b"records" in data else "x.excalidraw", data))


def read_inkml(data: bytes) -> None:
    _same_both_ways(file("x.inkml", data))


def read_pipe(data: bytes) -> None:
    """Of any format: it is known by its first bytes."""
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(data), "utf-8")
    try:
        for sketch in _first(formats.read_sketches("-", on_error="skip")):
            look(sketch)
    finally:
        sys.stdin = before


def read_labels(data: bytes) -> None:
    found = labels.read(file("x.txt", data))
    assert found
    for number, name in found.items():
        assert number.isdecimal()
        assert isinstance(name, str)


def read_npy(data: bytes) -> None:
    path = file("x.npy", data)
    drawings(path)
    blocks(path)


def read_svg(data: bytes) -> None:
    path = file("x.svg", data)
    for sketch in drawings(path)[:20]:
        prepare_like(sketch, _preparation())
    blocks(path)


def _preparation() -> dict[str, Any]:
    """How a model's drawings were made."""
    return {"fit": True, "simplified": True, "epsilon": 2.0, "max_points": 250, "min_points": 1,
            "clip": 1000.0, "box": 255.0, "from_origin": False}  # fmt: skip


def read_svg_path(data: bytes) -> None:
    for nodes in svg_path.parse(data.decode("utf-8", "replace"), room=2000)[0]:
        straight = np.isnan(nodes)
        assert not straight[::3].any(), "a node that is not finite"
        assert np.isfinite(nodes[~straight]).all(), "a node that is not finite"


def read_packed(data: bytes) -> None:
    path = file("x.npz", data)
    assert isinstance(corpus.is_packed(path), bool)
    opened = corpus.Corpus.open(path)
    statistics.of_corpus(opened, n_examples=3, seed=0)
    for split in corpus.SPLITS:
        opened.split_hash(split)
    for block in opened.blocks():
        assert np.isfinite(block.points).all()
    for i in range(min(len(opened), 20)):
        look(opened.sketch(i))


# models


@cache
def _small(*, encoder: bool = True, n_words: int = 0, n_mixtures: int = 2) -> checkpoint.Checkpoint:
    words = ("cat", "dog", "ice cream")[: max(n_words, 1)]
    return networks.tiny(
        encoder=encoder,
        decoder_size=3,
        encoder_size=2,
        latent_size=2,
        n_mixtures=n_mixtures,
        n_words=n_words,
        words=words,
        preparation=_preparation(),
        training={"step": 20, "counts": [3] * len(words), "valid": {"loss": 2.5}},
    )


CAT = from_polylines([[[20, 90], [10, 20], [60, 60]], [[70, 110]]], "cat")


def use(model: checkpoint.Checkpoint) -> None:
    """Draw with a model, and go on from a drawing."""
    if sum(array.size for array in model.weights.values()) > 1 << 20:
        return
    network = Engine(model)
    settings = Settings(max_points=4)
    for sketch in request.draw(network, request.unconditional(1), settings):
        look(sketch)
    begun = request.from_prefixes(model, [CAT])
    for sketch in request.draw(network, begun, settings):
        look(sketch)
    if model.words and (model.config.n_words or len(model.words) == 1):
        request.parse(model, f"2 {model.words[0]}", "x", strict=False)
    assert sum(model.counts) >= 0


def read_model(data: bytes) -> None:
    use(checkpoint.load(file("x.safetensors", data)))


def read_browser_model(data: bytes) -> None:
    found = open_model(file("x.gen.json", data))
    use(found)
    again, _ = sketch_rnn_js.file_of(found)
    assert again


def read_state(data: bytes) -> None:
    found = state.from_bytes(data, Path("x.safetensors"))
    assert isinstance(found.progress, state.Progress)
    state.to_bytes(found.progress, found.arrays)


def inspect_model(data: bytes) -> None:
    path = file("x.safetensors", data)
    for words in (
        ["inspect", path],
        ["inspect", path, "--json"],
        ["sample", "--list-words", "-m", path],
    ):
        commands.check(commands.call(words))


def inspect_run(data: bytes) -> None:
    """metrics.jsonl, as ``inspect`` and ``train --resume`` read it."""
    run = folder() / "run"
    if not run.is_dir():
        run.mkdir()
        checkpoint.save(run / "model.safetensors", _small())
    (run / "metrics.jsonl").write_bytes(data)
    for record in log.read(run):
        assert isinstance(record, dict)
    log.truncate(run, 40)
    (run / "metrics.jsonl").write_bytes(data)
    commands.check(commands.call(["inspect", str(run)]))
    commands.check(commands.call(["inspect", str(run), "--json"]))


def plot_run(data: bytes) -> None:
    """The same as a picture of its losses."""
    run = folder() / "plotted"
    run.mkdir(exist_ok=True)
    (run / "metrics.jsonl").write_bytes(data)
    checkpoint.save(run / "model.safetensors", _small())
    words = ["inspect", str(run), "--plot", str(folder() / "loss.png")]
    commands.check(commands.call(words))


# text


def read_toml(data: bytes) -> None:
    path = Path(file("x.toml", data))
    tables = training_config.read_toml(path)
    model = ModelConfig.from_dict(tables.get("model", {}))
    training = training_config.TrainingConfig.from_dict(tables.get("training", {}))
    training.last_step(10)
    data_table = tables.get("data", {})
    if not data_table:
        path.write_bytes(training_config.to_toml(model, training, {}))
        again = training_config.read_toml(path)
        assert ModelConfig.from_dict(again["model"]) == model
        assert training_config.TrainingConfig.from_dict(again["training"]) == training


def read_duration(data: bytes) -> None:
    seconds = training_config.parse_duration(data.decode("utf-8", "replace"))
    assert seconds > 0


LABELS = (
    "cat", "dog", "ice cream", "salt and pepper", "t-shirt", "The Eiffel Tower", "cup", "3", "ǅ",
    "naïve", "flip flops", "mouse", "clock", "draw",
)  # fmt: skip


def read_prompt(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    words, _, rest = text.rpartition("\x1e")  # a model's own words may come before
    labels = tuple(words.split("\x1d"))[:50] if words else LABELS
    for strict in (False, True):
        found = prompts.parse(rest, labels, strict=strict)
        for thing in found.items:
            stops = [thing] if isinstance(thing, prompts.Item) else thing.stops
            for stop in stops:
                assert all(label in labels for label, _ in stop.parts), "a word of no label"
                assert abs(sum(share for _, share in stop.parts) - 1) < 1e-9, (
                    "shares that are not 1"
                )
            assert thing.count is None or 1 <= thing.count <= prompts.MAX_COUNT
        assert all(word.isprintable() for word in found.ignored), "what is ignored is not printable"


def read_words(data: bytes) -> None:
    lines = data.decode("utf-8", "replace").split("\n")[:20]
    for line in lines:
        folded = fold(line)
        assert fold(folded) == folded, "folding twice changes something"
        assert forms(line)[0] == folded
        visible(line)
    closest(lines[0], lines)


def read_latents(data: bytes) -> None:
    path = file("z.npz", data)
    found = latent_files.read(path)
    assert np.isfinite(found.mu).all(), "a latent that is not finite"
    stream = io.BytesIO()
    datafiles.write_latents(stream, found)
    again = latent_files.read(file("z2.npz", stream.getvalue()))
    assert np.array_equal(again.mu, found.mu)
    with suppress(SketchError):
        request.from_latents(_small(), found, frames=2)


def complete(data: bytes) -> None:
    """Drawings of the page or of anybody, to be completed."""
    path = file("page.ndjson", data)
    model = _small()
    begun = request.from_prefixes(model, formats.read_sketches(path))
    if 0 < begun.n <= 4:
        settings = Settings(max_points=300)
        if all(len(p) <= 290 for p in begun.prefixes or []):
            for sketch in request.draw(Engine(model), begun, settings):
                look(sketch)


@cache
def place() -> commands.Place:
    """Where commands are run."""
    return commands.Place(folder() / "place")


def command_line(data: bytes) -> None:
    words = commands.words_of(data)
    if words is None or words[:1] == ["train"]:
        raise NoInput
    commands.run_words(place(), words)


def train_command(data: bytes) -> None:
    words = commands.words_of(data)
    if words is None or words[:1] != ["train"]:
        raise NoInput
    commands.run_words(place(), words)


# seeds, made by the package itself


def _npz_seeds() -> list[bytes]:
    made = []
    few = datafiles.stroke3(3)
    dense = np.zeros((2, 4, 3), np.int16)
    dense[:, :3] = [[3, 4, 0], [5, 6, 1], [1, 0, 0]]
    five = np.zeros((2, 3, 5), np.float32)
    five[:, :2, 2], five[:, 2, 4] = 1, 1
    for protocol, arrays in (
        (2, {"train": few, "valid": few[:1], "test": few[:1]}),
        (3, {"sketches": [m.astype(np.float64) for m in few]}),
        (4, {"x": few}),
        (3, {"train": dense, "test": dense.astype(np.float16)}),
        (3, {"sketches": five}),
        (3, {"arr_0": dense[0, :, :2], "arr_1": dense[0, :1, :2].astype(float)}),
        (3, {"x": np.asfortranarray(dense.astype(np.float64)), "note": np.zeros(3)}),
    ):
        made.append(_bytes_of(lambda p, a=arrays, n=protocol: datafiles.write_npz(p, n, **a)))
    made.append(_bytes_of(_python2))
    stream = io.BytesIO()
    sketch_rnn.write_sketches(stream, [CAT, CAT], 2)
    return [*made, stream.getvalue(), *_packed_seeds()[:1]]


def _python2(path: Path) -> None:
    payload = datafiles.python2(pickle.dumps(datafiles.objects(datafiles.stroke3(2)), protocol=3))
    datafiles.write_zip(path, train=datafiles.member(payload, 2))


def _bytes_of(write: Callable[[Path], Any]) -> bytes:
    path = folder() / "seed.npz"
    write(path)
    return path.read_bytes()


def _member_seeds() -> list[bytes]:
    found = []
    for data in _npz_seeds():
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found += [archive.read(name) for name in archive.namelist()]
    return found


def _pickle_seeds() -> list[bytes]:
    found = [
        one[10 + int.from_bytes(one[8:10], "little") :]
        for one in _member_seeds()
        if b"|O" in one[:90]
    ]
    return [
        *found,
        *(pickle.dumps(datafiles.objects(datafiles.stroke3(2)), protocol=p) for p in (2, 4, 5)),
    ]


def _ndjson_seeds() -> list[bytes]:
    cat = datafiles.QUICKDRAW
    raw = b'{"word":"cat","drawing":[[[0.5,90.25,30],[3,9.5,200],[0,16,40]],[[4],[5],[90]]]}\n'
    pairs = b'{"drawing":[[[0,1],[2,3],[4,5],[6,7]],[[9,9]]],"word":"dog"}\n'
    page = ndjson.to_line(CAT.with_extras(page=1, seed=7, finished=True, log_likelihood=-12.5))
    return [
        cat,
        cat + raw,
        raw * 2,
        pairs + cat,
        b"\xef\xbb\xbf" + cat + b"\r\n\n" + pairs,
        page * 2,
        b'{"drawing":[]}',
    ]


def _loose_seeds() -> list[bytes]:
    """JSON that is not exactly Google's line."""
    cat = datafiles.QUICKDRAW.strip()
    points = b'[[{"x":1,"y":2,"t":0},{"x":3,"y":4,"t":9}],[{"x":5,"y":6,"t":20}]]'
    columns = b'{"x":[[1,2],[3]],"y":[[4,5],[6]],"time":[[0,9],[20]]}'
    return [
        b"[" + cat + b",\n" + cat + b"]",
        json.dumps(json.loads(cat), indent=1).encode() * 2,
        cat + cat + b"\xef\xbb\xbf" + cat,
        cat.decode().encode("utf-16"),
        b'{"word":3,"recognized":"True","drawing":' + points + b"}",
        b'{"label":"a","strokes":' + columns + b"}",
        b'{"drawing":[[[1,2,0,0.5],[3,4,16,0.5],[5,6,32,0.1],[7,8,48,1],[9,9,60,1]]]}',
        b'{"drawing":{"strokes":[{"points":[[1,2],[3,4]]}]}}',
        json.dumps({"drawing": "[[[1,2],[3,4]]]"}).encode(),
        b'{"n":{"data":[' + cat + b"," + cat + b"]}}",
        b'{"Label":["a"],"lines":[[[1,2,0,0.5,7],[3,4,9,0.5,7]]],"title":"b"}',
        b'{"class_id":3.0,"x":["1","2.5"],"y":["3","4"],"t":["0","9"]}',
        json.dumps('{"drawing":[[[1,2],[3,4]]]}').encode(),
    ]


def _csv_seeds() -> list[bytes]:
    return [
        b'countrycode,drawing,recognized,word\nUS,"[[[0,100,255],[0,50,0]]]",True,cat\n' * 1,
        b'word;drawing\r\n"a ""b""";"[[[0,9],[5,6]]]"\r\n;[]\r\n',
        b'sep=;\rword;Drawing\r3.0;"[[[0,9],[5,6]]]"\r\xef\xbb\xbfword;Drawing\r',
    ]


def _whiteboard_seeds() -> list[bytes]:
    line = {"type": "line", "x": 1, "y": 2, "width": 9, "height": 9, "points": [[0, 0], [9, 9]]}
    props = {"segments": [{"points": [{"x": 0, "y": 0}, {"x": 3, "y": 4}]}]}
    shape = {"typeName": "shape", "type": "draw", "x": 1, "y": 2, "index": "a1", "props": props}
    said = {"drawing": 0, "word": "cat"}
    box = {**shape, "type": "geo", "props": {"geo": "ellipse", "w": 9, "h": 4}, "rotation": 1}
    return [
        json.dumps({"elements": [line, {**line, "type": "ellipse", "angle": 1.5}]}).encode(),
        json.dumps({"records": [shape, box]}).encode(),
        json.dumps({"type": "excalidraw", "elements": [line | {"customData": said}]}).encode(),
        json.dumps({"libraryItems": [{"name": "a", "elements": [line | {"opacity": 0}]}]}).encode(),
        json.dumps({"library": [[line | {"strokeColor": "#ffffff"}], [line]]}).encode(),
        json.dumps({"store": {"a": shape | {"id": "g", "type": "group", "parentId": "p"},
                              "records": shape | {"parentId": "g"}}}).encode(),
    ]  # fmt: skip


def _inkml_seeds() -> list[bytes]:
    return [
        b'<ink xmlns="http://www.w3.org/2003/InkML"><channel name="X"/><channel name="Y"/>'
        b'<channel name="T"/><annotation type="truth">a</annotation>'
        b"<trace>0 0 0, 9 9 16</trace><trace>1.5 2e1 40</trace></ink>",
        b"<ink><trace>0 0, 9 9, 20 3</trace></ink>",
        b'<ink><traceFormat><channel name="Y" orientation="-ve"/><channel name="X"/></traceFormat>'
        b'<trace type="penUp">0 0</trace><trace>1-2</trace><trace continuation="end">5 6</trace>'
        b"</ink>",
    ]


def _label_seeds() -> list[bytes]:
    return [
        b"cat\ndog\n", b"0 cat\n1 dog\n", b'["cat","dog"]', b'{"0":"cat","1":"dog"}',
        b"id,name\n0,cat\n1,dog\n", b"names:\n '0': cat\n '1': dog\n", b"cat\t0\ndog\t1\n",
        b'{"cat":0,"dog":1}', b'{"features":{"label":{"names":["cat","dog"]}}}',
    ]  # fmt: skip


def _pipe_seeds() -> list[bytes]:
    others = [*_csv_seeds(), *_whiteboard_seeds(), *_inkml_seeds(), *_npy_seeds()]
    return [*others, *_svg_seeds(), *_ndjson_seeds()]


def _npy_seeds() -> list[bytes]:
    return [seed for seed in _member_seeds() if seed[:6] == b"\x93NUMPY"]


def _bin_seeds() -> list[bytes]:
    record = b"\1\0\0\0\0\0\0\0US\1\0\0\0\1\2\0\3\0\0\x20\xff\0\x40\xff\1\0\7\7"
    return [record, record * 3, gzip.compress(record * 2, mtime=0)]


def _svg_seeds() -> list[bytes]:
    ours = to_svg([CAT, CAT], Style()).encode()
    theirs = b"""<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
  width="2in" height="50%" viewBox="0 0 200 100">
<style>.a{fill:none;stroke:#000} #b{opacity:0} /* c */ @media x{path{fill:red}}</style>
<defs><symbol id="s" viewBox="0 0 9 9"><circle r="4"/></symbol>
<path id="p" d="M1 2l3-4.5.5e1z"/></defs>
<g transform="translate(3,4) rotate(45 1 2) scale(2) skewX(3)" class="a">
<path d="M0 0C1 2 3 4 5 6S7 8 9 9Q1 1 2 2T3 3A4 5 6 1 0 7 8a1 1 0 01.5.5H3V4z" style="fill:red"/>
<rect x="1" y="2" width="30" height="4" rx="2"/><ellipse cx="5" cy="5" rx="3" ry="1"/>
<line x1="1" x2="9" y2="3"/><polyline points="1,2 3,4 5 6"/><polygon points="0 0 5 5 1 9"/>
<text>a</text></g><use xlink:href="#s" x="3" width="50" height="20"/><use href="#p"/>
<switch><g systemLanguage="de"/><a><circle r="2"/></a></switch>
<svg x="5" y="5" width="20" height="20" viewBox="0 0 5 5" preserveAspectRatio="xMinYMax slice">
<circle r="2"/></svg></svg>"""
    edited = b"""<!DOCTYPE svg [<!ENTITY ns "http://ns.adobe.com/x/">]>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="&ns;" width="9cm" height="9cm" i:k="1">
<style>#g &gt; path.a.b, svg g line{display:none;transform-origin:50% 9px}</style>
<style>@import url(a); @media screen{.k{fill:none!important}} @media print{g{display:none}}</style>
<clipPath id="c" transform="scale(2)"><path d="M1 1h30v9h-30z" transform="rotate(90)"/></clipPath>
<g id="g" clip-path="url(#c)" transform="rotate(.25turn) translate(1mm,2%)">
<rect width="9cm" height="9cm" fill="#eee"/><path stroke="#eee" d="M1 1" style="scale:2"/>
<path stroke="hsl(0,0%,100%)" d="M-9 5H90C1 1 NaN"/></g><g mask="url(#c)"><path d="M0 0L9 9z5"/></g>
<svg width="9" height="9" overflow="visible"><path d="M0 0L5 5L900 3"/></svg></svg>"""
    plain_ = b'<svg><path fill="none" stroke="red" d="M0 0L5 5"/></svg>'
    return [ours, theirs, edited, plain_, gzip.compress(plain_, mtime=0)]


def _path_seeds() -> list[bytes]:
    return [
        b"M0 0L5 5", b"m1 2l3-4.5.5e1z", b"M0 0C1 2 3 4 5 6S7 8 9 9Q1 1 2 2T3 3zm1 1",
        b"M10 80A4 5 6 1 0 7 8a1 1 0 01.5.5a9,9,45,11,3,3", b"M0,0H3V4h-1v-2z M5 5 6 6 7 7",
        b"M1e3 1E-3z", b"none", b"M0 0A1 1 0 0 0 1e-200 0",
    ]  # fmt: skip


@cache
def _packed_seeds() -> list[bytes]:
    made = []
    source, out = folder() / "seed.ndjson", folder() / "packed.npz"
    lines = datafiles.QUICKDRAW * 2 + datafiles.QUICKDRAW.replace(b"cat", b"dog")
    raw = b'{"word":"cat","drawing":[[[0.5,90.25,30],[3,9.5,200]]]}\n'
    for text, options in (
        (lines, building.BuildOptions(threads=1)),
        (raw * 3, building.BuildOptions(threads=1, fit=False, simplify=False)),
    ):
        source.write_bytes(text)
        building.build([str(source)], out, options)
        made.append(out.read_bytes())
    return made


def _model_seeds() -> list[bytes]:
    models = [_small(), _small(encoder=False), _small(n_words=3)]
    made = [checkpoint.file_of(model) for model in models]
    with_latents = _small(n_words=2)
    shapes = checkpoint.latent_shapes(with_latents.config, 2, 1)
    more = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    whole = checkpoint.Checkpoint(
        config=with_latents.config,
        weights=with_latents.weights | more,
        scale_factor=20.0,
        words=with_latents.words,
    )
    double = {name: array.astype(np.float64) for name, array in models[1].weights.items()}
    metadata = json.loads(made[1][8 : 8 + int.from_bytes(made[1][:8], "little")])["__metadata__"]
    metadata.pop("checksum", None)
    made.append(tensor_file.to_bytes(double, metadata))
    made += [checkpoint.file_of(whole, numbers=kind) for kind in ("float32", "int8")]
    return [*made, checkpoint.file_of(models[0], numbers="float16")]


def _browser_seeds() -> list[bytes]:
    return [sketch_rnn_js.file_of(_small(encoder=e, n_mixtures=20))[0] for e in (True, False)]


def _browser(data: bytes, rng: Any, raw: mutators.Raw) -> bytes:
    """What the file says of itself, or one array, its base64 right; or anything."""
    kind = rng.randrange(4)
    try:
        info, dims, blobs = json.loads(data)
        if kind <= 1:
            info = mutators.tree(info, rng, raw)
        elif kind == 2:
            k = rng.randrange(len(blobs))
            numbers = bytearray(base64.b64decode(blobs[k], validate=True))
            for _ in range(1 + rng.randrange(4)):
                numbers[rng.randrange(len(numbers))] = rng.choice((0, 1, 127, 128, 255))
            blobs[k] = base64.b64encode(numbers).decode()
        else:
            return mutators.json_text(data, rng, raw)
        return json.dumps([info, dims, blobs]).encode()
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return mutators.json_text(data, rng, raw)


def _state_seeds() -> list[bytes]:
    arrays = {
        "model.a": np.ones((2, 3), np.float32),
        "mean.a": np.zeros((2, 3)),
        "square.a": np.zeros(0),
    }
    return [state.to_bytes(state.Progress(step=40, best_loss=2.5), arrays)]


def _seal_state(header: dict[str, Any], data: bytes) -> None:
    """Give a state the checksum of what it holds."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if not isinstance(metadata := header.get("__metadata__"), dict):
        return
    text = json.dumps(header).encode()
    with suppress(SafetensorError, ValueError, KeyError, TypeError):
        arrays = load(len(text).to_bytes(8, "little") + text + data)
        metadata["checksum"] = tensor_file.checksum(arrays, metadata)


def _seal_model(header: dict[str, Any], data: bytes) -> None:
    """Leave a checksum of a model out."""
    if isinstance(metadata := header.get("__metadata__"), dict):
        metadata.pop("checksum", None)


def _latent_seeds() -> list[bytes]:
    made = []
    for values in (
        {
            "mu": np.ones((2, 2), np.float32),
            "sigma": np.ones((2, 2), np.float32),
            "words": np.array(["cat", ""]),
        },
        {"z": np.asfortranarray(np.ones((3, 2)))},
    ):
        stream = io.BytesIO()
        np.savez_compressed(stream, **values)
        made.append(stream.getvalue())
    return [*made, b'{"z":[0.5,1],"sigma":[1,1],"word":"cat"}\n\n{"z":[1e9,-2],"sigma":[0,1]}\n']


def _latents(data: bytes, rng: Any, raw: mutators.Raw) -> bytes:
    change = mutators.zipped({}) if data[:2] == b"PK" else mutators.json_lines
    return change(data, rng, raw)


def _gzip_or(inside: Mutator) -> Mutator:
    packed = mutators.gzipped(inside)
    return lambda data, rng, raw: (packed if data[:2] == b"\x1f\x8b" else inside)(data, rng, raw)


def _log_seeds() -> list[bytes]:
    line = (
        b'{"step":20,"split":"train","loss":2.5,"l_r":2.0,"l_kl":0.5,"learning_rate":0.001,"kl_weight":0.5,'
        b'"sketches_per_second":90.0,"seconds":3.5}\n'
    )
    return [line, line + line.replace(b"train", b"valid"), line * 3 + line[:40], b""]


def _toml_seeds() -> list[bytes]:
    whole = training_config.to_toml(
        ModelConfig(), training_config.TrainingConfig(), {"sources": ["a.npz"], "words": ["cat"]}
    )
    return [
        whole,
        b"[model]\nencoder = false\ndecoder_size = 1_6\n[training]\nsteps = 0x10\nkl_weight = 1e-3",
    ]


PROMPT_TOKENS = (
    "cat", "dogs", "ice cream", "three", "21", "a pair of", "two dozen", "half", " and ", ", ",
    " -> ", " + ", ":0.5", ":50%", " not ", "\x1e", "\x1d", "1,000", "½", "ﬁ", "²", "\u200d", "’",
    "–", "½ cat", "hundred", "thousand", "-3", "1e9", ":1e-400", "salt and pepper", "\n",
)  # fmt: skip


def _prompt_seeds() -> list[bytes]:
    texts = [
        "cat", "three cats", "cat, dog", "cat:0.7 + dog:30%", "3 cat -> dog -> t-shirt",
        "a pair of flip-flops", "draw me two dozen ice creams, please",
        "salt and pepper & the eiffel tower", "21cats", "a\x1db c\x1d1 2\x1ea + 2 b c",
        "half a dozen mice",
    ]  # fmt: skip
    return [text.encode() for text in texts]


SVG_TOKENS = (
    b"<g>", b"</g>", b"<use href='#p'/>", b"<!ENTITY a 'b'>", b"<![CDATA[", b"<?x y?>",
    b"data-word=\"a\"", b"data-drawings=\"1\"", b"transform=\"matrix(1 0 0 1 1e9 0)\"",
    b"display:none", b"&#0;", b"&lt;", b"1e-200", b"1e999", b"100%", b"encoding=\"utf-16\"",
    b"encoding=\"x\"", b"<svg>", b"A1 1 0 0 0 1e-170 0",
)  # fmt: skip


def _about(data: bytes, rng: Any, raw: mutators.Raw) -> bytes:
    """The description of a packed set, its header in step."""
    size = int.from_bytes(data[8:10], "little")
    text = mutators.json_text(data[10 + size :], rng, raw)
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.frombuffer(text, np.uint8), allow_pickle=False)
    return stream.getvalue()


_ABOUT: dict[str, Mutator] = {"about.npy": _about}

TARGETS: dict[str, Target] = {
    "npz": Target(read_npz, _npz_seeds, mutators.zipped({}), longest=1 << 16),
    "pickle": Target(read_pickle, _pickle_seeds, mutators.pickled, share=4),
    "npy-header": Target(read_npy_header, _member_seeds, mutators.npy, share=4),
    "ndjson": Target(read_ndjson, _ndjson_seeds, mutators.json_lines, share=2),
    "ndjson-gz": Target(
        read_ndjson_gz,
        lambda: [gzip.compress(seed, mtime=0) for seed in _ndjson_seeds()],
        mutators.gzipped(mutators.json_lines),
    ),
    "json": Target(read_ndjson, _loose_seeds, mutators.text, share=2),
    "csv": Target(read_csv, _csv_seeds, mutators.text),
    "whiteboard": Target(read_whiteboard, _whiteboard_seeds, mutators.json_text),
    "inkml": Target(read_inkml, _inkml_seeds, mutators.text),
    "labels": Target(read_labels, _label_seeds, mutators.text),
    "pipe": Target(read_pipe, _pipe_seeds, mutators.text),
    "npy": Target(read_npy, _npy_seeds, mutators.npy, longest=1 << 15),
    "bin": Target(read_bin, _bin_seeds, _gzip_or(mutators.quickdraw_bin), share=2),
    "svg": Target(read_svg, _svg_seeds, _gzip_or(mutators.text), SVG_TOKENS, longest=1 << 13),
    "svg-path": Target(
        read_svg_path,
        _path_seeds,
        mutators.text,
        tuple(b"MmLlHhVvCcSsQqTtAaZz"[k : k + 1] for k in range(20)),
        share=6,
        longest=600,
    ),
    "packed": Target(read_packed, _packed_seeds, mutators.zipped(_ABOUT), longest=1 << 15),
    "model": Target(read_model, _model_seeds, mutators.safetensors(_seal_model), longest=1 << 15),
    "browser-model": Target(read_browser_model, _browser_seeds, _browser, longest=1 << 15),
    "state": Target(
        read_state, _state_seeds, mutators.safetensors(_seal_state), longest=1 << 13, share=2
    ),
    "inspect-model": Target(
        inspect_model, _model_seeds, mutators.safetensors(_seal_model), longest=1 << 15, share=0.2
    ),
    "metrics": Target(inspect_run, _log_seeds, mutators.json_lines, share=0.2),
    "plot": Target(plot_run, _log_seeds, mutators.json_lines, share=0.01),
    "toml": Target(read_toml, _toml_seeds, mutators.text, share=2),
    "duration": Target(
        read_duration,
        lambda: [b"90", b"1h30m", b"1.5d", b"10min"],
        mutators.text,
        share=2,
        longest=200,
    ),
    "prompt": Target(
        read_prompt,
        _prompt_seeds,
        mutators.text,
        tuple(t.encode() for t in PROMPT_TOKENS),
        share=4,
        longest=300,
    ),
    "words": Target(
        read_words,
        lambda: [b"Ice_CREAM\nice-cream", "ǅ\nİ\nﬁsh\nthe cups of tea".encode()],
        mutators.text,
        share=4,
        longest=200,
    ),
    "latents": Target(read_latents, _latent_seeds, _latents, share=2),
    "complete": Target(complete, _ndjson_seeds, mutators.json_lines, share=0.2),
    "command-line": Target(
        command_line,
        commands.seeds,
        mutators.arguments(commands.options, commands.seeds),
        share=0.02,
    ),
    "train-command": Target(
        train_command,
        commands.train_seeds,
        mutators.arguments(commands.train_options, commands.train_seeds),
        share=0.0005,
    ),
}
