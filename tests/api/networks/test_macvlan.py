"""macvlan networks as users have them: containers on the LAN itself."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

SLEEP = ("busybox", "sleep", "300")


@pytest.fixture
def lan(daemon: Any, neighbour_of: Any) -> Iterator[list[str]]:
    """How to run a command on a neighbour, 10.97.0.2, behind the host's lan0."""
    yield neighbour_of(daemon, "10.97.0")
    for name in daemon.says("ps", "-aq").split():
        daemon.docker("rm", "-f", name)
    for name in daemon.says("network", "ls", "-q", "-f", "type=custom").split():
        daemon.says("network", "rm", name)


def pings(daemon: Any, container: str, address: str) -> bool:
    return daemon.docker("exec", container, "ping", "-c1", "-W2", address).returncode == 0


def test_a_container_on_the_lan(daemon: Any, lan: list[str]) -> None:
    range_ = ["--subnet", "10.97.0.0/24", "--ip-range", "10.97.0.16/28", "--gateway", "10.97.0.2"]
    daemon.says("network", "create", "-d", "macvlan", "-o", "parent=lan0", *range_, "lan")
    daemon.says("run", "-d", "--name", "one", "--network", "lan", *SLEEP)
    found = json.loads(daemon.says("inspect", "one"))[0]["NetworkSettings"]["Networks"]["lan"]
    assert (found["IPAddress"], found["Gateway"], found["IPPrefixLen"]) == ("10.97.0.16", "10.97.0.2", 24)
    assert pings(daemon, "one", "10.97.0.2")
    assert found["MacAddress"] in daemon.says("exec", "one", "ip", "link", "show", "eth0")
    assert "default via 10.97.0.2" in daemon.says("exec", "one", "ip", "route")
    asked = subprocess.run([*lan, "busybox", "ping", "-c1", "-w2", "10.97.0.16"], capture_output=True, check=False)
    assert asked.returncode == 0


def test_a_running_container_joins_the_lan_and_leaves_it(daemon: Any, lan: list[str]) -> None:
    daemon.says("network", "create", "-d", "macvlan", "-o", "parent=lan0", "--subnet", "10.97.0.0/24", "lan")
    daemon.says("run", "-d", "--name", "one", *SLEEP)
    daemon.says("network", "connect", "--ip", "10.97.0.77", "lan", "one")
    assert "10.97.0.77/24" in daemon.says("exec", "one", "ip", "-4", "addr", "show", "eth1")
    assert "default via 172.17.0.1" in daemon.says("exec", "one", "ip", "route")
    assert pings(daemon, "one", "10.97.0.2")
    daemon.says("network", "disconnect", "lan", "one")
    assert "eth1" not in daemon.says("exec", "one", "ip", "link")


def test_addresses_of_several_subnets(daemon: Any, lan: list[str]) -> None:
    subnets = ["--subnet", "10.97.1.0/30", "--gateway", "10.97.1.1", "--subnet", "10.97.2.0/30", "--gateway", "10.97.2.1"]
    daemon.says("network", "create", "-d", "macvlan", "-o", "parent=lan0", *subnets, "many")
    for name in ("one", "two"):
        daemon.says("run", "-d", "--name", name, "--network", "many", *SLEEP)
    routes = [daemon.says("exec", name, "ip", "route").splitlines()[0] for name in ("one", "two")]
    assert {route.split()[2] for route in routes} == {"10.97.1.1", "10.97.2.1"}  # the client sends subnets in no order


def test_ports_of_a_lan_network_are_not_published(daemon: Any, lan: list[str]) -> None:
    daemon.says("network", "create", "-d", "macvlan", "-o", "parent=lan0", "--subnet", "10.97.0.0/24", "lan")
    daemon.says("run", "-d", "--name", "one", "--network", "lan", "-p", "8099:80", *SLEEP)
    assert daemon.says("inspect", "-f", "{{json .NetworkSettings.Ports}}", "one") == '{"80/tcp":null}'
