"""Beside a real dockerd in one network namespace: both publish ports, neither breaks the other (DECISIONS 4, 5)."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module", params=["nftables", "iptables"])
def both(request: Any, daemon_class: Any) -> Iterator[tuple[list[str], Any]]:
    """A docker command for a dockerd, and a daemon of ours that was started beside it in the same network namespace."""
    if not os.path.exists("/usr/sbin/dockerd"):
        report = pytest.fail if request.config.getoption("--require-peers") else pytest.skip
        report("needs a real dockerd")
    daemon = daemon_class("--firewall-backend", request.param)
    root = f"{daemon.root}/peer"
    os.mkdir(root)
    theirs = ["docker", "-H", f"unix://{root}/s"]
    options = ["--data-root", f"{root}/data", "--exec-root", f"{root}/exec", "--pidfile", f"{root}/pid"]
    off = "echo 0 > /proc/sys/net/ipv4/ip_forward"  # a new namespace has it from the host's; dockerd's policy depends on it
    subprocess.run([*daemon.inside, "sh", "-c", off], check=True)
    with open(f"{root}/log", "wb") as log:
        process = subprocess.Popen(
            [*daemon.inside, "/usr/sbin/dockerd", "-H", theirs[2], *options], stdout=log, stderr=log
        )
    deadline = time.monotonic() + 60
    while subprocess.run([*theirs, "version"], capture_output=True, check=False).returncode:
        assert process.poll() is None and time.monotonic() < deadline, Path(root, "log").read_text()
        time.sleep(0.1)
    subprocess.run([*theirs, "load"], input=daemon.archive(), capture_output=True, check=True)
    daemon.start()
    daemon.load()
    yield theirs, daemon
    idents = subprocess.run([*theirs, "ps", "-aq"], capture_output=True, check=True).stdout.decode().split()
    if idents:
        subprocess.run([*theirs, "rm", "-f", *idents], capture_output=True, check=True)
    process.terminate()
    process.wait(30)
    daemon.close()


@pytest.fixture
def neighbour(both: tuple[list[str], Any], neighbour_of: Any) -> list[str]:
    """A second host: 10.98.0.2 there, 10.98.0.1 here."""
    return neighbour_of(both[1], "10.98.0")


def serve(docker: list[str], name: str, port: str) -> None:
    loop = f"while true; do echo {name} | nc -l -p 80; done"
    started = subprocess.run(
        [*docker, "run", "-d", "--name", name, "-p", port, "busybox", "sh", "-c", loop], capture_output=True, check=False
    )
    assert started.returncode == 0, started.stderr


def ask(where: list[str], address: str, port: int) -> bytes:
    for _ in range(40):
        command = [*where, "busybox", "nc", "-w", "2", address, str(port)]
        done = subprocess.run(command, input=b"", capture_output=True, timeout=10, check=False)
        if done.stdout:
            return done.stdout
        time.sleep(0.05)
    return b""


def test_both_serve_and_the_bridges_differ(both: tuple[list[str], Any], neighbour: list[str]) -> None:
    theirs, daemon = both
    serve(theirs, "theirs", "7001:80")
    serve(["docker", "-H", daemon.host], "ours", "7002:80")
    bridge = json.loads(daemon.docker("network", "inspect", "bridge").stdout)[0]
    assert bridge["Options"]["com.docker.network.bridge.name"] == "dockwright0"
    assert bridge["IPAM"]["Config"][0]["Subnet"] != "172.17.0.0/16"
    for port, name in ((7001, b"theirs\n"), (7002, b"ours\n")):
        assert ask(daemon.inside, "127.0.0.1", port) == name
        assert ask(neighbour, "10.98.0.1", port) == name


def test_a_port_of_theirs_is_refused(both: tuple[list[str], Any]) -> None:
    theirs, daemon = both
    serve(theirs, "holder", "7003:80")
    taken = daemon.docker("run", "-d", "-p", "7003:80", "busybox", "true")
    assert b"failed to bind host port 0.0.0.0:7003/tcp: address already in use" in taken.stderr


def test_our_end_leaves_their_rules_alone(both: tuple[list[str], Any]) -> None:
    daemon = both[1]
    for ident in daemon.docker("ps", "-aq").stdout.decode().split():
        daemon.docker("rm", "-f", ident)
    before = subprocess.run([*daemon.inside, "iptables-save"], capture_output=True, check=True).stdout
    daemon.end()
    after = subprocess.run([*daemon.inside, "iptables-save"], capture_output=True, check=True).stdout
    daemon.start()
    assert b"DOCKWRIGHT" in before
    assert b"DOCKWRIGHT" not in after
    assert b"-j DOCKER" in after
