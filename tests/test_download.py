"""``quickdraw:WORD``: names, the cache, and downloads from a server that misbehaves."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import socket
import string
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import warm
from hypothesis import example, given, settings
from hypothesis import strategies as st
from quickdraw_server import drawings, serving

from sketchrnn_cli.errors import BadConfig, BadFile, SketchError
from sketchrnn_cli.sketches import build as building
from sketchrnn_cli.sketches import corpus, download
from sketchrnn_cli.sketches.words import QUICKDRAW as WORDS
from sketchrnn_cli.sketches.words import fold

CAT, DOG, ICE = (drawings(word) for word in ("cat", "dog", "ice cream"))
HALF = len(CAT) // 2


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    """No pause, and few attempts."""
    monkeypatch.setattr(download, "PAUSE", 0.01)
    monkeypatch.setattr(download, "ATTEMPTS", 3)


@pytest.fixture
def impatient(monkeypatch):
    """For servers that say nothing."""
    monkeypatch.setattr(download, "TIMEOUT", 0.25)


@pytest.fixture
def server():
    with serving({"cat": CAT, "ice cream": ICE, "dog": DOG}) as one:
        yield one


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of downloads, and no proxy between."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "SKETCHRNN_QUICKDRAW_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("SKETCHRNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "quickdraw"


def get(server, *words, **options):
    names = [f"quickdraw:{word}" for word in words or ["cat"]]
    return download.local(names, address=server.address, **options)


def there(cache):
    names = [path.name for path in cache.iterdir()] if cache.is_dir() else []
    return sorted(name for name in names if not name.startswith("."))


def refused(server, cache, *says, left=(), **options):
    """It is refused in one line that says this; what is left in the cache."""
    with pytest.raises(SketchError) as caught:
        get(server, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("quickdraw:cat: ")
    for part in says:
        assert part in text
    assert there(cache) == sorted(left)
    return text


WHOLE = ("cat.json", "cat.ndjson")


# Names


def test_there_are_345_words_and_no_two_are_alike():
    assert len(WORDS) == 345
    assert len({fold(word) for word in WORDS}) == 345
    assert all(set(word) <= {*string.ascii_letters, " ", "-"} for word in WORDS)
    assert {"cat", "ice cream", "The Eiffel Tower", "t-shirt", "teddy-bear", "zigzag"} <= {*WORDS}


def test_the_words_of_real_files_are_among_them(shared_data):
    for path in (shared_data / "quickdraw" / "simplified").glob("*.ndjson.gz"):
        assert path.name.removesuffix(".ndjson.gz") in WORDS


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("quickdraw:cat", "cat"),
        ("QuickDraw: CAT ", "cat"),
        ("quickdraw:ice-cream", "ice cream"),
        ("quickdraw:Ice_Cream", "ice cream"),
        ("quickdraw:T SHIRT", "t-shirt"),
        ("quickdraw:the eiffel tower", "The Eiffel Tower"),
        ("quickdraw:ｃａｔ", "cat"),
    ],
)
def test_spellings_of_a_word_are_googles(name, word):
    assert download.word_of(name) == word
    assert download.named([name, "a.npz"]) == [f"quickdraw:{word}", "a.npz"]


def test_every_word_names_itself():
    names = [f"quickdraw:{word}" for word in WORDS]
    assert download.named(names) == names


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("quickdraw:", "names no word"),
        ("quickdraw:  ", "names no word"),
        ("quickdraw:all", "all 345 words are over 20 GB"),
        ("quickdraw:*", "all 345 words are over 20 GB"),
        ("quickdraw:kat", "not one of the 345 words of Quick, Draw!; close to it are hat, cat"),
        ("quickdraw:cats", "cat"),
        ("quickdraw:icecream", "ice cream"),
        ("quickdraw:qqqqqqqq", "close to it are"),
        ("quickdraw:cat.ndjson", "not one of"),
        ("quickdraw:../../etc/passwd", "not one of"),
        ("quickdraw:cat/../dog", "not one of"),
        ("quickdraw:cat?x=1", "not one of"),
        ("quickdraw:cat#dog", "not one of"),
        ("quickdraw:cat%2e%2e", "not one of"),
        ("quickdraw:c:\\cat", "not one of"),
        ("quickdraw:c\N{CYRILLIC SMALL LETTER A}t", "not one of"),
        ("quickdraw:cat\ndog\x1b[31m", "quickdraw:cat dog[31m: not one of"),
        ("quickdraw:" + "cat" * 50_000, "…: not one of"),
    ],
)
def test_other_names_are_refused_before_anything_is_asked(server, cache, name, says):
    with pytest.raises(BadFile) as caught:
        download.local(["quickdraw:cat", name], address=server.address)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250
    assert server.asked == []
    assert not cache.exists()


@settings(max_examples=40, deadline=None)
@given(st.text())
@example("\0cat\0")
@example("\ud800")
def test_whatever_is_asked_for_only_googles_words_come_of_it(text):
    try:
        found = download.word_of(f"quickdraw:{text}")
    except BadFile as error:
        found = str(error)
    assert found in WORDS or ("\n" not in found and found.startswith("quickdraw:"))


# The way it should go


def test_a_word_is_downloaded_once_and_its_file_is_the_servers(server, cache):
    said = []
    (path,) = get(server, say=said.append)
    assert path == str(cache / "cat.ndjson")
    assert (cache / "cat.ndjson").read_bytes() == CAT
    assert there(cache) == sorted(WHOLE)
    assert said == ["Quick, Draw! drawings by Google, CC BY 4.0"]
    assert get(server, say=said.append) == [path]
    assert len(server.asked) == len(said) == 1


def test_words_and_files_keep_their_places(server, cache):
    names = ["a.npz", "quickdraw:ice_cream", "-", "quickdraw:cat", "quickdraw:Ice Cream"]
    found = download.local(names, address=f"{server.address}/some/folder/")
    ice, cat = str(cache / "ice cream.ndjson"), str(cache / "cat.ndjson")
    assert found == ["a.npz", ice, "-", cat, ice]
    assert [path for path, _ in server.asked] == [
        "/some/folder/ice%20cream.ndjson",
        "/some/folder/cat.ndjson",
    ]


def test_files_alone_need_no_cache_and_no_server(monkeypatch):
    monkeypatch.setenv("SKETCHRNN_QUICKDRAW_URL", "nonsense")
    assert download.local(["a.npz", "-", "quickdrawn"]) == ["a.npz", "-", "quickdrawn"]


def test_the_address_may_come_from_the_environment(server, cache, monkeypatch):
    monkeypatch.setenv("SKETCHRNN_QUICKDRAW_URL", server.address)
    download.local(["quickdraw:cat"])
    assert there(cache) == sorted(WHOLE)


def test_without_an_address_it_is_googles(cache, monkeypatch):
    asked = []

    def note(address, *_, **__):
        asked.append(address)
        raise BadFile("enough")

    monkeypatch.setattr(download, "_ask", note)
    with pytest.raises(BadFile, match="enough"):
        download.local(["quickdraw:ice cream"])
    (address,) = asked
    bucket = "https://storage.googleapis.com/quickdraw_dataset/full/simplified/"
    assert address == f"{bucket}ice%20cream.ndjson"


def test_progress_grows_to_the_whole(server, cache):
    seen = []
    get(server, progress=lambda *facts: seen.append(facts))
    assert seen[-1] == ("cat", len(CAT), len(CAT))
    assert [facts[1] for facts in seen] == sorted(facts[1] for facts in seen)


@pytest.mark.parametrize(
    "lacks",
    [["ETag"], ["Last-Modified"], ["x-goog-hash"], ["ETag", "Last-Modified", "x-goog-hash"]],
)
def test_headers_that_are_not_there_are_not_needed(server, cache, lacks):
    server.headers = dict.fromkeys(lacks)
    get(server)
    assert (cache / "cat.ndjson").read_bytes() == CAT


def test_a_length_need_not_be_known(server, cache):
    server.headers = {"Content-Length": None}
    get(server)
    assert (cache / "cat.ndjson").read_bytes() == CAT

    def chunked(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        body = handler.server.files["dog"]
        for at in range(0, len(body), 1000):
            piece = body[at : at + 1000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    server.script = [chunked]
    get(server, "dog")
    assert (cache / "dog.ndjson").read_bytes() == server.files["dog"]


def test_a_proxy_of_the_environment_is_asked(server, cache, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", server.address)
    download.local(["quickdraw:cat"], address="http://quickdraw.invalid/x")
    assert server.asked[0][0] == "http://quickdraw.invalid/x/cat.ndjson"


def test_real_drawings_by_name_are_those_of_the_file(server, cache, shared_data, tmp_path):
    packed = shared_data / "quickdraw" / "simplified" / "cat.ndjson.gz"
    server.files["cat"] = gzip.decompress(packed.read_bytes())
    server.script = [("cut", 1_000_000)]
    options = building.BuildOptions(per_word=500)
    building.build(get(server), tmp_path / "name.npz", options)
    building.build([str(packed)], tmp_path / "file.npz", options)
    name, file = (corpus.Corpus.open(tmp_path / f"{kind}.npz") for kind in ("name", "file"))
    np.testing.assert_array_equal(name.hashes, file.hashes)
    np.testing.assert_array_equal(name.splits, file.splits)
    assert name.words == file.words == ("cat",)


# Cuts


def test_after_a_cut_it_is_tried_again(server, cache):
    server.script = [("cut", HALF), ("cut", 1000)]
    notes = []
    get(server, note=notes.append)
    assert (cache / "cat.ndjson").read_bytes() == CAT
    assert len(server.asked) == 3
    assert len(notes) == 2
    assert all("broke off at" in note and "trying again in" in note for note in notes)


def test_cut_too_often_is_an_error_and_nothing_is_left(server, cache):
    server.script = [("cut", 1000)] * 3
    text = refused(server, cache, "broke off at 0.0 of 0.1 MB, 3 times; try again later")
    assert f"{server.address}/cat.ndjson" in text
    get(server)
    assert (cache / "cat.ndjson").read_bytes() == CAT


OTHER = drawings("cat", n=500, seed=99)


# Stalls


def test_a_stall_is_noticed_and_it_is_tried_again(server, cache, impatient):
    server.script = [("stall", HALF)]
    get(server)
    assert (cache / "cat.ndjson").read_bytes() == CAT


def test_stalls_without_end_are_an_error(server, cache, impatient):
    server.script = [("stall", 1000)] * 3
    refused(server, cache, "nothing came for 0.25 s, 3 times")


def test_a_connection_that_says_nothing_is_a_stall(server, cache, impatient):
    server.script = [lambda handler: handler.server.over.wait(20)] * 3
    refused(server, cache, "nothing came for 0.25 s")


# Answers that are none


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
def test_a_passing_fault_is_tried_again(server, cache, status):
    server.script = [status, status]
    get(server)
    assert (cache / "cat.ndjson").read_bytes() == CAT
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_but_not_without_end(server, cache, status):
    server.script = [status] * 10
    refused(server, cache, f"answers {status}", "3 times; try again later")
    assert len(server.asked) == 3


def test_a_server_is_given_the_time_it_asks_for(server, cache, monkeypatch):
    naps = []
    monkeypatch.setattr(download.time, "sleep", naps.append)
    server.script = [("status", 429, {"Retry-After": "20"})]
    get(server)
    assert naps == [20]


@pytest.mark.parametrize("asked", ["-5", "soon", "1e99", "", "Mon, 01 Jan 1990 00:00:00 GMT"])
def test_nonsense_of_when_to_come_back_is_passed_over(server, cache, asked):
    server.script = [("status", 429, {"Retry-After": asked})]
    get(server)
    assert len(server.asked) == 2


def test_nobody_waits_for_hours(server, cache):
    server.script = [("status", 503, {"Retry-After": "3600"})]
    refused(server, cache, "answers 503", "s of peace; try again then")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (404, "not found (404)"),
        (410, "not found (410)"),
        (403, "access refused (403)"),
        (401, "access refused (401)"),
        (400, "answers 400"),
        (418, "answers 418"),
        (204, "answers 204"),
        (304, "answers 304"),
        (416, "answers 416"),
    ],
)
def test_a_refusal_is_final(server, cache, status, says):
    server.script = [status]
    refused(server, cache, says)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no answer in HTTP"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "no answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", "no answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, "no answer in HTTP"),
        (b"", "broke off"),
    ],
)
def test_what_is_not_http(server, cache, said, says):
    server.script = [("say", said)] * 3
    refused(server, cache, says)


def test_nobody_there_is_said_at_once(cache):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(BadFile, match="connection refused; is there a connection"):
            download.local(["quickdraw:cat"], address=address)
    assert there(cache) == []


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server, cache, status):
    with serving({"cat": CAT}) as other:
        server.script = [
            ("status", status, {"Location": "/else/cat.ndjson"}),
            ("status", status, {"Location": f"{other.address}/cat.ndjson"}),
        ]
        get(server)
        assert len(other.asked) == 1
    assert (cache / "cat.ndjson").read_bytes() == CAT


def test_redirects_in_a_circle_end(server, cache):
    server.script = [("status", 302, {"Location": "/cat.ndjson"})] * 50
    refused(server, cache, "answers 302", "infinite loop")
    assert len(server.asked) < 15


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/cat.ndjson",
        "data:text/plain,hello",
        "javascript:alert(1)",
        "http://[",
        "http://user:password@127.0.0.1/",
        "http://127.0.0.1:99999/",
    ],
)
def test_redirects_to_anything_but_the_web_are_not_followed(server, cache, location):
    server.script = [("status", 302, {"Location": location})]
    text = refused(server, cache)
    assert "answers 302" in text or "redirects to" in text or "cannot be asked" in text
    assert "user" not in text
    assert len(server.asked) == 1


def test_a_redirect_to_nowhere_is_one_line(server, cache):
    server.script = [302]
    refused(server, cache, "answers 302")


def test_a_redirect_from_https_to_http_is_not_followed():
    download._check_redirect("https://a/cat", "https://b/cat")
    download._check_redirect("http://a/cat", "https://b/cat")
    with pytest.raises(BadConfig, match="http://b/cat: http in place of https"):
        download._check_redirect("https://a/cat", "http://b/cat")


# Lies


@pytest.mark.parametrize(
    ("length", "lacks"),
    [
        (len(CAT) - 1, []),
        (len(CAT) - 100, []),
        (len(CAT) - 100, ["x-goog-hash"]),
        (CAT.rindex(b"\n", 0, HALF) + 1, []),
        (10, ["x-goog-hash"]),
        (0, ["x-goog-hash"]),
    ],
)
def test_a_length_that_is_too_short_is_refused(server, cache, length, lacks):
    server.headers = dict.fromkeys(lacks)
    server.script = [("headers", {"Content-Length": str(length)})]
    refused(server, cache)


def test_more_than_was_announced_is_seen_where_nothing_else_tells(server, cache):
    server.headers = {"x-goog-hash": None}
    first = CAT.index(b"\n") + 1
    server.script = [("headers", {"Content-Length": str(first)})]
    refused(server, cache, f"sends more than the {first} bytes it announces")


def test_a_length_that_is_too_long_is_a_cut(server, cache):
    server.headers = {"Content-Length": str(len(CAT) + 1)}
    server.script = []
    refused(server, cache, "broke off", "3 times")


@pytest.mark.parametrize("length", ["-5", "abc", "1e9", ""])
def test_a_length_that_is_none_is_passed_over(server, cache, length):
    server.script = [("headers", {"Content-Length": length})]
    get(server)
    assert (cache / "cat.ndjson").read_bytes() == CAT


def test_more_than_is_sensible_is_refused_before_it_comes(server, cache):
    server.script = [("headers", {"Content-Length": str(1 << 40)})]
    refused(server, cache, "1099511.6 MB; that is too large")


def test_drawings_without_end_are_refused(server, cache, monkeypatch):
    monkeypatch.setattr(download, "MAX_SIZE", 3_000_000)

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        while not handler.server.over.is_set():
            handler.wfile.write(CAT)

    server.script = [endless]
    refused(server, cache, "over 3.0 MB; that is too large")


def test_a_line_without_end_is_refused_early(server, cache):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        while not handler.server.over.is_set():
            handler.wfile.write(b"[" * 100_000)
            handler.server.n_sent += 100_000

    server.n_sent = 0
    server.script = [endless]
    refused(server, cache, "not a line of JSON")
    assert server.n_sent < 50_000_000


@pytest.mark.parametrize("ends", [b"", b"md5=", b"md5=!!!!", b"md5=AAAAAAAAAAAAAAAAAAAAAA=="])
def test_a_sum_is_checked_where_it_is_one(server, cache, ends):
    server.headers = {"x-goog-hash": ends.decode()}
    if ends.endswith(b"=="):
        refused(server, cache, "damaged on the way: its MD5")
    else:
        get(server)
        assert there(cache) == sorted(WHOLE)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html>\n<html>Log in</html>\n", "a web page, not drawings; is there a login"),
        (b"\n\n <html>", "a web page"),
        (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "a web page"),
        (b'{"error":{"code":404}}\n', "JSON, but not a drawing"),
        (b"[]\n", "JSON, but not a drawing"),
        (b"[" * 100_000, "not a line of JSON"),
        (b"\x1f\x8b\x08" + bytes(100), "not a line of JSON"),
        (b"\xff\xfe" * 100, "not a line of JSON"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not a line of JSON"),
        (drawings("dog"), "a drawing of 'dog', not of 'cat'"),
        (CAT.replace(b'"word":"cat",', b""), "a drawing of 'None', not of 'cat'"),
        (CAT + drawings("dog", 1), "the last line: a drawing of 'dog'"),
        (CAT[:-10], "cut short or damaged: the last line"),
        (CAT + b"<html>", "the last line"),
        (CAT + bytes(1000), "the last line"),
    ],
)
def test_what_is_not_the_drawings_of_the_word_is_not_kept(server, cache, body, says):
    server.headers = {"x-goog-hash": None}
    server.script = [("body", body)]
    refused(server, cache, says)


def test_a_web_page_in_place_of_the_rest_is_not_kept(server, cache):
    server.script = [("cut", HALF), ("body", b"<html>Log in</html>\n")]
    refused(server, cache, "a web page")


# The cache


def test_offline_takes_what_is_there_and_asks_nobody(server, cache):
    (path,) = get(server)
    n_asked = len(server.asked)
    assert get(server, offline=True) == [path]
    with pytest.raises(BadFile) as caught:
        get(server, "cat", "dog", offline=True)
    assert len(server.asked) == n_asked
    for part in ("quickdraw:dog: not in the cache", "--offline", "run it once without", str(cache)):
        assert part in str(caught.value)


def test_a_file_put_there_by_hand_is_taken_if_it_is_good(server, cache):
    cache.mkdir(parents=True)
    (cache / "cat.ndjson").write_bytes(CAT)
    get(server, offline=True)
    (cache / "cat.ndjson").write_bytes(CAT[:-10])
    refused(server, cache, "damaged in the cache", left=["cat.ndjson"], offline=True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1000],
        lambda data: data[: data.rindex(b"\n", 0, -1) + 1],
        lambda data: b"",
        lambda data: data.replace(b"US", b"DE", 1),
        lambda data: data + data,
        lambda data: bytes(len(data)),
    ],
)
def test_a_file_damaged_in_the_cache_is_noticed_and_got_again(server, cache, damage):
    get(server)
    (cache / "cat.ndjson").write_bytes(damage(CAT))
    refused(server, cache, "damaged in the cache", left=WHOLE, offline=True)
    said = []
    get(server, say=said.append)
    assert (cache / "cat.ndjson").read_bytes() == CAT
    assert said[0] == "quickdraw:cat: damaged in the cache; downloading it again"


def test_a_damaged_file_stays_until_there_is_a_better_one(server, cache):
    get(server)
    (cache / "cat.ndjson").write_bytes(CAT[:-1000])
    server.script = [404]
    with pytest.raises(BadFile, match="not found"):
        get(server)
    assert there(cache) == sorted(WHOLE)


@pytest.mark.parametrize("where", ["", "/quickdraw"])
def test_a_cache_that_cannot_be_written_is_one_line(server, tmp_path, monkeypatch, where):
    blocked = tmp_path / f"cache{where}"
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_bytes(b"a file where a folder should be")
    monkeypatch.setenv("SKETCHRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(BadFile) as caught:
        get(server)
    assert "(SKETCHRNN_CACHE can name another folder): cannot be" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert server.asked == []


@pytest.mark.skipif(os.name == "nt", reason="limits of a process are POSIX")
def test_a_full_disk_is_one_line_and_nothing_is_left(server, cache):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, before[1]))
    try:
        with pytest.raises(BadFile, match=r"cat\.ndjson: cannot be written: "):
            get(server)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not any(cache.iterdir())
    get(server)
    assert (cache / "cat.ndjson").read_bytes() == CAT


def test_where_the_cache_is_by_default(monkeypatch):
    monkeypatch.delenv("SKETCHRNN_CACHE", raising=False)
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
        assert str(download.folder()) == "/caches/sketchrnn/quickdraw"
    assert download.folder().parts[-1] == "quickdraw"
    assert "sketchrnn" in download.folder().parts


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc",
        "ftp://host/x",
        "host/x",
        "http://",
        "http:///x",
        "http://h:99999",
        "http://[",
        "http://h/a b",
        "http://h/a\nb",
        "http://hö/x",
        "http://user:secret@h/x",
        "http://h/x?y",
        "http://h/x#y",
    ],
)
def test_an_address_that_is_none_is_refused(cache, address):
    with pytest.raises(BadConfig) as caught:
        download.local(["quickdraw:cat"], address=address)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not cache.exists()


# Several at a time, and being stopped


def test_two_at_a_time_download_once_and_neither_spoils_it(server, cache):
    server.files["cat"] = drawings("cat", n=20_000)
    notes, found = [], []

    def work():
        found.extend(get(server, note=notes.append))

    def slowly(handler):
        handler.server.begun.set()
        handler.server.go.wait(10)
        handler.file("good", None)

    server.begun, server.go = threading.Event(), threading.Event()
    server.script = [slowly]
    threads = [threading.Thread(target=work) for _ in range(3)]
    threads[0].start()
    server.begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(notes) < 2:
        time.sleep(0.01)
    server.go.set()
    for thread in threads:
        thread.join()
    assert found == [str(cache / "cat.ndjson")] * 3
    assert (cache / "cat.ndjson").read_bytes() == server.files["cat"]
    assert len(server.asked) == 1
    assert there(cache) == sorted(WHOLE)
    assert notes == ["another process is downloading cat.ndjson; waiting for it"] * 2


CHILD = (
    "import sys; from sketchrnn_cli.cli.app import main\n"
    "sys.argv = ['sketchrnn', 'preprocess', 'quickdraw:cat', '-o', sys.argv[1]]\n"
    "main()"
)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGKILL", -9)])
def test_stopped_on_the_way_it_begins_anew_the_next_time(server, cache, tmp_path, name, code):
    server.script = [("stall", HALF)]
    out = tmp_path / "out.npz"
    environment = {**os.environ, "SKETCHRNN_QUICKDRAW_URL": server.address}
    process = warm.Popen(
        [sys.executable, "-c", CHILD, str(out)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not server.asked and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(getattr(signal, name))
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in stderr
    assert there(cache) == []
    assert not out.exists()
    get(server)
    assert not [path for path in cache.iterdir() if path.suffix == ".part"]  # of a killed one
    assert (cache / "cat.ndjson").read_bytes() == CAT


@pytest.mark.parametrize("seed", range(6))
def test_whatever_a_server_does_the_file_is_whole_or_absent(server, cache, seed):
    """Cuts, lies and faults in any order; never a wrong file, and in the end the right one."""
    rng = random.Random(seed)
    for _ in range(4):
        server.files["cat"] = rng.choice([CAT, OTHER])
        server.script = [
            rng.choice(
                [
                    ("cut", rng.randrange(len(CAT))),
                    503,
                    404,
                    ("body", CAT[: rng.randrange(len(CAT))]),
                    ("headers", {"Content-Length": str(rng.randrange(2 * len(CAT)))}),
                    ("headers", {"ETag": None, "x-goog-hash": None}),
                    ("status", 302, {"Location": "/x/cat.ndjson"}),
                    ("say", b"HTTP/1.0 200 OK\r\n\r\n" + CAT[:500]),
                ]
            )
            for _ in range(rng.randrange(5))
        ]
        try:
            get(server)
        except BadFile:
            assert there(cache) == []
        else:
            break
    server.script = []
    get(server)
    found = (cache / "cat.ndjson").read_bytes()
    whole = [data for data in (CAT, OTHER) if found == data]
    # a server that sends less without saying so, and gives its sum, has sent what it wanted to
    assert whole or (CAT.startswith(found) and json.loads(found.splitlines()[-1])["word"] == "cat")
