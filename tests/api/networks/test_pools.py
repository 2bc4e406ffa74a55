"""Which subnets networks get: pools, the host's routes, exhausted pools; and the MTU of the host's way out."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

SLEEP = ("busybox", "sleep", "300")


@pytest.fixture(scope="module")
def small() -> Iterator[Any]:
    """A daemon with pools for the default bridge and four networks, on a host with a VPN of MTU 1380."""
    from tests.api.conftest import Daemon, images

    pools = [f"--default-address-pool=base={base},size={size}" for base, size in (("10.40.0.0/22", 24), ("10.41.0.0/24", 24))]
    daemon = Daemon(*pools, "--default-address-pool=base=fd40::/62,size=64")
    for command in (
        "ip link add tun9 type veth peer name far", "ip link set tun9 mtu 1380", "ip link set tun9 up", "ip link set far up",
        "ip addr add 10.99.0.1/24 dev tun9", "ip route add 0.0.0.0/1 dev tun9", "ip route add 128.0.0.0/1 dev tun9",
        "ip route add 10.40.2.0/24 dev tun9", "ip route add default via 10.99.0.9",
    ):  # fmt: skip
        subprocess.run([*daemon.inside, *command.split()], check=True)
    daemon.start()
    made = images()
    daemon.docker("load", stdin=made.docker_archive([made.busybox_layer()], ["busybox:latest"]))
    yield daemon
    daemon.close()


@pytest.fixture(autouse=True)
def _clean(small: Any) -> Iterator[None]:
    yield
    for name in small.says("ps", "-aq").split():
        small.docker("rm", "-f", name)
    for name in small.says("network", "ls", "-q", "-f", "type=custom").split():
        small.says("network", "rm", name)


def subnet(daemon: Any, name: str, at: int = 0) -> str:
    return str(json.loads(daemon.says("network", "inspect", name))[0]["IPAM"]["Config"][at]["Subnet"])


def test_pools_keep_away_from_routes_and_are_used_again(small: Any) -> None:
    for name in ("one", "two", "three"):
        small.says("network", "create", name)
    assert [subnet(small, name) for name in ("bridge", "one", "two", "three")] == [
        "10.40.0.0/24", "10.40.1.0/24", "10.40.3.0/24", "10.41.0.0/24",
    ]  # fmt: skip
    small.says("network", "rm", "two")
    small.says("network", "create", "again")
    assert subnet(small, "again") == "10.40.3.0/24"


def test_exhausted_pools_say_who_holds_what(small: Any) -> None:
    for name in ("one", "two", "three"):
        small.says("network", "create", name)
    refused = small.docker("network", "create", "four")
    assert refused.returncode == 1
    text = refused.stderr.decode()
    assert "all predefined address pools have been fully subnetted (" in text
    for part in ("10.40.0.0/24 is network bridge's", "10.41.0.0/24 is network three's", "10.40.2.0/24 is the route by tun9's"):
        assert part in text
    assert "four" not in small.says("network", "ls", "--format", "{{.Name}}").split()


def test_pools_of_ipv6(small: Any) -> None:
    small.says("network", "create", "--ipv6", "six")
    assert subnet(small, "six", 1) == "fd40::/64"


def test_addresses_run_out_and_come_back(small: Any) -> None:
    small.says("network", "create", "--subnet", "10.77.0.0/30", "tiny")
    small.says("run", "-d", "--name", "one", "--network", "tiny", *SLEEP)
    refused = small.docker("run", "--rm", "--network", "tiny", *SLEEP)
    assert b"no available IPv4 addresses on this network's address pools: tiny (" in refused.stderr
    small.says("rm", "-f", "one")
    small.says("run", "--rm", "--network", "tiny", "--ip", "10.77.0.2", "busybox", "true")


def test_the_mtu_of_the_way_out(small: Any) -> None:
    small.says("network", "create", "one")
    small.says("network", "create", "-o", "com.docker.network.driver.mtu=1500", "two")
    for network, mtu in (("bridge", "1380"), ("one", "1380"), ("two", "1500")):
        assert small.says("run", "--rm", "--network", network, "busybox", "cat", "/sys/class/net/eth0/mtu") == mtu
