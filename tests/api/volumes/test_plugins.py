"""Volumes of a plug-in, as docker's client makes, uses and removes them.

The daemon sees a /run/docker/plugins of its own: every Docker on this host asks the plug-ins in the host's for their
volumes, and one that removes all volumes it is told of (tests/sidebyside does) would remove these.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).parents[2] / "volume_plugin.py"


class Toy:
    """tests/volume_plugin.py, in the place where its daemon looks for plug-ins."""

    def __init__(self, directory: Path, place: Path) -> None:
        self.name, self.directory = "dwtoy", directory
        self.socket = str(place / "dwtoy.sock")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, str(PLUGIN), self.socket, str(self.directory)])
        deadline = time.monotonic() + 10
        while not os.path.exists(self.socket):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        Path(self.socket).unlink()

    @property
    def asked(self) -> list[str]:
        return (self.directory / "asked").read_text().splitlines()


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the daemon sees as /run/docker/plugins."""
    return tmp_path_factory.mktemp("plugins")


@pytest.fixture(scope="module")
def daemon(daemon_class: Any, plugins: Path) -> Iterator[Any]:
    made = daemon_class()
    shown = f"mkdir -p /run/docker; mount -t tmpfs plugins /run/docker; ln -s {plugins} /run/docker/plugins; "
    made.through = ["unshare", "-m", "sh", "-ec", shown + 'exec "$@"', "sh"]
    made.start()
    made.load()
    yield made
    made.close()


@pytest.fixture
def toy(daemon: Any, tmp_path: Path, plugins: Path) -> Iterator[Toy]:
    made = Toy(tmp_path, plugins)
    try:
        yield made
        _forget(daemon, made)
    finally:
        made.end()


def _forget(daemon: Any, made: Toy) -> None:
    """Remove what has volumes of the plug-in, and these."""
    for ident in daemon.docker("ps", "-aq").stdout.decode().split():
        daemon.docker("rm", "-f", ident)
    for name in daemon.docker("volume", "ls", "-q", "--filter", f"driver={made.name}").stdout.decode().split():
        for file in (made.directory / name).glob("*"):
            file.unlink()
        daemon.docker("volume", "rm", name)


def users(daemon: Any, volume: str) -> int:
    """How many containers the plug-in has mounted a volume for."""
    shown = daemon.docker("volume", "inspect", volume)
    assert shown.returncode == 0, shown.stderr
    found: int = json.loads(shown.stdout)[0]["Status"]["users"]
    return found


def run(daemon: Any, *arguments: str) -> Any:
    return daemon.docker("run", "--rm", "--network", "none", *arguments)


def test_a_volume_over_its_life(daemon: Any, toy: Toy) -> None:
    made = daemon.docker("volume", "create", "-d", toy.name, "-o", "colour=red", "--label", "a=b", "things")
    assert made.stdout == b"things\n", made.stderr
    shown = json.loads(daemon.docker("volume", "inspect", "things").stdout)[0]
    assert shown["Driver"] == toy.name and shown["Scope"] == "global" and shown["Options"] == {"colour": "red"}
    assert shown["Mountpoint"] == f"{toy.directory}/things" and shown["Status"] == {"users": 0}
    assert daemon.docker("volume", "ls", "--filter", f"driver={toy.name}", "--format", "{{.Name}}").stdout == b"things\n"
    assert toy.name in json.loads(daemon.docker("info", "--format", "{{json .Plugins.Volume}}").stdout)

    assert run(daemon, "-v", "things:/t", "busybox", "sh", "-c", "echo kept > /t/file").returncode == 0
    assert (toy.directory / "things/file").read_text() == "kept\n"
    refused = daemon.docker("volume", "rm", "things")
    assert b"remove things: VolumeDriver.Remove: it is not empty" in refused.stderr
    assert run(daemon, "-v", "things:/t", "busybox", "cat", "/t/file").stdout == b"kept\n"
    (toy.directory / "things/file").unlink()
    assert daemon.docker("volume", "rm", "things").stdout == b"things\n"
    assert not (toy.directory / "things").exists()
    calls = [line.split()[0].partition(".")[2] for line in toy.asked]
    assert calls == [
        "Activate", "Capabilities", "Create", "Path", "Get", "List", "Mount", "Unmount", "Remove", "Mount", "Unmount", "Remove"
    ]  # fmt: skip


def test_each_container_mounts_for_itself(daemon: Any, toy: Toy) -> None:
    for name in ("one", "two"):
        options = ["-d", "--name", name, "--mount", f"source=shared,target=/t,volume-driver={toy.name}"]
        assert daemon.docker("run", "--network", "none", *options, "busybox", "sleep", "100").returncode == 0
    shown = json.loads(daemon.docker("inspect", "one").stdout)[0]["Mounts"][0]
    assert (shown["Driver"], shown["Source"]) == (toy.name, f"{toy.directory}/shared")
    assert users(daemon, "shared") == 2
    daemon.docker("rm", "-f", "one")
    assert users(daemon, "shared") == 1


def test_what_the_image_has_is_copied(daemon: Any, toy: Toy) -> None:
    assert run(daemon, "-v", "copied:/etc", "--volume-driver", toy.name, "busybox", "true").returncode == 0
    assert (toy.directory / "copied/passwd").exists()


def test_refusals(daemon: Any, toy: Toy) -> None:
    failed = daemon.docker("volume", "create", "-d", toy.name, "-o", "fail=1", "no")
    assert failed.stderr == b"Error response from daemon: create no: VolumeDriver.Create: no room for it\n"
    assert b"no such volume" in daemon.docker("volume", "inspect", "no").stderr
    nobody = daemon.docker("volume", "create", "-d", "nobody", "no")
    text = b'create no: error looking up volume plugin nobody: plugin "nobody" not found'
    assert text in nobody.stderr
    daemon.docker("volume", "create", "-d", toy.name, "mine")
    other = daemon.docker("volume", "create", "-d", "local", "mine")
    assert f"driver '{toy.name}' already has volume 'mine': volume name must be unique".encode() in other.stderr
    broken = run(daemon, "-v", "my-broken:/t", "--volume-driver", toy.name, "busybox", "true")
    assert broken.returncode == 125 and b"VolumeDriver.Mount: its disk is broken" in broken.stderr


def test_a_plugin_that_is_gone_and_comes_back(daemon: Any, toy: Toy) -> None:
    daemon.docker("volume", "create", "-d", toy.name, "kept")
    toy.end()
    gone = daemon.docker("volume", "inspect", "kept")
    assert gone.returncode == 1 and b"connect: no such file or directory" in gone.stderr
    assert run(daemon, "busybox", "echo", "still here").stdout == b"still here\n"
    toy.start()
    assert run(daemon, "-v", "kept:/t", "busybox", "touch", "/t/a").returncode == 0


def test_after_a_restart_of_the_daemon(daemon: Any, toy: Toy) -> None:
    options = ["-d", "--name", "held", "-v", "held:/t", "--volume-driver", toy.name]
    assert daemon.docker("run", "--network", "none", *options, "busybox", "sleep", "100").returncode == 0
    daemon.end()
    daemon.start()
    assert users(daemon, "held") == 1
    daemon.docker("rm", "-f", "held")
    assert users(daemon, "held") == 0


def listed(daemon: Any, *filters: str) -> list[str]:
    options = [word for text in filters for word in ("--filter", text)]
    return [str(line) for line in daemon.docker("volume", "ls", "-q", *options).stdout.decode().split()]


def test_volumes_that_only_the_plugin_knows(daemon: Any, toy: Toy) -> None:
    for name in ("elsewhere", "used", "unused"):
        (toy.directory / name).mkdir()
    (toy.directory / "used/file").write_text("theirs")
    daemon.docker("volume", "create", "here")
    assert listed(daemon) == ["elsewhere", "here", "unused", "used"]
    assert listed(daemon, "driver=local") == ["here"]
    assert listed(daemon, f"driver={toy.name}", "name=use") == ["unused", "used"]
    assert listed(daemon, "dangling=false") == []
    shown = json.loads(daemon.docker("volume", "inspect", "elsewhere").stdout)[0]
    assert shown == {
        "CreatedAt": "0001-01-01T00:00:00Z", "Driver": toy.name, "Labels": None, "Mountpoint": f"{toy.directory}/elsewhere",
        "Name": "elsewhere", "Options": None, "Scope": "global", "Status": {"users": 0},
    }  # fmt: skip
    assert run(daemon, "-v", "used:/t", "busybox", "cat", "/t/file").stdout == b"theirs"
    assert daemon.docker("volume", "rm", "unused", "here").stdout == b"unused\nhere\n"
    assert not (toy.directory / "unused").exists()
    assert "no such volume" in daemon.docker("volume", "rm", "unused").stderr.decode()
    (toy.directory / "elsewhere").rmdir()
    assert listed(daemon) == ["used"], "what the plug-in lists no more has gone"


def test_a_plugin_that_hangs_holds_up_no_list_for_ever(daemon: Any, toy: Toy, plugins: Path) -> None:
    daemon.docker("volume", "create", "-d", toy.name, "quick")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(plugins / "silent.sock"))
        silent.listen(16)
        try:
            begun = time.monotonic()
            assert listed(daemon) == ["quick"]
            assert time.monotonic() - begun < 25, "the deadline of other requests to plug-ins is 30 s"
            command = ["curl", "-s", "--unix-socket", f"{daemon.root}/s", "http://d/v1.47/volumes"]
            answer = json.loads(subprocess.run(command, capture_output=True, timeout=30, check=True).stdout)
            assert answer["Warnings"] == ["list silent: no answer within 5 s"]
        finally:
            (plugins / "silent.sock").unlink()
