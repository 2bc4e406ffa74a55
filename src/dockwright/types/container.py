"""The body of POST /containers/create, field for field as the Engine API (1.47) names them.

A field left out and a field that is null are the same to Docker, so every field has its zero value and null is taken
as that (see `normalise`).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from dockwright.types.network import EndpointSettings


class HealthConfig(msgspec.Struct, omit_defaults=True):
    """A health check; durations in nanoseconds, 0 = inherit or default.

    Attributes:
        OnFailure: ours, what becomes of an unhealthy container: none, restart, stop or kill.
    """

    Test: list[str] | None = None
    Interval: int | None = 0
    Timeout: int | None = 0
    StartPeriod: int | None = 0
    StartInterval: int | None = 0
    Retries: int | None = 0
    OnFailure: str | None = ""


class RestartPolicy(msgspec.Struct):
    """When a container is started again."""

    Name: str | None = ""
    MaximumRetryCount: int | None = 0


class LogConfig(msgspec.Struct):
    """The log driver and its options."""

    Type: str | None = ""
    Config: dict[str, str] | None = None


class Ulimit(msgspec.Struct):
    """One resource limit."""

    Name: str = ""
    Soft: int = 0
    Hard: int = 0


class Device(msgspec.Struct):
    """A device of the host in the container."""

    PathOnHost: str = ""
    PathInContainer: str = ""
    CgroupPermissions: str = ""


class DeviceRequest(msgspec.Struct):
    """Devices that a driver of devices shall choose (`--gpus`)."""

    Driver: str | None = ""
    Count: int | None = 0
    DeviceIDs: list[str] | None = None
    Capabilities: list[list[str]] | None = None
    Options: dict[str, str] | None = None


class PortBinding(msgspec.Struct):
    """Where on the host a port is published."""

    HostIp: str | None = ""
    HostPort: str | None = ""


class BindOptions(msgspec.Struct, omit_defaults=True):
    """What a bind may have."""

    Propagation: str | None = ""
    NonRecursive: bool | None = False
    CreateMountpoint: bool | None = False
    ReadOnlyNonRecursive: bool | None = False
    ReadOnlyForceRecursive: bool | None = False
    IDMap: str | None = ""  # ours: see grammar.idmaps


class VolumeDriver(msgspec.Struct, omit_defaults=True):
    """Who makes a volume, and how."""

    Name: str | None = ""
    Options: dict[str, str] | None = None


class VolumeOptions(msgspec.Struct, omit_defaults=True):
    """What a volume may have."""

    NoCopy: bool | None = False
    Labels: dict[str, str] | None = None
    Subpath: str | None = ""
    DriverConfig: VolumeDriver | None = None


class ImageOptions(msgspec.Struct, omit_defaults=True):
    """What an image that is mounted may have."""

    Subpath: str | None = ""


class TmpfsOptions(msgspec.Struct, omit_defaults=True):
    """What a tmpfs may have; size in bytes, mode as Go prints it: permission bits."""

    SizeBytes: int | None = 0
    Mode: int | None = 0
    Options: list[list[str]] | None = None


class Mount(msgspec.Struct, omit_defaults=True):
    """One entry of HostConfig.Mounts (`--mount`)."""

    Type: str | None = ""
    Source: str | None = ""
    Target: str | None = ""
    ReadOnly: bool | None = False
    Consistency: str | None = ""
    BindOptions: BindOptions | None = None
    VolumeOptions: VolumeOptions | None = None
    TmpfsOptions: TmpfsOptions | None = None
    ImageOptions: ImageOptions | None = None
    ClusterOptions: dict[str, Any] | None = None


class HostConfig(msgspec.Struct):
    """What depends on the host. `containers.hostconfig` says of each field whether it is implemented."""

    WORDS: ClassVar[frozenset[str]] = frozenset({"CapAdd", "CapDrop"})  # lists that may also be a single word
    Binds: list[str] | None = None
    ContainerIDFile: str | None = ""
    LogConfig: LogConfig | None = None
    NetworkMode: str | None = ""
    PortBindings: dict[str, list[PortBinding] | None] | None = None
    RestartPolicy: RestartPolicy | None = None
    AutoRemove: bool | None = False
    VolumeDriver: str | None = ""
    VolumesFrom: list[str] | None = None
    ConsoleSize: list[int] | None = None
    Annotations: dict[str, str] | None = None
    CapAdd: list[str] | None = None
    CapDrop: list[str] | None = None
    CgroupnsMode: str | None = ""
    Dns: list[str] | None = None
    DnsOptions: list[str] | None = None
    DnsSearch: list[str] | None = None
    ExtraHosts: list[str] | None = None
    GroupAdd: list[str] | None = None
    IpcMode: str | None = ""
    Cgroup: str | None = ""
    Links: list[str] | None = None
    OomScoreAdj: int | None = 0
    PidMode: str | None = ""
    Privileged: bool | None = False
    PublishAllPorts: bool | None = False
    ReadonlyRootfs: bool | None = False
    SecurityOpt: list[str] | None = None
    StorageOpt: dict[str, str] | None = None
    Tmpfs: dict[str, str] | None = None
    UTSMode: str | None = ""
    UsernsMode: str | None = ""
    ShmSize: int | None = 0
    Sysctls: dict[str, str] | None = None
    Runtime: str | None = ""
    Isolation: str | None = ""
    CpuShares: int | None = 0
    Memory: int | None = 0
    NanoCpus: int | None = 0
    CgroupParent: str | None = ""
    BlkioWeight: Annotated[int, msgspec.Meta(ge=0, le=65535)] | None = 0
    BlkioWeightDevice: list[dict[str, Any]] | None = None
    BlkioDeviceReadBps: list[dict[str, Any]] | None = None
    BlkioDeviceWriteBps: list[dict[str, Any]] | None = None
    BlkioDeviceReadIOps: list[dict[str, Any]] | None = None
    BlkioDeviceWriteIOps: list[dict[str, Any]] | None = None
    CpuPeriod: int | None = 0
    CpuQuota: int | None = 0
    CpuRealtimePeriod: int | None = 0
    CpuRealtimeRuntime: int | None = 0
    CpusetCpus: str | None = ""
    CpusetMems: str | None = ""
    Devices: list[Device] | None = None
    DeviceCgroupRules: list[str] | None = None
    DeviceRequests: list[DeviceRequest] | None = None
    MemoryReservation: int | None = 0
    MemorySwap: int | None = 0
    MemorySwappiness: int | None = None
    OomKillDisable: bool | None = None
    PidsLimit: int | None = None
    Ulimits: list[Ulimit] | None = None
    CpuCount: int | None = 0
    CpuPercent: int | None = 0
    IOMaximumIOps: int | None = 0
    IOMaximumBandwidth: int | None = 0
    Mounts: list[Mount] | None = None
    MaskedPaths: list[str] | None = None
    ReadonlyPaths: list[str] | None = None
    Init: bool | None = None


class NetworkingConfig(msgspec.Struct):
    """Settings of the endpoints, by network name."""

    EndpointsConfig: dict[str, EndpointSettings | None] | None = None


class CheckpointCreateRequest(msgspec.Struct):
    """What a checkpoint is called and where it goes; `Exit`: the container ends by it."""

    CheckpointID: str = ""
    CheckpointDir: str = ""
    Exit: bool = False


class CreateRequest(msgspec.Struct):
    """The configuration that travels with an image, and what is beside it in the body."""

    WORDS: ClassVar[frozenset[str]] = frozenset({"Shell"})
    Hostname: str | None = ""
    Domainname: str | None = ""
    User: str | None = ""
    AttachStdin: bool | None = False
    AttachStdout: bool | None = False
    AttachStderr: bool | None = False
    ExposedPorts: dict[str, Any] | None = None
    Tty: bool | None = False
    OpenStdin: bool | None = False
    StdinOnce: bool | None = False
    Env: list[str] | None = None
    Cmd: list[str] | str | None = None
    Healthcheck: HealthConfig | None = None
    ArgsEscaped: bool | None = False
    Image: str | None = ""
    Volumes: dict[str, Any] | None = None
    WorkingDir: str | None = ""
    Entrypoint: list[str] | str | None = None
    NetworkDisabled: bool | None = False
    MacAddress: str | None = ""
    OnBuild: list[str] | None = None
    Labels: dict[str, str] | None = None
    StopSignal: str | None = ""
    StopTimeout: int | None = None
    Shell: list[str] | None = None
    HostConfig: HostConfig | None = None
    NetworkingConfig: NetworkingConfig | None = None
