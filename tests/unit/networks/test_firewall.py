"""The firewall's choice of a driver, what it does when the kernel refuses, and iptables' texts."""

import asyncio
from ipaddress import IPv4Network
from typing import Any

import pytest

from dockwright.base.errors import Internal
from dockwright.networks.firewall import firewall, foreign, iptables
from dockwright.networks.firewall.model import FOUR, SIX, BridgeRules, Refused, State
from dockwright.networks.publish import Binding

BRIDGE = BridgeRules("br0", IPv4Network("10.1.0.0/24"))
WEB = (Binding("tcp", "0.0.0.0", 8080, 80), "10.1.0.2")
API = (Binding("udp", "192.0.2.1", 53, 53), "10.1.0.3")


class Driver:
    name, kind, blocks = "fake", "", False

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.refuses: set[str] = set()

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.refuses:
            raise Refused(f"no {name}")

    def write(self, state: State) -> None:
        self._call("write")

    def add(self, state: State, bridge: BridgeRules) -> None:
        self._call("add")

    def exchange(self, state: State, old: list[Any], new: list[Any]) -> None:
        self._call("exchange")

    def link(self, state: State, old: list[Any], new: list[Any]) -> None:
        self._call("link")

    def text(self, published: list[Any]) -> str:
        return "text"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> tuple[firewall.Firewall, Driver]:
    wall, driver = firewall.Firewall(), Driver()
    wall._driver = driver  # type: ignore[assignment]

    async def nothing() -> None:
        return

    monkeypatch.setattr(wall, "_among_others", nothing)
    return wall, driver


def test_a_refused_change_writes_everything_again(made: tuple[firewall.Firewall, Driver]) -> None:
    wall, driver = made
    driver.refuses = {"exchange"}
    step = asyncio.run(wall.publish([WEB]))
    assert driver.calls == ["exchange", "write"] and list(wall._state.published) == [WEB]
    assert step.text == "text" and step.took >= 0


@pytest.mark.parametrize("what", ["publish", "exchange", "link", "add"])
def test_what_cannot_be_written_has_not_happened(made: tuple[firewall.Firewall, Driver], what: str) -> None:
    wall, driver = made
    asyncio.run(wall.publish([WEB]))
    way = ("10.1.0.2", "10.1.0.3", "tcp", 80)
    asyncio.run(wall.link([], [way]))
    driver.refuses = {"exchange", "link", "add", "write"}
    calls = {
        "publish": lambda: wall.publish([API]), "exchange": lambda: wall.exchange([WEB], [API]),
        "link": lambda: wall.link([way], [("a", "b", "tcp", 1)]), "add": lambda: wall.add(BRIDGE),
    }  # fmt: skip
    with pytest.raises(Internal, match="firewall: no write"):
        asyncio.run(calls[what]())  # type: ignore[arg-type]
    assert (list(wall._state.published), list(wall._state.ways), wall._state.bridges) == ([WEB], [way], {})


def test_a_port_that_moves_is_closed_and_opened(made: tuple[firewall.Firewall, Driver]) -> None:
    wall, _ = made
    asyncio.run(wall.publish([WEB, API]))
    asyncio.run(wall.exchange([WEB], [WEB, API]))
    assert set(wall._state.published) == {WEB, API}
    asyncio.run(wall.exchange([WEB, ("nobody", "")], []))  # type: ignore[list-item]
    assert list(wall._state.published) == [API]


def test_the_first_driver_that_works_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any) -> Any:
        raise Refused("libnftables.so.1 cannot be loaded")

    monkeypatch.setattr(firewall, "NftDriver", missing)
    monkeypatch.setattr(firewall, "_iptables", Driver)
    assert isinstance(firewall.chosen("", "dockwright"), Driver)
    with pytest.raises(Internal, match="nftables: libnftables"):
        firewall.chosen("nftables", "dockwright")
    monkeypatch.setattr(firewall, "_iptables", missing)
    with pytest.raises(Internal, match=r"nftables: libnftables.*; iptables: libnftables"):
        firewall.chosen("", "dockwright")


def listing(*lines: str) -> iptables.Listing:
    return iptables.Listing("\n".join(lines))


def test_iptables_are_put_in_place_once() -> None:
    present = listing(
        "*filter", ":FORWARD DROP [0:0]", ":DOCKER-USER - [0:0]", "-A FORWARD -j OTHER", "-A FORWARD -j DOCKWRIGHT-FORWARD"
    )
    text = iptables.restore(present, iptables.rules(FOUR, State({"br0": BRIDGE}, {WEB: None})))
    assert ":DOCKER-USER" not in text and ":FORWARD" not in text
    forward = [line for line in text.splitlines() if " FORWARD " in line]
    assert forward == ["-D FORWARD -j DOCKWRIGHT-FORWARD", "-I FORWARD -j DOCKWRIGHT-FORWARD", "-I FORWARD -j DOCKER-USER"]
    assert "-A DOCKWRIGHT-PORTS -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.0.2:80" in text
    assert ":DOCKER-USER - [0:0]" in iptables.restore(listing(), iptables.rules(FOUR, State()))


def test_iptables_changes_are_lines() -> None:
    assert iptables.exchange(FOUR, [API], [WEB]).splitlines() == [
        "*nat", "-D DOCKWRIGHT-PORTS -d 192.0.2.1/32 -p udp -m udp --dport 53 -j DNAT --to-destination 10.1.0.3:53",
        "-A DOCKWRIGHT-PORTS -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.0.2:80", "COMMIT",
    ]  # fmt: skip
    assert iptables.exchange(SIX, [API], [WEB]) == ""
    six = (Binding("tcp", "::", 80, 80), "fd00::2")
    assert "--to-destination [fd00::2]:80" in iptables.exchange(SIX, [], [six])
    assert iptables.exchange(FOUR, [], [(Binding("tcp", "::1", 80, 80), "10.1.0.2")]) == ""


def test_the_administrators_rules_stay_when_ours_go() -> None:
    jump = "-A FORWARD -j DOCKER-USER"
    used = listing("*filter", ":DOCKER-USER - [0:0]", ":DOCKWRIGHT-IN - [0:0]", jump, "-A DOCKER-USER -j DROP")
    assert "DOCKER-USER" not in iptables.removal(used) and "-X DOCKWRIGHT-IN" in iptables.removal(used)
    beside = listing("*filter", ":DOCKER - [0:0]", ":DOCKER-USER - [0:0]", jump)
    assert "DOCKER-USER" not in iptables.removal(beside)
    unused = listing("*filter", ":DOCKER-USER - [0:0]", jump)
    assert {"-D FORWARD -j DOCKER-USER", "-X DOCKER-USER"} <= set(iptables.removal(unused).splitlines())


@pytest.mark.parametrize("kind", ["legacy", "nft"])
def test_programs_of_other_firewalls_that_are_missing_or_hang(
    kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Their rules cannot be seen or changed then: that is told, and nothing of ours fails for it."""
    foreign._unseen.cache_clear()
    monkeypatch.setattr(foreign, "_legacy_in_use", lambda: True)
    monkeypatch.setattr(foreign.spawner, "find", lambda program: "")
    assert asyncio.run(foreign.ensure(None, "dockwright", ["br0"])) == []
    assert asyncio.run(foreign.ensure(None, "dockwright", ["br0"])) == []
    assert caplog.text.count("iptables-legacy is not installed") == 1
    gone = {"legacy": FileNotFoundError(2, "No such file or directory"), "nft": TimeoutError("did not end within 10 s")}[kind]

    async def fail(*_: object) -> None:
        raise gone

    monkeypatch.setattr(foreign.spawner, "find", lambda program: f"/usr/sbin/{program}")
    monkeypatch.setattr(foreign.spawner, "run", fail)
    assert asyncio.run(foreign.ensure(None, "dockwright", ["br0"])) == []
    assert f"iptables-legacy -S: {gone.strerror or gone}" in caplog.text
