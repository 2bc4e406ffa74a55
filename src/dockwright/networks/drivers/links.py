"""Links that drivers have made on the host."""

import errno

from dockwright.kernel import netlink


def delete(name: str, owner: str, unmarked: bool = False) -> None:
    """Delete a link if it is marked as `owner`'s; one that has gone, or is somebody else's, is no error.

    Args:
        unmarked: its name can only be ours: it goes also where a daemon was killed before it had marked it.

    Raises:
        OSError: from the kernel.
    """
    with netlink.Netlink() as link:
        found = netlink.link(link, name)
        if found is None or found["alias"] not in ((owner, "") if unmarked else (owner,)):
            return
        try:
            link.batch([netlink.link_delete(found["index"])])
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
