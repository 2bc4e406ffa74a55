"""Limits, on whichever cgroup version this host has; each is read back where the kernel keeps it."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from dockwright.runtime.cgroups.group import Cgroup
from dockwright.runtime.cgroups.layout import layout

V2 = layout().is_v2


def read(name: str, controller: str, v1: str, v2: str) -> str:
    path = Cgroup(f"/dwtest/{name}").file(controller, v2 if V2 else v1)
    if not path or not os.path.exists(path):
        pytest.skip(f"this host has no {controller} controller with {v2 if V2 else v1}")
    return Path(path).read_text().strip()


CASES = [
    ({"memory": {"limit": 64 << 20}}, "memory", "memory.limit_in_bytes", "67108864", "memory.max", "67108864"),
    (
        {"memory": {"limit": 64 << 20, "swap": 128 << 20}},
        "memory",
        "memory.memsw.limit_in_bytes",
        "134217728",
        "memory.swap.max",
        "67108864",
    ),
    (
        {"memory": {"reservation": 32 << 20}},
        "memory",
        "memory.soft_limit_in_bytes",
        "33554432",
        "memory.low",
        "33554432",
    ),
    ({"pids": {"limit": 17}}, "pids", "pids.max", "17", "pids.max", "17"),
    ({"pids": {"limit": -1}}, "pids", "pids.max", "max", "pids.max", "max"),
    ({"cpu": {"shares": 2048}}, "cpu", "cpu.shares", "2048", "cpu.weight", "79"),
    ({"cpu": {"quota": 25000, "period": 50000}}, "cpu", "cpu.cfs_quota_us", "25000", "cpu.max", "25000 50000"),
    ({"cpu": {"cpus": "0", "mems": "0"}}, "cpuset", "cpuset.cpus", "0", "cpuset.cpus", "0"),
]


@pytest.mark.parametrize(("resources", "controller", "v1", "value1", "v2", "value2"), CASES)
def test_limits_are_where_the_kernel_keeps_them(
    runtime: Any, bundle: Any, resources: dict[str, Any], controller: str, v1: str, value1: str, v2: str, value2: str
) -> None:
    bundle.linux["resources"] = resources
    runtime.start(bundle.args("/bin/sleep", "100"))
    assert read(runtime.name, controller, v1, v2) == (value2 if V2 else value1)


@pytest.mark.skipif(not V2, reason="cgroup v1 has no unified settings")
def test_unified(runtime: Any, bundle: Any) -> None:
    bundle.linux["resources"] = {"unified": {"memory.high": "33554432", "pids.max": "12"}}
    runtime.start(bundle.args("/bin/sleep", "100"))
    assert read(runtime.name, "memory", "", "memory.high") == "33554432"
    assert read(runtime.name, "pids", "", "pids.max") == "12"


@pytest.mark.skipif(V2, reason="cgroup v2 has unified settings")
def test_unified_is_refused_on_v1(runtime: Any, bundle: Any) -> None:
    bundle.linux["resources"] = {"unified": {"memory.high": "1"}}
    message = runtime.message(runtime.run(bundle.args("/bin/true")))
    assert message == "runc run failed: invalid configuration: cannot use unified on cgroup v1"


def test_every_process_is_inside_before_it_runs(runtime: Any, bundle: Any) -> None:
    bundle.linux["resources"] = {"pids": {"limit": 3}}
    done = runtime.run(bundle.script("for i in 1 2 3 4 5; do sleep 0.2 & done; wait"))
    assert "Resource temporarily unavailable" in done.stderr


def test_out_of_memory_kills_the_program(runtime: Any, bundle: Any) -> None:
    bundle.linux["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
    bundle.mount("/big", "tmpfs", "tmpfs", "size=64m")
    done = runtime.run(bundle.args("/bin/dd", "if=/dev/zero", "of=/big/x", "bs=1M", "count=40"))
    assert done.returncode == 137


def test_a_memory_limit_too_low_to_begin_with(runtime: Any, bundle: Any, host: Any) -> None:
    bundle.linux["resources"] = {"memory": {"limit": 4096}}
    message = runtime.message(runtime.run(bundle.args("/bin/true")))
    assert "OOM-killed" in message or "memory" in message  # or the kernel refuses the value


def test_cpus_that_do_not_exist(runtime: Any, bundle: Any) -> None:
    bundle.linux["resources"] = {"cpu": {"cpus": "999"}}
    done = runtime.run(bundle.args("/bin/true"))
    if V2:
        return  # v2 keeps what was asked for and runs on what there is (cgroup-v2.rst, cpuset.cpus)
    assert "failed to write 999" in runtime.message(done)


def test_update_by_flags_and_by_document(runtime: Any, bundle: Any) -> None:
    runtime.start(bundle.args("/bin/sleep", "100"))
    runtime("update", "--memory", "64m", "--pids-limit", "20", "--cpu-share", "512", runtime.name, check=True)
    assert read(runtime.name, "memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert read(runtime.name, "pids", "pids.max", "pids.max") == "20"
    document = '{"memory": {"limit": 134217728, "swap": 268435456}}'
    runtime("update", "--resources", "-", runtime.name, input=document, check=True)
    assert read(runtime.name, "memory", "memory.limit_in_bytes", "memory.max") == str(128 << 20)
    assert read(runtime.name, "pids", "pids.max", "pids.max") == "20"


def test_update_raises_memory_and_swap_together(runtime: Any, bundle: Any) -> None:
    """v1 wants memory <= memory+swap at every moment."""
    bundle.linux["resources"] = {"memory": {"limit": 32 << 20, "swap": 64 << 20}}
    runtime.start(bundle.args("/bin/sleep", "100"))
    runtime("update", "--memory", "128m", "--memory-swap", "256m", runtime.name, check=True)
    assert read(runtime.name, "memory", "memory.limit_in_bytes", "memory.max") == str(128 << 20)
    runtime("update", "--memory", "16m", "--memory-swap", "32m", runtime.name, check=True)
    assert read(runtime.name, "memory", "memory.limit_in_bytes", "memory.max") == str(16 << 20)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("{", "invalid character"),
        ("[]", "cannot unmarshal array"),
        ('{"memory": {"limit": "x"}}', "cannot unmarshal string into Go struct field LinuxResources.memory.limit"),
    ],
)
def test_update_with_nonsense(runtime: Any, bundle: Any, document: str, text: str) -> None:
    runtime.start(bundle.args("/bin/sleep", "100"))
    done = runtime("update", "--resources", "-", runtime.name, input=document)
    assert done.returncode == 1 and (
        text in done.stderr or text in runtime.message(done) or "unexpected end" in done.stderr
    )


def test_update_changes_devices(runtime: Any, bundle: Any) -> None:
    names = [*bundle.process["capabilities"]["bounding"], "CAP_MKNOD"]
    bundle.process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), names)
    runtime.start(bundle.script("mknod /tmp/loop b 7 7; sleep 100"))
    deadline = time.monotonic() + 10
    while not (bundle.rootfs / "tmp/loop").exists() and time.monotonic() < deadline:
        time.sleep(0.02)

    def refused() -> bool:
        """By the device list; without the loop module an allowed one fails as well, but otherwise."""
        return "Operation not permitted" in runtime.exec("/bin/sh", "-c", ": < /tmp/loop").stderr

    assert refused()
    loop = '{"allow": true, "type": "b", "major": 7, "minor": 7, "access": "r"}'
    document = f'{{"devices": [{{"allow": false, "access": "rwm"}}, {loop}]}}'
    runtime("update", "-r", "-", runtime.name, input=document, check=True)
    assert not refused()
    runtime("update", "-r", "-", runtime.name, input='{"devices": [{"allow": false, "access": "rwm"}]}', check=True)
    assert refused()


def test_exec_where_init_has_handed_out_controllers(runtime: Any, bundle: Any) -> None:
    """v2: a group with child groups takes no processes; exec goes to init's own then (as inside systemd)."""
    if not V2:
        pytest.skip("a rule of cgroup v2")
    bundle.spec["mounts"] = [
        {**m, "options": [o for o in m["options"] if o != "ro"]} if m["destination"] == "/sys/fs/cgroup" else m
        for m in bundle.spec["mounts"]
    ]
    nest = "cd /sys/fs/cgroup; mkdir init && echo 1 > init/cgroup.procs"
    nest += " && echo +pids > cgroup.subtree_control; echo done; sleep 100"
    runtime.start(bundle.script(nest))
    deadline = time.monotonic() + 20
    while "done" not in (bundle.path / "out").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    done = runtime.exec("/bin/cat", "/proc/self/cgroup")
    assert done.stdout.strip().endswith("/init"), done


def test_a_group_made_by_somebody_else_is_used_and_left_on_failure(runtime: Any, bundle: Any) -> None:
    group = Cgroup(f"/dwtest/{runtime.name}")
    group.create()
    try:
        assert runtime.run(bundle.args("/nope")).returncode == 1
        assert group.exists()
    finally:
        group.remove()
