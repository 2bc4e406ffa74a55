"""The daemon around images: killed in the middle of a load, left by its client, on vfs, beside a real dockerd."""

import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__)


@pytest.fixture
def own(request: pytest.FixtureRequest, daemon_class: Any) -> Iterator[Any]:
    """A daemon for one test, with the flags it is parametrized by."""
    daemon = daemon_class(*getattr(request, "param", ()))
    daemon.start()
    yield daemon
    daemon.close()


@pytest.fixture(scope="module")
def big(images: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive whose load takes a while: 60 MiB, 12,000 files."""
    entries = [(f"d{n % 50}/f{n}", tarfile.REGTYPE, os.urandom(5000), 0o644) for n in range(6000)]
    layers = [images.tar(entries), images.tar([(f"e/{n}", tarfile.REGTYPE, os.urandom(5000), 0o644) for n in range(6000)])]
    path = tmp_path_factory.mktemp("big") / "big.tar"
    path.write_bytes(images.docker_archive(layers, ["big:1"]))
    return path


def left(daemon: Any) -> list[str]:
    """What is on disk of layers, blobs and what is on its way."""
    data = Path(daemon.root, "data")
    places = ("overlay2/*", "content/blobs/sha256/*", "content/ingest/*", "trash/*")
    return [str(path) for place in places for path in data.glob(place) if path.name != "l"]


@pytest.mark.parametrize(
    ("delay", "number"), [(0.05, signal.SIGKILL), (0.3, signal.SIGKILL), (0.7, signal.SIGKILL), (0.4, signal.SIGTERM)]
)
def test_a_daemon_ended_in_the_middle_of_a_load(own: Any, big: Path, delay: float, number: signal.Signals) -> None:
    before = left(own)
    client = subprocess.Popen(["docker", "-H", own.host, "load", "-i", str(big)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(delay)
    own.end(number)
    client.communicate(timeout=20)
    own.start()
    if not own.docker("images", "-q").stdout:
        assert left(own) == before
    assert own.docker("load", "-i", str(big)).stdout == b"Loaded image: big:1\n"
    assert own.docker("rmi", "big:1").returncode == 0
    assert left(own) == before


def test_a_client_that_goes_away_in_the_middle_of_a_load(own: Any, big: Path) -> None:
    data = big.read_bytes()
    client = subprocess.Popen(["docker", "-H", own.host, "load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdin
    client.stdin.write(data[: len(data) // 2])
    client.stdin.flush()
    client.kill()
    client.communicate()
    deadline = time.monotonic() + 10
    while left(own):
        assert time.monotonic() < deadline, left(own)
        time.sleep(0.05)
    assert own.docker("images", "-q").stdout == b""


def test_the_daemon_answers_during_a_load(own: Any, big: Path) -> None:
    took: list[float] = []
    done = threading.Event()

    def ask() -> None:
        from docker import APIClient  # type: ignore[import-untyped]

        client = APIClient(base_url=f"unix://{own.root}/s", version="1.43")
        while not done.is_set():
            began = time.monotonic()
            client.ping()
            took.append(time.monotonic() - began)
        client.close()

    asker = threading.Thread(target=ask)
    asker.start()
    loaded = own.docker("load", "-i", str(big))
    done.set()
    asker.join()
    assert loaded.returncode == 0
    assert len(took) > 50
    assert sorted(took)[len(took) // 2] < 0.05


def test_loads_and_deletes_at_once(own: Any, images: Any) -> None:
    shared = images.tar([("shared", tarfile.REGTYPE, b"x" * 100_000, 0o644)])
    archives = [
        images.docker_archive([shared, images.tar([(f"f{n}", tarfile.REGTYPE, b"y", 0o644)])], [f"many:{n}"]) for n in range(6)
    ]

    def work(number: int) -> None:
        for _ in range(4):
            assert own.docker("load", stdin=archives[number]).stdout == f"Loaded image: many:{number}\n".encode()
            assert own.docker("rmi", f"many:{number}").returncode == 0

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert own.docker("images", "-aq").stdout == b""
    assert left(own) == []


@pytest.mark.parametrize("own", [("--storage-driver", "vfs")], indirect=True)
def test_vfs_from_end_to_end(own: Any, images: Any) -> None:
    layers = [images.busybox_layer(), images.tar([("etc/.wh.group", tarfile.REGTYPE, b"", 0o644)])]
    assert own.docker("load", stdin=images.docker_archive(layers, ["busybox:latest"])).returncode == 0
    assert own.docker("info", "-f", "{{.Driver}}").stdout == b"vfs\n"
    run = ["run", "--rm", "--network", "none", "busybox", "sh", "-c", "ls /etc; touch /new && ls /new; id -u"]
    out = own.docker(*run)
    assert out.stdout == b"hostname\nhosts\nmtab\npasswd\nresolv.conf\n/new\n0\n", out
    again = own.docker("run", "--rm", "--network", "none", "busybox", "ls", "/new")
    assert again.returncode == 1
    volume = ["-v", "kept:/etc", "-w", "/made"]
    copied = own.docker("run", "--rm", "--network", "none", *volume, "busybox", "sh", "-c", "pwd; ls /etc")
    assert copied.stdout == b"/made\nhostname\nhosts\nmtab\npasswd\nresolv.conf\n", copied
    assert own.docker("volume", "rm", "kept").returncode == 0
    assert own.docker("rmi", "busybox").returncode == 0
    deadline = time.monotonic() + 10
    while os.listdir(f"{own.root}/data/vfs/dir"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_unknown_storage_driver_ends_the_daemon(daemon_class: Any) -> None:
    daemon = daemon_class("--storage-driver", "aufs")
    with pytest.raises(AssertionError, match="driver not supported"):
        daemon.start()
    subprocess.run(["ip", "netns", "delete", daemon.netns], check=True)
    shutil.rmtree(daemon.root)


class RealDocker:
    """A dockerd of its own, without a network."""

    def __init__(self, program: str) -> None:
        self.root = tempfile.mkdtemp(prefix="dkr")
        self.netns = os.path.basename(self.root)
        subprocess.run(["ip", "netns", "add", self.netns], check=True)
        roots = ["--data-root", f"{self.root}/data", "--exec-root", f"{self.root}/exec", "--pidfile", f"{self.root}/pid"]
        network = ["--iptables=false", "--bridge=none"]
        log = open(f"{self.root}/log", "wb")
        command = ["nsenter", f"--net=/run/netns/{self.netns}", program, *roots, *network, "-H", f"unix://{self.root}/s"]
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()

    def docker(self, *arguments: str, stdin: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
        command = ["docker", "-H", f"unix://{self.root}/s", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)

    def ready(self) -> bool:
        deadline = time.monotonic() + 30
        while self.docker("version").returncode:
            if time.monotonic() > deadline or self.process.poll() is not None:
                return False
            time.sleep(0.1)
        return True

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        subprocess.run(["ip", "netns", "delete", self.netns], check=True)
        subprocess.run(["rm", "-rf", self.root], check=True)


@pytest.fixture
def real(peer: Any) -> Iterator[RealDocker]:
    engine = RealDocker(peer("dockerd"))
    if not engine.ready():
        log = Path(engine.root, "log").read_text()
        engine.close()
        pytest.skip(f"dockerd does not start here: {log[-300:]}")
    yield engine
    engine.close()


def test_a_real_dockerd_reads_what_we_save_and_we_what_it_saves(daemon: Any, real: RealDocker) -> None:
    form = ["-f", "{{.Id}} {{.Size}} {{.RootFS.Layers}} {{.RepoTags}} {{.Created}} {{.Config.Cmd}} {{.Comment}}"]
    ours = daemon.docker("image", "inspect", *form, "busybox").stdout
    assert real.docker("load", stdin=daemon.docker("save", "busybox").stdout).stdout == b"Loaded image: busybox:latest\n"
    assert real.docker("image", "inspect", *form, "busybox").stdout == ours
    back = real.docker("save", "busybox").stdout
    real.docker("rmi", "busybox")
    assert daemon.docker("load", stdin=back).stdout == b"Loaded image: busybox:latest\n"
    assert daemon.docker("image", "inspect", *form, "busybox").stdout == ours
