"""A small registry whose answers a test can bend: it lies, breaks off, never ends, redirects, refuses."""

import gzip
import hashlib
import json
import re
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
Rule = Callable[["Request"], Any]


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Request(BaseHTTPRequestHandler):
    """One request, and the ways to answer it."""

    protocol_version = "HTTP/1.1"
    registry: "Registry"

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def do_GET(self) -> None:
        self.registry.answer(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)

    def reply(self, status: int, body: bytes = b"", length: int | None = None, **fields: str) -> None:
        """A whole answer; `length` is what it says of its size, if not the truth."""
        self.begin(status, len(body) if length is None else length, **fields)
        if self.command != "HEAD":
            self.wfile.write(body)
            if length is not None and length != len(body):
                self.close()

    def begin(self, status: int, length: int = -1, **fields: str) -> None:
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        if length >= 0:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def error(self, status: int, code: str, message: str = "", **fields: str) -> None:
        """An answer in the form of the distribution spec."""
        body = json.dumps({"errors": [{"code": code, "message": message or code.lower().replace("_", " "), "detail": 1}]})
        self.reply(status, body.encode(), Content_Type="application/json", **fields)

    def close(self) -> None:
        """Break the connection off."""
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Registry:
    """A registry on 127.0.0.1.

    Args:
        tls: the server's side of TLS; without it there is none.

    Attributes:
        host: `127.0.0.1:PORT`. blobs: by digest. manifests: (bytes, type) by tag or digest. asked: `METHOD path` of each request;
        headers: its header fields. rules: tried first; (pattern of `METHOD path`, what answers instead).
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.rules: list[tuple[str, Rule]] = []
        self.uploads: dict[str, bytes] = {}
        handler = type("Bound", (Request,), {"registry": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def when(self, pattern: str, rule: Rule) -> None:
        """Let `rule` answer what fits `pattern`."""
        self.rules.append((pattern, rule))

    def count(self, pattern: str) -> int:
        """How many requests fitted."""
        return sum(re.search(pattern, text) is not None for text in self.asked)

    # content

    def add(self, data: bytes) -> dict[str, Any]:
        """A blob; its digest and size."""
        self.blobs[digest(data)] = data
        return {"digest": digest(data), "size": len(data)}

    def add_manifest(self, document: Any, tag: str = "", media_type: str = MANIFEST) -> dict[str, Any]:
        """A manifest or index, also under `tag`; its descriptor."""
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.manifests[digest(data)] = (data, media_type)
        if tag:
            self.manifests[tag] = (data, media_type)
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    def image(
        self, layers: Sequence[bytes], tag: str = "", pack: Callable[[bytes], bytes] = gzip.compress, **config: Any
    ) -> dict[str, Any]:
        """An image of these tars; its descriptor."""
        document = self.document(layers, pack, **config)
        return self.add_manifest(document, tag)

    def document(
        self, layers: Sequence[bytes], pack: Callable[[bytes], bytes] = gzip.compress, **config: Any
    ) -> dict[str, Any]:
        """The manifest of an image whose blobs are there."""
        rootfs = {"type": "layers", "diff_ids": list(map(digest, layers))}
        made = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs, **config}
        blobs = [{"mediaType": LAYER, **self.add(pack(layer))} for layer in layers]
        own = {"mediaType": CONFIG, **self.add(json.dumps(made).encode())}
        return {"schemaVersion": 2, "mediaType": MANIFEST, "config": own, "layers": blobs}

    # answers

    def answer(self, request: Request) -> None:
        request.path = re.sub(r"^http://[^/]+", "", request.path)  # as a proxy's client writes it
        text = f"{request.command} {request.path}"
        self.asked.append(text)
        self.headers.append(dict(request.headers.items()))
        for pattern, rule in self.rules:
            if re.search(pattern, text):
                return rule(request)
        return self.honest(request)

    def honest(self, request: Request) -> None:
        """What a good registry answers."""
        path, _, query = request.path.partition("?")
        body = self._body(request)
        if "/blobs/uploads/" in path:
            return self._upload(request, path, dict(urllib.parse.parse_qsl(query)), body)
        if match := re.fullmatch(r"/v2/.+/manifests/([^/]+)", path):
            if request.command == "PUT":
                self.add_manifest(body, match[1], request.headers["Content-Type"])
                return request.reply(201, Docker_Content_Digest=digest(body))
            if match[1] not in self.manifests:
                return request.error(404, "MANIFEST_UNKNOWN")
            data, media_type = self.manifests[match[1]]
            return request.reply(200, data, Content_Type=media_type, Docker_Content_Digest=digest(data))
        if match := re.fullmatch(r"/v2/.+/blobs/(sha256:[0-9a-f]+)", path):
            return self.blob(request, match[1])
        if path.endswith("/tags/list"):
            tags = [name for name in self.manifests if not name.startswith("sha256:")]
            return request.reply(200, json.dumps({"tags": tags}).encode(), Content_Type="application/json")
        return request.reply(200 if path == "/v2/" else 404, b"{}")

    def blob(self, request: Request, name: str) -> None:
        if name not in self.blobs:
            return request.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        data = self.blobs[name]
        start = int((request.headers.get("Range") or "bytes=0-")[6:].rstrip("-"))
        if start:
            span = f"bytes {start}-{len(data) - 1}/{len(data)}"
            return request.reply(206, data[start:], Content_Range=span)
        return request.reply(200, data)

    def _body(self, request: Request) -> bytes:
        if request.headers.get("Transfer-Encoding") == "chunked":
            pieces = []
            while size := int(request.rfile.readline().split(b";")[0], 16):
                pieces.append(request.rfile.read(size))
                request.rfile.readline()
            request.rfile.readline()
            return b"".join(pieces)
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))

    def _upload(self, request: Request, path: str, query: dict[str, str], body: bytes) -> None:
        if request.command == "POST":
            name = str(len(self.uploads))
            self.uploads[name] = b""
            return request.reply(202, Location=f"{path}{name}?state=1")
        name = path.rpartition("/")[2]
        here = self.uploads[name] = self.uploads[name] + body
        if request.command == "PUT":
            if digest(here) != query["digest"]:
                return request.error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
            self.add(here)
            return request.reply(201, Docker_Content_Digest=query["digest"])
        status = 204 if request.command == "GET" else 202
        return request.reply(status, Location=f"{path}?state=2", Range=f"0-{max(len(here) - 1, 0)}")
