"""The mount table's lines."""

from dockwright.host.mountinfo import mount_of, mounts_below, parse


def test_a_line():
    found = parse("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime shared:7 master:1 - ext3 /dev/root rw,errors=continue\n")
    assert (found.point, found.kind, found.shared, found.slave) == ("/mnt 2", "ext3", True, True)
    assert not parse("1 2 0:1 / / rw - rootfs rootfs rw").shared


def test_this_machine():
    assert mount_of("/proc/self").point == "/proc"
    assert "/proc" in mounts_below("/")
    assert mounts_below("/nonexistent") == []
