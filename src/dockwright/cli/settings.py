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
