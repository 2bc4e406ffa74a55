"""`--change` of import and commit: the Dockerfile instructions that only touch an image's configuration.

Source: Dockerfile reference, of Docker 27 ("CMD", "ENV", "HEALTHCHECK" ...).
"""

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

from dockwright.base.errors import InvalidParameter
from dockwright.grammar.ports import PortError, parse_exposed

Config = dict[str, Any]
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_VARIABLE = re.compile(r"\\\$|\$(?:(\w+)|\{(\w+)(?:(:[-+])([^}]*))?\})")
_EXPANDED = ("ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR")
_SHELL = ["/bin/sh", "-c"]
_CHECK_OPTIONS = {
    "interval": "Interval", "timeout": "Timeout", "start-period": "StartPeriod", "start-interval": "StartInterval",
}  # fmt: skip


def apply(config: Config, changes: list[str]) -> Config:
    """`config` with the instructions applied, in order.

    Raises:
        InvalidParameter: an instruction that changes no configuration, or one that cannot be read.
    """
    for line in changes:
        word, _, rest = line.strip().partition(" ")
        instruction = _INSTRUCTIONS.get(word.upper())
        if instruction is None:
            raise InvalidParameter(f"{word.upper()} is not a valid change command")
        if not rest.strip():
            raise InvalidParameter(f"{word.upper()} requires at least one argument")
        if word.upper() in _EXPANDED:
            rest = expanded(rest, config)
        instruction(config, rest.strip())
    words = {line.split()[0].upper() for line in changes}
    if "ENTRYPOINT" in words and "CMD" not in words:
        config.pop("Cmd", None)  # what was meant for the old one
    return config


def expanded(text: str, config: Config) -> str:
    """`text` with $NAME, ${NAME}, ${NAME:-default} and ${NAME:+other} replaced from the configuration's Env."""
    environ = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())

    def value(match: re.Match[str]) -> str:
        if match[0] == "\\$":
            return "$"
        found = environ.get(match[1] or match[2], "")
        if match[3] == ":-":
            return found or match[4]
        return found if match[3] is None else (match[4] if found else "")

    return _VARIABLE.sub(value, text)


def command(text: str) -> list[str]:
    """A command in exec form (a JSON list of strings), else in shell form."""
    exec_form = _exec_form(text)
    return [*_SHELL, text] if exec_form is None else exec_form


def _exec_form(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, list) and all(isinstance(word, str) for word in found) else None


def _cmd(config: Config, rest: str) -> None:
    config["Cmd"] = command(rest)


def _entrypoint(config: Config, rest: str) -> None:
    config["Entrypoint"] = command(rest)


def pairs(rest: str, word: str) -> list[tuple[str, str]]:
    """`KEY=value KEY="other value"`, or the old `KEY value`."""
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise InvalidParameter(f"{word}: {error}") from error
    if words and "=" not in words[0]:
        key, space, value = rest.partition(" ")
        if not space:
            raise InvalidParameter(f"{word} must have two arguments")
        return [(key, value.strip())]
    found = [part.partition("=") for part in words]
    if not all(key and equals for key, equals, _ in found):
        raise InvalidParameter(f"Syntax error - can't find = in {rest!r}. Must be of the form: name=value")
    return [(key, value) for key, _, value in found]


def _env(config: Config, rest: str) -> None:
    known = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
    known.update(pairs(rest, "ENV"))
    config["Env"] = [f"{key}={value}" for key, value in known.items()]


def _label(config: Config, rest: str) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **dict(pairs(rest, "LABEL"))}


def _expose(config: Config, rest: str) -> None:
    try:
        ports: Config = {key: {} for word in rest.split() for key in parse_exposed(word)}
    except PortError as error:
        raise InvalidParameter(str(error)) from error
    config["ExposedPorts"] = {**(config.get("ExposedPorts") or {}), **ports}


def _volume(config: Config, rest: str) -> None:
    names = _exec_form(rest)
    paths: Config = {path: {} for path in (rest.split() if names is None else names)}
    if "" in paths:
        raise InvalidParameter("VOLUME specified can not be an empty string")
    config["Volumes"] = {**(config.get("Volumes") or {}), **paths}


def _workdir(config: Config, rest: str) -> None:
    above = "" if rest.startswith("/") else (config.get("WorkingDir") or "/").rstrip("/") + "/"
    parts: list[str] = []
    for part in (above + rest).split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    config["WorkingDir"] = "/" + "/".join(parts)


def _user(config: Config, rest: str) -> None:
    if len(rest.split()) != 1:
        raise InvalidParameter("USER requires exactly one argument")
    config["User"] = rest


def _stopsignal(config: Config, rest: str) -> None:
    if len(rest.split()) != 1:
        raise InvalidParameter("STOPSIGNAL requires exactly one argument")
    config["StopSignal"] = rest


def _onbuild(config: Config, rest: str) -> None:
    word = rest.split()[0].upper()
    if word == "ONBUILD":
        raise InvalidParameter("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if word in ("FROM", "MAINTAINER"):
        raise InvalidParameter(f"{word} isn't allowed as an ONBUILD trigger")
    config["OnBuild"] = [*(config.get("OnBuild") or []), rest]


def _healthcheck(config: Config, rest: str) -> None:
    check: dict[str, Any] = {}
    while rest.startswith("--"):
        option, _, rest = rest.partition(" ")
        name, _, value = option[2:].partition("=")
        check[_option_key(name)] = _retries(value) if name == "retries" else duration(value, option)
        rest = rest.strip()
    kind, _, text = rest.partition(" ")
    if kind.upper() == "NONE":
        check = {"Test": ["NONE"]}
    elif kind.upper() == "CMD" and text.strip():
        exec_form = _exec_form(text.strip())
        check["Test"] = ["CMD-SHELL", text.strip()] if exec_form is None else ["CMD", *exec_form]
    else:
        raise InvalidParameter("Missing command after HEALTHCHECK CMD" if kind.upper() == "CMD" else
                               f"Unknown type {kind!r} in HEALTHCHECK (try CMD)")  # fmt: skip
    config["Healthcheck"] = check


def _option_key(name: str) -> str:
    if name == "retries":
        return "Retries"
    if name not in _CHECK_OPTIONS:
        raise InvalidParameter(f"unknown flag: {name}")
    return _CHECK_OPTIONS[name]


def _retries(value: str) -> int:
    if not value.isdigit():
        raise InvalidParameter(f"--retries must be a number, not {value!r}")
    return int(value)


def duration(value: str, what: str) -> int:
    """A duration of Go's (`1m30s`) in nanoseconds."""
    if not _DURATION.fullmatch(value):
        raise InvalidParameter(f"invalid duration in {what!r}")
    return sum(int(float(number) * _NANOSECONDS[unit]) for number, unit in _PART.findall(value))


_INSTRUCTIONS: dict[str, Callable[[Config, str], None]] = {
    "CMD": _cmd, "ENTRYPOINT": _entrypoint, "ENV": _env, "EXPOSE": _expose, "HEALTHCHECK": _healthcheck, "LABEL": _label,
    "ONBUILD": _onbuild, "STOPSIGNAL": _stopsignal, "USER": _user, "VOLUME": _volume, "WORKDIR": _workdir,
}  # fmt: skip
