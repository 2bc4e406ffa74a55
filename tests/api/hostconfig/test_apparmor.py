"""The AppArmor profile of containers, where the host has AppArmor (else there is nothing to see)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockwright.host import security
from dockwright.host.files import HostFiles
from dockwright.supervisor import spawner

pytestmark = pytest.mark.skipif(
    not security.apparmor(HostFiles()) or not spawner.find("apparmor_parser"),
    reason="the host has no AppArmor, or no apparmor_parser",
)
LABEL = ["cat", "/proc/self/attr/current"]


@pytest.fixture(autouse=True)
def clean(daemon: Any) -> Iterator[None]:
    yield
    for ident in daemon.docker("ps", "-aq").stdout.decode().split():
        daemon.docker("rm", "-f", ident)


def label(daemon: Any, *options: str) -> str:
    done = daemon.docker("run", "--rm", "--network", "none", *options, "busybox", *LABEL)
    assert done.returncode == 0, done.stderr
    return str(done.stdout.decode().strip())


def test_the_default_profile_is_loaded_and_used(daemon: Any) -> None:
    assert "docker-default (enforce)" in Path("/sys/kernel/security/apparmor/profiles").read_text()
    assert label(daemon) == "docker-default (enforce)"
    for options in (["--security-opt", "apparmor=unconfined"], ["--privileged"]):
        assert label(daemon, *options) == "unconfined"


def test_execs_too_and_inspect_shows_it(daemon: Any) -> None:
    daemon.docker("run", "-d", "--name", "confined", "--network", "none", "busybox", "sleep", "100")
    assert daemon.docker("exec", "confined", *LABEL).stdout == b"docker-default (enforce)\n"
    assert json.loads(daemon.docker("inspect", "confined").stdout)[0]["AppArmorProfile"] == "docker-default"
    assert daemon.docker("kill", "-s", "TERM", "confined").returncode == 0


def test_what_it_forbids(daemon: Any) -> None:
    script = "mount -t tmpfs x /tmp; echo 1 > /proc/sys/kernel/panic; echo 1 > /proc/sysrq-trigger; touch /x && echo root"
    options = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined"]
    done = daemon.docker("run", "--rm", "--network", "none", *options, "busybox", "sh", "-c", script)
    assert done.stdout == b"root\n"
    assert done.stderr.lower().count(b"permission denied") == 3, done.stderr


def test_a_profile_that_is_not_there(daemon: Any) -> None:
    done = daemon.docker("run", "--rm", "--network", "none", "--security-opt", "apparmor=no-such", "busybox", "true")
    assert done.returncode != 0
    assert b"apparmor" in done.stderr
