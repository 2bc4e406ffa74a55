"""Where a container's log is on disk, and whether it can be read."""

from dataclasses import dataclass

from dockwright.base.paths import Paths
from dockwright.containers.container import Container
from dockwright.supervisor.logs.drivers.values import boolean


@dataclass(frozen=True)
class LogFiles:
    """The file that is written to (others of its name are older), and whose form it has: json-file's or local's."""

    path: str
    driver: str


def json_path(container: Container, paths: Paths) -> str:
    """LogPath of inspect: of the json-file log; "" for other drivers."""
    assert container.host.LogConfig
    return _files(container, paths).path if container.host.LogConfig.Type == "json-file" else ""


def readable(container: Container, paths: Paths) -> LogFiles | None:
    """What `docker logs` reads: the log itself, or the local copy of what goes elsewhere; None if there is neither."""
    assert container.host.LogConfig
    driver, options = container.host.LogConfig.Type or "", container.host.LogConfig.Config or {}
    if driver in ("none", "passthrough") or (driver not in ("json-file", "local") and not cached(options)):
        return None
    return _files(container, paths)


def cached(options: dict[str, str]) -> bool:
    """Whether a driver that sends lines elsewhere keeps a local copy of them."""
    return not boolean(options.get("cache-disabled", "false"))


def _files(container: Container, paths: Paths) -> LogFiles:
    assert container.host.LogConfig
    folder = paths.container(container.id)
    if container.host.LogConfig.Type == "json-file":
        return LogFiles(f"{folder}/{container.id}-json.log", "json-file")
    if container.host.LogConfig.Type == "local":
        return LogFiles(f"{folder}/local-logs/container.log", "local")
    return LogFiles(f"{folder}/container-cached.log", "local")
