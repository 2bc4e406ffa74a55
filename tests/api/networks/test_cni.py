"""CNI plug-ins as a driver: with a plug-in of the tests' own, and with those of Debian where they are installed."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SLEEP = ("busybox", "sleep", "300")
DEBIAN = "/usr/lib/cni"
TOY = r"""#!/usr/bin/python3
import json, os, subprocess, sys
config, env = json.load(sys.stdin), os.environ
kept = {key: env.get(key, "") for key in ("CNI_COMMAND", "CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS")}
open("LOG", "a").write(json.dumps({**kept, "type": config["type"], "prev": bool(config.get("prevResult"))}) + "\n")
if config.get("fails") and env["CNI_COMMAND"] == "ADD":
    print(json.dumps({"code": 11, "msg": "not today"})); sys.exit(1)
if config.get("prevResult"):
    print(json.dumps(config["prevResult"])); sys.exit(0)
if env["CNI_COMMAND"] == "ADD":
    inside = ["nsenter", "--net=" + env["CNI_NETNS"]]
    host = "toy" + env["CNI_CONTAINERID"][:8]
    subprocess.run(["ip", "link", "add", host, "type", "veth", "peer", "name", "tmp0"], check=True)
    subprocess.run(["ip", "link", "set", "tmp0", "netns", env["CNI_NETNS"], "name", env["CNI_IFNAME"]], check=True)
    subprocess.run(["ip", "link", "set", host, "up"], check=True)
    for command in ("ip addr add 10.61.0.7/24 dev", "ip link set up dev"):
        subprocess.run([*inside, *command.split(), env["CNI_IFNAME"]], check=True)
    print(json.dumps({
        "cniVersion": config["cniVersion"], "ips": [{"address": "10.61.0.7/24", "gateway": "10.61.0.1", "interface": 0}],
        "interfaces": [{"name": env["CNI_IFNAME"], "mac": "02:00:00:00:00:07", "sandbox": env["CNI_NETNS"]}],
    }))
"""


@pytest.fixture
def toy(tmp_path: Path, daemon: Any) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Make network `toys` of a list with these plug-ins; the answer reads what they were called with."""
    log = tmp_path / "log"
    log.touch()
    for name in ("first", "second"):
        (tmp_path / name).write_text(TOY.replace("LOG", str(log)))
        (tmp_path / name).chmod(0o755)

    def make(*plugins: dict[str, Any]) -> Callable[[], list[dict[str, Any]]]:
        conf = tmp_path / "toys.conflist"
        conf.write_text(json.dumps({"cniVersion": "1.0.0", "name": "toys", "plugins": plugins}))
        daemon.says("network", "create", "-d", "cni", "-o", f"conf={conf}", "-o", f"path={tmp_path}", "toys")
        return lambda: [json.loads(line) for line in log.read_text().splitlines()]

    yield make  # type: ignore[misc]
    for name in daemon.says("ps", "-aq").split():
        daemon.docker("rm", "-f", name)
    for name in daemon.says("network", "ls", "-q", "-f", "type=custom").split():
        daemon.says("network", "rm", name)


def test_plugins_are_called_in_order_and_back(daemon: Any, toy: Any) -> None:
    calls = toy({"type": "first"}, {"type": "second"})
    daemon.says("run", "-d", "--name", "one", "--network", "toys", *SLEEP)
    found = json.loads(daemon.says("inspect", "one"))[0]["NetworkSettings"]
    network = found["Networks"]["toys"]
    assert (network["IPAddress"], network["IPPrefixLen"], network["Gateway"]) == ("10.61.0.7", 24, "10.61.0.1")
    assert network["MacAddress"] == "02:00:00:00:00:07"
    assert "10.61.0.7/24" in daemon.says("exec", "one", "ip", "addr", "show", "eth0")
    assert "10.61.0.7\t" in daemon.says("exec", "one", "cat", "/etc/hosts")
    assert [(call["CNI_COMMAND"], call["type"], call["prev"]) for call in calls()] == [
        ("ADD", "first", False), ("ADD", "second", True),
    ]  # fmt: skip
    daemon.says("rm", "-f", "one")
    assert [(call["CNI_COMMAND"], call["type"]) for call in calls()[2:]] == [("DEL", "second"), ("DEL", "first")]
    assert {call["CNI_NETNS"] for call in calls()} == {found["SandboxKey"]}


def test_a_plugin_that_fails_is_told_and_undone(daemon: Any, toy: Any) -> None:
    calls = toy({"type": "first"}, {"type": "second", "fails": True})
    refused = daemon.docker("run", "-d", "--name", "one", "--network", "toys", *SLEEP)
    assert refused.returncode == 125
    assert b'plugin type="second" failed (add): not today' in refused.stderr
    assert [call["CNI_COMMAND"] for call in calls()] == ["ADD", "ADD", "DEL", "DEL"]
    assert json.loads(daemon.says("inspect", "one"))[0]["State"]["Status"] == "created"


def test_a_running_container_joins_and_leaves(daemon: Any, toy: Any) -> None:
    calls = toy({"type": "first"})
    daemon.says("run", "-d", "--name", "one", *SLEEP)
    daemon.says("network", "connect", "toys", "one")
    assert "10.61.0.7/24" in daemon.says("exec", "one", "ip", "addr", "show", "eth1")
    daemon.says("network", "disconnect", "toys", "one")
    assert [(call["CNI_COMMAND"], call["CNI_IFNAME"]) for call in calls()] == [("ADD", "eth1"), ("DEL", "eth1")]


def test_an_end_that_no_daemon_saw(daemon: Any, toy: Any) -> None:
    calls = toy({"type": "first"})
    daemon.says("run", "-d", "--name", "one", "--network", "toys", "busybox", "sleep", "1")
    daemon.end(9)
    subprocess.run(["sleep", "2"], check=True)
    daemon.start()
    last = calls()[-1]
    assert (last["CNI_COMMAND"], last["CNI_NETNS"]) == ("DEL", "")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "a cni network needs the option conf"),
        (["-o", "conf=nosuch"], "error loading CNI config list file /etc/cni/net.d/nosuch.conflist"),
        (["-o", "conf=FILE", "-o", "path=/nowhere"], 'failed to find plugin "toy" in path [/nowhere]'),
    ],
)
def test_lists_that_cannot_be(daemon: Any, tmp_path: Path, options: list[str], text: str) -> None:
    file = tmp_path / "x.conflist"
    file.write_text(json.dumps({"name": "x", "cniVersion": "1.0.0", "plugins": [{"type": "toy"}]}))
    given = [option.replace("FILE", str(file)) for option in options]
    assert text in daemon.docker("network", "create", "-d", "cni", *given, "bad").stderr.decode()


@pytest.mark.skipif(not os.access(f"{DEBIAN}/bridge", os.X_OK), reason="needs containernetworking-plugins")
def test_the_plugins_of_debian(daemon: Any, toy: Any, tmp_path: Path) -> None:
    ranges, routes = [[{"subnet": "10.62.0.0/24"}]], [{"dst": "0.0.0.0/0"}]
    ipam = {"type": "host-local", "ranges": ranges, "dataDir": str(tmp_path), "routes": routes}
    bridge = {"type": "bridge", "bridge": "cni9", "isGateway": True, "ipam": ipam}
    conf = tmp_path / "real.conflist"
    conf.write_text(json.dumps({"cniVersion": "1.0.0", "name": "real", "plugins": [bridge]}))
    daemon.says("network", "create", "-d", "cni", "-o", f"conf={conf}", "real")
    for name in ("one", "two"):
        daemon.says("run", "-d", "--name", name, "--network", "real", *SLEEP)
    other = json.loads(daemon.says("inspect", "two"))[0]["NetworkSettings"]["Networks"]["real"]["IPAddress"]
    assert daemon.docker("exec", "one", "ping", "-c1", "-w2", other).returncode == 0
    daemon.says("rm", "-f", "one", "two")
    assert [name for name in os.listdir(tmp_path / "real") if name[0].isdigit()] == []
    subprocess.run([*daemon.inside, "ip", "link", "delete", "cni9"], check=True)
