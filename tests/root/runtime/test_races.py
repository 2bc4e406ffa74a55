"""Attackers who change the file system between a look and its use (CVE-2021-30465, CVE-2024-45310).

A helper exchanges a directory of a shared volume with a link to a tree of the host, over and over, while containers are
started whose mounts go below it. Whatever each start comes to, the host's tree is neither mounted on nor written to.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STARTS = 20
# renameat2(2) RENAME_EXCHANGE as fast as it goes
SWAP = """
import ctypes, sys
libc = ctypes.CDLL(None)
one, two = (name.encode() for name in sys.argv[1:])
while True:
    for _ in range(100):
        libc.renameat2(-100, one, -100, two, 2)
"""


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "canary"
    (place / "deep").mkdir(parents=True)
    (place / "secret").write_text("secret of the host\n")
    yield place
    found = sorted(str(path.relative_to(place)) for path in place.rglob("*"))
    assert found == ["deep", "secret"] and (place / "secret").read_text() == "secret of the host\n"


@pytest.fixture
def volume(tmp_path: Path, canary: Path) -> Iterator[Path]:
    """A volume in which `door` is a directory at one moment and a link to the canary at the next."""
    shared = tmp_path / "volume"
    (shared / "door").mkdir(parents=True)
    (shared / "link").symlink_to(canary)
    swapper = subprocess.Popen([sys.executable, "-c", SWAP, str(shared / "door"), str(shared / "link")])
    time.sleep(0.2)
    yield shared
    swapper.kill()
    swapper.wait()


def mounted_below(place: Path) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(place) in line.split()[4]]


@pytest.mark.parametrize("what", ["tmpfs", "bind", "cwd"])
def test_a_swapped_directory_never_leads_to_the_host(
    runtime: Any, bundle: Any, canary: Path, volume: Path, tmp_path: Path, what: str
) -> None:
    (tmp_path / "file").write_text("of the container\n")
    bundle.mount("/vol", "bind", str(volume), "rbind")
    if what == "tmpfs":
        bundle.mount("/vol/door/deep/new", "tmpfs", "tmpfs")
    elif what == "bind":
        bundle.mount("/vol/door/secret", "bind", str(tmp_path / "file"), "bind")
    else:
        bundle.process["cwd"] = "/vol/door/made/here"
    bundle.script(f"cat {canary}/secret /vol/door/secret 2>/dev/null; true")
    codes = set()
    for _ in range(STARTS):
        done = runtime.run(bundle)
        codes.add(done.returncode)
        assert "secret of the host" not in done.stdout
        assert not mounted_below(canary)
        assert os.listdir(runtime.root) == []
    assert codes <= {0, 1}
