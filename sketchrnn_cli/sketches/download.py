"""Quick, Draw! drawings by name: ``quickdraw:cat`` becomes a file in the user's cache folder.

A word is looked up among Google's 345 before anything is asked of the disk or the network. In the
folder, ``cat.ndjson`` is whole and checked, and ``cat.json`` keeps its sum. A server may cut, lie
about lengths, redirect or send something else: that never makes a wrong file.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import md5
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sketchrnn_cli import __version__
from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.files import (
    CACHE_VARIABLE,
    cache_folder,
    open_output,
    reading,
    replacing,
    writing,
)
from sketchrnn_cli.locks import exclusive
from sketchrnn_cli.sketches.words import QUICKDRAW, closest, fold, visible

if TYPE_CHECKING:
    from email.message import Message
    from http.client import HTTPMessage, HTTPResponse

PREFIX = "quickdraw:"
ADDRESS = "https://storage.googleapis.com/quickdraw_dataset/full/simplified"  # of Google's README
LICENCE = "Quick, Draw! drawings by Google, CC BY 4.0"
ADDRESS_VARIABLE = "SKETCHRNN_QUICKDRAW_URL"
MAX_LINE = 1 << 20  # bytes
MAX_SIZE = 1 << 30  # bytes; a word has some 70 million on average
PIECE = 1 << 18  # bytes
TIMEOUT = 10.0  # seconds in which something must come
ATTEMPTS = 4
PAUSE = 0.5  # seconds before the second attempt; doubles from one to the next
LONGEST_WAIT = 30.0  # seconds that a server may ask us to wait
POLL = 0.2  # seconds between two looks at what another process downloads

Say = Callable[[str], None]
Progress = Callable[[str, int, "int | None"], None]  # word, bytes there, bytes in all

_FOLDED = {fold(word): word for word in QUICKDRAW}


class _Wrong(BadFile):
    """A file that is not, or not all of, the drawings of a word."""


class _Broken(Exception):
    """An attempt that failed in a way that another may not."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait  # seconds, asked for by the server


def is_name(source: str) -> bool:
    """Whether a source is a word of Quick, Draw! and not a file."""
    return source[: len(PREFIX)].lower() == PREFIX


def word_of(source: str) -> str:
    """The word that a name means, as Google spells it: case, hyphens and underscores are alike.

    Raises:
        BadFile: it is none of the 345.
    """
    asked = source[len(PREFIX) :]
    if word := _FOLDED.get(fold(asked)):
        return word
    shown = _shown(visible(asked), 40)
    if not shown:
        raise BadFile(f'{PREFIX} names no word; give one, like {PREFIX}cat or {PREFIX}"ice cream"')
    if shown in ("*", "all"):
        raise BadFile(
            f"{PREFIX}{shown}: all {len(QUICKDRAW)} words are over 20 GB; name those you want, "
            f"like {PREFIX}cat {PREFIX}dog"
        )
    near = closest(shown, QUICKDRAW) or closest(shown, QUICKDRAW, alike=0)
    raise BadFile(
        f"{PREFIX}{shown}: not one of the {len(QUICKDRAW)} words of Quick, Draw!; close to it are "
        f"{', '.join(near)}"
    )


def named(sources: list[str]) -> list[str]:
    """The same sources, the names among them as Google spells them.

    Raises:
        BadFile: a name that is none of the 345 words.
    """
    return [PREFIX + word_of(source) if is_name(source) else source for source in sources]


def folder() -> Path:
    """Where downloads are kept, in the cache folder."""
    return cache_folder() / "quickdraw"


def local(
    sources: list[str],
    *,
    address: str | None = None,
    offline: bool = False,
    say: Say = lambda text: None,
    note: Say = lambda text: None,
    progress: Progress = lambda *much: None,
) -> list[str]:
    """The same sources, with a file for every name; downloaded unless it is in the cache.

    Args:
        sources: files and the like, which stay as they are, and ``quickdraw:`` names.
        address: the folder of WORD.ndjson files, http or https; None: SKETCHRNN_QUICKDRAW_URL, or
            Google's bucket. The cache does not tell mirrors apart.
        offline: take what is in the cache.
        say: called with what a person should know: whose drawings they are, what was damaged.
        note: called with what passes: attempts that failed, waiting for another process.
        progress: called with how much of a word is there, now and then.

    Raises:
        BadFile: a name that is none of the 345 words, or not in the cache, offline; a server that
            does not have it or sends something else; a folder that is not writable.
        BadConfig: an address that is none.
    """
    words = {source: word_of(source) for source in sources if is_name(source)}
    if not words:
        return sources
    base, place = _base(address), folder()
    files = {word: place / f"{word}.ndjson" for word in words.values()}
    credited = False
    for word, path in files.items():
        fault = _fault(path, word)
        if fault is None:
            continue
        if offline:
            raise BadFile(
                f"{PREFIX}{word}: {fault}, and --offline asks nobody; run it once without, or put "
                f"Google's {path.name} into {place}"
            )
        if path.exists():
            say(f"{PREFIX}{word}: {fault}; downloading it again")
        with writing(f"{path} ({CACHE_VARIABLE} can name another folder)"):
            place.mkdir(parents=True, exist_ok=True)
        with _alone(path, note):
            if _fault(path, word) is not None:  # else another process was quicker
                _download(word, base, path, note, progress)
                if not credited:
                    say(LICENCE)
                credited = True
    return [str(files[words[source]]) if source in words else source for source in sources]


def _base(address: str | None) -> str:
    base = _check_address(address or os.environ.get(ADDRESS_VARIABLE) or ADDRESS)
    if "?" in base or "#" in base:
        raise BadConfig(f"{base}: give the address of a folder, without ? and #")
    return base.rstrip("/")


def _check_address(address: str) -> str:
    """An address to ask, as it came.

    Raises:
        BadConfig: it is not http or https, names no host, or holds a password.
    """
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
        sound = parts.scheme.lower() in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not re.fullmatch(r"[\x21-\x3f\x41-\x7e]+", address):
        shown = _shown(re.sub("//[^/]*@", "//", address))
        raise BadConfig(f"{shown}: not an address; give one like https://host/folder")
    return address


# the cache


def _record(path: Path) -> Path:
    """What keeps the MD5 of a file beside it."""
    return path.with_suffix(".json")


def _fault(path: Path, word: str) -> str | None:
    """Why a file of the cache cannot be used; None: it can.

    Raises:
        BadFile: it cannot be read.
    """
    if not path.exists():
        return "not in the cache"
    try:
        expected = json.loads(_record(path).read_bytes())["md5"]
    except (OSError, ValueError, KeyError, TypeError):
        expected = None  # put there by hand
    with reading(path), path.open("rb") as stream:
        pieces = iter(lambda: stream.read(PIECE), b"")
        try:
            for _ in _checked(pieces, word, str(path), md5(usedforsecurity=False), expected):
                pass
        except _Wrong:
            return "damaged in the cache"
    return None


@contextlib.contextmanager
def _alone(path: Path, note: Say) -> Iterator[None]:
    """Be the only process that downloads a file; wait while another does."""
    with contextlib.ExitStack() as stack:
        for attempt in itertools.count():
            try:
                stack.enter_context(exclusive(path))
                break
            except BadFile:
                if attempt == 0:
                    note(f"another process is downloading {path.name}; waiting for it")
                time.sleep(POLL)
        yield


def _checked(
    pieces: Iterable[bytes], word: str, where: str, digest: Any, expected: object
) -> Iterator[bytes]:
    """The pieces of a file as they come; both ends and the sum of it are looked at.

    Args:
        pieces: of the whole file.
        word: what it is of.
        where: what it is called in messages.
        digest: a hash, which is that of the whole in the end.
        expected: its hex digits, if they are known.

    Raises:
        _Wrong: it cannot be the drawings of this word, or not all of them.
    """
    head: bytes | None = b""  # None: looked at
    tail = b""
    for piece in pieces:
        digest.update(piece)
        tail = (tail + piece)[-MAX_LINE:]
        if head is not None:
            head += piece
            if b"\n" in head.lstrip() or len(head) > MAX_LINE:
                _check_drawing(head.lstrip().split(b"\n", 1)[0], word, where)
                head = None
        yield piece
    if not tail:
        raise _Wrong(f"{where}: an empty file")
    if head is not None:
        _check_drawing(head.strip(), word, where)
    last = tail.rstrip().rsplit(b"\n", 1)[-1]
    _check_drawing(last, word, f"{where}: cut short or damaged: the last line")
    if expected and expected != digest.hexdigest():
        raise _Wrong(f"{where}: damaged on the way: its MD5 is not the one announced; try again")


def _check_drawing(line: bytes, word: str, where: str) -> None:
    """Refuse what is no drawing of this word.

    Raises:
        _Wrong: it says what is there instead.
    """
    import orjson

    if line.startswith(b"<"):
        raise _Wrong(f"{where}: a web page, not drawings; is there a login page on the way?")
    try:
        drawing = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise _Wrong(f"{where}: not a line of JSON") from None
    if not isinstance(drawing, dict) or not isinstance(drawing.get("drawing"), list):
        raise _Wrong(f"{where}: JSON, but not a drawing")
    if drawing.get("word") != word:
        found = _shown(visible(str(drawing.get("word"))), 40)
        raise _Wrong(f"{where}: a drawing of {found!r}, not of {word!r}")


# the transfer


def _download(word: str, base: str, path: Path, note: Say, progress: Progress) -> None:
    """Download a file, check it, and give it its name."""
    from urllib.parse import quote

    address = f"{base}/{quote(word)}.ndjson"
    where = f"{PREFIX}{word}: {address}"
    digest = md5(usedforsecurity=False)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _ask(address, where) as answer, replacing(path) as stream:
                digest = md5(usedforsecurity=False)
                pieces = _pieces(answer, word, where, progress)
                for piece in _checked(pieces, word, where, digest, _announced(answer.headers)):
                    stream.write(piece)
                _record(path).unlink(missing_ok=True)
            break
        except _Broken as fault:
            if attempt == ATTEMPTS:
                raise BadFile(f"{where}: {fault}, {attempt} times; try again later") from None
            wait = max(PAUSE * 2 ** (attempt - 1), fault.wait)
            note(f"{where}: {fault}; trying again in {wait:.2g} s")
            time.sleep(wait)
    with open_output(_record(path), binary=True) as stream:
        stream.write(json.dumps({"address": address, "md5": digest.hexdigest()}).encode())


def _pieces(answer: HTTPResponse, word: str, where: str, progress: Progress) -> Iterator[bytes]:
    """What an answer brings, if it is as long as announced and not too long."""
    size = None if answer.chunked else answer.length
    answer.length = None  # read on, so that what comes beyond is seen
    came = 0
    if (size or 0) > MAX_SIZE:
        raise BadFile(f"{where}: {(size or 0) / 1e6:.1f} MB; that is too large")
    while size is None or came < size:
        with _connected(where):
            piece = answer.read1(PIECE)
        if not piece:
            break
        came += len(piece)
        if size is not None and came > size:
            raise BadFile(f"{where}: sends more than the {size:,} bytes it announces")
        if came > MAX_SIZE:
            raise BadFile(f"{where}: over {MAX_SIZE / 1e6:.1f} MB; that is too large")
        yield piece
        progress(word, came, size)
    if came < (size or 0):
        raise _Broken(f"broke off at {came / 1e6:.1f} of {(size or 0) / 1e6:.1f} MB")


def _ask(address: str, where: str) -> HTTPResponse:
    """The answer to a request, after redirects."""
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Redirects(HTTPRedirectHandler):
        def http_error_302(
            self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
        ) -> Any:
            with fp:
                return super().http_error_302(req, fp, code, msg, headers)

        http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

        def redirect_request(self, req: Request, *rest: Any) -> Request | None:
            _check_redirect(req.full_url, rest[-1])
            return super().redirect_request(req, *rest)

    try:
        with _connected(where):
            request = Request(address, headers={"User-Agent": f"sketchrnn/{__version__}"})
            answer: HTTPResponse = build_opener(Redirects).open(request, timeout=TIMEOUT)
    except BadConfig as error:
        raise BadFile(f"{where}: redirects to {error}") from None
    except HTTPError as error:
        error.close()
        raise _refusal(error.code, error.reason, error.headers, where) from None
    if answer.status != 200:
        answer.close()
        raise _refusal(answer.status, answer.reason, answer.headers, where)
    return answer


def _check_redirect(place: str, target: str) -> None:
    """Refuse to go anywhere but to http and https, and from https to http."""
    _check_address(target)
    if place.lower().startswith("https:") and not target.lower().startswith("https:"):
        raise BadConfig(f"{_shown(target)}: http in place of https, which is not safe")


@contextlib.contextmanager
def _connected(where: str) -> Iterator[None]:
    """Tell a connection that failed, and may not the next time, from one that will again."""
    from http.client import HTTPException, IncompleteRead
    from socket import gaierror
    from ssl import SSLCertVerificationError
    from urllib.error import HTTPError, URLError

    try:
        yield
    except HTTPError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, TimeoutError):
            raise _Broken(f"nothing came for {TIMEOUT:g} s") from None
        if isinstance(cause, SSLCertVerificationError):
            text = f"{where}: not to be trusted: {_shown(cause.verify_message)}"
            raise BadFile(text) from None
        if isinstance(cause, gaierror | ConnectionRefusedError):
            what = (cause.strerror or str(cause)).lower()
            raise BadFile(f"{where}: {what}; is there a connection?") from None
        if isinstance(cause, IncompleteRead | OSError):
            raise _Broken("broke off") from None
        if isinstance(cause, HTTPException):
            raise BadFile(f"{where}: no answer in HTTP: {_shown(repr(cause))}") from None
        raise BadFile(f"{where}: cannot be asked: {_shown(str(cause))}") from None


def _refusal(status: int, said: str, headers: Message, where: str) -> Exception:
    """What a status means that is not success: whether another attempt may help."""
    what = f"answers {status} {_shown(said or '')}".rstrip()
    if status in (408, 425, 429) or status >= 500:
        asked = headers.get("Retry-After", "").strip()
        wait = float(asked) if re.fullmatch(r"\d{1,9}", asked) else 0.0
        if wait > LONGEST_WAIT:
            return BadFile(f"{where}: {what} and asks for {wait:.0f} s of peace; try again then")
        return _Broken(what, wait)
    if status in (404, 410):
        return BadFile(f"{where}: not found ({status}); is that where the drawings are?")
    if status in (401, 403):
        return BadFile(f"{where}: access refused ({status})")
    return BadFile(f"{where}: {what}, not with a file")


def _announced(headers: Message) -> str:
    """The MD5 that Google's bucket announces, as hex digits."""
    from base64 import b64decode

    found = re.search(r"\bmd5=([\w+/=]+)", ",".join(headers.get_all("x-goog-hash") or []))
    try:
        return b64decode(found[1], validate=True).hex() if found else ""
    except ValueError:
        return ""


def _shown(text: str, longest: int = 80) -> str:
    """An untrusted text on one line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
