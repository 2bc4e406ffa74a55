"""Policy routing: rules that send marked packets to a table of their own (ip-rule(8); linux/fib_rules.h)."""

from __future__ import annotations

import _socket
from _struct import Struct

from dockwright.kernel.netlink import (
    LOOPBACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTA_OIF,
    RTA_TABLE,
    RTM_NEWROUTE,
    RTPROT_BOOT,
    number,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.kernel.netlink import Message

RTM_NEWRULE, RTM_DELRULE = 32, 33
RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE = 8, 19
FR_ACT_TO_TBL = 1
FRA_PRIORITY, FRA_FWMARK, FRA_TABLE, FRA_FWMASK = 6, 10, 15, 16
RTN_LOCAL, RT_SCOPE_HOST = 2, 254
FAMILIES = {4: _socket.AF_INET, 6: _socket.AF_INET6}

_RULE = Struct("=BBBBBBBBI")  # fib_rule_hdr: family, dst_len, src_len, tos, table, 2 reserved, action, flags
_ROUTE = Struct("=BBBBBBBBI")  # rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags


def rule_add(family: int, mark: int, table: int, priority: int) -> Message:
    """Look up packets whose mark has the bits `mark` in `table`; EEXIST if there is such a rule.

    Args:
        family: 4 or 6.
    """
    return RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, _rule(family, mark, table, priority)


def rule_delete(family: int, mark: int, table: int, priority: int) -> Message:
    """Take that rule away; ENOENT without it."""
    return RTM_DELRULE, 0, _rule(family, mark, table, priority)


def _rule(family: int, mark: int, table: int, priority: int) -> bytes:
    head = _RULE.pack(FAMILIES[family], 0, 0, 0, 0, 0, 0, FR_ACT_TO_TBL, 0)
    pairs = ((FRA_PRIORITY, priority), (FRA_FWMARK, mark), (FRA_FWMASK, mark), (FRA_TABLE, table))
    return head + b"".join(number(kind, value) for kind, value in pairs)


def everything_local(family: int, table: int) -> Message:
    """The route of `table` by which every packet is for this host. Goes with its rule: nobody else looks there."""
    head = _ROUTE.pack(FAMILIES[family], 0, 0, 0, 0, RTPROT_BOOT, RT_SCOPE_HOST, RTN_LOCAL, 0)
    return RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, head + number(RTA_TABLE, table) + number(RTA_OIF, LOOPBACK)


def nothing_local(family: int, table: int) -> Message:
    """Take that route away; ESRCH without it."""
    _, _, payload = everything_local(family, table)
    return RTM_NEWROUTE + 1, 0, payload  # RTM_DELROUTE
