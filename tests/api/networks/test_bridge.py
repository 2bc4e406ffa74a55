"""The default bridge with real packets: a host (the daemon's namespace), a neighbour behind a router, containers."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

TELL = "import socket; s=socket.create_server(('', 7000)); c, a = s.accept(); c.sendall(a[0].encode()); c.close()"
HOLD = "import socket, time; s=socket.create_server(('', 8085)); time.sleep(30)"
LOOK = "ip -4 addr show eth0; ip route; ping -c1 -w2 172.17.0.1; cat /etc/hosts"


def run(daemon: Any, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return daemon.docker("run", *arguments)


def inside(daemon: Any, *command: str) -> "subprocess.CompletedProcess[bytes]":
    """A command in the daemon's network namespace."""
    return subprocess.run([*daemon.inside, *command], capture_output=True, timeout=20, check=False)


def inspect(daemon: Any, name: str) -> dict[str, Any]:
    return json.loads(daemon.docker("inspect", name).stdout)[0]


@pytest.fixture(autouse=True)
def _clean(daemon: Any) -> Iterator[None]:
    yield
    for ident in daemon.docker("ps", "-aq").stdout.decode().split():
        daemon.docker("rm", "-f", ident)


def serve(daemon: Any, name: str, *options: str) -> None:
    """A container that answers each connection to port 80 with its name."""
    started = run(
        daemon, "-d", "--name", name, *options, "busybox", "sh", "-c", f"while true; do echo {name} | nc -l -p 80; done"
    )
    assert started.returncode == 0, started.stderr


def ask(daemon: Any, address: str, port: int, *, within: list[str] | None = None) -> bytes:
    """What a server says; "" if it does not answer. Tried for a moment: the server may not listen yet."""
    for _ in range(40):
        command = [*(daemon.inside if within is None else within), "busybox", "nc", "-w", "2", address, str(port)]
        done = subprocess.run(command, input=b"", capture_output=True, timeout=10, check=False)
        if done.stdout:
            return done.stdout
        time.sleep(0.05)
    return b""


def wait_for_listener(where: list[str], port: int) -> None:
    """Wait until something listens on a TCP port there."""
    deadline = time.monotonic() + 10
    while f":{port}".encode() not in subprocess.run([*where, "ss", "-Htln"], capture_output=True, check=True).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def neighbour(daemon: Any, neighbour_of: Any) -> list[str]:
    """A second host: 10.99.0.2 there, 10.99.0.1 here."""
    return neighbour_of(daemon, "10.99.0")


def test_a_container_has_an_address_a_gateway_and_a_neighbour(daemon: Any) -> None:
    serve(daemon, "web")
    run(daemon, "-d", "--name", "other", "busybox", "sleep", "60")
    address = inspect(daemon, "web")["NetworkSettings"]["IPAddress"]
    shown = run(
        daemon, "--rm", "busybox", "sh", "-c", "ip -4 addr show eth0; ip route; ping -c1 -w2 172.17.0.1; cat /etc/hosts"
    ).stdout
    assert b"inet 172.17.0." in shown
    assert b"default via 172.17.0.1 dev eth0" in shown
    assert b"1 packets received" in shown
    assert b"\tlocalhost\n" in shown
    assert ask(daemon, address, 80, within=["docker", "-H", daemon.host, "exec", "other"]) == b"web\n"


def test_published_ports_answer_everybody(daemon: Any, neighbour: list[str]) -> None:
    serve(daemon, "web", "-p", "8080:80")
    assert ask(daemon, "127.0.0.1", 8080) == b"web\n"
    assert ask(daemon, "::1", 8080) == b"web\n"
    assert ask(daemon, "172.17.0.1", 8080) == b"web\n"
    assert ask(daemon, "10.99.0.1", 8080, within=neighbour) == b"web\n"
    run(daemon, "-d", "--name", "other", "busybox", "sleep", "60")
    docker = ["docker", "-H", daemon.host, "exec"]
    assert ask(daemon, "172.17.0.1", 8080, within=[*docker, "other"]) == b"web\n"
    assert ask(daemon, "172.17.0.1", 8080, within=[*docker, "web"]) == b"web\n"
    assert daemon.docker("port", "web").stdout == b"80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n"
    assert b"0.0.0.0:8080->80/tcp, [::]:8080->80/tcp" in daemon.docker("ps").stdout


def test_the_server_sees_the_neighbours_own_address(daemon: Any, neighbour: list[str]) -> None:
    command = "nc -l -p 80 -e sh -c 'cat /proc/net/tcp /proc/net/tcp6 | grep :0050'"
    run(daemon, "-d", "--name", "who", "-p", "8081:80", "busybox", "sh", "-c", f"while true; do {command}; done")
    assert b"0200630A" in ask(daemon, "10.99.0.1", 8081, within=neighbour)


def test_udp_ports_answer(daemon: Any, neighbour: list[str]) -> None:
    run(daemon, "-d", "--name", "echo", "-p", "5300:53/udp", "busybox", "sleep", "60")
    key = inspect(daemon, "echo")["NetworkSettings"]["SandboxKey"]
    code = "import socket; s=socket.socket(2, 2); s.bind(('', 53))\nwhile True: data, who = s.recvfrom(99); s.sendto(data, who)"
    server = subprocess.Popen(["nsenter", f"--net={key}", "python3", "-c", code])
    try:
        for where, address in ((neighbour, "10.99.0.1"), (daemon.inside, "127.0.0.1"), (daemon.inside, "172.17.0.1")):
            assert ask_udp(where, address) == f"hello {address}\n".encode()
    finally:
        server.kill()
        server.wait()


def ask_udp(where: list[str], address: str) -> bytes:
    """What comes back from port 5300 of `address`, and from which address."""
    code = (
        "import socket, sys\ns = socket.socket(2, 2); s.settimeout(0.3)\n"
        "for _ in range(20):\n  s.sendto(b'hello', (sys.argv[1], 5300))\n"
        "  try: data, sender = s.recvfrom(99); print(data.decode(), sender[0]); break\n"
        "  except (TimeoutError, ConnectionRefusedError): pass"
    )
    return subprocess.run([*where, "python3", "-c", code, address], capture_output=True, timeout=20, check=False).stdout


def test_a_loopback_port_is_closed_to_the_neighbour(daemon: Any, neighbour: list[str]) -> None:
    serve(daemon, "web", "-p", "127.0.0.1:8082:80")
    assert ask(daemon, "127.0.0.1", 8082) == b"web\n"
    refused = subprocess.run(
        [*neighbour, "busybox", "nc", "-w", "1", "10.99.0.1", "8082"], input=b"", capture_output=True
    )
    assert refused.stdout == b""


def test_unpublished_ports_are_closed_to_the_neighbour(daemon: Any, neighbour: list[str]) -> None:
    serve(daemon, "web", "-p", "8083:80")
    address = inspect(daemon, "web")["NetworkSettings"]["IPAddress"]
    subprocess.run([*neighbour, "ip", "route", "add", "172.17.0.0/16", "via", "10.99.0.1"], check=True)
    direct = subprocess.run(
        [*neighbour, "busybox", "nc", "-w", "1", address, "80"], input=b"", capture_output=True, check=False
    )
    assert direct.stdout == b""
    assert ask(daemon, "10.99.0.1", 8083, within=neighbour) == b"web\n"


def test_what_leaves_is_masqueraded(daemon: Any, neighbour: list[str]) -> None:
    server = subprocess.Popen(
        [
            *neighbour,
            "python3",
            "-c",
            TELL,
        ]
    )
    try:
        wait_for_listener(neighbour, 7000)
        seen = run(daemon, "--rm", "busybox", "nc", "-w", "2", "10.99.0.2", "7000").stdout
        assert seen == b"10.99.0.1"
    finally:
        server.kill()
        server.wait()


def test_a_port_that_is_taken(daemon: Any) -> None:
    serve(daemon, "first", "-p", "8084:80")
    taken = run(daemon, "-d", "--name", "second", "-p", "8084:80", "busybox", "true")
    assert taken.returncode == 125
    assert b"driver failed programming external connectivity on endpoint second (" in taken.stderr
    assert b"Bind for 0.0.0.0:8084 failed: port is already allocated" in taken.stderr
    state = inspect(daemon, "second")["State"]
    assert (state["Status"], state["ExitCode"]) == ("created", 128)
    daemon.docker("rm", "-f", "first")
    assert daemon.docker("start", "second").returncode == 0


def test_a_port_of_another_program(daemon: Any) -> None:
    other = subprocess.Popen([*daemon.inside, "python3", "-c", HOLD])
    try:
        wait_for_listener(daemon.inside, 8085)
        taken = run(daemon, "-d", "-p", "8085:80", "busybox", "true")
        assert taken.returncode == 125
        assert b"failed to bind host port 0.0.0.0:8085/tcp: address already in use" in taken.stderr
    finally:
        other.kill()
        other.wait()
    assert inside(daemon, "nft", "list", "map", "ip", "dockwright", "published-anywhere").stdout.count(b"8085") == 0


def test_ports_are_gone_when_the_exit_is_answered(daemon: Any) -> None:
    serve(daemon, "web", "-p", "8086:80")
    assert daemon.docker("kill", "web").returncode == 0
    assert b"8086" not in inside(daemon, "nft", "list", "ruleset").stdout
    bind = inside(daemon, "python3", "-c", "import socket; socket.create_server(('', 8086))")
    assert bind.returncode == 0, bind.stderr
    assert inspect(daemon, "web")["NetworkSettings"]["Ports"] == {}
    assert daemon.docker("start", "web").returncode == 0
    assert ask(daemon, "127.0.0.1", 8086) == b"web\n"


def test_published_ports_survive_a_killed_daemon(daemon: Any, neighbour: list[str]) -> None:
    serve(daemon, "web", "-p", "8087:80")
    daemon.end(signal.SIGKILL)
    assert ask(daemon, "127.0.0.1", 8087) == b"web\n"
    assert ask(daemon, "10.99.0.1", 8087, within=neighbour) == b"web\n"
    daemon.start()
    assert ask(daemon, "127.0.0.1", 8087) == b"web\n"
    assert b"8087->80/tcp" in daemon.docker("ps").stdout
    first = inspect(daemon, "web")["NetworkSettings"]["IPAddress"]
    other = run(daemon, "--rm", "busybox", "hostname", "-i").stdout.decode().strip()
    assert other and other != first
    taken = run(daemon, "-d", "-p", "8087:80", "busybox", "true")
    assert b"port is already allocated" in taken.stderr


def test_a_flushed_firewall_is_repaired(daemon: Any, neighbour: list[str]) -> None:
    serve(daemon, "web", "-p", "8088:80")
    inside(daemon, "nft", "flush", "ruleset")
    for _ in range(50):
        if b"8088" in inside(daemon, "nft", "list", "ruleset").stdout:
            break
        time.sleep(0.1)
    assert ask(daemon, "10.99.0.1", 8088, within=neighbour) == b"web\n"


def test_a_forward_policy_of_drop_does_not_stop_us(daemon: Any, neighbour: list[str]) -> None:
    inside(daemon, "iptables", "-P", "FORWARD", "DROP")
    try:
        time.sleep(1)
        serve(daemon, "web", "-p", "8089:80")
        assert ask(daemon, "10.99.0.1", 8089, within=neighbour) == b"web\n"
        assert b"policy DROP" in inside(daemon, "iptables", "-L", "FORWARD").stdout
    finally:
        inside(daemon, "iptables", "-P", "FORWARD", "ACCEPT")


def test_host_and_none_and_a_joined_network(daemon: Any) -> None:
    host = run(daemon, "--rm", "--network", "host", "busybox", "ip", "-4", "addr", "show", "docker0").stdout
    assert b"172.17.0.1" in host
    none = run(daemon, "--rm", "--network", "none", "busybox", "ip", "addr").stdout
    assert b"eth0" not in none and b"127.0.0.1" in none
    serve(daemon, "web", "--hostname", "box")
    run(daemon, "-d", "--name", "joined", "--network", "container:web", "busybox", "sleep", "60")
    assert ask(daemon, "127.0.0.1", 80, within=["docker", "-H", daemon.host, "exec", "joined"]) == b"web\n"
    assert daemon.docker("exec", "joined", "cat", "/etc/hostname").stdout == b"box\n"
    assert daemon.docker("exec", "joined", "hostname").stdout == b"box\n"


def test_networks_are_listed_and_inspected(daemon: Any) -> None:
    listed = daemon.docker("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}").stdout
    assert sorted(listed.splitlines()) == [b"bridge bridge local", b"host host local", b"none null local"]
    serve(daemon, "web")
    document = json.loads(daemon.docker("network", "inspect", "bridge").stdout)[0]
    assert document["IPAM"]["Config"] == [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]
    assert [c["Name"] for c in document["Containers"].values()] == ["web"]
    missing = daemon.docker("network", "inspect", "nosuch")
    assert (missing.returncode, missing.stdout) == (1, b"[]\n")
    assert b"network nosuch not found" in missing.stderr


def test_names_and_servers_can_be_given(daemon: Any) -> None:
    shown = run(
        daemon, "--rm", "--add-host", "db:10.0.0.9", "--add-host", "me:host-gateway", "--dns", "9.9.9.9", "--dns-search", "lan",
        "--dns-option", "ndots:2", "--hostname", "box", "busybox", "sh", "-c", "cat /etc/hosts /etc/resolv.conf; hostname",
    ).stdout  # fmt: skip
    for line in (
        b"10.0.0.9\tdb\n",
        b"172.17.0.1\tme\n",
        b"\tbox\n",
        b"nameserver 9.9.9.9\n",
        b"search lan\n",
        b"options ndots:2\n",
    ):
        assert line in shown, line
    wrong = run(daemon, "--rm", "--add-host", "db:1.2.3", "busybox", "true")
    assert wrong.returncode == 125 and b'invalid IP address in add-host: "1.2.3"' in wrong.stderr


def test_the_namespace_key_can_be_entered(daemon: Any) -> None:
    serve(daemon, "web")
    key = inspect(daemon, "web")["NetworkSettings"]["SandboxKey"]
    shown = subprocess.run(
        ["nsenter", f"--net={key}", "ip", "-4", "addr", "show", "eth0"], capture_output=True, check=True
    )
    assert inspect(daemon, "web")["NetworkSettings"]["IPAddress"].encode() in shown.stdout
    daemon.docker("rm", "-f", "web")
    deadline = time.monotonic() + 5
    while os.path.lexists(key) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.lexists(key)


def test_links_and_addresses_do_not_leak(daemon: Any) -> None:
    for _ in range(12):
        done = run(daemon, "--rm", "-P", "--expose", "80", "busybox", "true")
        assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 5
    while b"veth" in inside(daemon, "ip", "-o", "link").stdout and time.monotonic() < deadline:
        time.sleep(0.1)
    assert b"veth" not in inside(daemon, "ip", "-o", "link").stdout
    assert run(daemon, "--rm", "busybox", "hostname", "-i").stdout == b"172.17.0.2\n"
