"""A browser's page must not talk to an engine on TCP: no foreign Host (DNS rebinding), no Origin."""

import ipaddress
import socket

from dockwright.base.errors import Forbidden


def check_host(fields: dict[str, str], secured: bool = False) -> None:
    """Refuse a request that a web page on another site made.

    A name that is no IP address, not localhost and not this machine's can be any name that somebody pointed at us. With TLS
    (`secured`) it is a name in our certificate, or the client does not care.

    Raises:
        Forbidden: such a Host, or any Origin.
    """
    if fields.get("origin"):
        raise Forbidden("requests from web pages are refused: Origin is not allowed")
    if secured:
        return
    host = fields.get("host", "")
    name = host.rpartition(":")[0] if host.rpartition("]")[2].count(":") else host
    name = name.strip("[]").lower()
    if not _ours(name):
        raise Forbidden(f"host {name!r} is not a name of this engine")


def _ours(name: str) -> bool:
    if name in ("", "localhost", "docker") or name == socket.gethostname().lower():
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
