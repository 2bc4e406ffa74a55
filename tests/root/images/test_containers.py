"""A container's life on each storage driver, by the docker client: run, exec, diff, commit, restarts, also of the daemon, rm."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dockwright.images import snapshotters

SOURCE = Path(__file__).parents[3] / "src"


class Daemon:
    """A daemon on a data root of a driver's."""

    def __init__(self, data: Path, driver: str, options: dict[str, str]) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="dwd"))
        self.flags = ["--data-root", str(data), "--exec-root", f"{self.place}/e", "-s", driver]
        self.flags += ["--bridge", "none", "--iptables=false"]
        self.flags += [part for name, value in options.items() for part in ("--storage-opt", f"{name}={value}")]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        code = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); from dockwright.daemon.main import main; sys.exit(main())"
        own = ["-H", f"unix://{self.place}/s", "--pidfile", f"{self.place}/p", "--config-file", f"{self.place}/c"]
        Path(self.place, "c").write_text("{}")
        with open(f"{self.place}/log", "ab") as log:
            command = ["unshare", "-n", sys.executable, "-c", code, *own, *self.flags]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not os.path.exists(f"{self.place}/s") or self.docker("version", check=False).returncode:
            assert time.monotonic() < deadline and self.process.poll() is None, Path(f"{self.place}/log").read_text()
            time.sleep(0.05)

    def docker(self, *arguments: str, check: bool = True, stdin: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
        command = ["docker", "-H", f"unix://{self.place}/s", *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
        assert not check or done.returncode == 0, (arguments, done)
        return done

    def said(self, *arguments: str) -> str:
        return self.docker(*arguments).stdout.decode().strip()

    def ask(self, method: str, path: str) -> Any:
        """A document of the API."""
        command = ["curl", "-s", "-X", method, "--unix-socket", f"{self.place}/s", f"http://d{path}"]
        return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)

    def end(self, number: int = signal.SIGTERM) -> None:
        assert self.process
        self.process.send_signal(number)
        self.process.wait(30)
        if number == signal.SIGKILL:
            Path(self.place, "s").unlink()


@pytest.fixture(params=sorted(snapshotters.DRIVERS))
def daemon(request: pytest.FixtureRequest, disk: Any, peer: Callable[[str], str], images: Any) -> Iterator[Daemon]:
    peer("docker")
    peer("curl")
    data, options = disk(request.param)
    daemon = Daemon(data / "data", request.param, options)
    daemon.start()
    try:
        top = images.tar([("etc/.wh.group", b"0", b"", 0o644), ("big", b"0", b"x" * (1 << 20), 0o644)])
        daemon.docker("load", stdin=images.docker_archive([images.busybox_layer(), top], ["busybox:latest"]))
        yield daemon
        for ident in daemon.said("ps", "-aq").split():
            daemon.docker("rm", "-f", ident)
        daemon.docker("rmi", "-f", "busybox")
    finally:
        daemon.end()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(daemon.place)


def test_a_containers_life(daemon: Daemon) -> None:
    said = daemon.said
    driver = said("info", "-f", "{{.Driver}}")
    said("run", "-d", "--name", "cc", "busybox", "sleep", "1000")
    assert said("inspect", "-f", "{{.Driver}} {{.GraphDriver.Name}}", "cc") == f"{driver} {driver}"
    said("exec", "cc", "sh", "-c", "echo one >/new && rm /etc/passwd && ls /big && ! ls /etc/group")
    diff = ["A /new", "C /etc", "D /etc/passwd"]
    assert sorted(said("diff", "cc").splitlines()) == diff
    said("commit", "cc", "committed")
    seen = said("run", "--rm", "committed", "sh", "-c", "cat /new; ls /etc /big")
    assert seen == "one\n/big\n\n/etc:\nhostname\nhosts\nmtab\nresolv.conf"
    said("rmi", "committed")
    assert said("ps", "-s", "--format", "{{.Size}}").startswith("4B")
    assert daemon.ask("POST", "/dockwright/v1/system/check") == {"Findings": []}
    assert daemon.ask("GET", "/dockwright/v1/system/disk")["Unowned"] == []
    said("restart", "-t", "0", "cc")
    assert said("exec", "cc", "cat", "/new") == "one"
    daemon.end(signal.SIGKILL)
    daemon.start()
    assert said("exec", "cc", "cat", "/new") == "one"
    said("stop", "-t", "0", "cc")
    assert sorted(said("diff", "cc").splitlines()) == diff
    assert said("run", "--rm", "-v", "/data", "busybox", "sh", "-c", "echo x >/y; cat /y; ls /") .startswith("x\nbig\nbin\n")
    daemon.end()
    daemon.start()
    said("start", "cc")
    assert said("exec", "cc", "cat", "/new") == "one"
    said("rm", "-f", "cc")
    assert said("ps", "-aq") == ""
    assert daemon.docker("run", "--rm", "busybox", "cat", "/new", check=False).returncode == 1
