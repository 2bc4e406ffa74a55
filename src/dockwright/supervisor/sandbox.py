"""The network sandbox of a task: made before the task, held by the shim, gone with the shim (DECISIONS 18).

Holding the namespace by a descriptor lets the kernel tear it down after the exit has been answered.
"""

from __future__ import annotations

import errno
import os

from dockwright.base.steps import Step, perform
from dockwright.kernel import interfaces, netlink
from dockwright.kernel.process import CLONE_NEWNET, CLONE_NEWUSER, setns, unshare
from dockwright.runtime.idmap import user_namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Plan = dict[str, Any]


class Sandbox:
    """What `plan` (docs/architecture.md, supervisor) asks for.

    Attributes:
        path: the namespace as a path for the OCI spec; "" for the host's.
        user: descriptor of the user namespace that owns it, where the plan asks for one.
    """

    def __init__(self, plan: Plan, spare: Spare | None = None) -> None:
        self.plan, self.spare = plan, spare
        self.fd = self.user = -1
        self.path = plan.get("path", "")
        self.steps: list[Step] = []

    def create(self) -> None:
        """Make the namespace and its links, if the plan wants one of its own.

        Raises:
            OSError: the namespace is dropped then, and with it all its links.
        """
        outside = netlink.Netlink() if self.plan.get("interfaces") else None
        self.steps = self.planned(outside)
        if not self.steps:
            if self.spare:
                os.close(self.spare.fd)
            return
        host = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            perform([step for step in self.steps if step.took < 0])  # the first may have been done ahead
        except OSError:
            self.close()
            raise
        finally:
            setns(host, CLONE_NEWNET)
            os.close(host)
            if outside:
                outside.close()
        self.path = f"/proc/{os.getpid()}/fd/{self.fd}"

    def planned(self, outside: netlink.Netlink | None = None) -> list[Step]:
        """Its steps; none where the namespace is the host's or another's.

        Args:
            outside: what they make the links with.
        """
        if self.plan["kind"] not in ("private", "none"):
            return []
        ahead = [self.spare.step] if self.spare and not self.plan.get("user") else []
        links = [_Link(self, outside, interface) for interface in self.plan.get("interfaces") or ()]
        return [*ahead, _Enter(self), *links, _Inside(self)]

    def close(self) -> None:
        """Let go of the namespace; it ends when its last process has."""
        for fd in (self.fd, self.user):
            if fd >= 0:
                os.close(fd)
        self.fd = self.user = -1


class Spare:
    """A network namespace made before it is known what for: most containers want one."""

    def __init__(self) -> None:
        self.fd = -1
        self.step = _Unshare(self)

    def make(self) -> None:
        """Make it. Raises OSError."""
        host = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            perform([self.step])
        finally:
            setns(host, CLONE_NEWNET)
            os.close(host)


class _Unshare(Step):
    __slots__ = ("owner",)

    def __init__(self, owner: Spare | Sandbox) -> None:
        super().__init__("shim", "namespace", "unshare the network namespace")
        self.owner = owner

    def execute(self) -> None:
        unshare(CLONE_NEWNET)
        self.owner.fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class _Enter(_Unshare):
    """Into the spare namespace, or a new one."""

    __slots__ = ()

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        if sandbox.plan.get("user"):
            self.text = "make a user namespace, and a network namespace of its own, and enter that"
        elif sandbox.spare:
            self.text = "enter the network namespace, which was made ahead"

    def execute(self) -> None:
        if isinstance(self.owner, Sandbox) and self.owner.plan.get("user"):
            return self._owned(self.owner, self.owner.plan["user"])
        spare = self.owner.spare if isinstance(self.owner, Sandbox) else None
        if spare is None:
            return super().execute()
        self.owner.fd = spare.fd
        return setns(spare.fd, CLONE_NEWNET)


    def _owned(self, sandbox: Sandbox, maps: Plan) -> None:
        """A network namespace that belongs to a user namespace: somebody in that one has to make it."""
        sandbox.user = user_namespace(maps["uids"], maps["gids"])
        here, there = os.pipe()
        ready, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(there)
            setns(sandbox.user, CLONE_NEWUSER)
            unshare(CLONE_NEWNET)
            os.write(told, b"x")
            os.read(here, 1)
            os._exit(0)
        try:
            os.close(told)
            if not os.read(ready, 1):
                raise OSError(errno.EPERM, "the user namespace could not be entered")
            sandbox.fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            for fd in (here, there, ready):
                os.close(fd)
            os.waitpid(pid, 0)
        setns(sandbox.fd, CLONE_NEWNET)


class _Link(Step):
    __slots__ = ("interface", "outside", "sandbox")

    def __init__(self, sandbox: Sandbox, outside: netlink.Netlink | None, interface: Plan) -> None:
        text = f"veth {interface.get('host')} on {interface.get('bridge')} to {interface['name']} inside"
        if interface.get("kind"):
            text = f"{interface['kind']} on {interface['parent']} to {interface['name']} inside"
        super().__init__("shim", "link", text)
        self.sandbox, self.outside, self.interface = sandbox, outside, interface

    def execute(self) -> None:
        assert self.outside is not None
        interfaces.make_host_link(self.outside, self.interface, self.sandbox.fd)


class _Inside(Step):
    __slots__ = ("plan",)

    def __init__(self, sandbox: Sandbox) -> None:
        self.plan = sandbox.plan
        planned = self.plan.get("interfaces") or []
        addresses = " ".join(f"{a} on {i['name']}" for i in planned for a in i.get("addresses") or ())
        routes = " ".join(f"{r['to']} via {r.get('via') or r.get('dev')}" for r in self.plan.get("routes") or ())
        super().__init__("shim", "link", f"lo up{', ' if addresses else ''}{addresses}{', ' if routes else ''}{routes}")

    def execute(self) -> None:
        netlink.write_sysctls(self.plan.get("sysctls") or {})
        for interface in self.plan.get("interfaces") or ():
            netlink.write_sysctls(interface.get("sysctls") or {})
        with netlink.Netlink() as inside:
            interfaces.configure_inside(inside, self.plan.get("interfaces") or [], self.plan.get("routes") or [])
