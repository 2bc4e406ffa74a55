"""What `docker run`'s options do inside the container, field by field of HostConfig and Config."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
MEGA = 1 << 20


@pytest.fixture(autouse=True)
def clean(daemon: Any) -> Iterator[None]:
    yield
    for ident in daemon.docker("ps", "-aq").stdout.decode().split():
        daemon.docker("rm", "-fv", ident)


def run(daemon: Any, *arguments: str) -> tuple[int, str, str]:
    done = daemon.docker("run", "--network", "none", *arguments)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def sh(daemon: Any, script: str, *options: str) -> str:
    code, out, error = run(daemon, "--rm", *options, "busybox", "sh", "-c", script)
    assert code == 0, error
    return out


def status(daemon: Any, *options: str) -> dict[str, str]:
    """/proc/self/status of a container's process."""
    lines = sh(daemon, "cat /proc/self/status", *options).splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def started(daemon: Any, name: str, *options: str) -> dict[str, Any]:
    """A container that runs, as inspect shows it."""
    code, _, error = run(daemon, "-d", "--name", name, *options, "busybox", "sleep", "100")
    assert code == 0, error
    found: dict[str, Any] = json.loads(daemon.docker("inspect", name).stdout)[0]
    return found


def control(found: dict[str, Any], v1: str, v2: str) -> str:
    """What a control file of the container's cgroup says; `v1` is `controller/file`."""
    where = Path(f"/proc/{found['State']['Pid']}/cgroup").read_text()
    if V2:
        path = next(line.partition("::")[2] for line in where.splitlines() if line.startswith("0::"))
        return Path(f"/sys/fs/cgroup{path}/{v2}").read_text().strip()
    controller, _, file = v1.partition("/")
    path = next(line.split(":")[2] for line in where.splitlines() if controller in line.split(":")[1].split(","))
    return Path(f"/sys/fs/cgroup/{controller}{path}/{file}").read_text().strip()


@pytest.mark.parametrize(
    ("options", "v1", "v1_value", "v2", "v2_value"),
    [
        (["--memory", "32m"], "memory/memory.limit_in_bytes", str(32 * MEGA), "memory.max", str(32 * MEGA)),
        (
            ["--memory", "32m", "--memory-swap", "48m"],
            "memory/memory.memsw.limit_in_bytes",
            str(48 * MEGA),
            "memory.swap.max",
            str(16 * MEGA),
        ),
        (["--memory", "32m"], "memory/memory.memsw.limit_in_bytes", str(64 * MEGA), "memory.swap.max", str(32 * MEGA)),
        (
            ["--memory-reservation", "16m"],
            "memory/memory.soft_limit_in_bytes",
            str(16 * MEGA),
            "memory.low",
            str(16 * MEGA),
        ),
        (["--cpus", "0.5"], "cpu/cpu.cfs_quota_us", "50000", "cpu.max", "50000 100000"),
        (["--cpu-period", "50000", "--cpu-quota", "20000"], "cpu/cpu.cfs_period_us", "50000", "cpu.max", "20000 50000"),
        (["--cpu-shares", "512"], "cpu/cpu.shares", "512", "cpu.weight", "20"),
        (["--cpuset-cpus", "0"], "cpuset/cpuset.cpus", "0", "cpuset.cpus", "0"),
        (["--cpuset-mems", "0"], "cpuset/cpuset.mems", "0", "cpuset.mems", "0"),
        (["--pids-limit", "7"], "pids/pids.max", "7", "pids.max", "7"),
        (["--memory-swappiness", "0"], "memory/memory.swappiness", "0", "", ""),
        (["--oom-kill-disable", "-m", "32m"], "memory/memory.oom_control", "oom_kill_disable 1", "", ""),
        (
            ["--device-read-bps", "{disk}:1mb"],
            "blkio/blkio.throttle.read_bps_device",
            "{numbers} 1048576",
            "io.max",
            "{numbers} rbps=1048576 wbps=max riops=max wiops=max",
        ),
        (
            ["--device-write-iops", "{disk}:50"],
            "blkio/blkio.throttle.write_iops_device",
            "{numbers} 50",
            "io.max",
            "{numbers} rbps=max wbps=max riops=max wiops=50",
        ),
    ],
)
def test_limits(daemon: Any, options: list[str], v1: str, v1_value: str, v2: str, v2_value: str) -> None:
    file, wanted = (v2, v2_value) if V2 else (v1, v1_value)
    disk = next((f"/dev/{name}" for name in sorted(os.listdir("/sys/block")) if os.path.exists(f"/dev/{name}")), "")
    if not file or ("{numbers}" in wanted and not disk):
        pytest.skip("this host has no such limit")
    if disk:
        number = os.stat(disk).st_rdev
        wanted = wanted.replace("{numbers}", f"{os.major(number)}:{os.minor(number)}")
    found = started(daemon, "limited", *(option.replace("{disk}", disk) for option in options))
    assert control(found, v1, v2).splitlines()[0] == wanted


def test_a_cgroup_parent(daemon: Any) -> None:
    found = started(daemon, "child", "--cgroup-parent", f"/{os.path.basename(daemon.root)}")
    lines = Path(f"/proc/{found['State']['Pid']}/cgroup").read_text().splitlines()
    assert f"/{os.path.basename(daemon.root)}/{found['Id']}" in {line.split(":")[2] for line in lines}
    daemon.docker("rm", "-f", "child")
    for folder in Path("/sys/fs/cgroup").glob(f"**/{os.path.basename(daemon.root)}"):
        patience = time.monotonic() + 5
        while any(entry.is_dir() for entry in folder.iterdir()) and time.monotonic() < patience:
            time.sleep(0.02)  # the container's own goes after the answer
        folder.rmdir()  # parents that a user has named stay, as with Docker


def test_the_processs_own_limits(daemon: Any) -> None:
    out = sh(daemon, "ulimit -n; ulimit -Hu; cat /proc/self/oom_score_adj", "--ulimit", "nofile=50:60", "--ulimit",
             "nproc=5:70", "--oom-score-adj", "300")  # fmt: skip
    assert out.split() == ["50", "70", "300"]


def test_identity(daemon: Any) -> None:
    found = status(daemon, "-u", "5:6", "--group-add", "7", "--group-add", "nobody")
    assert (found["Uid"].split()[0], found["Gid"].split()[0]) == ("5", "6")
    assert {"7", "65534"} <= set(found["Groups"].split())


def test_capabilities(daemon: Any) -> None:
    assert status(daemon)["CapBnd"] == "00000000a80425fb"
    assert status(daemon, "--cap-drop", "ALL", "--cap-add", "chown")["CapEff"] == "0" * 15 + "1"
    assert status(daemon, "--cap-drop", "ALL", "-u", "5")["CapEff"] == "0" * 16
    own = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "CapPrm" in line)
    assert status(daemon, "--privileged")["CapEff"] == own


def test_no_new_privileges_and_seccomp(daemon: Any, tmp_path: Path) -> None:
    found = status(daemon)
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("0", "2")
    assert status(daemon, "--security-opt", "no-new-privileges")["NoNewPrivs"] == "1"
    assert status(daemon, "--security-opt", "seccomp=unconfined")["Seccomp"] == "0"
    assert status(daemon, "--privileged")["Seccomp"] == "0"
    call = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [call]}))
    out = sh(daemon, "mkdir /x 2>&1; touch /y && echo made", "--security-opt", f"seccomp={profile}")
    assert "not supported" in out and out.endswith("made\n")
    started(daemon, "careful", "--security-opt", "no-new-privileges")
    assert b"NoNewPrivs:\t1" in daemon.docker("exec", "careful", "cat", "/proc/self/status").stdout


def test_a_read_only_root(daemon: Any) -> None:
    out = sh(daemon, "touch /x 2>&1; touch /dev/shm/x /t/x && echo done; touch /etc/hosts 2>&1; true", "--read-only",
             "--tmpfs", "/t")  # fmt: skip
    assert out.count("Read-only file system") == 2 and "done" in out


def test_masked_and_read_only_paths(daemon: Any) -> None:
    script = "head -c1 /proc/kcore | wc -c; (echo 1 > /proc/sys/kernel/domainname) 2>&1 | grep -c Read-only; true"
    assert sh(daemon, script).split() == ["0", "1"]
    out = sh(daemon, script + "; ls /proc/sys | head -1", "--security-opt", "systempaths=unconfined")
    assert out.split()[1] == "0"
    mounts = sh(daemon, "cat /proc/mounts", "--privileged")
    assert " /proc/sys " not in mounts and "sysfs /sys sysfs rw" in mounts


def test_hostname_domainname_and_sysctls(daemon: Any) -> None:
    out = sh(daemon, "hostname; cat /proc/sys/kernel/domainname /proc/sys/kernel/shmmax", "-h", "box", "--domainname",
             "dom.org", "--sysctl", "kernel.shmmax=1000000")  # fmt: skip
    assert out.split() == ["box", "dom.org", "1000000"]
    refused = daemon.docker("run", "--rm", "--network", "host", "--sysctl", "net.core.somaxconn=9", "busybox", "true")
    assert b'sysctl "net.core.somaxconn" not allowed in host network namespace' in refused.stderr


def test_environment_and_directory(daemon: Any, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("FROM=file\n")
    out = sh(daemon, "echo $A $FROM ${PATH:-none}; pwd", "-e", "A=b", "--env-file", f"{tmp_path}/env", "-e", "PATH=/bin", "-w",
             "/made/here")  # fmt: skip
    assert out == "b file /bin\n/made/here\n"
    assert run(daemon, "--rm", "--entrypoint", "echo", "busybox", "x", "y")[1] == "x y\n"


def test_shared_memory(daemon: Any) -> None:
    assert "size=1024k" in sh(daemon, "grep /dev/shm /proc/mounts", "--shm-size", "1m")
    assert sh(daemon, "grep -c /dev/shm /proc/mounts; true", "--ipc", "none") == "0\n"


def namespace(daemon: Any, name: str, kind: str) -> str:
    pid = json.loads(daemon.docker("inspect", name).stdout)[0]["State"]["Pid"]
    return os.readlink(f"/proc/{pid}/ns/{kind}")


@pytest.mark.parametrize(
    ("option", "kind"), [("--ipc", "ipc"), ("--pid", "pid"), ("--uts", "uts"), ("--cgroupns", "cgroup")]
)
def test_namespaces_of_the_host(daemon: Any, option: str, kind: str) -> None:
    started(daemon, "hosts", option, "host")
    assert namespace(daemon, "hosts", kind) == os.readlink(f"/proc/self/ns/{kind}")
    if kind != "cgroup":
        started(daemon, "own")
        assert namespace(daemon, "own", kind) != os.readlink(f"/proc/self/ns/{kind}")


def test_a_cgroup_namespace(daemon: Any) -> None:
    lines = sh(daemon, "cat /proc/self/cgroup", "--cgroupns", "private").splitlines()
    assert {line.split(":")[2] for line in lines} == {"/"}


def test_another_containers_ipc(daemon: Any) -> None:
    started(daemon, "donor", "--ipc", "shareable")
    daemon.docker("exec", "donor", "sh", "-c", "echo shared > /dev/shm/file")
    started(daemon, "guest", "--ipc", "container:donor")
    assert namespace(daemon, "guest", "ipc") == namespace(daemon, "donor", "ipc")
    assert daemon.docker("exec", "guest", "cat", "/dev/shm/file").stdout == b"shared\n"
    daemon.docker("exec", "guest", "touch", "/dev/shm/back")
    assert daemon.docker("exec", "donor", "ls", "/dev/shm").stdout == b"back\nfile\n"
    started(daemon, "private")
    code, _, error = run(daemon, "--ipc", "container:private", "busybox", "true")
    assert code == 125
    assert "non-shareable IPC (hint: use IpcMode:shareable for the donor container)" in error


def test_another_containers_processes(daemon: Any) -> None:
    started(daemon, "donor")
    started(daemon, "guest", "--pid", "container:donor")
    assert namespace(daemon, "guest", "pid") == namespace(daemon, "donor", "pid")
    assert daemon.docker("exec", "guest", "ps").stdout.count(b"sleep 100") == 2
    daemon.docker("rm", "-f", "guest")
    assert daemon.docker("exec", "donor", "ps").stdout.count(b"sleep 100") == 1
    daemon.docker("stop", "-t", "0", "donor")
    assert b"failed to join PID namespace" in daemon.docker("run", "--pid", "container:donor", "busybox", "true").stderr


def test_devices(daemon: Any) -> None:
    out = sh(daemon, "stat -c '%t:%T %F' /dev/other; head -c2 /dev/other | wc -c; (echo x > /dev/other) 2>&1", "--device",
             "/dev/zero:/dev/other:rm")  # fmt: skip
    assert out.splitlines()[:2] == ["1:5 character special file", "2"]
    script = "mknod /c c 10 229; (: < /c) 2>&1; true"
    assert "not permitted" in sh(daemon, script)
    assert "not permitted" not in sh(daemon, script, "--device-cgroup-rule", "c 10:229 rwm")
    inside = sh(daemon, "ls /dev", "--privileged").split()
    assert {"null", "tty", "ptmx"} <= set(inside)
    assert {name for name in os.listdir("/dev") if name.startswith("vd") or name == "kmsg"} <= set(inside)


def test_device_refusals(daemon: Any) -> None:
    for options, text in (
        (["--device", "/dev/nope"], 'error gathering device information while adding custom device "/dev/nope"'),
        (["--gpus", "all"], 'could not select device driver "" with capabilities: [[gpu]]'),
    ):
        assert text in run(daemon, "--rm", *options, "busybox", "true")[2]


def test_create_warns(daemon: Any) -> None:
    done = daemon.docker("create", "--network", "none", "--oom-kill-disable", "busybox")
    text = b"OomKillDisable discarded" if V2 else b"OOM killer is disabled for the container, but no memory limit is set"
    assert text in done.stderr
    done = daemon.docker("create", "--network", "host", "-p", "80", "busybox")
    assert b"Published ports are discarded when using host network mode" in done.stderr


def test_labels_annotations_and_stopping(daemon: Any) -> None:
    options = ["--label", "a=b", "--annotation", "c=d", "--stop-signal", "USR1", "--stop-timeout", "7"]
    found = started(daemon, "noted", *options)
    assert (found["Config"]["Labels"], found["HostConfig"]["Annotations"]) == ({"a": "b"}, {"c": "d"})
    assert (found["Config"]["StopSignal"], found["Config"]["StopTimeout"]) == ("USR1", 7)


def test_the_hosts_network_and_sys(daemon: Any) -> None:
    script = "ls /sys/class/net; grep ' /sys ' /proc/mounts"
    done = daemon.docker("run", "--rm", "--network", "host", "busybox", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert b"lo" in done.stdout and b"sysfs /sys sysfs ro" in done.stdout
