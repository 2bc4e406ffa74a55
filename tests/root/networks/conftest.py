"""A host with two bridges, containers on them and a neighbour: network namespaces, and the firewall's drivers in the host's."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dockwright.kernel.process import CLONE_NEWNET, setns
from dockwright.networks.firewall.iptables_driver import IptablesDriver
from dockwright.networks.firewall.model import FOUR, SIX, Driver
from dockwright.networks.firewall.nft import NftDriver

LEGACY = {FOUR: "iptables-legacy", SIX: "ip6tables-legacy"}
DRIVERS: dict[str, Callable[[], Driver]] = {
    "nftables": lambda: NftDriver("dockwright"),
    "iptables-nft": IptablesDriver,
    "iptables-legacy": lambda: IptablesDriver(LEGACY),
}


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


class Topology:
    """`host` has bridges br-a, br-b, br-c and a link to `lan`; a1 and a2 are on br-a, b1 on br-b, c1 and c2 on br-c."""

    PLACES = {
        "a1": ("br-a", 1, 2),
        "a2": ("br-a", 1, 3),
        "b1": ("br-b", 2, 2),
        "c1": ("br-c", 3, 2),
        "c2": ("br-c", 3, 3),
    }

    def __init__(self) -> None:
        self.prefix = f"dwn{os.getpid()}"
        self.servers: list[subprocess.Popen[bytes]] = []
        for name in ("host", "lan", *self.PLACES):
            run("ip", "netns", "add", self.ns(name))
            run(*self.at(name), "ip", "link", "set", "lo", "up")
            self.sysctl(name, "net/ipv6/conf/all/accept_dad", "0")
            self.sysctl(name, "net/ipv6/conf/default/accept_dad", "0")
        for number, bridge in enumerate(("br-a", "br-b", "br-c"), 1):
            run(*self.at("host"), "ip", "link", "add", bridge, "type", "bridge")
            self._address("host", bridge, number, 1)
        for name, (bridge, net, last) in self.PLACES.items():
            self._veth(name, f"v-{name}", "eth0", ["master", bridge])
            self._address(name, "eth0", net, last)
            self._routes(name, net)
            run(*self.at("host"), "bridge", "link", "set", "dev", f"v-{name}", "hairpin", "on")
        self._veth("lan", "up0", "eth0", [])
        self._address("host", "up0", 9, 1)
        self._address("lan", "eth0", 9, 2)
        for key in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/bridge/bridge-nf-call-iptables"):
            self.sysctl("host", key, "1")
        self.sysctl("host", "net/bridge/bridge-nf-call-ip6tables", "1")

    def ns(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def at(self, name: str) -> list[str]:
        """What starts a command there."""
        return ["nsenter", f"--net=/run/netns/{self.ns(name)}"]

    def sysctl(self, name: str, key: str, value: str) -> None:
        run(*self.at(name), "sh", "-c", f"echo {value} > /proc/sys/{key}")

    def _veth(self, name: str, here: str, there: str, more: list[str]) -> None:
        run(*self.at("host"), "ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", self.ns(name))
        if more:
            run(*self.at("host"), "ip", "link", "set", here, *more)
        run(*self.at("host"), "ip", "link", "set", here, "up")

    def _address(self, name: str, device: str, net: int, last: int) -> None:
        run(*self.at(name), "ip", "address", "add", f"10.10.{net}.{last}/24", "dev", device)
        run(*self.at(name), "ip", "address", "add", f"fd10:{net}::{last}/64", "dev", device, "nodad")
        run(*self.at(name), "ip", "link", "set", device, "up")

    def _routes(self, name: str, net: int) -> None:
        run(*self.at(name), "ip", "route", "add", "default", "via", f"10.10.{net}.1")
        run(*self.at(name), "ip", "-6", "route", "add", "default", "via", f"fd10:{net}::1")

    def serve(self, name: str, port: int, kind: str = "tcp") -> None:
        """Answer each question to a port with the asker's address."""
        code = (
            "import socket, sys\nport = int(sys.argv[1])\n"
            "if sys.argv[2] == 'udp':\n"
            "  s = socket.socket(10, 2); s.bind(('::', port)); print('up', flush=True)\n"
            "  while True: d, w = s.recvfrom(99); s.sendto(w[0].removeprefix('::ffff:').encode(), w)\n"
            "s = socket.create_server(('', port), family=10, dualstack_ipv6=True); print('up', flush=True)\n"
            "while True: c, w = s.accept(); c.sendall(w[0].removeprefix('::ffff:').encode()); c.close()\n"
        )
        command = [*self.at(name), "python3", "-c", code, str(port), kind]
        server = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert server.stdout and server.stdout.readline() == b"up\n"
        self.servers.append(server)

    def ask(self, name: str, address: str, port: int, kind: str = "tcp") -> str:
        """As whom a server sees `name`; "" if it does not answer."""
        code = (
            "import socket, sys\na, p, k = sys.argv[1], int(sys.argv[2]), sys.argv[3]\n"
            "s = socket.socket(10 if ':' in a else 2, 1 if k == 'tcp' else 2); s.settimeout(0.7)\n"
            "try:\n  s.connect((a, p)); k == 'udp' and s.send(b'x'); print(s.recv(99).decode())\n"
            "except OSError: pass\n"
        )
        return run(*self.at(name), "python3", "-c", code, address, str(port), kind).strip()

    def close(self) -> None:
        for server in self.servers:
            server.kill()
            server.wait()
            assert server.stdout
            server.stdout.close()
        for name in ("host", "lan", *self.PLACES):
            run("ip", "netns", "delete", self.ns(name))


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    made = Topology()
    for name in ("a1", "b1", "c2"):
        made.serve(name, 80)
    made.serve("a1", 53, "udp")
    made.serve("lan", 7000)
    yield made
    made.close()


@pytest.fixture(params=DRIVERS)
def driver(request: Any, topology: Topology, peer: Callable[[str], str]) -> Iterator[Driver]:
    """Each driver in turn, in the host's namespace (the thread's); nothing of it is left afterwards."""
    if request.param == "iptables-legacy":
        peer("iptables-legacy")
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{topology.ns('host')}", os.O_RDONLY)
    setns(there, CLONE_NEWNET)
    before = rules(topology)
    try:
        made = DRIVERS[request.param]()
        yield made
        made.clear()
        assert rules(topology) == before
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)


def rules(topology: Topology) -> str:
    """All that the host's firewalls have, without empty tables and counters."""
    found = [run("nft", "list", "ruleset")]
    found += [run(f"{program}-legacy-save") for program in ("iptables", "ip6tables")]
    kept = [line for text in found for line in text.splitlines() if "DOCK" in line or "dockwright" in line]
    return "\n".join(kept)


@pytest.fixture(autouse=True)
def _settled(topology: Topology) -> None:
    """What an earlier test has left in the connection table is not seen."""
    time.sleep(0)
