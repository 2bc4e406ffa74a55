"""What an update writes, on both kinds of cgroups: the whole of each part that changes, and nothing else."""

from typing import Any

import pytest

from dockwright.base.errors import Conflict
from dockwright.containers import updating
from dockwright.containers.container import Container
from dockwright.runtime.cgroups.limits import v1_writes, v2_writes
from dockwright.types.container import HostConfig, RestartPolicy

MIB = 1 << 20


def container(**host: Any) -> Container:
    return Container("c" * 64, "c", "", "", {}, HostConfig(**host))


def writes(before: dict[str, Any], wanted: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    host, named = updating._merged(container(**before), HostConfig(**wanted))
    found = [updating._resources(host, named, v2) for v2 in (False, True)]
    return (
        {file: value for _, file, value in v1_writes(found[0])},
        {file: value for _, file, value in v2_writes(found[1])},
    )


@pytest.mark.parametrize(
    ("before", "wanted", "v1", "v2"),
    [
        ({"CpuQuota": 30000}, {"CpuPeriod": 50000},
         {"cpu.cfs_quota_us": "30000", "cpu.cfs_period_us": "50000"}, {"cpu.max": "30000 50000"}),
        ({"NanoCpus": 10**9}, {"NanoCpus": 5 * 10**8},
         {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"}, {"cpu.max": "50000 100000"}),
        ({"Memory": 64 * MIB, "MemorySwap": 128 * MIB}, {"Memory": 32 * MIB},
         {"memory.limit_in_bytes": str(32 * MIB), "memory.memsw.limit_in_bytes": str(128 * MIB)},
         {"memory.max": str(32 * MIB), "memory.swap.max": str(96 * MIB)}),
        ({"Memory": 64 * MIB, "MemorySwap": -1}, {"MemoryReservation": 16 * MIB},
         {"memory.limit_in_bytes": str(64 * MIB), "memory.memsw.limit_in_bytes": "-1",
          "memory.soft_limit_in_bytes": str(16 * MIB)},
         {"memory.max": str(64 * MIB), "memory.swap.max": "max", "memory.low": str(16 * MIB)}),
        ({"PidsLimit": 5}, {"PidsLimit": 0}, {"pids.max": "max"}, {"pids.max": "max"}),
        ({"PidsLimit": 5, "CpuShares": 512}, {"CpuShares": 1024}, {"cpu.shares": "1024"}, {"cpu.weight": "39"}),
        ({"PidsLimit": 5}, {}, {}, {}),
        ({}, {"BlkioWeight": 300}, {"blkio.bfq.weight": "300"}, {"io.bfq.weight": "default 300"}),
    ],
)  # fmt: skip
def test_writes(before: Any, wanted: Any, v1: dict[str, str], v2: dict[str, str]) -> None:
    assert writes(before, wanted) == (v1, v2)


@pytest.mark.parametrize(
    ("before", "wanted", "text"),
    [
        ({"CpuQuota": 1}, {"NanoCpus": 1}, "Nano CPUs cannot be updated as CPU Quota has already been set"),
        ({"NanoCpus": 1}, {"CpuPeriod": 1}, "CPU Period cannot be updated as NanoCPUs has already been set"),
        ({"MemorySwap": 10 * MIB}, {"Memory": 20 * MIB}, "already set memoryswap limit"),
        ({}, {"Memory": 20 * MIB}, "already set memoryswap limit"),
        ({"MemorySwap": -1}, {"Memory": 20 * MIB}, "already set memoryswap limit"),
        ({"AutoRemove": True}, {"RestartPolicy": RestartPolicy("always", 0)}, "AutoRemove is enabled"),
    ],
)
def test_conflicts(before: Any, wanted: Any, text: str) -> None:
    with pytest.raises(Conflict, match=text):
        updating._merged(container(**before), HostConfig(**wanted))


def test_the_container_keeps_its_own_until_the_kernel_has_agreed() -> None:
    one = container(PidsLimit=5)
    host, _ = updating._merged(one, HostConfig(PidsLimit=6))
    assert (one.host.PidsLimit, host.PidsLimit) == (5, 6)
