"""The container's root as steps of init: private propagation, the root itself, /dev, pivot_root, read-only and masked paths.

Everything goes through `context.root`, a descriptor of the new root; masking checks that what it binds is the null
device and not an image's link (CVE-2025-31133).
"""

from __future__ import annotations

import os
import stat

from dockwright.base.steps import Step
from dockwright.kernel import mount as m
from dockwright.runtime import console, paths, tree
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.idmap import outside
from dockwright.runtime.options import PROPAGATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEVICES = (  # OCI runtime spec, config-linux.md, default devices
    ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0),
)  # fmt: skip
LINKS = (
    ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"),
)  # fmt: skip


class InitStep(Step):
    """A step of init that needs the container's context."""

    __slots__ = ("context",)

    def __init__(self, context: Any, kind: str, text: str) -> None:
        super().__init__("init", kind, text)
        self.context = context


class Propagation(InitStep):
    """Cut our mounts off from the host's before anything is mounted."""

    __slots__ = ("flags",)

    def __init__(self, context: Any, name: str) -> None:
        flag, _ = PROPAGATION.get(name or "rslave", (m.MS_SLAVE, True))
        # a shared or slave root is asked for by rootfsPropagation; the old tree itself must never be shared with us
        self.flags = (m.MS_SLAVE if flag in (m.MS_SHARED, m.MS_SLAVE) else m.MS_PRIVATE) | m.MS_REC
        super().__init__(context, "mount", f"make all mounts {'rslave' if self.flags & m.MS_SLAVE else 'rprivate'}")

    def execute(self) -> None:
        m.mount("", "/", "", self.flags)


class Root(InitStep):
    """Make the root directory a mount of its own and open it."""

    __slots__ = ("path", "source", "tree")

    def __init__(self, context: Any, path: str, source: dict[str, Any] | None) -> None:
        self.path = path
        self.source = source
        self.tree = -1
        what = f"{source['type']} {','.join(source.get('options') or ())}" if source else path
        super().__init__(context, "mount", f"mount the root: {what}")

    def execute(self) -> None:
        if self.source and self.tree < 0 and tree.plain(self.source):
            os.chdir(self.context.overlay_base)
            tree.mount_plain(self.source, self.path)
            os.chdir("/")
            self.context.root = os.open(self.path, m.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            return
        if self.tree < 0:
            self.prepare()
        # in a user namespace the way to the root may be closed to us: cover `/`, which pivot_root(2) then takes away
        where = "/" if self.context.user_namespace else self.path
        m.mount_setattr(self.tree, propagation=m.MS_PRIVATE, recursive=True)
        m.move_mount(self.tree, m.AT_FDCWD, where)
        self.context.root = self.tree

    @property
    def from_outside(self) -> bool:
        """Whether the shim prepares it."""
        if self.source is None or self.context.owner:
            return bool(self.context.user_namespace)
        return self.source["type"] != "bind" and not tree.plain(self.source)

    def prepare(self) -> None:
        """Make a detached mount of it; the shim does this where init could not: it may walk every path and use every device."""
        source = self.source or {"type": "bind", "source": self.path, "options": []}
        self.tree = tree.mounted(source, self.context.overlay_base, self.context.owner if source.get("idmap") else None)


class Devices(InitStep):
    """Fill /dev: device nodes, links, the console.

    In a user namespace mknod(2) is refused: there the maker makes the nodes beforehand, in a detached tmpfs (`prepare`),
    and init shows each of them at its place.
    """

    __slots__ = ("devices", "tree")

    def __init__(self, context: Any, devices: list[dict[str, Any]]) -> None:
        self.devices = devices
        self.tree = -1
        super().__init__(
            context, "mount", "make the devices " + " ".join(d["path"] for d in devices) + " and /dev's links"
        )

    def prepare(self, linux: dict[str, Any]) -> None:
        """Make the nodes outside, owned by what the ids of the container are there."""
        self.tree = m.new_filesystem("tmpfs", "devices", ["mode=755"], 0)
        for number, device in enumerate(self.devices):
            uid = outside(linux.get("uidMappings") or [], device.get("uid") or 0)
            gid = outside(linux.get("gidMappings") or [], device.get("gid") or 0)
            make_node(self.tree, str(number), device, uid, gid)

    def execute(self) -> None:
        if self.tree >= 0:
            self._show()
        else:
            for device in self.devices:
                self._make(device)
        directory = paths.make_directory(self.context.root, "/dev")
        try:
            self._links(directory)
        finally:
            os.close(directory)
        if self.context.console >= 0:
            bind_console(self.context.root, self.context.console)

    def _make(self, device: dict[str, Any]) -> None:
        parent_path, name = os.path.split(paths.clean(device["path"]))
        parent = paths.make_directory(self.context.root, parent_path)
        try:
            _replace(name, parent)
            make_node(parent, name, device, device.get("uid") or 0, device.get("gid") or 0)
        finally:
            os.close(parent)

    def _show(self) -> None:
        """Attach the tmpfs for a moment: only what is attached may be cloned (open_tree(2), before Linux 6.15)."""
        directory = paths.make_directory(self.context.root, _STORE)
        m.move_mount(self.tree, directory)
        os.close(directory)
        for number, device in enumerate(self.devices):
            node = m.open_tree(self.tree, str(number), m.OPEN_TREE_CLONE | m.OPEN_TREE_CLOEXEC)
            target = paths.make_file(self.context.root, paths.clean(device["path"]))
            m.move_mount(node, target)
            os.close(node)
            os.close(target)
        os.fchdir(self.tree)
        m.umount2(".", m.MNT_DETACH)
        os.chdir("/")
        os.close(self.tree)
        parent = paths.open_in_root(self.context.root, "/dev")
        os.rmdir(os.path.basename(_STORE), dir_fd=parent)
        os.close(parent)

    def _links(self, directory: int) -> None:
        for name, target in LINKS:
            try:
                os.symlink(target, name, dir_fd=directory)
            except FileExistsError:
                continue
        if _has(directory, "pts"):
            _replace("ptmx", directory)
            os.symlink("pts/ptmx", "ptmx", dir_fd=directory)


_KINDS = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}
_STORE = "/dev/.dockwright-nodes"


def make_node(directory: int, name: str, device: dict[str, Any], uid: int, gid: int) -> None:
    """mknod(2) of an entry of linux.devices, with its mode whatever the umask."""
    mode = device.get("fileMode")
    mode = 0o666 if mode is None else stat.S_IMODE(mode)
    number = os.makedev(device.get("major") or 0, device.get("minor") or 0)
    os.mknod(name, _KINDS[device["type"]] | mode, number, dir_fd=directory)
    os.chmod(name, mode, dir_fd=directory)
    os.chown(name, uid, gid, dir_fd=directory, follow_symlinks=False)


class Console(InitStep):
    """A pty of the container's own devpts: its slave becomes /dev/console, its master goes to who asked for it."""

    __slots__ = ()

    def __init__(self, context: Any) -> None:
        super().__init__(context, "mount", "open a pty in the container, bind it to /dev/console, hand out its master")

    def execute(self) -> None:
        master, slave, name = console.open_pair(self.context.root)
        height, width = self.context.size
        if height or width:
            console.resize(slave, height, width)
        bind_console(self.context.root, slave)
        console.hand_out(self.context.console_socket, name, master)
        os.close(master)
        os.close(self.context.console_socket)
        self.context.console = slave


class WorkingDirectory(InitStep):
    """process.cwd is made if the image lacks it."""

    __slots__ = ("path",)

    def __init__(self, context: Any, path: str) -> None:
        self.path = path
        super().__init__(context, "mount", f"make the working directory {path} unless it is there")

    def execute(self) -> None:
        try:
            os.close(paths.make_directory(self.context.root, self.path))
        except OSError:
            return  # chdir(2) will say it


def bind_console(root: int, slave: int) -> None:
    """Bind a pty's slave, by its descriptor, to /dev/console."""
    tree = m.open_tree(slave, "", m.OPEN_TREE_CLONE | m.OPEN_TREE_CLOEXEC | m.AT_EMPTY_PATH)
    target = paths.make_file(root, "/dev/console")
    m.move_mount(tree, target)
    os.close(tree)
    os.close(target)


def _has(directory: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _replace(name: str, directory: int) -> None:
    """Make room for `name`: unlink what the image has there."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return


class Pivot(InitStep):
    """Make the new root `/` and let go of the host's tree."""

    __slots__ = ()

    def __init__(self, context: Any) -> None:
        super().__init__(context, "mount", "pivot_root into it and detach the host's tree")

    def execute(self) -> None:
        if not self.context.pivot:
            return self._move()
        old = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fchdir(self.context.root)
        m.pivot_root(".", ".")
        os.fchdir(old)
        m.mount("", ".", "", m.MS_SLAVE | m.MS_REC)
        m.umount2(".", m.MNT_DETACH)
        os.close(old)
        os.chdir("/")
        return self._enter()

    def _move(self) -> None:
        """For a host whose root is an initramfs, which pivot_root(2) refuses."""
        os.fchdir(self.context.root)
        m.mount(".", "/", "", m.MS_MOVE)
        os.chroot(".")
        os.chdir("/")
        self._enter()

    def _enter(self) -> None:
        os.close(self.context.root)
        self.context.root = os.open("/", m.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


class RootAttributes(InitStep):
    """Propagation and read-only state of the finished root."""

    __slots__ = ("propagation", "readonly")

    def __init__(self, context: Any, propagation: str, readonly: bool) -> None:
        self.propagation = propagation
        self.readonly = readonly
        text = "make the root " + " and ".join([propagation] * bool(propagation) + ["read-only"] * readonly)
        super().__init__(context, "mount", text)

    def execute(self) -> None:
        if self.propagation:
            flag, recursive = PROPAGATION[self.propagation]
            m.mount_setattr(self.context.root, propagation=flag, recursive=recursive)
        if self.readonly:
            m.mount_setattr(self.context.root, m.MOUNT_ATTR_RDONLY)


class ReadOnlyPaths(InitStep):
    """Paths that may be read only: each becomes a read-only mount of itself."""

    __slots__ = ("paths",)

    def __init__(self, context: Any, paths_: list[str]) -> None:
        self.paths = paths_
        super().__init__(context, "mount", "make read-only: " + " ".join(paths_))

    def execute(self) -> None:
        for path in self.paths:
            try:
                target = paths.open_in_root(self.context.root, path)
            except FileNotFoundError:
                continue  # the kernel does not have it
            tree = m.open_tree(target, "", m.OPEN_TREE_CLONE | m.OPEN_TREE_CLOEXEC | m.AT_EMPTY_PATH | m.AT_RECURSIVE)
            m.mount_setattr(tree, m.MOUNT_ATTR_RDONLY, recursive=True)
            m.move_mount(tree, target)
            os.close(tree)
            os.close(target)


class MaskedPaths(InitStep):
    """Paths that show nothing: /dev/null over files, an empty read-only tmpfs over directories."""

    __slots__ = ("paths",)

    def __init__(self, context: Any, paths_: list[str]) -> None:
        self.paths = paths_
        super().__init__(context, "mount", "mask: " + " ".join(paths_))

    def execute(self) -> None:
        null = paths.open_in_root(self.context.root, "/dev/null", m.O_PATH | os.O_NOFOLLOW)
        if not _is_null(null):
            raise RuntimeFailure("the container's /dev/null is not the null device")
        for path in self.paths:
            try:
                target = paths.open_in_root(self.context.root, path)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue  # nothing there to be seen
            tree = self._cover(target, null)
            m.move_mount(tree, target)
            os.close(tree)
            os.close(target)
        os.close(null)

    def _cover(self, target: int, null: int) -> int:
        """A detached mount that shows nothing, of the kind of `target`."""
        if stat.S_ISDIR(os.fstat(target).st_mode):
            return m.new_filesystem("tmpfs", "tmpfs", ["nr_blocks=1", "nr_inodes=1"], m.MOUNT_ATTR_RDONLY)
        flags = m.OPEN_TREE_CLONE | m.OPEN_TREE_CLOEXEC | m.AT_EMPTY_PATH
        return m.open_tree(null, "", flags)


def _is_null(fd: int) -> bool:
    info = os.fstat(fd)
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == os.makedev(1, 3)
