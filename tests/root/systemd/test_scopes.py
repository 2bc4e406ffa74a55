"""Under a real systemd: the daemon as its unit says, the delegated scope, a scope for each container (DECISIONS 7)."""

import importlib.util
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockwright.supervisor import systemd
from dockwright.supervisor.placement import Placement

ROOT = Path(__file__).parents[3]
UNITS = Path("/run/systemd/system")
NAME = "dockwright"
IN_GUEST = os.environ.get("IN_GUEST") == "1"
PLACE = "/tmp/dwsd"  # data root of the daemon, and its other places unless this is a guest
HOST = "unix:///run/dockwright/dockwright.sock" if IN_GUEST else f"unix://{PLACE}/s"


def install(name: str, *flags: str) -> None:
    """The packaged units as `name`, with this tree's daemon; on a machine that is not for tests, with roots of its own."""
    own = ["--data-root", f"{PLACE}/d"]
    own += [] if IN_GUEST else ["--exec-root", f"{PLACE}/e", "--pidfile", f"{PLACE}/pid"]
    UNITS.mkdir(parents=True, exist_ok=True)
    for kind in ("service", "socket"):
        text = (ROOT / f"packaging/systemd/dockwright.{kind}").read_text().replace("dockwright.socket", f"{name}.socket")
        command = " ".join([str(ROOT / ".venv/bin/dockwrightd"), "-H fd://", *own, *flags])
        text = text.replace("/usr/bin/dockwrightd -H fd://", command).replace("SocketGroup=docker", "SocketGroup=root")
        text = text.replace("network-online.target", "")  # a guest has no network to wait for
        (UNITS / f"{name}.{kind}").write_text(text.replace("/run/dockwright/dockwright.sock", HOST.removeprefix("unix://")))
    system("daemon-reload")


def system(*words: str) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (words, done.stderr, _journal())
    return done.stdout.strip()


def _journal() -> str:
    return subprocess.run(["journalctl", "-n", "50", "--no-pager"], capture_output=True, text=True, check=False).stdout


def load() -> None:
    """busybox for the daemon."""
    found = importlib.util.spec_from_file_location("test_images", ROOT / "tests/images.py")
    images = importlib.util.module_from_spec(found)
    found.loader.exec_module(images)
    docker("load", "-q", stdin=images.docker_archive([images.busybox_layer()], ["busybox:latest"]))


def docker(*words: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["docker", "-H", HOST, *words], input=stdin, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, (words, done.stderr, _journal())
    return done.stdout.decode().strip()


def cgroup(pid: int | str) -> str:
    """Of a process, in the hierarchy that systemd manages."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next(line.split(":", 2)[2] for line in lines if line.startswith("0::") or "name=systemd" in line)


def pid_of(name: str) -> str:
    return docker("inspect", "-f", "{{.State.Pid}}", name)


def within(seconds: float, test) -> bool:
    deadline = time.monotonic() + seconds
    while not test():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def scope() -> str:
    exec_root = "/run/dockwright" if IN_GUEST else f"{PLACE}/e"
    return os.path.basename(os.path.dirname(Placement(exec_root).engine))


def active(unit: str) -> bool:
    done = subprocess.run(["systemctl", "is-active", unit], capture_output=True, text=True, check=False)
    return done.stdout.strip() == "active"


@pytest.fixture(scope="module", params=["", "--exec-opt native.cgroupdriver=systemd"], ids=["cgroupfs", "systemd"])
def driver(request: pytest.FixtureRequest) -> Iterator[str]:
    """A daemon run by systemd; which driver it has."""
    if not systemd.booted():
        pytest.skip("needs systemd as the host's service manager (test_guest.py runs it in a guest)")
    name = NAME if IN_GUEST else "dockwright-test"
    Path(PLACE).mkdir(exist_ok=True)
    install(name, *request.param.split())
    system("start", f"{name}.service")
    load()
    yield "systemd" if request.param else "cgroupfs"
    for ident in docker("ps", "-aq").split():
        docker("rm", "-f", ident)
    system("stop", f"{name}.socket", f"{name}.service")
    assert within(10, lambda: not active(scope())), "the scope goes with its last process"
    shutil.rmtree(PLACE, ignore_errors=True)
    for kind in ("service", "socket"):
        (UNITS / f"{name}.{kind}").unlink()
    system("daemon-reload")


def test_where_processes_are(driver: str) -> None:
    ident = docker("run", "-d", "--name", "one", "busybox", "sleep", "1000")
    inside = f"/system.slice/docker-{ident}.scope/container" if driver == "systemd" else f"/system.slice/{scope()}/{ident}"
    assert cgroup(pid_of("one")) == inside
    shim = Path(f"/proc/{pid_of('one')}/stat").read_text().split()[3]
    assert cgroup(shim) == f"/system.slice/{scope()}/engine"
    assert system("show", "-P", "Delegate", scope()) == "yes" and system("show", "-P", "TasksMax", scope()) == "infinity"
    assert json.loads(docker("info", "-f", "{{json .CgroupDriver}}")) == driver


def test_limits_and_further_processes(driver: str) -> None:
    docker("run", "-d", "--name", "two", "-m", "32m", "--pids-limit", "50", "busybox", "sleep", "1000")
    folder = f"/sys/fs/cgroup{cgroup(pid_of('two'))}"
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        assert Path(f"{folder}/memory.max").read_text() == f"{32 << 20}\n"
        assert Path(f"{folder}/pids.max").read_text() == "50\n"
    assert docker("exec", "two", "cat", "/proc/self/cgroup").endswith("/")
    assert docker("stats", "--no-stream", "--format", "{{.PIDs}}", "two") == "1"
    docker("restart", "-t", "0", "two")
    assert docker("exec", "two", "echo", "again") == "again"


def test_containers_outlive_a_restart_of_the_unit(driver: str) -> None:
    name = NAME if IN_GUEST else "dockwright-test"
    docker("run", "-d", "--name", "three", "busybox", "sleep", "1000")
    before = cgroup(pid_of("three"))
    system("restart", f"{name}.service")
    assert docker("exec", "three", "echo", "here") == "here" and cgroup(pid_of("three")) == before
    docker("run", "--rm", "busybox", "true")
    system("kill", "-s", "KILL", f"{name}.service")
    assert within(20, lambda: active(f"{name}.service"))
    assert docker("inspect", "-f", "{{.State.Running}}", "three") == "true"
    docker("run", "--rm", "busybox", "true")
    assert system("show", "-P", "ActiveState", scope()) == "active"


def test_a_slice_as_parent(driver: str) -> None:
    if driver == "cgroupfs":
        ident = docker("run", "-d", "--cgroup-parent", "/dwtest", "busybox", "sleep", "1000")
        assert cgroup(pid_of(ident)) == f"/dwtest/{ident}"
        return
    ident = docker("run", "-d", "--cgroup-parent", "dwtest-a.slice", "busybox", "sleep", "1000")
    assert cgroup(pid_of(ident)) == f"/dwtest.slice/dwtest-a.slice/docker-{ident}.scope/container"
    refused = subprocess.run(
        ["docker", "-H", HOST, "create", "--cgroup-parent", "/x", "busybox"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1 and 'should be a valid slice named as "xxx.slice"' in refused.stderr


def test_a_containers_scope_goes_with_it(driver: str) -> None:
    ident = docker("run", "-d", "busybox", "sleep", "1000")
    folder = Path(f"/sys/fs/cgroup{cgroup(pid_of(ident))}")
    assert active(f"docker-{ident}.scope") == (driver == "systemd")
    docker("rm", "-f", ident)
    assert within(10, lambda: not folder.exists() and not active(f"docker-{ident}.scope"))
