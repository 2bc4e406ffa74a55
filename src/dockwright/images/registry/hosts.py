"""hosts.toml: the ways to one registry, as its administrator wrote them down.

Source: containerd's documentation, "Registry Configuration" (docs/hosts.md): `server`, and a table `[host."URL"]` for each
mirror in the order it is tried, with capabilities, ca, client, skip_verify, header and override_path.
"""

import os
import tomllib
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from dockwright.base.errors import Internal
from dockwright.images.registry.endpoints import API, EVERYTHING, Endpoint, Trust

LARGEST = 1 << 20
_NOTED = "referrers"  # a capability nobody here asks for
_FIELDS = {
    "capabilities": list, "ca": (str, list), "client": (str, list), "skip_verify": bool, "header": dict, "override_path": bool,
}  # fmt: skip


def read(folder: str, host: str, own: list[Endpoint]) -> list[Endpoint]:
    """The endpoints of `folder`/hosts.toml.

    Args:
        host: of the registry. own: its usual endpoints, for a file that names no `server`.

    Raises:
        Internal: the file is broken.
    """
    path = f"{folder}/hosts.toml"
    try:
        with open(path, "rb") as file:
            found = tomllib.loads(file.read(LARGEST).decode())
    except (OSError, ValueError) as error:
        raise Internal(f"failed to load hosts.toml of {host}: {error}") from None
    try:
        mirrors = [_endpoint(url, table, folder, mirror=True) for url, table in _table(found, "host").items()]
        server = found.pop("server", "")
        found.pop("host", None)
        last = [_endpoint(server, found, folder, mirror=False)] if server else [_changed(e, found, folder) for e in own]
    except (TypeError, ValueError) as error:
        raise Internal(f"invalid {path}: {error}") from None
    return mirrors + last


def _table(found: dict[str, Any], name: str) -> dict[str, Any]:
    table = found.get(name, {})
    if not isinstance(table, dict):
        raise TypeError(f"`{name}` is no table")
    return table


def _endpoint(url: Any, table: Any, folder: str, mirror: bool) -> Endpoint:
    if not isinstance(url, str) or not isinstance(table, dict):
        raise TypeError(f"{url!r} is no host")
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"unsupported address {url!r}")
    path = parts.path.rstrip("/")
    base = path if table.get("override_path") or path.endswith(API) else path + API
    return _changed(Endpoint(parts.scheme, parts.netloc, base, mirror=mirror), table, folder)


def _changed(endpoint: Endpoint, table: dict[str, Any], folder: str) -> Endpoint:
    """`endpoint` with what its table says. Raises TypeError, ValueError."""
    for name, value in table.items():
        if name not in _FIELDS:
            raise ValueError(f"unknown field `{name}`")
        if not isinstance(value, _FIELDS[name]):  # type: ignore[arg-type]
            raise TypeError(f"`{name}` is of the wrong type")
    files = tuple(_path(folder, name) for name in _listed(table.get("ca")))
    trust = Trust(
        endpoint.trust.verify and not table.get("skip_verify", False), endpoint.trust.authorities + files,
        endpoint.trust.clients + tuple(_client(folder, item) for item in _listed(table.get("client"))),
    )  # fmt: skip
    headers = {name: ", ".join(map(str, _listed(value))) for name, value in table.get("header", {}).items()}
    return replace(endpoint, trust=trust, headers=headers, capabilities=_capabilities(table))


def _capabilities(table: dict[str, Any]) -> frozenset[str]:
    given = table.get("capabilities", list(EVERYTHING))
    for name in given:
        if name not in (*EVERYTHING, _NOTED):
            raise ValueError(f"unknown capability {name!r}")
    return frozenset(given) & EVERYTHING


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _client(folder: str, item: Any) -> tuple[str, str]:
    """A certificate with its key in the same file, or a pair of files."""
    if isinstance(item, str):
        return _path(folder, item), ""
    certificate, key = item
    return _path(folder, certificate), _path(folder, key) if key else ""


def _path(folder: str, name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is no path")
    return os.path.join(folder, name)
