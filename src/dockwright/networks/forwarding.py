"""IPv4 forwarding: a bridge without it reaches nobody (Documentation/networking/ip-sysctl.rst, ip_forward)."""

import logging

from dockwright.kernel.netlink import write_sysctl

log = logging.getLogger("dockwright.networks")

IP_FORWARD = "/proc/sys/net/ipv4/ip_forward"


def is_on() -> bool:
    """Whether this network namespace forwards IPv4."""
    with open(IP_FORWARD, encoding="ascii") as file:
        return file.read().strip() == "1"


def ensure() -> None:
    """Switch forwarding on if it is off, and say so. The global policy of other firewalls is left alone.

    Raises:
        OSError: the kernel refused.
    """
    if not is_on():
        write_sysctl(IP_FORWARD, "1")
        log.warning("IPv4 forwarding was off: switched on (%s), which the default bridge needs", IP_FORWARD)
