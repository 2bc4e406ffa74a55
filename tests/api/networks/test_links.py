"""Links of the default bridge: names, variables, ways between containers that may not talk to each other."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

SLEEP = ("busybox", "sleep", "300")
SERVE = ("busybox", "sh", "-c", "while true; do echo served | nc -l -p 80; done")


def docker(daemon: Any, *arguments: str) -> str:
    done = daemon.docker(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def refused(daemon: Any, *arguments: str) -> str:
    done = daemon.docker(*arguments)
    assert done.returncode != 0, done.stdout
    return done.stderr.decode()


def address(daemon: Any, name: str) -> str:
    return docker(daemon, "inspect", "-f", "{{.NetworkSettings.IPAddress}}", name)


@pytest.fixture(autouse=True)
def _clean(daemon: Any) -> Iterator[None]:
    yield
    for ident in docker(daemon, "ps", "-aq").split():
        daemon.docker("rm", "-f", ident)


def test_a_linked_container_is_known_by_its_alias(daemon: Any) -> None:
    docker(daemon, "run", "-d", "--name", "data", "-e", "COLOUR=blue", "--expose", "53/udp", "--expose", "80", *SLEEP)
    docker(daemon, "run", "-d", "--name", "front", "--link", "data:db-one", *SLEEP)
    there, short = address(daemon, "data"), docker(daemon, "inspect", "-f", "{{.Id}}", "data")[:12]
    assert f"{there}\tdb-one {short} data\n" in docker(daemon, "exec", "front", "cat", "/etc/hosts") + "\n"
    variables = docker(daemon, "exec", "front", "env").splitlines()
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
    assert json.loads(docker(daemon, "inspect", "-f", "{{json .HostConfig.Links}}", "front")) == ["/data:/front/db-one"]
    assert "data,front/db-one" in docker(daemon, "ps", "--no-trunc", "--format", "{{.Names}}").splitlines()
    assert docker(daemon, "inspect", "-f", "{{.Name}}", "front/db-one") == "/data"


def test_a_link_follows_the_address(daemon: Any) -> None:
    docker(daemon, "run", "-d", "--name", "data", *SLEEP)
    docker(daemon, "run", "-d", "--name", "front", "--link", "data", *SLEEP)
    before = address(daemon, "data")
    docker(daemon, "stop", "-t", "0", "data")
    time.sleep(0.5)  # until the kernel has taken its link away, and the address is free
    docker(daemon, "run", "-d", "--name", "other", *SLEEP)
    docker(daemon, "start", "data")
    assert address(daemon, "data") != before
    lines = [line for line in docker(daemon, "exec", "front", "cat", "/etc/hosts").splitlines() if "\tdata " in line]
    assert [line.partition("\t")[0] for line in lines] == [address(daemon, "data")]


def test_a_link_can_be_removed(daemon: Any) -> None:
    docker(daemon, "run", "-d", "--name", "data", *SLEEP)
    docker(daemon, "run", "-d", "--name", "front", "--link", "data:db", *SLEEP)
    docker(daemon, "rm", "--link", "front/db")
    assert docker(daemon, "inspect", "-f", "{{json .HostConfig.Links}}", "front") == "null"
    assert docker(daemon, "ps", "--format", "{{.Names}}").splitlines() == ["front", "data"]
    assert "No such container" in refused(daemon, "rm", "--link", "nobody/db")


def test_links_that_cannot_be(daemon: Any) -> None:
    docker(daemon, "create", "--name", "data", *SLEEP)
    docker(daemon, "create", "--name", "on-host", "--network", "host", *SLEEP)
    unknown = refused(daemon, "run", "--link", "nobody", *SLEEP)
    assert "could not get container for nobody: No such container: nobody" in unknown
    assert "host type networking can't be used with links" in refused(daemon, "create", "--link", "on-host", *SLEEP)
    stopped = refused(daemon, "run", "--name", "front", "--link", "data:db", *SLEEP)
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
    docker(closed, "run", "-d", "--name", "data", "--expose", "80", *SERVE)
    docker(closed, "run", "-d", "--name", "front", "--link", "data", *SLEEP)
    docker(closed, "run", "-d", "--name", "stranger", *SLEEP)

    def asks(name: str) -> str:
        return closed.docker("exec", name, "nc", "-w", "1", address(closed, "data"), "80", stdin=b"").stdout.decode()

    assert asks("stranger") == ""
    assert asks("front") == "served\n"
    closed.end(9)
    closed.start()
    assert asks("front") == "served\n"
    docker(closed, "rm", "-f", "front")
    assert asks("stranger") == ""
