"""What a request for a network means."""

from ipaddress import ip_network

import pytest

from dockwright.base.errors import EngineError, Forbidden, InvalidParameter
from dockwright.networks import creation
from dockwright.networks.ipam import Pool
from dockwright.networks.network import Network
from dockwright.types.network import ConfigReference, Ipam, NetworkCreateRequest, PoolConfig

POOLS = (("172.18.0.0/16", 24), ("fd12::/48", 64))
SUBNET = "10.1.0.0/24"


def pools(*configs: PoolConfig, others: tuple[Network, ...] = (), gateways: bool = True, **request: object) -> list[Pool]:
    asked = NetworkCreateRequest("new", IPAM=Ipam("default", None, list(configs)), **request)  # type: ignore[arg-type]
    network = creation.planned(asked, "id", "now")
    return creation.pools(network, configs, POOLS, others, (), gateways)


def rows(found: list[Pool]) -> list[dict[str, object]]:
    return [pool.document() for pool in found]


def test_a_subnet_and_a_gateway_are_chosen():
    assert rows(pools()) == [{"Subnet": "172.18.0.0/24", "Gateway": "172.18.0.1"}]
    assert rows(pools(EnableIPv6=True))[1] == {"Subnet": "fd12::/64", "Gateway": "fd12::1"}
    assert rows(pools(gateways=False)) == [{"Subnet": "172.18.0.0/24"}]


def test_the_gateway_is_the_first_of_the_range():
    found = pools(PoolConfig(SUBNET, "10.1.0.128/25"))
    assert rows(found) == [{"Subnet": SUBNET, "IPRange": "10.1.0.128/25"}]  # shown only if it was asked for
    assert str(found[0].gateway) == "10.1.0.128"


def test_a_subnet_of_zeros_is_any_of_that_size():
    assert rows(pools(PoolConfig("0.0.0.0/26"))) == [{"Subnet": "172.18.0.0/26"}]


def test_ipv6_subnets_are_only_shown_without_ipv6():
    network = creation.planned(NetworkCreateRequest("new"), "id", "now")
    network.pools = creation.pools(network, [PoolConfig("fd99::/64", "", "fd99::1")], POOLS, (), (), True)
    assert [str(pool.subnet) for pool in network.pools] == ["fd99::/64", "172.18.0.0/24"]
    assert [str(pool.subnet) for pool in network.used_pools] == ["172.18.0.0/24"]
    assert [str(pool.subnet) for pool in pools(PoolConfig("fd99::/64"), EnableIPv6=True)] == ["fd99::/64", "172.18.0.0/24"]


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (PoolConfig("nonsense"), "invalid subnet nonsense: invalid CIDR block notation"),
        (PoolConfig("10.9.0.5/24"), "invalid subnet 10.9.0.5/24: it should be 10.9.0.0/24"),
        (PoolConfig(SUBNET, "10.2.0.0/25"), f"invalid ip-range 10.2.0.0/25: parent subnet {SUBNET} doesn't contain ip-range"),
        (
            PoolConfig(SUBNET, "10.0.0.0/8"),
            f"invalid ip-range 10.0.0.0/8: CIDR block is bigger than its parent subnet {SUBNET}",
        ),
        (PoolConfig(SUBNET, "fd00::/64"), "invalid ip-range fd00::/64: parent subnet is an IPv4 block"),
        (PoolConfig(SUBNET, "10.1.0.9/28"), "invalid ip-range 10.1.0.9/28: it should be 10.1.0.0/28"),
        (PoolConfig(SUBNET, "", "10.2.0.1"), f"invalid gateway 10.2.0.1: parent subnet {SUBNET} doesn't contain this address"),
        (PoolConfig(SUBNET, "", "x"), "invalid gateway x: invalid address"),
        (PoolConfig(SUBNET, "", "", {"a": "fd00::1"}), "invalid auxiliary address a: parent subnet is an IPv4 block"),
    ],
)
def test_subnets_that_cannot_be(config: PoolConfig, text: str):
    with pytest.raises(InvalidParameter) as caught:
        pools(config)
    assert caught.value.message == f"invalid network config:\n{text}"


def other(subnet: str, part: str = "", driver: str = "bridge") -> Network:
    return Network("x", "other", driver, "", pools=[Pool(ip_network(subnet), None, ip_network(part) if part else None)])


def test_overlaps_say_whose():
    with pytest.raises(Forbidden) as caught:
        pools(PoolConfig("10.1.0.0/25"), others=(other(SUBNET),))
    assert caught.value.message == (
        f"invalid pool request: Pool overlaps with other one on this address space ({SUBNET} is network other's)"
    )


def test_networks_of_one_lan_share_it_by_ranges():
    taken = (other(SUBNET, "10.1.0.0/28", "macvlan"),)
    assert pools(PoolConfig(SUBNET, "10.1.0.16/28"), others=taken, Driver="macvlan")
    with pytest.raises(Forbidden):
        pools(PoolConfig(SUBNET, "10.1.0.0/29"), others=taken, Driver="macvlan")


@pytest.mark.parametrize(
    ("request_", "status", "text"),
    [
        (NetworkCreateRequest(""), 400, "invalid network name: name is empty"),
        (NetworkCreateRequest("host"), 403, "operation is not permitted on predefined host network "),
        (NetworkCreateRequest("x", Driver="overlay"), 403, creation.SWARM),
        (NetworkCreateRequest("x", Scope="swarm"), 403, "cannot create a swarm scoped network when swarm is not active"),
        (NetworkCreateRequest("x", Ingress=True), 403, "Ingress network can only be global scope network"),
        (NetworkCreateRequest("x", ConfigOnly=True, Internal=True), 403, creation.OPERATORS),
        (NetworkCreateRequest("x", ConfigFrom=ConfigReference("y"), Labels={"a": "b"}), 403, creation.DEPENDS),
    ],
)
def test_what_no_driver_need_be_asked(request_: NetworkCreateRequest, status: int, text: str):
    with pytest.raises(EngineError) as caught:
        creation.check(request_)
    assert (caught.value.status, caught.value.message) == (status, text)


def test_a_network_and_its_row():
    asked = NetworkCreateRequest("x", Internal=True, Options={"com.docker.network.driver.mtu": "1400"}, Labels={"a": "b"})
    network = creation.planned(asked, "id", "now")
    network.pools = creation.pools(network, (), POOLS, (), (), True)
    again = Network.of_row("id", "x", "now", network.row())
    assert (again.row(), again.mtu, again.internal) == (network.row(), 1400, True)
