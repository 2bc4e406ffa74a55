"""The kernel kills processes of ours for want of memory (DECISIONS 16): the same holds as after any other SIGKILL.

The process is put into a memory cgroup with a limit, together with one that asks for more than there is; the kernel takes
who has the highest score, and counts what it killed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LIMIT = 16 << 20
HOG = "import sys; sys.stdin.readline(); kept = [b'x' * (1 << 20) for _ in range(64)]"
PUBLISHES = "while :; do nc -l -p 80 -e echo heard; done"


def until(holds: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Pressure:
    """A memory cgroup in which one process is killed."""

    def __init__(self) -> None:
        v1 = Path("/sys/fs/cgroup/memory")
        self.v2 = not v1.is_dir()
        self.folder = (Path("/sys/fs/cgroup") if self.v2 else v1) / f"dwoom{os.getpid()}"
        self.folder.mkdir()
        self.write("memory.max" if self.v2 else "memory.limit_in_bytes", LIMIT)
        if self.v2 and (self.folder / "memory.swap.max").exists():
            self.write("memory.swap.max", 0)

    def write(self, name: str, value: int) -> None:
        (self.folder / name).write_text(str(value))

    def kills(self) -> int:
        text = (self.folder / ("memory.events" if self.v2 else "memory.oom_control")).read_text()
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith("oom_kill ")))

    def kill(self, pid: int) -> None:
        """Have the kernel kill `pid`."""
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")
        self.write("cgroup.procs", pid)
        with subprocess.Popen([sys.executable, "-c", HOG], stdin=subprocess.PIPE) as hog:
            self.write("cgroup.procs", hog.pid)
            hog.communicate(b"\n", timeout=20)
        until(lambda: not runs(pid))
        assert self.kills() >= 1

    def close(self) -> None:
        def empty() -> bool:
            return not (self.folder / "cgroup.procs").read_text()

        until(empty)
        self.folder.rmdir()


@pytest.fixture
def pressure() -> Iterator[Pressure]:
    made = Pressure()
    yield made
    made.close()


def test_a_shim(subject: Any, pressure: Pressure) -> None:
    subject.run("orphan", "sleep 1000")
    subject.run("restarted", "sleep 1000", "--restart", "always")
    before = subject.state("restarted")["Pid"]
    for name in ("orphan", "restarted"):
        pressure.kill(subject.shim_of(name))
    until(lambda: subject.state("orphan")["Status"] == "exited")
    state = subject.state("orphan")
    assert (state["ExitCode"], state["Error"], state["OOMKilled"]) == (137, "the container's shim died", False)
    until(lambda: subject.state("restarted")["Pid"] not in (0, before))
    assert subject.docker("start", "orphan") == (0, "orphan\n")


def test_the_zygote(subject: Any, pressure: Pressure) -> None:
    subject.run("before", "sleep 1000")
    pressure.kill(subject.processes()["dockwright-zygo"][0])
    assert subject.docker("exec", "before", "echo", "still here") == (0, "still here\n")
    for _ in range(3):  # one by the spare shim, others by another zygote
        assert subject.docker("run", "--rm", "--network", "none", "busybox", "echo", "on") == (0, "on\n")


def test_the_daemon(subject: Any, pressure: Pressure) -> None:
    subject.run("steady", "echo before; sleep 1000")
    before = subject.state("steady")
    pressure.kill(subject.daemon_pid())
    subject.daemon.process.wait(10)
    Path(f"{subject.daemon.root}/s").unlink()
    subject.daemon.start()
    after = subject.state("steady")
    assert (after["Pid"], after["StartedAt"], after["Status"]) == (before["Pid"], before["StartedAt"], "running")
    assert subject.docker("logs", "steady") == (0, "before\n")


def test_netd(subject: Any, pressure: Pressure) -> None:
    code, ident = subject.docker("run", "-d", "--name", "web", "-p", "127.0.0.1:8097:80", "busybox", "sh", "-c", PUBLISHES)
    assert code == 0, ident

    def answers() -> bool:
        command = [*subject.daemon.inside, "/bin/busybox", "nc", "-w", "2", "127.0.0.1", "8097"]
        return subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False).stdout == b"heard\n"

    until(answers)
    (netd,) = [pid for name, pids in subject.processes().items() if name not in OURS for pid in pids if is_netd(pid)]
    pressure.kill(netd)
    until(answers)
    code, text = subject.docker("run", "--rm", "-p", "127.0.0.1:8097:80", "busybox", "true")
    assert code == 125 and "port is already allocated" in text


OURS = ("dockwright-zygo", "dockwright-shim")


def is_netd(pid: int) -> bool:
    return b"netd" in Path(f"/proc/{pid}/cmdline").read_bytes()
