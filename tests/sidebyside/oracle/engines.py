"""The two engines: each on roots of its own, in a network namespace of its own, driven by the same client program."""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from oracle.compare import Outcome
from oracle.normal import normalised

ROOT = Path(__file__).parents[3]
PEERS = ROOT / ".venv/peers/usr"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_PATIENCE, COMMAND_PATIENCE = 40, 60

# what the script's commands can call beside programs: a terminal, a plain HTTP request, what an archive says of a path
PRELUDE = """
tty() { script -qec "$*" /dev/null; }
api() { local path=$1; shift; curl -s --unix-socket "$SOCKET" -w '\\n%{http_code}\\n' "$@" "http://localhost$path"; }
post() { local path=$1; shift; api "$path" -X POST -H 'Content-Type: application/json' "$@"; }
body() { post '/v1.45/containers/create?name=body' -d "$1" | sed 's/"Id":"[0-9a-f]*"/"Id":"ID"/'
    docker rm -f -v body >/dev/null 2>&1; true; }
begin() { post '/v1.45/containers/create?name=body' -d "$1" | tail -1; post /v1.45/containers/body/start
    docker rm -f -v body >/dev/null 2>&1; true; }
put() { local path=$1; shift; api "$path" -X PUT -H 'Content-Type: application/x-tar' "$@"; }
path_stat() { curl -sI --unix-socket "$SOCKET" -o "$W/head" -w '%{http_code}\\n' "http://localhost/v1.43/containers/$1/archive?path=$2"
    tr -d '\\r' <"$W/head" | sed -n 's/^[Xx]-[Dd]ocker-[Cc]ontainer-[Pp]ath-[Ss]tat: //p' | base64 -d; }
names() { curl -s --unix-socket "$SOCKET" "http://localhost/v1.43/containers/$1/archive?path=$2" |
    tar tvf - --full-time --utc --numeric-owner | sort -k 6; }
until_line() { for i in $(seq 100); do docker logs "$1" 2>&1 | grep -q "$2" && return; sleep 0.05; done; return 1; }
until_status() { for i in $(seq 100); do
    [ "$(docker inspect -f '{{.State.Status}}' "$1" 2>/dev/null)" = "$2" ] && return; sleep 0.05; done; return 1; }
"""


class Engine:
    """A daemon and the place its client runs in.

    Args:
        program: the daemon's command line without the options every engine gets.
        path: PATH of daemon and client.
    """

    def __init__(self, program: list[str], path: str) -> None:
        self.root = tempfile.mkdtemp(prefix="sbs", dir="/tmp")
        self.work = Path(self.root, "w")
        self.socket = f"{self.root}/s"
        self._program, self._path = program, f"{self.root}/bin:{path}"
        self._known: set[str] = set()
        self.api = ""
        for name in ("w", "h", "bin"):
            Path(self.root, name).mkdir()
        Path(self.root, "prelude").write_text(PRELUDE)
        self._link("docker", str(client()))
        self._link("docker-init", "/usr/bin/tini-static")

    def _link(self, name: str, target: str) -> None:
        if os.path.exists(target):
            Path(self.root, "bin", name).symlink_to(target)

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        namespace = ["unshare", "-n", "sh", "-c", "ip link set lo up && exec sleep infinity"]
        self._namespace = subprocess.Popen(namespace, start_new_session=True)
        self._wait_for_lo()
        options = ["-H", f"unix://{self.socket}", "--data-root", f"{self.root}/data", "--exec-root", f"{self.root}/exec"]
        command = [*self.inside(), *self._program, *options, "--pidfile", f"{self.root}/pid"]
        environment = {**os.environ, "PATH": self._path}
        with open(f"{self.root}/log", "wb") as log:
            self._daemon = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        deadline = time.monotonic() + START_PATIENCE
        while self.run("docker version").exit:
            if time.monotonic() > deadline or self._daemon.poll() is not None:
                raise RuntimeError(Path(self.root, "log").read_text()[-2000:])
            time.sleep(0.1)

    def _wait_for_lo(self) -> None:
        ours, its = "/proc/self/ns/net", f"/proc/{self._namespace.pid}/ns/net"
        shown = [*self.inside(), "ip", "link", "show", "up", "lo"]
        while os.path.samefile(ours, its) or subprocess.run(shown, capture_output=True).stdout == b"":
            time.sleep(0.02)  # until it is made, the process is in ours

    def inside(self) -> list[str]:
        """What starts a command in its network namespace."""
        return ["nsenter", f"--net=/proc/{self._namespace.pid}/ns/net"]

    def environment(self) -> dict[str, str]:
        """What commands of the script see."""
        version = {"DOCKER_API_VERSION": self.api} if self.api else {}
        return {
            "PATH": self._path, "DOCKER_HOST": f"unix://{self.socket}", "SOCKET": self.socket, "HOME": f"{self.root}/h",
            **version, "BASH_ENV": f"{self.root}/prelude", "LC_ALL": "C", "TERM": "xterm",
            "W": str(self.work),
        }  # fmt: skip

    def start_command(self, line: str, output: int) -> "subprocess.Popen[bytes]":
        """A command of the script, in a process group of its own."""
        return subprocess.Popen(
            [*self.inside(), "bash", "-c", line], cwd=self.work, env=self.environment(), stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip

    def run(self, line: str) -> Outcome:
        """Run a line of the script to its end; its outcome is normalised."""
        process = self.start_command(line, subprocess.PIPE)
        try:
            stdout, stderr = process.communicate(timeout=COMMAND_PATIENCE)
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            status = -1
        return Outcome(status, self.normalised(stdout), self.normalised(stderr))

    def normalised(self, text: bytes | str) -> str:
        """A text of this engine without what is its own."""
        shown = text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")
        return normalised(shown, self.root, self._known)

    def load(self, archive: Path, known: set[str]) -> None:
        """Give the engine the fixtures' images; `known` are the ids that both engines must show alike."""
        outcome = self.run(f"docker load -q -i {archive}")
        if outcome.exit:
            raise RuntimeError(f"{self._program[0]}: docker load: {outcome}")
        self._known = known

    @contextlib.contextmanager
    def registries(self) -> Iterator[None]:
        """The registries of tests/registries.py beside the engine: plain at 127.0.0.1:5000, TLS 5001, tokens 5002."""
        spec = importlib.util.spec_from_file_location("test_registries", ROOT / "tests/registries.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        made = module.Registries(self.inside(), range(5000, 5004))
        try:
            yield
        finally:
            made.close()

    def version(self) -> str:
        """The engine's version, and from now on the API version it is asked in."""
        answer = json.loads(subprocess.run(
            ["curl", "-s", "--unix-socket", self.socket, "http://localhost/version"], capture_output=True, check=True
        ).stdout)  # fmt: skip
        self.api = answer["ApiVersion"]
        return str(answer["Version"])

    def close(self) -> None:
        """End the daemon and remove all it had."""
        self.run("docker rm -f -v $(docker ps -aq)")
        self._daemon.terminate()
        try:
            self._daemon.wait(30)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
        self._namespace.kill()
        self._namespace.wait()
        self._unmount()
        shutil.rmtree(self.root, ignore_errors=True)

    def _unmount(self) -> None:
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for point in sorted((point for point in mounts if point.startswith(self.root + "/")), reverse=True):
            subprocess.run(["umount", "-l", point], check=False)


def client() -> Path:
    """The docker client for both: the one unpacked by scripts/peers, else the installed one."""
    unpacked = PEERS / "bin/docker"
    return unpacked if unpacked.exists() else Path(shutil.which("docker") or "/usr/bin/docker")


def dockerd() -> str | None:
    """The reference's program: the one unpacked by scripts/peers unless SIDEBYSIDE_INSTALLED is set, else the installed."""
    unpacked = PEERS / "sbin/dockerd"
    if unpacked.exists() and not os.environ.get("SIDEBYSIDE_INSTALLED"):
        return str(unpacked)
    return shutil.which("dockerd", path=SYSTEM_PATH)


def reference(*through: str) -> Engine:
    """A real dockerd, which starts a containerd of its own; started by the command `through`, if one is given."""
    program = dockerd()
    if not program:
        raise RuntimeError("dockerd is not installed")
    unpacked = f"{PEERS}/bin:{PEERS}/sbin:" if program.startswith(str(PEERS)) else ""
    return Engine([*through, program, "--group", "root"], unpacked + SYSTEM_PATH)


def ours(*through: str, options: Sequence[str] = ()) -> Engine:
    """Dockwright, from this checkout; started by the command `through`, if one is given, with more `options`."""
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from dockwright.daemon.main import main; sys.exit(main())"
    return Engine([*through, sys.executable, "-c", code, "--live-restore=false", "--group", "root", *options], SYSTEM_PATH)
