"""Checkpoints as docker's client sees them, and the experimental mode that has them."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests import criu

COUNT = "while :; do i=$((i+1)); echo $i; sleep 0.1; done"
STATE = "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}"


@pytest.fixture(scope="module")
def engine() -> Iterator["Engine"]:
    reason = criu.missing()
    if reason:
        pytest.skip(reason)
    from tests.api.conftest import Daemon

    before = os.environ["PATH"]
    os.environ["PATH"] = f"{criu.PLACE}:{before}"
    daemon = Daemon("--experimental")
    try:
        daemon.start()
        daemon.load()
        yield Engine(daemon)
    finally:
        daemon.close()
        os.environ["PATH"] = before


class Engine:
    def __init__(self, daemon: object) -> None:
        self.daemon = daemon

    def __call__(self, *words: str) -> str:
        done = self.daemon.docker(*words)  # type: ignore[attr-defined]
        assert not done.returncode, done
        return done.stdout.decode().strip()

    def refused(self, *words: str) -> str:
        done = self.daemon.docker(*words)  # type: ignore[attr-defined]
        assert done.returncode == 1, done
        return done.stderr.decode().strip().removeprefix("Error response from daemon: ")

    def state(self, name: str) -> str:
        return self("inspect", "--format", STATE, name)

    def numbers(self, name: str) -> list[int]:
        return [int(line) for line in self("logs", name).split()]


@pytest.fixture
def name(engine: Engine, request: pytest.FixtureRequest) -> Iterator[str]:
    name = request.node.name.replace("_", "-")
    yield name
    engine.daemon.docker("rm", "-f", name)  # type: ignore[attr-defined]


def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_a_container_goes_on_from_a_checkpoint(engine: Engine, name: str, tmp_path: Path) -> None:
    shared = f"{tmp_path}:/shared"
    script = f"echo kept > /file; exec 5</file; {COUNT}"
    engine("run", "-d", "--name", name, "-v", shared, "--restart", "always", "--memory", "64m", "busybox", "sh", "-c", script)
    eventually(lambda: len(engine.numbers(name)) > 2)
    assert engine("checkpoint", "create", name, "one") == "one"
    assert engine.state(name) == "exited 137"
    assert engine("checkpoint", "ls", name).split() == ["CHECKPOINT", "NAME", "one"]
    last = engine.numbers(name)[-1]
    assert engine("start", "--checkpoint", "one", name) == ""
    eventually(lambda: engine.numbers(name)[-1] > last + 2)
    found = engine.numbers(name)
    assert found == list(range(1, len(found) + 1)), "each once, in order"
    assert engine.state(name) == "running 0"
    address = engine("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)
    assert f"inet {address}/" in engine("exec", name, "ip", "address", "show", "eth0")
    inside = engine.daemon.inside  # type: ignore[attr-defined]
    assert not subprocess.run([*inside, "busybox", "ping", "-c1", "-W9", address], capture_output=True, check=False).returncode
    assert engine("exec", name, "readlink", "/proc/1/fd/5") == "/file"
    pid = engine("inspect", "--format", "{{.State.Pid}}", name)
    assert engine("inspect", "--format", "{{.Id}}", name) in Path(f"/proc/{pid}/cgroup").read_text()
    shim = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert Path(f"/proc/{shim}/comm").read_text() == "dockwright-shim\n"
    engine("kill", name)
    assert engine.state(name) == "exited 137"


def test_a_terminal_and_a_place_of_ones_own(engine: Engine, name: str, tmp_path: Path) -> None:
    engine("run", "-dt", "--name", name, "--network", "none", "--read-only", "--tmpfs", "/tmp", "busybox", "sh", "-c", COUNT)
    eventually(lambda: engine.numbers(name))
    place = ("--checkpoint-dir", str(tmp_path / "kept"))
    engine("pause", name)
    assert engine("checkpoint", "create", "--leave-running", *place, name, "one") == "one"
    assert engine.state(name) == "paused 0"
    engine("unpause", name)
    engine("checkpoint", "create", *place, name, "two")
    assert engine("checkpoint", "ls", *place, name).split()[2:] == ["one", "two"]
    last = engine.numbers(name)[-1]
    engine("start", "--checkpoint", "two", *place, name)
    eventually(lambda: engine.numbers(name)[-1] > last)
    engine("checkpoint", "rm", *place, name, "one")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["two"]
    window = ("--since", "10m", "--until", str(time.time()), "--filter", f"container={name}")
    history = engine("events", *window, "--format", "{{.Action}}")
    assert history.split()[-3:] == ["die", "checkpoint", "start"]


def test_what_is_refused(engine: Engine, name: str) -> None:
    engine("run", "-d", "--name", name, "--network", "none", "busybox", "sh", "-c", COUNT)
    allowed = "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    assert engine.refused("checkpoint", "create", name, "../x") == f"Invalid checkpoint ID (../x), {allowed}"
    assert engine.refused("checkpoint", "create", name, "x") == f"Invalid checkpoint ID (x), {allowed}"
    engine("checkpoint", "create", "--leave-running", name, "one")
    exists = f"checkpoint with name one already exists for container {name}"
    assert engine.refused("checkpoint", "create", name, "one") == f"cannot checkpoint container {name}: {exists}"
    for nothing in ("none", "..."):
        missing = f"checkpoint {nothing} does not exist for container {name}"
        assert engine.refused("checkpoint", "rm", name, nothing) == missing
    engine("kill", name)
    identity = engine("inspect", "--format", "{{.Id}}", name)
    assert engine.refused("checkpoint", "create", name, "two") == f"container {identity} is not running"
    assert engine.refused("start", "--checkpoint", "none", name) == f"checkpoint none does not exist for container /{name}"
    assert engine.state(name) == f"exited 137 checkpoint none does not exist for container /{name}"


def test_a_failure_of_criu_leaves_everything_as_it_was(engine: Engine, name: str) -> None:
    talk = f"httpd -h / -p 80; sleep 1000 | nc 127.0.0.1 80 & {COUNT}"
    engine("run", "-d", "--name", name, "busybox", "sh", "-c", talk)
    eventually(lambda: "ESTABLISHED" in engine("exec", name, "netstat", "-tn"))
    text = engine.refused("checkpoint", "create", name, "one")  # for the connection
    head = f"Cannot checkpoint container {name}: runc did not terminate successfully: exit status 1: "
    assert text.startswith(f"{head}criu failed: type ") and text.endswith("/criu/dump.log: unknown")
    assert engine("checkpoint", "ls", name) == "CHECKPOINT NAME"
    last = engine.numbers(name)[-1]
    eventually(lambda: engine.numbers(name)[-1] > last)
    engine("kill", name)
    root = engine.daemon.root  # type: ignore[attr-defined]
    place = Path(root, "data/containers", engine("inspect", "--format", "{{.Id}}", name), "checkpoints/bad")
    place.mkdir()
    (place / "descriptors.json").write_text('["","",""]')
    text = engine.refused("start", "--checkpoint", "bad", name)
    head = "failed to create task for container: failed to create shim task: "
    assert text.startswith(f"{head}OCI runtime restore failed: criu failed: type ")
    assert engine.state(name).startswith("exited 128 failed to create task")
    assert engine("start", name) == name


@pytest.mark.parametrize(
    "words",
    ["checkpoint create --leave-running NAME one", "checkpoint create NAME x", "checkpoint ls NAME", "checkpoint rm NAME none",
     "checkpoint rm NAME one", "start --checkpoint none NAME", "start --checkpoint one a b"],
)  # fmt: skip
def test_our_command_line_says_the_same(engine: Engine, words: str) -> None:
    name = "same"
    engine.daemon.docker("run", "-d", "--name", name, "--network", "none", "busybox", "sh", "-c", COUNT)  # type: ignore[attr-defined]
    if words.startswith("start"):
        engine("kill", name)
    outcomes = []
    for program in ("docker", str(criu.PLACE.parents[1] / "bin/dockwright")):
        engine.daemon.docker("checkpoint", "rm", name, "one")  # type: ignore[attr-defined]
        if "rm NAME one" in words or "ls" in words:
            engine("checkpoint", "create", "--leave-running", name, "one")
        command = [program, "-H", engine.daemon.host, *words.replace("NAME", name).split()]  # type: ignore[attr-defined]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        outcomes.append((done.returncode, done.stdout, done.stderr))
    engine("rm", "-f", name)
    assert outcomes[0] == outcomes[1]


def test_the_mode_is_shown(engine: Engine) -> None:
    assert engine("info", "--format", "{{.ExperimentalBuild}}") == "true"
    assert engine("version", "--format", "{{.Server.Experimental}}") == "true"
    ask = ["curl", "-si", "--unix-socket", f"{engine.daemon.root}/s", "http://x/_ping"]  # type: ignore[attr-defined]
    assert b"Docker-Experimental: true\r\n" in subprocess.run(ask, capture_output=True, check=True).stdout
