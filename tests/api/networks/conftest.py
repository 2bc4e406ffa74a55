"""A second host for network tests, and our own command line."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def neighbour_of() -> Iterator[Callable[[Any, str], list[str]]]:
    """Make a host on a link with a daemon's: (daemon, "10.99.0") gives it .2 and the daemon's host .1.

    The answer is how to run a command there.
    """
    made: list[tuple[Any, str]] = []

    def make(daemon: Any, net: str) -> list[str]:
        name = daemon.netns + "n"
        subprocess.run(["ip", "netns", "add", name], check=True)
        made.append((daemon, name))
        other = ["nsenter", f"--net=/run/netns/{name}"]
        here, there = ["lan0", "netns", daemon.netns], ["lan1", "netns", name]
        subprocess.run(["ip", "link", "add", *here, "type", "veth", "peer", "name", *there], check=True)
        for where, device, address in ((daemon.inside, "lan0", f"{net}.1/24"), (other, "lan1", f"{net}.2/24")):
            subprocess.run([*where, "ip", "address", "add", address, "dev", device], check=True)
            subprocess.run([*where, "ip", "link", "set", device, "up"], check=True)
        return other

    yield make
    for daemon, name in made:  # the link first: with its namespace alone it would go some time later
        subprocess.run([*daemon.inside, "ip", "link", "delete", "lan0"], check=True)
        subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.fixture
def dockwright(daemon: Any) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Our own command line."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(Path(sys.executable).with_name("dockwright")), "-H", daemon.host, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run
