"""SELinux: a warning where there is none, a refusal where labels would be missed."""

from pathlib import Path

import pytest

from dockwright.base.errors import NotSupported
from dockwright.daemon import selinux
from dockwright.host.files import HostFiles


def test_what_becomes_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    selinux.check(False, HostFiles(str(tmp_path)))
    assert caplog.messages == []
    selinux.check(True, HostFiles(str(tmp_path)))
    assert caplog.messages == ["Docker could not enable SELinux on the host system"]
    (tmp_path / "sys/fs/selinux").mkdir(parents=True)
    (tmp_path / "sys/fs/selinux/enforce").write_text("1")
    with pytest.raises(NotSupported, match="containers get no SELinux labels"):
        selinux.check(True, HostFiles(str(tmp_path)))
