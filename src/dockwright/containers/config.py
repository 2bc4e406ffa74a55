"""Config of a container: the request with the image's defaults merged in (containers keep it for life)."""

from typing import Any

import msgspec

from dockwright.base.errors import InvalidParameter, NotSupported
from dockwright.containers import health, signals
from dockwright.grammar.mounts import clean
from dockwright.images.store import Image
from dockwright.types.container import CreateRequest

_PLAIN = (
    "Hostname", "Domainname", "User", "AttachStdin", "AttachStdout", "AttachStderr", "ExposedPorts", "Tty", "OpenStdin",
    "StdinOnce", "Env", "Cmd", "Healthcheck", "ArgsEscaped", "Image", "Volumes", "WorkingDir", "Entrypoint", "MacAddress",
    "OnBuild", "Labels", "StopSignal", "StopTimeout", "Shell",
)  # fmt: skip
_OPTIONAL = ("ExposedPorts", "Healthcheck", "ArgsEscaped", "MacAddress", "StopSignal", "StopTimeout", "Shell")
_STRINGS = ("Hostname", "Domainname", "User", "Image", "WorkingDir")
_FLAGS = ("AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce")
LONGEST_HOSTNAME = 64  # sethostname(2)


def merged(request: CreateRequest, image: Image | None, ident: str, host_name: str) -> dict[str, Any]:
    """The Config of inspect.

    Args:
        host_name: the hostname when the network is the host's, else "".

    Raises:
        InvalidParameter: in Docker's words. NotSupported: a field that is not implemented yet.
    """
    if request.NetworkDisabled:
        raise NotSupported("Config.NetworkDisabled is not implemented: use the network mode none")
    config = given(request)
    inherit(config, image.container_config if image else {})
    config["Hostname"] = config["Hostname"] or host_name or ident[:12]
    _check(config)
    return config


def given(request: CreateRequest) -> dict[str, Any]:
    """What a request says of the configuration, as inspect shows it.

    Raises:
        InvalidParameter: a health check that cannot be.
    """
    health.check(request.Healthcheck)
    given = msgspec.to_builtins(request)
    config = {name: given.get(name) for name in _PLAIN if given.get(name) or name not in _OPTIONAL}
    for name in ("StopTimeout", "Healthcheck"):
        if getattr(request, name) is not None:
            config[name] = given[name]
    for name in _STRINGS:
        config[name] = config.get(name) or ""
    for name in _FLAGS:
        config[name] = bool(config.get(name))
    for name in ("Cmd", "Entrypoint"):
        config[name] = [config[name]] if isinstance(config.get(name), str) else config.get(name)
    return config


def inherit(config: dict[str, Any], image: dict[str, Any]) -> None:
    """Complete a configuration by an image's, or by that of the container an image is made of."""
    for name in ("User", "WorkingDir", "StopSignal"):
        if not config.get(name) and image.get(name):
            config[name] = image[name]
    if image.get("ExposedPorts"):
        config["ExposedPorts"] = {**image["ExposedPorts"], **(config.get("ExposedPorts") or {})}
    if not config["Entrypoint"]:
        config["Cmd"] = config["Cmd"] or image.get("Cmd")
        config["Entrypoint"] = None if config["Entrypoint"] == [""] else image.get("Entrypoint")
    elif config["Entrypoint"] == [""]:
        config["Entrypoint"] = None
    if check := health.inherited(config.get("Healthcheck"), image.get("Healthcheck")):
        config["Healthcheck"] = check
    names = {variable.partition("=")[0] for variable in config["Env"] or ()}
    inherited = [v for v in image.get("Env") or () if v.partition("=")[0] not in names]
    config["Env"] = [*(config["Env"] or []), *inherited]
    config["Volumes"] = {**(image.get("Volumes") or {}), **(config["Volumes"] or {})} or None
    config["Labels"] = {**(image.get("Labels") or {}), **(config["Labels"] or {})}


def _check(config: dict[str, Any]) -> None:
    for variable in config["Env"]:
        if variable.startswith("=") or not variable:
            raise InvalidParameter(f"invalid environment variable: {variable}")
    if len(config["Hostname"].encode()) > LONGEST_HOSTNAME:
        raise InvalidParameter(f'hostname "{config["Hostname"]}" is too long (maximum {LONGEST_HOSTNAME} bytes)')
    directory = config["WorkingDir"]
    if directory and not directory.startswith("/"):
        raise InvalidParameter(f"the working directory '{directory}' is invalid, it needs to be an absolute path")
    config["WorkingDir"] = clean(directory) if directory else ""
    if config.get("StopSignal"):
        signals.parse(config["StopSignal"])
    health.refuse_idle(config)
    if not config["Cmd"] and not config["Entrypoint"]:
        raise InvalidParameter("no command specified")
