"""Log drivers and their options: merged and checked at create, turned into what the shim needs at start.

Unlike Docker's, our json-file rotates when nothing is said about size (docs/deviations.md); `max-size=-1` takes that back.
"""

import os
from typing import Any

import msgspec

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.base.paths import Paths
from dockwright.containers import logchecks, logtags
from dockwright.containers.container import Container
from dockwright.containers.logfiles import cached, json_path, readable
from dockwright.grammar.units import from_human_size, ram_in_bytes
from dockwright.supervisor.logs.drivers.values import boolean
from dockwright.supervisor.logs.writer import LOG_FAILED
from dockwright.types.container import LogConfig

ANY = frozenset({"mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"})
JSON_DEFAULTS = {"max-size": "20m", "max-file": "5", "compress": "true"}
LOCAL_SIZE, LOCAL_FILES = 20 << 20, 5
BUFFER = 1_000_000  # bytes of a non-blocking log, and of a fluentd-async one that is not connected
Options = dict[str, str]


def merged(given: LogConfig | None, default: LogConfig) -> LogConfig:
    """What a container gets: the daemon's driver where it names none, the daemon's options where it names none of them."""
    if given is None or not given.Type:
        given = LogConfig(default.Type, given.Config if given else None)
    if given.Type == default.Type:
        given.Config = {**(default.Config or {}), **(given.Config or {})}
    return given


def check(config: LogConfig) -> None:
    """Raises InvalidParameter, in Docker's words, for a driver, an option or a value that cannot be."""
    driver, options = config.Type or "", config.Config or {}
    if driver not in logchecks.OPTIONS:
        raise InvalidParameter(f'error looking up logging plugin {driver}: plugin "{driver}" not found')
    if driver != "none":
        _check_mode(options)
        _check_cache(driver, options)
    logchecks.check(driver, {name: value for name, value in options.items() if driver == "none" or name not in ANY})


def _check_mode(options: Options) -> None:
    mode = options.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        raise InvalidParameter(f"logger: logging mode not supported: {mode}")
    if "max-buffer-size" not in options:
        return
    if mode != "non-blocking":
        raise InvalidParameter("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
    try:
        ram_in_bytes(options["max-buffer-size"])
    except ValueError as error:
        raise InvalidParameter(f"error parsing option max-buffer-size: {error}") from None


def _check_cache(driver: str, options: Options) -> None:
    try:
        boolean(options.get("cache-disabled", "false"))
    except ValueError:
        raise InvalidParameter(f"invalid value for option cache-disabled: {options['cache-disabled']}") from None
    unknown = next((name for name in options if name.startswith("cache-") and name not in ANY), "")
    if unknown:
        raise InvalidParameter(f'unknown log opt "{unknown}" for {driver} log driver')


def plan(container: Container, paths: Paths) -> dict[str, Any]:
    """What the shim's log gets (supervisor.logs.writer); {} for the driver none.

    Raises:
        Internal: an option's value that cannot be; at start, as with Docker.
    """
    assert container.host.LogConfig
    driver, options = container.host.LogConfig.Type or "", container.host.LogConfig.Config or {}
    try:
        found = _planned(container, driver, options, paths)
    except ValueError as error:
        raise Internal(f"{LOG_FAILED}{error}") from None
    if found and options.get("mode") == "non-blocking" and driver != "passthrough":
        found["buffer"] = ram_in_bytes(options.get("max-buffer-size", "0")) or BUFFER
    return found


def _planned(container: Container, driver: str, options: Options, paths: Paths) -> dict[str, Any]:
    if driver == "none":
        return {}
    if driver == "passthrough":
        return {"driver": driver, "paths": dict(options)}
    if driver == "json-file":
        attributes = attrs(container, options)
        text = msgspec.json.encode(dict(sorted(attributes.items()))).decode() if attributes else ""
        return {"driver": driver, "path": json_path(container, paths), "attrs": text, **_json_sizes(options)}
    if driver == "local":
        return _local(container, paths, options)
    return _elsewhere(container, driver, options, paths)


def attrs(container: Container, options: Options) -> dict[str, str]:
    """What each line of a json-file log carries.

    Raises:
        ValueError: a pattern or template that cannot be.
    """
    tag = logtags.tag(container, options.get("tag", ""))
    return {**logtags.chosen(container, options), **({"tag": tag} if tag else {})}


def _elsewhere(container: Container, driver: str, options: Options, paths: Paths) -> dict[str, Any]:
    """A driver that sends lines away, from a process of its own."""
    info = {
        "id": container.id, "name": container.name, "tag": logtags.tag(container, options.get("tag") or logtags.DEFAULT_TAG),
        "image": container.image, "image_name": container.config["Image"], "command": " ".join(container.command),
        "created": container.created, "attrs": logtags.chosen(container, options),
    }  # fmt: skip
    found: dict[str, Any] = {"driver": driver, "options": dict(options), "info": info}
    if cached(options):
        of_cache = {name.removeprefix("cache-"): value for name, value in options.items() if name.startswith("cache-m")}
        if "cache-compress" in options:
            of_cache["compress"] = options["cache-compress"]
        found["cache"] = _local(container, paths, of_cache)
    if boolean(options.get("fluentd-async", options.get("fluentd-async-connect", "false"))):
        found["buffer"] = ram_in_bytes(options.get("fluentd-buffer-limit", "1m"))
    return found


def _local(container: Container, paths: Paths, options: Options) -> dict[str, Any]:
    """A log in the local driver's form."""
    files = readable(container, paths)
    assert files
    os.makedirs(os.path.dirname(files.path), mode=0o710, exist_ok=True)
    return {"driver": "local", "path": files.path, **_local_sizes(options)}


def _local_sizes(options: Options) -> dict[str, Any]:
    try:
        size = from_human_size(options["max-size"]) if "max-size" in options else LOCAL_SIZE
    except ValueError as error:
        raise ValueError(f"invalid value for max-size: {options['max-size']}: {error}") from None
    try:
        count = _integer(options.get("max-file", str(LOCAL_FILES)))
    except ValueError as error:
        raise ValueError(f"invalid value for max-file: {options['max-file']}: {error}") from None
    try:
        compress = boolean(options.get("compress", "true"))
    except ValueError as error:
        raise ValueError(f"error reading compress log option: {error}") from None
    if size <= 0:
        raise ValueError("max size should be a positive number")
    if compress and count < 2:
        raise ValueError("compression cannot be enabled when max file count is 1")
    if count < 0:
        raise ValueError("max file count cannot be less than 0")
    return {"max_size": size, "max_file": max(1, count), "compress": compress}


def _json_sizes(options: Options) -> dict[str, Any]:
    if "max-size" not in options:
        options = {**JSON_DEFAULTS, **options}
        if options["max-file"] == "1":
            options["compress"] = "false"
    size = -1 if options["max-size"] == "-1" else from_human_size(options["max-size"])
    if size == 0:
        raise ValueError("max-size must be a positive number")
    count = _integer(options.get("max-file", "1"))
    if count < 1:
        raise ValueError("max-file cannot be less than 1")
    compress = boolean(options.get("compress", "false"))
    if compress and (count == 1 or size < 0):
        raise ValueError("compress cannot be true when max-file is less than 2 or max-size is not set")
    return {"max_size": size, "max_file": count, "compress": compress}


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f'strconv.Atoi: parsing "{text}": invalid syntax') from None
