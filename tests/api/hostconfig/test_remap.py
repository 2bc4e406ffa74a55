"""userns-remap: root of a container is nobody of the host's, and files keep their owners on the disk."""

import os
import subprocess
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

FIRST, SIZE = 300000, 65536
# the ids of a user, where only this daemon sees them
IDS = 'echo nobody:{0}:{1} >{2}/subuid; echo nogroup:{0}:{1} >{2}/subgid; mount --bind {2}/subuid /etc/subuid; '
IDS += 'mount --bind {2}/subgid /etc/subgid; exec "$@"'


@pytest.fixture(scope="module", params=["overlay2", "vfs"])
def daemon(request: pytest.FixtureRequest, daemon_class: Any) -> Iterator[Any]:
    daemon = daemon_class("--userns-remap", "nobody:nogroup", "-s", request.param)
    for name in ("subuid", "subgid"):
        Path(f"/etc/{name}").touch()
    daemon.inside = [*daemon.inside, "unshare", "-m", "sh", "-c", IDS.format(FIRST, SIZE, daemon.root), "sh"]
    daemon.start()
    daemon.load()
    yield daemon
    daemon.close()


def said(daemon: Any, *arguments: str, code: int = 0) -> str:
    done = daemon.docker(*arguments)
    assert done.returncode == code, done
    return (done.stdout + done.stderr).decode().strip()


@pytest.fixture
def sleeper(daemon: Any) -> Iterator[str]:
    ident = said(daemon, "run", "-d", "--ipc", "shareable", "-v", "vol:/data", "busybox", "sleep", "1000")
    yield ident
    daemon.docker("rm", "-f", ident)


def test_root_is_somebody_else(daemon: Any, sleeper: str) -> None:
    pid = said(daemon, "inspect", "-f", "{{.State.Pid}}", sleeper)
    assert os.stat(f"/proc/{pid}").st_uid == FIRST
    assert said(daemon, "exec", sleeper, "id", "-u") == "0"
    assert said(daemon, "exec", sleeper, "cat", "/proc/self/uid_map").split() == ["0", str(FIRST), str(SIZE)]
    owned = said(daemon, "exec", sleeper, "stat", "-c", "%u:%g", "/", "/bin/busybox", "/etc/hosts", "/dev/null", "/data")
    assert owned.split() == ["0:0"] * 5
    assert said(daemon, "run", "--rm", "-u", "1000:1000", "busybox", "id", "-u") == "1000"
    assert "Operation not permitted" in said(daemon, "exec", sleeper, "mknod", "/x", "b", "8", "0", code=1)


def test_the_data_root_and_info(daemon: Any) -> None:
    root = f"{daemon.root}/data/{FIRST}.{FIRST}"
    assert said(daemon, "info", "-f", "{{.DockerRootDir}}") == root
    assert "name=userns" in said(daemon, "info", "-f", "{{json .SecurityOptions}}")
    assert os.path.exists(f"{root}/metadata.db")


def test_files_keep_their_owners_on_the_disk(daemon: Any, sleeper: str) -> None:
    said(daemon, "exec", sleeper, "sh", "-c", "echo x >/data/f; chown 5:6 /data/f; echo y >/own; chown 7 /own")
    info = os.stat(f"{daemon.root}/data/{FIRST}.{FIRST}/volumes/vol/_data/f")
    assert (info.st_uid, info.st_gid) == (5, 6)
    host = said(daemon, "run", "--rm", "--userns", "host", "-v", "vol:/data", "busybox", "stat", "-c", "%u:%g", "/data/f")
    assert host == "5:6"
    assert "/own" in said(daemon, "diff", sleeper)
    said(daemon, "commit", sleeper, "committed")
    assert said(daemon, "run", "--rm", "committed", "stat", "-c", "%u", "/own") == "7"
    said(daemon, "rmi", "committed")


def test_files_in_and_out(daemon: Any, sleeper: str) -> None:
    said(daemon, "exec", sleeper, "sh", "-c", "echo y >/own; chown 7:8 /own")
    for _ in ("running", "stopped"):
        with tarfile.open(fileobj=BytesIO(daemon.docker("cp", f"{sleeper}:/own", "-").stdout)) as tar:
            assert [(entry.uid, entry.gid) for entry in tar] == [(7, 8)]
        buffer = BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            entry = tarfile.TarInfo("put")
            entry.uid, entry.gid, entry.size = 9, 10, 1
            tar.addfile(entry, BytesIO(b"z"))
        assert daemon.docker("cp", "-a", "-", f"{sleeper}:/", stdin=buffer.getvalue()).returncode == 0
        daemon.docker("stop", "-t", "0", sleeper)
    said(daemon, "start", sleeper)
    assert said(daemon, "exec", sleeper, "stat", "-c", "%u:%g", "/put") == "9:10"


def test_who_joins_another_is_in_its_user_namespace(daemon: Any, sleeper: str) -> None:
    joined = ["--network", f"container:{sleeper}", "--ipc", f"container:{sleeper}", "--pid", f"container:{sleeper}"]
    space = said(daemon, "exec", sleeper, "readlink", "/proc/self/ns/user")
    assert said(daemon, "run", "--rm", *joined, "busybox", "readlink", "/proc/self/ns/user") == space
    assert said(daemon, "run", "--rm", "busybox", "readlink", "/proc/self/ns/user") != space
    assert "eth0" not in said(daemon, "run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--privileged"], "privileged mode is incompatible with user namespaces.  You must run the container in the host"),
        (["--network", "host"], "cannot share the host's network namespace when user namespaces are enabled"),
        (["--pid", "host"], "cannot share the host PID namespace when user namespaces are enabled"),
        (["--runtime", "/usr/sbin/runc"], "does not take part in userns-remap: use --userns=host"),
    ],
)
def test_what_cannot_be(daemon: Any, options: list[str], text: str) -> None:
    assert text in said(daemon, "run", "--rm", *options, "busybox", "true", code=125)
    if options[0] != "--runtime":
        said(daemon, "run", "--rm", "--userns", "host", *options, "busybox", "true")


def test_a_terminal_and_an_exec_with_one(daemon: Any, sleeper: str) -> None:
    inner = f"docker -H {daemon.host} exec -t {sleeper} sh -c 'tty; id -u'"
    done = subprocess.run(["script", "-qec", inner, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.stdout.split() == [b"/dev/pts/0", b"0"]


def test_a_restarted_daemon(daemon: Any, sleeper: str) -> None:
    daemon.end()
    daemon.start()
    assert said(daemon, "exec", sleeper, "id", "-u") == "0"
    said(daemon, "restart", "-t", "0", sleeper)
    assert said(daemon, "exec", sleeper, "stat", "-c", "%u", "/bin") == "0"


def test_files_of_another_user(daemon: Any, tmp_path: Path) -> None:
    """keep-id: what is somebody's on the host is the container's user's inside, remapped or not."""
    tmp_path.chmod(0o755)
    source = tmp_path / "home"
    source.mkdir()
    (source / "f").write_text("x")
    for path in (source, source / "f"):
        os.chown(path, 1234, 1235)
    bind = f"{source}:/home:idmap"
    for options in ([], ["--userns", "host"], ["-u", "55:66"]):
        script = "stat -c %u:%g /home/f; echo y >/home/made"
        seen = said(daemon, "run", "--rm", *options, "-v", bind, "busybox", "sh", "-c", script)
        assert seen == ("55:66" if "-u" in options else "0:0")
        made = (source / "made").stat()
        assert (made.st_uid, made.st_gid) == (1234, 1235)
        (source / "made").unlink()
    assert said(daemon, "run", "--rm", "-v", f"{source}:/home", "busybox", "stat", "-c", "%u", "/home/f") == "65534"
