"""A token server for a registry: `token_server.py PORT KEY CERTIFICATE USER PASSWORD`.

Everybody may pull; USER may push, too. Tokens are JWTs signed (RS256) by the openssl program. A refresh token is given to
who asks for one (offline_token) and taken by POST. Source: distribution's "Token Authentication Specification".
"""

import base64
import json
import re
import subprocess
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, key, certificate, user, password = sys.argv[1:]
REFRESH = "refresh-of-" + user


def packed(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(subject: str, audience: str, access: list[dict[str, object]]) -> str:
    chain = "".join(line for line in open(certificate).read().split("\n") if line and "-----" not in line)
    now = int(time.time())
    head = {"typ": "JWT", "alg": "RS256", "x5c": [chain]}
    body = {"iss": "tests", "sub": subject, "aud": audience, "iat": now, "nbf": now - 10, "exp": now + 300,
            "jti": str(time.time_ns()), "access": access}  # fmt: skip
    signed = packed(json.dumps(head).encode()) + b"." + packed(json.dumps(body).encode())
    command = ["openssl", "dgst", "-sha256", "-sign", key]
    signature = subprocess.run(command, input=signed, stdout=subprocess.PIPE, check=True).stdout
    return (signed + b"." + packed(signature)).decode()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        authorization = self.headers.get("Authorization", "")
        who = ""
        if authorization.startswith("Basic "):
            who = base64.b64decode(authorization[6:]).decode()
            if who != f"{user}:{password}":
                return self.reply(401, {"details": "incorrect username or password"})
        return self.give(query, who.partition(":")[0])

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        form = urllib.parse.parse_qs(self.rfile.read(length).decode())
        if form.get("grant_type") != ["refresh_token"] or form.get("refresh_token") != [REFRESH]:
            return self.reply(401, {"details": "bad refresh token"})
        return self.give(form, user)

    def give(self, query: dict[str, list[str]], who: str) -> None:
        access = []
        for scope in " ".join(query.get("scope", [])).split():
            if match := re.fullmatch(r"repository(?:\([^)]*\))?:(.+):([a-z,*]+)", scope):
                actions = [action for action in match[2].split(",") if who or action == "pull"]
                access.append({"type": "repository", "name": match[1], "actions": actions})
        made = token(who, query.get("service", [""])[0], access)
        more = {"refresh_token": REFRESH} if who and query.get("offline_token") else {}
        self.reply(200, {"token": made, "access_token": made, "expires_in": 300, **more})

    def reply(self, status: int, document: dict[str, object]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
