"""A daemon that may be killed, what it keeps in the kernel and on disk, and questions to it."""

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NONE = ("--network", "none")


class _Raw(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("d", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


class Subject:
    """The daemon under test.

    Attributes:
        ids: all containers it is known to have had.
    """

    def __init__(self, daemon: Any) -> None:
        self.daemon = daemon
        self.ids: set[str] = set()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        raw = _Raw(self.daemon.host.removeprefix("unix://"))
        data = None if body is None else json.dumps(body)
        raw.request(method, path, data, {"Content-Type": "application/json"} if data else {})
        answer = raw.getresponse()
        text = answer.read()
        raw.close()
        return answer.status, json.loads(text) if text.startswith((b"{", b"[")) else text.decode()

    def docker(self, *arguments: str) -> tuple[int, str]:
        done = self.daemon.docker(*arguments)
        return done.returncode, (done.stdout + done.stderr).decode()

    def run(self, name: str, script: str, *options: str, network: tuple[str, ...] = NONE) -> str:
        code, ident = self.docker("run", *network, "-d", "--name", name, *options, "busybox", "sh", "-c", script)
        assert code == 0, ident
        return ident.strip()

    def inspect(self, name: str) -> dict[str, Any]:
        status, document = self.ask("GET", f"/containers/{name}/json")
        return dict(document) if status == 200 else {}

    def state(self, name: str) -> dict[str, Any]:
        return dict(self.inspect(name).get("State") or {})

    def kill(self) -> None:
        """kill -9 of the daemon."""
        self.daemon.end(9)
        self.note()

    def note(self) -> None:
        self.ids |= set(self.names("data/containers")) | set(self.names("exec/tasks"))

    def names(self, folder: str) -> list[str]:
        return sorted(os.listdir(f"{self.daemon.root}/{folder}"))

    def shim_of(self, name: str) -> int:
        with open(f"/proc/{self.state(name)['Pid']}/stat", encoding="utf-8") as file:
            return int(file.read().rpartition(")")[2].split()[1])

    def processes(self) -> dict[str, list[int]]:
        """Our processes by their name: those whose standard error is the daemon's log."""
        found: dict[str, list[int]] = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/fd/2") == f"{self.daemon.root}/log":
                    comm = Path(f"/proc/{pid}/comm").read_text().strip()
                    found.setdefault(comm, []).append(int(pid))
            except OSError:
                continue
        return found

    def shims(self) -> list[int]:
        return self.processes().get("dockwright-shim", [])

    def idle(self) -> list[str]:
        """What the shims that look after nothing are, for a person to read."""
        told = []
        for pid in self.shims():
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            names = [Path(f"/proc/{child}/comm").read_text().strip() for child in children if alive(int(child))]
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            told.append(f"{pid}: parent of {names}, holds {links}")
        return told

    def footprint(self) -> dict[str, Any]:
        """What must be the same before and after."""
        self.note()
        inside = [*self.daemon.inside, "ip", "-o", "link"]
        cgroups = [str(p) for p in Path("/sys/fs/cgroup").glob("*/docker/*") if p.name in self.ids]
        cgroups += [str(p) for p in Path("/sys/fs/cgroup").glob("docker/*") if p.name in self.ids]
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if self.daemon.root in line]
        zygote = self.processes().get("dockwright-zygo", [0])[0]
        folders = ("exec/tasks", "exec/s", "data/containers", "data/overlay2", "data/overlay2/l")
        return {
            "shims": self.shims(), "cgroups": cgroups, "mounts": mounts,
            "links": subprocess.run(inside, capture_output=True, text=True, check=True).stdout.count("\n"),
            "zygote": len(os.listdir(f"/proc/{zygote}/fd")) if zygote else 0,
            **{name: self.names(name) for name in folders},
            "last words": [path.read_text() for path in Path(f"{self.daemon.root}/exec/tasks").glob("*/shim.log")],
        }  # fmt: skip

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.daemon_pid()}/fd"))

    def daemon_pid(self) -> int:
        return int(Path(f"{self.daemon.root}/pid").read_text())


def alive(pid: int) -> bool:
    """Whether a process runs: one that nobody has waited for yet does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture(scope="module")
def started(daemon_class: Any) -> Iterator[Subject]:
    yield from _started(daemon_class)


@pytest.fixture
def own(daemon_class: Any) -> Iterator[Subject]:
    """A daemon that stops its containers when it ends."""
    yield from _started(daemon_class, "--live-restore=false")


def _started(daemon_class: Any, *options: str) -> Iterator[Subject]:
    daemon = daemon_class(*options)
    daemon.start()
    daemon.load()
    subject = Subject(daemon)
    daemon.docker("run", "--rm", *NONE, "busybox", "true")  # the first one leaves the image its init layer
    while (left := subject.footprint())["shims"] or left["cgroups"] or left["exec/tasks"] or left["data/containers"]:
        time.sleep(0.02)
    while len(subject.names("data/overlay2")) > len(("the image's layer", "its init layer", "l")):
        time.sleep(0.02)
    yield subject
    daemon.close()


@pytest.fixture
def subject(started: Subject) -> Iterator[Subject]:
    """The daemon; whatever a test has made is removed after it, and nothing is left of it."""
    before = started.footprint()
    yield started
    if started.daemon.process.poll() is not None:
        started.daemon.start()
    idents = started.docker("ps", "-aq")[1].split()
    if idents:
        started.docker("rm", "-f", *idents)
    left = {"": [""]}
    for _ in range(300):
        after = started.footprint()
        left = {key: after[key] for key in after if after[key] != before[key]}
        if not left:
            return
        time.sleep(0.02)
    raise AssertionError(f"left: {left}, before: {({key: before[key] for key in left})}; {started.idle()}")
