"""Noticing that somebody changed the firewall: the kernel's own events (linux/netfilter/nfnetlink.h, group nftables)."""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable

from dockwright.kernel.nftables import (
    NETLINK_NETFILTER,
    NFNL_SUBSYS_NFTABLES,
    NFNLGRP_NFTABLES,
    NFT_MSG_DELSETELEM,
    NFT_MSG_NEWSETELEM,
)

QUIET = 0.1  # seconds: a flush and what replaces it come as many events

SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 270, 1
ELEMENTS = {NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSETELEM}


class Monitor:
    """Calls `changed` a moment after the ruleset changed; changes of set elements alone are not told.

    Args:
        changed: called in the event loop.
        protocol, groups: of netlink(7), where something else than the ruleset is watched.
    """

    def __init__(
        self, changed: Callable[[], None], protocol: int = NETLINK_NETFILTER, groups: Iterable[int] = (NFNLGRP_NFTABLES,)
    ) -> None:  # fmt: skip
        self._changed = changed
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
        self._socket.bind((0, 0))
        for group in groups:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        self._loop.add_reader(self._socket.fileno(), self._ready)

    def close(self) -> None:
        """Stop listening."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        if self._timer is not None:
            self._timer.cancel()

    def _ready(self) -> None:
        """Read what is there; a full buffer (ENOBUFS) means that much has changed."""
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            data = b""
        if self._timer is None and (not data or any(kind not in ELEMENTS for kind in _kinds(data))):
            self._timer = self._loop.call_later(QUIET, self._quiet)

    def _quiet(self) -> None:
        self._timer = None
        self._changed()


def _kinds(data: bytes) -> list[int]:
    """The types of the messages in one datagram; a new generation tells nothing and is left out."""
    found, offset = [], 0
    while offset + 16 <= len(data):
        length = int.from_bytes(data[offset : offset + 4], "little")
        kind = int.from_bytes(data[offset + 4 : offset + 6], "little")
        if kind & 0xFF != 15:  # NFT_MSG_NEWGEN ends every transaction
            found.append(kind)
        offset += max(16, length + (-length % 4))
    return found
