"""Attached sessions of dockwright on real pseudo-terminals, against our own daemon."""

import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
OURS = str(ROOT / ".venv/bin/dockwright")
spec = importlib.util.spec_from_file_location("terminal", Path(__file__).parent / "terminal.py")
assert spec and spec.loader
terminal = importlib.util.module_from_spec(spec)
spec.loader.exec_module(terminal)


def run(daemon: Any, *arguments: str) -> Any:
    return terminal.Terminal([OURS, "-H", daemon.host, *arguments])


def ours(daemon: Any, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    command = [OURS, "-H", daemon.host, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)


@pytest.fixture
def shell(daemon: Any) -> Iterator[Any]:
    """A container with a shell on a terminal, detached from."""
    made = ours(daemon, "run", "-dit", "--name", "shell", "--network", "none", "busybox", "sh")
    assert made.returncode == 0, made
    yield daemon
    ours(daemon, "rm", "-f", "shell")


def test_a_terminal_has_our_size_follows_it_and_is_restored(daemon: Any) -> None:
    term = run(daemon, "run", "-it", "--rm", "--network", "none", "busybox", "sh")
    term.until(b"# ")
    raw = term.modes()
    assert not raw[3] & 0o10  # ECHO (0o10) is the container's terminal's business now
    term.type(b"stty size\r")
    term.until(b"\n24 80\r\n")
    term.resize(30, 100)
    time.sleep(0.3)
    term.type(b"stty size\r")
    term.until(b"\n30 100\r\n")
    term.type(b"exit 7\r")
    status, _ = term.end()
    assert status == 7


def test_raw_mode_ends_with_the_session(daemon: Any) -> None:
    term = terminal.Terminal(
        ["sh", "-c", f"{OURS} -H {daemon.host} run -it --rm --network none busybox true; stty -a; echo over"]
    )
    assert b" echo " in term.until(b"over\r\n")
    term.end()


def test_a_signal_that_ends_us_leaves_no_raw_terminal(shell: Any) -> None:
    line = f"{OURS} -H {shell.host} exec -it shell sh & sleep 1; kill $!; wait $!; echo status $?; stty -a; echo over"
    term = terminal.Terminal(["bash", "-mc", f"set +m; {line.replace(' & ', ' </dev/tty & ')}"])
    shown = term.until(b"over\r\n")
    assert b"status 143" in shown
    assert b" echo " in shown
    term.end()


def test_detach_keys_leave_it_running(shell: Any) -> None:
    term = run(shell, "attach", "shell")
    term.type(b"\r")
    term.until(b"# ")
    term.type(b"\x10\x11")
    status, shown = term.end()
    assert (status, shown.endswith(b"read escape sequence\r\n")) == (1, True)
    assert ours(shell, "inspect", "-f", "{{.State.Running}}", "shell").stdout == b"true\n"
    term = run(shell, "attach", "--detach-keys", "ctrl-a,x", "shell")
    term.type(b"echo $((6*7))\r")
    term.until(b"\n42\r\n")
    term.type(b"\x01x")
    assert term.end()[0] == 1


def test_run_that_is_detached_from_ends_well(daemon: Any) -> None:
    term = run(daemon, "run", "-it", "--name", "left", "--network", "none", "busybox", "sh")
    term.until(b"# ")
    term.type(b"\x10\x11")
    assert term.end()[0] == 0
    assert ours(daemon, "rm", "-f", "left").stdout == b"left\n"


def test_exec_on_a_terminal(shell: Any) -> None:
    term = run(shell, "exec", "-it", "shell", "sh")
    term.until(b"# ")
    term.type(b"stty size; tty\r")
    assert b"\n24 80\r\n/dev/pts/1" in term.until(b"pts/1\r\n")
    term.type(b"exit 9\r")
    assert term.end()[0] == 9


def test_ctrl_c_reaches_a_program_without_a_terminal(daemon: Any) -> None:
    script = "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.1; done"
    term = run(daemon, "run", "--rm", "--network", "none", "busybox", "sh", "-c", script)
    term.until(b"ready")
    term.type(b"\x03")
    status, shown = term.end()
    assert (status, b"caught" in shown) == (3, True)


def test_typed_input_ends_with_ctrl_d(daemon: Any) -> None:
    term = run(daemon, "run", "-i", "--rm", "--network", "none", "busybox", "cat")
    time.sleep(0.5)
    term.type(b"line\r")
    term.until(b"line\r\nline\r\n")
    term.type(b"\x04")
    assert term.end()[0] == 0


@pytest.mark.parametrize(("proxied", "status"), [("true", 5), ("false", -signal.SIGTERM)])
def test_signals_are_sent_on_or_not(daemon: Any, proxied: str, status: int) -> None:
    script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    options = ["--name", "sig", f"--sig-proxy={proxied}", "--network", "none"]
    command = [OURS, "-H", daemon.host, "run", *options, "busybox", "sh", "-c", script]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.wait(20) == status
    process.stdout.close()
    ours(daemon, "rm", "-f", "sig")


def test_nothing_blocks_nothing(daemon: Any) -> None:
    """More than all buffers hold, both ways at once."""
    data = os.urandom(1 << 20) * 8
    done = ours(daemon, "run", "-i", "--rm", "--network", "none", "busybox", "sh", "-c", "cat; echo end >&2", stdin=data)
    assert (done.returncode, done.stdout == data, done.stderr) == (0, True, b"end\n")


def test_a_reader_that_goes_ends_us(daemon: Any) -> None:
    line = f"{OURS} -H {daemon.host} run --rm --name yes --network none busybox yes | head -n1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=60, check=False)
    assert done.stdout == b"y\n"
    ours(daemon, "rm", "-f", "yes")


def test_explain_shows_who_did_what(daemon: Any) -> None:
    done = ours(daemon, "run", "--rm", "--explain", "--network", "none", "busybox", "sh", "-c", "echo x; exit 3")
    assert (done.returncode, done.stdout) == (3, b"x\n")
    lines = done.stderr.decode().splitlines()
    assert lines[0].split() == ["AT", "us", "TOOK", "us", "ACTOR", "KIND", "STEP"]
    actors = {line.split()[2] for line in lines[1 : lines.index("")]}
    assert actors >= {"client", "shim", "init"}
    assert any("pivot_root" in line for line in lines)
    assert any(line.endswith("steps") for line in lines)
    assert ours(daemon, "ps", "-aq").stdout == b""
