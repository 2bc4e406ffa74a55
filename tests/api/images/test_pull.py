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
