"""login, push, pull, search and logout: docker and dockwright on the same real daemon and registries say and keep the same."""

import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
OURS = str(ROOT / ".venv/bin/dockwright")
HELPER = """#!/bin/sh
# a credential helper that keeps what it is told in files below $HOME, and a log of what it was asked
mkdir -p "$HOME/kept"; input=$(cat)
echo "$1 $input" >> "$HOME/asked"
case $1 in
    store) name=$(printf %s "$input" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/' | tr / _)
        printf %s "$input" > "$HOME/kept/$name" ;;
    get) cat "$HOME/kept/$(printf %s "$input" | tr / _)" 2>/dev/null ||
        { echo "credentials not found in native keychain"; exit 1; } ;;
    erase) rm -f "$HOME/kept/$(printf %s "$input" | tr / _)" ;;
    list) echo "{}" ;;
esac
"""
SCENARIOS = {
    "files": [
        "login -u tester --password-stdin TLS < secret", "login TLS", "login -u tester -p secret BEARER", "tag busybox TLS/a:1",
        "tag busybox TLS/a", "push TLS/a:1", "push -q TLS/a", "push TLS/a", "push -a TLS/a", "push -a -q TLS/a",
        "rmi TLS/a:1 TLS/a", "pull TLS/a:1", "pull -q TLS/a",
        "pull -a TLS/a", "pull -a -q TLS/a", "pull TLS/a:nope", "push TLS/a:nope",
        "push TLS/nope", "tag busybox BEARER/b", "push BEARER/b", "rmi BEARER/b", "pull BEARER/b",
        "create --name c1 --pull always BEARER/b",
        "rm c1", "logout TLS", "push TLS/a", "logout TLS", "logout", "logout BEARER", "push BEARER/b",
        "pull BEARER/b",
        "rmi BEARER/b TLS/a TLS/a:1",
    ],
    "helper": [
        "login -u tester --password-stdin TLS < secret", "login TLS", "login -u tester -p secret BEARER", "login BEARER",
        "tag busybox TLS/a", "push -q TLS/a", "tag busybox BEARER/b", "push -q BEARER/b", "rmi TLS/a BEARER/b", "pull -q TLS/a",
        "pull -q BEARER/b", "logout TLS", "logout BEARER", "push -q TLS/a", "rmi TLS/a BEARER/b",
    ],
    "wrong": [
        "login -u tester -p wrong BEARER", "login -u tester --password-stdin TLS < ", "login --password-stdin TLS < secret",
        "login -u tester TLS", "login TLS", "login", "login -p x --password-stdin -u u TLS", "login -u u -p '' TLS", "login a b",
        "login -u u -p p 127.0.0.1:9", "push Bad", "push a@sha256:" + "0" * 64, "push -a a:b", "pull -a a:b", "push", "push a b",
        "push --disable-content-trust=false", "search", "search --limit 200 x", "search --filter x x", "search --filter a=b x",
        "search x", "search --limit x x", "search 127.0.0.1:9/x", "logout a b", "pull 127.0.0.1:9/x", "push 127.0.0.1:9/x",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def registries(peer: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The registries of tests/registries.py, in the daemon's network namespace."""
    if not shutil.which("docker-registry"):
        (pytest.fail if request.config.getoption("--require-peers") else pytest.skip)("needs docker-registry")
    spec = importlib.util.spec_from_file_location("test_registries", ROOT / "tests/registries.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.Registries(["nsenter", f"--net=/proc/{peer._daemon.pid}/ns/net"])
    yield made
    made.close()


@pytest.fixture
def home(peer: Any) -> Iterator[Path]:
    """The clients' home, fresh for each of them."""
    home = Path(peer.root, "home")

    def fresh(config: dict[str, Any]) -> Path:
        shutil.rmtree(home, ignore_errors=True)
        (home / ".docker").mkdir(parents=True)
        (home / ".docker/config.json").write_text(json.dumps(config))
        return home

    yield fresh  # type: ignore[misc]
    shutil.rmtree(home, ignore_errors=True)


def played(peer: Any, program: str, lines: list[str], registries: Any, home: Path) -> list[Any]:
    """What came of each line, and what the configuration is after it."""
    found = []
    for line in lines:
        words, _, stdin = line.partition(" < ")
        words = words.replace("TLS", registries.tls).replace("BEARER", registries.bearer)
        status, out, error = peer.run(program, words, stdin.encode())
        outcome = (status, out.replace("Layer already exists", "Pushed"), error.replace("SRun", "Run"))
        config = json.loads((home / ".docker/config.json").read_text())
        kept = sorted((path.name, json.loads(path.read_text())) for path in home.glob("kept/*"))
        found.append((line, outcome, {name: value for name, value in config.items() if value}, kept))
    return found


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_words_and_the_same_credentials(
    peer: Any, registries: Any, home: Any, scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text(HELPER)
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    config = {"credsStore": "test"} if scenario == "helper" else {}
    lines = SCENARIOS[scenario]
    theirs = played(peer, "docker", lines, registries, home(config))
    ours = played(peer, OURS, lines, registries, home(config))
    differ = [f"docker {first}\nours   {second}" for first, second in zip(theirs, ours, strict=True) if first != second]
    assert not differ, "\n".join(differ)


def test_the_file_is_dockers(peer: Any, registries: Any, home: Any) -> None:
    """Byte for byte, what others keep in it included, and only for the user."""
    config = {"psFormat": "table {{.ID}}", "auths": {"other.example": {"auth": "YTpi"}}}
    texts = []
    for program in ("docker", OURS):
        place = home(config)
        peer.run(program, f"login -u tester --password-stdin {registries.tls}", b"secret\n")
        file = place / ".docker/config.json"
        texts.append(file.read_text())
        assert program != OURS or file.stat().st_mode & 0o777 == 0o600
    assert texts[0] == texts[1]


def test_a_helper_that_is_not_there(peer: Any, registries: Any, home: Any) -> None:
    home({"credHelpers": {registries.tls: "nosuch"}})
    code, _, error = peer.run(OURS, f"pull {registries.tls}/a")
    assert code == 1 and 'exec: "docker-credential-nosuch": executable file not found in $PATH' in error


MANIFESTS = [
    "inspect --insecure R/app:1", "inspect -v --insecure R/app:1", "inspect --insecure R/nope", "inspect R/app:1",
    "inspect Bad", "create R/multi:1 R/app:1", "create --insecure R/multi:1 R/app:1 R/other:2",
    "create --insecure R/multi:1 R/app:1", "create --insecure --amend R/multi:1 R/third", "create --insecure R/multi:2 R/nope",
    "create R/multi:2",
    "inspect R/multi:1", "inspect -v R/multi:1", "inspect R/multi:1 R/other:2", "inspect R/multi:1 R/nope",
    "annotate --arch foo R/multi:1 R/third",
    "annotate --arch arm64 --os linux --variant v8 --os-version 1 --os-features a,b R/multi:1 R/other:2",
    "annotate R/multi:1 R/nope", "annotate R/nope R/nope", "inspect R/multi:1", "push --insecure R/multi:1",
    "push --insecure -p R/multi:1", "push --insecure R/multi:1", "inspect --insecure R/multi:1",
    "inspect -v --insecure R/multi:1",
    "create --insecure R/multi:3 R/multi:1", "rm R/multi:1", "create --insecure R/multi:2 R/app:1", "rm R/multi:2 R/multi:3",
    "create --insecure R/oci:1 R/oci-image", "inspect R/oci:1", "push --insecure R/oci:1", "inspect --insecure R/oci:1",
    "rm R/oci:1",
]  # fmt: skip


def test_manifests(peer: Any, home: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """No daemon is asked: the registries are on this host's loopback device, as the clients are."""
    for program in ("docker-registry", "skopeo"):
        if not shutil.which(program):
            (pytest.fail if request.config.getoption("--require-peers") else pytest.skip)(f"needs {program}")
    spec = importlib.util.spec_from_file_location("test_registries", ROOT / "tests/registries.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    images = importlib.util.module_from_spec(importlib.util.spec_from_file_location("test_images", ROOT / "tests/images.py"))
    images.__spec__.loader.exec_module(images)
    outcomes = {}
    for program in ("docker", OURS):
        made = module.Registries()
        try:
            for number, name in enumerate(("app:1", "other:2", "third:latest", "oci-image:latest")):
                archive = tmp_path / f"{number}.tar"
                archive.write_bytes(images.docker_archive([images.tar([(str(number), b"0", b"x", 0o644)])], ["a:1"]))
                made.put(f"docker-archive:{archive}", name, "--format", "oci" if "oci" in name else "v2s2")
            place = home({})
            outcomes[program] = []
            for line in MANIFESTS:
                status, out, error = peer.run(program, f"manifest {line.replace('R/', made.plain + '/')}")
                found = (status, out.replace(made.plain, "R"), error.replace(made.plain, "R").replace("See '", "Run '"))
                kept = sorted(str(path.relative_to(place)).replace(made.plain.replace(":", "-"), "R") for path in
                              place.glob(".docker/manifests/*/*"))  # fmt: skip
                outcomes[program].append((line, found, kept))
        finally:
            made.close()
    pairs = zip(outcomes["docker"], outcomes[OURS], strict=True)
    differ = [f"docker {theirs}\nours   {ours}" for theirs, ours in pairs if theirs != ours]
    assert not differ, "\n".join(differ)
