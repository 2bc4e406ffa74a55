"""Limits that cannot be, in Docker's words; and fields that inspect leaves out."""

import os

import pytest

from dockwright.base.errors import InvalidParameter
from dockwright.containers import resources, shown
from dockwright.types.container import HostConfig

CPUS = os.cpu_count()
MIB = 1 << 20


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"Memory": MIB}, "Minimum memory limit allowed is 6MB"),
        ({"MemorySwap": 8 * MIB}, "You should always set the Memory limit when using Memoryswap limit, see usage"),
        ({"Memory": 8 * MIB, "MemorySwap": 7 * MIB}, "Minimum memoryswap limit should be larger than memory limit, see usage"),
        ({"MemoryReservation": MIB}, "Minimum memory reservation allowed is 6MB"),
        (
            {"Memory": 8 * MIB, "MemoryReservation": 9 * MIB},
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ),
        ({"MemorySwappiness": 101}, "Invalid value: 101, valid memory swappiness range is 0-100"),
        ({"NanoCpus": 1, "CpuQuota": 5000}, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
        (
            {"NanoCpus": 10**15},
            f"Range of CPUs is from 0.01 to {CPUS}.00, as there are only {CPUS} CPUs available",
        ),
        ({"CpuPeriod": 10}, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"),
        ({"CpuQuota": 10}, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        ({"OomScoreAdj": 2000}, "Invalid value 2000, range for oom score adj is [-1000, 1000]"),
        ({"CpusetCpus": "0-a"}, "Invalid value 0-a for cpuset cpus: invalid format: 0-a"),
    ],
)
def test_limits_that_cannot_be(fields, text):
    with pytest.raises(InvalidParameter) as caught:
        resources.check(HostConfig(**fields))
    assert caught.value.message == text


def test_processors_that_are_not_there(monkeypatch):
    monkeypatch.setattr(resources, "_available", lambda name: "0-1")
    with pytest.raises(InvalidParameter) as caught:
        resources.check(HostConfig(CpusetCpus="1,7"))
    assert caught.value.message == "Requested CPUs are not available - requested 1,7, available: 0-1"
    resources.check(HostConfig(CpusetCpus="0-1", CpusetMems="0"))


def test_swap_is_twice_the_memory():
    host = HostConfig(Memory=8 * MIB)
    resources.check(host)
    assert host.MemorySwap == 16 * MIB


def test_lists_of_numbers():
    assert resources.members("0-2,5") == {0, 1, 2, 5}
    for text in ("", "-1", "2-1", "a", "1,,2"):
        with pytest.raises(ValueError):
            resources.members(text)


def test_empty_fields_that_inspect_leaves_out():
    document = shown.host_config(HostConfig(Init=False, Memory=0))
    assert document["Init"] is False and document["Memory"] == 0
    assert not {"Mounts", "Tmpfs", "Sysctls"} & set(document)
    assert shown.config({"StopSignal": "", "MacAddress": "", "StopTimeout": 0, "Volumes": None}) == {
        "StopTimeout": 0,
        "Volumes": None,
    }
