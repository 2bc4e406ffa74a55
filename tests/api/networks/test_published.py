"""Who reaches published ports: by each firewall driver, by each setting, by IPv6; and that rules are repaired and go."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WHO = "while true; do nc -l -p 80 -e sh -c 'cat /proc/net/tcp /proc/net/tcp6 | grep :0050'; done"
HOST_FIREWALL = """
table inet host { chain input { type filter hook input priority 0; policy drop;
  iif "lo" accept; ct state established,related accept; icmpv6 type { 133, 134, 135, 136 } accept; tcp dport 8091 accept; }; }
"""


def command_line(daemon: Any, *arguments: str) -> str:
    """What our own command line says."""
    command = [str(Path(sys.executable).with_name("dockwright")), "-H", daemon.host, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def inside(daemon: Any, *command: str) -> str:
    done = subprocess.run([*daemon.inside, *command], capture_output=True, timeout=20, check=False)
    return (done.stdout + done.stderr).decode()


def ask(where: list[str], address: str, port: int, tries: int = 30) -> bytes:
    """What a server says; "" if it does not answer."""
    for _ in range(tries):
        command = [*where, "busybox", "nc", "-w", "1", address, str(port)]
        if said := subprocess.run(command, input=b"", capture_output=True, timeout=10, check=False).stdout:
            return said
        time.sleep(0.05)
    return b""


def closed(where: list[str], address: str, port: int) -> bool:
    return ask(where, address, port, 1) == b""


@pytest.fixture
def started(daemon_class: Any) -> Iterator[Callable[..., Any]]:
    """Start a daemon with flags of its own."""
    made: list[Any] = []

    def start(*flags: str) -> Any:
        made.append(daemon_class(*flags))
        made[-1].start()
        made[-1].load()
        return made[-1]

    yield start
    for daemon in made:
        daemon.close()


def serve(daemon: Any, name: str, *options: str) -> None:
    daemon.says("run", "-d", "--name", name, *options, "busybox", "sh", "-c", WHO)


@contextmanager
def within(seconds: float) -> Iterator[Callable[[], bool]]:
    deadline = time.monotonic() + seconds
    yield lambda: time.monotonic() < deadline


def test_iptables_as_the_driver(started: Callable[..., Any], neighbour_of: Any) -> None:
    daemon = started("--firewall-backend", "iptables")
    other = neighbour_of(daemon, "10.99.0")
    assert "table ip dockwright" not in inside(daemon, "nft", "list", "ruleset")
    serve(daemon, "web", "-p", "8090:80")
    assert b"0200630A" in ask(other, "10.99.0.1", 8090)
    assert ask(daemon.inside, "127.0.0.1", 8090)
    inside(daemon, "iptables", "-F")
    inside(daemon, "iptables", "-t", "nat", "-F")
    with within(5) as more:
        while "8090" not in inside(daemon, "iptables-save") and more():
            time.sleep(0.1)
    assert b"0200630A" in ask(other, "10.99.0.1", 8090)
    rule = ("DOCKER-USER", "-m", "conntrack", "--ctorigdstport", "8090", "-j", "DROP")
    inside(daemon, "iptables", "-I", *rule)
    assert closed(other, "10.99.0.1", 8090)
    inside(daemon, "iptables", "-P", "FORWARD", "DROP")
    inside(daemon, "iptables", "-D", *rule)
    assert b"0200630A" in ask(other, "10.99.0.1", 8090)
    shown = command_line(daemon, "network", "map")
    assert shown.startswith("firewall: iptables; published ports: docker\n")
    saved = inside(daemon, "iptables-save").splitlines()
    drawn = [line.strip("│ ") for line in shown.splitlines() if "-A DOCKWRIGHT" in line]
    assert len(drawn) >= 4 and set(drawn) <= set(saved)  # each rule on the map is in the kernel
    daemon.says("rm", "-f", "web")
    assert "8090" not in inside(daemon, "iptables-save")
    daemon.end()
    assert "DOCK" not in inside(daemon, "iptables-save") + inside(daemon, "ip6tables-save")
    daemon.start()


def test_a_host_that_is_respected(started: Callable[..., Any], neighbour_of: Any) -> None:
    daemon = started("--published-ports", "respect-host")
    other = neighbour_of(daemon, "10.99.0")
    inside(daemon, "nft", HOST_FIREWALL)
    serve(daemon, "web", "-p", "8090:80", "-p", "8091:80")
    assert closed(other, "10.99.0.1", 8090)
    assert b"0200630A" in ask(other, "10.99.0.1", 8091)
    assert ask(daemon.inside, "127.0.0.1", 8090) and ask(daemon.inside, "10.99.0.1", 8090)
    inside(daemon, "ip", "rule", "flush")  # which somebody's network manager may do
    inside(daemon, "ip", "rule", "add", "priority", "32766", "lookup", "main")
    assert b"0200630A" in ask(other, "10.99.0.1", 8091)
    daemon.says("run", "-d", "--name", "asker", "busybox", "sleep", "100")
    assert ask(["docker", "-H", daemon.host, "exec", "asker"], "172.17.0.1", 8090)
    shown = command_line(daemon, "network", "map")
    assert "published ports: respect-host" in shown
    assert "whom the host's firewall lets in ──▶ container web: 0.0.0.0:8090 to 80/tcp" in shown
    assert "80/tcp (as the host's firewall allows)" in command_line(daemon, "ps")
    assert "as the host" not in daemon.says("ps")
    inside(daemon, "nft", "flush chain inet host input")
    assert closed(other, "10.99.0.1", 8091)
    inside(daemon, "nft", "delete table inet host")
    assert b"0200630A" in ask(other, "10.99.0.1", 8090)
    assert "0x2000" in inside(daemon, "ip", "rule")
    daemon.says("rm", "-f", "web", "asker")
    daemon.end()
    assert "0x2000" not in inside(daemon, "ip", "rule") + inside(daemon, "ip", "-6", "rule")
    assert "local" not in inside(daemon, "ip", "route", "show", "table", "8192")
    daemon.start()


def test_who_passes_by_the_hosts_firewall_is_told(started: Callable[..., Any]) -> None:
    daemon = started()
    create = ("create", "-p", "8093:80", "busybox")
    assert b"WARNING" not in daemon.docker(*create).stderr
    inside(daemon, "nft", HOST_FIREWALL)
    with within(5) as more:
        while b"although the host's firewall drops" not in daemon.docker(*create).stderr and more():
            time.sleep(0.1)
    assert b"although the host's firewall drops" in daemon.docker(*create).stderr
    assert b"WARNING" not in daemon.docker("create", "-p", "127.0.0.1:8093:80", "busybox").stderr
    assert b"WARNING" not in daemon.docker("create", "busybox").stderr


def test_ports_for_this_host_only(started: Callable[..., Any], neighbour_of: Any) -> None:
    daemon = started("--published-ports", "localhost")
    other = neighbour_of(daemon, "10.99.0")
    serve(daemon, "web", "-p", "8090:80", "-p", "0.0.0.0:8091:80")
    assert sorted(daemon.says("port", "web", "80").splitlines()) == ["0.0.0.0:8091", "127.0.0.1:8090", "[::1]:8090"]
    assert "127.0.0.1:8090->80/tcp" in daemon.says("ps")
    assert ask(daemon.inside, "127.0.0.1", 8090) and ask(daemon.inside, "::1", 8090)
    assert closed(other, "10.99.0.1", 8090)
    assert ask(other, "10.99.0.1", 8091)


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_without_a_proxy(started: Callable[..., Any], neighbour_of: Any, backend: str) -> None:
    daemon = started("--userland-proxy=false", "--firewall-backend", backend)
    other = neighbour_of(daemon, "10.99.0")
    serve(daemon, "web", "-p", "8090:80", "-p", "127.0.0.1:8091:80")
    assert daemon.says("port", "web", "80").splitlines() == ["0.0.0.0:8090", "127.0.0.1:8091"]  # [::] would not be served
    assert ask(daemon.inside, "127.0.0.1", 8090) and ask(daemon.inside, "127.0.0.1", 8091)
    assert b"0200630A" in ask(other, "10.99.0.1", 8090)
    listening = inside(daemon, "ss", "-Htln")
    assert "8090" not in listening  # held, and nobody listens: no proxy
    taken = inside(daemon, "python3", "-c", "import socket; socket.create_server(('', 8090))")
    assert "Address already in use" in taken
    daemon.says("network", "create", "front")
    serve(daemon, "two", "--network", "front", "-p", "8092:80")
    assert ask(daemon.inside, "127.0.0.1", 8092)
    assert "netd carries it" not in command_line(daemon, "network", "map")
    daemon.says("rm", "-f", "two", "web")
    daemon.says("network", "rm", "front")


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_ipv6_with_the_clients_own_address(started: Callable[..., Any], neighbour_of: Any, backend: str) -> None:
    daemon = started("--firewall-backend", backend)
    other = neighbour_of(daemon, "10.99.0")
    for where, address, device in ((daemon.inside, "fd99::1/64", "lan0"), (other, "fd99::2/64", "lan1")):
        subprocess.run([*where, "ip", "address", "add", address, "dev", device, "nodad"], check=True)
    daemon.says("network", "create", "--ipv6", "--subnet", "fd98::/64", "six")
    serve(daemon, "web", "--network", "six", "-p", "8090:80")
    assert b"000099FD000000000000000002000000" in ask(other, "fd99::1", 8090)
    assert b"0200630A" in ask(other, "10.99.0.1", 8090)
    assert ask(daemon.inside, "::1", 8090)
    assert json.loads(daemon.says("inspect", "-f", "{{json .NetworkSettings.Ports}}", "web"))["80/tcp"] == [
        {"HostIp": "0.0.0.0", "HostPort": "8090"}, {"HostIp": "::", "HostPort": "8090"}
    ]  # fmt: skip
    daemon.says("rm", "-f", "web")
    assert closed(other, "fd99::1", 8090)
    daemon.says("network", "rm", "six")


def test_no_program_of_the_host_is_needed(daemon_class: Any) -> None:
    """Neither ip nor nft nor iptables: the kernel is spoken to directly."""
    made = daemon_class()
    hide = 'mount -t tmpfs none /usr/sbin; mount --bind /dev/null "$(readlink -f "$(command -v ip)")"; exec "$@"'
    made.through = ["unshare", "-m", "sh", "-c", hide, "sh"]
    made.start()
    try:
        made.load()
        made.says("network", "create", "--ipv6", "front")
        serve(made, "web", "--network", "front", "-p", "8090:80")
        assert ask(made.inside, "127.0.0.1", 8090)
        made.says("run", "--rm", "--network", "front", "busybox", "ping", "-c", "1", "web")
        made.says("network", "disconnect", "front", "web")
        made.says("rm", "-f", "web")
        made.says("network", "rm", "front")
        assert "level=error" not in Path(f"{made.root}/log").read_text()
    finally:
        made.close()


def test_without_a_firewall_program(started: Callable[..., Any], daemon_class: Any) -> None:
    """A driver that this host lacks: the daemon says what is missing, and does not start half."""
    made = daemon_class("--firewall-backend", "iptables")
    hide = 'mount -t tmpfs none /usr/sbin && exec "$@"'
    made.through = ["unshare", "-m", "sh", "-c", hide, "sh"]
    with pytest.raises(AssertionError, match="firewall: iptables: iptables-save is not installed"):
        made.start()
    subprocess.run(["ip", "netns", "delete", made.netns], check=True)
    shutil.rmtree(made.root)
