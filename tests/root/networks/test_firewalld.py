"""A host ruled by a real firewalld: our bridges are in its zone `trusted`, also after a reload; respect-host is by its rules."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests import images

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("firewalld.sh")
CLIENT = "00000000FFFF00000200630A"  # 10.99.0.2 as /proc/net/tcp6 has it


@pytest.fixture
def packages() -> list[Path]:
    """firewalld's packages, as scripts/peers has fetched them; none where it is installed."""
    found = sorted((ROOT / ".venv/firewalld").glob("*.deb"))
    if not found and not shutil.which("firewalld", path="/usr/sbin:/usr/bin"):
        pytest.skip("needs firewalld")
    return found


def test_bridges_stay_in_their_zone(packages: list[Path], tmp_path: Path) -> None:
    image, place = tmp_path / "image.tar", tmp_path / "place"
    image.write_bytes(images.docker_archive([images.busybox_layer()], ["busybox:latest"]))
    place.mkdir()
    command = ["unshare", "-m", "-n", "-p", "-f", "--mount-proc", "bash", str(SCRIPT), str(ROOT), str(place), str(image)]
    done = subprocess.run([*command, *map(str, packages)], capture_output=True, text=True, timeout=90, check=False)
    if done.returncode == 77:
        pytest.skip("needs firewalld and what it needs")
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    assert told.pop("firewalld") and "level=error" not in done.stdout
    assert told == {
        "zone": "trusted", "closed": "yes", "open": CLIENT, "way out": "yes", "zone after a reload": "trusted",
        "closed after a reload": "yes", "open after a reload": CLIENT, "way out after a reload": "yes",
        "zone after its removal": "none", "zone after the daemon": "none",
    }, done.stderr  # fmt: skip
