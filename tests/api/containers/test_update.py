"""docker update: what the kernel says afterwards, over restarts of container and daemon; what fails changes nothing."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from dockwright.runtime.cgroups.group import Cgroup, read

NONE = ("--network", "none")
MIB = 1 << 20


def file(ask: Any, name: str, controller: str, v1: str, v2: str) -> str:
    group = Cgroup(f"/docker/{ask('GET', f'/containers/{name}/json')[1]['Id']}")
    return read(group.file(controller, v2 if group.layout.is_v2 else v1))


@pytest.fixture
def started(tidy: Any) -> str:
    assert tidy.docker("run", *NONE, "-d", "--name", "cc", "busybox", "sleep", "1000").returncode == 0
    return "cc"


def update(ask: Any, **fields: Any) -> tuple[int, Any]:
    status, answer = ask("POST", "/containers/cc/update", fields)
    return status, answer


BOTH = {"Memory": 64 * MIB, "MemorySwap": 96 * MIB}
LIMITS = [
    ({"PidsLimit": 33}, ("pids", "pids.max", "pids.max"), "33", "33"),
    ({"CpuShares": 2048}, ("cpu", "cpu.shares", "cpu.weight"), "2048", "79"),
    ({"NanoCpus": 500_000_000}, ("cpu", "cpu.cfs_quota_us", "cpu.max"), "50000", "50000 100000"),
    ({"CpuQuota": 30000, "CpuPeriod": 50000}, ("cpu", "cpu.cfs_period_us", "cpu.max"), "50000", "30000 50000"),
    ({"CpusetCpus": "0"}, ("cpuset", "cpuset.cpus", "cpuset.cpus"), "0", "0"),
    (BOTH, ("memory", "memory.limit_in_bytes", "memory.max"), str(64 * MIB), str(64 * MIB)),
    (BOTH, ("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"), str(96 * MIB), str(32 * MIB)),
    ({"MemoryReservation": 32 * MIB}, ("memory", "memory.soft_limit_in_bytes", "memory.low"), str(32 * MIB), str(32 * MIB)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "where", "v1", "v2"), LIMITS, ids=lambda value: "+".join(value) if isinstance(value, dict) else ""
)
def test_each_limit_reaches_the_kernel(ask: Any, started: str, fields: Any, where: Any, v1: str, v2: str) -> None:
    assert update(ask, **fields) == (200, {"Warnings": None})
    wanted = v2 if Cgroup("/").layout.is_v2 else v1
    assert file(ask, started, *where) == wanted
    host = ask("GET", f"/containers/{started}/json")[1]["HostConfig"]
    assert {name: host[name] for name in fields} == fields


def test_what_is_not_named_stays(ask: Any, started: str) -> None:
    for fields in ({"CpuQuota": 30000}, {"CpuPeriod": 50000}, {"PidsLimit": 44}, {"CpuShares": 256}):
        assert update(ask, **fields)[0] == 200
    where = ("cpu", "cpu.cfs_quota_us", "cpu.max")
    assert file(ask, started, *where) in ("30000", "30000 50000")
    assert file(ask, started, "pids", "pids.max", "pids.max") == "44"


def test_a_restart_keeps_them(tidy: Any, ask: Any, started: str) -> None:
    update(ask, PidsLimit=21, RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 4})
    tidy.docker("restart", "-t", "0", "cc")
    assert file(ask, started, "pids", "pids.max", "pids.max") == "21"


def test_another_daemon_knows_them(tidy: Any) -> None:
    daemon = type(tidy)()
    daemon.start()
    try:
        daemon.docker("load", stdin=tidy.docker("save", "busybox").stdout)
        daemon.docker("run", "-d", "--name", "cc", *NONE, "busybox", "sleep", "1000")
        assert daemon.docker("update", "--pids-limit", "77", "--restart", "always", "cc").returncode == 0
        daemon.end(signal.SIGKILL)
        daemon.start()
        seen = daemon.docker(
            "inspect", "-f", "{{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}", "cc"
        ).stdout
        assert seen == b"77 always\n"
        before = daemon.docker("inspect", "-f", "{{.State.Pid}}", "cc").stdout.strip().decode()
        Path(f"/proc/{before}").exists()
        daemon.docker("exec", "cc", "kill", "-9", "1")
        daemon.docker("kill", "-s", "USR1", "cc")
        assert daemon.docker("inspect", "-f", "{{.State.Running}}", "cc").stdout == b"true\n"
    finally:
        daemon.close()


def test_a_policy_given_later_brings_it_back(tidy: Any, ask: Any) -> None:
    tidy.docker(
        "run",
        *NONE,
        "-d",
        "--name",
        "cc",
        "busybox",
        "sh",
        "-c",
        "while ! [ -e /end ]; do sleep 0.05; done; rm /end; exit 3",
    )
    assert update(ask, RestartPolicy={"Name": "on-failure"})[0] == 200
    tidy.docker("exec", "cc", "touch", "/end")
    deadline = time.monotonic() + 30
    while ask("GET", "/containers/cc/json")[1]["RestartCount"] < 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert update(ask, RestartPolicy={"Name": "no"})[0] == 200
    tidy.docker("exec", "cc", "touch", "/end")
    assert tidy.docker("wait", "cc").stdout == b"3\n"
    assert ask("GET", "/containers/cc/json")[1]["State"]["Status"] == "exited"


def test_what_the_kernel_refuses_is_taken_back(tidy: Any, ask: Any, started: str) -> None:
    """Less memory than is in use: v1 says EBUSY, after other limits have been written."""
    if Cgroup("/").layout.is_v2:
        pytest.skip("v2 takes any limit and kills instead")
    tidy.docker("rm", "-f", "cc")
    held = "dd if=/dev/zero of=/dev/shm/x bs=1M count=40; sleep 1000"
    tidy.docker(
        "run",
        *NONE,
        "-d",
        "--name",
        "cc",
        "--memory",
        "100m",
        "--memory-swap",
        "100m",
        "--shm-size",
        "60m",
        "busybox",
        "sh",
        "-c",
        held,
    )
    deadline = time.monotonic() + 10
    while int(file(ask, "cc", "memory", "memory.usage_in_bytes", "memory.current")) < 40 * MIB:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    status, answer = update(ask, Memory=10 * MIB, MemorySwap=10 * MIB, PidsLimit=5)
    assert status == 500 and answer["message"].startswith("Cannot update container ")
    assert file(ask, "cc", "memory", "memory.limit_in_bytes", "memory.max") == str(100 * MIB)
    host = ask("GET", "/containers/cc/json")[1]["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (100 * MIB, 100 * MIB, None)


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 1}]}, 400, "Ulimits of a container cannot be updated"),
        ({"Devices": [{"PathOnHost": "/dev/null"}]}, 400, "Devices of a container cannot be updated"),
        ({"Memory": 1}, 400, "Minimum memory limit allowed is 6MB"),
        ({"CpuShares": 1}, 500, "Cannot update container "),
    ],
)  # fmt: skip
def test_refused(ask: Any, started: str, fields: Any, status: int, text: str) -> None:
    if "CpuShares" in fields and Cgroup("/").layout.is_v2:
        pytest.skip("v2 has no such bound")
    before = ask("GET", "/containers/cc/json")[1]["HostConfig"]
    found = update(ask, **fields)
    assert (found[0], found[1]["message"][: len(text)]) == (status, text)
    assert ask("GET", "/containers/cc/json")[1]["HostConfig"] == before


def test_paused_and_ended_ones(tidy: Any, ask: Any, started: str) -> None:
    tidy.docker("pause", "cc")
    assert update(ask, PidsLimit=12)[0] == 200
    assert file(ask, "cc", "pids", "pids.max", "pids.max") == "12"
    tidy.docker("unpause", "cc")
    tidy.docker("kill", "cc")
    assert update(ask, PidsLimit=13)[0] == 200
    tidy.docker("start", "cc")
    assert file(ask, "cc", "pids", "pids.max", "pids.max") == "13"
