"""--platform, and images of another machine."""

import pytest

from dockwright.base.errors import EngineError
from dockwright.containers import platforms
from dockwright.host import platform
from dockwright.host.files import HostFiles
from dockwright.images.store import Image


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setattr(platform, "own", lambda files=None: "linux/amd64/v3")


def image(**config):
    return Image("sha256:1", {"os": "linux", "architecture": "amd64", **config}, "", 0, 0, ())


def test_the_right_platform():
    for wanted in ("", "linux/amd64", "amd64", "linux", "linux/x86_64", "linux/amd64/v2"):
        assert platforms.check(wanted, "x", image()) == []
    assert platforms.check("linux/arm/v7", "x", image(architecture="arm", variant="v7")) == []


def test_another_platform():
    with pytest.raises(EngineError) as caught:
        platforms.check("linux/s390x", "busybox", image())
    assert caught.value.message == (
        "image with reference busybox was found but does not match the specified platform: wanted linux/s390x, actual: "
        "linux/amd64"
    )
    assert caught.value.status == 404
    assert platforms.check("", "x", image(architecture="arm64")) == [
        "The requested image's platform (linux/arm64) does not match the detected host platform (linux/amd64/v3) and no "
        "specific platform was requested"
    ]


def test_no_platform():
    with pytest.raises(EngineError, match="invalid OS/architecture"):
        platforms.check("a/b/c/d", "x", image())


def test_levels_of_x86(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("flags : cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3 avx\n")
    assert platform._level(HostFiles(str(tmp_path))) == "v2"
    assert platform._level(HostFiles("/nowhere")) == ""
