"""A file over HTTP into an open part file: resumed, retried, watched, and never believed.

A server may cut, stall, trickle, redirect, lie about lengths, send something else or change the
file between two attempts. What it may not do is to make us wait without end, to fill the disk, or
to get two halves of different files joined.
"""

from __future__ import annotations

import email.utils
import http.client
import re
import ssl
import threading
import time
import urllib.request
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timezone
from functools import partial
from http.client import HTTPMessage, HTTPResponse
from socket import SHUT_RDWR, gaierror, socket
from types import TracebackType
from typing import Any, BinaryIO
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit

from sketchrnn_cli import __version__
from sketchrnn_cli.errors import BadConfig, BadFile

PIECE = 1 << 18  # bytes
MAX_SIZE = 1 << 30  # bytes; a word has some 70 million on average
MAX_REDIRECTS = 5
LONGEST_WAIT = 30.0  # seconds that a server may ask us to wait
SLOWEST = 1024  # bytes a second
STRIDE = 1 << 20  # bytes; an attempt that brings as many more does not count as failed
REDIRECTS = (301, 302, 303, 307, 308)
_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")
_IN_URLS = "!#$%&'()*+,/:;=?@[]~"  # stay as they are, the rest is escaped

Progress = Callable[[int, "int | None"], None]  # bytes there, bytes in all
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to bear with a server."""

    stall: float = 10.0  # seconds in which SLOWEST bytes a second, on average, must come
    attempts: int = 4  # that bring less than STRIDE, one after the other
    pause: float = 0.5  # seconds before the second; doubles from one to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a part comes from: what it takes to go on with it, and to check it when it is whole."""

    address: str
    tag: str | None = None  # a strong ETag
    modified: str | None = None  # Last-Modified
    size: int | None = None  # bytes, of the whole
    md5: str | None = None  # hex, of the whole

    @classmethod
    def from_dict(cls, values: object) -> Origin:
        """Inverse of ``dataclasses.asdict``.

        Raises:
            ValueError: it is not.
        """
        if not isinstance(values, dict) or values.keys() != {f.name for f in fields(cls)}:
            raise ValueError("not the record of a download")
        size = values.pop("size")
        texts = (value for name, value in values.items() if value is not None or name == "address")
        if not all(isinstance(text, str) and text.isascii() for text in texts):
            raise ValueError("not the record of a download")
        if size is not None and (type(size) is not int or size < 0):
            raise ValueError("not the record of a download")
        return cls(size=size, **values)

    def continues(self, address: str) -> bool:
        """Whether a part can be gone on with; a mirror may do so by the tag of its content."""
        return self.tag is not None or (self.modified is not None and self.address == address)


class _Broken(Exception):
    """An attempt that failed in a way that another may not."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait  # seconds, asked for by the server


class _Stale(Exception):
    """The part is of another file than the server has now."""


def check_address(address: str) -> str:
    """An address to ask, as it came.

    Raises:
        BadConfig: it is not http or https, names no host, or holds a password.
    """
    try:
        parts = urlsplit(address)
        sound = bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not re.fullmatch(r"[\x21-\x7e]+", address):
        raise BadConfig(f"{_shown(address)}: not an address; give one like https://host/folder")
    if parts.scheme.lower() not in ("http", "https"):
        raise BadConfig(f"{_shown(address)}: only http and https are asked")
    if "@" in parts.netloc:
        raise BadConfig(f"an address on {parts.hostname} holds a password; give one without")
    return address


def fetch(
    address: str,
    part: BinaryIO,
    origin: Origin | None,
    *,
    where: str,
    keep: Callable[[Origin], None],
    check_start: Callable[[bytes], None],
    progress: Progress,
    note: Note,
    patience: Patience,
) -> Origin:
    """Bring a part to the whole file.

    Args:
        address: the file, http or https.
        part: what is there of it, open for reading and writing.
        origin: where that is from; None: not known, so it is begun anew.
        where: what it is called in messages.
        keep: told where the part is from before the first byte of it is written.
        check_start: given the first line, as soon as it is there; raises to refuse the file.
        progress: told how much is there, now and then.
        note: told of attempts that failed.
        patience: how long to bear with the server.

    Returns:
        Where it is from.

    Raises:
        BadFile: the server does not have it or broke off too often, and ``part`` can be gone on
            with; or it sends what cannot be it, and ``part`` is empty.
        OSError: ``part`` cannot be written.
    """
    failed, furthest, answered = 0, part.seek(0, 2), False
    while True:
        there = part.seek(0, 2)
        if origin is None or not origin.continues(address):
            there = 0
        elif there and there == origin.size:
            return origin
        attempt = _Attempt(address, part, there, origin if there else None, where, patience)
        try:
            return attempt.run(keep, check_start, progress)
        except _Stale:
            origin = None
            continue
        except _Broken as fault:
            answered = answered or attempt.answered
            origin = attempt.origin or origin
            came = part.seek(0, 2)
            failed = 1 if came >= furthest + STRIDE else failed + 1
            furthest = max(furthest, came)
            if not answered and isinstance(fault.__cause__, gaierror | ConnectionRefusedError):
                raise BadFile(f"{where}: {fault}; is there a connection?") from None
            size = origin.size if origin else None
            what = f"{fault} at {megabytes(came, size)}" if came else str(fault)
            if failed >= patience.attempts:
                goes_on = came and origin is not None and origin.continues(address)
                if not goes_on:
                    part.truncate(0)
                again = "run it again to go on from there" if goes_on else "try again later"
                raise BadFile(f"{where}: {what}, {failed} times; {again}") from None
            wait = max(patience.pause * 2 ** (failed - 1), fault.wait)
            note(f"{where}: {what}; trying again in {wait:.2g} s")
            time.sleep(wait)


def megabytes(n: int, size: int | None = None) -> str:
    """``12.0 of 80.0 MB``."""
    return f"{n / 1e6:.1f} MB" if size is None else f"{n / 1e6:.1f} of {size / 1e6:.1f} MB"


class _Watch:
    """Ends a connection over which too little comes.

    A timeout is not enough: each single byte starts it anew. So a thread looks on, and shuts
    the socket down, also while the head of the answer is being read.
    """

    def __init__(self, stall: float) -> None:
        self.stall = stall
        self.socket: socket | None = None
        self.received = 0  # bytes
        self.fired = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _look_on(self) -> None:
        before = 0
        while not self._done.wait(self.stall):
            received = self.received
            if received - before < SLOWEST * self.stall and self.socket is not None:
                self.fired = True
                try:
                    self.socket.shutdown(SHUT_RDWR)
                except OSError:  # it is not connected yet, or no more
                    self.fired = False
            before = received

    def opener(self) -> urllib.request.OpenerDirector:
        """Asks by http and https alone, through the proxies of the environment.

        It follows no redirect and raises for no status.
        """
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _Web(self),
            urllib.request.UnknownHandler(),
        ):
            opener.add_handler(handler)
        return opener


class _Web(urllib.request.AbstractHTTPHandler):
    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self.watch = watch

    def http_open(self, request: urllib.request.Request) -> HTTPResponse:
        kind: Any = partial(_watched, http.client.HTTPConnection, self.watch)
        return self.do_open(kind, request)

    def https_open(self, request: urllib.request.Request) -> HTTPResponse:
        kind: Any = partial(_watched, http.client.HTTPSConnection, self.watch)
        return self.do_open(kind, request, context=ssl.create_default_context())


def _watched(kind: Any, watch: _Watch, host: str, **settings: Any) -> Any:
    """A connection whose socket the watch knows as soon as there is one."""
    connection = kind(host, **settings)
    connect = connection.connect

    def connect_and_tell() -> None:
        connect()
        watch.socket = connection.sock

    connection.connect = connect_and_tell
    return connection


class _Attempt:
    """One request, and what comes of it."""

    def __init__(
        self,
        address: str,
        part: BinaryIO,
        there: int,
        origin: Origin | None,
        where: str,
        patience: Patience,
    ) -> None:
        self.address = address
        self.part = part
        self.there = there  # bytes that need not come again
        self.origin = origin  # of these; after an answer, of that
        self.where = where
        self.stall = patience.stall
        self.answered = False

    def run(
        self,
        keep: Callable[[Origin], None],
        check_start: Callable[[bytes], None],
        progress: Progress,
    ) -> Origin:
        """Ask, and write what comes.

        Raises:
            _Broken, _Stale, BadFile, OSError.
        """
        with _Watch(self.stall) as watch, self._ask(watch) as answer:
            found, end = self._accept(answer)
            if not self.there:
                self.part.seek(0)
                self.part.truncate()
                keep(found)
            self.origin, self.answered = found, True
            try:
                came = self._copy(answer, watch, found.size, end, check_start, progress)
            except BadFile:
                self.part.seek(0)
                self.part.truncate()
                raise
        if came < (found.size or 0):
            raise _Broken("broke off")
        return found

    def _copy(
        self,
        answer: HTTPResponse,
        watch: _Watch,
        size: int | None,
        end: int | None,
        check_start: Callable[[bytes], None],
        progress: Progress,
    ) -> int:
        """Write what comes after what is there; how much there is then."""
        came = self.part.seek(self.there)
        head: bytes | None = b"" if not came else None  # None: looked at
        for piece in self._pieces(answer, watch, None if end is None else end - came):
            came += len(piece)
            if end is not None and came > end:
                raise BadFile(f"{self.where}: sends more than the {end:,} bytes it announces")
            if came > MAX_SIZE:
                raise BadFile(f"{self.where}: over {megabytes(MAX_SIZE)}; that is too large")
            self.part.write(piece)
            self.part.flush()
            if head is not None:
                head += piece
                if b"\n" in head.lstrip() or len(head) > STRIDE:
                    check_start(head)
                    head = None
            progress(came, size)
        return came

    def _ask(self, watch: _Watch) -> HTTPResponse:
        """The answer to a request, after redirects."""
        headers = {
            "User-Agent": f"sketchrnn/{__version__}",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        if self.origin is not None:
            headers["Range"] = f"bytes={self.there}-"
            headers["If-Range"] = self.origin.tag or self.origin.modified or ""
        place, opener = self.address, watch.opener()
        for _ in range(MAX_REDIRECTS + 1):
            request = urllib.request.Request(place, headers=headers)
            try:
                answer: HTTPResponse = opener.open(request, timeout=self.stall)
            except (OSError, http.client.HTTPException) as error:
                raise self._fault(error, watch) from _cause(error)
            except ValueError as error:  # of a proxy's address, say
                raise BadFile(f"{self.where}: cannot be asked: {error}") from None
            if answer.status not in REDIRECTS:
                return answer
            with answer:
                place = self._next_place(place, answer.headers.get("Location"))
        raise BadFile(f"{self.where}: redirects without end")

    def _next_place(self, place: str, location: str | None) -> str:
        if not location:
            raise BadFile(f"{self.where}: a redirect that says not where to")
        try:
            target = quote(urljoin(place, location), safe=_IN_URLS)
            check_address(target)
        except (ValueError, BadConfig):
            shown = _shown(re.sub("//[^/]*@", "//", location))
            raise BadFile(f"{self.where}: redirects to {shown}, which is not asked") from None
        if place.lower().startswith("https:") and not target.lower().startswith("https:"):
            raise BadFile(
                f"{self.where}: redirects from https to {_shown(target)}, which is not safe"
            )
        return target

    def _accept(self, answer: HTTPResponse) -> tuple[Origin, int | None]:
        """Where the file is from, and the byte at which the answer ends, if it says so."""
        status, headers = answer.status, answer.headers
        if status not in (200, 206):
            self._refuse(status, answer)
        packed = headers.get("Content-Encoding", "identity").strip().lower()
        if packed not in ("", "identity"):
            raise BadFile(f"{self.where}: comes packed ({_shown(packed)}), which was not asked for")
        size = None if answer.chunked else answer.length
        # None: read on to the end of the connection, so that what comes beyond is seen
        answer.length = None
        found = replace(_origin(self.address, headers), size=size)
        if status == 200:
            self.there = 0  # the file has changed, or the server knows no ranges
            end = size
        elif self.origin is None:
            raise BadFile(f"{self.where}: sends a piece that was not asked for")
        else:
            found, end = self._continued(found, headers)
        if (found.size or 0) > MAX_SIZE:
            raise BadFile(f"{self.where}: {megabytes(found.size or 0)}; that is too large")
        return found, end

    def _continued(self, found: Origin, headers: HTTPMessage) -> tuple[Origin, int | None]:
        """The same for a piece that goes on where the part ends.

        Raises:
            _Stale: it is a piece of another file, or another piece.
        """
        before, found_range = (
            self.origin,
            _RANGE.fullmatch(headers.get("Content-Range", "").strip()),
        )
        if before is None or found_range is None:
            raise _Stale
        first, last, total = map(int, found_range.groups())
        length = found.size
        known = (
            (found.tag, before.tag),
            (found.modified, before.modified),
            (found.md5, before.md5),
            (total, before.size),
        )
        changed = any(a is not None and b is not None and a != b for a, b in known)
        if changed or first != self.there or not first <= last < total:
            raise _Stale
        if length is not None and length != last + 1 - first:
            raise _Stale
        return replace(before, address=self.address, size=total), last + 1

    def _refuse(self, status: int, answer: HTTPResponse) -> None:
        """Say what a status means that is not success."""
        where, reason = self.where, _shown(answer.reason or "")
        if status == 416 and self.there:
            raise _Stale
        if status in (408, 425, 429) or status >= 500:
            wait = _retry_after(answer.headers)
            what = f"answers {status} {reason}".rstrip()
            if wait > LONGEST_WAIT:
                raise BadFile(f"{where}: {what} and asks for {wait:.0f} s of peace; try again then")
            raise _Broken(what, wait)
        if status in (404, 410):
            raise BadFile(f"{where}: not found ({status}); is that where the drawings are?")
        if status in (401, 403):
            raise BadFile(f"{where}: access refused ({status})")
        raise BadFile(f"{where}: answers {status} {reason}".rstrip() + ", not with a file")

    def _pieces(self, answer: HTTPResponse, watch: _Watch, limit: int | None) -> Iterator[bytes]:
        """What comes, until the connection ends, or as many bytes as announced are there."""
        while limit is None or watch.received < limit:
            try:
                piece = answer.read1(PIECE)
            except (OSError, http.client.HTTPException) as error:
                raise self._fault(error, watch) from _cause(error)
            if not piece:
                if watch.fired:
                    raise self._fault(EOFError(), watch)
                return
            watch.received += len(piece)
            yield piece

    def _fault(self, error: Exception, watch: _Watch) -> Exception:
        """What an error of the connection means: whether another attempt may help."""
        cause = _cause(error)
        if watch.fired or isinstance(cause, TimeoutError):
            return _Broken(f"nothing, or next to nothing, came for {self.stall:g} s")
        if isinstance(cause, ssl.SSLCertVerificationError):
            return BadFile(f"{self.where}: not to be trusted: {_shown(cause.verify_message)}")
        if isinstance(cause, ConnectionRefusedError):
            return _Broken("connection refused")
        if isinstance(cause, http.client.IncompleteRead | ConnectionError | ssl.SSLError):
            return _Broken("broke off")
        if isinstance(cause, http.client.HTTPException):
            return BadFile(f"{self.where}: no answer in HTTP: {_shown(repr(cause))}")
        if isinstance(cause, OSError) and cause.errno is not None:
            return _Broken((cause.strerror or str(cause)).lower())
        return BadFile(f"{self.where}: cannot be asked: {_shown(str(cause))}")


def _cause(error: Exception) -> Exception:
    """The error behind a URLError."""
    reason = error.reason if isinstance(error, URLError) else error
    return reason if isinstance(reason, Exception) else error


def _origin(address: str, headers: HTTPMessage) -> Origin:
    """What headers say of a file; what is not well formed they do not say."""
    tag = headers.get("ETag", "").strip()
    modified = headers.get("Last-Modified", "").strip()
    digests = [
        one.strip().removeprefix("md5=")
        for line in headers.get_all("x-goog-hash") or []
        for one in line.split(",")
        if one.strip().startswith("md5=")
    ]
    try:
        md5 = b64decode(digests[0], validate=True).hex() if digests else ""
    except ValueError:
        md5 = ""
    return Origin(
        address=address,
        tag=tag if _STRONG_TAG.fullmatch(tag) else None,
        modified=modified if re.fullmatch(r"[\x20-\x7e]{1,64}", modified) else None,
        md5=md5 or None,
    )


def _retry_after(headers: HTTPMessage) -> float:
    """Seconds that a server asks to wait: a number or a date."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)
    return max((date - datetime.now(timezone.utc)).total_seconds(), 0.0)


def _shown(text: str) -> str:
    """A stranger's text on one line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= 80 else line[:79] + "…"
