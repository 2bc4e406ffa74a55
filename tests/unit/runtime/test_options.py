"""Mount options as flags."""

import pytest

from dockwright.kernel import mount as m
from dockwright.runtime.options import Options


def test_later_options_win() -> None:
    options = Options(["ro", "rw", "nosuid"])
    assert (options.set, options.clear) == (m.MOUNT_ATTR_NOSUID, m.MOUNT_ATTR_RDONLY)


def test_times_exclude_each_other() -> None:
    options = Options(["noatime", "strictatime"])
    assert options.set == m.MOUNT_ATTR_STRICTATIME and options.clear & m.MOUNT_ATTR__ATIME == m.MOUNT_ATTR__ATIME


@pytest.mark.parametrize(("text", "recursive"), [("rbind", True), ("bind", False)])
def test_binds(text: str, recursive: bool) -> None:
    options = Options([text])
    assert options.bind and options.recursive is recursive


def test_recursive_attributes() -> None:
    options = Options(["rbind", "rro", "rnosuid"])
    assert options.set_all == m.MOUNT_ATTR_RDONLY | m.MOUNT_ATTR_NOSUID and options.set == 0


def test_the_rest_is_for_the_file_system() -> None:
    assert Options(["size=1m", "rprivate", "mode=700", "defaults"]).data == ["size=1m", "mode=700"]
