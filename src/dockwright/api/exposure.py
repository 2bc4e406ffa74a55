"""TCP sockets that let in whoever reaches them: what dockerd says of those when it starts, and in info."""

import logging
from collections.abc import Sequence

_log = logging.getLogger("dockwright.api")

_BINDING = (
    "Binding to IP address without --tlsverify is insecure and gives root access on this machine to everyone who has access "
    "to your network.",
    "Binding to an IP address, even on localhost, can also give access to scripts run in a browser. Be safe out there!",
)
_REST = """
         Access to the remote API is equivalent to root access on the host. Refer
         to the 'Docker daemon attack surface' section in the documentation for
         more information: https://docs.docker.com/go/attack-surface/
In future versions this will be a hard failure preventing the daemon from starting! \
Learn more at: https://docs.docker.com/go/api-security/"""


def exposed(hosts: Sequence[str], secured: bool, verified: bool) -> list[str]:
    """A warning for each of `hosts` that anybody may talk to.

    Args:
        secured: with TLS. verified: which clients must have a certificate for.
    """
    if verified:
        return []
    scheme, lack = ("https", "TLS client verification") if secured else ("http", "encryption")
    found = sorted(host.removeprefix("tcp://") for host in hosts if host.startswith("tcp://"))
    return [f"[DEPRECATION NOTICE]: API is accessible on {scheme}://{host} without {lack}.{_REST}" for host in found]


def warn(hosts: Sequence[str], secured: bool, verified: bool) -> None:
    """Say it in the log, too."""
    warnings = exposed(hosts, secured, verified)
    for host in sorted(hosts) if warnings else ():
        if host.startswith("tcp://"):
            for text in _BINDING:
                _log.warning(text, extra={"fields": {"host": host}})
    for text in warnings:
        _log.warning(text)
