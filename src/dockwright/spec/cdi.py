"""What described devices change in a container's OCI spec (CDI specification 1.0, "OCI Edits")."""

import os
import stat
from typing import Any

from dockwright.base.errors import Internal
from dockwright.host.cdi import DeviceNode, Edits, Hook, Mount
from dockwright.spec.build import replace

_HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def inject(spec: dict[str, Any], edits: list[Edits]) -> None:
    """Make `edits` in `spec`, one after the other: a later device node or mount takes the place of an earlier one.

    Raises:
        Internal: a device node is not on the host, or a hook has no such name.
    """
    for each in edits:
        _inject(spec, each)
    if any(each.mounts for each in edits):  # outer mounts first, as before
        spec["mounts"].sort(key=lambda mount: mount["destination"].rstrip("/").count("/"))


def _inject(spec: dict[str, Any], edits: Edits) -> None:
    process = spec["process"]
    process["env"] = replace(process["env"], edits.env)
    for node in edits.device_nodes:
        _add_node(spec, node)
    for mount in edits.mounts:
        kept = [other for other in spec["mounts"] if other["destination"] != mount.container_path]
        spec["mounts"] = [*kept, _mount(mount)]
    for hook in edits.hooks:
        _add_hook(spec, hook)
    groups = process["user"]["additionalGids"]
    groups += [gid for gid in dict.fromkeys(edits.additional_gids) if gid and gid not in groups]


def _add_node(spec: dict[str, Any], node: DeviceNode) -> None:
    """The node, and the right to use it."""
    device = _device(node, spec["process"]["user"])
    linux = spec["linux"]
    linux["devices"] = [other for other in linux["devices"] if other["path"] != node.path] + [device]
    if device["type"] in ("b", "c"):
        numbers = {"major": device["major"], "minor": device["minor"]}
        rule = {"allow": True, "type": device["type"], **numbers, "access": node.permissions or "rwm"}
        linux["resources"]["devices"] = [*(linux["resources"].get("devices") or []), rule]


def _device(node: DeviceNode, user: dict[str, Any]) -> dict[str, Any]:
    """The node as OCI has it. One that is not the host's root's belongs to the container's user, if nothing is said."""
    kind, major, minor, mode = node.type, node.major, node.minor, node.file_mode
    if not kind or (not major and kind != "p"):
        kind, major, minor, found = _of_host(node)
        mode = found if mode is None else mode
    device = {"path": node.path, "type": kind, "major": major, "minor": minor}
    if mode is not None:
        device["fileMode"] = stat.S_IMODE(mode)
    owner = {"uid": node.uid, "gid": node.gid}
    return {**device, **{key: user[key] if value is None else value for key, value in owner.items()}}


def _of_host(node: DeviceNode) -> tuple[str, int, int, int]:
    """Type, numbers and mode of the node on the host."""
    path = node.host_path or node.path
    try:
        info = os.stat(path)
    except OSError as error:
        text = f'CDI device injection failed: failed to stat CDI host device "{path}": {os.strerror(error.errno or 0).lower()}'
        raise Internal(text) from None
    for kind, matches in (("b", stat.S_ISBLK), ("c", stat.S_ISCHR), ("p", stat.S_ISFIFO)):
        if matches(info.st_mode):
            return kind, os.major(info.st_rdev), os.minor(info.st_rdev), stat.S_IMODE(info.st_mode)
    raise Internal(f'CDI device injection failed: "{path}" is not a device node')


def _mount(mount: Mount) -> dict[str, Any]:
    return {
        "destination": mount.container_path, "source": mount.host_path, "type": mount.type or "none",
        "options": list(mount.options),
    }  # fmt: skip


def _add_hook(spec: dict[str, Any], hook: Hook) -> None:
    if hook.hook_name not in _HOOKS:
        raise Internal(f'CDI device injection failed: unknown hook name "{hook.hook_name}"')
    entry: dict[str, Any] = {"path": hook.path}
    if hook.args:
        entry["args"] = list(hook.args)
    if hook.env:
        entry["env"] = list(hook.env)
    if hook.timeout:
        entry["timeout"] = hook.timeout
    spec.setdefault("hooks", {}).setdefault(hook.hook_name, []).append(entry)
