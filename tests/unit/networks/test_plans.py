"""Names, order and default routes of a sandbox."""

from ipaddress import ip_address, ip_network

import pytest

from dockwright.base.errors import EngineError, InvalidParameter
from dockwright.networks import options, plans, settings
from dockwright.networks.ipam import Pool
from dockwright.networks.network import Endpoint, Network, Sandbox
from dockwright.networks.request import SandboxRequest
from dockwright.types.network import EndpointAddresses, EndpointSettings

USER_DEFINED = "user-specified IP address is supported on user-defined networks only"


def network(name: str, number: int, **more: object) -> Network:
    pools = [Pool(ip_network(f"10.{number}.0.0/24"), ip_address(f"10.{number}.0.1"))]
    return Network(name, name, "bridge", "", pools=pools, **more)  # type: ignore[arg-type]


def endpoint(name: str, number: int, **more: object) -> Endpoint:
    return Endpoint("e", name, "c", "box", address=ip_address(f"10.{number}.0.9"), **more)  # type: ignore[arg-type]


def test_the_main_network_comes_first():
    given = {"bb": EndpointSettings(), "aa": EndpointSettings(), "zz": EndpointSettings()}
    assert [name for name, _ in plans.order(given, "zz")] == ["zz", "aa", "bb"]
    assert [name for name, _ in plans.order(given, "other")] == ["aa", "bb", "zz"]


def test_who_has_the_default_route():
    one, two = (network("one", 1), endpoint("one", 1)), (network("two", 2), endpoint("two", 2))
    assert plans.routes([two, one]) == [{"to": "default", "via": "10.1.0.1"}]
    two[1].priority = 1
    assert plans.routes([one, two]) == [{"to": "default", "via": "10.2.0.1"}]
    two[0].internal = True
    assert plans.routes([one, two]) == [{"to": "default", "via": "10.1.0.1"}]
    assert plans.routes([two]) == []


def test_interface_names():
    sandbox = Sandbox("s", "c", "box", endpoints={"x": endpoint("x", 1, interface="eth1")})
    assert plans.interface_name(network("n", 2), sandbox, {}) == "eth0"
    sandbox.endpoints["y"] = endpoint("y", 2, interface="eth0")
    assert plans.interface_name(network("n", 3), sandbox, {}) == "eth2"
    assert plans.interface_name(network("n", 3), sandbox, {"com.docker.network.endpoint.ifname": "lan"}) == "lan"
    with pytest.raises(EngineError, match="error renaming interface to eth1: file exists"):
        plans.interface_name(network("n", 3), sandbox, {"com.docker.network.endpoint.ifname": "eth1"})
    prefixed = network("n", 4, options={"com.docker.network.container_iface_prefix": "lan"})
    assert plans.interface_name(prefixed, sandbox, {}) == "lan0"


def test_names_of_a_container():
    request = SandboxRequest("0123456789abcdef", "box", "host")
    assert plans.dns_names(network("n", 1), request, ["web", "box"]) == ["box", "web", "0123456789ab", "host"]
    assert plans.dns_names(network("bridge", 1), request, []) == []


def test_options_of_an_endpoint():
    given = {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.ifname.mtu=1300"}
    assert options.endpoint_sysctls(given, "eth1") == {
        "net.ipv4.conf.eth1.log_martians": "1", "net.ipv6.conf.eth1.mtu": "1300",
    }  # fmt: skip
    with pytest.raises(InvalidParameter, match=r"unrecognised network interface sysctl 'net.core.x=1'"):
        options.endpoint_sysctls({"com.docker.network.endpoint.sysctls": "net.core.x=1"}, "eth1")


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("driver.mtu", "-1", "invalid MTU number: -1"),
        ("driver.mtu", "x", 'failed to parse LABEL value: x (strconv.Atoi: parsing "x": invalid syntax)'),
        ("bridge.enable_icc", "no", 'failed to parse LABEL value: no (strconv.ParseBool: parsing "no": invalid syntax)'),
        ("bridge.gateway_mode_ipv4", "x", "failed to parse LABEL value: x (unknown gateway mode x)"),
        ("bridge.host_binding_ipv4", "x", "failed to parse LABEL value: x (nil ip)"),
        ("host_ipv4", "fd00::1", "failed to parse LABEL value: fd00::1 (nil ip)"),
        ("advertise_addr_nmsgs", "4", "failed to parse LABEL value: 4 (must be in the range 0 to 3)"),
        ("bridge.name", "far-too-long-a-name", "failed to parse LABEL value: far-too-long-a-name (not a valid interface name)"),
    ],
)
def test_options_that_cannot_be(key: str, value: str, text: str):
    label = f"com.docker.network.{key}"
    with pytest.raises(InvalidParameter) as caught:
        options.parse({label: value})
    assert caught.value.message == text.replace("LABEL", label)


@pytest.mark.parametrize(
    ("name", "wanted", "text"),
    [
        ("bridge", EndpointSettings(EndpointAddresses("172.17.0.9")), USER_DEFINED),
        ("bridge", EndpointSettings(Aliases=["x"]), "network-scoped aliases are only supported for user-defined networks"),
        ("n", EndpointSettings(EndpointAddresses("x")), "invalid IPv4 address: x"),
        ("n", EndpointSettings(EndpointAddresses("", "10.1.0.3")), "invalid IPv6 address: 10.1.0.3"),
        ("n", EndpointSettings(EndpointAddresses("", "", ["x"])), "invalid link-local IP address: x"),
        ("n", EndpointSettings(EndpointAddresses("10.2.0.3")), "no configured subnet contains IP address 10.2.0.3"),
        ("n", EndpointSettings(MacAddress="zz"), "invalid MAC address: zz"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(name: str, wanted: EndpointSettings, text: str):
    with pytest.raises(InvalidParameter) as caught:
        settings.check(name, wanted, network("n", 1) if name == "n" else None)
    assert caught.value.message == f"invalid endpoint settings:\n{text}"
