"""One model, three ways into the kernel: the same packets get the same answers with each driver."""

import asyncio
import subprocess
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import pytest

from dockwright.networks.firewall import wayback
from dockwright.networks.firewall.model import BridgeRules, Driver, Published, Refused, State
from dockwright.networks.publish import Binding
from dockwright.supervisor.netd_client import NetdClient

from .conftest import Topology, run


def bridge(letter: str, **more: Any) -> BridgeRules:
    number = "abc".index(letter) + 1
    return BridgeRules(
        f"br-{letter}", IPv4Network(f"10.10.{number}.0/24"), subnet6=IPv6Network(f"fd10:{number}::/64"), **more
    )


def state(*bridges: BridgeRules, published: tuple[Published, ...] = (), **more: Any) -> State:
    return State({each.link: each for each in bridges}, dict.fromkeys(published), **more)


def out(port: int, to: int = 80, kind: str = "tcp", ip: str = "0.0.0.0", address: str = "10.10.1.2") -> Published:
    return Binding(kind, ip, port, to), address


ALL = (bridge("a"), bridge("b"), bridge("c"))
SIX = {"ip": "::", "address": "fd10:1::2"}


def test_published_ports_are_reached_with_the_clients_own_address(topology: Topology, driver: Driver) -> None:
    driver.write(state(*ALL, published=(out(8080), out(8053, 53, "udp"), out(8081, **SIX))))
    assert topology.ask("lan", "10.10.9.1", 8080) == "10.10.9.2"
    assert topology.ask("lan", "10.10.9.1", 8053, "udp") == "10.10.9.2"
    assert topology.ask("lan", "fd10:9::1", 8081) == "fd10:9::2"
    assert topology.ask("host", "10.10.9.1", 8080) == "10.10.9.1"
    assert topology.ask("b1", "10.10.9.1", 8080) == "10.10.1.1"
    assert topology.ask("a2", "10.10.1.1", 8080)
    assert topology.ask("a1", "10.10.9.1", 8080) == "10.10.1.1"
    assert topology.ask("lan", "10.10.9.1", 8082) == ""


def test_a_port_of_one_address(topology: Topology, driver: Driver) -> None:
    driver.write(state(*ALL, published=(out(8080, ip="10.10.9.1"),)))
    assert topology.ask("lan", "10.10.9.1", 8080) == "10.10.9.2"
    assert topology.ask("a2", "10.10.1.1", 8080) == ""


def test_ports_come_and_go(topology: Topology, driver: Driver) -> None:
    now = state(*ALL)
    driver.write(now)
    for item in (out(8080), out(8081, **SIX)):
        asked = ("fd10:9::1" if ":" in item[1] else "10.10.9.1", item[0].host_port)
        assert topology.ask("lan", *asked) == ""
        now.published[item] = None
        driver.exchange(now, [], [item])
        assert topology.ask("lan", *asked) and driver.whole(now)
    other = out(8080, address="10.10.2.2")
    now.published = {other: None}
    driver.exchange(now, [out(8080), out(8081, **SIX)], [other])
    assert topology.ask("lan", "10.10.9.1", 8080) == "10.10.9.2" and topology.ask("lan", "fd10:9::1", 8081) == ""
    with pytest.raises(Refused):
        driver.exchange(now, [out(8080), out(9999)], [])


def test_what_is_not_published_is_closed(topology: Topology, driver: Driver) -> None:
    driver.write(state(*ALL, published=(out(8080),)))
    for net, via in (("10.10.1.0/24", "10.10.9.1"), ("fd10:1::/64", "fd10:9::1")):
        run(*topology.at("lan"), "ip", "route", "replace", net, "via", via)
    assert topology.ask("lan", "10.10.1.2", 80) == ""
    assert topology.ask("lan", "fd10:1::2", 80) == ""
    driver.write(state(bridge("a", open4=True, open6=True), ALL[1], ALL[2]))
    assert topology.ask("lan", "10.10.1.2", 80) == "10.10.9.2"
    assert topology.ask("lan", "fd10:1::2", 80) == "fd10:9::2"
    driver.write(state(bridge("a", trusted=("up0",)), ALL[1], ALL[2]))
    assert topology.ask("lan", "10.10.1.2", 80) == "10.10.9.2"


def test_networks_are_apart(topology: Topology, driver: Driver) -> None:
    driver.write(state(*ALL))
    assert topology.ask("a2", "10.10.1.2", 80) == "10.10.1.3"
    assert topology.ask("a2", "fd10:1::2", 80) == "fd10:1::3"
    assert topology.ask("b1", "10.10.1.2", 80) == ""
    assert topology.ask("b1", "fd10:1::2", 80) == ""


def test_what_leaves_is_masqueraded_or_not(topology: Topology, driver: Driver) -> None:
    driver.write(state(*ALL))
    assert topology.ask("a1", "10.10.9.2", 7000) == "10.10.9.1"
    assert topology.ask("a1", "fd10:9::2", 7000) == "fd10:9::1"
    driver.write(state(bridge("a", source4="10.10.2.1", source6="fd10:2::1"), ALL[1], ALL[2]))
    run(*topology.at("lan"), "ip", "route", "replace", "10.10.2.0/24", "via", "10.10.9.1")
    assert topology.ask("a1", "10.10.9.2", 7000) == "10.10.2.1"
    run(*topology.at("lan"), "ip", "route", "replace", "10.10.1.0/24", "via", "10.10.9.1")
    driver.write(state(bridge("a", masquerade=False), ALL[1], ALL[2]))
    assert topology.ask("a1", "10.10.9.2", 7000) == "10.10.1.2"


def test_an_internal_network(topology: Topology, driver: Driver) -> None:
    driver.write(state(bridge("a", internal=True), ALL[1], ALL[2], published=(out(8080),)))
    assert topology.ask("a2", "10.10.1.2", 80) == "10.10.1.3"
    assert topology.ask("a1", "10.10.9.2", 7000) == ""
    assert topology.ask("lan", "10.10.9.1", 8080) == ""
    assert topology.ask("host", "10.10.1.2", 80) == "10.10.1.1"


def test_containers_that_may_not_talk(topology: Topology, driver: Driver) -> None:
    now = state(*ALL[:2], bridge("c", icc=False), published=(out(8083, address="10.10.3.3"),))
    driver.write(now)
    assert topology.ask("c1", "10.10.3.3", 80) == ""
    assert topology.ask("c1", "fd10:3::3", 80) == ""
    assert topology.ask("lan", "10.10.9.1", 8083) == "10.10.9.2"
    assert topology.ask("c1", "10.10.9.1", 8083)
    way = ("10.10.3.2", "10.10.3.3", "tcp", 80)
    now.ways = {way: None}
    driver.link(now, [], [way])
    assert topology.ask("c1", "10.10.3.3", 80) == "10.10.3.2" and driver.whole(now)
    now.ways = {}
    driver.link(now, [way], [])
    assert topology.ask("c1", "10.10.3.3", 80) == "" and driver.whole(now)


def test_a_loopback_address_is_not_reached_from_elsewhere(topology: Topology, driver: Driver) -> None:
    """Even where the host takes packets for 127.0.0.0/8 from a link (route_localnet), and something listens there."""
    driver.write(state(*ALL, published=(out(80, ip="127.0.0.1"),)))
    topology.sysctl("host", "net/ipv4/conf/up0/route_localnet", "1")
    run(*topology.at("lan"), "ip", "route", "replace", "127.0.0.1/32", "via", "10.10.9.1", "table", "local")
    topology.serve("host", 80)
    try:
        assert topology.ask("host", "127.0.0.1", 80)
        assert topology.ask("lan", "127.0.0.1", 80) == ""
    finally:
        run(*topology.at("lan"), "ip", "route", "delete", "127.0.0.1/32", "table", "local")
        run(*topology.at("lan"), "ip", "route", "replace", "local", "127.0.0.1/32", "dev", "lo", "table", "local")
        topology.servers.pop().kill()


def test_ports_that_respect_the_host(topology: Topology, driver: Driver) -> None:
    """From outside a packet meets the host's own INPUT rules; our containers and the host take the short way."""
    driver.write(state(*ALL, published=(out(8084),), outside=False))
    assert topology.ask("lan", "10.10.9.1", 8084) == ""
    assert topology.ask("b1", "10.10.9.1", 8084)
    assert topology.ask("host", "10.10.9.1", 8084)


HOST_RULES = """table inet hostrules { chain input { type filter hook input priority 0; policy drop;
  ct state established,related accept; iif "lo" accept; icmpv6 type { 133, 134, 135, 136 } accept;
  meta l4proto { tcp, udp } th dport { 8091, 8092, 8093 } accept; }; }"""


def test_servers_see_clients_that_the_host_lets_in(topology: Topology, driver: Driver, tmp_path: Path) -> None:
    """What netd carries comes from the client's own address; a rule of the host's INPUT decides who gets there."""
    six, four = "fd10:1::2", "10.10.1.2"
    targets = [
        ("tcp", "0.0.0.0", 8090, four, 80), ("tcp", "0.0.0.0", 8091, four, 80), ("udp", "0.0.0.0", 8092, four, 53),
        ("tcp", "::", 8093, six, 80), ("udp", "::", 8092, six, 53), ("tcp", "::", 8091, four, 80),
    ]  # fmt: skip

    async def carry() -> None:
        netd = NetdClient(f"{tmp_path}/n/s", transparent=True)
        try:
            await netd.reserve("box", [target[:3] for target in targets])
            await netd.open("box", targets)
            assert topology.ask("lan", "10.10.9.1", 8090) == ""
            assert topology.ask("lan", "10.10.9.1", 8091) == "10.10.9.2"
            assert topology.ask("lan", "10.10.9.1", 8092, "udp") == "10.10.9.2"
            assert topology.ask("lan", "fd10:9::1", 8093) == "fd10:9::2"
            assert topology.ask("lan", "fd10:9::1", 8092, "udp") == "fd10:9::2"
            assert topology.ask("lan", "fd10:9::1", 8091) == "10.10.1.1"  # no family in common
            assert topology.ask("host", "127.0.0.1", 8090) == "10.10.1.1"
            assert topology.ask("host", "10.10.9.1", 8090) == "10.10.9.1"
        finally:
            await netd.stop()

    driver.write(state(*ALL, outside=False))
    wayback.ensure()
    run(*topology.at("host"), "nft", HOST_RULES)
    try:
        asyncio.run(carry())
    finally:
        run(*topology.at("host"), "nft", "delete table inet hostrules")
        wayback.remove()
        wayback.remove()
    driver.write(state(*ALL))
    assert driver.whole(state(*ALL))
    assert "0x2000" not in run("nft", "list", "ruleset") + run("iptables-legacy-save")


def test_loopback_without_a_proxy(topology: Topology, driver: Driver) -> None:
    """What is sent to 127.0.0.1 takes the rules as well; from elsewhere nobody reaches the host's loopback addresses."""
    topology.sysctl("host", "net/ipv4/conf/br-a/route_localnet", "1")
    topology.sysctl("host", "net/ipv4/conf/up0/route_localnet", "1")
    now = state(*ALL, published=(out(8087),), proxy=False)
    driver.write(now)
    assert topology.ask("host", "127.0.0.1", 8087) == "10.10.1.1"
    only = out(8088, ip="127.0.0.1")
    now.published[only] = None
    driver.exchange(now, [], [only])
    assert topology.ask("host", "127.0.0.1", 8088) == "10.10.1.1" and driver.whole(now)
    assert topology.ask("host", "10.10.9.1", 8088) == ""
    assert topology.ask("lan", "10.10.9.1", 8087) == "10.10.9.2" and topology.ask("lan", "10.10.9.1", 8088) == ""
    run(*topology.at("lan"), "ip", "route", "replace", "127.0.0.1/32", "via", "10.10.9.1", "table", "local")
    try:
        assert topology.ask("lan", "127.0.0.1", 8088) == ""
    finally:
        run(*topology.at("lan"), "ip", "route", "delete", "127.0.0.1/32", "table", "local")
        run(*topology.at("lan"), "ip", "route", "replace", "local", "127.0.0.1/32", "dev", "lo", "table", "local")


def test_bridges_come_and_go(topology: Topology, driver: Driver) -> None:
    now = state(ALL[1])
    driver.write(now)
    now.bridges["br-a"] = ALL[0]
    driver.add(now, ALL[0])
    assert topology.ask("a2", "10.10.1.2", 80) and topology.ask("b1", "10.10.1.2", 80) == "" and driver.whole(now)
    del now.bridges["br-a"]
    driver.remove(now, ALL[0])
    assert topology.ask("b1", "10.10.1.2", 80) == "10.10.2.2" or driver.whole(now)
    four = BridgeRules("br-c", IPv4Network("10.10.3.0/24"))
    now.bridges["br-c"] = four
    driver.add(now, four)
    assert driver.whole(now)


@pytest.mark.parametrize(
    "program", ["nft flush ruleset", "iptables -F; iptables -t nat -F", "iptables-legacy -t nat -F"]
)
def test_a_flush_is_noticed(topology: Topology, driver: Driver, program: str) -> None:
    now = state(*ALL, published=(out(8085),))
    driver.write(now)
    assert driver.whole(now)
    subprocess.run([*topology.at("host"), "sh", "-c", program], check=True, stderr=subprocess.DEVNULL)
    hurt = topology.ask("lan", "10.10.9.1", 8085) == ""
    assert driver.whole(now) is not hurt
    driver.write(now)
    assert driver.whole(now) and topology.ask("lan", "10.10.9.1", 8085) == "10.10.9.2"


def test_many_ports_cost_one_transaction(topology: Topology, driver: Driver) -> None:
    many = [out(10000 + number, 80, "udp") for number in range(500)]
    now = state(*ALL, published=tuple(many))
    driver.write(state(*ALL))
    driver.exchange(now, [], many)
    assert driver.whole(now)
    driver.exchange(state(*ALL), many, [])
    assert driver.whole(state(*ALL))


def test_the_administrators_place(topology: Topology, driver: Driver) -> None:
    """A drop before ours is final: in DOCKER-USER with iptables, in a base chain of their own with nftables."""
    driver.write(state(*ALL, published=(out(8086),)))
    if driver.name == "iptables":
        program = "iptables-legacy" if driver.kind == "legacy" else "iptables"
        rule = ["-i", "up0", "-m", "conntrack", "--ctorigdstport", "8086", "-j", "DROP"]
        change, undo = [program, "-I", "DOCKER-USER", *rule], [program, "-D", "DOCKER-USER", *rule]
    else:
        text = (
            "table ip admin { chain forward { type filter hook forward priority -10; "
            'iifname "up0" meta l4proto tcp ct original proto-dst 8086 drop; }; }'
        )
        change, undo = ["nft", text], ["nft", "delete table ip admin"]
    assert topology.ask("lan", "10.10.9.1", 8086)
    run(*topology.at("host"), *change)
    assert topology.ask("lan", "10.10.9.1", 8086) == ""
    driver.write(state(*ALL, published=(out(8086),)))
    assert topology.ask("lan", "10.10.9.1", 8086) == ""
    run(*topology.at("host"), *undo)
    assert topology.ask("lan", "10.10.9.1", 8086)
