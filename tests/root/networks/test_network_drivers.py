"""What every network driver does, in the kernel: the contract of networks/drivers/__init__.py.

CNI's interfaces are made by a plug-in of the tests' own: veth pairs into a bridge that it leaves to itself.

Each test is a process in a network namespace of its own, which stands for a host with one link, lan0, to a neighbour.
"""

import asyncio
import errno
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from dockwright.base.errors import EngineError
from dockwright.kernel import interfaces, netlink
from dockwright.kernel.process import CLONE_NEWNET, setns, unshare
from dockwright.networks import plans
from dockwright.networks.drivers import Driver, ExternalDriver
from dockwright.networks.ipam import Pool
from dockwright.networks.network import Endpoint, Network
from dockwright.networks.registry import DRIVERS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
OWNER = "dockwright tests"
SIX = os.path.exists("/proc/sys/net/ipv6")
KINDS = [
    ("bridge", {}),
    ("macvlan", {"parent": "lan0"}),
    ("macvlan", {"parent": "lan0", "macvlan_mode": "vepa"}),
    ("macvlan", {}),
    ("macvlan", {"parent": "lan0.7"}),
    ("ipvlan", {"parent": "lan0"}),
    ("ipvlan", {"parent": "lan0", "ipvlan_mode": "l3"}),
    ("ipvlan", {"parent": "lan0", "ipvlan_mode": "l3s"}),
    ("ipvlan", {}),
    ("ipvlan", {"parent": "lan0.7"}),
    ("cni", {"conf": "TOYS"}),
]
every = pytest.mark.parametrize(("kind", "options"), KINDS, ids=[f"{k}-{'-'.join(o.values()) or 'plain'}" for k, o in KINDS])


PLACE: dict[str, str] = {}
TOY = r"""#!/usr/bin/python3 -IS
import json, os, subprocess, sys
config, env = json.load(sys.stdin), os.environ
def ip(*words, inside=False):
    enter = ["nsenter", "--net=" + env["CNI_NETNS"]] if inside else []
    subprocess.run([*enter, "ip", *words], check=True)
def there(*which):
    return bool(subprocess.run(["ip", "-o", "link", "show", *which], capture_output=True).stdout)
host = "toy" + env["CNI_CONTAINERID"][:8]
if env["CNI_COMMAND"] == "DEL":
    if there(host): ip("link", "delete", host)
    if there("cni-toys") and not there("master", "cni-toys"): ip("link", "delete", "cni-toys")
    sys.exit(0)
if not there("cni-toys"):
    ip("link", "add", "cni-toys", "type", "bridge")
    ip("addr", "add", "10.60.0.1/24", "dev", "cni-toys")
    if config["six"]: ip("addr", "add", "fd00:60::1/64", "dev", "cni-toys", "nodad")
    ip("link", "set", "cni-toys", "up")
tail = env["CNI_CONTAINERID"][-1]
ip("link", "add", host, "type", "veth", "peer", "name", "tmp" + tail)
ip("link", "set", "tmp" + tail, "netns", env["CNI_NETNS"], "name", env["CNI_IFNAME"])
ip("link", "set", host, "master", "cni-toys", "up")
given = ["10.60.0." + tail + "/24"] + (["fd00:60::" + tail + "/64"] if config["six"] else [])
for address in given: ip("addr", "add", address, "dev", env["CNI_IFNAME"], *(["nodad"] if ":" in address else []), inside=True)
ip("link", "set", "up", "dev", env["CNI_IFNAME"], inside=True)
ip("route", "add", "default", "via", "10.60.0.1", inside=True)
print(json.dumps({
    "cniVersion": config["cniVersion"], "ips": [{"address": address} for address in given],
    "interfaces": [{"name": env["CNI_IFNAME"], "mac": "02:00:00:00:00:07", "sandbox": env["CNI_NETNS"]}],
}))
"""


def on_a_host(work: Callable[[], None]) -> None:
    """Run `work` in a process of its own, in a new network namespace with lan0; its failure is the test's."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            unshare(CLONE_NEWNET)
            neighbour = namespace()
            sh("ip link set lo up")
            with netlink.Netlink() as outside:
                outside.batch([netlink.veth("lan0", 0, "lan1", neighbour)])
            sh("ip addr add 10.50.0.1/24 dev lan0")
            sh("ip addr add 10.50.0.2/24 dev lan1; ip link set lan1 up", neighbour)
            work()
            status = 0
        except NotHere as error:
            print(error, file=sys.stderr, flush=True)
            status = 77
        except (AssertionError, EngineError, OSError, pytest.fail.Exception):
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == 77:
        pytest.skip("this kernel has no such links")
    assert status == 0


class NotHere(Exception):
    """The kernel does not know such links."""


def namespace() -> int:
    """A new network namespace's descriptor."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    unshare(CLONE_NEWNET)
    made = os.open("/proc/self/ns/net", os.O_RDONLY)
    setns(here, CLONE_NEWNET)
    os.close(here)
    return made


def sh(command: str, where: int = -1) -> str:
    """What a command says, here or in a namespace."""
    prefix = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{where}"] if where >= 0 else []
    done = subprocess.run([*prefix, "sh", "-c", command], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def made(kind: str, options: dict[str, str], number: int = 60) -> tuple[Network, Driver]:
    """A network of a kind, checked and made."""
    if kind == "cni":
        options = {"conf": f"{PLACE['toys']}/toys.conflist", "path": PLACE["toys"]}
    pools = [Pool(ip_network(f"10.{number}.0.0/24"), ip_address(f"10.{number}.0.1"))]
    if SIX:
        pools.append(Pool(ip_network(f"fd00:{number}::/64"), ip_address(f"fd00:{number}::1")))
    network = Network(f"{number}" * 32, f"net{number}", kind, "now", pools=pools, options=options, ipv6=SIX)
    driver = DRIVERS[kind]
    driver.check(network, [])
    try:
        driver.make(network, OWNER)
    except EngineError as error:
        if os.strerror(errno.EOPNOTSUPP) in error.message:
            raise NotHere(error.message) from None
        raise
    return network, driver


def sandbox(network: Network, driver: Driver, number: int) -> int:
    """A namespace with an endpoint on the network; its descriptor."""
    if isinstance(driver, ExternalDriver):
        return joined(network, driver, number)[1]
    tail = network.pools[0].subnet.network_address + number
    endpoint = Endpoint("e", network.id, "c", f"box{number}", address=tail, interface="eth0")  # type: ignore[arg-type]
    endpoint.address6 = network.pools[1].subnet.network_address + number if SIX else None  # type: ignore[assignment]
    endpoint.host = f"veth{network.name}{number}" if driver.veth else ""
    endpoint.mac = f"02:42:00:00:00:{number:02x}" if driver.own_mac else ""
    plan = driver.interface(network, endpoint)
    inner = namespace()
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    with netlink.Netlink() as outside:
        try:
            interfaces.make_host_link(outside, plan, inner)
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                raise NotHere(str(error)) from None
            raise
    setns(inner, CLONE_NEWNET)
    try:
        netlink.write_sysctls(plan["sysctls"])
        with netlink.Netlink() as inside:
            interfaces.configure_inside(inside, [plan], plans.routes([(network, endpoint)]))
    finally:
        setns(here, CLONE_NEWNET)
        os.close(here)
    return inner


@pytest.fixture(autouse=True)
def _plugin(tmp_path: Path) -> None:
    """The plug-in's list stands where the option conf says; each test has its own."""
    (tmp_path / "toy").write_text(TOY)
    (tmp_path / "toy").chmod(0o755)
    document = {"cniVersion": "1.0.0", "name": "toys", "plugins": [{"type": "toy", "six": SIX}]}
    (tmp_path / "toys.conflist").write_text(json.dumps(document))
    PLACE["toys"] = str(tmp_path)


def joined(network: Network, driver: ExternalDriver, number: int) -> tuple[Endpoint, int]:
    """An endpoint that other programs have made, and its namespace, which has lo only before."""
    endpoint = Endpoint("e", network.id, f"{number}" * 12, f"box{number}", interface="eth0")
    inner = namespace()
    assert driver.interface(network, endpoint) == {}
    asyncio.run(driver.join(network, endpoint, f"/proc/{os.getpid()}/fd/{inner}"))
    return endpoint, inner


def links() -> set[str]:
    with netlink.Netlink() as link:
        return {item["name"] for item in netlink.links(link)}


@every
def test_two_sandboxes_reach_each_other(kind: str, options: dict[str, str]) -> None:
    def work() -> None:
        network, driver = made(kind, options)
        one = sandbox(network, driver, 5)
        sandbox(network, driver, 6)
        addresses = ["10.60.0.6", *(["fd00:60::6"] if SIX else [])]
        reached = [" 0% packet loss" in sh(f"busybox ping -c1 -w3 {address}", one) for address in addresses]
        hairpin = options.get("macvlan_mode") == "vepa"  # a switch has to send back what is for another on the same port
        assert reached == [not hairpin] * len(addresses), sh("ip addr; ip route; ip -6 route", one)

    on_a_host(work)


@every
def test_the_neighbour_on_the_parent_is_reached(kind: str, options: dict[str, str]) -> None:
    def work() -> None:
        network, driver = made(kind, options, 50) if options.get("parent") == "lan0" else made(kind, options)
        one = sandbox(network, driver, 5)
        reached = " 0% packet loss" in sh("busybox ping -c1 -W2 -w2 10.50.0.2", one)
        routed = options.get("ipvlan_mode") in ("l3", "l3s")  # the neighbour asks for its address, and nobody answers
        assert reached == (options.get("parent") == "lan0" and not routed)

    on_a_host(work)


@every
def test_making_again_changes_nothing_and_removing_leaves_nothing(kind: str, options: dict[str, str]) -> None:
    def work() -> None:
        before = links()
        network, driver = made(kind, options)
        there = links()
        driver.make(network, OWNER)
        assert links() == there
        driver.retire(network, OWNER)
        assert "10.60.0.1" not in sh("ip addr")
        driver.remove(network, OWNER)
        driver.remove(network, OWNER)
        assert links() == before

    on_a_host(work)


def test_what_other_programs_make_is_learned_and_goes() -> None:
    """An external driver's endpoint: addresses and MAC are theirs; `leave` takes all away, also without the namespace."""

    def work() -> None:
        before = links()
        network, driver = made("cni", {})
        assert isinstance(driver, ExternalDriver) and network.pools == []
        one, inner = joined(network, driver, 5)
        assert (str(one.address), one.mac) == ("10.60.0.5", "02:00:00:00:00:07")
        assert [str(pool.subnet) for pool in network.pools] == ["10.60.0.0/24", *(["fd00:60::/64"] if SIX else [])]
        other, _ = joined(network, driver, 6)
        driver.rejoin(network, one)
        asyncio.run(driver.leave(network, one, f"/proc/{os.getpid()}/fd/{inner}"))
        assert "eth0" not in sh("ip -o link", inner) and "cni-toys" in links()
        asyncio.run(driver.leave(network, other, "/nowhere"))
        asyncio.run(driver.leave(network, other, "/nowhere"))  # it may be half made: no error
        assert links() == before

    on_a_host(work)


@every
def test_a_link_of_somebody_else_stays(kind: str, options: dict[str, str]) -> None:
    def work() -> None:
        network, driver = made(kind, options)
        there = links()
        driver.make(network, "somebody else")
        driver.remove(network, "somebody else")
        assert links() == there

    on_a_host(work)


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        ("macvlan", {"parent": "nosuch"}, "invalid subinterface vlan name nosuch, example formatting is eth0.10"),
        ("macvlan", {"parent": "lan0.5000"}, "vlan id must be between 1-4094, received: 5000"),
        ("macvlan", {"parent": "lo"}, "loopback interface is not a valid macvlan parent link"),
        ("macvlan", {"macvlan_mode": "zz"}, "requested macvlan mode 'zz' is not valid, 'bridge' mode is the"),
        ("ipvlan", {"ipvlan_mode": "zz"}, "requested ipvlan mode 'zz' is not valid, 'l2' mode is the ipvlan driver default"),
        ("ipvlan", {"ipvlan_flag": "zz"}, "requested ipvlan flag 'zz' is not valid"),
        ("bridge", {"com.docker.network.bridge.name": "lan0"}, "existing interface lan0 is not a bridge"),
    ],
)
def test_parents_that_cannot_be(kind: str, options: dict[str, str], text: str) -> None:
    def work() -> None:
        before = links()
        with pytest.raises(EngineError, match=text):
            made(kind, options)
        assert links() == before

    on_a_host(work)


def test_a_parent_has_one_ipvlan_network_and_several_macvlan_ones() -> None:
    def network(kind: str, number: int, **options: str) -> Network:
        return Network(f"{number}" * 32, f"net{number}", kind, "now", options={"parent": "lan0", **options})

    first = network("macvlan", 1)
    DRIVERS["macvlan"].check(first, [])
    DRIVERS["macvlan"].check(network("macvlan", 2), [first])
    with pytest.raises(EngineError, match="already using parent interface lan0 in mode passthru"):
        DRIVERS["macvlan"].check(network("macvlan", 2, macvlan_mode="passthru"), [first])
    first = network("ipvlan", 1)
    DRIVERS["ipvlan"].check(first, [])
    with pytest.raises(EngineError, match="network net1 is already using parent interface lan0"):
        DRIVERS["ipvlan"].check(network("ipvlan", 2), [first])
