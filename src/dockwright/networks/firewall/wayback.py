"""The way back to netd for connections it carries from their client's own address (`published-ports: respect-host`).

netd connects to the container as if it were the client (ip(7), IP_TRANSPARENT). The container answers the client, by way of
the bridge, and the host would send that on to the client, who knows nothing of this connection. So the rules mark what
comes back to such a connection (`model.MARK`), and what is marked is for this host: a policy rule and a route of its own
table say so (ip-rule(8); Documentation/networking/tproxy.rst).
"""

import errno
import os
from collections.abc import Iterable

from dockwright.base.errors import Internal
from dockwright.kernel import policy
from dockwright.kernel.netlink import Message, Netlink
from dockwright.networks.firewall.model import MARK

TABLE = MARK
PRIORITY = 90  # before the tables of VPNs, which count upwards from 5,000 or down from 32,766
IPV6 = "/proc/sys/net/ipv6"
UNABLE = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT)  # a kernel without policy routing, or without it for IPv6


def ensure() -> None:
    """Make rule and route of each family where they lack.

    Raises:
        Internal: the kernel has no policy routing.
    """
    try:
        for family in _families():
            _do(policy.everything_local(family, TABLE), errno.EEXIST)
            _do(policy.rule_add(family, MARK, TABLE, PRIORITY), errno.EEXIST)
    except OSError as error:
        raise Internal(f"firewall: policy routing, which published-ports=respect-host needs: {error.strerror}") from None


def remove() -> None:
    """Take both away; without them that is no error. Raises OSError."""
    for family in _families():
        _do(policy.rule_delete(family, MARK, TABLE, PRIORITY), errno.ENOENT, *UNABLE)
        _do(policy.nothing_local(family, TABLE), errno.ESRCH, errno.ENOENT, *UNABLE)


def _families() -> Iterable[int]:
    return (4, 6) if os.path.exists(IPV6) else (4,)


def _do(message: Message, *fine: int) -> None:
    with Netlink() as link:
        try:
            link.batch([message])
        except OSError as error:
            if error.errno not in fine:
                raise
