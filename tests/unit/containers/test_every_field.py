"""Nothing is accepted and ignored: each field of a create request changes what is run, or is refused, or has its reason here.

A field that is new in the structs has no sample below and fails.
"""

import ast
from pathlib import Path

import pytest

import dockwright
from dockwright.base.errors import EngineError
from dockwright.containers import config as configs
from dockwright.containers import hostconfig, mountplan, starting
from dockwright.containers import shown as documents
from dockwright.containers.container import Container
from dockwright.containers.defaults import Defaults
from dockwright.host.limits import Limits
from dockwright.types.container import (
    CreateRequest,
    Device,
    DeviceRequest,
    HealthConfig,
    HostConfig,
    LogConfig,
    Mount,
    NetworkingConfig,
    PortBinding,
    RestartPolicy,
    Ulimit,
)

MEGA = 1 << 20
DEFAULTS = Defaults(LogConfig("json-file", {}))
BLOCK = [{"Path": "/dev/null", "Rate": 7, "Weight": 100}]
HOST = {
    "Annotations": {"a": "b"}, "AutoRemove": True, "Binds": ["/usr:/u"], "BlkioDeviceReadBps": BLOCK,
    "BlkioDeviceReadIOps": BLOCK, "BlkioDeviceWriteBps": BLOCK, "BlkioDeviceWriteIOps": BLOCK, "BlkioWeight": 50,
    "BlkioWeightDevice": BLOCK, "CapAdd": ["SYS_PTRACE"], "CapDrop": ["CHOWN"], "Cgroup": "x", "CgroupParent": "/other",
    "CgroupnsMode": "private", "ConsoleSize": [5, 6], "ContainerIDFile": "/id", "CpuCount": 1, "CpuPercent": 1,
    "CpuPeriod": 5000, "CpuQuota": 5000, "CpuRealtimePeriod": 5000, "CpuRealtimeRuntime": 5000, "CpuShares": 5,
    "CpusetCpus": "0", "CpusetMems": "0", "DeviceCgroupRules": ["c 1:7 r"], "DeviceRequests": [DeviceRequest("x")],
    "Devices": [Device("/dev/null", "/dev/other", "r")], "Dns": ["1.1.1.1"], "DnsOptions": ["x"], "DnsSearch": ["x"],
    "ExtraHosts": ["a:1.1.1.1"], "GroupAdd": ["55"], "IOMaximumBandwidth": 1, "IOMaximumIOps": 1, "Init": True,
    "IpcMode": "host", "Isolation": "hyperv", "Links": ["a:b"], "LogConfig": LogConfig("none"),
    "MaskedPaths": ["/etc/shadow"], "Memory": 10 * MEGA, "MemoryReservation": 10 * MEGA, "MemorySwap": -1,
    "MemorySwappiness": 5, "Mounts": [Mount("tmpfs", "", "/t")], "NanoCpus": 500_000_000, "NetworkMode": "host",
    "OomKillDisable": True, "OomScoreAdj": 5, "PidMode": "host", "PidsLimit": 5,
    "PortBindings": {"80/tcp": [PortBinding("", "80")]}, "Privileged": True, "PublishAllPorts": True,
    "ReadonlyPaths": ["/etc/shadow"], "ReadonlyRootfs": True, "RestartPolicy": RestartPolicy("always"), "Runtime": "crun",
    "SecurityOpt": ["no-new-privileges"], "ShmSize": MEGA, "StorageOpt": {"size": "1G"}, "Sysctls": {"net.ipv4.x": "1"},
    "Tmpfs": {"/t": ""}, "UTSMode": "host", "Ulimits": [Ulimit("nproc", 5, 6)], "UsernsMode": "private",
    "VolumeDriver": "foo", "VolumesFrom": ["donor"],
}  # fmt: skip
CONFIG = {
    "ArgsEscaped": True, "AttachStderr": True, "AttachStdin": True, "AttachStdout": True, "Cmd": ["other"],
    "Domainname": "d", "Entrypoint": ["e"], "Env": ["A=b"], "ExposedPorts": {"80/tcp": {}},
    "Healthcheck": HealthConfig(["CMD", "true"]), "HostConfig": HostConfig(ReadonlyRootfs=True), "Hostname": "h",
    "Image": "busybox", "Labels": {"a": "b"}, "MacAddress": "02:42:00:00:00:01",
    "NetworkDisabled": True, "NetworkingConfig": NetworkingConfig({"bridge": {}}), "OnBuild": ["RUN x"], "OpenStdin": True,
    "Shell": ["sh"], "StdinOnce": True, "StopSignal": "INT", "StopTimeout": 5, "Tty": True, "User": "5",
    "Volumes": {"/v": {}}, "WorkingDir": "/w",
}  # fmt: skip
# what neither the spec nor the mounts show: who acts on it. The test looks that this module really reads the field.
ELSEWHERE = {
    "AutoRemove": "containers/life.py", "Dns": "containers/networking.py", "DnsOptions": "containers/networking.py",
    "DnsSearch": "containers/networking.py", "ExtraHosts": "containers/networking.py", "LogConfig": "containers/logopts.py",
    "PortBindings": "containers/networking.py", "PublishAllPorts": "containers/networking.py",
    "RestartPolicy": "containers/restarts.py", "ExposedPorts": "containers/networking.py",
    "NetworkingConfig": "containers/networking.py", "MacAddress": "containers/networking.py",
    "Links": "containers/links.py", "Image": "containers/creation.py",
    "OpenStdin": "containers/starting.py", "StdinOnce": "containers/starting.py",
    "StopSignal": "containers/stopping.py", "StopTimeout": "containers/stopping.py", "Labels": "containers/store.py",
    "VolumeDriver": "containers/mountplan.py", "Healthcheck": "containers/health.py", "Shell": "containers/health.py",
    "StorageOpt": "containers/creation.py",
}  # fmt: skip
# what exists to be told back and nothing else, in Docker too
NOTES = {
    "ContainerIDFile": "the client has written it", "AttachStdin": "the client attaches", "AttachStdout": "the client attaches",
    "AttachStderr": "the client attaches", "OnBuild": "for commits", "ArgsEscaped": "for Windows, and for commits",
}  # fmt: skip
CAN = Limits(cpus="0-3", memory_nodes="0", processors=4)


class Layers:
    def accounts(self, container):
        return b"", b""


class Store:
    def find(self, ref):
        raise EngineError(f"No such container: {ref}")


def outcome(request):
    """What a request comes to: the spec, the mounts and warnings; or the refusal."""
    try:
        host, warnings = hostconfig.completed(request, CAN, Store(), DEFAULTS)
        config = configs.merged(request, None, "1" * 64, "")
        container = Container("1" * 64, "name", "", "", config, host)
        plan = mountplan.planned(host, config, "/data", Store().find)
        spec = starting.oci(container, Layers(), [entry.point.oci() for entry in plan], Store(), DEFAULTS)
        return spec, [(e.point.destination, e.volume.driver if e.volume else "") for e in plan], warnings
    except EngineError as error:
        return error.message


def request(host=None, **config):
    return CreateRequest(**{"Cmd": ["true"], "HostConfig": HostConfig(**(host or {})), **config})


def reads(module, field):
    """Whether a module of the source mentions the field: as an attribute, or as a key."""
    path = Path(dockwright.__file__).parent / module
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr == field:
            return True
        if isinstance(node, ast.Constant) and node.value == field:
            return True
    return False


PLAIN = outcome(request())


def acts(field, result):
    if field in NOTES:
        return True
    if field in ELSEWHERE:
        return reads(ELSEWHERE[field], field)
    return result != PLAIN


def test_the_baseline_is_accepted():
    assert not isinstance(PLAIN, str)
    assert PLAIN[1:] == ([], [])


@pytest.mark.parametrize("field", HostConfig.__struct_fields__)
def test_host_config(field):
    assert acts(field, outcome(request({field: HOST[field]})))


@pytest.mark.parametrize("field", CreateRequest.__struct_fields__)
def test_config(field):
    assert acts(field, outcome(request(**{field: CONFIG[field]})))


@pytest.mark.parametrize("field", HostConfig.__struct_fields__)
def test_inspect_shows_what_was_accepted(field):
    asked = request({field: HOST[field]})
    try:
        host, _ = hostconfig.completed(asked, CAN, Store(), DEFAULTS)
    except EngineError:
        return
    shown = documents.host_config(host)[field]
    assert shown or field == "CpuPercent", "dropped with a warning"


def test_no_reason_without_a_field():
    fields = {*HostConfig.__struct_fields__, *CreateRequest.__struct_fields__}
    assert {*ELSEWHERE, *NOTES} <= fields
    assert {*HOST} == {*HostConfig.__struct_fields__}
    assert {*CONFIG} == {*CreateRequest.__struct_fields__}
