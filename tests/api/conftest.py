"""A daemon of the tests' own, driven by the real docker client."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def images():  # type: ignore[no-untyped-def]
    """tests/images.py as a module."""
    spec = importlib.util.spec_from_file_location("test_images", ROOT / "tests/images.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Daemon:
    """One dockwrightd on roots of its own, in a network namespace of its own (bridges and rules are the host's else)."""

    def __init__(self, *extra: str) -> None:
        self.extra = extra
        self.root = tempfile.mkdtemp(prefix="dw")
        self.netns = os.path.basename(self.root)
        subprocess.run(["ip", "netns", "add", self.netns], check=True)
        self.inside = ["nsenter", f"--net=/run/netns/{self.netns}"]
        subprocess.run([*self.inside, "ip", "link", "set", "lo", "up"], check=True)
        self.through: list[str] = []  # what starts the daemon's command, beside `inside`
        self.process: subprocess.Popen[bytes] | None = None
        self.host = f"unix://{self.root}/s"

    def start(self) -> None:
        code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from dockwright.daemon.main import main; sys.exit(main())"
        arguments = ["-H", self.host, "--data-root", f"{self.root}/data", "--exec-root", f"{self.root}/exec", *self.extra]
        log = open(f"{self.root}/log", "ab")
        command = [sys.executable, "-c", code, *arguments, "--pidfile", f"{self.root}/pid"]
        self.process = subprocess.Popen([*self.inside, *self.through, *command], stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + 20
        while not os.path.exists(f"{self.root}/s") or self.docker("version").returncode:
            assert time.monotonic() < deadline and self.process.poll() is None, Path(f"{self.root}/log").read_text()
            time.sleep(0.05)

    def docker(self, *arguments: str, stdin: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            ["docker", "-H", self.host, *arguments], input=stdin, capture_output=True, timeout=60, check=False
        )

    def says(self, *arguments: str) -> str:
        """What a docker command says, which succeeds."""
        done = self.docker(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def refuses(self, *arguments: str) -> str:
        """What a docker command says that fails."""
        done = self.docker(*arguments)
        assert done.returncode != 0, done.stdout
        return done.stderr.decode().strip()

    @staticmethod
    def archive() -> bytes:
        """An image, busybox:latest, as `docker save` writes it."""
        made = images()
        return bytes(made.docker_archive([made.busybox_layer()], ["busybox:latest"]))

    def load(self) -> None:
        loaded = self.docker("load", stdin=self.archive())
        assert loaded.stdout == b"Loaded image: busybox:latest\n", loaded

    def end(self, number: int = signal.SIGTERM) -> None:
        assert self.process
        self.process.send_signal(number)
        self.process.wait(20)
        if number == signal.SIGKILL:
            Path(f"{self.root}/s").unlink()

    def close(self) -> None:
        for ident in self.docker("ps", "-aq").stdout.decode().split():
            self.docker("rm", "-f", ident)
        self.end()
        subprocess.run(["ip", "netns", "delete", self.netns], check=True)
        shutil.rmtree(self.root)


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    daemon = Daemon()
    daemon.start()
    daemon.load()
    yield daemon
    daemon.close()


@pytest.fixture(scope="session")
def daemon_class() -> type[Daemon]:
    """For daemons that a test starts itself."""
    return Daemon
