"""Archives in and out of containers: the tree that comes back, races, hang-ups, memory, a daemon that is killed."""

import io
import os
import signal
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NONE = ("--network", "none")
MIB = 1 << 20


def put(daemon: Any, name: str, path: str, tar: bytes, query: str = "") -> tuple[int, bytes]:
    done = subprocess.run(
        ["curl", "-s", "--unix-socket", f"{daemon.root}/s", "-w", "%{http_code}", "-X", "PUT",
         "-H", "Content-Type: application/x-tar",         "--data-binary", "@-", f"http://d/containers/{name}/archive?path={path}{query}"],
        input=tar, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    return int(done.stdout[-3:]), done.stdout[:-3]


def get(daemon: Any, name: str, path: str) -> dict[str, tarfile.TarInfo]:
    done = daemon.docker("cp", f"{name}:{path}", "-")
    assert done.returncode == 0, done.stderr
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        return {member.name: member for member in tar}


def tree() -> bytes:
    """One of everything."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:

        def add(name: str, kind: bytes, data: bytes = b"", **more: Any) -> None:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.mtime, info.mode = kind, len(data), 1_600_000_000, 0o755
            for key, value in more.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))

        add("t", tarfile.DIRTYPE, mode=0o1777, uid=3, gid=4)
        add(
            "t/setuid",
            tarfile.REGTYPE,
            b"data",
            mode=0o4711,
            uid=5,
            gid=6,
            pax_headers={"SCHILY.xattr.user.dw": "kept"},
        )
        add("t/hard", tarfile.LNKTYPE, linkname="t/setuid")
        add("t/link", tarfile.SYMTYPE, linkname="../../nowhere", uid=7, gid=8)
        add("t/fifo", tarfile.FIFOTYPE, mode=0o600)
        add("t/null", tarfile.CHRTYPE, devmajor=1, devminor=3)
        add("t/" + "long" * 40 + "/ünïcode", tarfile.REGTYPE, b"x", uid=3_000_000)
        add("t/holes", tarfile.REGTYPE, bytes(4 * MIB) + b"end")
    return buffer.getvalue()


@pytest.fixture(params=["running", "created", "exited"])
def container(tidy: Any, request: Any) -> str:
    options = ("-v", "vf:/vol", "--name", "cc")
    if request.param == "created":
        tidy.docker("create", *NONE, *options, "busybox", "true")
    else:
        script = ("sleep", "1000") if request.param == "running" else ("true",)
        assert tidy.docker("run", *NONE, "-d", *options, "busybox", *script).returncode == 0
    if request.param == "exited":
        tidy.docker("wait", "cc")
    return "cc"


@pytest.fixture(autouse=True)
def nothing_left(daemon: Any) -> Iterator[None]:
    """Descriptors, mounts and temporary folders are where they were."""
    before = descriptors(daemon)
    yield
    daemon.docker("rm", "-f", "cc")
    daemon.docker("volume", "rm", "-f", "vf")
    deadline = time.monotonic() + 5
    while (
        descriptors(daemon) > before + 2 and time.monotonic() < deadline
    ):  # its database connections of worker threads
        time.sleep(0.05)
    assert descriptors(daemon) <= before + 6
    assert daemon.root not in Path("/proc/self/mountinfo").read_text()
    assert list(Path(daemon.root, "data/tmp").glob("root-*")) == []


def descriptors(daemon: Any) -> int:
    return len(os.listdir(f"/proc/{Path(daemon.root, 'pid').read_text().strip()}/fd"))


@pytest.mark.parametrize("path", ["/root", "/vol"])
def test_a_tree_comes_back_as_it_went_in(tidy: Any, container: str, path: str) -> None:
    assert put(tidy, container, path, tree()) == (200, b"")
    found = get(tidy, container, f"{path}/t")
    assert {name: (m.mode, m.uid, m.gid, m.type) for name, m in found.items() if "long" not in name} == {
        "t": (0o1777, 3, 4, tarfile.DIRTYPE),
        "t/fifo": (0o600, 0, 0, tarfile.FIFOTYPE),
        "t/hard": (0o4711, 5, 6, tarfile.REGTYPE),
        "t/holes": (0o755, 0, 0, tarfile.REGTYPE),
        "t/link": (0o777, 7, 8, tarfile.SYMTYPE),
        "t/null": (0o755, 0, 0, tarfile.CHRTYPE),
        "t/setuid": (0o4711, 5, 6, tarfile.LNKTYPE),
    }
    long = found["t/" + "long" * 40 + "/ünïcode"]
    assert (long.uid, long.mtime) == (3_000_000, 1_600_000_000)
    assert found["t/hard"].pax_headers["SCHILY.xattr.user.dw"] == "kept"
    assert (found["t/setuid"].linkname, found["t/link"].linkname) == ("t/hard", "../../nowhere")
    assert found["t/holes"].size == 4 * MIB + 3
    if container == "cc" and path == "/vol":
        holes = os.stat(f"{tidy.root}/data/volumes/vf/_data/t/holes")
        assert holes.st_blocks * 512 < MIB, "zeros become holes"


def test_what_the_engine_mounts_is_not_copied(tidy: Any) -> None:
    tidy.docker("run", *NONE, "-d", "--name", "cc", "--tmpfs", "/scratch", "-v", "vf:/vol", "busybox", "sh", "-c",
                "echo a >/scratch/a; echo b >/vol/b; sleep 1000")  # fmt: skip
    while b"b" not in tidy.docker("exec", "cc", "ls", "/vol").stdout:
        time.sleep(0.05)
    names = set(get(tidy, "cc", "/"))
    assert {"/proc", "/dev", "/sys", "/scratch/a", "/vol/b", "/etc/passwd"} <= names
    assert not [name for name in names if name.startswith(("/proc/", "/sys/", "/dev/"))]
    assert get(tidy, "cc", "/scratch/a")["a"].size == 2


def test_a_file_on_which_something_is_mounted_is_written_in_place(tidy: Any, tmp_path: Path) -> None:
    tidy.docker("run", *NONE, "-d", "--name", "cc", "busybox", "sleep", "1000")
    Path(tmp_path, "hosts").write_text("1.2.3.4 here\n")
    assert tidy.docker("cp", str(tmp_path / "hosts"), "cc:/etc/hosts").returncode == 0
    assert tidy.docker("exec", "cc", "cat", "/etc/hosts").stdout == b"1.2.3.4 here\n"


def test_a_container_that_swaps_its_links_leads_nowhere(tidy: Any, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "secret").write_text("of the host")
    swap = (
        f"mkdir -p /r/real; echo mine >/r/real/secret; while :; do ln -sfn {canary} /r/d; ln -sfn /r/real /r/d; rm /r/d; "
        "mv /r/real /r/d; mv /r/d /r/real; done"
    )
    tidy.docker("run", *NONE, "-d", "--name", "cc", "busybox", "sh", "-c", swap)
    payload = io.BytesIO()
    with tarfile.open(fileobj=payload, mode="w") as tar:
        for name in ("d/planted", "d/sub/planted", "planted"):
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
    statuses = set()
    for _ in range(60):
        statuses.add(put(tidy, "cc", "/r", payload.getvalue())[0])
        statuses.add(put(tidy, "cc", "/r/d", payload.getvalue())[0])
        assert b"of the host" not in tidy.docker("cp", "cc:/r/d/secret", "-").stdout
        assert b"of the host" not in tidy.docker("cp", "-L", "cc:/r/d", "-").stdout
    assert 200 in statuses
    assert sorted(os.listdir(canary)) == ["secret"]
    assert (canary / "secret").read_text() == "of the host"


def resident(daemon: Any) -> int:
    pid = Path(daemon.root, "pid").read_text().strip()
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def test_large_files_take_no_memory(tidy: Any, tmp_path: Path) -> None:
    tidy.docker("run", *NONE, "-d", "--name", "cc", "busybox", "sleep", "1000")
    size = 512 * MIB
    with open(tmp_path / "big", "wb") as file:
        block = os.urandom(MIB)
        for _ in range(size // MIB):
            file.write(block)
    before = resident(tidy)
    assert tidy.docker("cp", str(tmp_path / "big"), "cc:/big").returncode == 0
    assert tidy.docker("cp", "cc:/big", str(tmp_path / "back")).returncode == 0
    assert subprocess.run(["cmp", tmp_path / "big", tmp_path / "back"], check=False).returncode == 0
    assert resident(tidy) - before < 60


def request(daemon: Any, head: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(f"{daemon.root}/s")
    sock.sendall(head.encode())
    return sock


def test_a_client_that_hangs_up_half_way(tidy: Any, container: str) -> None:
    assert put(tidy, container, "/root", tree()) == (200, b"")
    for head in (
        "GET /containers/cc/archive?path=/ HTTP/1.1\r\nHost: d\r\n\r\n",
        "GET /containers/cc/export HTTP/1.1\r\nHost: d\r\n\r\n",
    ):
        sock = request(tidy, head)
        assert sock.recv(100)
        sock.close()
    sock = request(tidy, "PUT /containers/cc/archive?path=/root HTTP/1.1\r\nHost: d\r\nContent-Length: 100000\r\n\r\n")
    sock.sendall(tree()[:3000])
    time.sleep(0.2)
    sock.close()
    assert tidy.docker("cp", "cc:/etc/passwd", "-").returncode == 0
    assert tidy.docker("start", "cc").returncode == 0, "its lock is free"


def test_a_start_waits_for_a_copy_and_not_the_other_way_round(tidy: Any) -> None:
    tidy.docker("create", *NONE, "--name", "cc", "busybox", "sleep", "1000")
    sock = request(tidy, "PUT /containers/cc/archive?path=/root HTTP/1.1\r\nHost: d\r\nContent-Length: 1024\r\n\r\n")
    time.sleep(0.3)
    done: list[int] = []
    starter = threading.Thread(target=lambda: done.append(tidy.docker("start", "cc").returncode))
    starter.start()
    time.sleep(0.3)
    assert not done
    sock.sendall(bytes(1024))
    assert b" 200 " in sock.recv(100)
    starter.join(20)
    assert done == [0]


def test_a_daemon_that_is_killed_leaves_nothing_mounted(tidy: Any) -> None:
    daemon = type(tidy)()
    daemon.start()
    try:
        daemon.docker("load", stdin=tidy.docker("save", "busybox").stdout)
        daemon.docker("create", "--name", "cc", "-v", "v:/v", *NONE, "busybox", "true")
        sock = request(
            daemon, "PUT /containers/cc/archive?path=/v HTTP/1.1\r\nHost: d\r\nContent-Length: 100000\r\n\r\n"
        )
        sock.sendall(tree()[:3000])
        time.sleep(0.3)
        daemon.end(signal.SIGKILL)
        assert daemon.root not in Path("/proc/self/mountinfo").read_text()
        daemon.start()
        assert daemon.docker("cp", "cc:/etc/passwd", "-").returncode == 0
        assert daemon.docker("start", "cc").returncode == 0
        assert daemon.docker("rm", "-f", "-v", "cc").returncode == 0
    finally:
        daemon.close()


def test_export_is_the_root_without_its_mounts(tidy: Any, container: str) -> None:
    put(tidy, container, "/vol", tree())
    put(tidy, container, "/root", tree())
    with tarfile.open(fileobj=io.BytesIO(tidy.docker("export", "cc").stdout)) as tar:
        names = set(tar.getnames())
    assert {"vol", "root/t/setuid", "etc/hosts", "dev/console"} <= names
    assert "vol/t" not in names
