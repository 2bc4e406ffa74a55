"""The HostConfig of a container: checked and completed, field for field.

Nothing is accepted and ignored: each field is implemented with Docker's checks, dropped with Docker's warning, or refused.
`tests/unit/containers/test_every_field.py` walks all of them.
"""

from dockwright.base.errors import Internal, InvalidParameter, NotSupported
from dockwright.containers import limits, logopts, modes, mountplan, remap, restarts
from dockwright.containers.defaults import Defaults
from dockwright.containers.store import Store
from dockwright.grammar.mounts import clean
from dockwright.host.files import HostFiles
from dockwright.host.limits import Limits
from dockwright.host.security import apparmor
from dockwright.spec import security
from dockwright.spec.build import MASKED, READ_ONLY
from dockwright.spec.capabilities import normalise
from dockwright.types.container import CreateRequest, HostConfig, LogConfig, RestartPolicy

NOT_YET = ("Cgroup", "CpuCount")


def completed(
    request: CreateRequest, can: Limits, store: Store, defaults: Defaults
) -> tuple[HostConfig, list[str]]:  # fmt: skip
    """The request's HostConfig with the defaults filled in, after checking it, and warnings.

    Raises:
        EngineError: a value that cannot be, in Docker's words; NotSupported: a field that is not implemented.
    """
    host = request.HostConfig or HostConfig()
    _without_nulls(host)
    for name in NOT_YET:
        if getattr(host, name):
            raise NotSupported(f"HostConfig.{name} is not implemented yet")
    defaults.fill_in(host, can.v2)
    _fill_in(host)
    _check(host, defaults)
    modes.check(request, host, store)
    remap.check(host, defaults.remap)
    _secure(host)
    return host, limits.check(host, can)


def _without_nulls(host: HostConfig) -> None:
    """A null is the field's zero value."""
    for name, zero in zip(HostConfig.__struct_fields__, HostConfig.__struct_defaults__, strict=True):
        if getattr(host, name) is None:
            setattr(host, name, zero)


def _fill_in(host: HostConfig) -> None:
    if host.NetworkMode in ("", "default"):
        host.NetworkMode = "bridge"
    if not host.Privileged:
        host.MaskedPaths = list(MASKED) if host.MaskedPaths is None else host.MaskedPaths
        host.ReadonlyPaths = list(READ_ONLY) if host.ReadonlyPaths is None else host.ReadonlyPaths
    host.ConsoleSize = host.ConsoleSize or [0, 0]
    host.LogConfig = host.LogConfig if host.LogConfig and host.LogConfig.Type else LogConfig("json-file", {})
    host.RestartPolicy = (
        host.RestartPolicy if host.RestartPolicy and host.RestartPolicy.Name else RestartPolicy("no", 0)
    )


def _check(host: HostConfig, defaults: Defaults) -> None:
    normalise(host.CapAdd, "CapAdd")
    normalise(host.CapDrop, "CapDrop")
    assert host.LogConfig
    restarts.check(host)
    logopts.check(host.LogConfig)
    defaults.runtimes.check(host.Runtime or "")
    if not -1000 <= (host.OomScoreAdj or 0) <= 1000:
        raise InvalidParameter(f"Invalid value {host.OomScoreAdj}, range for oom score adj is [-1000, 1000]")
    if (host.ShmSize or 0) < 0:
        raise InvalidParameter("SHM size can not be less than 0")
    if host.Isolation not in ("", "default"):
        raise Internal(f"Invalid isolation: \"{host.Isolation}\" - linux only supports 'default'")
    if "" in (host.Annotations or ()):
        raise InvalidParameter("invalid Annotations: the empty string is not permitted as an annotation key")
    _check_tmpfs(host.Tmpfs or {})
    mountplan.check(host)


def _check_tmpfs(tmpfs: dict[str, str]) -> None:
    for destination in tmpfs:
        if clean(destination) == "/":
            raise InvalidParameter("invalid specification: destination can't be '/'")
        if not destination.startswith("/"):
            raise InvalidParameter(f"invalid mount path: '{destination}' mount path must be absolute")


def _secure(host: HostConfig) -> None:
    """Check the security options, and add the label nobody asked for.

    Raises:
        InvalidParameter, NotSupported: an option that cannot be.
    """
    options = host.SecurityOpt or []
    security.check(options, apparmor(HostFiles()))
    opened = host.Privileged or host.PidMode == "host" or host.IpcMode == "host"
    if opened and not security.parse(options).labels:
        host.SecurityOpt = [*options, security.DISABLE]
