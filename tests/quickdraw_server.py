"""A server of Quick, Draw! files on this machine that misbehaves by a script."""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import b64encode
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


def drawings(word, n=400, seed=0):
    """NDJSON as Google's simplified files have it, about 200 bytes a drawing."""
    lines = []
    for k in range(n):
        x = [(seed + k * 7 + i * 31) % 256 for i in range(9)]
        y = [(seed + k * 13 + i * 17) % 256 for i in range(9)]
        lines.append(
            json.dumps(
                {
                    "word": word,
                    "countrycode": "US",
                    "timestamp": "2017-03-02 23:25:10.07453 UTC",
                    "recognized": k % 5 > 0,
                    "key_id": str(5201136883597312 + k),
                    "drawing": [[x, y], [[k % 256, 40], [9, 200]]],
                },
                separators=(",", ":"),
            )
        )
    return ("\n".join(lines) + "\n").encode()


class Server(ThreadingHTTPServer):
    """``files`` by word; ``script``: what the next requests get instead of a good answer.

    A step of the script is a status; ("cut", n): close after n bytes of the answer; ("stall", n):
    then say nothing; ("say", bytes): these, whatever they are; ("headers", {...}): a good answer
    but for these (None: without it); ("body", bytes): that one; a function: called with the
    handler.
    """

    daemon_threads = True
    block_on_close = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.script = []
        self.asked = []  # path and headers of every request
        self.headers = {}  # of every good answer; None: without it
        self.over = threading.Event()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server = self.server
        self.close_connection = True
        server.asked.append((self.path, dict(self.headers)))
        step = server.script.pop(0) if server.script else None
        if callable(step):
            step(self)
        elif isinstance(step, int):
            self.status(step)
        elif step and step[0] == "status":
            self.status(*step[1:])
        elif step and step[0] == "say":
            self.wfile.write(step[1])
        else:
            self.file(*(step or ("good", None)))

    def status(self, status, headers=(), body=b"<html>an error</html>"):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def file(self, how, what):
        word = unquote(urlsplit(self.path).path).rsplit("/", 1)[-1].removesuffix(".ndjson")
        body = self.server.files.get(word)
        if body is None:
            self.status(404)
            return
        if how == "body":
            body = what
        digest = hashlib.md5(body).digest()
        headers = {
            "ETag": f'"{digest.hex()}"',
            "Last-Modified": formatdate(1490000000, usegmt=True),
            "x-goog-hash": f"crc32c=AAAAAA==,md5={b64encode(digest).decode()}",
        }
        headers["Content-Length"] = str(len(body))
        headers.update(self.server.headers)
        if how == "headers":
            headers.update(what)
        self.send_response(200)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:what] if how in ("cut", "stall") else body)
        if how == "stall":
            self.wfile.flush()
            self.server.over.wait(20)


@contextmanager
def serving(files):
    """A server in a thread, gone with the block."""
    server = Server(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
