"""SELinux, which no container gets a label of yet: `--selinux-enabled` is refused where it would mean something."""

import logging

from dockwright.base.errors import NotSupported
from dockwright.host import security
from dockwright.host.files import HostFiles

log = logging.getLogger("dockwright.daemon")


def check(wanted: bool, files: HostFiles | None = None) -> None:
    """Say, as dockerd does, that a kernel without SELinux cannot have it on.

    Raises:
        NotSupported: the kernel has it, and containers would go without labels all the same.
    """
    if not wanted:
        return
    if security.selinux(files or HostFiles()):
        raise NotSupported("selinux-enabled is not implemented yet: containers get no SELinux labels")
    log.warning("Docker could not enable SELinux on the host system")
