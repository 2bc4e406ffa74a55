"""Who has which name, seen by one container; and the answers that follow."""

import socket
import struct

import pytest

from dockwright.supervisor.netd.dns import answers, message
from dockwright.supervisor.netd.dns.message import AAAA, ANY, PTR, SRV, A, Question
from dockwright.supervisor.netd.dns.names import Directory, Record, View, candidates
from dockwright.supervisor.netd.dns.service import packed, record_of, view_of

WEB = [["web", "0123456789ab", "WWW"], ["172.20.0.2", "fd00::2"], [[80, "tcp"]]]
OTHER = [["other", "www"], ["172.20.0.3"], [[80, "tcp"]]]
FAR = [["far", "web"], ["172.21.0.2"], []]


@pytest.fixture
def directory() -> Directory:
    made = Directory()
    made.network("n1", "front").add("e1", record_of(WEB))
    made.network("n1", "front").add("e2", record_of(OTHER))
    made.network("n2", "back.end").add("e3", record_of(FAR))
    return made


def view(*networks: str, **more: object) -> View:
    whole = {"links": {}, "gateways": [], "servers": None, "ndots": False, "outside": True, **more}
    return view_of({"networks": list(networks), **whole})


def question(name: str, kind: int = A, klass: int = 1) -> Question:
    return Question(1, 0x100, name, kind, klass, message.name_bytes(name) + struct.pack(">HH", kind, klass))


def said(directory: Directory, seen: View, name: str, kind: int = A) -> list[str] | None:
    """The addresses (or the raw data) of the answer, sorted."""
    found = answers.answer(directory, seen, question(name, kind))
    if found is None:
        return None
    data = [record[12:] for record in found.records]
    return sorted(socket.inet_ntop({4: 2, 16: 10}[len(one)], one) for one in data)


def test_what_a_name_with_dots_can_mean() -> None:
    assert list(candidates("a.b.c")) == [("a.b.c", ""), ("a.b", "c"), ("a", "b.c")]
    assert list(candidates("a")) == [("a", "")]
    assert list(candidates(".a")) == [(".a", "")]


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("web", ["172.20.0.2"]),
        ("0123456789ab", ["172.20.0.2"]),
        ("www", ["172.20.0.2", "172.20.0.3"]),
        ("web.front", ["172.20.0.2"]),
        ("far", ["172.21.0.2"]),
        ("far.back.end", ["172.21.0.2"]),
        ("web.back.end", ["172.21.0.2"]),
        ("far.front", None),
        ("nobody", None),
        ("web.nowhere", None),
    ],
)
def test_names_by_network(directory: Directory, name: str, addresses: list[str] | None) -> None:
    assert said(directory, view("n1", "n2"), name) == addresses


def test_the_first_network_wins_and_others_are_not_seen(directory: Directory) -> None:
    assert said(directory, view("n2", "n1"), "web") == ["172.21.0.2"]
    assert said(directory, view("n2"), "other") is None
    assert said(directory, view(), "web") is None


def test_families_are_apart_and_what_is_missing_is_no_data(directory: Directory) -> None:
    seen = view("n1")
    assert said(directory, seen, "web", AAAA) == ["fd00::2"]
    assert said(directory, seen, "other", AAAA) == []
    assert said(directory, seen, "web", ANY) == ["172.20.0.2", "fd00::2"]
    for kind in (15, 16, 65):  # MX, TXT, HTTPS
        assert said(directory, seen, "web", kind) == []
    assert said(directory, seen, "nobody", 65) is None


def test_links_are_a_containers_own(directory: Directory) -> None:
    linked = view("n1", links={"n1": {"DB": "Other"}})
    assert said(directory, linked, "db") == ["172.20.0.3"]
    assert said(directory, linked, "db.front") == ["172.20.0.3"]
    assert said(directory, view("n1"), "db") is None
    assert said(directory, view("n1", links={"n1": {"web": "other"}}), "web") == ["172.20.0.3"]
    assert said(directory, view("n1", links={"n1": {"db": "later"}}), "db") is None


def test_the_host_has_a_name(directory: Directory) -> None:
    seen = view("n1", gateways=["172.20.0.1", "fd00::1"])
    assert said(directory, seen, "host.docker.internal") == ["172.20.0.1"]
    assert said(directory, seen, "gateway.docker.internal", AAAA) == ["fd00::1"]
    assert said(directory, view("n1"), "host.docker.internal") is None
    directory.network("n1", "front").add("e9", record_of([["host.docker.internal"], ["172.20.0.9"], []]))
    assert said(directory, seen, "host.docker.internal") == ["172.20.0.9"]


def test_a_shared_name_outlives_one_holder(directory: Directory) -> None:
    directory.forget("n1", "e1")
    assert said(directory, view("n1"), "www") == ["172.20.0.3"]
    assert said(directory, view("n1"), "web") is None
    directory.forget("n1", "e1")
    directory.forget("n1", "e2")
    assert "n1" not in directory.networks and "n2" in directory.networks
    directory.forget("nosuch", "e2")


def test_an_endpoint_known_anew_has_no_old_names(directory: Directory) -> None:
    directory.network("n1", "front").add("e1", record_of([["renamed"], ["172.20.0.7"], []]))
    assert said(directory, view("n1"), "web") is None
    assert said(directory, view("n1"), "renamed") == ["172.20.0.7"]
    assert directory.owner(view("n1"), packed("172.20.0.2")) is None


def test_single_labels_stay_here_when_ndots_is_set(directory: Directory) -> None:
    seen = view("n1", ndots=True)
    assert said(directory, seen, "nobody") == []
    assert said(directory, seen, "nobody.example") is None
    assert said(directory, seen, "nobody", 16) is None


def pointer(directory: Directory, name: str) -> bytes | None:
    found = answers.answer(directory, view("n1", "n2"), question(name, PTR))
    return None if found is None else b"".join(record[12:] for record in found.records)


def test_pointers(directory: Directory) -> None:
    assert pointer(directory, "2.0.20.172.in-addr.arpa") == message.name_bytes("web.front")
    assert pointer(directory, "2.0.21.172.in-addr.arpa") == message.name_bytes("far.back.end")
    six = ".".join(reversed(packed("fd00::2").hex())) + ".ip6.arpa"
    assert pointer(directory, six) == message.name_bytes("web.front")
    for other in ("9.0.20.172.in-addr.arpa", "0.20.172.in-addr.arpa", "2.0.20.999.in-addr.arpa", "x.ip6.arpa", "web"):
        assert pointer(directory, other) is None
    directory.network("n1", "front").add("e8", record_of([["x" * 70], ["172.20.0.8"], []]))
    assert pointer(directory, "8.0.20.172.in-addr.arpa") == b""


def services(directory: Directory, name: str) -> list[bytes] | None:
    found = answers.answer(directory, view("n1"), question(name, SRV))
    return None if found is None else sorted(record[12:] for record in found.records)


def test_services(directory: Directory) -> None:
    target = bytes(4) + (80).to_bytes(2, "big")
    assert services(directory, "_80._tcp.web") == [target + message.name_bytes("web.front")]
    both = [target + message.name_bytes(name) for name in ("other.front", "web.front")]
    assert services(directory, "_80._tcp.www") == sorted(both)
    assert services(directory, "_81._tcp.web") == []
    assert services(directory, "_http._tcp.web") == []
    assert services(directory, "_80._tcp.nobody") is None
    assert services(directory, "_80._tcp") is None


def test_other_classes_are_not_ours(directory: Directory) -> None:
    assert answers.answer(directory, view("n1"), question("web", 16, 3)) is None


def test_several_addresses_come_in_every_order() -> None:
    records = [bytes((number,)) for number in range(4)]
    assert len({tuple(answers.shuffled(list(records))) for _ in range(600)}) == 24


def test_an_address_of_two_records_stays_with_the_last(directory: Directory) -> None:
    network = directory.network("n1", "front")
    network.add("late", Record(["late"], [packed("172.20.0.2")], []))
    network.remove("e1")
    assert pointer(directory, "2.0.20.172.in-addr.arpa") == message.name_bytes("late.front")
