"""Names on the user's networks, asked by real containers; and what the resolver does while the daemon is away."""

import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

SLEEP = ("busybox", "sleep", "300")


def run(daemon: Any, name: str, *options: str) -> None:
    daemon.says("run", "-d", "--name", name, *options, *SLEEP)


def lookup(daemon: Any, container: str, name: str, *options: str) -> list[str]:
    """The addresses a container finds for a name, sorted; or the words of the refusal."""
    shown = daemon.docker("exec", container, "nslookup", *options, name).stdout.decode()
    found = [line.partition(": ")[2] for line in shown.splitlines()[2:] if line.startswith("Address")]
    if found:
        return sorted(found)
    return sorted({word for word in ("NXDOMAIN", "SERVFAIL", "name = ") if word in shown})


def address(daemon: Any, container: str, network: str) -> str:
    found = json.loads(daemon.says("inspect", container))[0]["NetworkSettings"]["Networks"][network]
    return str(found["IPAddress"])


def file(daemon: Any, container: str, path: str) -> list[str]:
    return daemon.says("exec", container, "cat", path).splitlines()


@pytest.fixture(autouse=True)
def _clean(daemon: Any) -> Iterator[None]:
    yield
    for ident in daemon.says("ps", "-aq").split():
        daemon.docker("rm", "-f", ident)
    daemon.says("network", "prune", "-f")


@pytest.fixture
def netd(daemon: Any) -> Callable[[], int]:
    """The pid of the daemon's netd."""

    def find() -> int:
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as command:
                    if f"{daemon.root}/exec/netd/s".encode() in command.read():
                        return int(pid)
            except FileNotFoundError:
                continue
        raise AssertionError("no netd")

    return find


def test_names_short_ids_aliases_and_hostnames(daemon: Any) -> None:
    daemon.says("network", "create", "front")
    run(daemon, "web", "--network", "front", "--network-alias", "www", "--hostname", "hoster")
    run(daemon, "asker", "--network", "front", "--network-alias", "www")
    web, asker = address(daemon, "web", "front"), address(daemon, "asker", "front")
    ident = daemon.says("inspect", "-f", "{{.Id}}", "web")[:12]
    for name in ("web", "WEB", "web.front", ident, "hoster", "hoster.front"):
        assert lookup(daemon, "asker", name) == [web], name
    assert lookup(daemon, "asker", "www") == sorted([web, asker])
    assert daemon.says("exec", "asker", "ping", "-c1", "-W2", "web")
    pointer = daemon.docker("exec", "asker", "nslookup", web).stdout.decode()
    assert "name = web.front" in pointer
    daemon.says("rm", "-f", "web")
    assert lookup(daemon, "asker", "www") == [asker]
    assert lookup(daemon, "asker", "web") != [web]


def test_a_container_is_known_before_its_program_runs(daemon: Any) -> None:
    daemon.says("network", "create", "front")
    for number in range(5):
        name = f"self{number}"
        found = daemon.says("run", "--rm", "--name", name, "--network", "front", "busybox", "nslookup", f"{name}.front")
        assert "Address: 172." in found


def test_links_are_private_and_may_come_first(daemon: Any) -> None:
    daemon.says("network", "create", "front")
    run(daemon, "asker")
    daemon.says("network", "connect", "--link", "later:db", "front", "asker")
    run(daemon, "other", "--network", "front")
    run(daemon, "later", "--network", "front")
    assert lookup(daemon, "asker", "db") == [address(daemon, "later", "front")]
    assert lookup(daemon, "other", "db") != [address(daemon, "later", "front")]


def test_names_by_network(daemon: Any) -> None:
    for network in ("front", "back"):
        daemon.says("network", "create", network)
    run(daemon, "web", "--network", "front")
    run(daemon, "asker", "--network", "back")
    assert lookup(daemon, "asker", "web.front") != [address(daemon, "web", "front")]
    daemon.says("network", "connect", "--alias", "both", "front", "asker")
    assert lookup(daemon, "asker", "web.front") == [address(daemon, "web", "front")]
    assert lookup(daemon, "web", "both") == [address(daemon, "asker", "front")]
    assert lookup(daemon, "asker", "asker.back") == [address(daemon, "asker", "back")]
    hosts = file(daemon, "asker", "/etc/hosts")
    assert sum(line.startswith("172.") for line in hosts) == 2
    daemon.says("network", "disconnect", "front", "asker")
    assert lookup(daemon, "asker", "web") != [address(daemon, "web", "front")]
    assert sum(line.startswith("172.") for line in file(daemon, "asker", "/etc/hosts")) == 1


def test_the_host_has_a_name_on_each_network(daemon: Any) -> None:
    daemon.says("network", "create", "--subnet", "10.77.0.0/24", "front")
    run(daemon, "asker", "--network", "front", "--add-host", "me:host-gateway")
    assert lookup(daemon, "asker", "host.docker.internal") == ["10.77.0.1"]
    assert "10.77.0.1\tme" in file(daemon, "asker", "/etc/hosts")


def test_a_container_of_the_default_bridge_gets_the_resolver_when_it_joins(daemon: Any) -> None:
    daemon.says("network", "create", "front")
    run(daemon, "web", "--network", "front")
    run(daemon, "plain")
    assert "nameserver 127.0.0.11" not in file(daemon, "plain", "/etc/resolv.conf")
    daemon.says("network", "connect", "front", "plain")
    assert "nameserver 127.0.0.11" in file(daemon, "plain", "/etc/resolv.conf")
    assert lookup(daemon, "plain", "web") == [address(daemon, "web", "front")]
    daemon.says("network", "disconnect", "front", "plain")
    assert lookup(daemon, "plain", "web") == ["SERVFAIL"]
    run(daemon, "edited")
    daemon.says("exec", "edited", "sh", "-c", "echo '# mine' >> /etc/resolv.conf")
    daemon.says("network", "connect", "front", "edited")
    assert file(daemon, "edited", "/etc/resolv.conf")[-1] == "# mine"


def test_resolv_conf_is_dockers(daemon: Any) -> None:
    daemon.says("network", "create", "front")
    given = ("--dns", "9.9.9.9", "--dns-search", "lan", "--dns-option", "ndots:2", "--dns-option", "timeout:3")
    shown = daemon.says("run", "--rm", "--network", "front", *given, "busybox", "cat", "/etc/resolv.conf")
    assert shown.splitlines()[4:] == [
        "nameserver 127.0.0.11", "search lan", "options ndots:2 timeout:3", "",
        "# Based on host file: '/etc/resolv.conf' (internal resolver)", "# ExtServers: [9.9.9.9]",
        "# Overrides: [nameservers search options]", "# Option ndots from: override",
    ]  # fmt: skip
    plain = daemon.says("run", "--rm", "--network", "front", "--dns-search", ".", "busybox", "cat", "/etc/resolv.conf")
    assert "options ndots:0\n" in plain and "search" not in plain.partition("# Based")[0]
    assert plain.endswith("# Overrides: [search]\n# Option ndots from: internal")


def test_ndots_keeps_single_labels_here(daemon: Any) -> None:
    daemon.says("network", "create", "front")
    run(daemon, "dots", "--network", "front", "--dns-option", "ndots:1")
    shown = daemon.docker("exec", "dots", "nslookup", "nobody").stdout.decode()
    assert "NXDOMAIN" not in shown and "SERVFAIL" not in shown


def test_names_work_while_the_daemon_is_away(daemon: Any, netd: Callable[[], int]) -> None:
    daemon.says("network", "create", "front")
    run(daemon, "web", "--network", "front")
    run(daemon, "asker", "--network", "front")
    web = address(daemon, "web", "front")
    pid = json.loads(daemon.says("inspect", "asker"))[0]["State"]["Pid"]
    ask = ["nsenter", "-t", str(pid), "-n", "-m", "/bin/busybox", "nslookup", "web", "127.0.0.11"]
    daemon.end(signal.SIGKILL)
    assert web.encode() in subprocess.run(ask, capture_output=True, timeout=20, check=False).stdout
    first = netd()
    daemon.start()
    assert netd() == first
    assert lookup(daemon, "asker", "web") == [web]
    run(daemon, "more", "--network", "front")
    assert lookup(daemon, "more", "web") == [web]
    assert lookup(daemon, "web", "more") == [address(daemon, "more", "front")]


def test_a_killed_netd_is_replaced(daemon: Any, netd: Callable[[], int]) -> None:
    daemon.says("network", "create", "front")
    run(daemon, "web", "--network", "front", "-p", "8077:80")
    run(daemon, "asker", "--network", "front")
    web = address(daemon, "web", "front")
    for _ in range(3):
        os.kill(netd(), signal.SIGKILL)
        deadline = time.monotonic() + 10
        while lookup(daemon, "asker", "web") != [web]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    daemon.says("rm", "-f", "web")
    run(daemon, "web", "--network", "front", "-p", "8077:80")
    daemon.end(signal.SIGKILL)
    os.kill(netd(), signal.SIGKILL)
    daemon.start()
    assert lookup(daemon, "asker", "web") == [address(daemon, "web", "front")]


def test_an_answer_is_explained(daemon: Any, dockwright: Callable[..., Any]) -> None:
    assert "nobody would ask" in dockwright("network", "dns", "web").stderr
    daemon.says("network", "create", "front")
    run(daemon, "web", "--network", "front")
    shown = dockwright("network", "dns", "web")
    found = address(daemon, "web", "front")
    assert shown.stdout == f"web on front: NOERROR\n  web.  600  A  {found}\n  (a name on network front)\n", shown.stderr
    backwards = ".".join(reversed(found.split(".")))
    shown = dockwright("network", "dns", "--container", "web", "-t", "PTR", f"{backwards}.in-addr.arpa")
    assert "PTR  web.front." in shown.stdout and "(an address on network front)" in shown.stdout
    shown = dockwright("network", "dns", "example.org")
    assert "SERVFAIL" in shown.stdout and "asked from the host" in shown.stdout
    assert "unknown record type" in dockwright("network", "dns", "-t", "zz", "web").stderr
    assert "No such container: nope" in dockwright("network", "dns", "--container", "nope", "web").stderr
    run(daemon, "plain")
    assert "is on no user-defined network" in dockwright("network", "dns", "--container", "plain", "web").stderr


def test_a_renamed_container_is_found_by_its_new_name(daemon: Any) -> None:
    daemon.says("network", "create", "front")
    run(daemon, "old", "--network", "front")
    run(daemon, "asker", "--network", "front")
    daemon.says("rename", "old", "new")
    assert lookup(daemon, "asker", "new") == [address(daemon, "new", "front")]
    assert lookup(daemon, "asker", "old") != [address(daemon, "new", "front")]


def test_nothing_holds_a_namespace_when_its_container_has_ended(daemon: Any, netd: Callable[[], int]) -> None:
    daemon.says("network", "create", "front")
    run(daemon, "stays", "--network", "front")
    before = len(os.listdir(f"/proc/{netd()}/fd"))
    for number in range(6):
        daemon.says("run", "--rm", "--network", "front", "--name", f"gone{number}", "busybox", "true")
    assert len(os.listdir(f"/proc/{netd()}/fd")) == before


class Server(threading.Thread):
    """A name server on the host (the daemon's namespace) that gives one address for everything, and counts."""

    def __init__(self, daemon: Any, address: str, gives: str) -> None:
        super().__init__(daemon=True)
        self.seen = 0
        self.gives = gives
        code = (
            "import socket, sys, array\n"
            "s = socket.socket(2, 2); s.bind((sys.argv[1], 53))\n"
            "link = socket.socket(fileno=int(sys.argv[2]))\n"
            "socket.send_fds(link, [b'x'], [s.fileno()])\n"
        )
        here, there = socket.socketpair()
        subprocess.run(
            [*daemon.inside, "python3", "-c", code, address, str(there.fileno())], pass_fds=[there.fileno()], check=True
        )
        _, [fd], _, _ = socket.recv_fds(here, 1, 1)
        self.sock = socket.socket(fileno=fd)
        here.close()
        there.close()
        self.start()

    def run(self) -> None:
        while True:
            data, client = self.sock.recvfrom(4096)
            if not data:
                return
            self.seen += 1
            kind = struct.unpack(">H", data[-4:-2])[0]
            record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(self.gives) if kind == 1 else b""
            head = data[:2] + b"\x81\x80\0\1" + (b"\0\1" if record else b"\0\0") + bytes(4)
            self.sock.sendto(head + data[12:] + record, client)

    def close(self) -> None:
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # not connected: it wakes the thread all the same
            pass
        self.join(5)
        self.sock.close()


@pytest.fixture
def own(daemon_class: Any, tmp_path: Any) -> Iterator[Any]:
    """A daemon whose host has a resolv.conf of the test's own."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.53\nsearch example\n")
    made = daemon_class()
    see = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    made.through = ["unshare", "-m", "sh", "-c", see, str(conf)]
    made.conf = conf
    made.start()
    made.load()
    yield made
    made.close()


def test_the_hosts_own_resolver_is_asked_and_followed(own: Any) -> None:
    first, second = Server(own, "127.0.0.53", "1.1.1.1"), Server(own, "127.0.0.54", "2.2.2.2")
    own.says("network", "create", "front")
    own.says("network", "create", "--internal", "in")
    run(own, "asker", "--network", "front")
    assert "search example" in file(own, "asker", "/etc/resolv.conf")
    assert "# ExtServers: [host(127.0.0.53)]" in file(own, "asker", "/etc/resolv.conf")
    assert lookup(own, "asker", "a.example.org", "-type=a") == ["1.1.1.1"]
    own.conf.write_text("nameserver 127.0.0.54\n")
    time.sleep(1.1)
    assert lookup(own, "asker", "a.example.org", "-type=a") == ["2.2.2.2"]
    run(own, "inner", "--network", "in")
    seen = first.seen + second.seen
    assert lookup(own, "inner", "a.example.org", "-type=a") == ["SERVFAIL"]
    assert first.seen + second.seen == seen
    own.says("network", "connect", "front", "inner")
    assert lookup(own, "inner", "a.example.org", "-type=a") == ["2.2.2.2"]
    for server in (first, second):
        server.close()


def test_a_restart_takes_what_the_hosts_file_says_now(own: Any) -> None:
    """Servers are followed at once, search and options at the next start, by whoever has not edited the file: as with Docker."""
    own.says("network", "create", "front")
    for name, network in (("asker", "front"), ("plain", "bridge"), ("edited", "front")):
        run(own, name, "--network", network)
        assert "search example" in file(own, name, "/etc/resolv.conf")
    run(own, "fixed", "--network", "front", "--dns-search", "mine.test", "--dns-option", "timeout:9")
    own.says("exec", "edited", "sh", "-c", "echo '# mine' >> /etc/resolv.conf")
    own.conf.write_text("nameserver 192.0.2.1\nsearch other.test\noptions timeout:7\n")
    assert "search example" in file(own, "asker", "/etc/resolv.conf")
    own.says("restart", "-t", "0", "asker", "plain", "edited", "fixed")
    for name in ("asker", "plain"):
        lines = file(own, name, "/etc/resolv.conf")
        assert "search other.test" in lines and any(line.startswith("options timeout:7") for line in lines)
    assert "nameserver 192.0.2.1" in file(own, "plain", "/etc/resolv.conf")
    assert {"search example", "# mine"} <= set(file(own, "edited", "/etc/resolv.conf"))
    assert "search mine.test" in file(own, "fixed", "/etc/resolv.conf")
    assert "options timeout:9 ndots:0" in file(own, "fixed", "/etc/resolv.conf")
