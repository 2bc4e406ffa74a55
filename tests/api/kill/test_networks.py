"""The daemon is killed while networks come and go: what was answered holds under the next one, and nothing else is left."""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MARK = "dockwright "


def inside(subject: Any, *command: str) -> str:
    done = subprocess.run([*subject.daemon.inside, *command], capture_output=True, timeout=20, check=False)
    return done.stdout.decode()


def bridges(subject: Any) -> set[str]:
    """The bridges that are marked as ours."""
    found = json.loads(inside(subject, "ip", "-json", "link", "show", "type", "bridge") or "[]")
    return {link["ifname"] for link in found if link.get("ifalias", "").startswith(MARK)}


def networks(subject: Any) -> dict[str, str]:
    """The user's networks, by name."""
    return {n["Name"]: n["Id"] for n in subject.ask("GET", "/networks")[1] if n["Name"] not in ("bridge", "host", "none")}


def addresses(subject: Any, name: str) -> set[str]:
    """The IPv4 addresses that a container really has."""
    key = subject.inspect(name)["NetworkSettings"]["SandboxKey"]
    shown = subprocess.run(["nsenter", f"--net={key}", "ip", "-json", "addr"], capture_output=True, check=True).stdout
    links = json.loads(shown)
    return {a["local"] for link in links for a in link["addr_info"] if a["family"] == "inet" and a["scope"] == "global"}


def told(subject: Any, name: str) -> set[str]:
    """The IPv4 addresses that inspect tells."""
    return {each["IPAddress"] for each in subject.inspect(name)["NetworkSettings"]["Networks"].values()}


def until(holds: Any, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def _clean(subject: Any) -> Iterator[None]:
    yield
    for row in subject.ask("GET", "/containers/json?all=1")[1]:
        subject.ask("DELETE", f"/containers/{row['Id']}?force=1")
    for ident in networks(subject).values():
        subject.ask("DELETE", f"/networks/{ident}")
    until(lambda: bridges(subject) <= {"docker0"})


class Traffic(threading.Thread):
    """Requests one after the other until the daemon is gone.

    Attributes:
        answered: the requests that were answered with success: what they said holds.
    """

    def __init__(self, subject: Any, seed: int) -> None:
        super().__init__()
        self.subject, self.random = subject, random.Random(seed)
        self.answered: list[tuple[str, str]] = []
        self.started = ""

    def run(self) -> None:
        try:
            for number in range(1000):
                self._round(f"n{number}")
        except (OSError, ValueError):
            return  # the daemon is gone

    def _round(self, name: str) -> None:
        self._ask("create", name, "POST", "/networks/create", {"Name": name})
        self._ask("connect", name, "POST", f"/networks/{name}/connect", {"Container": "box"})
        if self.random.random() < 0.7:
            self._ask("disconnect", name, "POST", f"/networks/{name}/disconnect", {"Container": "box"})
            self._ask("rm", name, "DELETE", f"/networks/{name}", None)

    def _ask(self, what: str, name: str, method: str, path: str, body: Any) -> None:
        self.started = f"{what} {name}"
        if self.subject.ask(method, path, body)[0] < 300:
            self.answered.append((what, name))


@pytest.mark.parametrize("seed", range(6))
def test_a_daemon_killed_while_networks_come_and_go(subject: Any, seed: int) -> None:
    subject.run("box", "sleep 1000", network=())
    traffic = Traffic(subject, seed)
    traffic.start()
    time.sleep(0.1 + random.Random(seed).random() * 0.5)
    subject.kill()
    traffic.join()
    subject.daemon.start()
    last = {name: what for what, name in traffic.answered}
    open_ = traffic.started.split()[1]  # what was not answered may be done or not, but whole
    found = networks(subject)
    for name, what in last.items():
        if name != open_:
            assert (name in found) == (what != "rm"), (traffic.started, name, what)
    joined = set(subject.inspect("box")["NetworkSettings"]["Networks"]) - {open_}
    assert joined == {"bridge", *(n for n, what in last.items() if what == "connect" and n != open_)}
    assert addresses(subject, "box") == told(subject, "box"), traffic.started
    until(lambda: bridges(subject) == {"docker0", *(f"br-{ident[:12]}" for ident in networks(subject).values())})
    assert subject.ask("POST", "/networks/create", {"Name": "after"})[0] == 201
    assert subject.ask("POST", "/networks/after/connect", {"Container": "box"})[0] == 200
    assert addresses(subject, "box") == told(subject, "box")


def test_an_interface_removed_by_hand_comes_back_with_the_next_daemon(subject: Any) -> None:
    subject.ask("POST", "/networks/create", {"Name": "one"})
    subject.run("box", "sleep 1000", network=("--network", "one"))
    key = subject.inspect("box")["NetworkSettings"]["SandboxKey"]
    before = told(subject, "box")
    subprocess.run(["nsenter", f"--net={key}", "ip", "link", "delete", "eth0"], check=True)
    assert addresses(subject, "box") == set()
    subject.kill()
    subject.daemon.start()
    assert addresses(subject, "box") == before == told(subject, "box")
    gateway = subject.ask("GET", "/networks/one")[1]["IPAM"]["Config"][0]["Gateway"]
    assert subject.docker("exec", "box", "ping", "-c1", "-w2", gateway)[0] == 0


def test_a_disconnect_of_an_interface_that_is_gone(subject: Any) -> None:
    subject.ask("POST", "/networks/create", {"Name": "one"})
    subject.run("box", "sleep 1000", network=("--network", "one"))
    key = subject.inspect("box")["NetworkSettings"]["SandboxKey"]
    subprocess.run(["nsenter", f"--net={key}", "ip", "link", "delete", "eth0"], check=True)
    assert subject.ask("POST", "/networks/one/disconnect", {"Container": "box"})[0] == 200
    assert subject.inspect("box")["NetworkSettings"]["Networks"] == {}


def test_a_bridge_removed_by_hand_comes_back_with_its_ports(subject: Any) -> None:
    ident = subject.ask("POST", "/networks/create", {"Name": "one"})[1]["Id"]
    subject.run("box", "sleep 1000", network=("--network", "one"))
    subject.kill()
    inside(subject, "ip", "link", "delete", f"br-{ident[:12]}")
    subject.daemon.start()
    subject.run("other", "sleep 1000", network=("--network", "one"))
    (there,) = told(subject, "box")
    assert subject.docker("exec", "other", "ping", "-c1", "-w3", there)[0] == 0


def test_a_bridge_that_is_not_ours_is_used_and_stays(subject: Any) -> None:
    inside(subject, "ip", "link", "add", "br-user", "type", "bridge")
    body = {"Name": "one", "Options": {"com.docker.network.bridge.name": "br-user"}}
    assert subject.ask("POST", "/networks/create", body)[0] == 201
    subject.run("box", "sleep 1000", network=("--network", "one"))
    gateway = subject.inspect("box")["NetworkSettings"]["Networks"]["one"]["Gateway"]
    assert subject.docker("exec", "box", "ping", "-c1", "-w2", gateway)[0] == 0
    subject.ask("DELETE", "/containers/box?force=1")
    assert subject.ask("DELETE", "/networks/one")[0] == 204
    subject.kill()
    subject.daemon.start()
    assert "br-user" in inside(subject, "ip", "link")
    inside(subject, "ip", "link", "delete", "br-user")


def test_networks_come_back_after_a_reboot(subject: Any) -> None:
    ident = subject.ask("POST", "/networks/create", {"Name": "one", "EnableIPv6": True})[1]["Id"]
    before = subject.ask("GET", "/networks/one")[1]
    subject.run("box", "sleep 1000", "--restart", "always", network=("--network", "one"))
    shim, pid = subject.shim_of("box"), subject.state("box")["Pid"]
    subject.kill()
    for process in (shim, pid):  # a machine that is started anew has neither them nor links nor rules
        os.kill(process, signal.SIGKILL)
    for link in ("docker0", f"br-{ident[:12]}"):
        inside(subject, "ip", "link", "delete", link)
    inside(subject, "nft", "flush", "ruleset")
    Path(f"{subject.daemon.root}/exec/boot-id").write_text("another")
    subject.daemon.start()
    assert subject.ask("GET", "/networks/one")[1]["IPAM"] == before["IPAM"]
    until(lambda: subject.state("box")["Status"] == "running")
    assert addresses(subject, "box") == told(subject, "box")
