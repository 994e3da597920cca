"""A registry in a thread, with images made on the spot: enough of the distribution API to pull from, and to fail."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def tar(files: Mapping[str, bytes | str | None], owners: Mapping[str, int] | None = None) -> bytes:
    """Bytes are files (executable below bin/), a text is a symbolic link to it, None a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.uid = info.gid = (owners or {}).get(name, 0)
            info.mode = 0o755 if content is None or name.startswith("bin/") else 0o644
            if content is None:
                info.type = tarfile.DIRTYPE
                info.mode = 0o1777 if name == "tmp" else 0o755
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return buffer.getvalue()


def busybox_layer() -> bytes:
    """A root file system that has a shell."""
    commands = "sh sleep cat echo id env pwd true false kill mount touch ls head dd stty tty mkdir unshare chown"
    files: dict[str, bytes | str | None] = dict.fromkeys(("bin", "etc", "tmp", "proc", "sys", "dev", "srv"))
    files["bin/busybox"] = Path("/bin/busybox").read_bytes()
    files |= {f"bin/{command}": "/bin/busybox" for command in commands.split()}
    files["etc/passwd"] = b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/srv:/bin/sh\n"
    files["etc/group"] = b"root:x:0:\nweb:x:1000:\nextra:x:1001:web\n"
    return tar(files)


class TinyRegistry:
    """`url` names it; what is asked is noted in `asked`; `broken` has paths that fail once, and how."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.asked: list[str] = []
        self.starts: dict[str, list[int]] = {}  # of blobs, where each answer began
        self.broken: dict[str, str] = {}
        self.gate = threading.Event()  # blobs wait for it
        self.gate.set()
        self.blob_asked = threading.Event()
        self.user: tuple[str, str] | None = None
        self.token = ""  # set: bearer authentication, handed out for the user
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"localhost:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    def blob(self, content: bytes) -> dict[str, Any]:
        self.blobs[digest(content)] = content
        return {"digest": digest(content), "size": len(content)}

    def image(self, repository: str, tag: str, layers: list[bytes], config: Mapping[str, Any] | None = None) -> str:
        """Make an image of uncompressed layers; its digest."""
        described = [{"mediaType": LAYER, **self.blob(gzip.compress(layer, 1, mtime=0))} for layer in layers]
        return self.manifest(repository, tag, described, [digest(layer) for layer in layers], config or {})

    def manifest(
        self,
        repository: str,
        tag: str,
        layers: list[dict[str, Any]],
        diff_ids: list[str],
        config: Mapping[str, Any],
        architecture: str = "amd64",
    ) -> str:
        file = {
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
        described = {"mediaType": CONFIG, **self.blob(json.dumps(file).encode())}
        body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": layers}
        return self.put(repository, tag, MANIFEST, json.dumps(body).encode())

    def put(self, repository: str, tag: str, media_type: str, content: bytes) -> str:
        self.manifests[repository, tag] = (media_type, content)
        self.manifests[repository, digest(content)] = (media_type, content)
        return digest(content)

    def index(self, repository: str, tag: str, entries: Mapping[str, str]) -> str:
        """`entries`: architecture → digest of a manifest."""
        described = [
            {
                "mediaType": MANIFEST,
                "digest": name,
                "size": len(self.manifests[repository, name][1]),
                "platform": {"os": "linux", "architecture": architecture},
            }
            for architecture, name in entries.items()
        ]
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": described}
        return self.put(repository, tag, INDEX, json.dumps(body).encode())

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        self.asked.append(path)
        if path == "/token":
            self._token(request)
        elif not self._let_in(request):
            self._refuse(request)
        else:
            self._content(request, path)

    def _let_in(self, request: BaseHTTPRequestHandler) -> bool:
        if self.user is None:
            return True
        given = request.headers.get("Authorization", "")
        return given == (f"Bearer {self.token}" if self.token else self._basic())

    def _basic(self) -> str:
        assert self.user is not None
        return "Basic " + base64.b64encode(":".join(self.user).encode()).decode()

    def _refuse(self, request: BaseHTTPRequestHandler) -> None:
        bearer = f'Bearer realm="http://{self.host}/token",service="tiny"'
        headers = {"WWW-Authenticate": bearer if self.token else 'Basic realm="tiny"'}
        self._send(request, 401, b'{"errors":[{"code":"UNAUTHORIZED","message":"not you"}]}', headers)

    def _token(self, request: BaseHTTPRequestHandler) -> None:
        if request.headers.get("Authorization", "") != self._basic():
            self._send(request, 401, b"{}", {})
        else:
            self._send(request, 200, json.dumps({"token": self.token}).encode(), {})

    def _content(self, request: BaseHTTPRequestHandler, path: str) -> None:
        repository, kind, name = path.removeprefix("/v2/").rsplit("/", 2)
        how = self.broken.pop(path, "")
        if how.isdigit():
            self._send(request, int(how), b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}', {})
            return
        if kind == "manifests" and (repository, name) in self.manifests:
            media_type, content = self.manifests[repository, name]
            self._send(request, 200, content, {"Content-Type": media_type})
        elif kind == "blobs" and name in self.blobs:
            self.blob_asked.set()
            self.gate.wait(30)
            self._blob(request, name, how)
        else:
            self._send(request, 404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}', {})

    def _blob(self, request: BaseHTTPRequestHandler, name: str, how: str) -> None:
        wanted = request.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.starts.setdefault(name, []).append(start)
        body = self.blobs[name][start:]
        if how == "cut":  # half of it, and the connection ends
            request.send_response(200)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body[: len(body) // 2])
            request.close_connection = True
            return
        if how == "flip":
            body = bytes([body[0] ^ 255]) + body[1:]
        self._send(request, 206 if wanted else 200, body, {"Content-Type": "application/octet-stream"})

    def _send(self, request: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)
