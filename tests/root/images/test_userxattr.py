"""overlay2 in a user namespace: overlayfs keeps its attributes under `user.` there, and so does the driver."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = str(Path(__file__).parents[3] / "src")
LAYERS = """
import io, os, sys, tarfile
sys.path.insert(0, sys.argv[1])
from dockwright.images import snapshotters
from dockwright.images.merged import kind
from dockwright.images.unpack import Unpacker
from dockwright.runtime import tree

root = sys.argv[2]
driver = snapshotters.choose("overlay2", lambda name: f"{root}/{name}", f"{root}/trash", {})
assert ["userxattr", "true"] in driver.status(), driver.status()

def layer(key, parent, *names):
    target, buffer = driver.prepare(key, parent), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in names:
            info = tarfile.TarInfo(name.rstrip("/"))
            info.type, info.mode = (tarfile.DIRTYPE, 0o755) if name.endswith("/") else (tarfile.REGTYPE, 0o644)
            tar.addfile(info)
    buffer.seek(0)
    with Unpacker(target, driver.aside(target), driver.whiteouts(target)) as unpacker:
        unpacker.all(buffer)
    driver.commit(key)

layer("base", "", "d/", "d/old", "e/", "e/old", "gone", "kept")
layer("top", "base", "d/", "d/.wh..wh..opq", "d/new", ".wh.gone")
assert os.getxattr(f"{root}/overlay2/top/diff/d", "user.overlay.opaque") == b"y"
driver.writable("box", "top", {})
mount, = driver.mounts("box")
assert "userxattr" in mount["options"]
fd = tree.mounted(mount, driver.base)
here = f"/proc/self/fd/{fd}"
assert sorted(os.listdir(f"{here}/.")) == ["d", "e", "kept"] and os.listdir(f"{here}/d") == ["new"]
os.unlink("kept", dir_fd=fd)
os.unlink("e/old", dir_fd=fd)
os.rmdir("e", dir_fd=fd)
os.mkdir("e", dir_fd=fd)          # the kernel makes it opaque
os.close(os.open("e/fresh", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
os.close(fd)
found = driver.changes("box")
assert found == [("/e", 0), ("/e/fresh", 1), ("/e/old", 2), ("/kept", 2)], found
with driver.opened("box") as directories:
    kinds = [kind(directories, path, driver.marks) for path in ("e/fresh", "e/old", "d/new", "d/old")]
assert list(map(bool, kinds)) == [True, False, True, False], kinds
for key in ("box", "top", "base"):
    driver.remove(key)
assert driver.keys() == []
print("done")
"""
NO_MOUNTS = """
import sys
sys.path.insert(0, sys.argv[1])
from dockwright.images import snapshotters
snapshotters.choose("overlay2", lambda name: f"{sys.argv[2]}/{name}", f"{sys.argv[2]}/trash", {})
"""


def in_namespace(options: str, code: str, root: Path) -> "subprocess.CompletedProcess[str]":
    probe = subprocess.run(["unshare", options, "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("needs user namespaces")
    os.makedirs(root / "trash")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["unshare", options, sys.executable, "-c", code, SOURCES, str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_attributes_of_the_user(tmp_path: Path) -> None:
    done = in_namespace("-Urm", LAYERS, tmp_path)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_a_namespace_without_mounts_of_its_own(tmp_path: Path) -> None:
    done = in_namespace("-Ur", NO_MOUNTS, tmp_path)
    assert "driver not supported: no overlay with userxattr in this user namespace" in done.stderr
    assert list((tmp_path / "trash").iterdir()) == []
