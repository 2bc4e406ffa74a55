"""Every option of the bridge driver, by what packets do."""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

SLEEP = ("busybox", "sleep", "300")
BRIDGE = "com.docker.network.bridge."
TELL = "import socket; s=socket.create_server(('', 7000)); c, a = s.accept(); c.sendall(a[0].encode()); c.close()"


def network(daemon: Any, *options: str, **labels: str) -> None:
    """Network n on 10.71.0.0/24; labels with _ for . behind com.docker.network."""
    given = [f"-o=com.docker.network.{key.replace('__', '.')}={value}" for key, value in labels.items()]
    daemon.says("network", "create", "--subnet", "10.71.0.0/24", *options, *given, "n")


def run(daemon: Any, name: str, *options: str) -> None:
    daemon.says("run", "-d", "--name", name, "--network", "n", *options, *SLEEP)


def serve(daemon: Any, name: str, *options: str) -> None:
    loop = f"while true; do echo {name} | nc -l -p 80; done"
    daemon.says("run", "-d", "--name", name, "--network", "n", *options, "busybox", "sh", "-c", loop)


def ask(where: list[str], address: str, port: int = 80) -> str:
    for _ in range(6):
        command = [*where, "busybox", "nc", "-w", "1", address, str(port)]
        done = subprocess.run(command, input=b"", capture_output=True, check=False)
        if done.stdout:
            return done.stdout.decode().strip()
        time.sleep(0.05)
    return ""


def pings(where: list[str], address: str) -> bool:
    return subprocess.run([*where, "busybox", "ping", "-c1", "-W2", address], capture_output=True, check=False).returncode == 0


@pytest.fixture
def lan(daemon: Any, neighbour_of: Any) -> Iterator[list[str]]:
    """A neighbour, 10.96.0.2, that sends what is for 10.71.0.0/24 to the host."""
    where = neighbour_of(daemon, "10.96.0")
    for net in ("10.71.0.0/24", "fd71::/64"):
        via = "10.96.0.1" if "." in net else "fd96::1"
        if ":" in net:
            subprocess.run([*daemon.inside, "ip", "addr", "add", "fd96::1/64", "dev", "lan0", "nodad"], check=True)
            subprocess.run([*where, "ip", "addr", "add", "fd96::2/64", "dev", "lan1", "nodad"], check=True)
        subprocess.run([*where, "ip", "route", "add", net, "via", via], check=True)
    yield where


@pytest.fixture(autouse=True)
def _clean(daemon: Any) -> Iterator[None]:
    yield
    for name in daemon.says("ps", "-aq").split():
        daemon.docker("rm", "-f", name)
    for name in daemon.says("network", "ls", "-q", "-f", "type=custom").split():
        daemon.says("network", "rm", name)


def source_seen(daemon: Any, lan: list[str], name: str) -> str:
    """The address that a server on the neighbour sees when a container calls it."""
    server = subprocess.Popen([*lan, "python3", "-c", TELL])
    try:
        for _ in range(40):
            said = daemon.docker("exec", name, "nc", "-w", "2", "10.96.0.2", "7000", stdin=b"").stdout.decode()
            if said:
                return str(said)
            time.sleep(0.05)
        return ""
    finally:
        server.kill()
        server.wait()


def test_icc_off_separates_the_containers_of_one_network(daemon: Any) -> None:
    network(daemon, bridge__enable_icc="false")
    run(daemon, "one", "--ip", "10.71.0.11")
    run(daemon, "two", "--ip", "10.71.0.12")
    assert daemon.docker("exec", "one", "ping", "-c1", "-w1", "10.71.0.12").returncode != 0
    assert daemon.docker("exec", "one", "ping", "-c1", "-w1", "10.71.0.1").returncode == 0


def test_masquerading_and_a_given_source(daemon: Any, lan: list[str]) -> None:
    network(daemon)
    run(daemon, "one")
    assert source_seen(daemon, lan, "one") == "10.96.0.1"
    daemon.says("rm", "-f", "one")
    daemon.says("network", "rm", "n")
    network(daemon, bridge__enable_ip_masquerade="false")
    run(daemon, "one", "--ip", "10.71.0.11")
    assert source_seen(daemon, lan, "one") == "10.71.0.11"
    daemon.says("rm", "-f", "one")
    daemon.says("network", "rm", "n")
    subprocess.run([*daemon.inside, "ip", "addr", "add", "10.96.0.77/24", "dev", "lan0"], check=True)
    network(daemon, host_ipv4="10.96.0.77")
    run(daemon, "one")
    assert source_seen(daemon, lan, "one") == "10.96.0.77"


def test_containers_are_closed_to_direct_routing_unless_said_otherwise(daemon: Any, lan: list[str]) -> None:
    network(daemon)
    serve(daemon, "one", "--ip", "10.71.0.11", "-p", "8071:80")
    assert ask(lan, "10.96.0.1", 8071) == "one"
    assert ask(lan, "10.71.0.11") == ""
    daemon.says("rm", "-f", "one")
    daemon.says("network", "rm", "n")
    network(daemon, bridge__trusted_host_interfaces="lan0")
    serve(daemon, "one", "--ip", "10.71.0.11")
    assert ask(lan, "10.71.0.11") == "one"
    daemon.says("rm", "-f", "one")
    daemon.says("network", "rm", "n")
    network(daemon, bridge__gateway_mode_ipv4="nat-unprotected")
    serve(daemon, "one", "--ip", "10.71.0.11")
    assert ask(lan, "10.71.0.11") == "one"


def test_the_mode_routed(daemon: Any, lan: list[str]) -> None:
    network(daemon, "--ipv6", "--subnet", "fd71::/64", bridge__gateway_mode_ipv4="routed", bridge__gateway_mode_ipv6="routed")
    serve(daemon, "one", "--ip", "10.71.0.11", "--ip6", "fd71::11", "-p", "8072:80")
    assert ask(lan, "10.71.0.11") == "one" == ask(lan, "fd71::11")
    assert pings(lan, "10.71.0.11") and pings(lan, "fd71::11")
    assert ask(lan, "10.96.0.1", 8072) == ""
    assert source_seen(daemon, lan, "one") == "10.71.0.11"
    found = json.loads(daemon.says("inspect", "one"))[0]["NetworkSettings"]["Ports"]
    assert found == {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": ""}, {"HostIp": "::", "HostPort": ""}]}
    assert daemon.says("ps", "--format", "{{.Ports}}") == "80/tcp"
    serve(daemon, "two", "--ip", "10.71.0.12")
    assert ask(lan, "10.71.0.12") == ""
    daemon.end(9)
    daemon.start()
    assert ask(lan, "10.71.0.11") == "one"
    daemon.says("rm", "-f", "one")
    assert "10.71.0.11" not in subprocess.run([*daemon.inside, "nft", "list", "ruleset"], capture_output=True).stdout.decode()


def test_ipv6_routed_and_ipv4_not(daemon: Any, lan: list[str]) -> None:
    network(daemon, "--ipv6", "--subnet", "fd71::/64", bridge__gateway_mode_ipv6="routed")
    serve(daemon, "one", "--ip6", "fd71::11", "-p", "8073:80")
    assert ask(lan, "fd71::11") == "one" == ask(lan, "10.96.0.1", 8073)
    found = json.loads(daemon.says("inspect", "one"))[0]["NetworkSettings"]["Ports"]["80/tcp"]
    assert found == [{"HostIp": "0.0.0.0", "HostPort": "8073"}, {"HostIp": "::", "HostPort": ""}]


def test_the_mode_isolated(daemon: Any) -> None:
    refused = daemon.docker("network", "create", "-o", f"{BRIDGE}gateway_mode_ipv4=isolated", "n")
    assert b"gateway mode 'isolated' can only be used for an internal network" in refused.stderr
    network(daemon, "--internal", bridge__gateway_mode_ipv4="isolated", bridge__name="br-alone")
    run(daemon, "one", "--ip", "10.71.0.11")
    run(daemon, "two", "--ip", "10.71.0.12")
    assert daemon.docker("exec", "one", "ping", "-c1", "-w1", "10.71.0.12").returncode == 0
    shown = subprocess.run([*daemon.inside, "ip", "-4", "addr", "show", "br-alone"], capture_output=True, check=True).stdout
    assert b"inet" not in shown


def test_where_ports_are_published_that_name_no_address(daemon: Any, lan: list[str]) -> None:
    network(daemon, bridge__host_binding_ipv4="127.0.0.1")
    serve(daemon, "one", "-p", "8074:80")
    found = json.loads(daemon.says("inspect", "one"))[0]["NetworkSettings"]["Ports"]
    assert found == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8074"}]}
    assert ask(daemon.inside, "127.0.0.1", 8074) == "one"
    assert ask(lan, "10.96.0.1", 8074) == ""


def test_names_mtu_and_a_bridge_without_an_address(daemon: Any) -> None:
    network(daemon, bridge__name="br-named", driver__mtu="1300", container_iface_prefix="lan", bridge__inhibit_ipv4="true")
    run(daemon, "one")
    shown = daemon.says("exec", "one", "ip", "addr", "show", "lan0")
    assert "mtu 1300" in shown and "10.71.0.2/24" in shown
    bridge = subprocess.run([*daemon.inside, "ip", "addr", "show", "br-named"], capture_output=True, check=True).stdout
    assert b"mtu 1300" in bridge and b"10.71.0.1" not in bridge


def test_options_of_an_endpoint(daemon: Any) -> None:
    network(daemon)
    wanted = "name=n,driver-opt=com.docker.network.endpoint.ifname=lan9,driver-opt=" + (
        "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1"
    )
    daemon.says("run", "-d", "--name", "one", "--network", wanted, *SLEEP)
    assert "10.71.0.2/24" in daemon.says("exec", "one", "ip", "addr", "show", "lan9")
    assert daemon.says("exec", "one", "cat", "/proc/sys/net/ipv4/conf/lan9/log_martians") == "1"


def test_addresses_that_are_on_the_link_only(daemon: Any) -> None:
    network(daemon)
    run(daemon, "one", "--link-local-ip", "169.254.7.7")
    assert "169.254.7.7/16" in daemon.says("exec", "one", "ip", "addr", "show", "eth0")


def test_a_network_with_ipv6_only(daemon: Any) -> None:
    daemon.says("network", "create", "--ipv6", "-o", "com.docker.network.enable_ipv4=false", "n")
    run(daemon, "one")
    run(daemon, "two")
    shown = daemon.says("exec", "one", "ip", "addr", "show", "eth0")
    assert "inet6 fd" in shown and "inet " not in shown
    other = json.loads(daemon.says("inspect", "two"))[0]["NetworkSettings"]["Networks"]["n"]["GlobalIPv6Address"]
    assert daemon.docker("exec", "one", "ping", "-6", "-c1", "-w2", other).returncode == 0


COUNT = """
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(("br-told", 0)); s.settimeout(0.2)
print("ready", flush=True); deadline = time.monotonic() + 2.5; four = six = 0
while time.monotonic() < deadline:
    try: frame = s.recv(2000)
    except TimeoutError: continue
    four += frame[12:14] == b"\\x08\\x06" and frame[28:32] == frame[38:42]
    six += frame[12:14] == b"\\x86\\xdd" and frame[20] == 58 and frame[54] == 136 and frame[58] == 0x20
print(four, six)
"""


@pytest.mark.parametrize(("times", "four", "six"), [(0, 0, 0), (1, 1, 0), (3, 3, 2)])
def test_how_often_an_address_is_announced(daemon: Any, times: int, four: int, six: int) -> None:
    options = {"advertise_addr_nmsgs": str(times), "advertise_addr_ms": "150", "bridge__name": "br-told"}
    network(daemon, "--ipv6", "--subnet", "fd71::/64", **options)
    counter = subprocess.Popen([*daemon.inside, "python3", "-c", COUNT], stdout=subprocess.PIPE)
    assert counter.stdout and counter.stdout.readline() == b"ready\n"
    run(daemon, "one")
    seen = [int(text) for text in counter.communicate()[0].split()]
    assert seen[0] in (four, four - 1), "the kernel's own comes when the bridge's port may not forward yet"
    assert seen[1] == six
