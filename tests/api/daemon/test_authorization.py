"""Authorization plug-ins: asked before and after each request, and what they say holds."""

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import certificates
from tests.api.daemon import test_settings as settings

ROOT = Path(__file__).parents[3]
HOST = "tcp://127.0.0.1:23760"
CREATE = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}


class Guarded:
    """A daemon whose requests tests/authz_plugin.py decides about."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, f"dwguard{secrets.token_hex(4)}"
        os.makedirs("/run/docker/plugins", exist_ok=True)
        self.socket = Path(f"/run/docker/plugins/{self.name}.sock")
        command = [sys.executable, str(ROOT / "tests/authz_plugin.py"), str(self.socket), str(folder)]
        self.plugin = subprocess.Popen(command)
        authority = certificates.Authority(folder)
        self.files = (authority.path, *authority.sign("somebody"))
        certificate, key = authority.sign("daemon")
        flags = [f"--tlscacert={authority.path}", f"--tlscert={certificate}", f"--tlskey={key}"]
        try:
            deadline = time.monotonic() + 30
            while not self.socket.exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            self.named = Path(folder / "daemon.json")
            self.named.write_text(json.dumps({"authorization-plugins": [self.name]}))
            self.place = settings.Place(["--bridge=none", f"--config-file={self.named}", "--tlsverify", *flags, "-H", HOST])
            self.place.load()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        self.plugin.kill()
        self.plugin.wait()
        self.socket.unlink()

    def ask(self, path: str, body: bytes | None = None, *options: str) -> tuple[int, bytes]:
        """Status and body of a request; with a body it is a POST of JSON."""
        sent = ["-X", "POST", "-H", "Content-Type: application/json", "--data-binary", "@-"] if body is not None else []
        command = ["curl", "-s", "--unix-socket", f"{self.place.root}/s", "-w", "\n%{http_code}", *sent, *options, f"http://d{path}"]
        said = subprocess.run(command, input=body or b"", capture_output=True, timeout=60, check=True).stdout
        text, _, status = said.rpartition(b"\n")
        return int(status), text

    def asked(self, *, about: str) -> list[dict[str, Any]]:
        lines = (self.folder / "asked").read_text().splitlines()
        return [question for question in map(json.loads, lines) if about in question["RequestUri"]]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(tmp_path_factory.mktemp("authz"))
    try:
        yield made
        made.place.close()
    finally:
        made.end()


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("no-request", 403, "authorization denied by plugin {}: not this"),
        ("no-answer", 403, "authorization denied by plugin {}: seen too much"),
        ("failing", 500, "plugin {} failed with error: AuthZPlugin.AuthZReq: out of order"),
        ("broken", 500, "plugin {} failed with error: AuthZPlugin.AuthZReq: invalid answer: not an object"),
    ],
)
def test_what_is_refused(guarded: Guarded, query: str, status: int, text: str) -> None:
    said = guarded.ask(f"/version?{query}")
    assert (said[0], json.loads(said[1])) == (status, {"message": text.format(guarded.name)})


def test_a_denied_request_does_nothing(guarded: Guarded) -> None:
    assert guarded.ask("/containers/create?name=denied&no-request", json.dumps(CREATE).encode())[0] == 403
    assert guarded.ask("/containers/denied/json")[0] == 404


def test_the_plugin_sees_what_the_handler_gets(guarded: Guarded) -> None:
    body = json.dumps(CREATE).encode()
    fields = ("-H", "Transfer-Encoding: chunked", "-H", "X-Registry-Auth: x")
    status, text = guarded.ask("/containers/create?name=seen", body, *fields)
    request, answer = guarded.asked(about="name=seen")
    assert status == 201 and base64.b64decode(request["RequestBody"]) == body
    assert request["RequestHeaders"]["Content-Type"] == "application/json" and "User-Agent" in request["RequestHeaders"]
    assert not {"X-Registry-Auth", "Host", "Transfer-Encoding"} & set(request["RequestHeaders"]) and "User" not in request
    assert (request["Method"], request["RequestMethod"], answer["Method"]) == ("AuthZReq", "POST", "AuthZRes")
    assert answer["ResponseStatusCode"] == 201 and base64.b64decode(answer["ResponseBody"]) == text
    assert answer["ResponseHeaders"]["Content-Type"] == "application/json"
    assert guarded.ask("/containers/seen/json")[0] == 200


def test_a_body_too_large_to_be_shown_is_refused(guarded: Guarded) -> None:
    large = json.dumps({**CREATE, "Labels": {"a": "x" * (9 << 20)}}).encode()
    assert guarded.ask("/containers/create?name=large", large)[0] == 413
    assert guarded.asked(about="name=large") == [] and guarded.ask("/containers/large/json")[0] == 404


def test_passwords_are_not_shown(guarded: Guarded) -> None:
    login = {"username": "u", "password": "secret", "serveraddress": "http://127.0.0.1:1"}
    guarded.ask("/v1.43/auth", json.dumps(login).encode())
    assert ["RequestBody" in question for question in guarded.asked(about="/auth")] == [False, False]


def test_streams_and_who_asks(guarded: Guarded) -> None:
    authority, certificate, key = guarded.files
    tls = ["--tlsverify", f"--tlscacert={authority}", f"--tlscert={certificate}", f"--tlskey={key}"]
    client = [*guarded.place._enter(), "docker", "-H", HOST, *tls]
    command = [*client, "run", "--rm", "-i", "--network", "none", "busybox", "cat"]
    said = subprocess.run(command, input=b"hello", capture_output=True, timeout=60, check=False)
    assert said.stdout == b"hello", said.stderr
    question = guarded.asked(about="/attach")[0]
    assert (question["User"], question["UserAuthNMethod"]) == ("somebody", "TLS")
    shown = base64.b64decode(question["RequestPeerCertificates"][0]).decode()
    assert shown.strip() == certificate.read_text().strip()


def test_a_reload_takes_plugins_away_and_brings_them_back(guarded: Guarded) -> None:
    said, deadline = guarded.named.read_text(), time.monotonic() + 30
    for text, status in (("{}", 200), (said, 403)):
        guarded.named.write_text(text)
        guarded.place.daemon.send_signal(signal.SIGHUP)
        while guarded.ask("/version?no-request")[0] != status:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_info_tells(guarded: Guarded) -> None:
    assert json.loads(guarded.ask("/info")[1])["Plugins"]["Authorization"] == [guarded.name]
