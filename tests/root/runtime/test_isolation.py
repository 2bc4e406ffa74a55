"""What a container is kept from: namespaces, ids, capabilities, limits, settings."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

KINDS = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt", "cgroup": "cgroup"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_listed_namespace_is_a_new_one(runtime: Any, bundle: Any, kind: str) -> None:
    inside = runtime.output(bundle.args("/bin/stat", "-L", "-c", "%i", f"/proc/self/ns/{KINDS[kind]}"))
    assert int(inside) != os.stat(f"/proc/self/ns/{KINDS[kind]}").st_ino


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "cgroup", "pid"])
def test_an_unlisted_namespace_is_the_callers(runtime: Any, bundle: Any, kind: str) -> None:
    if kind == "uts":
        del bundle.spec["hostname"]
    inside = runtime.output(bundle.without(kind).args("/bin/stat", "-L", "-c", "%i", f"/proc/self/ns/{KINDS[kind]}"))
    assert int(inside) == os.stat(f"/proc/self/ns/{KINDS[kind]}").st_ino


def test_time_namespace_with_offsets(runtime: Any, bundle: Any) -> None:
    """The monotonic clock inside is a day ahead (time_namespaces(7))."""
    bundle.namespace("time")
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 86400}}
    inside = float(runtime.output(bundle.args("/bin/cat", "/proc/uptime")).split()[0])
    assert inside - float(Path("/proc/uptime").read_text().split()[0]) > 86000


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "pid"])
def test_a_namespace_is_joined_by_its_path(runtime: Any, bundle: Any, kind: str) -> None:
    flag = {"network": "--net", "ipc": "--ipc", "uts": "--uts", "pid": "--pid"}[kind]
    holder = subprocess.Popen(
        ["unshare", flag, "--fork", "--kill-child", "sh", "-c", "echo; exec sleep 100"], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout and holder.stdout.readline()
        child = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()[0]
        path = f"/proc/{child}/ns/{KINDS[kind]}"
        inside = runtime.output(
            bundle.namespace(kind, path).args("/bin/stat", "-L", "-c", "%i", f"/proc/self/ns/{KINDS[kind]}")
        )
        assert int(inside) == os.stat(path).st_ino
    finally:
        holder.kill()
        holder.wait()


def test_hostname_and_domainname(runtime: Any, bundle: Any) -> None:
    bundle.spec.update(hostname="box", domainname="example.org")
    inside = runtime.output(bundle.args("/bin/cat", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname"))
    assert inside.split() == ["box", "example.org"]
    assert os.uname().nodename != "box"


def test_the_program_is_pid_1_and_sees_only_its_own(runtime: Any, bundle: Any) -> None:
    assert runtime.output(bundle.script("echo $$; ls /proc | grep -c '^[0-9]'")).split()[0] == "1"


def test_own_network_has_nothing_but_loopback(runtime: Any, bundle: Any) -> None:
    """Or what else this kernel puts into every new namespace (sit0, tunl0)."""
    fresh = subprocess.run(["unshare", "--net", "ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    names = sorted(line.split(": ")[1].partition("@")[0] for line in fresh.splitlines())
    assert sorted(runtime.output(bundle.args("/bin/ls", "/sys/class/net")).split()) == names


def test_user_groups_umask_and_home(runtime: Any, bundle: Any) -> None:
    bundle.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [7, 8], "umask": 0o27}
    script = "id -u; id -g; grep Groups /proc/self/status; umask; echo $HOME"
    lines = runtime.output(bundle.script(script)).splitlines()
    assert lines[:2] == ["1000", "1001"] and lines[2].split()[1:] == ["7", "8"] and lines[3:] == ["0027", "/home/user"]


def test_a_user_may_reopen_its_pipes(runtime: Any, bundle: Any) -> None:
    """Shells write `> /dev/stderr`: opening it again needs the pipe to be the user's."""
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    done = runtime.run(bundle.script("echo out > /dev/stdout; echo err > /dev/stderr"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")


def test_a_file_given_as_stdout_keeps_its_owner(runtime: Any, bundle: Any) -> None:
    """CVE-2026-88264: only pipes, sockets and terminals are handed to the user."""
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.args("/bin/echo", "hi").write()
    with open(bundle.path / "file", "w") as file:
        command = [*runtime("--version").args[:3], "run", "--bundle", str(bundle.path), runtime.name]
        subprocess.run(command, stdout=file, stdin=subprocess.DEVNULL, check=True)
    assert (bundle.path / "file").stat().st_uid == 0 and (bundle.path / "file").read_text() == "hi\n"


def capabilities(text: str) -> dict[str, int]:
    return {
        line.split()[0].rstrip(":"): int(line.split()[1], 16) for line in text.splitlines() if line.startswith("Cap")
    }


def test_capabilities_are_the_listed_ones(runtime: Any, bundle: Any) -> None:
    """And none inheritable or ambient unless asked for (CVE-2022-29162)."""
    names = ["CAP_KILL", "CAP_CHOWN"]
    bundle.process["capabilities"] = {"bounding": names, "effective": names[:1], "permitted": names}
    caps = capabilities(runtime.output(bundle.args("/bin/cat", "/proc/self/status")))
    assert caps == {"CapInh": 0, "CapPrm": 1 | 1 << 5, "CapEff": 1 | 1 << 5, "CapBnd": 1 | 1 << 5, "CapAmb": 0}


def test_capabilities_of_another_user(runtime: Any, bundle: Any) -> None:
    """Only ambient ones survive the execve of a user that is not root (capabilities(7))."""
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    names = ["CAP_NET_BIND_SERVICE", "CAP_CHOWN"]
    bundle.process["capabilities"] = {
        "bounding": names, "effective": names, "permitted": names, "inheritable": names[:1], "ambient": names[:1],
    }  # fmt: skip
    caps = capabilities(runtime.output(bundle.args("/bin/cat", "/proc/self/status")))
    bind = 1 << 10
    assert (caps["CapPrm"], caps["CapEff"], caps["CapAmb"], caps["CapBnd"]) == (bind, bind, bind, bind | 1)


def test_a_capability_we_do_not_hold_is_refused(runtime: Any, bundle: Any) -> None:
    """The runtime never clamps a spec (DECISIONS 9)."""
    names = ["CAP_SYS_RESOURCE"]
    bundle.process["capabilities"] = {"bounding": names, "effective": names, "permitted": names}
    held = capabilities(Path("/proc/self/status").read_text())["CapPrm"]
    done = runtime.run(bundle.args("/bin/true"))
    if held >> 24 & 1:
        assert done.returncode == 0
    else:
        assert runtime.message(done).endswith(
            "unable to start container process: unable to apply caps: operation not permitted"
        )


@pytest.mark.parametrize("value", [True, False])
def test_no_new_privileges(runtime: Any, bundle: Any, value: bool) -> None:
    bundle.process["noNewPrivileges"] = value
    assert runtime.output(bundle.args("/bin/grep", "NoNewPrivs", "/proc/self/status")).split()[1] == str(int(value))


def test_resource_limits(runtime: Any, bundle: Any) -> None:
    bundle.process["rlimits"] = [
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
    ]  # fmt: skip
    limits = runtime.output(bundle.args("/bin/cat", "/proc/self/limits"))
    assert "Max open files            100                  200" in limits
    assert "Max core file size        0                    0" in limits


def test_limits_hold_for_exec_too(runtime: Any, bundle: Any) -> None:
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 99}]
    bundle.process["oomScoreAdj"] = 300
    runtime.start(bundle.args("/bin/sleep", "100"))
    assert runtime.exec("/bin/sh", "-c", "ulimit -n; cat /proc/self/oom_score_adj").stdout.split() == ["99", "300"]


def test_sysctls_of_own_namespaces(runtime: Any, bundle: Any) -> None:
    bundle.linux["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "80", "kernel.shmmax": "65536"}
    bundle.linux["readonlyPaths"] = []
    files = ["/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/kernel/shmmax"]
    assert runtime.output(bundle.args("/bin/cat", *files)).split() == ["80", "65536"]
    assert Path("/proc/sys/kernel/shmmax").read_text().strip() != "65536"


@pytest.mark.parametrize(
    ("name", "without"),
    [("kernel.pid_max", ""), ("net.ipv4.ip_forward", "network"), ("kernel.shmmax", "ipc"), ("vm.swappiness", "")],
)
def test_sysctls_of_the_host_are_refused(runtime: Any, bundle: Any, name: str, without: str) -> None:
    bundle.linux["sysctl"] = {name: "1"}
    done = runtime.run(bundle.without(without).args("/bin/true"))
    why = "not allowed in host network namespace" if without == "network" else "is not in a separate kernel namespace"
    assert runtime.message(done) == f'runc run failed: sysctl "{name}" {why}'


def test_oom_score(runtime: Any, bundle: Any) -> None:
    bundle.process["oomScoreAdj"] = 500
    assert runtime.output(bundle.args("/bin/cat", "/proc/self/oom_score_adj")) == "500\n"


@pytest.mark.parametrize(
    ("scheduler", "policy"),
    [({"policy": "SCHED_BATCH", "nice": 5}, 3), ({"policy": "SCHED_IDLE"}, 5), ({"policy": "SCHED_OTHER", "nice": 7}, 0)],
)
def test_scheduler(runtime: Any, bundle: Any, scheduler: dict[str, Any], policy: int) -> None:
    bundle.process["scheduler"] = scheduler
    fields = runtime.output(bundle.args("/bin/cat", "/proc/self/stat")).rpartition(")")[2].split()
    assert (int(fields[38]), int(fields[16])) == (policy, scheduler.get("nice", 0))  # policy and nice (proc(5))


def test_a_domain_name_is_given_once(runtime: Any, bundle: Any) -> None:
    bundle.spec["domainname"] = "example.org"
    bundle.linux["sysctl"] = {"kernel.domainname": "example.com"}
    message = runtime.message(runtime.run(bundle.args("/bin/true")))
    assert 'conflicts with the OCI "domainname" field' in message
    bundle.linux["sysctl"] = {"kernel.domainname": "example.org"}
    assert runtime.run(bundle.args("/bin/true")).returncode == 0


def test_exec_with_a_capability_more(runtime: Any, bundle: Any) -> None:
    """In the sets that count for a program, never in the inheritable one."""
    bundle.process["capabilities"] = {}
    runtime.start(bundle.args("/bin/sleep", "100"))
    caps = capabilities(runtime("exec", "--cap", "CAP_KILL", runtime.name, "/bin/cat", "/proc/self/status").stdout)
    assert caps == {"CapInh": 0, "CapPrm": 32, "CapEff": 32, "CapBnd": 32, "CapAmb": 0}
    assert "unknown capability CAP_X" in runtime.message(runtime("exec", "--cap", "CAP_X", runtime.name, "/bin/true"))


def test_personality(runtime: Any, bundle: Any) -> None:
    bundle.linux["personality"] = {"domain": "LINUX32"}
    assert runtime.output(bundle.args("/bin/cat", "/proc/self/personality")).strip() == "00000008"


def test_user_namespace_with_private_maps(runtime: Any, bundle: Any) -> None:
    """Root inside is 100000 outside; it owns what the container makes, and mounts, devices and sysctls still work."""
    bundle.user_namespace()
    bundle.linux["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "81"}
    script = "id -u; cat /proc/self/uid_map; echo x > /made; echo x > /dev/null; ls /proc/1/fd >/dev/null && echo proc"
    lines = runtime.output(bundle.script(script)).splitlines()
    assert lines[0] == "0" and lines[1].split() == ["0", "100000", "65536"] and lines[2] == "proc"
    assert (bundle.rootfs / "made").stat().st_uid == 100000


def test_id_mapped_binds(runtime: Any, bundle: Any, tmp_path: Path) -> None:
    """By maps of the mount's own, and by those of the container's user namespace."""
    source = tmp_path / "source"
    source.mkdir()
    source.chmod(0o777)
    (source / "f").write_text("x")
    os.chown(source, 1000, 1001)
    os.chown(source / "f", 1000, 1001)
    own = {"uidMappings": [{"containerID": 1000, "hostID": 0, "size": 1}]}
    own["gidMappings"] = [{"containerID": 1001, "hostID": 0, "size": 1}]
    bind = {"type": "bind", "source": str(source), "options": ["rbind"]}
    bundle.spec["mounts"].append({**bind, "destination": "/own", **own})
    lines = runtime.output(bundle.script("stat -c %u:%g /own /own/f; echo y > /own/made")).split()
    assert lines == ["0:0", "0:0"]
    assert ((source / "made").stat().st_uid, (source / "made").stat().st_gid) == (1000, 1001)
    bundle.spec["mounts"][-1] = {**bind, "destination": "/own", "options": ["rbind", "idmap"]}
    bundle.user_namespace()
    assert runtime.output(bundle.script("stat -c %u:%g /own/f; echo z > /own/root")).split() == ["1000:1001"]
    assert (source / "root").stat().st_uid == 0


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"options": ["bind", "idmap"]}, "id-mapped mounts need maps of their own or a user namespace"),
        ({"options": ["bind"], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}, "both uidMappings and gidMappings"),
    ],
)
def test_maps_that_cannot_be(runtime: Any, bundle: Any, entry: dict[str, Any], text: str) -> None:
    bundle.spec["mounts"].append({"type": "bind", "source": "/tmp", "destination": "/own", **entry})
    assert text in runtime.run(bundle.args("/bin/true")).stderr


def test_devices_in_a_user_namespace(runtime: Any, bundle: Any) -> None:
    """mknod is refused there, yet the nodes have the spec's mode and owner, and work."""
    bundle.user_namespace()
    bundle.linux["devices"] = [
        {"path": "/dev/own", "type": "c", "major": 1, "minor": 5, "fileMode": 0o644, "uid": 7, "gid": 8},
        {"path": "/deep/er/pipe/", "type": "p", "fileMode": 0o600},
    ]  # fmt: skip
    script = "stat -c '%F %t %T %a %u %g' /dev/own; head -c 3 /dev/own | wc -c; stat -c %F /deep/er/pipe; ls -A /dev | grep dock"
    lines = runtime.run(bundle.script(script)).stdout.splitlines()
    assert lines == ["character special file 1 5 644 7 8", "3", "fifo"]
    assert (bundle.rootfs / "deep/er").stat().st_uid == 100000


def test_a_joined_user_namespace(runtime: Any, bundle: Any) -> None:
    holder = subprocess.Popen(["unshare", "--user", "sh", "-c", "echo; exec sleep 100"], stdout=subprocess.PIPE)
    try:
        assert holder.stdout and holder.stdout.readline()
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{holder.pid}/{name}").write_text("0 100000 65536\n")
        bundle.user_namespace()
        del bundle.linux["uidMappings"], bundle.linux["gidMappings"]
        bundle.namespace("user", f"/proc/{holder.pid}/ns/user")
        lines = runtime.output(bundle.script("id -u; cat /proc/self/uid_map; echo x > /dev/null")).split()
        assert lines == ["0", "0", "100000", "65536"]
    finally:
        holder.kill()
        holder.wait()


def test_user_namespace_and_exec(runtime: Any, bundle: Any) -> None:
    runtime.start(bundle.user_namespace().args("/bin/sleep", "100"))
    script = "id -u; cat /proc/self/uid_map; cat /proc/self/cgroup"
    lines = runtime.exec("/bin/sh", "-c", script).stdout.splitlines()
    assert lines[0] == "0" and lines[1].split() == ["0", "100000", "65536"]
    assert all(line.endswith(":/") for line in lines[2:])


def test_own_cgroup_namespace_shows_root_everywhere(runtime: Any, bundle: Any) -> None:
    """It is unshared after the joins: `/` in every line (DECISIONS 22)."""
    lines = runtime.output(bundle.args("/bin/cat", "/proc/self/cgroup")).splitlines()
    assert lines and {line.split(":", 2)[2] for line in lines} == {"/"}


def test_hosts_cgroup_namespace_shows_the_path(runtime: Any, bundle: Any) -> None:
    lines = runtime.output(bundle.without("cgroup").args("/bin/cat", "/proc/self/cgroup")).splitlines()
    assert f"/dwtest/{runtime.name}" in {line.split(":", 2)[2] for line in lines}


def test_init_cannot_be_looked_into_by_a_process_of_the_container(runtime: Any, bundle: Any) -> None:
    """CVE-2016-9962: what an exec'ed process was before execve is never readable from inside."""
    bundle.process["capabilities"] = {"bounding": [], "effective": [], "permitted": []}
    watcher = "while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || ls -l $p/exe $p/cwd 2>/dev/null; done; done"
    runtime.start(bundle.script(f"({watcher}) | grep -e '->' | grep -vE 'busybox|cwd -> /$'"))
    for _ in range(10):
        assert runtime.exec("/bin/true").returncode == 0
    assert (bundle.path / "out").read_text() == ""


def test_working_directory_is_made_and_entered(runtime: Any, bundle: Any) -> None:
    bundle.process["cwd"] = "/work/here"
    assert runtime.output(bundle.script("pwd")) == "/work/here\n"


def test_working_directory_must_not_lead_outside(runtime: Any, bundle: Any) -> None:
    """CVE-2024-21626: a descriptor of the host as working directory."""
    for fd in range(3, 20):
        bundle.process["cwd"] = f"/proc/self/fd/{fd}"
        assert runtime.run(bundle.script("pwd")).returncode == 1
    bundle.process["cwd"] = "/"
    runtime.start(bundle.args("/bin/sleep", "100"))
    for fd in range(3, 20):
        done = runtime("exec", "--cwd", f"/proc/self/fd/{fd}", runtime.name, "/bin/ls", "..")
        assert done.returncode == 255


def test_annotations_are_in_the_state(runtime: Any, bundle: Any) -> None:
    bundle.spec["annotations"] = {"a": "b"}
    runtime.create(bundle.args("/bin/true"))
    assert json.loads(runtime("state", runtime.name).stdout)["annotations"] == {"a": "b"}
