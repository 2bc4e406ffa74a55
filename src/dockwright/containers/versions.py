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
    if version < (1, 44) and mount.Type == "bind":
        _adapt_bind(mount, version)
    if version < (1, 45) and mount.VolumeOptions and mount.VolumeOptions.Subpath:
        raise InvalidParameter("VolumeOptions.Subpath needs API v1.45 or newer")


def _adapt_bind(mount: Mount, version: tuple[int, int]) -> None:
    """Before 1.44 the read-only bit did not reach the mounts below."""
    bind = mount.BindOptions = mount.BindOptions or BindOptions()
    if bind.ReadOnlyForceRecursive:
        raise InvalidParameter("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
    bind.ReadOnlyNonRecursive = bool(mount.ReadOnly)
    if version < (1, 42):
        bind.CreateMountpoint = False
    if version < (1, 40):
        bind.NonRecursive = False
