"""Containers made by an OCI runtime that is not ours: runc and crun, and one that notes how it is called."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# crun takes no host with both versions of cgroups, so the daemon sees only the first
V1 = ["unshare", "-m", "sh", "-c", 'umount -l /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', "sh"]
NOTING = '#!/bin/sh\necho "$@" >>{log}\nexec runc "$@"\n'


@pytest.fixture(scope="module")
def daemon(daemon_class: Any) -> Iterator[Any]:
    for program in ("runc", "crun"):
        if subprocess.run(["sh", "-c", f"command -v {program}"], capture_output=True, check=False).returncode:
            pytest.skip(f"needs {program}")
    daemon = daemon_class("--add-runtime", "real=runc", "--add-runtime", "crun=/usr/bin/crun")
    daemon.extra = (*daemon.extra, "--add-runtime", f"noting={daemon.root}/noting")
    daemon.inside = [*daemon.inside, *V1]
    Path(daemon.root, "noting").write_text(NOTING.format(log=f"{daemon.root}/calls"))
    os.chmod(f"{daemon.root}/noting", 0o755)
    daemon.start()
    daemon.load()
    yield daemon
    daemon.close()


@pytest.fixture(params=["real", "crun", "/usr/sbin/runc"])
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def container(daemon: Any, runtime: str) -> Iterator[str]:
    """A running one that counts, and ends with 3 when told to."""
    script = 'trap "exit 3" TERM; echo started; while :; do sleep 0.05; done'
    done = daemon.docker("run", "-d", "--runtime", runtime, "busybox", "sh", "-c", script)
    assert done.returncode == 0, done
    yield done.stdout.decode().strip()
    daemon.docker("rm", "-f", done.stdout.decode().strip())
    left = [f"{daemon.root}/exec/roots", f"{daemon.root}/exec/runtimes/{runtime.replace('/', '_')}"]
    deadline = time.monotonic() + 5  # it is cleared after the answer
    while any(os.listdir(folder) for folder in left):
        assert time.monotonic() < deadline, [os.listdir(folder) for folder in left]
        time.sleep(0.05)


def said(daemon: Any, *arguments: str) -> tuple[int, str]:
    done = daemon.docker(*arguments)
    return done.returncode, (done.stdout + done.stderr).decode().strip()


def test_output_and_exit_codes(daemon: Any, runtime: str) -> None:
    assert said(daemon, "run", "--rm", "--runtime", runtime, "busybox", "echo", "hello") == (0, "hello")
    assert said(daemon, "run", "--rm", "--runtime", runtime, "busybox", "sh", "-c", "echo a; exit 7") == (7, "a")
    code, text = said(daemon, "run", "--rm", "--runtime", runtime, "busybox", "nosuch")
    assert code in (125, 127), "the client looks for runc's words"
    assert "OCI runtime create failed: " in text
    assert "executable file" in text
    assert daemon.docker("run", "--rm", "-i", "--runtime", runtime, "busybox", "cat", stdin=b"in").stdout == b"in"


def test_no_signal_is_ignored(daemon: Any, runtime: str) -> None:
    code, line = said(daemon, "run", "--rm", "--runtime", runtime, "busybox", "grep", "SigIgn", "/proc/self/status")
    assert code == 0 and int(line.split()[1], 16) & ~0x180000000 == 0  # 32 and 33 are the C library's own


def test_a_terminal(daemon: Any, runtime: str) -> None:
    inner = f"docker -H {daemon.host} run --rm -t --runtime {runtime} busybox sh -c 'tty; exit 4'"
    done = subprocess.run(["script", "-qec", inner, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, done.stdout.split()) == (4, [b"/dev/pts/0"])


def test_exec(daemon: Any, container: str) -> None:
    assert said(daemon, "exec", container, "sh", "-c", "hostname; exit 5") == (5, container[:12])
    assert daemon.docker("exec", "-i", container, "cat", stdin=b"in").stdout == b"in"
    code, text = said(daemon, "exec", container, "nosuch")
    assert code in (126, 127)
    assert text.startswith("OCI runtime exec failed: ")
    inner = f"docker -H {daemon.host} exec -t {container} tty"
    done = subprocess.run(["script", "-qec", inner, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.stdout.startswith(b"/dev/pts/")
    left = [name for name in os.listdir(f"{daemon.root}/exec/tasks/{container}") if name.startswith(("process", "pid."))]
    assert left == []


def test_pause_stop_start_kill(daemon: Any, container: str) -> None:
    assert said(daemon, "pause", container)[0] == 0
    assert "(Paused)" in said(daemon, "ps", "--format", "{{.Status}}")[1]
    assert said(daemon, "exec", container, "true")[0] == 1
    assert said(daemon, "unpause", container)[0] == 0
    assert said(daemon, "stats", "--no-stream", "--format", "{{.PIDs}}", container)[1] in ("1", "2")
    assert "sleep" in said(daemon, "top", container)[1]
    assert said(daemon, "stop", container)[0] == 0
    assert said(daemon, "logs", container) == (0, "started")
    assert said(daemon, "inspect", "-f", "{{.State.ExitCode}}", container) == (0, "3")
    assert said(daemon, "start", container)[0] == 0
    assert said(daemon, "kill", container)[0] == 0
    assert said(daemon, "wait", container) == (0, "137")


def test_a_restarted_daemon(daemon: Any, container: str) -> None:
    daemon.end(signal.SIGKILL)
    daemon.start()
    assert said(daemon, "exec", container, "echo", "in") == (0, "in")
    assert said(daemon, "stop", container)[0] == 0
    assert said(daemon, "inspect", "-f", "{{.State.ExitCode}}", container) == (0, "3")


def test_a_killed_shim(daemon: Any, container: str) -> None:
    pid = int(said(daemon, "inspect", "-f", "{{.State.Pid}}", container)[1])
    shim = next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("PPid"))
    os.kill(shim, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while said(daemon, "inspect", "-f", "{{.State.Running}}", container)[1] == "true":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert said(daemon, "start", container)[0] == 0
    assert said(daemon, "exec", container, "cat", "/etc/passwd")[0] == 0, "nothing of its files is lost"


def test_how_it_is_called(daemon: Any) -> None:
    calls = Path(daemon.root, "calls")
    ident = said(daemon, "run", "-d", "--runtime", "noting", "busybox", "sleep", "1000")[1]
    for verb in ("pause", "unpause", "kill"):
        assert said(daemon, verb, ident)[0] == 0
    said(daemon, "rm", "-f", ident)
    root, folder = f"{daemon.root}/exec/runtimes/noting", f"{daemon.root}/exec/tasks/{ident}"
    common = f"--root {root} --log {folder}/log.json --log-format json"
    assert calls.read_text().splitlines() == [
        f"{common} create --bundle {folder} --pid-file {folder}/init.pid {ident}", f"{common} start {ident}",
        f"{common} pause {ident}", f"{common} resume {ident}", f"{common} kill {ident} 9", f"{common} delete --force {ident}",
    ]  # fmt: skip


def test_refusals(daemon: Any) -> None:
    code, text = said(daemon, "run", "--rm", "--runtime", "nosuch", "busybox", "true")
    assert code == 125
    assert "unknown or invalid runtime name: nosuch" in text
    code, text = said(daemon, "run", "--rm", "--runtime", "/nosuch", "busybox", "true")
    assert code == 127
    assert "fork/exec /nosuch: no such file or directory: unknown" in text
    assert said(daemon, "ps", "-aq") == (0, "")
    assert said(daemon, "run", "--rm", "--runtime", "io.containerd.runc.v2", "busybox", "echo", "own") == (0, "own")


def test_volumes_and_limits(daemon: Any, runtime: str) -> None:
    script = "echo x >/data/f; cat /sys/fs/cgroup/memory/memory.limit_in_bytes; touch /t/x"
    limits = ["-m", "64m", "--pids-limit", "50", "--cap-drop", "ALL", "-v", "data:/data", "--tmpfs", "/t"]
    assert said(daemon, "run", "--rm", "--runtime", runtime, *limits, "busybox", "sh", "-c", script) == (0, str(64 << 20))
    assert said(daemon, "run", "--rm", "-v", "data:/data", "busybox", "cat", "/data/f") == (0, "x")

