"""A container's plan is data: asserted here without root and without a kernel that does it."""

import os
from typing import Any

import pytest

from dockwright.runtime import plan, template
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.runtime.cgroups.layout import Layout, read_layout
from dockwright.runtime.context import Context
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.mounts import Mount
from dockwright.runtime.namespaces import Namespaces

V2 = Layout({}, "/sys/fs/cgroup")
V1 = Layout(
    {"memory": "/c/memory", "cpu": "/c/cpu", "devices": "/c/devices", "pids": "/c/pids", "cpuset": "/c/cpuset"}, ""
)


def steps(spec: dict[str, Any], terminal: bool = False) -> list[str]:
    context = Context("box", "/bundle", {})
    context.console_socket = 9 if terminal else -1
    namespaces = Namespaces(spec["linux"]["namespaces"])
    return [type(step).__name__ for step in plan.init_steps(spec, namespaces, context, None)]


def test_the_order_of_init() -> None:
    """Private first, the root, mounts, devices, the pty; then pivot; names, sysctls and masks in the new root."""
    spec = template.spec()
    spec["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
    spec["process"]["cwd"] = "/work"
    assert steps(spec, terminal=True) == [
        "CgroupNamespace", "Propagation", "Root", *["Mount"] * 7, "Devices", "Console", "WorkingDirectory", "Pivot",
        "RootAttributes", "Hostname", "Sysctls", "ReadOnlyPaths", "MaskedPaths",
    ]  # fmt: skip


def test_without_a_mount_namespace_nothing_is_mounted() -> None:
    spec = template.spec()
    spec["linux"]["namespaces"] = [{"type": "pid"}]
    del spec["hostname"]
    assert steps(spec) == []


def test_limits_are_the_shims_and_come_first() -> None:
    spec = {"linux": {"resources": {"memory": {"limit": 1 << 20}, "pids": {"limit": 5}, "devices": [{"allow": False}]}}}
    texts = [step.describe() for step in plan.cgroup_steps(spec, Cgroup("/x", V2))]
    assert texts == [
        "make cgroup /x in /sys/fs/cgroup/x",
        "attach a device program of 11 rules to /sys/fs/cgroup/x",
        "write 1048576 to /sys/fs/cgroup/x/memory.max",
        "write 5 to /sys/fs/cgroup/x/pids.max",
    ]
    texts = [step.describe() for step in plan.cgroup_steps(spec, Cgroup("/x", V1))]
    assert texts[1:4] == [
        "write 1048576 to /c/memory/x/memory.limit_in_bytes", "write 5 to /c/pids/x/pids.max",
        "write a to /c/devices/x/devices.deny",
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["/proc", "/proc/self", "//proc/self", "/./proc/sys", "/a/../proc", "/proc/"])
def test_mounts_on_proc_are_refused_in_every_spelling(path: str) -> None:
    with pytest.raises(RuntimeFailure, match="cannot be mounted because it is inside /proc"):
        Mount({"destination": path, "type": "tmpfs", "source": "tmpfs"}, None).check()


@pytest.mark.parametrize("path", ["/procfs", "/x/proc", "/proc/uptime", "//proc/meminfo"])
def test_other_mounts_are_not(path: str) -> None:
    Mount({"destination": path, "type": "tmpfs", "source": "tmpfs"}, None).check()


@pytest.mark.parametrize(
    ("name", "namespaces", "fine"),
    [
        ("net.ipv4.ip_forward", ["network"], True), ("net/ipv4/ip_forward", ["network"], True), ("net.core.somaxconn", [], False),
        ("kernel.shmmax", ["ipc"], True), ("kernel.shmmax", ["network"], False), ("fs.mqueue.msg_max", ["ipc"], True),
        ("kernel.domainname", ["uts"], True), ("kernel.hostname", ["uts"], False), ("kernel.panic", ["ipc", "uts"], False),
        ("vm.swappiness", ["network", "ipc", "uts"], False),
    ],
)  # fmt: skip
def test_sysctls_belong_to_namespaces(name: str, namespaces: list[str], fine: bool) -> None:
    wanted = Namespaces([{"type": kind} for kind in namespaces])
    if fine:
        plan.check_sysctls({name: "1"}, wanted)
    else:
        with pytest.raises(RuntimeFailure):
            plan.check_sysctls({name: "1"}, wanted)


def test_namespaces_are_joined_user_first() -> None:
    sorted_ = Namespaces([{"type": "network", "path": "/n"}, {"type": "user", "path": "/u"}, {"type": "pid"}])
    assert [path for _, path in sorted_.joined] == ["/u", "/n"]
    assert sorted_.kinds == ["network", "user", "pid"]


def test_layouts(tmp_path: Any) -> None:
    hybrid = (
        "25 20 0:22 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "26 20 0:23 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
        "27 20 0:24 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    )
    (tmp_path / "mountinfo").write_text(hybrid)
    layout = read_layout(str(tmp_path / "mountinfo"))
    assert (layout.mode, layout.is_v2) == ("hybrid", False)
    assert layout.directories("/a") == [f"/sys/fs/cgroup/{name}/a" for name in ("cpu,cpuacct", "systemd", "unified")]
    assert (
        layout.controller("cpuacct", "/a") == "/sys/fs/cgroup/cpu,cpuacct/a" and layout.controller("memory", "/a") == ""
    )
    assert os.path.basename(V2.directories("/a/b")[0]) == "b" and V2.mode == "v2"
