"""--userns-remap default: the user dockremap is made, in an /etc that only this daemon sees."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FILES = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
# /etc without dockremap, with a range that is taken; a copy of it stays in {0} for the next daemon
PRIVATE = """
if [ ! -d {0} ]; then
    cp -a /etc {0}
    touch {0}/subuid {0}/subgid
    sed -i '/dockremap/d' {0}/passwd {0}/group {0}/shadow {0}/gshadow {0}/subuid {0}/subgid
    echo somebody:100000:65536 >>{0}/subuid
fi
mount --bind {0} /etc
{1}
exec "$@"
"""


@pytest.fixture
def host() -> Iterator[None]:
    """The host's own users stay as they are."""
    read = lambda: {name: Path(f"/etc/{name}").read_bytes() for name in FILES if Path(f"/etc/{name}").exists()}  # noqa: E731
    before = read()
    yield
    assert read() == before


def private(etc: str, more: str = "") -> list[str]:
    return ["unshare", "-m", "sh", "-ec", PRIVATE.format(etc, more), "sh"]


def lines(etc: Path | str, name: str) -> list[str]:
    return [line for line in Path(f"{etc}/{name}").read_text().splitlines() if "dockremap" in line]


def test_the_user_is_made_once(host: None, daemon_class: Any) -> None:
    daemon = daemon_class("--userns-remap", "default")
    etc = f"{daemon.root}/etc"
    daemon.through = private(etc)
    try:
        daemon.start()
        daemon.load()
        shown = daemon.docker("run", "--rm", "--network", "none", "busybox", "cat", "/proc/self/uid_map", "/proc/self/gid_map")
        ranges = [lines(etc, name) for name in ("subuid", "subgid")]
        assert ranges[0] == ["dockremap:165536:65536"], "the first range is taken"
        first = int(ranges[1][0].split(":")[1])
        assert shown.stdout.split() == [b"0", b"165536", b"65536", b"0", str(first).encode(), b"65536"], shown
        (user,) = lines(etc, "passwd")
        assert user.endswith(":/bin/false") and len(lines(etc, "group")) == 1
        daemon.end()
        daemon.start()
        assert (lines(etc, "passwd"), [lines(etc, name) for name in ("subuid", "subgid")]) == ([user], ranges)
        assert daemon.docker("image", "inspect", "busybox").returncode == 0, "the same data root"
    finally:
        daemon.close()


def refused(etc: Path, more: str, *flags: str) -> tuple[int, str]:
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from dockwright.daemon.main import main; sys.exit(main())"
    command = [*private(str(etc), more), sys.executable, "-c", code, "--userns-remap", "default", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


FAILS = "printf '#!/bin/sh\\necho no room; exit 3\\n' >{0}/fails; chmod +x {0}/fails; mount --bind {0}/fails "


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (
            FAILS + "/usr/sbin/adduser",
            'error adding user "dockremap": failed to add user with error: exit status 3; output: "no room\\n"',
        ),
        (
            FAILS + "/usr/sbin/usermod",
            "couldn't create subordinate ID ranges: unable to add subuid range to user: \"dockremap\"; output: no room\n"
            ", err: exit status 3",
        ),
        (
            "rm {0}/subgid",
            "couldn't create subordinate ID ranges: error while looking for subgid ranges for user \"dockremap\": "
            "open /etc/subgid: no such file or directory",
        ),
    ],
)
def test_what_fails_leaves_no_user(host: None, tmp_path: Path, more: str, text: str) -> None:
    etc = tmp_path / "etc"
    code, said = refused(etc, more.format(etc))
    assert (code, said.splitlines()) == (1, f'Error during "dockremap" user creation: {text}'.splitlines())
    assert [lines(etc, name) for name in ("passwd", "group", "subuid")] == [[], [], []]


def test_a_validation_makes_nobody(host: None, tmp_path: Path) -> None:
    assert refused(tmp_path / "etc", ":", "--validate") == (0, "configuration OK\n")
    assert lines(tmp_path / "etc", "passwd") == []
