"""Forwarding: a bridge without it reaches nobody (Documentation/networking/ip-sysctl.rst, ip_forward, conf/all/forwarding)."""

import logging
import os

from dockwright.kernel.netlink import write_sysctl

log = logging.getLogger("dockwright.networks")

IP_FORWARD = "/proc/sys/net/ipv4/ip_forward"
IPV6_CONF = "/proc/sys/net/ipv6/conf"
IPV6_FORWARD = f"{IPV6_CONF}/all/forwarding"


def is_on(path: str = IP_FORWARD) -> bool:
    """Whether this network namespace forwards."""
    with open(path, encoding="ascii") as file:
        return file.read().strip() == "1"


def ensure(wanted: bool, six: bool) -> None:
    """Switch forwarding on if it is off, and say so. The global policy of other firewalls is left alone.

    Args:
        wanted: the daemon may do that. six: IPv6 is needed, too.

    Raises:
        OSError: the kernel refused.
    """
    if wanted and not is_on():
        write_sysctl(IP_FORWARD, "1")
        log.warning("IPv4 forwarding was off: switched on (%s), which bridges need", IP_FORWARD)
    if wanted and six and os.path.exists(IPV6_FORWARD) and not is_on(IPV6_FORWARD):
        _keep_advertisements()
        write_sysctl(IPV6_FORWARD, "1")
        log.warning("IPv6 forwarding was off: switched on (%s), which bridges with IPv6 need", IPV6_FORWARD)


def _keep_advertisements() -> None:
    """A host that forwards ignores router advertisements unless accept_ra is 2: without this it would lose its own way out."""
    for name in os.listdir(IPV6_CONF):
        path = f"{IPV6_CONF}/{name}/accept_ra"
        if is_on(path):
            write_sysctl(path, "2")
