"""Compose files with several networks and replicas, by the real docker compose (scripts/peers unpacks it)."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PEER = Path(__file__).parents[3] / ".venv/peers/usr/libexec/docker/cli-plugins/docker-compose"
PLACES = (str(PEER), "/usr/libexec/docker/cli-plugins/docker-compose", "/usr/local/lib/docker/cli-plugins/docker-compose")
SHOP = """
services:
  web:
    image: busybox
    command: ["sh", "-c", "while true; do echo web | nc -l -p 80; done"]
    networks: [front, back]
    ports: ["8070:80"]
    depends_on: [api]
  api:
    image: busybox
    command: ["sh", "-c", "while true; do hostname | nc -l -p 80; done"]
    deploy: {replicas: 3}
    networks:
      back: {aliases: [service]}
  db:
    image: busybox
    command: ["sleep", "1000"]
    mac_address: 02:42:00:00:00:66
    networks:
      data: {ipv4_address: 10.66.0.9, link_local_ips: [169.254.9.9]}
networks:
  front: {}
  back: {internal: true}
  data:
    driver_opts: {com.docker.network.driver.mtu: "1400"}
    labels: {kept: "yes"}
    ipam: {config: [{subnet: 10.66.0.0/24, ip_range: 10.66.0.128/25, aux_addresses: {router: 10.66.0.2}}]}
"""
SIX = """
services:
  one: {image: busybox, command: ["sleep", "1000"]}
  two: {image: busybox, command: ["sleep", "1000"]}
networks:
  default: {enable_ipv6: true, ipam: {config: [{subnet: "fd66::/64"}]}}
"""
MODES = """
services:
  one: {image: busybox, command: ["sleep", "1000"], networks: [own]}
  two: {image: busybox, command: ["sleep", "1000"], network_mode: "service:one"}
  three: {image: busybox, command: ["sleep", "1000"], network_mode: none}
  four: {image: busybox, command: ["sleep", "1000"], network_mode: host}
  five: {image: busybox, command: ["sleep", "1000"], links: ["one:first"], networks: [own]}
networks:
  own: {name: "named network"}
"""

Compose = Callable[..., str]


@pytest.fixture
def compose(daemon: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Compose]]:
    """Write a compose file; the answer runs docker compose with it, and says what it has said."""
    program = next((place for place in PLACES if os.access(place, os.X_OK)), "")
    if not program:
        report = pytest.fail if request.config.getoption("--require-peers") else pytest.skip
        report("needs docker compose")
    file = tmp_path / "compose.yaml"

    def run(*arguments: str) -> str:
        command = [program, "-p", "shop", "-f", str(file), *arguments]
        done = subprocess.run(
            command, env={**os.environ, "DOCKER_HOST": daemon.host}, capture_output=True, timeout=110, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def write(text: str) -> Compose:
        file.write_text(text)
        return run

    yield write
    run("down", "-t", "0", "--remove-orphans")
    listed = daemon.docker("network", "ls", "-q", "-f", "type=custom").stdout
    assert (listed, daemon.docker("ps", "-aq").stdout) == (b"", b"")


def networks(daemon: Any, name: str) -> dict[str, Any]:
    found = json.loads(daemon.docker("inspect", name).stdout)[0]
    return dict(found["NetworkSettings"]["Networks"])


def test_several_networks_and_replicas(daemon: Any, compose: Callable[[str], Compose]) -> None:
    run = compose(SHOP)
    run("up", "-d", "--pull", "never")
    assert set(networks(daemon, "shop-web-1")) == {"shop_front", "shop_back"}
    replicas = {networks(daemon, f"shop-api-{n}")["shop_back"]["IPAddress"] for n in (1, 2, 3)}
    answer = run("exec", "-T", "web", "nslookup", "service")
    assert {line.split()[-1] for line in answer.splitlines() if line.startswith("Address: ")} == replicas
    assert run("exec", "-T", "web", "nc", "api", "80").strip() in {
        json.loads(daemon.docker("inspect", f"shop-api-{n}").stdout)[0]["Config"]["Hostname"] for n in (1, 2, 3)
    }
    away = daemon.docker("exec", "shop-api-1", "ping", "-c1", "-w1", networks(daemon, "shop-web-1")["shop_front"]["IPAddress"])
    assert away.returncode != 0
    assert run("port", "web", "80").strip() == "0.0.0.0:8070"
    run("up", "-d", "--pull", "never", "--scale", "api=5")
    assert len(run("ps", "-q", "api").split()) == 5


def test_addresses_as_the_file_says(daemon: Any, compose: Callable[[str], Compose]) -> None:
    run = compose(SHOP)
    run("up", "-d", "--pull", "never", "db")
    found = networks(daemon, "shop-db-1")["shop_data"]
    assert (found["IPAddress"], found["MacAddress"]) == ("10.66.0.9", "02:42:00:00:00:66")
    shown = run("exec", "-T", "db", "ip", "addr", "show", "eth0")
    assert all(text in shown for text in ("10.66.0.9/24", "169.254.9.9/16", "mtu 1400", "02:42:00:00:00:66"))
    network = json.loads(daemon.docker("network", "inspect", "shop_data").stdout)[0]
    assert network["Labels"]["kept"] == "yes"
    assert network["IPAM"]["Config"] == [
        {"Subnet": "10.66.0.0/24", "IPRange": "10.66.0.128/25", "AuxiliaryAddresses": {"router": "10.66.0.2"}}
    ]


def test_ipv6(daemon: Any, compose: Callable[[str], Compose]) -> None:
    run = compose(SIX)
    run("up", "-d", "--pull", "never")
    assert networks(daemon, "shop-one-1")["shop_default"]["GlobalIPv6Address"].startswith("fd66::")
    run("exec", "-T", "one", "ping", "-6", "-c1", "-w2", "two")


def test_network_modes_and_links(daemon: Any, compose: Callable[[str], Compose]) -> None:
    run = compose(MODES)
    run("up", "-d", "--pull", "never")
    own = networks(daemon, "shop-one-1")["named network"]["IPAddress"]
    assert own in run("exec", "-T", "two", "ip", "addr")
    assert "eth0" not in run("exec", "-T", "three", "ip", "addr")
    assert "docker0" in run("exec", "-T", "four", "ip", "addr")
    run("exec", "-T", "five", "ping", "-c1", "-w2", "first")


def test_up_and_down_again_and_again(daemon: Any, compose: Callable[[str], Compose]) -> None:
    run = compose(SHOP)
    for _ in range(5):
        run("up", "-d", "--pull", "never")
        run("down", "-t", "0")
        assert daemon.docker("network", "ls", "-q", "-f", "type=custom").stdout == b""
