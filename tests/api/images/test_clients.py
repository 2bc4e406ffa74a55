"""Images by the real docker client, and what we save as skopeo and podman read it."""

import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest


def lines(done: Any) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().splitlines()


def ident(daemon: Any, name: str) -> str:
    return lines(daemon.docker("image", "inspect", "-f", "{{.Id}}", name))[0]


@pytest.fixture
def copy(daemon: Any) -> Any:
    """A second name of busybox, which the test may do with as it likes."""
    daemon.docker("tag", "busybox", "copy:1")
    yield "copy:1"
    daemon.docker("rmi", "-f", "copy:1")


def test_a_round_trip_keeps_every_digest(daemon: Any, tmp_path: Path) -> None:
    saved, again = tmp_path / "a.tar", tmp_path / "b.tar"
    lines(daemon.docker("save", "-o", str(saved), "busybox"))
    before = ident(daemon, "busybox")
    lines(daemon.docker("rmi", "-f", "busybox"))
    assert lines(daemon.docker("load", "-i", str(saved))) == ["Loaded image: busybox:latest"]
    assert ident(daemon, "busybox") == before
    lines(daemon.docker("save", "-o", str(again), "busybox"))
    with tarfile.open(saved) as one, tarfile.open(again) as two:
        blobs = {name for name in one.getnames() if len(name) > 64}
        assert blobs == {name for name in two.getnames() if len(name) > 64}
    third = tmp_path / "c.tar"
    lines(daemon.docker("save", "-o", str(third), "busybox"))
    assert third.read_bytes() == again.read_bytes()


def test_several_images_in_one_archive(daemon: Any, copy: str) -> None:
    lines(daemon.docker("import", "-", "other:2", stdin=b"\0" * 1024))
    archive = daemon.docker("save", "busybox", copy, "other:2").stdout
    manifest = json.loads(tarfile.open(fileobj=io.BytesIO(archive)).extractfile("manifest.json").read())  # type: ignore[union-attr]
    assert [entry["RepoTags"] for entry in manifest] == [["busybox:latest", "copy:1"], ["other:2"]]
    lines(daemon.docker("rmi", "other:2"))
    assert "Loaded image: other:2" in lines(daemon.docker("load", stdin=archive))
    lines(daemon.docker("rmi", "other:2"))


def test_an_image_saved_by_its_id_has_no_name(daemon: Any) -> None:
    archive = daemon.docker("save", ident(daemon, "busybox")[7:19]).stdout
    manifest = json.loads(tarfile.open(fileobj=io.BytesIO(archive)).extractfile("manifest.json").read())  # type: ignore[union-attr]
    assert manifest[0]["RepoTags"] is None
    assert lines(daemon.docker("load", stdin=archive)) == [f"Loaded image ID: {ident(daemon, 'busybox')}"]


def test_saving_what_is_not_there(daemon: Any) -> None:
    done = daemon.docker("save", "nosuch")
    assert done.stderr == b"Error response from daemon: No such image: nosuch\n"


def test_import_with_changes(daemon: Any, images: Any) -> None:
    changes = ["CMD [\"echo\", \"made\"]", "ENV A=b PATH=/bin", "LABEL x=\"y z\"", "EXPOSE 80 90/udp", "WORKDIR /tmp",
               "VOLUME /data", "USER nobody", "STOPSIGNAL SIGINT", "HEALTHCHECK --interval=5s CMD true",
               "ONBUILD RUN x"]  # fmt: skip
    flags = [part for change in changes for part in ("--change", change)]
    new = lines(daemon.docker("import", *flags, "-m", "why", "-", "made:1", stdin=images.busybox_layer()))[0]
    assert new == ident(daemon, "made:1")
    config = json.loads(daemon.docker("image", "inspect", "made:1").stdout)[0]
    assert (config["Comment"], config["Author"], config["Os"]) == ("why", "", "linux")
    config = config["Config"]
    assert (config["Cmd"], config["Env"], config["Labels"]) == (["echo", "made"], ["A=b", "PATH=/bin"], {"x": "y z"})
    assert (config["ExposedPorts"], config["WorkingDir"]) == ({"80/tcp": {}, "90/udp": {}}, "/tmp")
    assert (config["Volumes"], config["User"], config["StopSignal"]) == ({"/data": {}}, "nobody", "SIGINT")
    assert config["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000}
    assert config["OnBuild"] == ["RUN x"]
    history = lines(daemon.docker("history", "--format", "{{.Comment}}", "made:1"))
    assert history == ["why"]
    lines(daemon.docker("rmi", "made:1"))


def test_a_container_of_an_imported_image(daemon: Any, images: Any) -> None:
    flags = ["--change", 'CMD ["sh", "-c", "echo $A"]', "--change", "ENV A=made"]
    lines(daemon.docker("import", *flags, "-", "made:1", stdin=images.busybox_layer()))
    assert lines(daemon.docker("run", "--rm", "--network", "none", "made:1")) == ["made"]
    lines(daemon.docker("rmi", "made:1"))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--change", "RUN x", "-", "a:1"], "RUN is not a valid change command"),
        (["--change", "CMD", "-", "a:1"], "CMD requires at least one argument"),
        (["-", "Upper:1"], "must be lowercase"),
        (["--platform", "windows/amd64", "-", "a:1"], "operating system is not supported"),
        (["--platform", "plan9/amd64", "-", "a:1"], "unknown operating system or architecture"),
        (["-", "a:1"], "invalid tar header"),
        (["http://localhost:1/x", "a:1"], 'Get "http://localhost:1/x": dial tcp 127.0.0.1:1: connect: connection refused'),
    ],
)
def test_an_import_that_cannot_be(daemon: Any, arguments: list[str], text: str) -> None:
    done = daemon.docker("import", *arguments, stdin=b"no tar" * 1000)
    assert done.returncode == 1
    assert text in done.stderr.decode()
    assert not lines(daemon.docker("images", "-q", "a:1"))


def test_import_for_another_platform(daemon: Any) -> None:
    lines(daemon.docker("import", "--platform", "linux/arm64/v8", "-", "arm:1", stdin=b"\0" * 1024))
    form = "{{.Os}}/{{.Architecture}}/{{.Variant}}"
    assert lines(daemon.docker("image", "inspect", "-f", form, "arm:1")) == ["linux/arm64/v8"]
    lines(daemon.docker("rmi", "arm:1"))


def test_listing(daemon: Any, copy: str) -> None:
    form = ["--format", "{{.Repository}}:{{.Tag}}"]
    listed = sorted(lines(daemon.docker("images", *form)))  # the client goes through an image's names as a Go map has them
    assert [name for name in listed if name in ("busybox:latest", "copy:1")] == ["busybox:latest", "copy:1"], listed
    assert lines(daemon.docker("images", *form, "copy")) == ["copy:1"]
    assert lines(daemon.docker("images", *form, "-f", "reference=c*:?")) == ["copy:1"]
    assert lines(daemon.docker("images", *form, "-f", "reference=docker.io/library/b*")) == ["busybox:latest"]
    assert lines(daemon.docker("images", *form, "-f", "dangling=true")) == []
    assert lines(daemon.docker("images", *form, "-f", "until=2023-01-01")) == []
    assert lines(daemon.docker("images", "-q", "-f", "until=2025-01-01"))
    assert lines(daemon.docker("images", "-q", "-f", "before=busybox")) == []
    digests = lines(daemon.docker("images", "--digests", "--format", "{{.Digest}}", "copy"))
    assert digests == ["<none>"]
    bad = daemon.docker("images", "-f", "foo=bar")
    assert b"invalid filter 'foo'" in bad.stderr
    assert b"invalid filter 'dangling=[x]'" in daemon.docker("images", "-f", "dangling=x").stderr
    assert b"No such image: nosuch:latest" in daemon.docker("images", "-f", "before=nosuch").stderr


def test_untagging_one_of_two_names(daemon: Any) -> None:
    daemon.docker("tag", "busybox", "copy:1")
    assert lines(daemon.docker("rmi", "copy:1")) == ["Untagged: copy:1"]
    assert b"No such image: copy:1" in daemon.docker("rmi", "copy:1").stderr


def test_an_image_that_containers_use(daemon: Any) -> None:
    lines(daemon.docker("import", "--change", "CMD [\"/bin/busybox\", \"sleep\", \"100\"]", "-", "used:1", stdin=box(daemon)))
    image = ident(daemon, "used:1")[7:19]
    container = lines(daemon.docker("run", "-d", "--network", "none", "used:1"))[0]
    by_name = daemon.docker("rmi", "used:1").stderr.decode()
    assert by_name == (
        f'Error response from daemon: conflict: unable to remove repository reference "used:1" (must force) - container '
        f"{container[:12]} is using its referenced image {image}\n"
    )
    by_id = daemon.docker("rmi", "-f", image).stderr.decode()
    assert f"unable to delete {image} (cannot be forced) - image is being used by running container {container[:12]}" in by_id
    assert lines(daemon.docker("rmi", "-f", "used:1")) == ["Untagged: used:1"]
    assert lines(daemon.docker("images", "-q", "-f", "dangling=true")) == [image]
    daemon.docker("kill", container)
    stopped = daemon.docker("rmi", image).stderr.decode()
    assert f"unable to delete {image} (must be forced) - image is being used by stopped container {container[:12]}" in stopped
    gone = lines(daemon.docker("rmi", "-f", image))
    assert gone == [f"Deleted: {line}" for line in gone_ids(gone)]
    assert lines(daemon.docker("start", container)) == [container]  # its layers live on for it
    folders = len(list(Path(f"{daemon.root}/data/overlay2").iterdir()))
    lines(daemon.docker("rm", "-f", container))
    deadline = time.monotonic() + 10  # the removal is answered before its folders are gone
    while len(list(Path(f"{daemon.root}/data/overlay2").iterdir())) != folders - 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone_ids(rows: list[str]) -> list[str]:
    return [row.removeprefix("Deleted: ") for row in rows]


def box(daemon: Any) -> bytes:
    """A root file system other than the busybox image's."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add("/bin/busybox", "bin/busybox")
    return buffer.getvalue()


def test_an_image_of_two_repositories_by_its_id(daemon: Any) -> None:
    lines(daemon.docker("import", "-", "two:1", stdin=b"\0" * 1024))
    image = ident(daemon, "two:1")[7:19]
    daemon.docker("tag", "two:1", "three:1")
    refused = daemon.docker("rmi", image).stderr.decode()
    assert f"unable to delete {image} (must be forced) - image is referenced in multiple repositories" in refused
    assert lines(daemon.docker("rmi", "-f", image))[:2] == ["Untagged: three:1", "Untagged: two:1"]


def test_prune(daemon: Any) -> None:
    first = lines(daemon.docker("import", "--change", "LABEL a=b", "-", "gone:1", stdin=b"\0" * 1024))[0]
    lines(daemon.docker("import", "-", "gone:1", stdin=box(daemon)))  # the first one loses its name
    assert lines(daemon.docker("image", "prune", "-f", "--filter", "label!=a"))[-1] == "Total reclaimed space: 0B"
    assert lines(daemon.docker("image", "prune", "-f", "--filter", "until=2020-01-01"))[-1] == "Total reclaimed space: 0B"
    assert f"deleted: {first}" in lines(daemon.docker("image", "prune", "-f", "--filter", "label=a=b"))
    daemon.docker("create", "--name", "user", "--network", "none", "busybox")
    size = Path("/bin/busybox").stat().st_size
    out = lines(daemon.docker("image", "prune", "-af"))
    assert "untagged: gone:1" in out
    assert out[-1].startswith(f"Total reclaimed space: {size / 1e6:.3g}")
    assert lines(daemon.docker("images", "--format", "{{.Repository}}")) == ["busybox"]
    assert b"invalid filter 'foo'" in daemon.docker("image", "prune", "-f", "--filter", "foo=bar").stderr
    assert b"invalid value for 'until' filter" in daemon.docker("image", "prune", "-f", "--filter", "until=soon").stderr
    daemon.docker("rm", "user")


def test_tag_refuses(daemon: Any) -> None:
    assert b"invalid reference format" in daemon.docker("tag", "busybox", "a:b:c").stderr
    assert b"using digest algorithm as name" in daemon.docker("tag", "busybox", "sha256:x").stderr
    assert b"No such image: nosuch:latest" in daemon.docker("tag", "nosuch", "a:1").stderr


def test_push_says_what_is_missing(daemon: Any) -> None:
    assert b"An image does not exist locally with the tag: nosuch" in daemon.docker("push", "nosuch").stderr


def test_a_bad_archive_is_refused_by_docker_load(daemon: Any) -> None:
    done = daemon.docker("load", stdin=b"nothing of the kind" * 100)
    assert done.returncode == 1
    assert b"invalid tar header" in done.stderr


def test_progress_of_a_load(daemon: Any, images: Any) -> None:
    from docker import APIClient  # type: ignore[import-untyped]

    archive = images.docker_archive([images.tar([("f", tarfile.REGTYPE, b"x" * 3_000_000, 0o644)])], ["big:1"])
    client = APIClient(base_url=f"unix://{daemon.root}/s")
    heard = list(client.load_image(archive, quiet=False))
    client.close()
    layer = [line for line in heard if line.get("status") == "Loading layer"]
    assert layer[-1]["progressDetail"]["current"] == layer[-1]["progressDetail"]["total"]
    assert len(layer[-1]["id"]) == 12
    assert layer[-1]["progress"].startswith("[==================================================>]")
    assert heard[-1] == {"stream": "Loaded image: big:1\n"}
    lines(daemon.docker("rmi", "big:1"))


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_skopeo_reads_and_writes(daemon: Any, peer: Any, tmp_path: Path, kind: str) -> None:
    skopeo = peer("skopeo")
    saved, copied = tmp_path / "saved.tar", tmp_path / "copied.tar"
    lines(daemon.docker("save", "-o", str(saved), "busybox"))
    source = f"{kind}:{saved}" if kind == "docker-archive" else f"{kind}:{saved}:latest"
    subprocess.run([skopeo, "copy", "-q", source, f"{kind}:{copied}:copied:1"], check=True, timeout=60)
    assert lines(daemon.docker("load", "-i", str(copied))) == ["Loaded image: copied:1"]
    layers = "{{.RootFS.Layers}}"
    assert lines(daemon.docker("image", "inspect", "-f", layers, "copied:1")) == lines(
        daemon.docker("image", "inspect", "-f", layers, "busybox")
    )
    lines(daemon.docker("rmi", "copied:1"))


def test_podman_reads_and_writes(daemon: Any, peer: Any, tmp_path: Path) -> None:
    runroot = tempfile.mkdtemp(prefix="pd")  # podman wants it short
    podman = [peer("podman"), "--root", f"{tmp_path}/root", "--runroot", runroot, "--storage-driver", "vfs"]
    saved, again = tmp_path / "saved.tar", tmp_path / "again.tar"
    lines(daemon.docker("save", "-o", str(saved), "busybox"))
    subprocess.run([*podman, "load", "-q", "-i", str(saved)], check=True, timeout=60)
    format_ = ["--format", "docker-archive", "-o", str(again), "docker.io/library/busybox:latest"]
    subprocess.run([*podman, "save", "-q", *format_], check=True, timeout=60)
    before = ident(daemon, "busybox")
    assert lines(daemon.docker("load", "-i", str(again))) == ["Loaded image: busybox:latest"]
    assert ident(daemon, "busybox") == before
    subprocess.run([*podman, "rmi", "-af"], check=True, timeout=60, capture_output=True)
    shutil.rmtree(runroot)
