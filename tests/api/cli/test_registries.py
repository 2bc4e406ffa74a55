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
