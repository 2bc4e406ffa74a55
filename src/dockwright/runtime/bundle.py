"""Reading and checking a bundle: config.json by the shape of the OCI spec, and what of it this runtime does.

Nothing has been made while this runs, so whatever is wrong leaves no trace. What the spec has and we do not is refused
in words. Fields the spec does not have pass, as it demands (config.md, Extensibility).
"""

from __future__ import annotations

import os
from itertools import pairwise

from dockwright.runtime import document, plan, scheduling, shape
from dockwright.runtime.cgroups.layout import layout
from dockwright.runtime.failure import RuntimeFailure, words
from dockwright.runtime.namespaces import Namespaces
from dockwright.runtime.options import PROPAGATION
from dockwright.runtime.process import PERSONALITIES, RLIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Spec = dict[str, Any]

LIMIT = 16 << 20  # bytes of a config.json
MOUNTS, RULES = 10_000, 100_000  # entries beyond which a spec is no container but an attack


def load(directory: str, name: str = "") -> Spec:
    """The spec of the bundle in `directory`, checked.

    Args:
        name: another file than config.json.

    Raises:
        RuntimeFailure: in runc's words.
    """
    spec = read(os.path.join(directory, name or "config.json"), name or "config.json")
    shape.check(spec, shape.SPEC, "Spec")
    validate(spec, directory)
    return spec


def read(path: str, name: str) -> Spec:
    """A JSON object from a file of bounded size."""
    try:
        with open(path, "rb") as file:
            data = file.read(LIMIT + 1)
    except FileNotFoundError:
        raise RuntimeFailure(f"JSON specification file {name} not found") from None
    except OSError as error:
        raise RuntimeFailure(f"open {path}: {words(error)}") from None
    if len(data) > LIMIT:
        raise RuntimeFailure(f"{name} is larger than {LIMIT} bytes")
    try:
        value = document.loads(data.decode("utf-8"))
    except ValueError as error:
        raise RuntimeFailure(str(error)) from None
    if not isinstance(value, dict):
        raise RuntimeFailure(f"json: cannot unmarshal {shape.kind_of(value)} into Go value of type specs.Spec")
    return value


def validate(spec: Spec, directory: str) -> None:
    """What is well-formed and still cannot be.

    Raises:
        RuntimeFailure: in runc's words.
    """
    linux = spec.get("linux") or {}
    if not spec.get("process"):
        raise RuntimeFailure("process property must not be empty")
    if not spec.get("root"):
        raise RuntimeFailure("root must be specified")
    version = spec.get("ociVersion") or ""
    if not version.startswith("1."):
        raise RuntimeFailure(f"unsupported OCI runtime spec version {version or '(none)'}")
    process(spec["process"])
    _rootfs(spec["root"], directory)
    namespaces = Namespaces(linux.get("namespaces") or [])
    _namespaces(spec, linux, namespaces)
    plan.check_sysctls(linux.get("sysctl") or {}, namespaces, spec.get("domainname") or "")
    _bounds(spec, linux)
    unsupported(spec, linux)


def process(entry: Spec) -> None:
    """A process object, of a container or for exec."""
    if not entry.get("args"):
        raise RuntimeFailure("args must not be empty")
    if not (entry.get("cwd") or "").startswith("/"):
        raise RuntimeFailure("Cwd must be an absolute path")
    for limit in entry.get("rlimits") or ():
        if limit["type"].removeprefix("RLIMIT_") not in RLIMITS:
            raise RuntimeFailure(f"wrong rlimit value: {limit['type']}")
    for key, value in (("uid", 0), ("gid", 0)):
        value = (entry.get("user") or {}).get(key, 0)
        if not 0 <= value < 1 << 32:
            raise RuntimeFailure(
                f"json: cannot unmarshal number {value} into Go struct field User.process.user.{key} of type uint32"
            )
    priority = entry.get("ioPriority") or {}
    if priority and priority.get("class") not in scheduling.IO_CLASSES[1:]:
        raise RuntimeFailure(f"invalid ioPriority.class: {priority.get('class')!r}")
    if entry.get("scheduler"):
        scheduling.check(entry["scheduler"])
    if entry.get("execCPUAffinity"):
        raise RuntimeFailure("process.execCPUAffinity is not supported")
    _labels(entry)


def _labels(entry: Spec) -> None:
    if entry.get("selinuxLabel"):
        raise RuntimeFailure("selinux label is specified in config, but selinux is disabled or not supported")
    if entry.get("apparmorProfile"):
        from dockwright.runtime import apparmor

        if not apparmor.enabled():
            raise RuntimeFailure("apparmor profile is specified in config, but apparmor is not enabled on this host")


def _rootfs(root: Spec, directory: str) -> None:
    path = os.path.join(directory, root.get("path") or "rootfs")
    try:
        os.stat(path)
    except OSError as error:
        raise RuntimeFailure(f"invalid rootfs: stat {path}: {words(error)}") from None
    if not os.path.isdir(path):
        raise RuntimeFailure(f"invalid rootfs: {path} is not a directory")


def _namespaces(spec: Spec, linux: Spec, namespaces: Namespaces) -> None:
    if (spec.get("hostname") or spec.get("domainname")) and not namespaces.has("uts"):
        raise RuntimeFailure("unable to set hostname without a private UTS namespace")
    if not namespaces.has("mount") and (linux.get("maskedPaths") or linux.get("readonlyPaths")):
        raise RuntimeFailure("unable to restrict sys entries without a private MNT namespace")
    if namespaces.user:
        for key, kind in (("uidMappings", "uid"), ("gidMappings", "gid")):
            if not linux.get(key):
                raise RuntimeFailure(f"User namespaces enabled, but no {kind} mappings found.")
            _disjoint(linux[key], key)
    if linux.get("timeOffsets") and not namespaces.has("time"):
        raise RuntimeFailure("timeOffsets are specified without a private time namespace")


def _disjoint(maps: list[Spec], key: str) -> None:
    """Id maps may not overlap, inside or outside (user_namespaces(7))."""
    for side in ("containerID", "hostID"):
        spans = sorted((m[side], m["size"]) for m in maps)
        for (first, size), (following, _) in pairwise(spans):
            if first + size > following:
                raise RuntimeFailure(f"{key}: ranges overlap at {side} {following}")


def _bounds(spec: Spec, linux: Spec) -> None:
    mounts = spec.get("mounts") or ()
    if len(mounts) > MOUNTS:
        raise RuntimeFailure(f"{len(mounts)} mounts are more than the {MOUNTS} this runtime takes")
    for mount in mounts:
        if not mount["destination"].startswith("/"):
            raise RuntimeFailure(f'invalid mount destination "{mount["destination"]}": mount destination not absolute')
        if bool(mount.get("uidMappings")) != bool(mount.get("gidMappings")):
            raise RuntimeFailure(f'mount {mount["destination"]}: both uidMappings and gidMappings must be specified')
        mapped = {"idmap", "ridmap"} & set(mount.get("options") or ())
        if mapped and not mount.get("uidMappings") and not linux.get("uidMappings"):
            raise RuntimeFailure(f'mount {mount["destination"]}: id-mapped mounts need maps of their own or a user namespace')
    rules = sum(len(call["names"]) for call in (linux.get("seccomp") or {}).get("syscalls") or ())
    if rules > RULES:
        raise RuntimeFailure(f"{rules} seccomp rules are more than the {RULES} this runtime takes")
    for device in linux.get("devices") or ():
        if device["type"] not in ("c", "u", "b", "p"):
            raise RuntimeFailure(f"invalid device type {device['type']!r} of {device['path']}")
    propagation = linux.get("rootfsPropagation") or ""
    if propagation and propagation not in PROPAGATION:
        raise RuntimeFailure(f"rootfsPropagation={propagation} is not supported")
    domain = (linux.get("personality") or {}).get("domain", "LINUX")
    if domain not in PERSONALITIES or (linux.get("personality") or {}).get("flags"):
        raise RuntimeFailure(f"personality {domain} with these flags is not supported")
    for kind, entries in (spec.get("hooks") or {}).items():
        for hook in entries or ():
            if not hook["path"].startswith("/"):
                raise RuntimeFailure(f"{kind} hook path {hook['path']!r} is not absolute")


def unsupported(spec: Spec, linux: Spec) -> None:
    """Parts of the spec that this runtime does not do."""
    for key in ("intelRdt", "memoryPolicy", "netDevices", "mountLabel"):
        if linux.get(key):
            raise RuntimeFailure(f"linux.{key} is not supported")
    for key in ("vm", "windows", "solaris", "zos"):
        if spec.get(key):
            raise RuntimeFailure(f"{key} is not a configuration for Linux containers")
    if (linux.get("resources") or {}).get("unified") and not layout().is_v2:
        raise RuntimeFailure("invalid configuration: cannot use unified on cgroup v1")
    seccomp = linux.get("seccomp") or {}
    actions = [seccomp.get("defaultAction"), *(call["action"] for call in seccomp.get("syscalls") or ())]
    if "SCMP_ACT_NOTIFY" in actions or seccomp.get("listenerPath"):
        raise RuntimeFailure("seccomp notify is not supported")
