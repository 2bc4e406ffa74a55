"""The demonstration's daemon, on roots of its own, and the command line that drives it."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from place import Host, Namespace

BIN = Path(__file__).parents[1] / ".venv/bin"
PATIENCE = 20.0


@dataclass
class Done:
    """How a command ended: its status, what it printed, and milliseconds it took."""

    status: int
    out: str
    err: str
    took: float


class Engine:
    """One daemon.

    Args:
        root: a folder of its own. place: where it has its network.
    """

    def __init__(self, root: str, place: Host | Namespace) -> None:
        self.root, self.place = root, place
        self.data_root = f"{root}/data"
        self.host = f"unix://{root}/s"
        self.idents: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The daemon's process."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it does not; what its log says.
        """
        arguments = ["-H", self.host, "--data-root", self.data_root, "--exec-root", f"{self.root}/exec"]
        arguments += ["--pidfile", f"{self.root}/pid", "--config-file", f"{self.root}/daemon.json"]
        Path(self.root, "daemon.json").write_text("{}")
        with open(f"{self.root}/log", "ab") as log:
            command = [*self.place.inside, str(BIN / "dockwrightd"), *arguments]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while self.docker("version").status:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the daemon did not start:\n{self.log()}")
            time.sleep(0.02)

    def docker(self, *words: str, stdin: bytes | None = None, program: str = "", patience: float = 60) -> Done:
        """Run our command line, or `program`, against it, for `patience` seconds at most."""
        began = time.perf_counter()
        argv = [program or str(BIN / "dockwright"), *words]
        options = {"input": stdin, "capture_output": True, "env": self.environment(), "timeout": patience, "check": False}
        try:
            done = subprocess.run(argv, **options)
        except subprocess.TimeoutExpired:
            return Done(-1, "", f"{' '.join(words)}: no end within {patience:.0f} s", patience * 1000)
        took = (time.perf_counter() - began) * 1000
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"), took)

    def environment(self) -> dict[str, str]:
        """What a user would have exported: our socket; no configuration of theirs is read."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
        return {**kept, "DOCKER_HOST": self.host, "HOME": f"{self.root}/home"}

    def remember(self) -> None:
        """Note the ids of all containers there have been: what is left of one is found by its id."""
        now = str(int(time.time()) + 1)
        told = self.docker("events", "--since", "0", "--until", now, "-f", "event=create", "--format", "{{.ID}}")
        self.idents.update(told.out.split())

    def kill(self) -> None:
        """SIGKILL, as if it had crashed; its containers go on."""
        self.remember()
        self._end(signal.SIGKILL)
        os.unlink(f"{self.root}/s")

    def close(self) -> None:
        """Remove every container, end it, and take its network and its files away."""
        if self._process and self._process.poll() is None:
            self.remember()
            if left := self.docker("ps", "-aq").out.split():
                self.docker("rm", "-f", "-v", *left)
            self._end(signal.SIGTERM)

    def remove(self) -> None:
        """Take away what it made: its bridge, and its folder."""
        self.place.close(self.data_root)
        shutil.rmtree(self.root, ignore_errors=True)

    def log(self) -> str:
        """The last lines of its log."""
        path = Path(self.root, "log")
        return "\n".join(path.read_text().splitlines()[-12:]) if path.exists() else ""

    def _end(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise RuntimeError(f"the daemon did not end:\n{self.log()}") from None
