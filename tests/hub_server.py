"""As much of huggingface.co, on 127.0.0.1, as its own client asks for: one repository, me/tiny."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Keeps the files of the repository in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.private = self.gone = False
        self.lfs = False  # whether files are Git LFS's, whose sha256 the hub states
        self.served: dict[str, bytes] = {}  # what it sends in place of a file
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.get(self)

            do_HEAD = do_GET

            def do_POST(self) -> None:
                hub.post(self)

            def log_message(self, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self) -> Hub:
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def get(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        if self.gone:
            return send(request, {"error": "gone"}, 404)
        if path in (
            "/api/models/me/tiny",
            f"/api/models/me/tiny/revision/{COMMIT}",
            "/api/models/me/tiny/revision/main",
        ):
            files = [
                {"rfilename": name, "size": len(content), "blobId": blob(content), **self.large(content)}
                for name, content in self.files.items()
            ]
            return send(request, {"id": "me/tiny", "sha": COMMIT, "private": self.private, "siblings": files})
        name = path.removeprefix(f"/me/tiny/resolve/{COMMIT}/")
        if name not in self.files:
            return send(request, {"error": "not found"}, 404)
        content = self.served.get(name, self.files[name])
        return send(request, content, headers={"ETag": f'"{blob(self.files[name])}"', "X-Repo-Commit": COMMIT})

    def large(self, content: bytes) -> dict[str, object]:
        """What the hub states of a file of Git LFS."""
        sha256 = hashlib.sha256(content).hexdigest()
        return {"lfs": {"sha256": sha256, "size": len(content), "pointerSize": 1}} if self.lfs else {}

    def post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if request.path == "/api/repos/create":
            return send(request, {"url": f"{self.url}/me/tiny", "id": "me/tiny", "name": "me/tiny"})
        if "/preupload/" in request.path:
            files = [{"path": each["path"], "uploadMode": "regular"} for each in json.loads(body)["files"]]
            return send(request, {"files": [{**each, "shouldIgnore": False} for each in files]})
        if "/commit/" in request.path:
            for entry in map(json.loads, body.splitlines()):
                if entry["key"] == "file":
                    self.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
                if entry["key"] == "deletedFile":
                    del self.files[entry["value"]["path"]]
            commit = {"commitUrl": f"{self.url}/me/tiny/commit/{COMMIT}", "commitOid": COMMIT, "success": True}
            return send(request, commit)
        return send(request, {"errors": [], "warnings": []})


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def send(request: BaseHTTPRequestHandler, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request.send_response(status)
    for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(content)
