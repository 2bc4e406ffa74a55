"""Published ports chosen and changed: what stays is not touched, what fails leaves everything as it was."""

import asyncio
from ipaddress import IPv4Address
from typing import Any

import pytest

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.networks import hostports, ports
from dockwright.networks.network import Endpoint
from dockwright.networks.publish import AlreadyAllocated, Binding, HostPorts
from dockwright.networks.request import SandboxRequest
from dockwright.supervisor.netd_client import PortTaken


class Netd:
    """Remembers what is bound and where it leads; refuses what another program has."""

    def __init__(self) -> None:
        self.bound: set[tuple[str, str, int]] = set()
        self.targets: dict[tuple[str, str, int], int] = {}
        self.taken: set[int] = set()
        self.fails = False

    async def reserve(self, owner: str, bindings: Any, instead: Any = ()) -> None:
        self.bound -= set(instead)
        for binding in bindings:
            if binding[2] in self.taken:
                raise PortTaken(binding, 98)
        self.bound |= set(bindings)

    async def open(self, owner: str, targets: Any) -> None:
        if self.fails:
            self.fails = False
            raise PortTaken(next(iter(targets))[:3], 98)
        self.targets.update({tuple(target[:3]): target[4] for target in targets})

    async def release(self, owner: str, bindings: Any = ()) -> None:
        for binding in list(bindings) or list(self.bound):
            self.bound.discard(binding)
            self.targets.pop(binding, None)


class Firewall:
    def __init__(self) -> None:
        self.open: list[tuple[Binding, str]] = []

    async def exchange(self, old: list[Any], new: list[Any]) -> None:
        self.open = [item for item in self.open if item not in old] + new


class Rig:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hostports, "read", lambda: HostPorts((40000, 40009)))
        self.netd, self.firewall = Netd(), Firewall()
        self.ports = ports.Ports(self.netd, self.firewall, ["0.0.0.0", "::"])  # type: ignore[arg-type]
        self.ports._ipv6 = True
        self.endpoint = Endpoint("e", "n", "c", "web", address=IPv4Address("172.20.0.2"))

    def start(self, **bindings: list[dict[str, str]]) -> None:
        asyncio.run(self.ports.reserve(self.endpoint, self.request(bindings)))
        self.endpoint.active = True
        self.firewall.open = ports.published(self.endpoint)
        asyncio.run(self.ports.open(self.endpoint))

    def change(self, **bindings: list[dict[str, str]]) -> None:
        asyncio.run(self.ports.change(self.endpoint, self.request(bindings)))

    def request(self, bindings: dict[str, list[dict[str, str]]]) -> SandboxRequest:
        written = {key.replace("_", "/").removeprefix("p"): entries for key, entries in bindings.items()}
        return SandboxRequest("c", "web", "h", port_bindings=written)

    def shown(self) -> set[tuple[str, int, int]]:
        return {(binding.host_ip, binding.host_port, binding.port) for binding in self.endpoint.bindings}

    def agrees(self) -> bool:
        """Whether netd and the firewall have what the endpoint says."""
        keys = {binding.key: binding.port for binding in self.endpoint.bindings}
        rules = {binding for binding, _ in self.firewall.open}
        return keys.keys() == self.netd.bound and keys == self.netd.targets and rules == set(self.endpoint.bindings)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def both(port: int, container: int) -> set[tuple[str, int, int]]:
    return {("0.0.0.0", port, container), ("::", port, container)}


def test_one_more_port(rig: Rig) -> None:
    rig.start(p80_tcp=[{}])
    assert rig.shown() == both(40000, 80)
    rig.change(p80_tcp=[{}], p81_tcp=[{"HostPort": "8081"}])
    assert rig.shown() == both(40000, 80) | both(8081, 81) and rig.agrees()


def test_one_port_less(rig: Rig) -> None:
    rig.start(p80_tcp=[{"HostPort": "8080"}], p81_udp=[{"HostPort": "8080"}])
    rig.change(p81_udp=[{"HostPort": "8080"}])
    assert rig.shown() == both(8080, 81) and rig.agrees()
    assert not rig.ports._host.free("tcp", ["0.0.0.0"], 8080)
    rig.change()
    assert not rig.shown() and not rig.netd.bound and rig.agrees()


def test_a_host_port_leads_elsewhere(rig: Rig) -> None:
    rig.start(p80_tcp=[{"HostPort": "8080"}])
    rig.change(p90_tcp=[{"HostPort": "8080"}])
    assert rig.shown() == both(8080, 90) and rig.agrees()
    with pytest.raises(AlreadyAllocated):
        rig.ports._host.take("tcp", ["0.0.0.0"], 8080)


def test_two_ports_change_places(rig: Rig) -> None:
    rig.start(p80_tcp=[{"HostPort": "8080"}], p81_tcp=[{"HostPort": "8081"}])
    rig.change(p80_tcp=[{"HostPort": "8081"}], p81_tcp=[{"HostPort": "8080"}])
    assert rig.shown() == both(8081, 80) | both(8080, 81) and rig.agrees()


def test_a_chosen_port_stays_within_its_range(rig: Rig) -> None:
    rig.start(p80_tcp=[{"HostPort": "9000-9002"}])
    rig.change(p80_tcp=[{"HostPort": "9000-9005"}])
    assert rig.shown() == both(9000, 80)
    rig.change(p80_tcp=[{"HostPort": "9003-9005"}])
    assert rig.shown() == both(9003, 80) and rig.agrees()


def test_addresses_are_narrowed(rig: Rig) -> None:
    rig.start(p80_tcp=[{"HostPort": "8080"}])
    rig.change(p80_tcp=[{"HostPort": "8080", "HostIp": "127.0.0.1"}])
    assert rig.shown() == {("127.0.0.1", 8080, 80)} and rig.agrees()


@pytest.mark.parametrize("fault", ["another program", "another container", "netd", "twice"])
def test_what_fails_changes_nothing(rig: Rig, fault: str) -> None:
    rig.start(p80_tcp=[{"HostPort": "8080"}])
    before = rig.shown()
    wanted = [{"HostPort": "8081"}]
    if fault == "another program":
        rig.netd.taken.add(8081)
    if fault == "another container":
        rig.ports._host.take("tcp", ["127.0.0.1"], 8081)
    if fault == "netd":
        rig.netd.fails = True
    if fault == "twice":
        wanted *= 2
    with pytest.raises(Internal, match="driver failed programming external connectivity on endpoint web"):
        rig.change(p90_tcp=[{"HostPort": "8082"}], p80_tcp=wanted)
    assert rig.shown() == before and rig.agrees()
    assert not rig.ports._host.free("tcp", ["0.0.0.0", "::"], 8082)


def test_ports_are_free_after_an_end_whatever_fails(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.start(p80_tcp=[{"HostPort": "8080"}])
    rig.endpoint.active = False  # as after a start that failed between the rule and netd's part

    async def died(*_: Any) -> None:
        raise Internal("netd has died (release)")

    monkeypatch.setattr(rig.netd, "release", died)
    asyncio.run(rig.ports.close(rig.endpoint))
    assert not rig.firewall.open and not rig.endpoint.bindings
    assert not rig.ports._host.free("tcp", ["0.0.0.0", "::"], 8080)


def test_a_malformed_binding(rig: Rig) -> None:
    rig.start(p80_tcp=[{"HostPort": "8080"}])
    with pytest.raises(InvalidParameter, match="invalid port specification"):
        rig.change(p80_tcp=[{"HostPort": "x"}])
    assert rig.agrees()


def test_a_full_range(rig: Rig) -> None:
    rig.ports._host.take("tcp", ["0.0.0.0"], 9000)
    rig.ports._host.take("tcp", ["::"], 9001)
    with pytest.raises(Internal, match="all ports are allocated"):
        rig.start(p80_tcp=[{"HostPort": "9000-9001"}])
    with pytest.raises(Internal, match=r"Bind for \[::\]:9001 failed: port is already allocated"):
        rig.start(p80_tcp=[{"HostPort": "9001"}])


def test_ephemeral_ports_go_round_and_pass_over_reserved_ones() -> None:
    host = HostPorts((40000, 40003), [40001])
    assert list(host.choices("tcp", ["0.0.0.0"], "")) == [40000, 40002, 40003]
    host.take("tcp", ["127.0.0.1"], 40002)
    assert list(host.choices("tcp", ["0.0.0.0"], "")) == [40000, 40003]
    host.take("tcp", ["0.0.0.0"], 40000)
    host.take("tcp", ["::"], 40003)
    with pytest.raises(Internal, match="all ports are allocated"):
        list(host.choices("tcp", ["127.0.0.1", "::1"], ""))
