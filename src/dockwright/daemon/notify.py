"""Telling a service manager how the daemon is: sd_notify(3)'s protocol, which is one datagram to $NOTIFY_SOCKET."""

import logging
import os
import socket

log = logging.getLogger("dockwright.daemon")


def tell(*states: str) -> bool:
    """Send assignments such as `READY=1`. False: nobody wants to know, or the manager cannot be reached (logged).

    Source: sd_notify(3): a path, or `@` and the name of an abstract socket.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(address)
            sock.send("\n".join(states).encode())
    except OSError as error:
        log.warning("the service manager cannot be told %s: %s", " ".join(states), error.strerror)
        return False
    return True
