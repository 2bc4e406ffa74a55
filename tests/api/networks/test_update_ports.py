"""`dockwright update -p`: other published ports for a container that is there, running or not."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Dockwright = Callable[..., "subprocess.CompletedProcess[str]"]


def serve(daemon: Any, name: str, *options: str) -> None:
    """A container that answers on port 80, and on 81, each with its own word."""
    both = f"while true; do echo {name}81 | nc -l -p 81; done & while true; do echo {name}80 | nc -l -p 80; done"
    daemon.says("run", "-d", "--name", name, *options, "busybox", "sh", "-c", both)


def ask(where: list[str], address: str, port: int, tries: int = 200) -> str:
    for _ in range(tries):
        command = [*where, "busybox", "nc", "-w", "1", address, str(port)]
        if said := subprocess.run(command, input=b"", capture_output=True, timeout=10, check=False).stdout:
            return said.decode().strip()
        time.sleep(0.05)
    return ""


def ports(daemon: Any, name: str) -> list[str]:
    return sorted(daemon.says("port", name).splitlines())


@pytest.fixture(autouse=True)
def _clean(daemon: Any) -> Iterator[None]:
    yield
    for ident in daemon.says("ps", "-aq").split():
        daemon.docker("rm", "-f", ident)
    daemon.says("network", "prune", "-f")
    rules = subprocess.run([*daemon.inside, "nft", "list", "ruleset"], capture_output=True, check=True).stdout
    assert b"dnat" in rules and b" : 172." not in rules


def test_a_running_container_gets_and_loses_ports(daemon: Any, dockwright: Dockwright, neighbour_of: Any) -> None:
    other = neighbour_of(daemon, "10.99.0")
    serve(daemon, "web")
    assert dockwright("update", "-p", "8180:80", "web").stdout == "web\n"
    for where, address in ((other, "10.99.0.1"), (daemon.inside, "127.0.0.1"), (daemon.inside, "::1")):
        assert ask(where, address, 8180) == "web80"
    inside = ["docker", "-H", daemon.host, "exec", "web"]
    assert ask(inside, "172.17.0.1", 8180) == "web80"  # by the hairpin
    assert ports(daemon, "web") == ["80/tcp -> 0.0.0.0:8180", "80/tcp -> [::]:8180"]
    shown = json.loads(daemon.says("inspect", "web"))[0]
    assert shown["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": "8180"}]}
    assert "80/tcp" in shown["Config"]["ExposedPorts"]
    assert dockwright("update", "--unpublish", "80", "-p", "127.0.0.1:8180:81", "web").returncode == 0
    assert ask(daemon.inside, "127.0.0.1", 8180) == "web81"
    assert ask(other, "10.99.0.1", 8180, 1) == ""
    assert dockwright("update", "--unpublish", "81/tcp", "web").returncode == 0
    assert ports(daemon, "web") == [] and ask(daemon.inside, "127.0.0.1", 8180, 1) == ""


def test_a_connection_goes_on_while_other_ports_change(daemon: Any, dockwright: Dockwright, neighbour_of: Any) -> None:
    other = neighbour_of(daemon, "10.99.0")
    daemon.says("run", "-d", "--name", "cat", "-p", "8181:80", "busybox", "nc", "-l", "-p", "80", "-e", "cat")
    time.sleep(0.5)
    for where, address in ((other, "10.99.0.1"),):
        command = [*where, "busybox", "nc", address, "8181"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            assert client.stdin and client.stdout
            client.stdin.write(b"one\n")
            client.stdin.flush()
            assert client.stdout.readline() == b"one\n"
            assert dockwright("update", "-p", "8182:81", "cat").returncode == 0
            client.stdin.write(b"two\n")
            client.stdin.flush()
            assert client.stdout.readline() == b"two\n"
            client.kill()


def test_what_cannot_be_published_changes_nothing(daemon: Any, dockwright: Dockwright) -> None:
    serve(daemon, "first", "-p", "8183:80")
    serve(daemon, "web", "-p", "8184:80")
    before = daemon.says("inspect", "-f", "{{json .HostConfig.PortBindings}}{{json .NetworkSettings.Ports}}", "web")
    taken = dockwright("update", "-p", "8185:81", "-p", "8183:80", "web")
    assert taken.returncode == 1 and "Bind for 0.0.0.0:8183 failed: port is already allocated" in taken.stderr
    assert dockwright("update", "-p", "8185:81", "--memory", "1", "web").returncode == 1
    assert daemon.says("inspect", "-f", "{{json .HostConfig.PortBindings}}{{json .NetworkSettings.Ports}}", "web") == before
    assert ask(daemon.inside, "127.0.0.1", 8184) == "web80" and ask(daemon.inside, "127.0.0.1", 8185, 1) == ""
    assert "port 99/tcp is not published" in dockwright("update", "--unpublish", "99", "web").stderr
    assert "invalid containerPort: x" in dockwright("update", "--unpublish", "x", "web").stderr
    daemon.says("run", "-d", "--name", "onhost", "--network", "host", "busybox", "sleep", "100")
    assert "conflicting options: port publishing" in dockwright("update", "-p", "80", "onhost").stderr


def test_a_stopped_container_has_them_from_its_next_start_on(daemon: Any, dockwright: Dockwright) -> None:
    daemon.says("create", "--name", "web", "-p", "8186:80", "busybox", "sh", "-c", "while true; do echo x | nc -l -p 81; done")
    assert dockwright("update", "--unpublish", "80", "-p", "8187:81", "web").returncode == 0
    daemon.says("start", "web")
    assert ports(daemon, "web") == ["81/tcp -> 0.0.0.0:8187", "81/tcp -> [::]:8187"]
    assert ask(daemon.inside, "127.0.0.1", 8187) == "x"


def test_changed_ports_survive_a_killed_daemon_and_a_restart(daemon: Any, dockwright: Dockwright) -> None:
    serve(daemon, "web", "-p", "8188:80")
    assert dockwright("update", "-p", "8189:81", "web").returncode == 0
    daemon.end(signal.SIGKILL)
    assert ask(daemon.inside, "127.0.0.1", 8189) == "web81"
    daemon.start()
    assert ask(daemon.inside, "127.0.0.1", 8189) == "web81"
    daemon.says("restart", "-t", "0", "web")
    assert ask(daemon.inside, "127.0.0.1", 8189) == "web81" and ask(daemon.inside, "127.0.0.1", 8188) == "web80"


def test_on_networks_of_the_user(daemon: Any, dockwright: Dockwright) -> None:
    daemon.says("network", "create", "--internal", "in")
    daemon.says("network", "create", "front")
    serve(daemon, "inner", "--network", "in")
    assert dockwright("update", "-p", "8190:80", "inner").returncode == 0
    assert ports(daemon, "inner") == []  # as at a start: an internal network publishes nothing
    daemon.says("network", "connect", "front", "inner")
    assert ask(daemon.inside, "127.0.0.1", 8190) == "inner80"
