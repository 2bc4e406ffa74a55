"""A daemon that answers everything a create, run or exec needs, and remembers what it was asked."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

IDENT = "0123456789abcdef" * 4


class Recorder:
    """Listens on `path`; `asked` is a list of (method, path with query, document).

    Args:
        version: API version it offers.
    """

    def __init__(self, path: str, version: str = "1.47") -> None:
        self.host = f"unix://{path}"
        self.version = version
        self.experimental = False
        self.asked: list[tuple[str, str, Any]] = []
        self.progress: list[dict[str, Any]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    more = connection.recv(65536)
                    if not more:
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                chunked = b"chunked" in head.lower()
                while chunked and not data.endswith(b"0\r\n\r\n"):
                    data += connection.recv(65536)
                data = b"" if chunked else data
                length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
                while len(data) < length:
                    data += connection.recv(65536)
                body, data = data[:length], data[length:]
                method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
                if self._answer(connection, method, target, body):
                    return

    def _answer(self, connection: socket.socket, method: str, target: str, body: bytes) -> bool:
        """Answer one request; True if the connection has been hijacked and is done."""
        if target.startswith("/v"):
            target = "/" + target.split("/", 2)[2]
            self.asked.append((method, target, json.loads(body) if body else None))
        detached = body and (json.loads(body) or {}).get("Detach")
        if "/attach" in target or (target.endswith("/start") and target.startswith("/exec/") and not detached):
            connection.sendall(b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
                               b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n")  # fmt: skip
            return True
        if target.startswith(("/images/create", "/images/load")):
            lines = "".join(json.dumps(message) + "\r\n" for message in self.progress).encode()
            head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(lines)}\r\n\r\n".encode() + lines)
            return False
        status, document = self._document(method, target)
        payload = json.dumps(document).encode() if document is not None and method != "HEAD" else b""
        head = f"HTTP/1.1 {status}\r\nApi-Version: {self.version}\r\nOstype: linux\r\nContent-Type: application/json\r\n"
        head += "Docker-Experimental: true\r\n" if self.experimental else ""
        connection.sendall(f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
        return False

    def _document(self, method: str, target: str) -> tuple[str, Any]:
        if method == "GET" and "/checkpoints" in target:
            return "200 OK", []
        if target.startswith(("/containers/create", "/networks/create", "/commit")):
            return "201 Created", {"Id": IDENT, "Warnings": []}
        if target.startswith("/volumes/create"):
            return "201 Created", {"Name": "v"}
        if target.endswith("/update"):
            return "200 OK", {"Warnings": ["w"]}
        if "/prune" in target:
            return "200 OK", {"SpaceReclaimed": 5_000_000}
        if target.endswith("/changes"):
            return "200 OK", [{"Kind": 0, "Path": "/a"}, {"Kind": 1, "Path": "/a/b"}, {"Kind": 2, "Path": "/c"}]
        if method == "GET" and target.startswith("/networks/"):
            return "200 OK", {"Name": "n", "Id": IDENT}
        if "/wait" in target:
            return "200 OK", {"StatusCode": 0}
        if target.endswith("/exec"):
            return "201 Created", {"Id": IDENT}
        if target.startswith("/exec/"):
            return "200 OK", {"ExitCode": 0, "Running": False}
        if "/json" in target and method == "GET":
            return "200 OK", {"Id": IDENT, "Config": {"Tty": False, "OpenStdin": False}, "State": {"Running": True}}
        return "204 No Content", None


@contextlib.contextmanager
def recorder(path: str, version: str = "1.47") -> Iterator[Recorder]:
    """A `Recorder`, closed at the end."""
    made = Recorder(path, version)
    try:
        yield made
    finally:
        made.close()
