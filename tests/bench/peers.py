"""The engines that are timed: each on roots of its own, in a network namespace of its own, driven by the same client."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv/bin"
PEERS = ROOT / ".venv/peers/usr"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 40


class Engine:
    """A daemon under test.

    Args:
        name: shown in the report. program: its command line but for roots and socket. path: its PATH.
    """

    def __init__(self, name: str, program: list[str], path: str = SYSTEM_PATH) -> None:
        self.name, self._program, self._path = name, program, path
        self.root = tempfile.mkdtemp(prefix="dwb", dir="/tmp")
        self.host = f"unix://{self.root}/s"
        self.netns = Path(self.root).name

    def start(self) -> None:
        """Start it and load the image."""
        subprocess.run(["ip", "netns", "add", self.netns], check=True)
        inside = ["nsenter", f"--net=/run/netns/{self.netns}"]
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        roots = ["--data-root", f"{self.root}/data", "--exec-root", f"{self.root}/exec", "--pidfile", f"{self.root}/pid"]
        with open(f"{self.root}/log", "wb") as log:
            self._daemon = subprocess.Popen(
                [*inside, *self._program, "-H", self.host, *roots], stdout=log, stderr=log,
                env={**os.environ, "PATH": self._path}, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while self.docker("version").returncode:
            if time.monotonic() > deadline or self._daemon.poll() is not None:
                raise RuntimeError(f"{self.name} did not start: {Path(self.root, 'log').read_text()[-1500:]}")
            time.sleep(0.1)
        self.docker("load", stdin=archive())

    def docker(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """Run the docker client against it."""
        return subprocess.run([client(), "-H", self.host, *arguments], input=stdin, capture_output=True, check=False)

    def version(self) -> str:
        """What it says it is."""
        return json.loads(self.docker("version", "--format", "{{json .Server}}").stdout)["Version"]

    def pids(self) -> list[int]:
        """The daemon and all its descendants but those inside containers."""
        found, todo = [], [int(Path(self.root, "pid").read_text())]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += children(pid)
        return found

    def close(self) -> None:
        """End it; nothing is left."""
        idents = self.docker("ps", "-aq").stdout.decode().split()
        if idents:
            self.docker("rm", "-f", *idents)
        self._daemon.terminate()
        self._daemon.wait(30)
        for point in mounts_below(self.root):
            subprocess.run(["umount", "-l", point], check=False)
        subprocess.run(["ip", "netns", "delete", self.netns], check=True)
        shutil.rmtree(self.root, ignore_errors=True)


def client() -> str:
    """The docker client that drives all of them."""
    return shutil.which("docker") or str(PEERS / "bin/docker")


def children(pid: int) -> list[int]:
    """The children of a process (proc(5), task/TID/children)."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (thread / "children").read_text().split())
    return found


def mounts_below(root: str) -> list[str]:
    """Mount points below a folder, deepest first."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(root + "/")), reverse=True)


def archive() -> bytes:
    """A docker-archive of the busybox image."""
    sys.path.insert(0, str(ROOT / "tests"))
    import images

    return images.docker_archive([images.busybox_layer()], ["busybox:latest"])


def ours() -> Engine:
    """Dockwright, from this checkout."""
    return Engine("dockwright", [str(BIN / "dockwrightd")])


def dockerds() -> list[Engine]:
    """The real dockerds that are here: the system's, and the newer one unpacked by scripts/peers."""
    found = []
    if os.path.exists("/usr/sbin/dockerd"):
        found.append(Engine("dockerd", ["/usr/sbin/dockerd"]))
    if (PEERS / "sbin/dockerd").exists():
        path = f"{PEERS}/bin:{PEERS}/sbin:{SYSTEM_PATH}"
        found.append(Engine("dockerd-new", [str(PEERS / "sbin/dockerd")], path))
    return found
