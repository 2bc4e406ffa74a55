"""Where plug-ins are: sockets in /run/docker/plugins, and files that say an address.

Source: docs.docker.com, engine/extend/plugin_api, "Plugin discovery".
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from dockwright.base.errors import Internal, NotFound

SOCKETS = ("/run/docker/plugins",)
FILES = ("/etc/docker/plugins", "/usr/lib/docker/plugins")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


@dataclass(frozen=True)
class Trust:
    """How a plug-in's TLS is checked: files in PEM, "" for none."""

    authority: str = ""
    certificate: str = ""
    key: str = ""
    blindly: bool = False


@dataclass(frozen=True)
class Place:
    """Where a plug-in listens.

    Attributes:
        socket: path of its Unix socket; "" for one at `host` and `port`. trust: None without TLS.
    """

    socket: str = ""
    host: str = ""
    port: int = 0
    trust: Trust | None = None


class Directories:
    """The directories plug-ins are looked for in, in this order.

    Args:
        sockets: of sockets. files: of `NAME.spec` and `NAME.json`.
    """

    def __init__(self, sockets: tuple[str, ...] = SOCKETS, files: tuple[str, ...] = FILES) -> None:
        self._sockets, self._files = sockets, files

    def find(self, name: str) -> Place:
        """The plug-in called `name`.

        Raises:
            NotFound: in Docker's words. Internal: its file cannot be read.
        """
        if not _NAME.fullmatch(name):
            raise NotFound(f'plugin "{name}" not found')
        for directory in self._sockets:
            for path in (f"{directory}/{name}.sock", f"{directory}/{name}/{name}.sock"):
                if _is_socket(path):
                    return Place(path)
        for directory in self._files:
            for path in (f"{directory}/{name}.spec", f"{directory}/{name}.json"):
                if os.path.exists(path):
                    return _read(path)
        raise NotFound(f'plugin "{name}" not found')

    def names(self) -> list[str]:
        """All there are."""
        return sorted({name for directory in (*self._sockets, *self._files) for name in _names(directory)})


def _names(directory: str) -> Iterator[str]:
    try:
        entries = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        stem, dot, kind = entry.rpartition(".")
        if dot and kind in ("sock", "spec", "json"):
            yield stem
        elif _is_socket(f"{directory}/{entry}/{entry}.sock"):
            yield entry


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _read(path: str) -> Place:
    """A `.spec` file holds an address, a `.json` file one with TLS beside it."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read().strip()
        if path.endswith(".spec"):
            return _place(text, None)
        document = json.loads(text)
        tls = document.get("TLSConfig")
        trust = tls and Trust(
            tls.get("CAFile", ""), tls.get("CertFile", ""), tls.get("KeyFile", ""), bool(tls.get("InsecureSkipVerify"))
        )
        return _place(document["Addr"], trust)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise Internal(f"plugin file {path}: {error}") from None


def _place(address: str, trust: Trust | None) -> Place:
    """`unix:///run/x.sock`, `tcp://host:port`, `http://host:port`, `https://host:port`. Raises ValueError."""
    parts = urlsplit(address)
    if parts.scheme == "unix":
        return Place(parts.path)
    if parts.scheme not in ("tcp", "http", "https") or not parts.hostname or not parts.port:
        raise ValueError(f"invalid address {address}")
    secure = Trust() if parts.scheme == "https" and trust is None else trust
    return Place(host=parts.hostname, port=parts.port, trust=secure)
