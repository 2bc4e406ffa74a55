"""An authorization plug-in by Docker's protocol, version 1.

    python tests/authz_plugin.py SOCKET DIRECTORY

What it was asked is in DIRECTORY/asked, one document a line. A request with `no-request` in its query is denied, and so is the
answer of one with `no-answer`; `broken` makes it answer nonsense, and `failing` an error.
"""

import json
import socketserver
import sys
from http.server import BaseHTTPRequestHandler
from typing import Any

ROOT = ""


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        method = self.path.rpartition(".")[2]
        if method == "Activate":
            return self._say({"Implements": ["authz"]})
        with open(f"{ROOT}/asked", "a") as file:
            file.write(json.dumps({"Method": method, **given}) + "\n")
        return self._decide(method, given["RequestUri"])

    def _decide(self, method: str, uri: str) -> None:
        if method == "AuthZReq" and "no-request" in uri:
            self._say({"Allow": False, "Msg": "not this"})
        elif method == "AuthZRes" and "no-answer" in uri:
            self._say({"Allow": False, "Msg": "seen too much"})
        elif "failing" in uri:
            self._say({"Err": "out of order"}, 500)
        else:
            self._say(["nonsense"] if "broken" in uri else {"Allow": True})

    def _say(self, answer: Any, status: int = 200) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        return

    def address_string(self) -> str:
        return "engine"


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


if __name__ == "__main__":
    socket, ROOT = sys.argv[1:]
    Server(socket, Handler).serve_forever()
