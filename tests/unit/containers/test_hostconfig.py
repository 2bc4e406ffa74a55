"""Checks and completions of HostConfig and Config in Docker's words; what this host cannot do is dropped with a warning."""

import pytest

from dockwright.base.errors import EngineError, NotFound
from dockwright.containers import config as configs
from dockwright.containers import confinement, devices, hostconfig, limits, shown, versions
from dockwright.containers.container import Container
from dockwright.containers.defaults import Defaults
from dockwright.host.files import HostFiles
from dockwright.host.limits import Limits
from dockwright.host.limits import read as read_limits
from dockwright.spec.security import Security
from dockwright.types.container import (
    BindOptions,
    CreateRequest,
    Device,
    DeviceRequest,
    HealthConfig,
    HostConfig,
    LogConfig,
    Mount,
    Ulimit,
    VolumeOptions,
)

M = 1 << 20
DEFAULTS = Defaults(LogConfig("json-file", {}))
CAN = Limits(cpus="0-1", memory_nodes="0", processors=2)
NOTHING = Limits(**{name: False for name in Limits.__dataclass_fields__ if Limits.__dataclass_fields__[name].type is bool})


class Store:
    def find(self, ref):
        if ref != "donor":
            raise NotFound(f"No such container: {ref}")
        return Container("d" * 64, "donor", "", "", {}, HostConfig())


def completed(can=CAN, defaults=DEFAULTS, **fields):
    return hostconfig.completed(CreateRequest(HostConfig=HostConfig(**fields)), can, Store(), defaults)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"Memory": M}, "Minimum memory limit allowed is 6MB"),
        ({"Memory": -1}, "Minimum memory limit allowed is 6MB"),
        (
            {"Memory": 10 * M, "MemorySwap": 5 * M},
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        ({"MemorySwap": M}, "You should always set the Memory limit when using Memoryswap limit, see usage"),
        ({"MemoryReservation": M}, "Minimum memory reservation allowed is 6MB"),
        (
            {"Memory": 10 * M, "MemoryReservation": 20 * M},
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ),
        ({"MemorySwappiness": 101}, "Invalid value: 101, valid memory swappiness range is 0-100"),
        ({"NanoCpus": 1, "CpuPeriod": 1000}, "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
        ({"NanoCpus": 1, "CpuQuota": 1000}, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
        ({"NanoCpus": 3_000_000_000}, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
        ({"CpuShares": -1}, "invalid CPU shares (-1): value must be a positive integer"),
        (
            {"CpuPeriod": 10},
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ),
        ({"CpuQuota": 10}, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        ({"CpusetCpus": "x"}, "Invalid value x for cpuset cpus: invalid format: x"),
        ({"CpusetCpus": "99"}, "Requested CPUs are not available - requested 99, available: 0-1"),
        ({"CpusetMems": "9"}, "Requested memory nodes are not available - requested 9, available: 0"),
        ({"BlkioWeight": 5}, "Range of blkio weight is from 10 to 1000"),
        ({"IOMaximumIOps": 1}, "Invalid QoS settings: linux does not support configuration of maximum IOPs"),
        ({"OomScoreAdj": 2000}, "Invalid value 2000, range for oom score adj is [-1000, 1000]"),
        ({"ShmSize": -1}, "SHM size can not be less than 0"),
        ({"IpcMode": "x"}, "invalid IPC mode: x"),
        ({"PidMode": "x"}, "invalid PID mode: x"),
        ({"UTSMode": "x"}, "invalid UTS mode: x"),
        ({"CgroupnsMode": "x"}, "invalid cgroup namespace mode: x"),
        ({"PidMode": "container:nope"}, "No such container: nope"),
        ({"Runtime": "x"}, "unknown or invalid runtime name: x"),
        ({"Isolation": "x"}, "Invalid isolation: \"x\" - linux only supports 'default'"),
        ({"CapAdd": ["FOO"]}, 'invalid CapAdd: unknown capability: "CAP_FOO"'),
        ({"SecurityOpt": ["foo"]}, 'invalid --security-opt 1: "foo"'),
        ({"SecurityOpt": ["foo=bar"]}, 'invalid --security-opt 2: "foo=bar"'),
        ({"SecurityOpt": ["no-new-privileges=x"]}, 'invalid --security-opt 2: "no-new-privileges=x"'),
        ({"SecurityOpt": ["label=type:x"]}, "label options are for SELinux, which this engine does not set"),
        ({"Annotations": {"": "x"}}, "invalid Annotations: the empty string is not permitted as an annotation key"),
        ({"Tmpfs": {"t": ""}}, "invalid mount path: 't' mount path must be absolute"),
        ({"Tmpfs": {"/": ""}}, "invalid specification: destination can't be '/'"),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(EngineError) as caught:
        completed(**fields)
    assert caught.value.message == message


def test_defaults():
    host, warnings = completed()
    assert warnings == []
    document = shown.host_config(host)
    assert {name: document[name] for name in ("NetworkMode", "IpcMode", "CgroupnsMode", "ShmSize", "Runtime")} == {
        "NetworkMode": "bridge", "IpcMode": "private", "CgroupnsMode": "host", "ShmSize": 64 * M, "Runtime": "runc",
    }  # fmt: skip
    assert not {"Annotations", "StorageOpt", "Tmpfs", "Sysctls", "Mounts", "Init"} & {*document}
    assert "/proc/kcore" in document["MaskedPaths"] and document["OomKillDisable"] is False
    assert document["SecurityOpt"] is None


def test_completions():
    assert completed(Memory=10 * M)[0].MemorySwap == 20 * M
    assert completed(MemorySwappiness=-1)[0].MemorySwappiness is None
    assert completed(PidsLimit=-1)[0].PidsLimit is None
    assert completed(IpcMode="container:donor")[0].IpcMode == "container:" + "d" * 64
    assert completed(Privileged=True)[0].MaskedPaths is None
    assert completed(PidMode="host")[0].SecurityOpt == ["label=disable"]
    assert completed(Memory=None, IpcMode=None)[0].IpcMode == "private"


def test_what_the_kernel_cannot_do_is_dropped_with_a_warning():
    fields = {
        "Memory": 10 * M, "MemoryReservation": 10 * M, "MemorySwappiness": 5, "OomKillDisable": True, "PidsLimit": 5,
        "CpuShares": 5, "CpuPeriod": 5000, "CpusetCpus": "0", "BlkioWeight": 5, "BlkioDeviceReadBps": [{"Path": "/x"}],
        "BlkioDeviceWriteIOps": [{"Path": "/x"}], "BlkioWeightDevice": [{"Path": "/x"}],
    }  # fmt: skip
    host, warnings = completed(NOTHING, **fields)
    assert all(not getattr(host, name) for name in fields)
    assert host.MemorySwap == -1
    no, gone = "Your kernel does not support ", " or the cgroup is not mounted. "
    assert warnings == [
        f"{no}memory limit capabilities{gone}Limitation discarded.",
        f"{no}memory swappiness capabilities{gone}Memory swappiness discarded.",
        f"{no}memory soft limit capabilities{gone}Limitation discarded.",
        f"{no}OomKillDisable. OomKillDisable discarded.",
        f"{no}PIDs limit capabilities{gone}PIDs limit discarded.",
        f"{no}CPU shares{gone}Shares discarded.",
        f"{no}CPU CFS scheduler. CPU period/quota discarded.",
        f"{no}cpuset{gone}Cpuset discarded.",
        f"{no}Block I/O weight{gone}Weight discarded.",
        f"{no}Block I/O weight_device{gone}Weight-device discarded.",
        f"{no}BPS Block I/O read limit{gone}Block I/O BPS read limit discarded.",
        f"{no}IOPS Block write limit{gone}Block I/O IOPS write limit discarded.",
    ]


def test_memory_without_swap_accounting():
    host, warnings = completed(Limits(swap=False), Memory=10 * M)
    assert (host.Memory, host.MemorySwap) == (10 * M, -1)
    assert warnings == [
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap."
    ]


def test_an_oom_killer_that_is_off():
    assert "no memory limit is set" in completed(OomKillDisable=True)[1][0]
    assert completed(OomKillDisable=True, Memory=10 * M)[1] == []


def test_lists_of_processors():
    assert limits.cpu_list("0-2,7", "cpus") == {0, 1, 2, 7}
    assert limits.cpu_list("", "cpus") == set()
    for text in ("-1", "2-1", "a", "1,,2"):
        with pytest.raises(EngineError):
            limits.cpu_list(text, "cpus")


def test_empty_fields_that_inspect_leaves_out():
    document = shown.host_config(HostConfig(Init=False, Memory=0))
    assert document["Init"] is False and document["Memory"] == 0
    assert not {"Mounts", "Tmpfs", "Sysctls"} & set(document)
    assert shown.config({"StopSignal": "", "MacAddress": "", "StopTimeout": 0, "Volumes": None}) == {
        "StopTimeout": 0,
        "Volumes": None,
    }


def test_shares_beyond_the_kernels_range():
    for shares, bound in ((1, "minimum allowed cpu-shares is 2"), (300000, "maximum allowed cpu-shares is 262144")):
        with pytest.raises(EngineError, match=bound):
            limits.check_shares(HostConfig(CpuShares=shares), v2=False)
        limits.check_shares(HostConfig(CpuShares=shares), v2=True)


def test_what_the_host_can_limit(tmp_path):
    root = tmp_path / "sys/fs/cgroup"
    root.mkdir(parents=True)
    (root / "cgroup.controllers").write_text("cpu memory pids\n")
    (root / "cpuset.cpus.effective").write_text("0-7\n")
    found = read_limits(HostFiles(str(tmp_path)))
    assert (found.v2, found.memory, found.cpuset, found.block_weight, found.swappiness) == (True, True, False, False, False)
    assert found.cpus == "0-7"


# confinement


def test_apparmor_where_there_is_none(tmp_path):
    files = HostFiles(str(tmp_path))
    for chosen in (Security(), Security(apparmor="unconfined")):
        assert confinement.apparmor(chosen, False, files) == ""


def test_apparmor(tmp_path):
    for path, text in (("sys/module/apparmor/parameters/enabled", "Y"), ("sys/kernel/security/apparmor/profiles", "")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    files = HostFiles(str(tmp_path))
    assert confinement.apparmor(Security(), False, files) == "", "the default profile is not loaded"
    assert confinement.apparmor(Security(apparmor="mine"), False, files) == "mine"
    (tmp_path / "sys/kernel/security/apparmor/profiles").write_text("docker-default (enforce)\n")
    assert confinement.apparmor(Security(), False, files) == "docker-default"
    assert confinement.apparmor(Security(), True, files) == ""


# devices


def test_devices():
    nodes, rules = devices.planned(
        HostConfig(Devices=[Device("/dev/null", "/dev/n", "r")], DeviceCgroupRules=["c 42:* rw"])
    )
    assert {key: nodes[0][key] for key in ("path", "type", "major", "minor")} == {
        "path": "/dev/n", "type": "c", "major": 1, "minor": 3,
    }  # fmt: skip
    assert rules == [
        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"},
        {"allow": True, "type": "c", "major": 42, "access": "rw"},
    ]


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (
            HostConfig(Devices=[Device("/dev/nope")]),
            'error gathering device information while adding custom device "/dev/nope": no such file or directory',
        ),
        (
            HostConfig(Devices=[Device("/etc/passwd")]),
            'error gathering device information while adding custom device "/etc/passwd": not a device node',
        ),
        (HostConfig(DeviceCgroupRules=["x"]), "invalid device cgroup rule format: 'x'"),
        (
            HostConfig(DeviceRequests=[DeviceRequest("", -1, None, [["gpu", "utility"]])]),
            'could not select device driver "" with capabilities: [[gpu utility]]',
        ),
        (
            HostConfig(DeviceRequests=[DeviceRequest("cdi", 0, ["vendor.com/gpu=0"])]),
            'could not select device driver "cdi" with capabilities: []',
        ),
    ],
)
def test_devices_that_cannot_be(host, message):
    with pytest.raises(EngineError) as caught:
        devices.described(host, ())
        devices.planned(host)
    assert caught.value.message == message


# Config


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"Cmd": None}, "no command specified"),
        ({"Env": ["=x"]}, "invalid environment variable: =x"),
        ({"Hostname": "x" * 65}, f'hostname "{"x" * 65}" is too long (maximum 64 bytes)'),
        ({"WorkingDir": "rel"}, "the working directory 'rel' is invalid, it needs to be an absolute path"),
        ({"StopSignal": "FOO"}, "invalid signal: FOO"),
        ({"Healthcheck": HealthConfig(["NONE"], Interval=5)}, "Interval in Healthcheck cannot be less than 1ms"),
        ({"Healthcheck": HealthConfig(["NONE"], Retries=-1)}, "Retries in Healthcheck cannot be negative"),
        (
            {"Healthcheck": HealthConfig(["X"])},
            "Unknown healthcheck type 'X' (expected 'CMD', 'CMD-SHELL' or 'NONE')",
        ),
        ({"NetworkDisabled": True}, "Config.NetworkDisabled is not implemented: use the network mode none"),
    ],
)
def test_configs_that_cannot_be(fields, message):
    with pytest.raises(EngineError) as caught:
        configs.merged(CreateRequest(**{"Cmd": ["true"], **fields}), None, "1" * 64, "")
    assert caught.value.message == message


def test_config():
    request = CreateRequest(Cmd=["true"], WorkingDir="/a/../b/", Healthcheck=HealthConfig(["NONE"]), StopTimeout=0)
    config = configs.merged(request, None, "1" * 64, "")
    assert (config["WorkingDir"], config["Healthcheck"], config["StopTimeout"]) == ("/b", {"Test": ["NONE"]}, 0)
    assert (config["Hostname"], config["Volumes"]) == ("1" * 12, None)


# older clients


def test_older_clients():
    def adapted(version, **fields):
        request = CreateRequest(HostConfig=HostConfig(**fields))
        versions.adapt(request, version)
        return request.HostConfig

    assert adapted((1, 39)).IpcMode == "shareable"
    assert adapted((1, 40)).CgroupnsMode == "host"
    assert adapted((1, 42), Annotations={"a": "b"}).Annotations is None
    assert adapted((1, 41), ConsoleSize=[1, 2]).ConsoleSize is None
    mount = Mount("bind", "/s", "/t", True, BindOptions=BindOptions(NonRecursive=True), VolumeOptions=VolumeOptions())
    old = adapted((1, 39), Mounts=[mount]).Mounts[0]
    assert old.VolumeOptions is None and not old.BindOptions.NonRecursive
    assert not versions.read_only_is_recursive((1, 43))
    for version, given, message in (
        (
            (1, 42),
            Mount("bind", VolumeOptions=VolumeOptions()),
            'VolumeOptions must not be specified on mount type "bind"',
        ),
        (
            (1, 44),
            Mount("volume", VolumeOptions=VolumeOptions(Subpath="x")),
            "VolumeOptions.Subpath needs API v1.45 or newer",
        ),
    ):
        with pytest.raises(EngineError) as caught:
            adapted(version, Mounts=[given])
        assert caught.value.message == message


def test_the_daemons_defaults_are_for_those_who_do_not_say():
    said = Defaults(
        LogConfig("json-file", {}), ulimits=(Ulimit("nofile", 5, 6), Ulimit("nproc", 7, 8)), shm_size=32 * M,
        ipc_mode="shareable", cgroupns_mode="private",
    )  # fmt: skip
    host, _ = completed(defaults=said, Ulimits=[Ulimit("nproc", 1, 2)])
    assert host.Ulimits == [Ulimit("nproc", 1, 2), Ulimit("nofile", 5, 6)]
    assert (host.ShmSize, host.IpcMode, host.CgroupnsMode) == (32 * M, "shareable", "private")
    host, _ = completed(defaults=said, ShmSize=M, IpcMode="private", CgroupnsMode="host")
    assert (host.ShmSize, host.IpcMode, host.CgroupnsMode) == (M, "private", "host")
