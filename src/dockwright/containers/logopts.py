"""Log drivers and their options: checked at create, turned into what the shim needs at start.

Source: Docker's documentation of the json-file driver. Unlike Docker's, our json-file rotates when nothing is said
about size (docs/deviations.md); `max-size=-1` takes that back.
"""

import re
from typing import Any

import msgspec

from dockwright.base.errors import Internal, InvalidParameter, NotSupported
from dockwright.base.ids import short
from dockwright.containers.container import Container
from dockwright.types.container import LogConfig

DRIVERS = ("json-file", "none")
OPTIONS = frozenset({
    "max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag", "mode", "max-buffer-size",
})  # fmt: skip
DEFAULTS = {"max-size": "20m", "max-file": "5", "compress": "true"}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_TRUE, _FALSE = {"1", "t", "T", "TRUE", "true", "True"}, {"0", "f", "F", "FALSE", "false", "False"}
_FIELD = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")


def merged(given: LogConfig | None, default: LogConfig) -> LogConfig:
    """What a container gets: the daemon's driver where it names none, the daemon's options where it names none of them."""
    if given is None or not given.Type:
        given = LogConfig(default.Type, given.Config if given else None)
    if given.Type == default.Type:
        given.Config = {**(default.Config or {}), **(given.Config or {})}
    return given


def check(config: LogConfig) -> None:
    """Raises InvalidParameter for a driver or an option that does not exist, in Docker's words; NotSupported for one we
    do not have."""
    driver, options = config.Type or "", config.Config or {}
    if driver not in DRIVERS:
        raise InvalidParameter(f'error looking up logging plugin {driver}: plugin "{driver}" not found')
    for name in options:
        if driver == "json-file" and name not in OPTIONS:
            raise InvalidParameter(f"unknown log opt '{name}' for {driver} log driver")
    mode = options.get("mode", "blocking")
    if mode not in ("blocking", "non-blocking"):
        raise InvalidParameter(f"logger: logging mode not supported: {mode}")
    if mode == "non-blocking":
        raise NotSupported("log option mode=non-blocking is not implemented yet")
    if "max-buffer-size" in options:
        raise InvalidParameter("logger: max-buffer-size option is only supported with 'mode=non-blocking'")


def plan(container: Container, path: str) -> dict[str, Any]:
    """What the shim's writer gets (supervisor.logs.writer); {} for the driver none.

    Raises:
        Internal: an option's value that cannot be; at start, as with Docker.
    """
    assert container.host.LogConfig
    if container.host.LogConfig.Type != "json-file":
        return {}
    options = container.host.LogConfig.Config or {}
    try:
        sizes = _sizes(options)
        attributes = attrs(container, options)
    except ValueError as error:
        raise Internal(f"failed to initialize logging driver: {error}") from None
    text = msgspec.json.encode(dict(sorted(attributes.items()))).decode() if attributes else ""
    return {"driver": "json-file", "path": path, "attrs": text, **sizes}


def _sizes(options: dict[str, str]) -> dict[str, Any]:
    if "max-size" not in options:
        options = {**DEFAULTS, **options}
        if options["max-file"] == "1":
            options["compress"] = "false"
    size = -1 if options["max-size"] == "-1" else parse_size(options["max-size"])
    if size == 0:
        raise ValueError("max-size must be a positive number")
    count = _integer(options.get("max-file", "1"))
    if count < 1:
        raise ValueError("max-file cannot be less than 1")
    compress = _boolean(options.get("compress", "false"))
    if compress and (count == 1 or size < 0):
        raise ValueError("compress cannot be true when max-file is less than 2 or max-size is not set")
    return {"max_size": size, "max_file": count, "compress": compress}


def parse_size(text: str) -> int:
    """`10m`, `1.5g`, `512`: bytes, in powers of 1024.

    Raises:
        ValueError: in the words of Docker's units package.
    """
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"invalid size: '{text}'")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f'strconv.Atoi: parsing "{text}": invalid syntax') from None


def _boolean(text: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return text in _TRUE


def attrs(container: Container, options: dict[str, str]) -> dict[str, str]:
    """What each line carries beside its text: chosen labels and variables, and the tag.

    Raises:
        ValueError: a pattern or template that cannot be.
    """
    labels = container.config["Labels"] or {}
    variables = dict(variable.partition("=")[::2] for variable in container.config["Env"] or () if "=" in variable)
    found = {
        **_chosen(labels, options.get("labels", ""), options.get("labels-regex", "")),
        **_chosen(variables, options.get("env", ""), options.get("env-regex", "")),
    }
    tag = _tag(container, options.get("tag", ""))
    return {**found, **({"tag": tag} if tag else {})}


def _chosen(values: dict[str, str], names: str, pattern: str) -> dict[str, str]:
    wanted = {name for name in names.split(",") if name in values} if names else set()
    if pattern:
        try:
            wanted |= {name for name in values if re.search(pattern, name)}
        except re.error as error:
            raise ValueError(f"error parsing regexp: {error}") from None
    return {name: values[name] for name in wanted}


def _tag(container: Container, template: str) -> str:
    fields: dict[str, str] = {
        "ID": short(container.id), "FullID": container.id, "Name": container.name, "ImageName": container.config["Image"],
        "ImageID": short(container.image), "ImageFullID": container.image, "DaemonName": "docker",
    }  # fmt: skip

    def value(match: "re.Match[str]") -> str:
        if match[1] not in fields:
            raise ValueError(f"template: log-tag: can't evaluate field {match[1]} in type *logger.Info")
        return fields[match[1]]

    text = _FIELD.sub(value, template)
    if "{{" in text:
        raise ValueError(f"template: log-tag: {template}: only fields such as {{{{.Name}}}} are implemented")
    return text
