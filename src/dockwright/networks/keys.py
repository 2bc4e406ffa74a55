"""Names of what the kernel has for a sandbox: the key of its namespace, the host's end of its links."""

import os
import socket


def make(path: str, namespace: str) -> None:
    """A link to the namespace that its shim holds. It needs no unmounting and keeps nothing alive (proc(5), ns/)."""
    remove(path)
    os.symlink(namespace, path)


def remove(path: str) -> None:
    """Take a namespace's key away; one that is gone is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def link_is_there(name: str) -> bool:
    """Whether this network namespace has an interface of that name (netdevice(7), SIOCGIFINDEX)."""
    try:
        return bool(name and socket.if_nametoindex(name))
    except OSError:
        return False
