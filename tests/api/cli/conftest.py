"""A real dockerd on roots of its own, and both clients on it."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OURS = str(ROOT / ".venv/bin/dockwright")
PATIENCE = 40
Outcome = tuple[int, str, str]


def _images():  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location("test_images", ROOT / "tests/images.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Peer:
    """A dockerd in a network namespace of its own."""

    def __init__(self) -> None:
        self.root = tempfile.mkdtemp(prefix="dwp")
        self.host = f"unix://{self.root}/s"
        script = (
            "ip link set lo up; exec dockerd -H $0/s --data-root $0/data --exec-root $0/exec --pidfile $0/pid --group root "
            '--config-file $0/none.json >"$1/log" 2>&1'
        ).replace("-H $0", "-H unix://$0")
        Path(self.root, "none.json").write_text("{}")
        self._daemon = subprocess.Popen(["unshare", "-n", "sh", "-c", script, self.root, self.root], start_new_session=True)
        deadline = time.monotonic() + PATIENCE
        while self.run("docker", "version")[0]:
            assert time.monotonic() < deadline and self._daemon.poll() is None, Path(self.root, "log").read_text()[-2000:]
            time.sleep(0.1)

    def run(self, program: str, line: str, stdin: bytes = b"", timeout: float = 30) -> Outcome:
        """Run a client; its outcome without what is the client's own."""
        done = subprocess.run(
            [program, *shlex.split(line)], input=stdin, capture_output=True, timeout=timeout, check=False, cwd=self.root,
            env={"DOCKER_HOST": self.host, "HOME": f"{self.root}/home", "PATH": os.environ["PATH"]},
        )  # fmt: skip
        return done.returncode, normal(done.stdout), normal(done.stderr)

    def both(self, line: str, stdin: bytes = b"") -> tuple[Outcome, Outcome]:
        """docker's outcome and ours."""
        return self.run("docker", line, stdin), self.run(OURS, line, stdin)

    def close(self) -> None:
        """End it and remove all it had."""
        ids = self.run_raw("ps -aq").split()
        if ids:
            self.run_raw(f"rm -f -v {' '.join(ids)}")
        self._daemon.terminate()
        self._daemon.wait(30)
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            if line.split()[1].startswith(self.root + "/"):
                subprocess.run(["umount", "-l", line.split()[1]], check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def run_raw(self, line: str, stdin: bytes = b"") -> str:
        """Output of docker as it is."""
        command = ["docker", "-H", self.host, *shlex.split(line)]
        return subprocess.run(command, input=stdin, capture_output=True, check=False).stdout.decode()


def normal(text: bytes) -> str:
    """Without our name, and without ids and ages that two runs cannot share."""
    shown = text.decode("utf-8", "replace").replace("dockwright", "docker")
    shown = re.sub(r"\b[0-9a-f]{64}\b", "ID", shown)
    shown = re.sub(r"(HOSTNAME=|docker-import-)\w+", r"\1X", shown)
    shown = re.sub(r"^( Version:    ).*$", r"\1X", shown, count=1, flags=re.M)  # the client's own in info
    return re.sub(r"(\d+|About a) (second|minute)s?", "AGE", re.sub(r"Less than a second", "AGE", shown))


@pytest.fixture(scope="session")
def docker28() -> None:
    """Our words and requests are those of docker's client 28; another one's differ."""
    version = subprocess.run(["docker", "--version"], capture_output=True, text=True, check=True).stdout
    if not version.startswith("Docker version 28."):
        pytest.skip(f"our texts are those of docker's client 28, here is {version.strip()}")


@pytest.fixture(scope="session")
def peer(request: pytest.FixtureRequest, docker28: None) -> Iterator[Peer]:
    report = pytest.fail if request.config.getoption("--require-peers") else pytest.skip
    if not shutil.which("dockerd") or not shutil.which("containerd"):
        report("needs a real dockerd: scripts/setup --peers")
    peer = Peer()
    made = _images()
    peer.run_raw("load", made.docker_archive([made.busybox_layer()], ["busybox:latest"]))
    for line in (
        "run -d --name web -p 127.0.0.1:8080:80 -p 9000-9002:9000-9002/udp --expose 7000-7002 -v vol1:/data --label a=b "
        "--label c=d --health-cmd true --health-interval 1h busybox sleep 1000",
        "create --name made busybox true",
        "run --name ended busybox sh -c 'echo out; echo \"é\" >&2; exit 3'",
        "volume create --label x=y v2", "tag busybox other/name:v1",
    ):  # fmt: skip
        peer.run_raw(line)
    yield peer
    peer.close()
