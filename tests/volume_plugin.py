"""A volume plug-in by Docker's protocol, version 1: volumes are directories below one it is given.

    python tests/volume_plugin.py SOCKET DIRECTORY

A volume whose name ends in `-broken` cannot be mounted; one with the option `fail` cannot be made. What it was asked is in
DIRECTORY/asked.
"""

import json
import os
import socketserver
import sys
from http.server import BaseHTTPRequestHandler
from typing import Any

ROOT = ""
MOUNTED: dict[str, set[str]] = {}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = json.loads(body or b"{}")
        with open(f"{ROOT}/asked", "a") as file:
            file.write(f"{self.path[1:]} {given.get('Name', '')} {len(given.get('ID', ''))}\n")
        method = self.path.rpartition(".")[2]
        answer = getattr(self, f"answer_{method.lower()}")(given)
        data = json.dumps(answer).encode()
        self.send_response(500 if answer.get("Err") else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def answer_activate(self, given: Any) -> dict[str, Any]:
        return {"Implements": ["VolumeDriver"]}

    def answer_capabilities(self, given: Any) -> dict[str, Any]:
        return {"Capabilities": {"Scope": "global"}}

    def answer_create(self, given: Any) -> dict[str, Any]:
        if "fail" in (given.get("Opts") or {}):
            return {"Err": "no room for it"}
        os.makedirs(self.place(given), exist_ok=True)
        return {"Err": ""}

    def answer_remove(self, given: Any) -> dict[str, Any]:
        if os.listdir(self.place(given)):
            return {"Err": "it is not empty"}
        os.rmdir(self.place(given))
        return {"Err": ""}

    def answer_mount(self, given: Any) -> dict[str, Any]:
        if given["Name"].endswith("-broken"):
            return {"Err": "its disk is broken"}
        MOUNTED.setdefault(given["Name"], set()).add(given["ID"])
        return {"Mountpoint": self.place(given)}

    def answer_unmount(self, given: Any) -> dict[str, Any]:
        MOUNTED[given["Name"]].remove(given["ID"])
        return {"Err": ""}

    def answer_path(self, given: Any) -> dict[str, Any]:
        return {"Mountpoint": self.place(given)}

    def answer_get(self, given: Any) -> dict[str, Any]:
        if not os.path.isdir(self.place(given)):
            return {"Err": "volume not found"}
        users = len(MOUNTED.get(given["Name"], ()))
        return {"Volume": {"Name": given["Name"], "Mountpoint": self.place(given), "Status": {"users": users}}}

    def answer_list(self, given: Any) -> dict[str, Any]:
        return {"Volumes": [{"Name": name} for name in os.listdir(ROOT) if name != "asked"]}

    def place(self, given: Any) -> str:
        return f"{ROOT}/{given['Name']}"

    def log_message(self, format: str, *arguments: object) -> None:
        pass


if __name__ == "__main__":
    socket, ROOT = sys.argv[1:]
    with socketserver.ThreadingUnixStreamServer(socket, Handler) as server:
        server.serve_forever()
