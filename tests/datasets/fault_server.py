"""A real HTTP server that misbehaves as told: each request takes the next instruction of its path."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FaultServer:
    """Serves `content` at every path, spoiled by the instructions in `plans`; the last one stays in force.

    Instructions: ``ok``, ``cut N`` (close after N more bytes), ``cut-silently N`` (the same without a length),
    ``chunks-cut N`` (the same within a chunk), ``corrupt``, ``corrupt-once-resumed``, ``no-ranges``,
    ``other-range``, ``status CODE``, ``stall``, ``page``, ``redirect PATH``,
    ``gone`` (close without an answer), ``changed`` (another file under the same path).
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.plans: dict[str, list[str]] = {}
        self.requests: defaultdict[str, list[str]] = defaultdict(list)
        self.sent: defaultdict[str, int] = defaultdict(int)
        self.stopping = threading.Event()
        self.address = ""

    def url(self, path: str, *plan: str) -> str:
        self.plans["/" + path] = list(plan) or ["ok"]
        return f"{self.address}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Any
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        faults: FaultServer = self.server.faults
        plan = faults.plans.get(self.path, ["status 404"])
        told, _, number = (plan.pop(0) if len(plan) > 1 else plan[0]).partition(" ")
        faults.requests[self.path].append(self.headers.get("Range", ""))
        content = faults.content[::-1] if told == "changed" else faults.content
        tag = f'"{hashlib.sha256(content).hexdigest()[:8]}"'
        if told == "status":
            return self._plain(int(number), b"")
        if told == "page":
            return self._plain(200, b"<html>log in first</html>", "text/html; charset=utf-8")
        if told == "redirect":
            self.send_response(302)
            self.send_header("Location", number)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        if told == "gone":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        first = 0
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if span and told != "no-ranges" and self.headers.get("If-Range") == tag:
            first = int(span[1]) - (10 if told == "other-range" else 0)
        body = content[first:]
        if told == "corrupt" or (told == "corrupt-once-resumed" and first):
            body = bytes([body[0] ^ 1]) + body[1:]
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if told == "chunks-cut":
            self.send_header("Transfer-Encoding", "chunked")
        elif told != "cut-silently":
            self.send_header("Content-Length", str(len(body)))
        if told != "no-ranges":
            self.send_header("ETag", tag)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if told in ("cut", "cut-silently"):
            body = body[: int(number)]
        if told == "chunks-cut":
            self.wfile.write(b"%x\r\n" % int(number) + body[: int(number)] + b"\r\nfff\r\nend")
            return None
        if told == "stall":
            self.wfile.write(body[:1000])
            self.wfile.flush()
            self.server.faults.stopping.wait(20)
            return None
        for at in range(0, len(body), 65536):
            try:
                self.wfile.write(body[at : at + 65536])
            except OSError:
                return None
            faults.sent[self.path] += len(body[at : at + 65536])
            if number == "slowly":
                time.sleep(0.05)
        return None

    def _plain(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(content: bytes) -> Iterator[FaultServer]:
    """A server on a port of its own, for as long as the block lasts."""
    faults = FaultServer(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.faults = faults  # type: ignore[attr-defined]
    faults.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield faults
    finally:
        faults.stopping.set()
        server.shutdown()
        server.server_close()
