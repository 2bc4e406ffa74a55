"""What the API says of containers: inspect and list, in the newest shape."""

import time
from typing import Any

from dockwright.base.times import ZERO, seconds
from dockwright.containers import confinement, shown
from dockwright.containers.container import Container
from dockwright.spec.security import parse


def inspect(
    container: Container, graph_driver: dict[str, Any], log_path: str, folder: str, network: dict[str, Any]
) -> dict[str, Any]:
    """GET /containers/{id}/json."""
    state, command = container.state, container.command
    started = state.started_at != ZERO
    return {
        "Id": container.id, "Created": container.created, "Path": command[0] if command else "", "Args": command[1:],
        "State": {
            "Status": state.status, "Running": state.running, "Paused": state.paused, "Restarting": state.restarting,
            "OOMKilled": state.oom_killed, "Dead": False, "Pid": state.pid, "ExitCode": state.exit_code,
            "Error": state.error, "StartedAt": state.started_at, "FinishedAt": state.finished_at,
            **_health(container),
        },
        "Image": container.image, "ResolvConfPath": f"{folder}/resolv.conf" if started else "",
        "HostnamePath": f"{folder}/hostname" if started else "", "HostsPath": f"{folder}/hosts" if started else "",
        "LogPath": log_path if started else "", "Name": f"/{container.name}", "RestartCount": state.restart_count,
        "Driver": graph_driver["Name"],
        "Platform": "linux", "MountLabel": "", "ProcessLabel": "", "AppArmorProfile": _apparmor(container),
        "ExecIDs": list(container.exec_ids) or None,
        "HostConfig": shown.host_config(container.host), "GraphDriver": graph_driver,
        "Mounts": [point.document() for point in container.mounts],
        "Config": shown.config(container.config),
        "NetworkSettings": shown.network(network, started),
    }  # fmt: skip


def _apparmor(container: Container) -> str:
    """What confines the container's processes; before the first start only what was asked for."""
    chosen = parse(container.host.SecurityOpt or [])
    if container.state.started_at == ZERO:
        return chosen.apparmor
    return confinement.apparmor(chosen, bool(container.host.Privileged)) or chosen.apparmor


def summary(container: Container, network: dict[str, Any], ports: list[dict[str, Any]]) -> dict[str, Any]:
    """One row of GET /containers/json."""
    started = container.state.started_at != ZERO
    return {
        "Id": container.id, "Names": [f"/{container.name}"], "Image": container.config["Image"],
        "ImageID": container.image, "Command": _command(container.command), "Created": int(seconds(container.created)),
        "Ports": ports, "Labels": container.config["Labels"], "State": container.state.status, "Status": status(container),
        "HostConfig": {"NetworkMode": container.host.NetworkMode},
        "NetworkSettings": {"Networks": shown.network(network, started)["Networks"]},
        "Mounts": [point.document() for point in container.mounts],
    }  # fmt: skip


def _command(arguments: list[str]) -> str:
    return " ".join(f"'{a}'" if " " in a else a for a in arguments)


def _addition(container: Container) -> str:
    """What the STATUS column says beside the time."""
    health = container.state.health
    if container.state.paused:
        return " (Paused)"
    if health is None:
        return ""
    return " (health: starting)" if health.status == "starting" else f" ({health.status})"


def _health(container: Container) -> dict[str, Any]:
    """State.Health, for those that have been started with a check."""
    found = container.state.health
    if found is None:
        return {}
    return {"Health": {"Status": found.status, "FailingStreak": found.streak, "Log": [dict(entry) for entry in found.log]}}


def status(container: Container) -> str:
    """The STATUS column."""
    state = container.state
    if state.restarting:
        return f"Restarting ({state.exit_code}) {duration(time.time() - seconds(state.finished_at))} ago"
    if state.running:
        return f"Up {duration(time.time() - seconds(state.started_at))}" + _addition(container)
    if state.removing:
        return "Removal In Progress"
    if state.started_at == ZERO:
        return "Created"
    return f"Exited ({state.exit_code}) {duration(time.time() - seconds(state.finished_at))} ago"


def duration(length: float) -> str:
    """A length of time as Docker words it."""
    whole = int(length)
    minutes, hours = whole // 60, round(whole / 3600)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    if hours == 1:
        return "About an hour"
    return _long(hours)


def _long(hours: int) -> str:
    if hours < 48:
        return f"{hours} hours"
    days = hours // 24
    if days < 14:
        return f"{days} days"
    if days < 60:
        return f"{days // 7} weeks"
    return f"{days // 30} months" if days < 730 else f"{days // 365} years"
