"""What shim, maker and init will do for a task, as the very steps they will execute, before anything is done."""

from typing import Any

from dockwright.base.steps import Step
from dockwright.runtime import hooks, plan
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.runtime.context import Context
from dockwright.runtime.namespaces import Namespaces
from dockwright.supervisor.sandbox import Sandbox, Spare
from dockwright.supervisor.task import TaskSpec


def steps(task: TaskSpec, ident: str, sandbox: dict[str, Any]) -> list[Step]:
    """The steps of a start in order, but for what the daemon itself does.

    Args:
        ident: the container's id. sandbox: plan of its network namespace.

    Raises:
        RuntimeFailure: what the runtime refuses before it does anything.
    """
    spec = task.spec
    context = Context(ident, task.bundle, spec.get("annotations") or {})
    context.console_socket = 0 if spec["process"].get("terminal") else -1  # any, for none is sent anything
    namespaces = Namespaces(spec["linux"]["namespaces"])
    context.user_namespace = namespaces.has("user")
    before = plan.cgroup_steps(spec, Cgroup(spec["linux"]["cgroupsPath"]))
    inside = plan.init_steps(spec, namespaces, context, task.rootfs)
    outside = [step for name in ("prestart", "createRuntime") for step in hooks.steps(spec, name, "shim", context)]
    after = hooks.steps(spec, "poststart", "shim", context)
    network = Sandbox(sandbox, Spare()).planned()
    return [*network, *before, plan.clone_step(namespaces), *inside, *outside, plan.execve_step(spec), *after]
