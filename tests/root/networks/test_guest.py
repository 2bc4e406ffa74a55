"""Links that this kernel lacks (ipvlan, VLANs), in the guest that $VM_RUN starts (see scripts/test)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def test_in_a_guest() -> None:
    """The conformance suite of the network drivers, without anything skipped."""
    runner = os.environ.get("VM_RUN", "")
    if runner == "uml" or not os.access(runner, os.X_OK):
        pytest.skip("needs $VM_RUN, a program that runs a command in a guest")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/root/networks/test_network_drivers.py"]
    guest = [runner, "--share", str(ROOT), "--", "env", "PYTHONDONTWRITEBYTECODE=1", *command]
    done = subprocess.run(guest, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
