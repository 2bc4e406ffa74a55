"""Making and starting a container in process: what both the shim and `dockwright-runc` call.

`create` plans, does the shim's steps (cgroup, bind sources), clones init and waits until init has done its own and
stands before execve(2). `start` lets it go. Whatever fails is undone before RuntimeFailure is raised.
"""

from __future__ import annotations

import gc
import os
from time import monotonic_ns

from dockwright.base.steps import Step, perform
from dockwright.kernel import process as k
from dockwright.runtime import channel, hooks, plan
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.runtime.failure import RuntimeFailure, explain
from dockwright.runtime.mounts import Mount, host_cgroup_trees, mount_failure
from dockwright.runtime.namespaces import Namespaces
from dockwright.runtime.process import Program, adopt_stdio
from dockwright.runtime.seccomp import filter_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Spec = dict[str, Any]
    Stdio = tuple[int, int, int]


class Context:
    """What the steps of one container share.

    Attributes:
        bundle: absolute path relative roots and bind sources start from.
        root: descriptor of the container's root, once init has it.
        console: pty slave or -1. cgroup_trees: see mounts.host_cgroup_trees. overlay_base: cwd of the overlay's short names.
    """

    def __init__(self, container_id: str, bundle: str, console: int, annotations: dict[str, str]) -> None:
        self.id = container_id
        self.bundle = bundle
        self.console = console
        self.annotations = annotations
        self.root = -1
        self.pid = 0
        self.user_namespace = False
        self.overlay_base = "/"
        self.cgroup_trees: list[tuple[str, int]] = []

    def state_text(self, hook: str) -> str:
        """The state document that hooks read (OCI runtime spec, runtime.md, State)."""
        import json  # only containers with hooks pay for it

        status = {"createContainer": "creating", "createRuntime": "creating", "prestart": "creating"}.get(
            hook, "created"
        )
        status = {"poststart": "running", "poststop": "stopped"}.get(hook, status)
        document = {"ociVersion": "1.2.0", "id": self.id, "status": status, "pid": self.pid, "bundle": self.bundle}
        if self.annotations:
            document["annotations"] = self.annotations
        return json.dumps(document)


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
    rootfs: Spec | None = None,
    overlay_base: str = "/",
    seccomp_cache: str = "",
    gate: int = -1,
    preserve: int = 0,
) -> Init:
    """Make a container; its init waits before execve.

    Args:
        spec: OCI runtime spec. bundle: directory that relative paths of the spec start from.
        stdio: descriptors for the process. console: pty slave instead, -1 for none.
        rootfs: a mount {"type", "source", "options"} that becomes the root, instead of the directory root.path.
        overlay_base: directory that relative lowerdirs of an overlay start from.
        gate: descriptor init reads one byte from before it goes on; -1: a pipe that `start` writes to.
        preserve: how many descriptors from 3 on the process inherits.

    Raises:
        RuntimeFailure: in runc's words; nothing is left then.
    """
    context = Context(container_id, bundle, console, spec.get("annotations") or {})
    context.overlay_base = overlay_base
    linux = spec.get("linux") or {}
    namespaces = Namespaces(linux.get("namespaces") or [])
    context.user_namespace = namespaces.user
    group = Cgroup(linux.get("cgroupsPath") or f"/{container_id}")
    before, inside = plan.cgroup_steps(spec, group), plan.init_steps(spec, namespaces, context, rootfs)
    init = Init(spec, context, group, [*before, *inside])
    existed = group.exists()
    try:
        _create(init, namespaces, before, inside, stdio, seccomp_cache, gate, preserve)
    except BaseException as error:
        _undo(init, existed)
        if isinstance(error, OSError):
            raise RuntimeFailure(f"unable to start container process: {explain(error)}") from None
        raise
    return init


def _create(
    init: Init, namespaces: Namespaces, before: list[Step], inside: list[Step], stdio: Stdio,
    cache: str, gate: int, preserve: int,
) -> None:  # fmt: skip
    context, linux = init.context, init.spec.get("linux") or {}
    filter_ = filter_of(linux["seccomp"], cache) if linux.get("seccomp") else None
    program = Program(init.spec.get("process") or {}, filter_)
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
        child = Child(init, inside, program, stdio, tasks, joined, child_report, child_gate, gate, preserve)
        init.pid = context.pid = _clone(namespaces, unified, child)
        clone = Step("shim", "namespace", f"clone3 init with new namespaces {' '.join(namespaces.kinds)}")
        clone.started, clone.took = started, monotonic_ns() - started
        init.steps.insert(len(before), clone)
    finally:
        for fd in held:
            if fd >= 0:
                os.close(fd)
        for step in inside:
            if isinstance(step, Mount) and step.tree >= 0:
                os.close(step.tree)
                step.tree = -1
    _after_clone(init, namespaces, program, inside)


def _prepare(init: Init, namespaces: Namespaces, inside: list[Step], held: list[int]) -> None:
    """What the shim opens in the host's mount namespace for init to use."""
    context = init.context
    for step in inside:
        if isinstance(step, Mount):
            try:
                step.prepare()
            except OSError as error:
                raise mount_failure(step.entry, error) from None
            if (
                step.entry.get("type") in ("cgroup", "cgroup2")
                and not init.group.layout.is_v2
                and not namespaces.cgroup
            ):
                context.cgroup_trees = host_cgroup_trees(init.group.path)
                held += [fd for _, fd in context.cgroup_trees]


def _clone(namespaces: Namespaces, unified: int, child: Child) -> int:
    """clone3(2); a pid namespace to be joined is entered by us for the moment, since it counts for children only."""
    joins_pid = [fd for flag, fd in child.joined if flag == k.CLONE_NEWPID]
    own = os.open("/proc/self/ns/pid_for_children", os.O_RDONLY | os.O_CLOEXEC) if joins_pid else -1
    try:
        if joins_pid:
            k.setns(joins_pid[0], k.CLONE_NEWPID)
        pid = k.clone3(namespaces.new, cgroup=unified)
        if pid == 0:
            child.run()
        return pid
    finally:
        if own >= 0:
            k.setns(own, k.CLONE_NEWPID)
            os.close(own)


def _after_clone(init: Init, namespaces: Namespaces, program: Program, inside: list[Step]) -> None:
    """Our half while init works: id maps, limits, hooks; then wait for its report."""
    if namespaces.user:
        _write_maps(init.pid, init.spec.get("linux") or {})
    score = (init.spec.get("process") or {}).get("oomScoreAdj")
    if score is not None:
        _write_score(init.pid, score)
    program.limit(init.pid)
    for name in ("prestart", "createRuntime"):
        runtime_hooks = hooks.steps(init.spec, name, "shim", init.context)
        perform(runtime_hooks)
        init.steps += runtime_hooks
    channel.go(init.gate)
    report = channel.receive(init.report)
    if report is None:
        raise RuntimeFailure("unable to start container process: init ended before it was ready")
    for index, started, took in report.get("times") or ():
        inside[index].started, inside[index].took = started, took
    if "error" in report:
        raise RuntimeFailure(report["error"])


def _write_score(pid: int, score: int) -> None:
    with open(f"/proc/{pid}/oom_score_adj", "w") as file:
        file.write(str(score))


def _write_maps(pid: int, linux: Spec) -> None:
    """user_namespaces(7): one write(2) per map."""
    for key, name in (("uidMappings", "uid_map"), ("gidMappings", "gid_map")):
        lines = [f"{m['containerID']} {m['hostID']} {m['size']}\n" for m in linux.get(key) or ()]
        with open(f"/proc/{pid}/{name}", "w") as file:
            file.write("".join(lines))


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
    exec_ = Step("init", "process", "execve " + " ".join((init.spec.get("process") or {}).get("args") or ()))
    exec_.started = monotonic_ns()
    channel.go(init.gate)
    report = channel.receive(init.report)
    exec_.took = monotonic_ns() - exec_.started
    init.steps.append(exec_)
    init.close()
    if report is not None:
        raise RuntimeFailure(report.get("error") or "init reported nonsense")
    poststart = hooks.steps(init.spec, "poststart", "shim", init.context)
    perform(poststart)
    init.steps += poststart


class Child:
    """init before it is the user's program: runs in the clone, and never returns from `run`."""

    def __init__(
        self, init: Init, inside: list[Step], program: Program, stdio: Stdio, tasks: list[int],
        joined: list[tuple[int, int]], report: int, gate: int, fifo: int, preserve: int,
    ) -> None:  # fmt: skip
        self.init, self.inside, self.program, self.stdio = init, inside, program, stdio
        self.tasks, self.joined, self.report = tasks, joined, report
        self.gate, self.fifo, self.preserve = gate, fifo, preserve
        self.done = 0

    def run(self) -> None:
        """Do init's steps, report, wait, execve. Leaves by os._exit on any failure."""
        try:
            self._run()
        except RuntimeFailure as failure:
            self._fail(failure.message)
        except OSError as error:
            self._fail(self._located(error))
        except BaseException as error:  # noqa: BLE001 -- whatever it is, our maker must hear of it
            self._fail(f"init: {type(error).__name__}: {error}")
        finally:
            os._exit(1)

    def _run(self) -> None:
        gc.disable()
        k.prctl(k.PR_SET_DUMPABLE, 0)
        os.close(self.init.report)
        os.close(self.init.gate)
        os.setsid()
        for fd in self.tasks:
            os.write(fd, b"0")
        channel.await_go(self.gate)
        self._join()
        console = self.init.context.console
        for step in self.inside:
            step.started = monotonic_ns()
            step.execute()
            step.took = monotonic_ns() - step.started
            self.done += 1
        adopt_stdio(self.stdio, console)
        self._keyring()
        self.program.enter_directory()
        self.program.home()
        path = self.program.locate()
        times = [(i, step.started, step.took) for i, step in enumerate(self.inside)]
        channel.send(self.report, {"times": times})
        channel.await_go(self.fifo if self.fifo >= 0 else self.gate)
        perform(hooks.steps(self.init.spec, "startContainer", "init", self.init.context))
        k.close_range(3 + self.preserve, flags=k.CLOSE_RANGE_CLOEXEC)
        self.program.become(path)

    def _join(self) -> None:
        for flag, fd in self.joined:
            if flag != k.CLONE_NEWPID:
                k.setns(fd, flag)
        if self.init.context.user_namespace or any(flag == k.CLONE_NEWUSER for flag, _ in self.joined):
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)

    def _keyring(self) -> None:
        try:
            k.join_session_keyring(f"_ses.{self.init.id[:60]}")
        except OSError:
            return  # kernels without keyrings, or a host that is out of keys: runc goes on as well

    def _located(self, error: OSError) -> str:
        """The text of an error in a step."""
        step = self.inside[self.done] if self.done < len(self.inside) else None
        if isinstance(step, Mount):
            return mount_failure(step.entry, error).message
        return f"{step.describe()}: {explain(error)}" if step else explain(error)

    def _fail(self, text: str) -> None:
        channel.send(self.report, {"error": text})
