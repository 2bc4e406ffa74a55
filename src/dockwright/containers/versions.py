"""What a create request of an older client means: fields it cannot know are ignored, defaults are those of its time.

Source: Engine API version history.
"""

from dockwright.base.errors import InvalidParameter
from dockwright.types.container import BindOptions, CreateRequest, HostConfig, Mount

_BLOCKS = (("BindOptions", "bind"), ("VolumeOptions", "volume"), ("TmpfsOptions", "tmpfs"))


def adapt(request: CreateRequest, version: tuple[int, int]) -> None:
    """Change `request` into what it means for a client of API `version`.

    Raises:
        InvalidParameter: in Docker's words.
    """
    host = request.HostConfig = request.HostConfig or HostConfig()
    for mount in host.Mounts or ():
        _adapt_mount(mount, version)
    if version < (1, 40) and not host.IpcMode:
        host.IpcMode = "shareable"
    if version < (1, 41) and not host.CgroupnsMode:
        host.CgroupnsMode = "host"
    if version < (1, 42):
        host.ConsoleSize = None
    if version < (1, 43):
        host.Annotations = None
    if version < (1, 44) and request.Healthcheck:
        request.Healthcheck.StartInterval = 0


def _adapt_mount(mount: Mount, version: tuple[int, int]) -> None:
    for block, kind in _BLOCKS:
        if getattr(mount, block) is not None and mount.Type != kind:
            if version >= (1, 42):
                raise InvalidParameter(f'{block} must not be specified on mount type "{mount.Type}"')
            setattr(mount, block, None)
    if version < (1, 44) and mount.BindOptions:
        _adapt_bind(mount.BindOptions, version)
    if version < (1, 45) and mount.VolumeOptions and mount.VolumeOptions.Subpath:
        raise InvalidParameter("VolumeOptions.Subpath needs API v1.45 or newer")


def read_only_is_recursive(version: tuple[int, int]) -> bool:
    """Whether the read-only bit of an entry of Mounts reaches the mounts below it."""
    return version >= (1, 44)


def _adapt_bind(bind: BindOptions, version: tuple[int, int]) -> None:
    if bind.ReadOnlyForceRecursive:
        raise InvalidParameter("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
    bind.ReadOnlyNonRecursive = False
    if version < (1, 42):
        bind.CreateMountpoint = False
    if version < (1, 40):
        bind.NonRecursive = False
