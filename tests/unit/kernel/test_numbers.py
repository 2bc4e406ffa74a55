"""System call numbers and layouts, against the C headers where they are installed."""

import ctypes
import os
import re
from pathlib import Path

import pytest

from dockwright.kernel import libc, mount, process

# the first kernel with each call that is younger than Linux 4.0 (man pages, HISTORY): none is newer than our floor
SINCE = {
    "execveat": (3, 19), "pidfd_send_signal": (5, 1), "open_tree": (5, 2), "move_mount": (5, 2), "fsopen": (5, 2),
    "fsconfig": (5, 2), "fsmount": (5, 2), "pidfd_open": (5, 3), "clone3": (5, 3), "close_range": (5, 9),
    "openat2": (5, 6), "mount_setattr": (5, 12), "quotactl_fd": (5, 14),
}  # fmt: skip
FLOOR = (5, 15)


def test_no_call_is_newer_than_the_oldest_kernel_we_run_on() -> None:
    """So none needs a fallback. Who adds a newer one adds its fallback, and a test that makes it answer ENOSYS."""
    young = {name for name, (x86, arm) in libc._NUMBERS.items() if x86 >= 322 or arm >= 281}
    assert young <= set(SINCE)
    assert all(version <= FLOOR for version in SINCE.values())


HEADERS = {
    "x86_64": ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h"],
    "aarch64": ["/usr/include/asm-generic/unistd.h", "/usr/include/aarch64-linux-gnu/asm/unistd_64.h"],
}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_numbers_are_the_headers(machine: str) -> None:
    text = "".join(Path(path).read_text() for path in HEADERS[machine] if Path(path).exists())
    if not text:
        pytest.skip("needs the kernel's headers (linux-libc-dev)")
    defined = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    column = 0 if machine == "x86_64" else 1
    for name, pair in libc._NUMBERS.items():
        assert defined.get(name) == pair[column], name


def test_structures_have_the_kernels_sizes() -> None:
    assert ctypes.sizeof(process.CloneArgs) == 88  # CLONE_ARGS_SIZE_VER2
    assert ctypes.sizeof(mount.MountAttr) == 32  # MOUNT_ATTR_SIZE_VER0
    assert ctypes.sizeof(mount.OpenHow) == 24  # OPEN_HOW_SIZE_VER0


def test_errors_carry_number_and_name() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        mount.open_tree(mount.AT_FDCWD, "/not/there", 0)
    assert caught.value.filename == "/not/there"


def test_openat2_stays_inside(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / "etc").mkdir()
    fd = os.open(tmp_path, os.O_RDONLY)
    inner = mount.openat2(fd, "out", mount.O_PATH)
    assert os.readlink(f"/proc/self/fd/{inner}") == str(tmp_path / "etc")
    for descriptor in (fd, inner):
        os.close(descriptor)
