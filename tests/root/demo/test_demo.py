"""`scripts/demo` as a newcomer types it: in the host's network where that is free, else in a namespace of its own.

The host's network is here one of the test's own, so that tests at the same time keep out of each other's way.
"""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def demo(script: str) -> "subprocess.CompletedProcess[str]":
    command = ["unshare", "--net", "bash", "-c", f"set -e; ip link set lo up; {script}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110, check=False)


@pytest.mark.parametrize(
    ("before", "words"),
    [("true", "in the host's network"), ("ip link add docker0 type bridge", "in network namespace dwd")],
    ids=["host", "namespace"],
)
def test_everything_works_and_nothing_is_left(before: str, words: str) -> None:
    done = demo(f"{before}; scripts/demo")
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    assert words in done.stdout
    assert "✗" not in done.stdout
    assert "0 processes, 0 mounts, 0 namespaces, 0 cgroups, 0 links, 0 rules, 0 settings, 0 files" in done.stdout
    assert "execve true" in done.stdout  # the trace was read


def test_a_step_that_goes_wrong_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho no such thing >&2; exit 5\n")
    docker.chmod(0o755)
    done = demo(f"PATH={tmp_path}:$PATH scripts/demo")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "✗ docker run" in done.stdout and "no such thing" in done.stdout and "✓ 0 processes" in done.stdout
    went_wrong = ["1 of 19 steps went wrong:", "      docker run --rm busybox echo hello, docker"]
    assert done.stdout.splitlines()[-2:] == went_wrong, done.stdout
