"""Devices described by their vendors' files (CDI), as `docker run --device vendor.com/class=name` gets them."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DESCRIBED = {
    "cdiVersion": "0.6.0",
    "kind": "vendor.com/toy",
    "containerEdits": {"env": ["TOYS=yes"]},
    "devices": [
        {
            "name": "one",
            "containerEdits": {
                "env": ["TOY=one"],
                "deviceNodes": [{"path": "/dev/toy", "hostPath": "/dev/loop-control", "permissions": "r"}],
                "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/toy/manual", "options": ["ro", "bind"]}],
                "additionalGids": [4242],
            },
        }
    ],
}


@pytest.fixture(scope="module")
def place(daemon: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    """A daemon that looks for descriptions in a directory of the tests', and the directory."""
    directory = tmp_path_factory.mktemp("cdi")
    made = type(daemon)("--cdi-spec-dir", str(directory))
    made.start()
    try:
        assert made.docker("load", stdin=daemon.docker("save", "busybox").stdout).returncode == 0
        yield made, directory
    finally:
        made.close()


def run(place: tuple[Any, Path], *arguments: str) -> "tuple[int, str, str]":
    done = place[0].docker("run", "--rm", "--network", "none", *arguments)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_device_with_all_that_belongs_to_it(place: tuple[Any, Path]) -> None:
    (place[1] / "toy.json").write_text(json.dumps(DESCRIBED))
    script = "echo $TOYS $TOY; (: < /dev/toy) && echo opened; (: > /dev/toy) || echo refused; cat /toy/manual; id -G"
    code, out, error = run(place, "--device", "vendor.com/toy=one", "busybox", "sh", "-c", script)
    manual = Path("/etc/hostname").read_text().strip()
    assert code == 0, error
    assert out.split() == ["yes", "one", "opened", "refused", manual, "0", "4242"]


def test_hooks_run_at_the_beginning_and_at_the_end(place: tuple[Any, Path], tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\necho $1 $(tr , "\\n" | grep -c stopped) >> {tmp_path}/ran\n')
    hook.chmod(0o755)
    hooks = [{"hookName": name, "path": str(hook), "args": ["hook", name]} for name in ("createRuntime", "poststop")]
    (place[1] / "hooked.yaml").write_text(
        json.dumps({**DESCRIBED, "kind": "vendor.com/hooked", "devices": [{"name": "it", "containerEdits": {"hooks": hooks}}]})
    )
    assert run(place, "--device", "vendor.com/hooked=it", "busybox", "true")[0] == 0
    deadline = time.monotonic() + 5
    while "poststop" not in (tmp_path / "ran").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "ran").read_text() == "createRuntime 0\npoststop 1\n"


def test_devices_that_are_not_described(place: tuple[Any, Path]) -> None:
    code, _, error = run(place, "--device", "vendor.com/toy=two", "--device", "other.com/toy=one", "busybox", "true")
    text = "CDI device injection failed: unresolvable CDI devices vendor.com/toy=two, other.com/toy=one"
    assert code == 125 and text in error
    assert place[0].docker("ps", "-aq").stdout == b""


def test_a_device_whose_node_has_gone(place: tuple[Any, Path]) -> None:
    gone = {"name": "gone", "containerEdits": {"deviceNodes": [{"path": "/dev/no-such-toy"}]}}
    (place[1] / "gone.json").write_text(json.dumps({**DESCRIBED, "kind": "vendor.com/gone", "devices": [gone]}))
    code, _, error = run(place, "--device", "vendor.com/gone=gone", "busybox", "true")
    assert code and 'failed to stat CDI host device "/dev/no-such-toy": no such file or directory' in error
