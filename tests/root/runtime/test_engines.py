"""Real engines with `dockwright-runc` in runc's place: dockerd and containerd through runc's shim, podman through conmon.

Each runs on roots of its own in a network namespace of its own, with no environment but PATH.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / ".venv/bin/dockwright-runc"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")  # podman's own are above what we may hold
Peer = Callable[[str], str]
Done = "subprocess.CompletedProcess[str]"


def tar_of_rootfs(bundle: Any) -> bytes:
    return subprocess.run(["tar", "-C", str(bundle.rootfs), "-c", "."], capture_output=True, check=True).stdout


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline and process.poll() is None, log.read_text()[-2000:]
        time.sleep(0.1)


@pytest.fixture
def place() -> Iterator[Path]:
    """A short directory (sockets end at 108 bytes); what is mounted below it at the end is unmounted."""
    path = Path(tempfile.mkdtemp(prefix="dwr"))
    yield path
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        if line.split()[4].startswith(f"{path}/"):
            subprocess.run(["umount", "-l", line.split()[4]], check=False)
    shutil.rmtree(path)


class Engine:
    """A command line of an engine that starts our runtime."""

    def __init__(self, command: list[str], inside: list[str]) -> None:
        self.command, self.inside = command, inside

    def __call__(self, *words: str, stdin: bytes | None = None) -> Done:
        feed: dict[str, Any] = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(
            [*self.inside, *self.command, *words], capture_output=True, timeout=60, check=False, env=ENVIRONMENT, **feed
        )
        text = (done.stdout.decode().replace("\r\n", "\n"), done.stderr.decode())
        return subprocess.CompletedProcess(words, done.returncode, *text)


@pytest.fixture
def network() -> Iterator[list[str]]:
    """What runs a command in a network namespace of its own."""
    name = f"dwr{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    inside = ["nsenter", f"--net=/run/netns/{name}"]
    subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
    yield inside
    subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.fixture
def docker(peer: Peer, place: Path, network: list[str], bundle: Any) -> Iterator[Engine]:
    dockerd, client = peer("dockerd"), peer("docker")
    socket, log = place / "s", place / "log"
    command = [
        dockerd, "--data-root", str(place / "data"), "--exec-root", str(place / "exec"), "-p", str(place / "pid"),
        "-H", f"unix://{socket}", "--add-runtime", f"dw={PROGRAM}", "--default-runtime", "dw", "--bridge", "none",
        "--iptables=false", "--ip6tables=false",
    ]  # fmt: skip
    with open(log, "wb") as out:
        process = subprocess.Popen([*network, *command], stdout=out, stderr=out, env=ENVIRONMENT)
    engine = Engine([client, "-H", f"unix://{socket}"], network)
    try:
        wait_for(lambda: engine("version").returncode == 0, process, log)
        assert engine("import", "-", "bb", stdin=tar_of_rootfs(bundle)).returncode == 0
        yield engine
        for container in engine("ps", "-aq").stdout.split():
            engine("rm", "-f", container)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        subprocess.run(["umount", "-q", str(place / "exec/netns/default")], check=False)


def test_dockerd_run(docker: Engine) -> None:
    run = ("run", "--rm", "--network", "none")
    assert docker(*run, "bb", "/bin/echo", "hi").stdout == "hi\n"
    assert docker(*run, "bb", "/bin/sh", "-c", "exit 7").returncode == 7
    assert docker(*run, "-t", "bb", "/bin/tty").stdout == "/dev/pts/0\n"
    assert docker(*run, "-i", "bb", "/bin/cat", stdin=b"fed\n").stdout == "fed\n"
    missing = docker(*run, "bb", "/nope")
    assert missing.returncode == 127 and 'exec: "/nope": stat /nope: no such file or directory' in missing.stderr
    assert docker(*run, "bb", "/etc").returncode == 126
    settings = ("--user", "1000:1000", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only")
    done = docker(*run, *settings, "bb", "/bin/sh", "-c", "id -u; grep -E 'CapBnd|NoNew|Seccomp:' /proc/self/status; touch /x")
    assert done.stdout.split() == ["1000", "CapBnd:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2"]
    assert "Read-only file system" in done.stderr
    assert docker(*run, "--tmpfs", "/t:size=1m", "-v", "/etc:/v:ro", "bb", "/bin/ls", "/v/hostname").returncode == 0


def test_dockerd_a_containers_life(docker: Engine) -> None:
    settings = ("--memory", "64m", "--pids-limit", "20", "--cpus", "0.5", "--network", "none")
    assert docker("run", "-d", "--name", "box", *settings, "bb", "/bin/sleep", "300").returncode == 0
    assert docker("exec", "box", "/bin/echo", "hi").stdout == "hi\n"
    assert docker("exec", "box", "/bin/sh", "-c", "exit 3").returncode == 3
    assert docker("exec", "-t", "box", "/bin/tty").stdout == "/dev/pts/0\n"
    assert docker("exec", "-u", "1000", "box", "/bin/id", "-u").stdout == "1000\n"
    assert docker("exec", "box", "/nope").returncode in (126, 127)
    assert "/ 64MiB" in docker("stats", "--no-stream", "box").stdout
    if not subprocess.run(["/usr/bin/ps", "-ef"], capture_output=True).returncode:  # what dockerd runs for it
        assert "sleep 300" in docker("top", "box").stdout
    assert docker("pause", "box").returncode == 0
    assert "(Paused)" in docker("ps", "--format", "{{.Status}}").stdout
    assert docker("unpause", "box").returncode == 0
    assert docker("update", "--memory", "100m", "--memory-swap", "200m", "box").returncode == 0
    assert "/ 100MiB" in docker("stats", "--no-stream", "box").stdout
    assert docker("stop", "-t", "1", "box").returncode == 0
    assert docker("start", "box").returncode == 0
    assert docker("kill", "box").returncode == 0
    assert docker("wait", "box").stdout == "137\n"
    assert docker("rm", "box").returncode == 0


def test_containerd(peer: Peer, place: Path, runtime: Any, bundle: Any) -> None:
    containerd, ctr = peer("containerd"), peer("ctr")
    (place / "c.toml").write_text(
        f'version = 2\nroot = "{place}/root"\nstate = "{place}/state"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "{place}/s"\n'
    )
    log = place / "log"
    with open(log, "wb") as out:
        process = subprocess.Popen([containerd, "-c", str(place / "c.toml")], stdout=out, stderr=out, env=ENVIRONMENT)
    engine = Engine([ctr, "-a", str(place / "s")], [])
    with_us = ("--runtime", "io.containerd.runc.v2", "--runc-binary", str(PROGRAM), "--rootfs", str(bundle.rootfs))
    try:
        wait_for(lambda: engine("version").returncode == 0, process, log)
        assert engine("run", "--rm", *with_us, "one", "/bin/echo", "hi").stdout == "hi\n"
        assert "no such file or directory" in engine("run", "--rm", *with_us, "two", "/nope").stderr
        assert engine("run", "-d", *with_us, "box", "/bin/sleep", "100").returncode == 0
        assert "RUNNING" in engine("task", "ls").stdout
        assert engine("task", "exec", "--exec-id", "e", "box", "/bin/echo", "in").stdout == "in\n"
        assert engine("task", "pause", "box").returncode == 0
        assert "PAUSED" in engine("task", "ls").stdout
        assert engine("task", "resume", "box").returncode == 0
        assert len(engine("task", "ps", "box").stdout.splitlines()) == 2
        assert engine("task", "kill", "-s", "9", "box").returncode == 0
        wait_for(lambda: "STOPPED" in engine("task", "ls").stdout, process, log)
        engine("task", "rm", "box")
        assert engine("container", "rm", "box").returncode == 0
    finally:
        process.terminate()
        process.wait(20)


def test_podman(peer: Peer, place: Path, bundle: Any) -> None:
    roots = ["--root", f"{place}/r", "--runroot", f"{place}/rr", "--tmpdir", f"{place}/t"]
    more = ["--runtime", str(PROGRAM), "--cgroup-manager", "cgroupfs", "--events-backend", "file"]
    podman = Engine([peer("podman"), *roots, *more], [])
    try:
        assert podman("import", "-", "bb", stdin=tar_of_rootfs(bundle)).returncode == 0
        run = ("run", *LIMITS, "--network", "none")
        assert podman(*run, "--rm", "bb", "/bin/echo", "hi").stdout == "hi\n"
        assert podman(*run, "--rm", "bb", "/bin/sh", "-c", "exit 9").returncode == 9
        assert podman(*run, "--rm", "-t", "bb", "/bin/tty").stdout == "/dev/pts/0\n"
        assert podman(*run, "--rm", "bb", "/nope").returncode == 127
        assert podman(*run, "-d", "--name", "box", "--memory", "64m", "bb", "/bin/sleep", "300").returncode == 0
        assert podman("exec", "box", "/bin/sh", "-c", "echo in; exit 3").returncode == 3
        assert podman("exec", "-t", "box", "/bin/tty").stdout.strip() == "/dev/pts/0"
        assert podman("pause", "box").returncode == 0
        assert podman("unpause", "box").returncode == 0
        assert podman("update", "--memory", "100m", "box").returncode == 0
        (state,) = json.loads(podman("inspect", "box").stdout)
        assert state["State"]["Running"] and state["OCIRuntime"] == str(PROGRAM)
        assert podman("stop", "-t", "1", "box").returncode == 0
        assert podman("rm", "box").returncode == 0
    finally:
        podman("rm", "-fa")
