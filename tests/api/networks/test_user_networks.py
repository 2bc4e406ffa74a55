"""Networks of the user with real packets: made, joined while containers run or not, left, removed."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

SLEEP = ("busybox", "sleep", "300")
SERVE = "while true; do echo {name} | nc -l -p 80; done"


def inside(daemon: Any, *command: str) -> str:
    """What a command in the daemon's network namespace says."""
    done = subprocess.run([*daemon.inside, *command], capture_output=True, timeout=20, check=False)
    return (done.stdout + done.stderr).decode()


def inspect(daemon: Any, name: str, kind: str = "container") -> dict[str, Any]:
    return json.loads(daemon.says(kind, "inspect", name))[0]


def networks(daemon: Any, name: str) -> dict[str, Any]:
    return inspect(daemon, name)["NetworkSettings"]["Networks"]


def pings(daemon: Any, container: str, address: str) -> bool:
    return daemon.docker("exec", container, "ping", "-c1", "-W2", address).returncode == 0


def answers(daemon: Any, container: str, address: str, port: int = 80) -> str:
    """What a server says to a container, "" if nothing: tried for a moment, for it may not listen yet."""
    for _ in range(10):
        said = daemon.docker("exec", container, "nc", "-w", "1", address, str(port), stdin=b"").stdout.decode().strip()
        if said:
            return said
        time.sleep(0.05)
    return ""


def run(daemon: Any, name: str, *options: str) -> None:
    daemon.says("run", "-d", "--name", name, *options, *SLEEP)


def serve(daemon: Any, name: str, *options: str) -> None:
    daemon.says("run", "-d", "--name", name, *options, "busybox", "sh", "-c", SERVE.format(name=name))


def bridges(daemon: Any) -> list[str]:
    links = inside(daemon, "ip", "-o", "link", "show", "type", "bridge").splitlines()
    return [line.split(": ")[1] for line in links]


def until(holds: Callable[[], bool]) -> None:
    """Links go a moment after their network."""
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def _clean(daemon: Any) -> Iterator[None]:
    yield
    for ident in daemon.says("ps", "-aq").split():
        daemon.docker("rm", "-f", ident)
    for ident in daemon.says("network", "ls", "-q", "-f", "type=custom").split():
        daemon.says("network", "rm", ident)
    until(lambda: bridges(daemon) == ["docker0"])
    assert "br-" not in inside(daemon, "nft", "list", "ruleset")


def test_a_network_is_made_and_removed(daemon: Any) -> None:
    ident = daemon.says("network", "create", "--label", "a=b", "one")
    found = inspect(daemon, "one", "network")
    assert (found["Id"], found["Driver"], found["Scope"]) == (ident, "bridge", "local")
    assert found["IPAM"] == {"Driver": "default", "Options": {}, "Config": [{"Subnet": "172.18.0.0/24", "Gateway": "172.18.0.1"}]}
    assert found["Labels"] == {"a": "b"}
    assert "172.18.0.1/24" in inside(daemon, "ip", "-4", "addr", "show", f"br-{ident[:12]}")
    assert "already exists" in daemon.refuses("network", "create", "one")
    assert daemon.says("network", "ls", "-q", "-f", "label=a=b") == ident[:12]
    assert daemon.says("network", "rm", "one") == "one"
    assert "not found" in daemon.refuses("network", "inspect", "one")
    until(lambda: "does not exist" in inside(daemon, "ip", "link", "show", f"br-{ident[:12]}"))


def test_containers_of_one_network_reach_each_other_and_no_others(daemon: Any) -> None:
    for name in ("one", "two"):
        daemon.says("network", "create", name)
    run(daemon, "aa", "--network", "one")
    run(daemon, "bb", "--network", "one")
    run(daemon, "cc", "--network", "two")
    run(daemon, "dd")
    addresses = {name: next(iter(networks(daemon, name).values()))["IPAddress"] for name in ("aa", "bb", "cc", "dd")}
    assert pings(daemon, "aa", addresses["bb"])
    assert not pings(daemon, "aa", addresses["cc"])
    assert not pings(daemon, "aa", addresses["dd"])
    assert not pings(daemon, "dd", addresses["aa"])
    assert [m["Name"] for m in inspect(daemon, "two", "network")["Containers"].values()] == ["cc"]


def test_a_way_out_and_an_internal_network(daemon: Any, neighbour_of: Any) -> None:
    neighbour_of(daemon, "10.98.0")
    daemon.says("network", "create", "out")
    daemon.says("network", "create", "--internal", "in")
    run(daemon, "aa", "--network", "out")
    run(daemon, "bb", "--network", "in")
    run(daemon, "cc", "--network", "in")
    assert pings(daemon, "aa", "10.98.0.2")
    assert not pings(daemon, "bb", "10.98.0.2")
    assert "default" not in daemon.says("exec", "bb", "ip", "route")
    assert pings(daemon, "bb", networks(daemon, "cc")["in"]["IPAddress"])
    assert pings(daemon, "bb", inspect(daemon, "in", "network")["IPAM"]["Config"][0]["Gateway"])


def test_a_running_container_joins_and_leaves(daemon: Any) -> None:
    daemon.says("network", "create", "one")
    run(daemon, "aa")
    serve(daemon, "web", "--network", "one")
    before = networks(daemon, "aa")
    daemon.says("network", "connect", "--alias", "also", "one", "aa")
    assert "already exists in network one" in daemon.refuses("network", "connect", "one", "aa")
    found = networks(daemon, "aa")
    assert set(found) == {"bridge", "one"} and found["bridge"] == before["bridge"]
    assert found["one"]["Aliases"] == ["also"]
    shown = daemon.says("exec", "aa", "ip", "-4", "-o", "addr", "show", "eth1")
    assert f"{found['one']['IPAddress']}/24" in shown
    assert answers(daemon, "aa", networks(daemon, "web")["one"]["IPAddress"]) == "web"
    assert found["one"]["IPAddress"] in daemon.says("exec", "aa", "cat", "/etc/hosts")
    daemon.says("network", "disconnect", "one", "aa")
    assert "eth1" not in daemon.says("exec", "aa", "ip", "link")
    assert found["one"]["IPAddress"] not in daemon.says("exec", "aa", "cat", "/etc/hosts")
    assert networks(daemon, "aa") == before
    assert "is not connected to network one" in daemon.refuses("network", "disconnect", "one", "aa")


def test_the_last_network_can_be_left(daemon: Any) -> None:
    run(daemon, "aa")
    daemon.says("network", "disconnect", "bridge", "aa")
    assert networks(daemon, "aa") == {}
    assert daemon.says("exec", "aa", "ip", "-o", "link").count("\n") == 0
    daemon.says("network", "connect", "bridge", "aa")
    assert "default via 172.17.0.1" in daemon.says("exec", "aa", "ip", "route")


def test_a_stopped_container_joins_at_its_next_start(daemon: Any) -> None:
    daemon.says("network", "create", "--subnet", "10.88.0.0/24", "one")
    daemon.says("create", "--name", "aa", *SLEEP)
    daemon.says("network", "connect", "--ip", "10.88.0.9", "one", "aa")
    assert networks(daemon, "aa")["one"]["IPAMConfig"] == {"IPv4Address": "10.88.0.9"}
    daemon.says("start", "aa")
    assert "10.88.0.9/24" in daemon.says("exec", "aa", "ip", "-4", "addr", "show", "eth1")
    daemon.says("stop", "-t", "0", "aa")
    daemon.says("network", "disconnect", "bridge", "aa")
    daemon.says("start", "aa")
    assert "10.88.0.9/24" in daemon.says("exec", "aa", "ip", "-4", "addr", "show", "eth0")


def test_several_networks_at_create(daemon: Any) -> None:
    for name in ("one", "two"):
        daemon.says("network", "create", name)
    run(daemon, "aa", "--network", "two", "--network", "name=one,mac-address=02:42:00:00:00:11")
    shown = daemon.says("exec", "aa", "ip", "-o", "addr")
    found = networks(daemon, "aa")
    assert f"eth0    inet {found['two']['IPAddress']}/24" in shown and f"eth1    inet {found['one']['IPAddress']}/24" in shown
    assert "02:42:00:00:00:11" in daemon.says("exec", "aa", "ip", "link", "show", "eth1")
    assert f"default via {found['one']['Gateway']}" in daemon.says("exec", "aa", "ip", "route")


def test_a_network_in_use_stays(daemon: Any) -> None:
    daemon.says("network", "create", "one")
    run(daemon, "aa", "--network", "one")
    assert 'network one has active endpoints (name:"aa" id:"' in daemon.refuses("network", "rm", "one")
    daemon.says("network", "prune", "-f")
    daemon.says("kill", "aa")
    daemon.says("network", "rm", "one")
    assert "network one not found" in daemon.refuses("start", "aa")
    assert inspect(daemon, "aa")["State"]["ExitCode"] == 128


def test_published_ports_follow_the_default_route(daemon: Any) -> None:
    daemon.says("network", "create", "--internal", "in")
    daemon.says("network", "create", "out")
    serve(daemon, "web", "--network", "in", "-p", "8090:80")
    assert inspect(daemon, "web")["NetworkSettings"]["Ports"] == {"80/tcp": None}
    daemon.says("network", "connect", "out", "web")
    assert inspect(daemon, "web")["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"] == "8090"
    for _ in range(20):
        if (said := inside(daemon, "busybox", "nc", "-w", "1", "127.0.0.1", "8090")) == "web\n":
            break
        time.sleep(0.05)
    assert said == "web\n"
    daemon.says("network", "disconnect", "out", "web")
    assert inspect(daemon, "web")["NetworkSettings"]["Ports"] == {"80/tcp": None}
    assert "8090" not in inside(daemon, "ss", "-Htln")


def test_networks_survive_a_killed_daemon(daemon: Any) -> None:
    daemon.says("network", "create", "one")
    run(daemon, "aa", "--network", "one")
    before = networks(daemon, "aa")
    daemon.end(9)
    inside(daemon, "ip", "link", "delete", f"br-{before['one']['NetworkID'][:12]}")
    daemon.start()
    assert networks(daemon, "aa") == before
    run(daemon, "bb", "--network", "one")
    assert networks(daemon, "bb")["one"]["IPAddress"] == "172.18.0.3"
    daemon.says("restart", "-t", "0", "aa")
    assert pings(daemon, "bb", networks(daemon, "aa")["one"]["IPAddress"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--subnet", "10.9.0.5/24"], "invalid subnet 10.9.0.5/24: it should be 10.9.0.0/24"),
        (["--subnet", "172.17.3.0/24"], "Pool overlaps with other one on this address space (172.17.0.0/16 is network bridge's)"),
        (["-d", "nothing"], 'plugin "nothing" not found'),
        (["-d", "host"], 'only one instance of "host" network is allowed'),
        (["-d", "overlay"], "This node is not a swarm manager."),
        (["--scope", "swarm"], "cannot create a swarm scoped network when swarm is not active"),
        (["--ingress"], "Ingress network can only be global scope network"),
        (["-o", "com.docker.network.driver.mtu=-1"], "invalid MTU number: -1"),
        (["-o", "com.docker.network.bridge.enable_icc=nope"], 'strconv.ParseBool: parsing "nope": invalid syntax'),
        (["-o", "com.docker.network.bridge.name=lo"], "existing interface lo is not a bridge"),
        (["-o", "com.docker.network.bridge.name=docker0"], "networks have same bridge name"),
        (["--config-from", "nobody"], 'configuration network "nobody" does not exist'),
        (["--subnet", "10.9.0.0/24", "--subnet", "10.8.0.0/24"], "bridge driver doesn't support multiple subnets"),
    ],
)
def test_what_cannot_be_is_refused(daemon: Any, options: list[str], text: str) -> None:
    assert text in daemon.refuses("network", "create", *options, "wrong")
    assert "wrong" not in daemon.says("network", "ls")


def test_an_address_is_free_for_the_next_container_at_once(daemon: Any) -> None:
    daemon.says("network", "create", "--subnet", "10.88.0.0/24", "one")
    for _ in range(8):
        shown = daemon.says("run", "--rm", "--network", "one", "--ip", "10.88.0.9", "busybox", "ip", "-4", "addr")
        assert "10.88.0.9/24" in shown
