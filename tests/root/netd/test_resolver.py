"""The resolver at 127.0.0.11 in a real network namespace, with real servers behind it."""

import os
import random
import socket
import struct
import subprocess
import time
from typing import Any

import pytest

from dockwright.kernel import nft_messages
from dockwright.supervisor.netd.dns import message, redirect, resolver, upstream
from dockwright.supervisor.netd.dns.message import REFUSED, SERVFAIL

from .conftest import OWN, Stage, question, saying


def rcode(answer: bytes) -> int:
    return message.rcode_of(answer)


def framed(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def unframed(sock: socket.socket) -> bytes:
    head = sock.recv(2, socket.MSG_WAITALL)
    return sock.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)


def test_a_name_is_answered_by_udp_and_tcp(stage: Stage) -> None:
    assert stage.ask(question("web")).endswith(b"\xac\x14\0\2")
    with stage.socket(socket.SOCK_STREAM) as sock:
        sock.sendall(framed(question("web", ident=1)) + framed(question("WEB.front", ident=2))[:9])
        assert unframed(sock)[:2] == b"\0\1"
        sock.sendall(framed(question("WEB.front", ident=2))[9:])
        sock.shutdown(socket.SHUT_WR)
        answer = unframed(sock)
        assert answer[:2] == b"\0\2" and answer.endswith(b"\xac\x14\0\2") and b"\3WEB\5front" in answer
        assert sock.recv(1) == b""


def test_the_container_can_have_a_dns_server_of_its_own(stage: Stage) -> None:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with stage.container.inside(lambda kind=kind: socket.socket(socket.AF_INET, kind)) as own:
            own.bind(("0.0.0.0", 53))
    assert rcode(stage.ask(question("web"))) == 0


def test_a_redirect_that_a_dead_netd_has_left_is_replaced(stage: Stage) -> None:
    """Only then is a table deleted: the kernel waits for a grace period, which each start would pay."""
    shown = ["nsenter", f"--net={stage.container.path}", "nft", "list", "table", "ip", redirect.TABLE]
    before = subprocess.run(shown, capture_output=True, text=True, check=True).stdout
    stage.container.inside(lambda: redirect.redirect(OWN[0], 4001, 4002))
    after = subprocess.run(shown, capture_output=True, text=True, check=True).stdout
    assert before.count("dnat to") == after.count("dnat to") == 2
    assert f"dnat to {OWN[0]}:4001" in after and f"dnat to {OWN[0]}:4002" in after


def test_the_first_redirect_deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[list[nft_messages.Message]] = []
    monkeypatch.setattr(nft_messages, "run", sent.append)
    redirect.redirect(OWN[0], 4001, 4002)
    assert [kind for kind, _, _ in sent[0]].count(nft_messages.NFT_MSG_DELTABLE) == 0 and len(sent) == 1


def test_without_nf_tables_port_53_itself_is_taken(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any) -> None:
        raise OSError(95, "no nf_tables here")

    monkeypatch.setattr(resolver, "redirect", missing)
    stage.running.do(stage.resolver.close)
    stage.container.close()
    stage.container = type(stage.container)(stage.container.name)
    make = lambda: resolver.Resolver(stage.common, stage.container.path, stage.view())  # noqa: E731
    stage.resolver = stage.running.do(make)
    assert stage.resolver.udp.getsockname() == OWN
    assert rcode(stage.ask(question("web"))) == 0


def test_what_is_not_ours_is_asked_of_the_hosts_servers_from_the_host(stage: Stage) -> None:
    server = stage.upstream("127.0.0.53", saying())
    answer = stage.ask(question("example.org"))
    assert answer[:2] == b"\x12\x34" and answer.endswith(b"\x09\x09\x09\x09")
    assert server.seen[0][2:] == question("example.org")[2:]
    with stage.socket(socket.SOCK_STREAM) as sock:
        sock.sendall(framed(question("example.org")))
        assert unframed(sock).endswith(b"\x09\x09\x09\x09")
    assert len({data[:2] for data in server.seen}) == 2


def test_the_containers_own_servers_are_asked_from_inside(stage: Stage) -> None:
    inside = stage.upstream("127.0.0.77", saying("7.7.7.7"), stage.container)
    outside = stage.upstream("127.0.0.53", saying())
    stage.see(servers=["127.0.0.77"])
    assert stage.ask(question("example.org")).endswith(b"\7\7\7\7")
    assert len(inside.seen) == 1 and not outside.seen


@pytest.mark.parametrize("failure", [SERVFAIL, REFUSED])
def test_the_next_server_is_asked_after_a_failure(stage: Stage, failure: int) -> None:
    first = stage.upstream("127.0.0.53", saying(rcode=failure))
    stage.upstream("127.0.0.54", saying("8.8.8.8"))
    assert stage.ask(question("example.org")).endswith(b"\x08\x08\x08\x08")
    assert len(first.seen) == 1


def test_the_last_failure_is_told_when_all_fail(stage: Stage) -> None:
    stage.upstream("127.0.0.53", saying(rcode=SERVFAIL))
    stage.upstream("127.0.0.54", saying(rcode=REFUSED))
    assert rcode(stage.ask(question("example.org"))) == REFUSED


def test_a_server_that_is_not_there_costs_no_time(stage: Stage) -> None:
    stage.upstream("127.0.0.54", saying())
    begin = time.monotonic()
    assert rcode(stage.ask(question("example.org"))) == 0
    assert time.monotonic() - begin < 2


def test_a_server_that_is_silent_has_four_seconds(stage: Stage) -> None:
    stage.upstream("127.0.0.53", lambda data: None)
    stage.upstream("127.0.0.54", saying())
    begin = time.monotonic()
    assert rcode(stage.ask(question("example.org"))) == 0
    assert 3.5 < time.monotonic() - begin < 9


def test_a_guess_is_not_believed(stage: Stage) -> None:
    stage.upstream("127.0.0.53", lambda data: bytes((data[0] ^ 1,)) + saying("6.6.6.6")(data)[1:])
    stage.upstream("127.0.0.54", saying("8.8.8.8"))
    assert stage.ask(question("example.org")).endswith(b"\x08\x08\x08\x08")


def test_an_internal_networks_questions_stay_inside(stage: Stage) -> None:
    server = stage.upstream("127.0.0.53", saying())
    stage.see(outside=False)
    assert rcode(stage.ask(question("example.org"))) == SERVFAIL
    assert rcode(stage.ask(question("web"))) == 0
    stage.see(outside=True)
    assert rcode(stage.ask(question("example.org"))) == 0
    assert len(server.seen) == 1


@pytest.mark.parametrize("servers", [[], ["127.0.0.11"], ["no address"], ["300.1.1.1", "::zz"], ["a\0b"]])
def test_servers_that_are_none_give_a_failure_at_once(stage: Stage, servers: list[str]) -> None:
    stage.see(servers=servers)
    begin = time.monotonic()
    assert rcode(stage.ask(question("example.org"))) == SERVFAIL
    assert time.monotonic() - begin < 2


def test_rubbish_does_no_harm(stage: Stage) -> None:
    chance = random.Random(7)
    whole = question("web")
    with stage.socket() as sock:
        for _ in range(300):
            sock.send(chance.randbytes(chance.randrange(200)))
            broken = bytearray(whole)
            broken[chance.randrange(len(broken))] = chance.randrange(256)
            sock.send(broken)
    for _ in range(50):
        with stage.socket(socket.SOCK_STREAM) as sock:
            sock.sendall(chance.randbytes(chance.randrange(1, 300)))
    with stage.socket(socket.SOCK_STREAM) as sock:
        sock.sendall(framed(b"x"))
        assert sock.recv(10) == b""
    assert stage.ask(whole).endswith(b"\xac\x14\0\2")


def test_too_many_questions_are_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "IN_FLIGHT", 3)
    stage.upstream("127.0.0.53", lambda data: None)
    with stage.socket() as sock:
        for number in range(4):
            sock.send(question("example.org", ident=number))
        answer = sock.recv(512)
        assert (answer[:2], rcode(answer)) == (b"\0\3", REFUSED)
    assert rcode(stage.ask(question("web"))) == 0


def test_too_many_connections_are_closed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "STREAMS", 2)
    held = [stage.socket(socket.SOCK_STREAM) for _ in range(2)]
    for sock in held:
        sock.sendall(framed(question("web")))
        unframed(sock)
    with stage.socket(socket.SOCK_STREAM) as third:
        assert third.recv(1) == b""
    for sock in held:
        sock.close()


def test_a_silent_connection_is_closed(stage: Stage) -> None:
    stage.common.idle.seconds = 0.2
    with stage.socket(socket.SOCK_STREAM) as sock:
        sock.sendall(b"\0")
        assert sock.recv(1) == b""
    assert not stage.resolver.streams


def test_nothing_is_left(stage: Stage) -> None:
    def held() -> int:
        return len(os.listdir("/proc/self/fd"))

    stage.upstream("127.0.0.53", lambda data: None)
    before = held()
    second = stage.running.do(lambda: resolver.Resolver(stage.common, stage.host.path, stage.view()))
    with stage.host.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.connect(OWN)
        sock.send(question("example.org"))
        deadline = time.monotonic() + 5
        while not second.pending:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    stage.running.do(second.close)
    assert held() == before and not len(stage.common.forwarder.waiting)


def test_a_namespace_that_is_none(stage: Stage) -> None:
    with pytest.raises(OSError):
        stage.running.do(lambda: resolver.Resolver(stage.common, "/run/netns/nosuch", stage.view()))
    with pytest.raises(OSError):
        stage.running.do(lambda: resolver.Resolver(stage.common, "/etc/hostname", stage.view()))


def test_rules_are_wholly_made_or_not_at_all(stage: Stage) -> None:
    messages = [nft_messages.table("half"), nft_messages.output_nat_chain("nosuch", "x")]
    with pytest.raises(FileNotFoundError):
        stage.host.inside(lambda: nft_messages.run(messages))
    listed = subprocess.run(
        ["nsenter", f"--net={stage.host.path}", "nft", "list", "tables"], capture_output=True, check=True
    )
    assert listed.stdout == b""
