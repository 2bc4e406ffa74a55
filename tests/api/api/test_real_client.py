"""The real docker client against the server with fake managers: is it content with what it hears?"""

import asyncio
import importlib.util
import pathlib
import shutil
import subprocess
import threading
import time

import pytest

from dockwright.api.system import System
from dockwright.daemon.config import Config

DOCKER = shutil.which("docker")
pytestmark = pytest.mark.skipif(not DOCKER, reason="the docker client is not installed")

_fakes = pathlib.Path(__file__).parents[2] / "unit" / "api" / "fakes.py"
_spec = importlib.util.spec_from_file_location("api_fakes_real", _fakes)
fakes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fakes)


@pytest.fixture
def server(tmp_path):
    """A running server in a thread, with one event a tenth of a second."""
    ready, box = threading.Event(), {}

    async def main():
        async with fakes.running(tmp_path) as running:
            containers, images = running.containers, running.images
            system = System("the-id", Config(), containers, images, Volumes(), running.events, ({"runc": {}}, "runc"))
            running.server._managers.system = system
            containers.list = one_container
            box.update(running=running, loop=asyncio.get_running_loop(), end=asyncio.Event())
            ready.set()
            while not box["end"].is_set():
                running.events.publish("container", "start", "a" * 64, {"image": "busybox", "name": "web"})
                await asyncio.sleep(0.1)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(10)
    yield box["running"]
    box["loop"].call_soon_threadsafe(box["end"].set)
    thread.join(10)


class Volumes:
    def driver_names(self):
        return ["local"]


async def one_container(all, limit, size, filters):
    return [
        {
            "Id": "a" * 64,
            "Names": ["/web"],
            "Image": "busybox",
            "ImageID": "sha256:1",
            "Command": "sh",
            "Created": 1700000000,
            "Ports": [],
            "Labels": {},
            "State": "running",
            "Status": "Up 3 minutes",
            "HostConfig": {"NetworkMode": "bridge"},
            "NetworkSettings": {"Networks": {}},
            "Mounts": [],
        }
    ]


def docker(server, *arguments):
    command = [DOCKER, "-H", f"unix://{server.path}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def test_version(server):
    result = docker(server, "version", "--format", "{{.Server.Version}} {{.Server.APIVersion}} {{.Client.APIVersion}}")
    version, ours, theirs = result.stdout.split()
    assert (version, ours) == ("27.5.1", "1.47")
    assert tuple(map(int, theirs.split("."))) <= (1, 47)


def test_info(server):
    form = "{{.ID}} {{.ServerVersion}} {{.ContainersRunning}} {{.Swarm.LocalNodeState}}"
    result = docker(server, "info", "--format", form)
    assert result.stdout.split() == ["the-id", "27.5.1", "1", "inactive"]
    assert docker(server, "info").returncode == 0


def test_ps(server):
    assert docker(server, "ps", "--format", "{{.ID}} {{.Names}} {{.Status}}").stdout == f"{'a' * 12} web Up 3 minutes\n"


def test_events(server):
    until = str(int(time.time()) + 1)
    result = docker(server, "events", "--since", "10s", "--until", until, "--format", "{{.Action}} {{.Actor.ID}}")
    assert result.stdout.splitlines()[0] == f"start {'a' * 64}"


def test_errors_reach_the_user(server):
    result = docker(server, "kill", "nope")
    assert result.returncode == 1
    assert "Error response from daemon: No such container: nope" in result.stderr


def test_what_is_missing_says_so(server):
    result = docker(server, "node", "ls")
    assert result.returncode == 1
    assert "This node is not a swarm manager." in result.stderr
