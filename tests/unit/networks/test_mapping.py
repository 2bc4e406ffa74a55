"""The map: which arrows there are, which are closed, and the rule each driver has for them."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest

from dockwright.networks import mapping
from dockwright.networks.firewall.model import BridgeRules
from dockwright.networks.firewall.words import IptablesWords, NftWords
from dockwright.networks.ipam import Pool
from dockwright.networks.network import Endpoint, Network, Sandbox
from dockwright.networks.publish import Binding


def network(name: str, **more: Any) -> Network:
    pools = [Pool(IPv4Network("10.1.0.0/24"), IPv4Address("10.1.0.1"))]
    return Network(name, name, "bridge", "", f"br-{name}", pools, **more)


def box(name: str, *bindings: Binding, net: str = "front", **more: Any) -> Sandbox:
    endpoint = Endpoint(
        f"e{name}", net, f"c{name}", name, IPv4Address("10.1.0.2"), bindings=list(bindings), active=True, **more
    )
    return Sandbox(f"s{name}", f"c{name}", name, endpoints={net: endpoint}, active=True)


def drawn(
    networks: list[Network], boxes: list[Sandbox], rules: mapping.Rules, setting: str = "docker", ways: Any = (), **more: Any
) -> dict[tuple[str, str], dict[str, Any]]:
    bridges = {
        each.link: BridgeRules(each.link, IPv4Network("10.1.0.0/24"), internal=each.internal, **more) for each in networks
    }
    document = mapping.document(networks, boxes, bridges, rules, ways, setting, transparent=setting == "respect-host")
    return {(arrow["From"], arrow["To"]): arrow for arrow in document["Arrows"]}


NFT, IPTABLES = NftWords("dockwright"), IptablesWords()
FRONT = "network front"


@pytest.mark.parametrize(
    ("rules", "leave", "enter"),
    [
        (NFT, "ip saddr @masqueraded masquerade, 10.1.0.0/24", 'drop comment "unpublished"'),
        (IPTABLES, "-A DOCKWRIGHT-SOURCE -s 10.1.0.0/24 -j MASQUERADE", "-A DOCKWRIGHT-IN -j DROP"),
        (mapping.Without(), "", ""),
    ],
)
def test_a_plain_network(rules: mapping.Rules, leave: str, enter: str) -> None:
    arrows = drawn([network("front")], [], rules)
    assert {pair: arrow["Allowed"] for pair, arrow in arrows.items()} == {
        (FRONT, FRONT): True, (FRONT, "outside"): True, ("outside", FRONT): False, ("host", FRONT): True, (FRONT, "host"): True,
    }  # fmt: skip
    assert arrows[FRONT, "outside"]["Rule"].endswith(leave) and arrows["outside", FRONT]["Rule"].endswith(enter)


@pytest.mark.parametrize("rules", [NFT, IPTABLES])
def test_internal_closed_and_open_networks(rules: mapping.Rules) -> None:
    inner = drawn([network("front", internal=True)], [], rules)
    assert not inner[FRONT, "outside"]["Allowed"] and "DROP" in inner[FRONT, "outside"]["Rule"].upper()
    quiet = drawn([network("front")], [], rules, icc=False)
    assert not quiet[FRONT, FRONT]["Allowed"] and "DROP" in quiet[FRONT, FRONT]["Rule"].upper()
    wide = drawn([network("front")], [], rules, open4=True, trusted=("eth1",))
    assert wide["outside", FRONT]["Allowed"] and "ACCEPT" in wide["outside", FRONT]["Rule"].upper()
    assert wide["outside by eth1", FRONT]["Allowed"]


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (NFT, "add element ip dockwright published-anywhere { tcp . 8080 : 10.1.0.2 . 80 }"),
        (IPTABLES, "-A DOCKWRIGHT-PORTS -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.0.2:80"),
    ],
)
def test_ports_have_the_rule_that_leads_to_them(rules: mapping.Rules, text: str) -> None:
    arrows = drawn([network("front")], [box("web", Binding("tcp", "0.0.0.0", 8080, 80))], rules)
    arrow = arrows["outside", "container web"]
    assert (arrow["What"], arrow["Rule"], arrow["Network"]) == ("0.0.0.0:8080 to 80/tcp", text, "front")


@pytest.mark.parametrize(
    ("setting", "address", "start", "why"),
    [
        ("docker", "::", "outside", "netd carries it, from an address of the host"),
        ("docker", "127.0.0.1", "host", "netd carries it, from an address of the host"),
        ("docker", "192.0.2.1", "outside", ""),
        ("respect-host", "0.0.0.0", "whom the host's firewall lets in", "netd carries it, from the client's own address"),
        ("respect-host", "::", "whom the host's firewall lets in", "netd carries it, from an address of the host"),
        ("localhost", "0.0.0.0", "outside", ""),
    ],
)
def test_who_reaches_a_port(setting: str, address: str, start: str, why: str) -> None:
    arrows = drawn([network("front")], [box("web", Binding("tcp", address, 80, 80))], NFT, setting)
    assert arrows[start, "container web"]["Why"] == why


def test_a_port_of_a_container_with_ipv6() -> None:
    web = box("web", Binding("tcp", "::", 80, 80), address6=IPv6Address("fd00::2"))
    arrow = drawn([network("front")], [web], NFT)["outside", "container web"]
    assert arrow["Rule"] == "add element ip6 dockwright published-anywhere { tcp . 80 : fd00::2 . 80 }"


def test_links_and_networks_past_the_firewall() -> None:
    lan = Network("lan", "lan", "macvlan", "", pools=[Pool(IPv6Network("fd00::/64"))])
    way = ("10.1.0.2", "10.1.0.9", "tcp", 80)
    document = mapping.document([lan, network("front")], [box("web")], {}, IPTABLES, [way], "docker")
    pairs = {(arrow["From"], arrow["To"]): arrow["Rule"] for arrow in document["Arrows"]}
    assert ("outside", "network lan") in pairs
    assert pairs["container web", "container 10.1.0.9"].startswith("-A DOCKWRIGHT-LINKED -s 10.1.0.2/32")


def test_what_has_ended_is_not_on_it() -> None:
    gone = box("gone")
    gone.active = False
    document = mapping.document([network("front")], [gone, box("web")], {}, NFT, [], "docker")
    assert [each["Name"] for each in document["Containers"]] == ["web"]
    assert [each["Name"] for each in document["Networks"][0]["Members"]] == ["web"]
