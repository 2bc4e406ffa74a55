"""Deadlines, the host's servers, the nftables messages' frame."""

import os
import time
from pathlib import Path

import pytest

from dockwright.kernel import nft_messages
from dockwright.supervisor.netd.dns.servers import HostServers, servers_of
from dockwright.supervisor.netd.loop import Deadlines, Loop


class Member:
    def __init__(self) -> None:
        self.count = 0

    def expired(self) -> None:
        self.count += 1


def test_what_came_first_is_due_first() -> None:
    deadlines = Deadlines(0.05)
    first, second, stopped = Member(), Member(), Member()
    for member in (first, second, stopped):
        deadlines.start(member)
    deadlines.start(first)
    deadlines.stop(stopped)
    due = deadlines.next()
    assert due is not None and len(deadlines) == 2
    deadlines.expire(due - 0.001)
    assert (first.count, second.count) == (0, 0)
    deadlines.expire(due + 1)
    assert (first.count, second.count, stopped.count) == (1, 1, 0)
    assert deadlines.next() is None


def test_the_loop_keeps_deadlines() -> None:
    loop, member = Loop(), Member()
    loop.within(0.05).start(member)
    begin = time.monotonic()
    while not member.count:
        loop.once(5.0)
    assert 0.04 < time.monotonic() - begin < 1


def test_the_hosts_servers_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# nameserver 9.9.9.9\nnameserver 127.0.0.53\nsearch lan\nnameserver\n")
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    servers = HostServers(str(path))
    assert servers.current() == ["127.0.0.53"]
    other = tmp_path / "new"
    other.write_text("nameserver 10.0.0.1\nnameserver fe80::1%eth0\n")
    os.rename(other, path)
    assert servers.current() == ["127.0.0.53"]
    clock[0] += 1
    assert servers.current() == ["10.0.0.1", "fe80::1%eth0"]
    path.unlink()
    clock[0] += 1
    assert servers.current() == ["10.0.0.1", "fe80::1%eth0"]
    path.write_text("")
    clock[0] += 1
    assert servers.current() == []


def test_three_servers_at_most() -> None:
    assert servers_of(b"nameserver 1.1.1.1\n" * 5 + b"\xff\n") == ["1.1.1.1"] * 3


def test_attributes_are_padded_and_counted() -> None:
    kind, _, body = nft_messages.table("abc")
    assert (kind, body) == (0, b"\x08\0\x01\0abc\0")
    batch = nft_messages._batch([nft_messages.table("abc")])
    total, at = 0, 0
    while at < len(batch):
        at += int.from_bytes(batch[at : at + 4], "little")
        total += 1
    assert (at, total) == (len(batch), 3)
