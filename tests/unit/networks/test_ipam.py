"""Addresses of a subnet, and the choice of one."""

from ipaddress import ip_address, ip_network

import pytest

from dockwright.base.errors import Forbidden, Internal, InvalidParameter
from dockwright.networks import subnets
from dockwright.networks.ipam import Pool, mac_of
from dockwright.networks.subnets import Holder


def pool(subnet: str, gateway: str = "", part: str = "", **auxiliary: str) -> Pool:
    named = {name: ip_address(text) for name, text in auxiliary.items()}
    way = ip_address(gateway) if gateway else None
    return Pool(ip_network(subnet), way, ip_network(part) if part else None, named)


def test_the_lowest_free_address_is_given_again():
    found = pool("10.1.0.0/29", "10.1.0.1")
    taken = [found.take() for _ in range(5)]
    assert list(map(str, taken)) == [f"10.1.0.{n}" for n in range(2, 7)]
    with pytest.raises(Internal, match="no available IPv4 addresses on this network's address pools"):
        found.take()
    found.give_back(taken[3])
    found.give_back(taken[1])
    assert str(found.take()) == "10.1.0.3"


def test_a_range_and_auxiliary_addresses():
    found = pool("10.1.0.0/24", "", "10.1.0.128/30", other="10.1.0.129")
    assert [str(found.take()) for _ in range(3)] == ["10.1.0.128", "10.1.0.130", "10.1.0.131"]
    assert str(found.take(ip_address("10.1.0.7"))) == "10.1.0.7"
    with pytest.raises(Forbidden, match="Address already in use"):
        found.take(ip_address("10.1.0.129"))
    with pytest.raises(InvalidParameter, match=r"no configured subnet contains IP address 10.2.0.1"):
        found.take(ip_address("10.2.0.1"))


def test_a_point_to_point_subnet_has_two_addresses():
    found = pool("10.1.0.0/31")
    assert [str(found.take()) for _ in range(2)] == ["10.1.0.0", "10.1.0.1"]


def test_a_huge_ipv6_subnet():
    found = pool("fd00::/64", "fd00::1")
    assert str(found.take()) == "fd00::2"
    assert str(found.take(ip_address("fd00::ffff:ffff:ffff:ffff"))) == "fd00::ffff:ffff:ffff:ffff"
    assert found.usage() == (4, 2**64 - 4)


def test_a_row_makes_the_same_pool():
    row = pool("10.1.0.0/24", "10.1.0.254", "10.1.0.0/28", DefaultGatewayIPv4="10.1.0.2").row()
    found = Pool.of_row(row)
    assert found.row() == row
    assert (str(found.gateway), str(found.containers_gateway), str(found.take())) == ("10.1.0.254", "10.1.0.2", "10.1.0.1")


def test_mac_addresses():
    assert mac_of(ip_address("172.17.0.2")) == "02:42:ac:11:00:02"
    assert mac_of(None).startswith("02:42:") and mac_of(None) != mac_of(None)


POOLS = (("172.18.0.0/16", 24), ("fd12::/48", 64))


def test_the_first_subnet_that_nobody_has():
    taken = [Holder(ip_network("172.18.0.0/23"), "the route by tun0"), Holder(ip_network("172.18.2.0/24"), "network x")]
    assert str(subnets.choose(POOLS, taken)) == "172.18.3.0/24"
    assert str(subnets.choose(POOLS, taken, 6)) == "fd12::/64"


def test_what_is_only_routed_elsewhere_is_used_at_last():
    routed = Holder(ip_network("172.16.0.0/12"), "the route by eth0", weak=True)
    assert str(subnets.choose([*POOLS, ("192.168.0.0/16", 24)], [routed])) == "192.168.0.0/24"
    assert str(subnets.choose(POOLS, [routed])) == "172.18.0.0/24"


def test_exhausted_pools_say_who_holds_what():
    taken = [Holder(ip_network(f"172.18.{n}.0/24"), f"network n{n}") for n in range(256)]
    with pytest.raises(InvalidParameter) as caught:
        subnets.choose(POOLS, taken)
    text = caught.value.message
    assert text.startswith("all predefined address pools have been fully subnetted (172.18.0.0/24 is network n0's, ")
    assert "and 248 more" in text


def test_an_engine_keeps_its_ipv6_prefix():
    assert subnets.ula("a") == subnets.ula("a") != subnets.ula("b")
    assert subnets.ula("a").subnet_of(ip_network("fd00::/8")) and subnets.ula("a").prefixlen == 48
