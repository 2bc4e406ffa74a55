"""Links of the default bridge: names, variables, ways between containers that may not talk to each other."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

SLEEP = ("busybox", "sleep", "300")
SERVE = ("busybox", "sh", "-c", "while true; do echo served | nc -l -p 80; done")


def address(daemon: Any, name: str) -> str:
    return daemon.says("inspect", "-f", "{{.NetworkSettings.IPAddress}}", name)


@pytest.fixture(autouse=True)
def _clean(daemon: Any) -> Iterator[None]:
    yield
    for ident in daemon.says("ps", "-aq").split():
        daemon.docker("rm", "-f", ident)


def test_a_linked_container_is_known_by_its_alias(daemon: Any) -> None:
    daemon.says("run", "-d", "--name", "data", "-e", "COLOUR=blue", "--expose", "53/udp", "--expose", "80", *SLEEP)
    daemon.says("run", "-d", "--name", "front", "--link", "data:db-one", *SLEEP)
    there, short = address(daemon, "data"), daemon.says("inspect", "-f", "{{.Id}}", "data")[:12]
    assert f"{there}\tdb-one {short} data\n" in daemon.says("exec", "front", "cat", "/etc/hosts") + "\n"
    variables = daemon.says("exec", "front", "env").splitlines()
    assert [text for text in variables if text.startswith("DB_ONE")] == [
        f"DB_ONE_PORT=tcp://{there}:80",
        f"DB_ONE_PORT_80_TCP=tcp://{there}:80",
        f"DB_ONE_PORT_80_TCP_ADDR={there}",
        "DB_ONE_PORT_80_TCP_PORT=80",
        "DB_ONE_PORT_80_TCP_PROTO=tcp",
        f"DB_ONE_PORT_53_UDP=udp://{there}:53",
        f"DB_ONE_PORT_53_UDP_ADDR={there}",
        "DB_ONE_PORT_53_UDP_PORT=53",
        "DB_ONE_PORT_53_UDP_PROTO=udp",
        "DB_ONE_NAME=/front/db-one",
        "DB_ONE_ENV_COLOUR=blue",
    ]
    assert json.loads(daemon.says("inspect", "-f", "{{json .HostConfig.Links}}", "front")) == ["/data:/front/db-one"]
    assert "data,front/db-one" in daemon.says("ps", "--no-trunc", "--format", "{{.Names}}").splitlines()
    assert daemon.says("inspect", "-f", "{{.Name}}", "front/db-one") == "/data"


def test_a_link_follows_the_address(daemon: Any) -> None:
    daemon.says("run", "-d", "--name", "data", *SLEEP)
    daemon.says("run", "-d", "--name", "front", "--link", "data", *SLEEP)
    before = address(daemon, "data")
    daemon.says("stop", "-t", "0", "data")
    time.sleep(0.5)  # until the kernel has taken its link away, and the address is free
    daemon.says("run", "-d", "--name", "other", *SLEEP)
    daemon.says("start", "data")
    assert address(daemon, "data") != before
    lines = [line for line in daemon.says("exec", "front", "cat", "/etc/hosts").splitlines() if "\tdata " in line]
    assert [line.partition("\t")[0] for line in lines] == [address(daemon, "data")]


def test_a_link_can_be_removed(daemon: Any) -> None:
    daemon.says("run", "-d", "--name", "data", *SLEEP)
    daemon.says("run", "-d", "--name", "front", "--link", "data:db", *SLEEP)
    daemon.says("rm", "--link", "front/db")
    assert daemon.says("inspect", "-f", "{{json .HostConfig.Links}}", "front") == "null"
    assert daemon.says("ps", "--format", "{{.Names}}").splitlines() == ["front", "data"]
    assert "No such container" in daemon.refuses("rm", "--link", "nobody/db")


def test_links_that_cannot_be(daemon: Any) -> None:
    daemon.says("create", "--name", "data", *SLEEP)
    daemon.says("create", "--name", "on-host", "--network", "host", *SLEEP)
    unknown = daemon.refuses("run", "--link", "nobody", *SLEEP)
    assert "could not get container for nobody: No such container: nobody" in unknown
    assert "host type networking can't be used with links" in daemon.refuses("create", "--link", "on-host", *SLEEP)
    stopped = daemon.refuses("run", "--name", "front", "--link", "data:db", *SLEEP)
    assert "Cannot link to a non running container: /data AS /front/db" in stopped


@pytest.fixture
def closed() -> Iterator[Any]:
    """A daemon whose containers may not talk to each other."""
    from tests.api.conftest import Daemon, images

    daemon = Daemon("--icc=false")
    daemon.start()
    made = images()
    daemon.docker("load", stdin=made.docker_archive([made.busybox_layer()], ["busybox:latest"]))
    yield daemon
    daemon.close()


def test_a_link_opens_the_exposed_ports_where_containers_may_not_talk(closed: Any) -> None:
    closed.says("run", "-d", "--name", "data", "--expose", "80", *SERVE)
    closed.says("run", "-d", "--name", "front", "--link", "data", *SLEEP)
    closed.says("run", "-d", "--name", "stranger", *SLEEP)

    def asks(name: str) -> str:
        return closed.docker("exec", name, "nc", "-w", "1", address(closed, "data"), "80", stdin=b"").stdout.decode()

    assert asks("stranger") == ""
    assert asks("front") == "served\n"
    closed.end(9)
    closed.start()
    assert asks("front") == "served\n"
    closed.says("rm", "-f", "front")
    assert asks("stranger") == ""
