"""Storage drivers that this kernel lacks, in the guest that $VM_RUN starts (see scripts/test)."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dockwright.kernel import devicemapper

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("what", ["devicemapper or thin_device or thin_pool", "size"])
def test_in_a_guest(what: str, peer: Callable[[str], str]) -> None:
    """The conformance suite and a container's life for devicemapper, and sizes by project quotas."""
    runner = os.environ.get("VM_RUN", "")
    if devicemapper.have_control() or not os.access(runner, os.X_OK):
        pytest.skip("needs $VM_RUN, a program that runs a command in a guest")
    for program in ("mkfs.ext4", "mkfs.xfs"):
        peer(program)
    suites = [f"tests/root/images/{name}.py" for name in ("test_snapshotters", "test_containers")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--require-peers", *suites, "-k", what]
    guest = [runner, "--share", str(ROOT), "--", "env", "PYTHONDONTWRITEBYTECODE=1", *command]
    done = subprocess.run(guest, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
