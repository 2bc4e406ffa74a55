"""The plan of a container: every step as data, in the order in which it is done (DECISIONS 20, 35).

`plan` is pure: tests assert it without root, `--explain` prints it, `container.create` executes the very same objects.
"""

from __future__ import annotations

import os

from dockwright.base.steps import Step
from dockwright.kernel import process as k
from dockwright.runtime import hooks, procfs
from dockwright.runtime.cgroups import devices, limits
from dockwright.runtime.cgroups.group import Cgroup, write_limit
from dockwright.runtime.failure import RuntimeFailure, explain, words
from dockwright.runtime.mounts import Mount
from dockwright.runtime.namespaces import Namespaces
from dockwright.runtime.rootfs import (
    DEVICES,
    Console,
    Devices,
    InitStep,
    MaskedPaths,
    Pivot,
    Propagation,
    ReadOnlyPaths,
    Root,
    RootAttributes,
    WorkingDirectory,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Spec = dict[str, Any]


class CgroupCreate(Step):
    """mkdir in every hierarchy."""

    __slots__ = ("group",)

    def __init__(self, group: Cgroup) -> None:
        super().__init__("shim", "cgroup", f"make cgroup {group.path} in {' '.join(group.directories)}")
        self.group = group

    def execute(self) -> None:
        self.group.create()


class CgroupWrite(Step):
    """One limit: one value to one control file."""

    __slots__ = ("controller", "file", "group", "path", "value")

    def __init__(self, group: Cgroup, controller: str, file: str, value: str) -> None:
        self.group, self.controller, self.file, self.value = group, controller, file, value
        self.path = group.file(controller, file)
        super().__init__("shim", "cgroup", f"write {value} to {self.path or file}")

    def execute(self) -> None:
        try:
            write_limit(self.group, self.controller, self.file, self.value)
        except OSError as error:
            raise RuntimeFailure(
                f"error setting cgroup config: failed to write {self.value}: {explain(error)}"
            ) from None


class CgroupDevices(Step):
    """v2: the device program."""

    __slots__ = ("directory", "rules")

    def __init__(self, group: Cgroup, rules: list[Spec]) -> None:
        self.directory, self.rules = group.file("", "").rstrip("/"), rules
        super().__init__("shim", "cgroup", f"attach a device program of {len(rules)} rules to {self.directory}")

    def execute(self) -> None:
        devices.attach(self.directory, self.rules)


class Hostname(InitStep):
    """The names of the uts namespace."""

    __slots__ = ("domain", "name")

    def __init__(self, context: Any, name: str, domain: str) -> None:
        self.name, self.domain = name, domain
        super().__init__(context, "namespace", f"set the hostname {name}" + (f" and domain {domain}" if domain else ""))

    def execute(self) -> None:
        if self.name:
            k.sethostname(self.name)
        if self.domain:
            k.setdomainname(self.domain)


class Sysctls(InitStep):
    """Kernel settings of the container's namespaces, through a procfs of our own that no image can shadow (CVE-2025-52881)."""

    __slots__ = ("values",)

    def __init__(self, context: Any, values: dict[str, str]) -> None:
        self.values = values
        super().__init__(context, "namespace", "set sysctls " + " ".join(f"{n}={v}" for n, v in values.items()))

    def execute(self) -> None:
        proc = procfs.open_own()
        for name, value in self.values.items():
            path = "sys/" + (name if "/" in name else name.replace(".", "/"))
            try:
                procfs.write(proc, path, value)
            except OSError as error:
                raise RuntimeFailure(f"error writing to /proc/{path}: {words(error)}") from None
        os.close(proc)


class CgroupNamespace(InitStep):
    """Made after all joins: the root it shows is where the process is then."""

    __slots__ = ()

    def __init__(self, context: Any) -> None:
        super().__init__(context, "namespace", "unshare the cgroup namespace")

    def execute(self) -> None:
        k.unshare(k.CLONE_NEWCGROUP)


def cgroup_steps(spec: Spec, group: Cgroup) -> list[Step]:
    """mkdir and limits of the container's cgroup; the shim's work, before init is born."""
    resources = (spec.get("linux") or {}).get("resources") or {}
    rules = devices.with_defaults(resources.get("devices") or [])
    steps: list[Step] = [CgroupCreate(group)]
    try:
        writes = limits.v2_writes(resources) if group.layout.is_v2 else limits.v1_writes(resources)
    except ValueError as error:
        raise RuntimeFailure(str(error)) from None
    if group.layout.is_v2:
        if resources.get("devices"):
            steps.append(CgroupDevices(group, rules))
    elif resources.get("devices") and group.file("devices", ""):
        writes += devices.v1_writes(rules)
    return steps + [CgroupWrite(group, *entry) for entry in writes]


def clone_step(namespaces: Namespaces) -> Step:
    """The birth of init, between the two."""
    return Step("shim", "namespace", f"clone3 init with new namespaces {' '.join(namespaces.kinds)}")


def execve_step(spec: Spec) -> Step:
    """init's last step."""
    return Step("init", "process", "execve " + " ".join((spec.get("process") or {}).get("args") or ()))


def init_steps(spec: Spec, namespaces: Namespaces, context: Any, root_source: Spec | None) -> list[Step]:
    """Everything init does inside, up to the point where it waits for `start`."""
    linux = spec.get("linux") or {}
    steps: list[Step] = []
    if namespaces.cgroup:
        steps.append(CgroupNamespace(context))
    if namespaces.new & k.CLONE_NEWNS:
        steps += _root_steps(spec, linux, context, root_source)
    if namespaces.has("uts") and (spec.get("hostname") or spec.get("domainname")):
        steps.append(Hostname(context, spec.get("hostname") or "", spec.get("domainname") or ""))
    if linux.get("sysctl"):
        check_sysctls(linux["sysctl"], namespaces, spec.get("domainname") or "")
        steps.append(Sysctls(context, linux["sysctl"]))
    if namespaces.new & k.CLONE_NEWNS:
        if linux.get("readonlyPaths"):
            steps.append(ReadOnlyPaths(context, linux["readonlyPaths"]))
        if linux.get("maskedPaths"):
            steps.append(MaskedPaths(context, linux["maskedPaths"]))
    return steps


def _root_steps(spec: Spec, linux: Spec, context: Any, root_source: Spec | None) -> list[Step]:
    root = spec.get("root") or {}
    path = os.path.join(context.bundle, root.get("path") or "rootfs")
    mounts = [Mount(entry, context) for entry in spec.get("mounts") or ()]
    for mount in mounts:
        mount.check()
    listed = linux.get("devices") or []
    named = {device["path"] for device in listed}
    defaults = [
        {"path": f"/dev/{name}", "type": "c", "major": major, "minor": minor}
        for name, major, minor in DEVICES
        if f"/dev/{name}" not in named
    ]
    own_dev = not any(mount.destination == "/dev" and mount.is_bind for mount in mounts)
    steps: list[Step] = [Propagation(context, linux.get("rootfsPropagation") or ""), Root(context, path, root_source)]
    steps += mounts
    if own_dev:
        steps.append(Devices(context, defaults + listed))
    process = spec.get("process") or {}
    if context.console_socket >= 0:
        size = process.get("consoleSize") or {}
        context.size = (size.get("height", 0), size.get("width", 0))
        steps.append(Console(context))
    if len(process.get("cwd") or "") > 1:
        steps.append(WorkingDirectory(context, process["cwd"]))
    steps += hooks.steps(spec, "createContainer", "init", context)
    steps.append(Pivot(context))
    propagation = linux.get("rootfsPropagation") or ""
    if root.get("readonly") or propagation:
        steps.append(RootAttributes(context, propagation, bool(root.get("readonly"))))
    return steps


# sysctls that belong to a namespace: only these may be set, and only when the namespace is the container's own
_BY_NAMESPACE = {
    "ipc": ("kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
            "kernel.shmmni", "kernel.shm_rmid_forced"),
    "uts": ("kernel.domainname", "kernel.hostname"),
}  # fmt: skip
_PREFIXES = {"network": "net.", "ipc": "fs.mqueue."}


def check_sysctls(values: dict[str, str], namespaces: Namespaces, domain: str = "") -> None:
    """Refuse settings that would change the host.

    Args:
        domain: the spec's domainname.

    Raises:
        RuntimeFailure: in runc's words.
    """
    for given in values:
        name = given.replace("/", ".")
        owner = next((kind for kind, names in _BY_NAMESPACE.items() if name in names), "")
        owner = owner or next((kind for kind, prefix in _PREFIXES.items() if name.startswith(prefix)), "")
        if owner == "network" and not namespaces.has(owner):
            raise RuntimeFailure(f'sysctl "{given}" not allowed in host network namespace')
        if not owner or not namespaces.has(owner):
            raise RuntimeFailure(f'sysctl "{given}" is not in a separate kernel namespace')
        if name == "kernel.hostname":
            raise RuntimeFailure(f'sysctl "{given}" is not allowed as it conflicts with the OCI "hostname" field')
        if name == "kernel.domainname" and domain not in ("", values[given]):
            raise RuntimeFailure(f'sysctl "{given}" is not allowed as it conflicts with the OCI "domainname" field')
