"""linux.resources as writes."""

from pathlib import Path
from typing import Any

import pytest

from dockwright.runtime.arguments import UsageError
from dockwright.runtime.cgroups import devices, limits
from dockwright.runtime.cgroups.group import write_limit
from dockwright.runtime.commands.update import size


@pytest.mark.parametrize(
    ("shares", "weight"), [(2, 1), (1024, 39), (262144, 10000), (0, 1), (512, 20), (1 << 30, 10000)]
)
def test_shares_become_weights_linearly(shares: int, weight: int) -> None:
    assert limits.cpu_weight(shares) == weight


@pytest.mark.parametrize(("weight", "expected"), [(10, 1), (1000, 10000), (500, 4950)])
def test_block_weights(weight: int, expected: int) -> None:
    assert limits.io_weight(weight) == expected


def test_v2_swap_is_swap_alone() -> None:
    writes = limits.v2_writes({"memory": {"limit": 100, "swap": 300}})
    assert ("memory", "memory.swap.max", "200") in writes and ("memory", "memory.max", "100") in writes
    assert limits.v2_writes({"memory": {"swap": -1}}) == [("memory", "memory.swap.max", "max")]
    with pytest.raises(ValueError, match="unable to set swap limit without memory limit"):
        limits.v2_writes({"memory": {"swap": 300}})
    with pytest.raises(ValueError, match="memory\\+swap limit should be >= memory limit"):
        limits.v2_writes({"memory": {"limit": 300, "swap": 100}})


def test_v2_cpu() -> None:
    assert limits.v2_writes({"cpu": {"quota": -1, "period": 1000}}) == [("cpu", "cpu.max", "max 1000")]
    assert limits.v2_writes({"cpu": {"quota": 5}}) == [("cpu", "cpu.max", "5 100000")]


def test_v2_block_io() -> None:
    resources = {"blockIO": {"weight": 500, "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 10}]}}
    assert limits.v2_writes(resources) == [("io", "io.bfq.weight", "default 500"), ("io", "io.max", "8:0 rbps=10")]
    devices = {"blockIO": {"weightDevice": [{"major": 8, "minor": 1, "weight": 300}]}}
    assert limits.v2_writes(devices) == [("io", "io.bfq.weight", "8:1 300")]
    assert limits.io_weight_line("default 500") == "default 4950"
    assert limits.io_weight_line("8:1 10") == "8:1 1"


def test_a_v2_weight_goes_wherever_it_is_taken(tmp_path: Path) -> None:
    """Some kernels have BFQ, some the cost model, some both."""

    class Group:
        def file(self, controller: str, file: str) -> str:
            return str(tmp_path / file)

    with pytest.raises(FileNotFoundError, match=r"io\.bfq\.weight"):
        write_limit(Group(), "io", "io.bfq.weight", "default 500")
    (tmp_path / "io.weight").touch()
    write_limit(Group(), "io", "io.bfq.weight", "default 500")
    assert (tmp_path / "io.weight").read_text() == "default 4950"
    (tmp_path / "io.bfq.weight").touch()
    write_limit(Group(), "io", "io.bfq.weight", "default 500")
    assert (tmp_path / "io.bfq.weight").read_text() == "default 500"


def test_v1_devices_in_order() -> None:
    rules: list[dict[str, Any]] = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 5, "access": "rw"},
    ]
    assert devices.v1_writes(rules) == [("devices", "devices.deny", "a"), ("devices", "devices.allow", "c 5:* rw")]


def test_default_devices_follow_unless_everything_is_allowed() -> None:
    assert devices.with_defaults([{"allow": True, "access": "rwm"}]) == [{"allow": True, "access": "rwm"}]
    assert len(devices.with_defaults([{"allow": False, "access": "rwm"}])) == 1 + len(devices.DEFAULTS)


def test_a_rule_of_part_of_the_access_is_no_catch_all() -> None:
    """A rule for all devices that speaks of reading only leaves the others to the rules before it."""
    partial = devices.program([{"allow": True, "access": "rwm"}, {"allow": False, "access": "r"}])
    assert len(partial) > len(devices.program([{"allow": True, "access": "rwm"}]))


@pytest.mark.parametrize(
    ("text", "value"),
    [("64m", 64 << 20), ("64M", 64 << 20), ("64mb", 64 << 20), ("1g", 1 << 30), ("5k", 5120), ("7", 7), ("-1", -1), ("9b", 9)],
)  # fmt: skip
def test_sizes(text: str, value: int) -> None:
    assert size(text, "memory") == value


@pytest.mark.parametrize("text", ["", "m", "1x", "1.5m", "--1"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="invalid size"):
        size(text, "memory")


def test_merge_keeps_what_is_not_named() -> None:
    kept = {"memory": {"limit": 1, "swap": 2}, "devices": [1]}
    limits.merge(kept, {"memory": {"limit": 5}, "devices": [2], "pids": {"limit": 3}})
    assert kept == {"memory": {"limit": 5, "swap": 2}, "devices": [2], "pids": {"limit": 3}}
