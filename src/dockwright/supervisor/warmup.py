"""A maker's work, gone through without asking the kernel for anything.

In the zygote it makes the interpreter ready (rehearsal.py). A maker that waits does it once more: the memory it will write
to is copied from the zygote's then, and not while somebody waits for a start.
"""

from __future__ import annotations

from dockwright.kernel import netlink
from dockwright.runtime import plan
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.runtime.context import Context
from dockwright.runtime.namespaces import Namespaces
from dockwright.runtime.process import Program
from dockwright.runtime.template import spec as template
from dockwright.supervisor import frames

ASKED = {"op": "prepare", "sandbox": {"kind": "private", "interfaces": [{"name": "eth0"}]}, "cgroup": "/"}


def maker() -> None:
    """The plan of a usual container, its links as messages, and talk with the shim."""
    frames.Decoder().feed(frames.encode(ASKED))
    spec = template()
    context = Context("rehearsal", "/", {})
    plan.cgroup_steps(spec, Cgroup("/rehearsal"))
    for step in plan.init_steps(spec, Namespaces(spec["linux"]["namespaces"]), context, None):
        step.record()
    Program(spec["process"], None, None)
    netlink.veth("veth0", 1, "eth0", 3, "02:42:ac:11:00:02", 1500)
    netlink.address_add(1, "172.17.0.2/16")
    netlink.route_add("default", "172.17.0.1")
