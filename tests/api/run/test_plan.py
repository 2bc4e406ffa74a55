"""The plan of a run: the steps that are then executed, with nothing done for it (DECISIONS 35)."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
CODE = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from dockwright.cli.main import main; main()"
OURS = [sys.executable, "-c", CODE]
RUNS = {
    "plain": [],
    "without a network": ["--network", "none"],
    "the host's network": ["--network", "host"],
    "published and limited": ["-p", "8099:80", "-m", "64m", "--pids-limit", "77", "--cpus", "0.5"],
    "mounts": ["-v", "/tmp:/host:ro", "-v", "data:/data", "-v", "/anonymous", "--tmpfs", "/t", "--read-only"],
    "a terminal": ["-t", "--hostname", "called", "--init", "--sysctl", "net.ipv4.ip_forward=0"],
    "privileged": ["--privileged", "--pid", "host", "--cgroupns", "private"],
    "a user": ["-u", "1:1", "-w", "/somewhere/new", "--device", "/dev/zero:/dev/nothing"],
}


class Client(http.client.HTTPConnection):
    """HTTP to the daemon's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def ask(daemon: Any, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    client = Client(f"{daemon.root}/s")
    client.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
    answer = client.getresponse()
    data = answer.read()
    client.close()
    return answer.status, json.loads(data) if data else None


def ours(daemon: Any, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*OURS, *words], env={**os.environ, "DOCKER_HOST": daemon.host}, capture_output=True, text=True, timeout=60, check=False
    )


def like(text: str) -> str:
    """A step without what is made up anew each time: ids, short names of layers, links."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "ID", text)
    text = re.sub(r"\bl/[A-Z2-7]{26}\b", "l/NAME", text)
    text = re.sub(r"\bhostname [0-9a-f]{12}\b", "hostname ID", text)
    return re.sub(r"\bveth[0-9a-f]{7}\b", "vethID", text)


def steps(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(row["Actor"], row["Kind"], like(row["Text"])) for row in rows]


def left(daemon: Any) -> dict[str, Any]:
    """All that a run could leave."""
    def inside(*command: str) -> str:
        return subprocess.run([*daemon.inside, *command], capture_output=True, text=True, check=True).stdout

    folders = ("data/overlay2", "data/overlay2/l", "data/containers", "data/volumes", "exec/tasks", "exec/s", "exec/netns")
    return {
        "files": {folder: sorted(os.listdir(f"{daemon.root}/{folder}")) for folder in folders},
        "containers": daemon.docker("ps", "-aq").stdout, "volumes": daemon.docker("volume", "ls", "-q").stdout,
        "rules": inside("nft", "list", "ruleset"),
        "links": sorted(re.findall(r"^\d+: ([^:@]+)", inside("ip", "-o", "link"), re.M)),
        "mounts": Path("/proc/self/mountinfo").read_text().count(daemon.root),
    }  # fmt: skip


@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS)
def test_the_plan_is_what_is_then_done(daemon: Any, options: list[str]) -> None:
    printed = ours(daemon, "run", "--dry-run", "--name", "planned", *options, "busybox", "echo", "x")
    assert printed.returncode == 0, printed.stderr
    done = ours(daemon, "create", "--name", "planned", *options, "busybox", "echo", "x")
    assert done.returncode == 0, done.stderr
    try:
        assert daemon.docker("start", "planned").returncode == 0
        assert daemon.docker("wait", "planned").stdout == b"0\n"
        _, trace = ask(daemon, "GET", "/dockwright/v1/containers/planned/trace")
    finally:
        daemon.docker("rm", "-fv", "planned")
        daemon.docker("volume", "rm", "data")
    rows = [line.split(None, 2) for line in printed.stdout.splitlines()[1:]]
    planned = sorted((actor, kind, like(text)) for actor, kind, text in rows)
    assert planned == sorted((actor, kind, text.replace("\n", " ")) for actor, kind, text in steps(trace))


def test_nothing_is_left_and_nobody_is_told(daemon: Any) -> None:
    body = {
        "Image": "busybox", "Cmd": ["true"], "Volumes": {"/v": {}},
        "HostConfig": {"Binds": ["named:/n"], "PortBindings": {"80/tcp": [{"HostPort": "8098"}]}},
    }  # fmt: skip
    before = left(daemon)
    with subprocess.Popen(["docker", "-H", daemon.host, "events"], stdout=subprocess.PIPE) as events:
        status, rows = ask(daemon, "POST", "/dockwright/v1/plan?name=nobody", body)
        again, same = ask(daemon, "POST", "/dockwright/v1/plan?name=nobody", body)
        daemon.docker("volume", "create", "marks-the-end")
        assert events.stdout
        first = events.stdout.readline()
        events.terminate()
    daemon.docker("volume", "rm", "marks-the-end")
    assert (status, again) == (200, 200) and b"marks-the-end" in first
    assert steps(rows) == steps(same), "the address and the port are free again"
    assert any("8098" in row["Text"] for row in rows) and any("172.17." in row["Text"] for row in rows)
    assert left(daemon) == before


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"Image": "no-such-image"}, 404, "No such image: no-such-image:latest"),
        ({}, 400, "config cannot be empty"),
        ({"Image": "busybox", "User": "nobody-here"}, 500, "unable to find user nobody-here"),
        ({"Image": "busybox", "HostConfig": {"NetworkMode": "container:nobody"}}, 404, "No such container: nobody"),
        ({"Image": "busybox", "HostConfig": {"Binds": ["a:relative"]}}, 500, "invalid"),
    ],
    ids=["image", "empty", "user", "network", "mount"],
)
def test_what_could_not_be_run_has_no_plan(daemon: Any, body: dict[str, Any], status: int, said: str) -> None:
    before = left(daemon)
    got, answer = ask(daemon, "POST", "/dockwright/v1/plan", body)
    assert said in answer["message"] and got == status
    assert left(daemon) == before


def test_a_name_that_is_taken(daemon: Any) -> None:
    daemon.docker("create", "--name", "there", "busybox")
    refused = ours(daemon, "run", "--dry-run", "--name", "there", "busybox")
    daemon.docker("rm", "there")
    assert refused.returncode == 125 and "is already in use" in refused.stderr
