"""Terminals: made in the container, handed out over the console socket, relayed in the foreground."""

import array
import fcntl
import os
import pty
import select
import socket
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class ConsoleSocket:
    """What a shim has: it takes one master."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.master = -1
        self.name = ""
        self.thread = threading.Thread(target=self._take, daemon=True)
        self.thread.start()

    def _take(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            data, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
        self.name = data.decode()
        if ancillary:
            self.master = array.array("i", ancillary[0][2][:4])[0]

    def read_all(self) -> str:
        """What is written to the terminal until the container has closed it."""
        self.thread.join(10)
        assert self.master >= 0, "no master came"
        text = b""
        while True:
            try:
                piece = os.read(self.master, 4096)
            except OSError:
                break
            if not piece:
                break
            text += piece
        return text.decode().replace("\r\n", "\n")


@pytest.fixture
def console(tmp_path: Path) -> Iterator[ConsoleSocket]:
    made = ConsoleSocket(tmp_path / "c")
    yield made
    if made.master >= 0:
        os.close(made.master)
    made.listener.close()


def test_create_hands_the_master_over(runtime: Any, bundle: Any, console: ConsoleSocket) -> None:
    """The terminal is /dev/pts/0 of the container's devpts, /dev/console is the same, and it is the controlling one."""
    bundle.process["terminal"] = True
    bundle.process["consoleSize"] = {"height": 24, "width": 99}
    bundle.script("tty; stat -c '%t %T' /dev/console /dev/pts/0; echo ctty > /dev/tty; sleep 0.3")
    runtime.create(bundle, "--console-socket", console.path)
    console.thread.join(10)
    assert console.name == "/dev/pts/0"
    assert struct.unpack("4H", fcntl.ioctl(console.master, termios.TIOCGWINSZ, bytes(8)))[:2] == (24, 99)
    runtime("start", runtime.name, check=True)
    lines = console.read_all().splitlines()
    assert lines[0] == "/dev/pts/0" and lines[1] == lines[2] and lines[3] == "ctty"


def test_exec_with_a_console_socket(runtime: Any, bundle: Any, console: ConsoleSocket) -> None:
    runtime.start(bundle.args("/bin/sleep", "100"))
    runtime("exec", "--tty", "--detach", "--console-socket", console.path, runtime.name, "/bin/tty", check=True)
    assert console.read_all() == "/dev/pts/0\n"


def test_foreground_run_with_a_terminal(runtime: Any, bundle: Any) -> None:
    """Our terminal is raw meanwhile, its size is passed on, what is typed arrives, and it is restored."""
    bundle.process["terminal"] = True
    bundle.script("tty; read line; echo got $line; exit 4").write()
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 33, 77, 0, 0))
    before = termios.tcgetattr(slave)
    command = [*runtime("--version").args[:3], "run", "--bundle", str(bundle.path), runtime.name]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=runtime.environment)
    text = _read_until(master, "/dev/pts/0")
    os.write(master, b"hello\r")
    text = _read_until(master, "got hello")
    assert process.wait(10) == 4, text
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def _read_until(master: int, wanted: str) -> str:
    text, deadline = "", time.monotonic() + 15
    while wanted not in text:
        assert time.monotonic() < deadline, text
        if select.select([master], [], [], 0.2)[0]:
            text += os.read(master, 4096).decode()
    return text


def test_terminal_without_a_holder(runtime: Any, bundle: Any) -> None:
    bundle.process["terminal"] = True
    done = runtime.create(bundle.args("/bin/true"), check=False)
    assert "cannot allocate tty if runc will detach without setting console socket" in done.stderr


def test_holder_without_a_terminal(runtime: Any, bundle: Any) -> None:
    done = runtime.create(bundle.args("/bin/true"), "--console-socket", "/nowhere", check=False)
    assert "cannot use console socket if runc will not detach or allocate tty" in done.stderr


def test_nobody_listens_at_the_console_socket(runtime: Any, bundle: Any) -> None:
    bundle.process["terminal"] = True
    done = runtime.create(bundle.args("/bin/true"), "--console-socket", "/nowhere", check=False)
    assert "dial unix /nowhere: connect: no such file or directory" in done.stderr


def test_an_image_without_devpts(runtime: Any, bundle: Any, console: ConsoleSocket) -> None:
    """CVE-2025-52565: what an image has at /dev/pts is not taken for a terminal."""
    bundle.process["terminal"] = True
    bundle.spec["mounts"] = [m for m in bundle.spec["mounts"] if not m["destination"].startswith("/dev")]
    (bundle.rootfs / "dev/pts").mkdir()
    (bundle.rootfs / "dev/pts/ptmx").touch()
    done = runtime.create(bundle.args("/bin/true"), "--console-socket", console.path, check=False)
    assert "is not devpts" in done.stderr


def test_pidfd_socket(runtime: Any, bundle: Any, console: ConsoleSocket) -> None:
    runtime.create(bundle.args("/bin/true"), "--pidfd-socket", console.path)
    console.thread.join(10)
    info = Path(f"/proc/self/fdinfo/{console.master}").read_text()
    assert f"Pid:\t{runtime.state()['pid']}\n" in info
