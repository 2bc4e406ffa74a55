"""Where the demonstration's daemon has its network: the host's, or a namespace joined to it by a veth pair."""

import json
import os
import subprocess
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

DEFAULT = IPv4Network("172.17.0.0/16")
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE = "docker0"


def command(*words: str, text: str = "") -> str:
    """The output of a program that must succeed.

    Raises:
        RuntimeError: it did not; what it said.
    """
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def links() -> list[dict[str, Any]]:
    """The network interfaces here, as `ip -j link` lists them."""
    found: list[dict[str, Any]] = json.loads(command("ip", "-j", "-d", "link"))
    return found


def taken(subnet: IPv4Network) -> bool:
    """Whether a route or an address of this host lies in `subnet`, or it in one of theirs."""
    routes = [route["dst"] for route in json.loads(command("ip", "-j", "-4", "route", "show", "table", "all") or "[]")]
    networks = [IPv4Network(text, strict=False) for text in routes if text != "default"]
    return any(network.overlaps(subnet) for network in networks)


def is_free() -> bool:
    """Whether the daemon can have its usual bridge and subnet in the host's network."""
    return BRIDGE not in {link["ifname"] for link in links()} and not taken(DEFAULT)


class Host:
    """The host's own network. Published ports answer on 127.0.0.1."""

    words = "in the host's network"
    address = "127.0.0.1"
    inside: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._forward = FORWARD.read_text()

    def close(self, owner: str) -> None:
        """Take away the bridge that the daemon of data root `owner` made, and forwarding if it was off before."""
        for link in links():
            if link["ifname"] == BRIDGE and link.get("ifalias", "").endswith(f" {owner}"):
                command("ip", "link", "delete", BRIDGE)
        restore_forwarding(self._forward)


class Namespace:
    """A network namespace, a veth pair to it, and masquerading of what comes out of it.

    Attributes:
        address: where its published ports answer, seen from the host.
    """

    def __init__(self, token: str) -> None:
        self._name, self._link, self._table = token, f"{token[:13]}h", f"{token}_demo"
        self._forward = FORWARD.read_text()
        subnet = next(net for net in IPv4Network("10.231.0.0/16").subnets(new_prefix=30) if not taken(net))
        outside, self.address = map(str, subnet.hosts())
        self.words = f"in network namespace {token}: {BRIDGE} or {DEFAULT} is taken here"
        self.inside = ("nsenter", f"--net=/run/netns/{token}")
        try:
            self._make(str(subnet), outside)
        except BaseException:
            self.close("")
            raise

    def _make(self, subnet: str, outside: str) -> None:
        command("ip", "netns", "add", self._name)
        command("ip", "link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self._name)
        command("ip", "address", "add", f"{outside}/30", "dev", self._link)
        command("ip", "link", "set", self._link, "up")
        for words in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{self.address}/30", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("route", "add", "default", "via", outside),
        ):
            command(*self.inside, "ip", *words)
        chain = f"type nat hook postrouting priority srcnat; ip saddr {subnet} masquerade;"
        command("nft", "-f", "-", text=f"table ip {self._table} {{\nchain postrouting {{ {chain} }}\n}}\n")
        restore_forwarding("1\n")

    def close(self, owner: str) -> None:
        """Take it all away again, whatever of it was made."""
        quiet = {"check": False, "capture_output": True}
        subprocess.run(["ip", "link", "delete", self._link], **quiet)  # type: ignore[call-overload]
        subprocess.run(["ip", "netns", "delete", self._name], **quiet)  # type: ignore[call-overload]
        subprocess.run(["nft", "delete", "table", "ip", self._table], **quiet)  # type: ignore[call-overload]
        restore_forwarding(self._forward)


def restore_forwarding(value: str) -> None:
    """Make the host forward IPv4, or not, as it was."""
    if FORWARD.read_text() != value:
        FORWARD.write_text(value)


def choose(token: str, namespace: bool) -> Host | Namespace:
    """The host's network where it is free and nobody asks for another."""
    return Namespace(token) if namespace or not is_free() else Host()


def present(path: str) -> bool:
    """Whether something is at `path`, a dangling link included."""
    return os.path.lexists(path)
