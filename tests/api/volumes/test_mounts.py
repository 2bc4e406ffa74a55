"""-v, --mount, --tmpfs, --volumes-from and `docker volume`, by the real client."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockwright.kernel.mount import MNT_DETACH, MS_BIND, MS_PRIVATE, MS_SHARED, mount, umount2


@pytest.fixture(autouse=True)
def clean(daemon: Any) -> Iterator[None]:
    """Each test leaves no container and no volume."""
    yield
    for ident in daemon.docker("ps", "-aq").stdout.decode().split():
        daemon.docker("rm", "-fv", ident)
    daemon.docker("volume", "prune", "-af")  # not those with options
    for name in daemon.docker("volume", "ls", "-q").stdout.decode().split():
        daemon.docker("volume", "rm", name)
    assert daemon.docker("volume", "ls", "-q").stdout == b""
    assert os.listdir(f"{daemon.root}/data/volumes") == []
    assert [name for name in os.listdir(f"{daemon.root}/data/trash") if name.startswith("volume-")] == []
    assert daemon.root not in Path("/proc/self/mountinfo").read_text()


def run(daemon: Any, *arguments: str) -> tuple[int, str, str]:
    done = daemon.docker("run", "--network", "none", *arguments)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def sh(daemon: Any, script: str, *options: str) -> str:
    code, out, error = run(daemon, "--rm", *options, "busybox", "sh", "-c", script)
    assert code == 0, error
    return out


def inspect(daemon: Any, name: str) -> Any:
    return json.loads(daemon.docker("inspect", name).stdout)[0]


def test_a_bind_shows_the_host(daemon: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("host\n")
    assert sh(daemon, "cat /b/file; echo guest > /b/new", "-v", f"{tmp_path}:/b") == "host\n"
    assert (tmp_path / "new").read_text() == "guest\n"
    assert sh(daemon, "cat /f", "-v", f"{tmp_path}/file:/f:ro") == "host\n"


def test_a_missing_source_is_made_for_v_and_refused_for_mount(daemon: Any, tmp_path: Path) -> None:
    assert sh(daemon, "ls /b", "-v", f"{tmp_path}/made/deep:/b") == ""
    assert (tmp_path / "made/deep").stat().st_mode & 0o777 == 0o755
    code, _, error = run(daemon, "--mount", f"type=bind,src={tmp_path}/nope,dst=/b", "busybox")
    assert code == 125
    assert f'invalid mount config for type "bind": bind source path does not exist: {tmp_path}/nope' in error


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["-v", "a/b:/x"], 'create a/b: "a/b" includes invalid characters for a local volume name, only'),
        (["--mount", "type=volume,src=a,dst=/x"], "create a: volume name is too short, names should be at least two"),
        (["-v", "/tmp:/b", "-v", "/etc:/b"], "Duplicate mount point: /b"),
        (["-v", "/tmp:/b", "--tmpfs", "/b"], "Duplicate mount point: /b"),
        (["-v", "/usr:/b", "--mount", "type=tmpfs,dst=/b"], "Duplicate mount point: /b"),
        (["--volumes-from", "nope"], "No such container: nope"),
        (["--tmpfs", "/t:foo"], 'invalid tmpfs option "foo"'),
        (["--mount", "type=volume,src=vv,dst=/x,volume-subpath=nope"], "no such file or directory"),
    ],
)
def test_refusals(daemon: Any, options: list[str], text: str) -> None:
    code, _, error = run(daemon, "--rm", *options, "busybox", "true")
    assert code == (127 if "no such file" in text else 125), error  # the client reads the text
    assert text in error
    assert daemon.docker("ps", "-aq").stdout == b""


def test_a_read_only_bind_is_so_all_the_way_down(daemon: Any, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    mount("tmpfs", f"{tmp_path}/inner", "tmpfs", 0)
    try:
        script = "touch /b/x; touch /b/inner/x; true"
        done = daemon.docker("run", "--rm", "--network", "none", "-v", f"{tmp_path}:/b:ro", "busybox", "sh", "-c", script)
        assert done.stderr.count(b"Read-only file system") == 2
        option = f"type=bind,src={tmp_path},dst=/b,ro,bind-recursive=writable"
        assert sh(daemon, "! touch /b/x && touch /b/inner/y && echo done", "--mount", option) == "done\n"
        option = f"type=bind,src={tmp_path},dst=/b,bind-recursive=disabled"
        assert sh(daemon, "ls /b/inner; echo none", "--mount", option) == "none\n"
    finally:
        umount2(f"{tmp_path}/inner", MNT_DETACH)


def test_the_hosts_mounts_are_those_of_now(daemon: Any, tmp_path: Path) -> None:
    """A file system mounted after daemon and zygote have started is what a bind shows."""
    mount("tmpfs", str(tmp_path), "tmpfs", 0)
    try:
        (tmp_path / "late").write_text("seen\n")
        assert sh(daemon, "cat /b/late", "-v", f"{tmp_path}:/b") == "seen\n"
    finally:
        umount2(str(tmp_path), MNT_DETACH)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    mount("tmpfs", str(tmp_path), "tmpfs", 0)
    mount("", str(tmp_path), "", MS_SHARED)
    (tmp_path / "from-host").mkdir()
    (tmp_path / "from-guest").mkdir()
    yield tmp_path
    mount("", str(tmp_path), "", MS_PRIVATE)
    for name in ("from-host", "from-guest", ""):
        while os.path.ismount(f"{tmp_path}/{name}"):
            umount2(f"{tmp_path}/{name}", MNT_DETACH)


def test_a_source_that_does_not_propagate(daemon: Any, tmp_path: Path) -> None:
    mount("tmpfs", str(tmp_path), "tmpfs", 0)
    mount("", str(tmp_path), "", MS_PRIVATE)
    try:
        for mode, wanted in (("rslave", "shared or slave"), ("shared", "shared")):
            code, _, error = run(daemon, "--rm", "-v", f"{tmp_path}:/b:{mode}", "busybox", "true")
            assert code == 125
            assert f"path {tmp_path} is mounted on {tmp_path} but it is not a {wanted} mount" in error
    finally:
        umount2(str(tmp_path), MNT_DETACH)


@pytest.mark.parametrize(
    ("mode", "heard", "told"), [("rshared", True, True), ("rslave", True, False), ("rprivate", False, False)]
)
def test_propagation(daemon: Any, shared: Path, mode: str, heard: bool, told: bool) -> None:
    options = ["-d", "--name", "peer", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"]
    code, _, error = run(daemon, *options, "-v", f"{shared}:/b:{mode}", "busybox", "sleep", "100")
    if "SecurityOpt is not implemented" in error:
        options, _ = options[:-2], daemon.docker("rm", "-f", "peer")
        code, _, error = run(daemon, *options, "-v", f"{shared}:/b:{mode}", "busybox", "sleep", "100")
    assert code == 0, error
    mount("/usr", f"{shared}/from-host", "", MS_BIND)
    assert (b"/b/from-host" in daemon.docker("exec", "peer", "cat", "/proc/mounts").stdout) is heard
    made = daemon.docker("exec", "peer", "mount", "-t", "tmpfs", "x", "/b/from-guest")
    assert made.returncode == 0, made.stderr
    assert os.path.ismount(f"{shared}/from-guest") is told


def test_named_volumes_keep_and_are_in_use(daemon: Any) -> None:
    assert sh(daemon, "echo kept > /v/file", "-v", "data:/v") == ""
    assert sh(daemon, "cat /v/file; touch /v/x 2>&1 || true", "-v", "data:/v:ro") == (
        "kept\ntouch: /v/x: Read-only file system\n"
    )
    run(daemon, "-d", "--name", "user", "-v", "data:/v", "busybox", "sleep", "100")
    ident = inspect(daemon, "user")["Id"]
    refused = daemon.docker("volume", "rm", "-f", "data")
    assert f"remove data: volume is in use - [{ident}]".encode() in refused.stderr
    daemon.docker("rm", "-fv", "user")
    assert daemon.docker("volume", "ls", "-q").stdout == b"data\n"
    assert daemon.docker("volume", "rm", "data").stdout == b"data\n"
    assert b"get data: no such volume" in daemon.docker("volume", "rm", "data").stderr


def test_inspects_mounts(daemon: Any) -> None:
    options = ["-v", "data:/v", "-v", "/usr:/u:ro", "-v", "/anon", "--mount", "type=tmpfs,dst=/t", "--tmpfs", "/x"]
    daemon.docker("create", "--name", "seen", *options, "--network", "none", "busybox")
    found = {entry["Destination"]: entry for entry in inspect(daemon, "seen")["Mounts"]}
    volumes = f"{daemon.root}/data/volumes"
    assert found["/v"] == {
        "Type": "volume", "Name": "data", "Source": f"{volumes}/data/_data", "Destination": "/v", "Driver": "local",
        "Mode": "z", "RW": True, "Propagation": "",
    }  # fmt: skip
    assert found["/u"] == {
        "Type": "bind", "Source": "/usr", "Destination": "/u", "Mode": "ro", "RW": False, "Propagation": "rprivate",
    }  # fmt: skip
    assert found["/anon"]["Mode"] == "" and len(found["/anon"]["Name"]) == 64
    assert found["/t"] == {
        "Type": "tmpfs", "Source": "", "Destination": "/t", "Mode": "", "RW": True, "Propagation": "",
    }  # fmt: skip
    assert "/x" not in found


def test_anonymous_volumes_go_with_rm_v_and_rm_only(daemon: Any) -> None:
    sh(daemon, "true", "-v", "/anon", "-v", "named:/n", "--mount", "type=volume,dst=/other")
    assert daemon.docker("volume", "ls", "-q").stdout == b"named\n"
    run(daemon, "--name", "cc", "-v", "/anon", "busybox", "true")
    run(daemon, "--name", "dd", "--volumes-from", "cc", "busybox", "true")
    daemon.docker("rm", "-v", "cc")
    assert len(daemon.docker("volume", "ls", "-q").stdout.split()) == 2, "one named, one anonymous and in use"
    daemon.docker("rm", "dd")
    assert len(daemon.docker("volume", "ls", "-qf", "dangling=true").stdout.split()) == 2


@pytest.fixture(scope="session")
def with_volume(daemon: Any) -> str:
    """An image with a VOLUME that has an owner, a mode, a link and a file."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("test_images", Path(__file__).parents[2] / "images.py")
    assert spec and spec.loader
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    import tarfile

    extra = made.tar([
        ("data", tarfile.DIRTYPE, None, 0o1770), ("data/sub", tarfile.DIRTYPE, None, 0o700),
        ("data/sub/file", tarfile.REGTYPE, b"image\n", 0o4755), ("data/link", tarfile.SYMTYPE, "/etc/passwd", 0o777),
        ("data/twin", tarfile.LNKTYPE, "data/sub/file", 0o4755),
    ])  # fmt: skip
    config = {"Cmd": ["sh"], "Env": ["PATH=/bin"], "Volumes": {"/data": {}}}
    archive = made.docker_archive([made.busybox_layer(), extra], ["withvolume:latest"], config)
    assert daemon.docker("load", stdin=archive).returncode == 0
    return "withvolume"


def test_copy_up(daemon: Any, with_volume: str) -> None:
    script = "stat -c '%a %n' /data /data/sub /data/sub/file; readlink /data/link; stat -c %h /data/twin"
    expected = "1770 /data\n700 /data/sub\n4755 /data/sub/file\n/etc/passwd\n2\n"
    for option in ([], ["-v", "named:/data"], ["--mount", "type=volume,dst=/data"]):
        code, out, error = run(daemon, "--rm", *option, with_volume, "sh", "-c", script)
        assert (code, out) == (0, expected), error
    assert sh(daemon, "ls /data", "-v", "named:/data").split() == ["link", "sub", "twin"]
    assert run(daemon, "--rm", "-v", "bare:/data:nocopy", with_volume, "ls", "/data")[1] == ""
    assert run(daemon, "--rm", "--tmpfs", "/data", with_volume, "ls", "/data")[1] == ""
    assert daemon.docker("volume", "ls", "-q").stdout == b"bare\nnamed\n"


def test_copy_up_for_several_at_once_and_under_a_running_container(daemon: Any, with_volume: str) -> None:
    create = ["docker", "-H", daemon.host, "create", "--network", "none", "-v", "shared:/data", with_volume]
    several = [subprocess.Popen(create, stdout=subprocess.PIPE) for _ in range(4)]
    assert [process.wait() for process in several] == [0] * 4
    assert sh(daemon, "ls /v", "-v", "shared:/v").split() == ["link", "sub", "twin"]
    run(daemon, "-d", "--name", "first", "-v", "open:/v", "busybox", "sleep", "100")
    daemon.docker("create", "--network", "none", "-v", "open:/data", with_volume)
    assert daemon.docker("exec", "first", "ls", "/v").stdout.split() == [b"link", b"sub", b"twin"]


def test_a_tmpfs_takes_the_place_of_a_volume(daemon: Any, with_volume: str) -> None:
    daemon.docker("create", "--name", "covered", "--network", "none", "--tmpfs", "/data", with_volume)
    assert inspect(daemon, "covered")["Mounts"] == []


def test_volumes_of_an_image_are_pruned_as_anonymous(daemon: Any, with_volume: str) -> None:
    daemon.docker("create", "--name", "left", "--network", "none", with_volume)
    daemon.docker("rm", "left")
    pruned = daemon.docker("volume", "prune", "-f").stdout.splitlines()
    assert pruned[0] == b"Deleted Volumes:" and len(pruned[1]) == 64


def test_rm_when_the_source_of_a_bind_has_vanished(daemon: Any, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    run(daemon, "--name", "orphan", "-v", f"{tmp_path}/gone:/b", "busybox", "true")
    (tmp_path / "gone").rmdir()
    assert daemon.docker("rm", "orphan").stdout == b"orphan\n"


def test_links_of_the_image_do_not_lead_out(daemon: Any, with_volume: str, tmp_path: Path) -> None:
    """/data/link leads to /etc/passwd: of the container."""
    (tmp_path / "file").write_text("bound\n")
    out = daemon.docker("run", "--rm", "--network", "none", "--mount", f"type=bind,src={tmp_path}/file,dst=/data/link",
                        "--mount", "type=volume,dst=/data", with_volume, "cat", "/etc/passwd")  # fmt: skip
    assert out.stdout == b"bound\n", out.stderr


def test_subpaths(daemon: Any, with_volume: str) -> None:
    daemon.docker("run", "--rm", "--network", "none", "-v", "data:/data", with_volume, "ln", "-s", "/", "/data/out")
    option = "type=volume,src=data,dst=/s,volume-subpath=sub"
    assert sh(daemon, "cat /s/file", "--mount", option) == "image\n"
    option = "type=volume,src=data,dst=/s,volume-subpath=out/sub"
    assert sh(daemon, "ls /s", "--mount", option) == "file\n"


def test_a_volume_over_a_file(daemon: Any) -> None:
    code, _, error = run(daemon, "-v", "/etc/passwd", "busybox", "true")
    assert code == 125
    assert "cannot mount volume over existing file, file exists" in error


def test_tmpfs(daemon: Any) -> None:
    script = "grep -E ' /(t|m) ' /proc/mounts; stat -c %a /t /m"
    out = sh(daemon, script, "--tmpfs", "/t:size=1m,mode=700,exec", "--mount", "type=tmpfs,dst=/m,tmpfs-size=2m,tmpfs-mode=1770")
    lines = {line.split()[1]: line.split()[3] for line in out.splitlines() if line.startswith("tmpfs")}
    assert "size=1024k" in lines["/t"] and "noexec" not in lines["/t"] and "nosuid" in lines["/t"]
    assert "size=2048k" in lines["/m"] and "noexec" in lines["/m"]
    assert out.split()[-2:] == ["700", "1770"]


def test_depth_and_engine_files(daemon: Any, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    out = sh(
        daemon, "ls /a; cat /etc/hostname; cat /etc/hosts | head -1", "-v", "/usr:/a/inner:ro", "-v", f"{tmp_path}:/a",
        "-v", "etc:/etc", "-h", "box",
    )  # fmt: skip
    assert out == "inner\nbox\n127.0.0.1\tlocalhost\n"
    own = tmp_path / "hosts"
    own.write_text("mine\n")
    assert sh(daemon, "cat /etc/hosts; ls /a/inner | grep -c bin", "-v", f"{own}:/etc/hosts", "-v", f"{tmp_path}:/a",
              "-v", "/usr:/a/inner:ro").split() == ["mine", "2"]  # fmt: skip


def test_volumes_from(daemon: Any, tmp_path: Path) -> None:
    daemon.docker(
        "create", "--name", "donor", "--network", "none", "-v", f"{tmp_path}:/b", "-v", "data:/v", "-v", "/w", "busybox"
    )
    assert sh(daemon, "echo x > /v/file; touch /b/touched /w/anon", "--volumes-from", "donor") == ""
    assert (tmp_path / "touched").exists()
    assert sh(daemon, "cat /v/file; ls /w; ! touch /v/y && ! touch /b/y", "--volumes-from", "donor:ro") == "x\nanon\n"
    assert sh(daemon, "ls /v | wc -l", "--volumes-from", "donor", "-v", "/usr:/v:ro") != "1\n"


def test_the_local_drivers_options(daemon: Any, tmp_path: Path) -> None:
    options = ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=1m,mode=711"]
    daemon.docker("volume", "create", *options, "memory")
    run(daemon, "-d", "--name", "first", "-v", "memory:/m", "busybox", "sh", "-c", "touch /m/x; sleep 100")
    assert sh(daemon, "sleep 0.3; ls /m; grep ' /m ' /proc/mounts", "-v", "memory:/m").startswith("x\ntmpfs /m tmpfs")
    path = f"{daemon.root}/data/volumes/memory/_data"
    assert os.path.ismount(path)
    daemon.docker("rm", "-f", "first")
    assert not os.path.ismount(path)
    options = ["--opt", "type=none", "--opt", f"device={tmp_path}/nope", "--opt", "o=bind"]
    daemon.docker("volume", "create", *options, "bound")
    code, _, error = run(daemon, "--rm", "--mount", "type=volume,src=bound,dst=/b,volume-nocopy", "busybox", "true")
    assert code == 127  # the client reads the text
    assert "failed to mount local volume: mount" in error and "no such file or directory" in error


def test_events_of_a_run(daemon: Any) -> None:
    sh(daemon, "true", "-v", "eventful:/v:ro")
    window = ["--since", "1", "--until", f"{time.time():.3f}", "--filter", "volume=eventful"]
    seen = daemon.docker("events", *window, "--filter", "type=volume", "--format", "{{json .}}")
    events = [json.loads(line) for line in seen.stdout.splitlines()]
    assert [event["Action"] for event in events] == ["create", "mount", "unmount"]
    attributes = events[1]["Actor"]["Attributes"]
    assert {k: attributes[k] for k in ("destination", "driver", "propagation", "read/write")} == {
        "destination": "/v", "driver": "local", "propagation": "", "read/write": "false",
    }  # fmt: skip


def test_the_working_directory_is_made_with_the_container(daemon: Any) -> None:
    daemon.docker("create", "--name", "work", "-w", "/deep/er", "--network", "none", "busybox")
    upper = inspect(daemon, "work")["GraphDriver"]["Data"]["UpperDir"]
    assert os.path.isdir(f"{upper}/deep/er")
    code, _, error = run(daemon, "-w", "/etc/passwd", "busybox", "true")
    assert code == 125
    assert "Cannot mkdir: /etc/passwd is not a directory" in error


def test_volumes_of_running_containers_after_a_killed_daemon(daemon: Any) -> None:
    import signal

    daemon.docker("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "memory")
    run(daemon, "-d", "--name", "steady", "-v", "memory:/m", "-v", "/anon", "busybox", "sleep", "100")
    daemon.end(signal.SIGKILL)
    daemon.start()
    path = f"{daemon.root}/data/volumes/memory/_data"
    assert os.path.ismount(path)
    assert b"volume is in use" in daemon.docker("volume", "rm", "memory").stderr
    assert daemon.docker("rm", "-fv", "steady").returncode == 0
    assert not os.path.ismount(path)
    assert daemon.docker("volume", "ls", "-q").stdout == b"memory\n"
