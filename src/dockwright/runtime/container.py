"""Making and starting a container in process: what both the shim and `dockwright-runc` call.

`create` plans, does the shim's steps (cgroup, bind sources), clones init and waits until init has done its own and
stands before execve(2). `start` lets it go. Whatever fails is undone before RuntimeFailure is raised.
"""

from __future__ import annotations

import os
from time import monotonic_ns

from dockwright.base.steps import Step, perform
from dockwright.kernel import process as k
from dockwright.runtime import birth, channel, hooks, plan
from dockwright.runtime.cgroups import oom
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.runtime.context import Context
from dockwright.runtime.failure import RuntimeFailure, explain, words
from dockwright.runtime.idmap import Owner, owner, write_maps
from dockwright.runtime.init import Child
from dockwright.runtime.mounts import Mount, host_cgroup_trees, mount_failure
from dockwright.runtime.namespaces import Namespaces
from dockwright.runtime.process import Program
from dockwright.runtime.rootfs import Devices, Root
from dockwright.runtime.seccomp import filter_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Spec = dict[str, Any]
    Stdio = tuple[int, int, int]


class Init:
    """A container's first process, as its maker holds it.

    Attributes:
        pid: in the maker's pid namespace. group: its cgroup. steps: the whole plan, with times as far as done.
    """

    def __init__(self, spec: Spec, context: Context, group: Cgroup, steps: list[Step]) -> None:
        self.spec, self.context, self.group, self.steps = spec, context, group, steps
        self.pid = 0
        self.report = self.gate = -1

    @property
    def id(self) -> str:
        """The container's id."""
        return self.context.id

    def close(self) -> None:
        """Close both channels."""
        for fd in (self.report, self.gate):
            if fd >= 0:
                os.close(fd)
        self.report = self.gate = -1


def create(
    container_id: str,
    spec: Spec,
    *,
    bundle: str,
    stdio: Stdio = (0, 1, 2),
    console: int = -1,
    console_socket: int = -1,
    rootfs: Spec | None = None,
    overlay_base: str = "/",
    seccomp_cache: str = "",
    gate: int = -1,
    preserve: int = 0,
    pivot: bool = True,
    keyring: bool = True,
    for_parent: bool = False,
) -> Init:
    """Make a container; its init waits before execve.

    Args:
        spec: OCI runtime spec. bundle: directory that relative paths of the spec start from.
        stdio: descriptors for the process. console: pty slave instead, -1 for none.
        console_socket: connected socket to which init sends the master of a pty it makes in the container; -1 for none.
        rootfs: a mount {"type", "source", "options"} that becomes the root, instead of the directory root.path.
        overlay_base: directory that relative lowerdirs of an overlay start from.
        gate: descriptor init reads one byte from before it goes on; -1: a pipe that `start` writes to.
        preserve: how many descriptors from 3 on the process inherits.
        pivot: False moves the root by MS_MOVE and chroot(2) instead. keyring: False keeps the caller's session keyring.
        for_parent: init is our parent's child instead of ours.

    Raises:
        RuntimeFailure: in runc's words; nothing is left then.
    """
    context = Context(container_id, bundle, spec.get("annotations") or {})
    context.console, context.console_socket, context.overlay_base = console, console_socket, overlay_base
    context.preserve, context.pivot, context.keyring, context.for_parent = preserve, pivot, keyring, for_parent
    linux = spec.get("linux") or {}
    namespaces = Namespaces(linux.get("namespaces") or [])
    context.user_namespace = namespaces.has("user")
    group = Cgroup(linux.get("cgroupsPath") or f"/{container_id}")
    before, inside = plan.cgroup_steps(spec, group), plan.init_steps(spec, namespaces, context, rootfs)
    init = Init(spec, context, group, [*before, *inside])
    existed = group.exists()
    try:
        _create(init, namespaces, before, inside, stdio, seccomp_cache, gate)
    except BaseException as error:
        _undo(init, existed)
        if isinstance(error, OSError):
            raise RuntimeFailure(explain(error)) from None
        raise
    return init


def _create(
    init: Init, namespaces: Namespaces, before: list[Step], inside: list[Step], stdio: Stdio, cache: str, gate: int
) -> None:
    context, linux = init.context, init.spec.get("linux") or {}
    context.owner = _owner(init.spec, namespaces, inside)
    filter_ = filter_of(linux["seccomp"], cache) if linux.get("seccomp") else None
    program = Program(init.spec.get("process") or {}, filter_, linux.get("personality"))
    perform(before)
    held: list[int] = []
    try:
        _prepare(init, namespaces, inside, held)
        joined = namespaces.open_joined()
        held += [fd for _, fd in joined]
        tasks = init.group.join_descriptors()
        unified = init.group.unified_descriptor()
        held += [*tasks, unified]
        init.report, child_report = os.pipe()
        child_gate, init.gate = os.pipe()
        held += [child_report, child_gate]
        started = monotonic_ns()
        child = Child(init, inside, program, stdio, tasks, joined, child_report, child_gate, gate)
        init.pid = context.pid = birth.clone(namespaces, unified, child, linux.get("timeOffsets") or {})
        clone = plan.clone_step(namespaces)
        clone.started, clone.took = started, monotonic_ns() - started
        init.steps.insert(len(before), clone)
    finally:
        if context.owner:
            context.owner.close()
        for fd in held:
            if fd >= 0:
                os.close(fd)
        for step in inside:
            if isinstance(step, (Mount, Root, Devices)) and step.tree >= 0:
                os.close(step.tree)
                step.tree = -1
    _after_clone(init, namespaces, program, inside)


def _owner(spec: Spec, namespaces: Namespaces, inside: list[Step]) -> Owner | None:
    """The user namespace whose maps some mounts are to get: the one that is joined, else one like that to be made."""
    wanted = any(isinstance(step, Mount) and step.options.idmap for step in inside)
    wanted = wanted or any(isinstance(step, Root) and step.source and step.source.get("idmap") for step in inside)
    linux = spec.get("linux") or {}
    if not wanted or not linux.get("uidMappings"):
        return None
    path = next((path for flag, path in namespaces.joined if flag == k.CLONE_NEWUSER), "")
    return owner(linux["uidMappings"], linux.get("gidMappings") or [], path)


def _prepare(init: Init, namespaces: Namespaces, inside: list[Step], held: list[int]) -> None:
    """What the shim opens in the host's mount namespace for init to use."""
    context = init.context
    for step in inside:
        if isinstance(step, Root) and step.from_outside:
            step.prepare()
        elif isinstance(step, Devices) and context.user_namespace:
            step.prepare(init.spec.get("linux") or {})
        elif isinstance(step, Mount):
            try:
                step.prepare()
            except OSError as error:
                raise RuntimeFailure("error during container init: " + mount_failure(step.entry, error)) from None
            if (
                step.entry.get("type") in ("cgroup", "cgroup2")
                and not init.group.layout.is_v2
                and not namespaces.cgroup
            ):
                context.cgroup_trees = host_cgroup_trees(init.group.path)
                held += [fd for _, fd in context.cgroup_trees]


def _after_clone(init: Init, namespaces: Namespaces, program: Program, inside: list[Step]) -> None:
    """Our half while init works: id maps, limits, hooks; then wait for its report."""
    try:
        if namespaces.user:
            linux = init.spec.get("linux") or {}
            write_maps(init.pid, linux.get("uidMappings") or [], linux.get("gidMappings") or [])
        write_score(init.pid, init.spec)
        program.limit(init.pid)
        if init.spec.get("hooks"):
            _runtime_hooks(init)
        channel.go(init.gate)
    except (BrokenPipeError, ProcessLookupError):
        raise RuntimeFailure(_untimely(init)) from None
    report = channel.receive(init.report)
    if report is None:
        raise RuntimeFailure(_untimely(init))
    for index, started, took in report.get("times") or ():
        inside[index].started, inside[index].took = started, took
    if "error" in report:
        raise RuntimeFailure(report["error"])


def _untimely(init: Init) -> str:
    """Why init ended without a word."""
    if oom.kills(init.group):
        return "container init was OOM-killed (memory limit too low?)"
    return "init ended before it was ready"


def _runtime_hooks(init: Init) -> None:
    for name in ("prestart", "createRuntime"):
        steps = hooks.steps(init.spec, name, "shim", init.context)
        init.steps += steps
        try:
            perform(steps)
        except RuntimeFailure as failure:
            raise failure.prefixed("error during container init: ") from None


def write_score(pid: int, spec: Spec, proc: int = -1) -> None:
    """Set process.oomScoreAdj of `spec` for `pid`, from outside: inside the rights may be gone (proc(5)).

    Args:
        proc: descriptor of the /proc that knows `pid`, -1 for ours.

    Raises:
        RuntimeFailure: out of range, or lower than we may go without CAP_SYS_RESOURCE.
    """
    score = (spec.get("process") or {}).get("oomScoreAdj")
    if score is None:
        return
    try:
        path = f"{pid}/oom_score_adj" if proc >= 0 else f"/proc/{pid}/oom_score_adj"
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc if proc >= 0 else None)
        try:
            os.write(fd, str(score).encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise RuntimeFailure(f"failed to update /proc/self/oom_score_adj: {words(error)}") from None


def _undo(init: Init, existed: bool) -> None:
    """Kill what was born and remove what was made."""
    init.close()
    if init.pid:
        try:
            os.kill(init.pid, 9)
            os.waitpid(init.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            init.pid = 0  # it is gone already
    if not existed:
        init.group.kill()
        init.group.remove()


def start(init: Init, before: tuple[Step, ...] = ()) -> None:
    """Let init execve its program, and wait until it has.

    Raises:
        RuntimeFailure: execve(2) was refused; init has ended then.
    """
    perform(list(before))
    exec_ = plan.execve_step(init.spec)
    exec_.started = monotonic_ns()
    channel.go(init.gate)
    report = channel.receive(init.report)
    exec_.took = monotonic_ns() - exec_.started
    init.steps.append(exec_)
    init.close()
    if report is not None:
        raise RuntimeFailure(report.get("error") or "init reported nonsense")
    init.steps += after_start(init.spec, init.context)


def after_start(spec: Spec, context: Context) -> list[Step]:
    """What follows a start: the poststart hooks.

    Raises:
        RuntimeFailure: one failed. The caller ends the container (runtime.md, Lifecycle 9).
    """
    steps = hooks.steps(spec, "poststart", "shim", context)
    perform(steps)
    return steps
