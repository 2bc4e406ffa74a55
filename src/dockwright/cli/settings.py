"""The user's docker settings: config.json, and what is in it for us."""

from __future__ import annotations

import posix

from dockwright.cli.terminal import err

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def environment(name: str) -> str:
    """A variable of the environment, "" if it is not set."""
    return posix.environ.get(name.encode(), b"").decode("utf-8", "surrogateescape")


def directory(given: str) -> str:
    """Where config.json and contexts are: --config, DOCKER_CONFIG, ~/.docker."""
    return given or environment("DOCKER_CONFIG") or f"{home()}/.docker"


def home() -> str:
    """The user's home directory."""
    if environment("HOME"):
        return environment("HOME")
    import pwd

    return pwd.getpwuid(posix.getuid()).pw_dir


def read(given: str) -> dict[str, Any]:
    """config.json; {} if there is none, or, with a warning, if it cannot be read."""
    path = f"{directory(given)}/config.json"
    try:
        with open(path, "rb") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        err(f"WARNING: Error loading config file: open {path}: {(error.strerror or '').lower()}\n")
        return {}
    return _document(path, text)


def _document(path: str, text: bytes) -> dict[str, Any]:
    from dockwright.client.documents import loads

    try:
        document = loads(text)
        if isinstance(document, dict):
            return document
        reason = "json: cannot unmarshal into Go value of type configfile.ConfigFile"
    except ValueError as error:
        reason = str(error)
    err(f"WARNING: Error parsing config file ({path}): {reason}\n")
    return {}


def write(given: str, document: dict[str, Any]) -> None:
    """Replace config.json, as docker lays it out; a link to it stays one, and only the user may read it.

    Raises:
        Failure: it cannot be written.
    """
    import json
    import os

    from dockwright.cli.failure import Failure

    folder = directory(given)
    path = os.path.realpath(f"{folder}/config.json")
    temporary = f"{path}{posix.getpid()}"
    text = json.dumps(document, indent="\t", sort_keys=True, ensure_ascii=False)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(text)
        os.rename(temporary, path)
    except OSError as error:
        raise Failure(f"error saving credentials: {path}: {(error.strerror or '').lower()}\n") from error
