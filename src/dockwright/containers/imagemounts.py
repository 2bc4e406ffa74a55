"""Images that are mounted into containers (`--mount type=image`): their layers, in the runtime's terms."""

import os
from typing import Any

from dockwright.base.errors import NotSupported
from dockwright.base.paths import Paths
from dockwright.containers.container import Container
from dockwright.containers.mountpoint import MountPoint
from dockwright.images.layers import Layers


def entry(point: MountPoint, layers: Layers, paths: Paths) -> dict[str, Any]:
    """A mount in the runtime's terms; an image's with its snapshot, which the shim mounts for the moment of attaching it.

    Raises:
        NotFound: an image's layers have gone.
    """
    if point.type != "image":
        return point.oci()
    os.makedirs(paths.temporary, 0o700, exist_ok=True)
    snapshot = {"mount": layers.image_mount(point.chain), "base": layers.base, "point": paths.temporary}
    return {**point.oci(), "snapshot": snapshot}


def refuse(container: Container, why: str) -> None:
    """Raises NotSupported for a container with an image mount, which only our own runtime can make, unmapped."""
    if any(point.type == "image" for point in container.mounts):
        raise NotSupported(f"image mounts are not implemented {why}")
