"""Pulls by the real docker client from real registries."""

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def registries(daemon: Any, images: Any, request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Any]:
    """The registries of tests/registries.py beside the daemon, with an image in them."""
    for program in ("docker-registry", "skopeo", "openssl"):
        if not shutil.which(program):
            (pytest.fail if request.config.getoption("--require-peers") else pytest.skip)(f"needs {program}")
    spec = importlib.util.spec_from_file_location("test_registries", TESTS / "registries.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.Registries(daemon.inside)
    archive = tmp_path_factory.mktemp("archive") / "a.tar"
    archive.write_bytes(images.docker_archive([images.busybox_layer()], ["app:1"]))
    made.put(f"docker-archive:{archive}", "team/app:1", "--format", "v2s2")
    made.put(f"docker-archive:{archive}", "library/hello:latest", "--format", "oci")
    yield made
    made.close()


def test_pull_run_remove(daemon: Any, registries: Any) -> None:
    name = f"{registries.plain}/team/app:1"
    lines = daemon.docker("pull", name).stdout.decode().splitlines()
    assert lines[0] == "1: Pulling from team/app"
    assert lines[-3].startswith("Digest: sha256:")
    assert lines[-2:] == [f"Status: Downloaded newer image for {name}", name]
    assert daemon.docker("run", "--rm", "--network", "none", name, "echo", "hi").stdout == b"hi\n"
    digest = lines[-3].removeprefix("Digest: ")
    shown = daemon.docker("image", "inspect", "-f", "{{json .RepoDigests}}", name).stdout.decode().strip()
    assert shown == f'["{registries.plain}/team/app@{digest}"]'
    again = daemon.docker("pull", name).stdout.decode().splitlines()
    assert again == [lines[0], lines[-3], f"Status: Image is up to date for {name}", name]
    removed = daemon.docker("rmi", name).stdout.decode().splitlines()
    assert removed[:2] == [f"Untagged: {name}", f"Untagged: {registries.plain}/team/app@{digest}"]
    by_digest = f"{registries.plain}/team/app@{digest}"
    assert daemon.docker("pull", by_digest).stdout.decode().splitlines()[0] == f"{by_digest}: Pulling from team/app"
    assert daemon.docker("rmi", by_digest).stdout.decode().splitlines()[0] == f"Untagged: {by_digest}"


def login(daemon: Any, registry: str, password: str = "secret") -> Any:
    return daemon.docker("login", "-u", "tester", "--password-stdin", registry, stdin=password.encode())


@pytest.mark.parametrize("kind", ["tls", "bearer"])
def test_login_push_pull_elsewhere(
    daemon: Any, registries: Any, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    registry = getattr(registries, kind)
    name = f"{registry}/mine/app:{kind}"
    assert daemon.docker("tag", "busybox", name).returncode == 0
    refused = daemon.docker("push", name)
    assert refused.returncode == 1
    text = b"no basic auth credentials" if kind == "tls" else b"denied: requested access to the resource is denied"
    assert refused.stderr.strip() == text
    wrong = login(daemon, registry, "wrong").stderr
    assert (b"failed with status: 401 Unauthorized" if kind == "tls" else b"incorrect username or password") in wrong
    assert b"Login Succeeded" in login(daemon, registry).stdout
    pushed = daemon.docker("push", name).stdout.decode().splitlines()
    assert pushed[-1].startswith(f"{kind}: digest: sha256:")
    daemon.docker("rmi", name)
    pulled = daemon.docker("pull", name).stdout.decode().splitlines()
    assert pulled[-3] == "Digest: " + pushed[-1].split()[2]
    daemon.docker("rmi", name)


def test_what_skopeo_made_goes_through_unchanged(daemon: Any, registries: Any) -> None:
    name = f"{registries.plain}/library/hello"
    daemon.docker("pull", name)
    daemon.docker("tag", name, f"{registries.plain}/copied")
    daemon.docker("push", f"{registries.plain}/copied")
    digests = daemon.docker("image", "inspect", "-f", "{{range .RepoDigests}}{{.}} {{end}}", name).stdout.decode().split()
    assert len({digest.partition("@")[2] for digest in digests}) == 1 and len(digests) == 2
    daemon.docker("rmi", name, f"{registries.plain}/copied")


def test_run_and_create_fetch_what_is_missing(daemon: Any, registries: Any) -> None:
    name = f"{registries.plain}/team/app:1"
    done = daemon.docker("run", "--rm", "--network", "none", name, "echo", "there")
    assert done.stdout == b"there\n" and done.stderr.startswith(f"Unable to find image '{name}' locally\n".encode())
    assert daemon.docker("create", "--name", "fetched", "--pull", "always", name).returncode == 0
    daemon.docker("rm", "fetched")
    daemon.docker("rmi", name)
