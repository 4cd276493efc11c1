"""A file server on 127.0.0.1 that misbehaves on demand."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

CONTENT = hashlib.shake_256(b"weights").digest(300_000)
OTHER = hashlib.shake_256(b"other weights").digest(310_000)

# What a test publishes in place of a model's files.
NAME = "densenet121.tv_in1k"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PREFIX = DIGEST[:8]
PAGE = b"<!DOCTYPE html><html><head><title>Google Drive - Quota\n exceeded</title></head></html>"
NOWHERE = "https://github.com/x/y (in some folder)"  # words, which no server is asked for


@dataclass(frozen=True)
class Answer:
    """What the server does with one request.

    Args:
        send: bytes of the body that it sends before it closes the connection; None: all.
        announce: how much longer than the body the Content-Length is; None: there is no Content-Length.
        ranges: "no": it ignores Range; "careless": it ignores If-Range; "shifted": it gives a range 10 bytes later.
        stall: seconds before the body's last byte.
        location: where it redirects to.
    """

    body: bytes = CONTENT
    status: int = 200
    etag: str | None = '"one"'
    send: int | None = None
    announce: int | None = 0
    ranges: str = "yes"
    stall: float = 0.0
    content_type: str = "application/octet-stream"
    location: str | None = None


@dataclass
class Server:
    """Answers one request after the other from a list, all further ones as the last.

    requests: (path, Range, If-Range) of each.
    """

    answers: Sequence[Answer] = (Answer(),)
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    def __enter__(self) -> Server:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
        asked, condition = request.headers.get("Range"), request.headers.get("If-Range")
        self.requests.append((request.path, asked, condition))
        status, start = answer.status, 0
        if (
            asked
            and status == 200
            and answer.ranges != "no"
            and (condition == answer.etag or answer.ranges == "careless")
        ):
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])  # type: ignore[index]
            start += 10 if answer.ranges == "shifted" else 0
            status = 206 if start < len(answer.body) else 416
        body = answer.body[start:]
        request.send_response(status)
        request.send_header("Content-Type", answer.content_type)
        if answer.location:
            request.send_header("Location", answer.location)
        if answer.etag:
            request.send_header("ETag", answer.etag)
        if status == 206:
            size = len(answer.body)
            request.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if answer.announce is not None:
            request.send_header("Content-Length", str(len(body) + answer.announce))
        request.end_headers()
        try:
            body = body[: answer.send]
            request.wfile.write(body[:-1])
            time.sleep(answer.stall)
            request.wfile.write(body[-1:])
        except OSError:  # the client has had enough
            pass
