"""The body of POST /containers/create from the flags of `run` and `create`.

It begins as docker's client begins it, field for field: what daemons make of a field left out differs in places from
what they make of its zero value. Checks and texts are docker's.
"""

from __future__ import annotations

from dockwright.cli import endpoints, hostconfig
from dockwright.cli.faults import invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.grammar.flags import Given

HEALTH = (
    "health-cmd", "health-interval", "health-timeout", "health-start-period", "health-start-interval", "health-retries",
    "health-on-failure",
)  # fmt: skip
REFUSED = {
    "use-api-socket": "--use-api-socket is not supported: mount the socket with -v instead",
    "kernel-memory": "--kernel-memory is not supported: kernels since 5.4 have no such limit",
}


def body(given: Given) -> dict[str, Any]:
    """The whole document.

    Args:
        given: the flags; `rest` is the image and the command.

    Raises:
        Failure: in docker's words.
    """
    _check(given)
    streams = attached(given)
    config = {
        "Hostname": given.text("hostname"), "Domainname": given.text("domainname"), "User": given.text("user"),
        "AttachStdin": "stdin" in streams, "AttachStdout": "stdout" in streams, "AttachStderr": "stderr" in streams,
        "Tty": given.flag("tty"), "OpenStdin": given.flag("interactive"),
        "StdinOnce": given.flag("interactive") and "stdin" in streams,
        "Env": environment(given), "Cmd": given.rest[1:] or None, "Image": given.rest[0], "Volumes": hostconfig.anonymous(given),
        "WorkingDir": given.text("workdir"), "Entrypoint": _entrypoint(given), "OnBuild": None, "Labels": _labels(given),
    }  # fmt: skip
    ports = _exposed(given)
    config |= {name: value for name, value in _optional(given).items() if value}
    if "stop-timeout" in given:
        config["StopTimeout"] = given.number("stop-timeout")
    if ports:
        config["ExposedPorts"] = ports
    host = hostconfig.host_config(given)
    config["HostConfig"] = host
    config["NetworkingConfig"] = {"EndpointsConfig": endpoints.endpoints(given, host)}
    return config


def _check(given: Given) -> None:
    for name, text in REFUSED.items():
        if name in given:
            raise invalid(text)
    if not given.flag("disable-content-trust", True):
        raise invalid("--disable-content-trust=false is not supported: there is no notary client here")
    if "mac-address" in given:
        from dockwright.grammar.option_values import is_mac

        if not is_mac(given.text("mac-address")):
            raise invalid(f"{given.text('mac-address')} is not a valid mac address")


def attached(given: Given) -> list[str]:
    """The streams that are attached: --attach, else all of them; stdin only with -i."""
    streams = given.list("attach")
    if streams:
        return list(streams)
    return ["stdout", "stderr", "stdin"] if given.flag("interactive") else ["stdout", "stderr"]


def environment(given: Given) -> list[str] | None:
    """--env-file and --env, in that order; None for none. Raises InvalidOptions."""
    found = []
    for name in given.list("env-file"):
        found += _file(name, "env")
    return [*found, *given.list("env")] or None


def _labels(given: Given) -> dict[str, str]:
    entries = []
    for name in given.list("label-file"):
        entries += _file(name, "label")
    return dict(_pair(entry) for entry in [*entries, *given.list("label")])


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def _file(name: str, kind: str) -> list[str]:
    import posix

    from dockwright.grammar.env_files import parse_lines

    try:
        with open(name, "rb") as file:
            return parse_lines(file.read(), name, posix.environ if kind == "env" else None)
    except OSError as error:
        raise invalid(f"open {name}: {(error.strerror or '').lower()}") from error
    except ValueError as error:
        raise invalid(str(error)) from error


def _entrypoint(given: Given) -> list[str] | None:
    """A single word; given but empty takes the image's away."""
    return [given.text("entrypoint")] if "entrypoint" in given else None


def _exposed(given: Given) -> dict[str, Any]:
    ports: dict[str, Any] = {key: {} for key in hostconfig.published(given)}
    for text in given.list("expose"):
        if ":" in text:
            raise invalid(f"invalid port format for --expose: {text}")
        from dockwright.grammar.ports import PortError, parse_exposed

        try:
            ports |= {key: {} for key in parse_exposed(text)}
        except PortError as error:
            raise invalid(str(error)) from error
    return ports


def _optional(given: Given) -> dict[str, Any]:
    """Fields that are there only with a value."""
    return {
        "StopSignal": given.text("stop-signal"),
        "Healthcheck": _health(given),
    }


def _health(given: Given) -> dict[str, Any] | None:
    changed = [name for name in HEALTH if given.values.get(name)]
    if given.flag("no-healthcheck"):
        if changed:
            raise invalid("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    for name in ("interval", "timeout", "retries", "start-period", "start-interval"):
        if given.number(f"health-{name}") < 0:
            raise invalid(f"--health-{name} cannot be negative")
    if not changed:
        return None
    health = {
        "Test": ["CMD-SHELL", given.text("health-cmd")] if given.text("health-cmd") else None,
        "Interval": given.number("health-interval"), "Timeout": given.number("health-timeout"),
        "StartPeriod": given.number("health-start-period"), "StartInterval": given.number("health-start-interval"),
        "Retries": given.number("health-retries"), "OnFailure": given.text("health-on-failure"),
    }  # fmt: skip
    return {name: value for name, value in health.items() if value}


