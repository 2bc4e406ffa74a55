"""A container's Config, HostConfig and networks as inspect shows them: Docker leaves some fields out while they are empty."""

from typing import Any

import msgspec

from dockwright.types.container import HostConfig

OMITTED_HOST = ("Annotations", "Init", "Mounts", "StorageOpt", "Sysctls", "Tmpfs")
OMITTED_CONFIG = ("ExposedPorts", "Healthcheck", "MacAddress", "StopSignal", "StopTimeout", "Shell", "NetworkDisabled")


def host_config(host: HostConfig) -> dict[str, Any]:
    """HostConfig, a fresh document."""
    return _without_empty(msgspec.to_builtins(host), OMITTED_HOST)


def config(given: dict[str, Any]) -> dict[str, Any]:
    """Config, a fresh document."""
    return _without_empty(dict(given), OMITTED_CONFIG)


def network(settings: dict[str, Any], started: bool) -> dict[str, Any]:
    """NetworkSettings; before the first start without the networks' ids."""
    for endpoint in () if started else settings["Networks"].values():
        endpoint.update(NetworkID="")
    return settings


def _without_empty(document: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    for name in names:
        value = document.get(name)
        if value is None or value in ("", [], {}):
            document.pop(name, None)
    return document
