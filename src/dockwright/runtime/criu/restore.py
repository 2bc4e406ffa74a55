"""A restore: processes made from a checkpoint's image, as ours that were made the ordinary way.

They become our children (criu, which is our child, makes them its siblings), in the container's cgroup, in which criu
works; root and binds are staged in a mount namespace that ends with this, so a restore that fails leaves no mount.
"""

from __future__ import annotations

import os

from dockwright.base.steps import perform
from dockwright.kernel import mount as m
from dockwright.kernel import process as k
from dockwright.runtime import document, hooks, plan, tree
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.runtime.cgroups.layout import paths_of
from dockwright.runtime.context import Context
from dockwright.runtime.criu import external, rpc, service
from dockwright.runtime.criu.dump import own_network, refuse
from dockwright.runtime.criu.settings import DESCRIPTORS, NETWORK, Settings, folder
from dockwright.runtime.failure import RuntimeFailure, explain, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LOG = "restore.log"


class Restored:
    """A container that runs again.

    Attributes:
        pid: of its first process. master: of its terminal, -1 for none. group: its cgroup.
    """

    def __init__(self, container_id: str, spec: dict[str, Any], bundle: str) -> None:
        self.id, self.spec = container_id, spec
        self.context = Context(container_id, bundle, spec.get("annotations") or {})
        self.group = Cgroup((spec.get("linux") or {}).get("cgroupsPath") or f"/{container_id}")
        self.pid = 0
        self.master = -1
        self.existed = self.group.exists()

    def undo(self) -> None:
        """Take back what a restore that failed, or must not stay, has made."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
        self.group.kill()
        if self.pid:
            os.waitpid(self.pid, 0)
        if not self.existed:
            self.group.remove()


def restore(
    container_id: str, spec: dict[str, Any], settings: Settings, *, bundle: str, place: str,
    stdio: tuple[int, int, int] = (0, 1, 2), network: int = -1, rootfs: dict[str, Any] | None = None,
    overlay_base: str = "/",
) -> Restored:  # fmt: skip
    """Make a container from an image; its processes go on where they were.

    Args:
        spec, bundle, rootfs, overlay_base: as for container.create. place: an existing folder that mounts are staged on.
        stdio: descriptors that take the place of pipes the first process had as 0 to 2.
        network: descriptor of the network namespace, -1 for one of criu's making.

    Raises:
        RuntimeFailure: in runc's words; nothing is left then.
    """
    program = service.find(settings.program)
    service.check(program)
    refuse(spec)
    made = Restored(container_id, spec, bundle)
    made.context.overlay_base = overlay_base
    inherited = _inherited(settings.images, stdio, network)
    try:
        perform(plan.cgroup_steps(spec, made.group))
        _in_own_mounts(made, settings, program, inherited, rootfs, place)
        perform(hooks.steps(spec, "poststart", "shim", made.context))
    except BaseException as error:
        made.undo()
        if isinstance(error, OSError):
            raise RuntimeFailure(explain(error)) from None
        raise
    return made


def _inherited(images: str, stdio: tuple[int, int, int], network: int) -> list[tuple[str, int]]:
    """(name in the image, descriptor) of what is given in place of what is gone.

    Raises:
        RuntimeFailure: the image is none of ours or of runc's.
    """
    path = f"{images}/{DESCRIPTORS}"
    try:
        with open(path, encoding="utf-8") as file:
            texts = document.loads(file.read(1 << 16))
    except OSError as error:
        raise RuntimeFailure(f"open {path}: {words(error)}") from None
    if not isinstance(texts, list) or len(texts) != 3 or not all(isinstance(text, str) for text in texts):
        raise RuntimeFailure(f"{path} is broken")
    given = [(text, fd) for text, fd in zip(texts, stdio, strict=True) if text.startswith("pipe:")]
    return given + ([(NETWORK, network)] if network >= 0 else [])


def _in_own_mounts(
    made: Restored, settings: Settings, program: str, inherited: list[tuple[str, int]], rootfs: dict[str, Any] | None,
    place: str,
) -> None:  # fmt: skip
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    k.unshare(k.CLONE_NEWNS)
    try:
        m.mount("", "/", "", m.MS_REC | m.MS_SLAVE)
        root = _root(made, rootfs)
        m.mount("tmpfs", place, "tmpfs", 0, "mode=700")
        m.mount("", place, "", m.MS_PRIVATE)
        external.put(root, f"{place}/root")
        mounts = external.stage(made.spec, made.context, made.group.path, place)
        m.mount("", f"{place}/root", "", m.MS_REC | m.MS_PRIVATE)
        if (made.spec.get("root") or {}).get("readonly"):
            m.mount("", f"{place}/root", "", m.MS_REMOUNT | m.MS_BIND | m.MS_RDONLY)
        _ask(made, settings, program, inherited, mounts, f"{place}/root")
    finally:
        k.setns(own, k.CLONE_NEWNS)
        os.close(own)


def _root(made: Restored, rootfs: dict[str, Any] | None) -> int:
    """The root as a detached mount."""
    path = os.path.join(made.context.bundle, (made.spec.get("root") or {}).get("path") or "rootfs")
    source = rootfs or {"type": "bind", "source": path, "options": []}
    if source["type"] == "aufs":
        raise RuntimeFailure("a restore needs a root that is no aufs")
    return tree.mounted(source, made.context.overlay_base)


def _ask(
    made: Restored, settings: Settings, program: str, inherited: list[tuple[str, int]], mounts: list[tuple[str, str]],
    root: str,
) -> None:  # fmt: skip
    images, work = folder(settings.images), folder(settings.work)

    def notified(step: str, pid: int, fd: int) -> None:
        if step == "setup-namespaces":
            made.context.pid = pid
            for name in ("prestart", "createRuntime"):
                perform(hooks.steps(made.spec, name, "shim", made.context))
        elif step == "orphan-pts-master" and made.master < 0:
            made.master = fd
        elif fd >= 0:
            os.close(fd)

    fields = [*settings.fields(LOG, images, work), (rpc.ROOT, root), (rpc.SIBLING, True)]
    fields += [(rpc.EXT_MOUNT, rpc.pair(*mount)) for mount in mounts]
    fields += [(rpc.INHERIT, rpc.pair(*each)) for each in inherited]
    fields += [(rpc.CGROUP_ROOT, rpc.pair(*root_)) for root_ in _cgroup_roots(made.group)]
    if own_network(made.spec) and not any(name == NETWORK for name, _ in inherited):
        fields.append((rpc.EMPTY_NAMESPACES, k.CLONE_NEWNET))
    fds = (images, work, *(fd for _, fd in inherited))
    try:
        criu = service.Service(program, f"{settings.work}/{LOG}", made.group, notified)
        answer = criu.ask([(1, rpc.RESTORE), (2, rpc.encode(fields))], fds)
    finally:
        os.close(images)
        os.close(work)
    made.pid = made.context.pid = rpc.number(rpc.message(answer, 4), 1)


def _cgroup_roots(group: Cgroup) -> list[tuple[str, str]]:
    """(controller, path): where the container's cgroup is in each hierarchy, as /proc/PID/cgroup has it."""
    return [(name, group.path) for name in paths_of("self")]
