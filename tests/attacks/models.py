"""Untrusted models: safetensors, browser models, and folders that look like a run."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import networks
import numpy as np
from attack import EITHER, MODEL, RESULT, RUN, Attack

from sketchrnn_cli.model import checkpoint, tensor_file

GOOD = checkpoint.file_of(networks.tiny(encoder=False))
_SIZE = int.from_bytes(GOOD[:8], "little")
HEADER = json.loads(GOOD[8 : 8 + _SIZE])
BODY = GOOD[8 + _SIZE :]


def _whole(header: object, body: bytes = BODY) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def _changed(name: str, **changes: object) -> bytes:
    """The header with another entry for one tensor."""
    return _whole(HEADER | {name: HEADER[name] | changes})


def _meta(**changes: object) -> bytes:
    """Another metadata."""
    return _whole(HEADER | {"__metadata__": HEADER["__metadata__"] | changes})


def _config(**changes: object) -> bytes:
    old = json.loads(HEADER["__metadata__"]["config"])
    return _meta(config=json.dumps(old | changes))


FIRST = "decoder.cell.b"
LAST = max((k for k in HEADER if k != "__metadata__"), key=lambda k: HEADER[k]["data_offsets"])
A, B = HEADER[LAST]["data_offsets"]
DEEP = "[" * 100_000 + "]" * 100_000
NAN = np.full(len(BODY) // 4, np.nan, "<f4").tobytes()
HUGE = np.full(len(BODY) // 4, 3e38, "<f4").tobytes()
EMPTY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}

WHOLE = networks.tiny(n_words=2, words=("ant", "bee"))
_LATENT = checkpoint.latent_shapes(WHOLE.config, 2, 1)
WHOLE.weights.update({name: np.full(shape, 0.5, "f4") for name, shape in _LATENT.items()})
WHOLE.weights["latent.scale"][:] = np.eye(8)


def _int8(
    change: Callable[[tensor_file.Arrays], object] = lambda arrays: None,
    model: checkpoint.Checkpoint = WHOLE,
    numbers: checkpoint.Numbers = "int8",
) -> bytes:
    """A file of int8 matrices, with something changed in it and no checksum."""
    data = checkpoint.file_of(model, numbers=numbers)
    arrays, texts = tensor_file.from_bytes(data, checkpoint.KIND, name="x")
    change(arrays)
    del texts["checksum"]
    return tensor_file.to_bytes(arrays, texts)


def _scaled(value: float) -> bytes:
    """The same, with one scale of this size."""
    return _int8(lambda a: np.copyto(a[SCALE][3:4], np.float32(value)))


MATRIX, TRIANGLES = "decoder.cell.w_h", "latent.scale"
SCALE = MATRIX + ".scale"
INT8 = {
    "no attack on int8": _int8(),
    "int8 without scale": _int8(lambda a: a.pop(SCALE)),
    "int8 scale without int8": _int8(lambda a: a.update({MATRIX: a[MATRIX].astype("f4")})),
    "int8 scale short": _int8(lambda a: a.update({SCALE: a[SCALE][:-1]})),
    "int8 scale of one": _int8(lambda a: a.update({SCALE: a[SCALE][:1]})),
    "int8 scale of rows": _int8(lambda a: a.update({SCALE: np.ones(24, "f4")})),
    "int8 scale empty": _int8(lambda a: a.update({SCALE: a[SCALE][:0]})),
    "int8 scale of a square": _int8(lambda a: a.update({SCALE: np.ones((96, 96), "f4")})),
    "int8 scale float64": _int8(lambda a: a.update({SCALE: a[SCALE].astype("f8")})),
    "int8 scale int8": _int8(lambda a: a.update({SCALE: np.ones(96, "i1")})),
    "int8 scale of scale": _int8(lambda a: a.update({f"{SCALE}.scale": a[SCALE]})),
    "int8 scale NaN": _scaled(np.nan),
    "int8 scale infinite": _scaled(np.inf),
    "int8 scale below zero": _scaled(-1e-3),
    "int8 scale of 1e30": _scaled(1e30),
    "int8 scale of 1e4": _scaled(1e4),
    "int8 vector": _int8(
        lambda a: a.update({"decoder.out_b": np.ones(33, "i1"), "decoder.out_b.scale": a[SCALE]})
    ),
    "int8 bias": _int8(lambda a: a.update({"decoder.out_b": np.ones(33, "i1")})),
    "int8 of int16": _int8(lambda a: a.update({MATRIX: a[MATRIX].astype("i2")})),
    "int8 of uint8": _int8(lambda a: a.update({MATRIX: a[MATRIX].astype("u1")})),
    "int8 squares": _int8(lambda a: a.update(
        {TRIANGLES: np.ones((2, 8, 8), "i1"), f"{TRIANGLES}.scale": np.ones(8, "f4")}
    )),
    "int8 no triangles": _int8(lambda a: a.update(
        {TRIANGLES: np.ones((2, 35), "i1"), f"{TRIANGLES}.scale": np.ones(35, "f4")}
    )),
    "int8 triangles of none": _int8(lambda a: a.update(
        {TRIANGLES: np.ones((2, 0), "i1"), f"{TRIANGLES}.scale": np.ones(0, "f4")}
    )),
    "int8 triangles alone": _int8(lambda a: a.pop("latent.weight")),
    "int8 latent": _int8(lambda a: a.update({"latent": np.ones((4, 36), "i1")})),
}  # fmt: skip

KNOWING = networks.with_recogniser(networks.tiny(encoder=False, n_words=2, words=("ant", "bee")))
HIDDEN, VOCABULARY = "recogniser.hidden_w", "recogniser.words_w"


def _recogniser(change: Callable[[tensor_file.Arrays], object] = lambda arrays: None) -> bytes:
    """A model with a recogniser in which something is changed."""
    return _int8(change, KNOWING, "float16")


def _all_of(value: float) -> bytes:
    return _recogniser(lambda a: a.update(
        {name: np.full_like(w, value) for name, w in a.items() if name.startswith("recogniser.")}
    ))  # fmt: skip


RECOGNISERS = {
    "no attack on a recogniser": _recogniser(),
    "recogniser of 6e4": _all_of(59_000),
    "recogniser of 65504": _all_of(65504),
    "recogniser NaN": _all_of(np.nan),
    "recogniser infinite": _all_of(np.inf),
    "recogniser of 3 words": _recogniser(lambda a: a.update({VOCABULARY: np.ones((288, 3), "f2")})),
    "recogniser of no words": _recogniser(
        lambda a: a.update({VOCABULARY: np.ones((288, 0), "f2")})
    ),
    "recogniser turned": _recogniser(lambda a: a.update({VOCABULARY: a[VOCABULARY].T})),
    "recogniser narrow": _recogniser(lambda a: a.update({HIDDEN: a[HIDDEN][:, :7]})),
    "recogniser of integers": _recogniser(lambda a: a.update({HIDDEN: a[HIDDEN].astype("i4")})),
    "recogniser cut": _recogniser(lambda a: a.pop("recogniser.words_b")),
    "recogniser of one weight": _recogniser(
        lambda a: [a.pop(k) for k in list(a) if k.startswith("recogniser.") and k != HIDDEN]
    ),
    "recogniser and more": _recogniser(lambda a: a.update({"recogniser.x": np.ones(3, "f2")})),
    "recogniser int8": _int8(model=KNOWING),
    "recogniser int8 of 3 words": _int8(
        lambda a: a.update({f"{VOCABULARY}.scale": np.ones(3, "f4")}), KNOWING
    ),
    "recogniser int8 of 6e5": _int8(
        lambda a: np.copyto(a[f"{HIDDEN}.scale"], np.float32(5e3)), KNOWING
    ),
}

SAFETENSORS = (
    INT8
    | RECOGNISERS
    | {
        "header of 2^64": b"\xff" * 8 + GOOD[8:],
        "header of 2^63": (2**63).to_bytes(8, "little") + GOOD[8:],
        "header one too long": (len(GOOD) - 7).to_bytes(8, "little") + GOOD[8:],
        "header of nothing": bytes(8) + GOOD[8:],
        "header cut": (_SIZE - 1).to_bytes(8, "little") + GOOD[8:],
        "nothing": b"",
        "seven bytes": GOOD[:7],
        "no tensors": _whole({"__metadata__": HEADER["__metadata__"]}, b""),
        "body cut": GOOD[:-1],
        "body longer": GOOD + b"\0",
        "body of another": GOOD + GOOD,
        "header is a list": _whole(b"[1, 2]"),
        "header is text": _whole(b'{"__metadata__"'),
        "header is not UTF-8": _whole(b'{"\xff":1}'),
        "deep header": _whole(('{"a":' + DEEP + "}").encode()),
        "deep metadata": _whole(b'{"__metadata__":' * 50_000 + b"1" + b"}" * 50_000),
        "duplicate keys": _whole(b'{"a":1,' + json.dumps(HEADER).encode()[1:-1] + b',"a":2}'),
        "metadata is a list": _whole(HEADER | {"__metadata__": []}),
        "metadata is a number": _whole(HEADER | {"__metadata__": 5}),
        "metadata is null": _whole(HEADER | {"__metadata__": None}),
        "metadata of numbers": _meta(format_version=2),
        "metadata of lists": _meta(words=["blob"]),
        "no metadata": _whole({k: v for k, v in HEADER.items() if k != "__metadata__"}),
        "format": _meta(format="other"),
        "version superscript": _meta(format_version="\u00b2"),
        "version of 10,000 digits": _meta(format_version="9" * 10_000),
        "version to come": _meta(format_version="99"),
        "overlapping": _changed(LAST, data_offsets=[A - 4, B - 4]),
        "a hole": _changed(LAST, data_offsets=[A + 4, B + 4]),
        "backwards": _changed(LAST, data_offsets=[B, A]),
        "below zero": _changed(LAST, data_offsets=[-4, B]),
        "beyond": _changed(LAST, data_offsets=[A, 2**40]),
        "2^63": _changed(LAST, data_offsets=[2**63 - 4, 2**63]),
        "offsets of floats": _changed(LAST, data_offsets=[float(A), float(B)]),
        "shape of 2^62": _changed(LAST, shape=[2**62, 4]),
        "shape that wraps": _changed(LAST, shape=[2**33, 2**31, 1]),
        "shape of a million": _changed(LAST, shape=[1] * 1_000_000),
        "shape below zero": _changed(LAST, shape=[-1]),
        "shape of nothing": _changed(LAST, shape=[]),
        "dtype unknown": _changed(LAST, dtype="F99"),
        "dtype code": _changed(LAST, dtype="__import__('os').mkdir('was-run')"),
        "dtype bool": _changed(LAST, dtype="BOOL"),
        "dtype bfloat16": _changed(LAST, dtype="BF16", data_offsets=[A, B]),
        "dtype float8": _changed(LAST, dtype="F8_E4M3"),
        "many tensors": _whole(HEADER | {f"x{k}": EMPTY for k in range(40_000)}),
        "a name of escape codes": _whole(HEADER | {"\x1b[2J\nerror: x": EMPTY}),
        "a name of a megabyte": _whole(HEADER | {"x" * 1_000_000: EMPTY}),
        "a name with a way out": _whole(HEADER | {"../../x": EMPTY}),
        "not finite": _whole(HEADER, NAN),
        "config deep": _meta(config=DEEP),
        "config is a list": _meta(config="[1, 2]"),
        "config is a number": _meta(config="5"),
        "config huge": _config(decoder_size=16384),
        "config beyond": _config(decoder_size=10**18),
        "config of text": _config(decoder_size="24"),
        "config unknown": _config(__class__=1),
        "config escape codes": _config(**{"\x1b[2J\nerror: x": 1}),
        "config cell": _config(cell="os.mkdir"),
        "config infinite": _meta(config='{"decoder_size": Infinity}'),
        "words deep": _meta(words=DEEP),
        "words a number": _meta(words="5"),
        "words a surrogate": _meta(words='["\\ud800"]'),
        "words too many": _meta(words=json.dumps(["w"] * 100_000)),
        "words objects": _meta(words='[{"a": 1}, [1]]'),
        "n_max of text": _meta(n_max="x"),
        "n_max of 10,000 digits": _meta(n_max="9" * 10_000),
        "n_max of 10^18": _meta(n_max=str(10**18)),
        "n_max below zero": _meta(n_max="-5"),
        "n_max zero": _meta(n_max="0"),
        "scale nan": _meta(scale_factor="nan"),
        "scale inf": _meta(scale_factor="1e999"),
        "scale below zero": _meta(scale_factor="-1"),
        "scale of 1e308": _meta(scale_factor="1e308"),
        "scale of 1e-308": _meta(scale_factor="1e-308"),
        "preparation deep": _meta(preparation=DEEP),
        "preparation a list": _meta(preparation="[1]"),
        "preparation unknown": _meta(preparation='{"a": 1}'),
        "training deep": _meta(training=DEEP),
        "training a list": _meta(training="[1]"),
        "training odd": _meta(
            training='{"counts": "x", "step": {"a": 1}, "seed": [1], "valid": 1}'
        ),
        "training escape codes": _meta(training='{"step": "\\u001b[2J", "\\u001b": 1}'),
        "training numbers": _meta(training='{"step": 1e999, "counts": [1e999], "tanh_z": "x"}'),
        "weights of 3e38": _whole(HEADER, HUGE),
        "words of escape codes": _meta(words='["\\u001b[2J\\nerror: x\\u202e"]'),
        "no attack": GOOD,
    }
)
FINE = {
    "no attack", "no attack on int8", "int8 squares", "no attack on a recogniser",
    "recogniser of 6e4", "recogniser int8",
}  # fmt: skip
PERHAPS = {
    "duplicate keys", "config huge", "words too many", "words objects", "n_max of 10^18",
    "n_max below zero", "n_max zero", "scale of 1e308", "scale of 1e-308", "preparation unknown",
    "training odd", "training escape codes", "training numbers", "weights of 3e38",
    "words of escape codes", "dtype bfloat16", "metadata of numbers", "version superscript",
    "no tensors", "dtype bool", "metadata of lists",
}  # fmt: skip


def _blob(*shape: int) -> list[object]:
    data = base64.b64encode(np.zeros(shape, "<i2").tobytes()).decode()
    return [list(shape), data]


def _browser(info: object = None, **changes: object) -> bytes:
    """A decoder of 8 units, with one of its parts changed."""
    h = 8
    parts = [_blob(*s) for s in ((h, 123), (123,), (5, 4 * h), (h, 4 * h), (4 * h,))]
    dims, blobs = [p[0] for p in parts], [p[1] for p in parts]
    about = {"mode": 2, "version": 6, "max_seq_len": 20, "name": "bird", "scale_factor": 70.0}
    if isinstance(info, dict):
        about |= info
    whole: list[object] = [about, changes.get("dims", dims), changes.get("blobs", blobs)]
    return json.dumps(whole).encode()


BROWSER = {
    "no attack": (_browser(), RESULT),
    "deep": (b"[" * 100_000 + b"]" * 100_000, ""),
    "deep inside": (b'[{"a":' + b"[" * 900 + b"]" * 900 + b"},[],[]]", ""),
    "NaN": (_browser({"scale_factor": float("nan")}), ""),
    "Infinity": (_browser({"scale_factor": float("inf")}), ""),
    "10^400": (_browser({"scale_factor": 10**400}), ""),
    "a digit string": (b'[{"scale_factor":' + b"9" * 1_000_000 + b"},[],[]]", ""),
    "below zero": (_browser({"scale_factor": -1}), ""),
    "max_seq_len of 10^9": (_browser({"max_seq_len": 10**9}), EITHER),
    "version text": (_browser({"version": "6"}), ""),
    "a name of escape codes": (_browser({"name": "\x1b[2J\nerror: x"}), EITHER),
    "a name of a surrogate": (_browser({"name": "\ud800"}), ""),
    "a name of a megabyte": (_browser({"name": "x" * 1_000_000}), ""),
    "a name list": (_browser({"name": ["a"]}), ""),
    "shapes of 65536": (_browser(dims=[[65536, 65536]] * 5), ""),
    "shapes of 10^18": (_browser(dims=[[10**18]] * 5), ""),
    "shapes below zero": (_browser(dims=[[-1, -1]] * 5), ""),
    "shapes of floats": (_browser(dims=[[1.0]] * 5), ""),
    "shapes deep": (_browser(dims=[[[[1]]]] * 5), ""),
    "blobs of numbers": (_browser(blobs=[1, 2, 3, 4, 5]), ""),
    "blobs that are short": (_browser(blobs=["AAAA"] * 5), ""),
    "blobs of other letters": (_browser(blobs=["\u00e9\x00!"] * 5), ""),
    "no blobs": (_browser(dims=[], blobs=[]), ""),
    "an encoder": (_browser({"mode": 1}), ""),
    "mode object": (_browser({"mode": {"a": 1}}), ""),
    "preparation": (_browser({"preparation": {"fit": "x", "a": 1}}), EITHER),
    "preparation list": (_browser({"preparation": [1]}), ""),
    "not UTF-8": (_browser().replace(b"bird", b"\xff"), ""),
    "UTF-16": (_browser().decode().encode("utf-16"), EITHER),
    "cut short": (_browser()[:-100], ""),
    "nothing": (b"", ""),
    "an object": (b'{"a":1}', ""),
    "40 MB of digits": (b"[{},[],[" + b"1" * 40_000_000 + b"]]", ""),
}


def _folder(path: Path, **files: bytes) -> None:
    """A run with these files besides a good model; dots for underscores at the end."""
    path.mkdir()
    (path / "model.safetensors").write_bytes(GOOD)
    for name, data in files.items():
        target = path / name.replace("__", "/").replace("_", ".")
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)


METRICS = {
    "metrics not UTF-8": b"\xff\xfe\n" * 100,
    "metrics deep": b'{"step":' + b"[" * 5000 + b"]" * 5000 + b"}\n",
    "metrics of other things": b'1\n"a"\nnull\n[]\n{}\n{"split":[1]}\n{"split":{"a":1}}\n',
    "metrics of text": b'{"step":"x","split":"train","loss":"x","l_r":null}\n' * 3,
    "metrics of escape codes": b'{"step":"\\u001b[2J","split":"train","loss":"\\u001b[2J\\n"}\n',
    "metrics of 10^18": b'{"step":1000000000000000000,"split":"valid","loss":1e308,"l_r":1,'
    b'"l_kl":1,"learning_rate":1,"kl_weight":1,"sketches_per_second":1,"seconds":1}\n' * 2,
    "metrics of 1e999": b'{"step":1,"split":"valid","loss":1e999}\n',
    "metrics of a million lines": b"{}\n" * 1_000_000,
    "metrics of 60 MB of lists": b'{"a":[' + b"[]," * 20_000_000 + b"1]}\n",
}
PLOT = (("inspect", "{file}", "--plot", "{out}/x.png"),)
RESUME = (("train", "-o", "{out}/run", "--resume", "--steps", "2", "--quiet"),)

STATES = {
    "state nothing": b"",
    "state noise": bytes(range(256)) * 20,
    "state header of 2^64": b"\xff" * 8 + GOOD[8:],
    "state of a model": GOOD,
    "state deep": _whole(b'{"__metadata__":' * 50_000 + b"1" + b"}" * 50_000),
    "state metadata list": _whole({"__metadata__": [1]}, b""),
    "state metadata numbers": _whole(
        {"__metadata__": {"progress": 5, "checksum": 5, "format_version": "1"}}, b""
    ),
    "state header list": _whole(b"[1]"),
    "state progress deep": _whole(
        {"__metadata__": {"progress": DEEP, "checksum": "x", "format_version": "1"}}, b""
    ),
}

ATTACKS = [
    *(
        Attack(f"{name}.safetensors", data, MODEL,
               RESULT if name in FINE else EITHER if name in PERHAPS else "error")
        for name, data in SAFETENSORS.items()
    ),
    *(
        Attack(f"{name}.gen.json", data, MODEL, ends or "error")
        for name, (data, ends) in BROWSER.items()
    ),
    *(
        Attack(f"{name}/", lambda path, data=data: _folder(path, metrics_jsonl=data), RUN, EITHER)
        for name, data in METRICS.items()
    ),
    Attack("a run without a model/", lambda path: path.mkdir(), RUN),
    Attack("a run that is a link/", lambda path: path.symlink_to("/etc"), RUN),
]  # fmt: skip


PLOTTED = [
    Attack(f"plotted {name}/", lambda path, data=data: _folder(path, metrics_jsonl=data), PLOT,
           EITHER)
    for name, data in METRICS.items()
]  # fmt: skip


def _resumed(path: Path, run: Path, state: bytes | None, metrics: bytes | None) -> None:
    """A copy of a run, with another newest state or other metrics."""
    shutil.copytree(run, path)
    for saved in (path / "state").iterdir():
        if state is not None:
            saved.write_bytes(state)
    if metrics is not None:
        (path / "metrics.jsonl").write_bytes(metrics)


def of_resuming(run: Path) -> list[Attack]:
    """Attacks on ``train --resume``, made of a run of one step."""
    return [
        *(
            Attack(f"resume {name}/", lambda path, data=data: _resumed(path, run, data, None),
                   RESUME, says="state")
            for name, data in STATES.items()
        ),
        *(
            Attack(f"resume {name}/", lambda path, data=data: _resumed(path, run, None, data),
                   RESUME, EITHER)
            for name, data in METRICS.items()
        ),
    ]  # fmt: skip
