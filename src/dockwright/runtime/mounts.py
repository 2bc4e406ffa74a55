"""The mounts of a container as steps: each knows how the shim prepares it and how init attaches it.

Bind sources are opened by the shim, in the host's mount namespace as it is now, as detached copies; file systems are
made by init, inside the namespaces they belong to. Either way init attaches a descriptor to a descriptor, so no path
is looked up twice and none leads out of the root.
"""

from __future__ import annotations

import errno
import os
import stat

from dockwright.base.steps import Step
from dockwright.kernel import mount as m
from dockwright.kernel.process import CLONE_NEWNS, setns, unshare
from dockwright.runtime import idmap, paths
from dockwright.runtime import tree as trees
from dockwright.runtime.cgroups.layout import layout
from dockwright.runtime.failure import RuntimeFailure, words
from dockwright.runtime.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# what may be mounted below /proc (CVE-2019-16884): files that only show figures of the container itself
PROC_ALLOWED = (
    "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime",
    "/proc/loadavg", "/proc/slabinfo", "/proc/net/dev", "/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
)  # fmt: skip


class Mount(Step):
    """One entry of the spec's `mounts`.

    Args:
        entry: the OCI mount: destination, type, source, options.
        context: what all steps of one container share (`container.Context`): root descriptor, label, cgroup path.
    """

    __slots__ = ("context", "entry", "options", "tree")

    def __init__(self, entry: dict[str, Any], context: Any) -> None:
        self.entry = entry
        self.options = Options(entry.get("options") or [])
        self.context = context
        self.tree = -1
        super().__init__("init", "mount", _text(entry))

    @property
    def destination(self) -> str:
        """Where it goes, inside the container."""
        return paths.clean(str(self.entry["destination"]))

    @property
    def is_bind(self) -> bool:
        """Whether it shows something the host has already."""
        return self.options.bind or self.entry.get("type") == "bind"

    def check(self) -> None:
        """Refuse destinations that would fool later steps.

        Raises:
            RuntimeFailure: a mount on or below /proc that is not procfs itself.
        """
        path = self.destination
        if path != "/proc" and not path.startswith("/proc/"):
            return
        if (path == "/proc" and self.entry.get("type") == "proc") or path in PROC_ALLOWED:
            return
        if path == "/proc" and self.is_bind and _is_procfs(self.entry.get("source", "")):
            return
        raise RuntimeFailure(f'"{path}" cannot be mounted because it is inside /proc')

    def prepare(self) -> None:
        """In the shim: open a bind's source as a detached copy.

        Raises:
            OSError: the source is missing.
        """
        if not self.is_bind:
            return
        source = self.entry.get("source", "")
        if not source.startswith("/"):
            source = os.path.join(self.context.bundle, source)
        recursive = m.AT_RECURSIVE if self.options.recursive or not self.options.bind else 0
        if self.entry.get("snapshot"):
            self.tree = _copy_of_snapshot(self.entry["snapshot"], self.entry.get("subpath", ""))
        elif self.entry.get("namespace"):
            self.tree = _copy_from(self.entry["namespace"], source, recursive)
        else:
            self.tree = _copy_of(source, self.entry.get("subpath", ""), recursive)
        self._map()
        m.mount_setattr(self.tree, self.options.set, self.options.clear)
        if self.options.set_all or self.options.clear_all:
            m.mount_setattr(self.tree, self.options.set_all, self.options.clear_all, recursive=True)

    def _map(self) -> None:
        """Let owners be seen through the maps of the entry, or of the container's user namespace."""
        if self.entry.get("uidMappings"):
            own = idmap.owner(self.entry["uidMappings"], self.entry.get("gidMappings") or self.entry["uidMappings"])
            try:
                own.give(self.tree)
            finally:
                own.close()
        elif self.options.idmap and self.context.owner:
            self.context.owner.give(self.tree)

    def execute(self) -> None:
        kind = self.entry.get("type", "")
        if self.is_bind:
            self._attach(self.tree)
        elif kind in ("cgroup", "cgroup2"):
            self._cgroup()
        else:
            self._attach(self._make(kind))

    def _make(self, kind: str) -> int:
        """A detached mount of a new file system, in init's namespaces."""
        source = self.entry.get("source") or kind
        copied = self._copied() if self.options.copy_up else None
        tree = m.new_filesystem(kind, source, self.options.data, self.options.set)
        if copied is not None:
            fill(tree, copied)
        return tree

    def _copied(self) -> int:
        return paths.make_directory(self.context.root, self.destination)

    def _attach(self, tree: int) -> None:
        target = self._target(tree)
        try:
            self._keep_out_of_proc(target)
            m.move_mount(tree, target)
        except OSError as error:
            if error.errno == errno.EINVAL and _is_directory(tree) != _is_directory(target):
                error.errno = errno.ENOTDIR  # what mount(2) says of a file on a directory
            error.filename = self.destination
            raise
        finally:
            os.close(target)
        self._propagate(tree)
        os.close(tree)

    def _keep_out_of_proc(self, target: int) -> None:
        """The look at the path in `check` again, now that links have been followed."""
        allowed = self.destination == "/proc" or self.destination in PROC_ALLOWED
        if not allowed and m.file_system_type(target) == m.PROC_SUPER_MAGIC:
            raise RuntimeFailure(f'"{self.destination}" cannot be mounted because it is inside /proc')

    def _target(self, tree: int) -> int:
        """A descriptor of the mount point, made if missing; procfs and sysfs only go on real directories."""
        path = self.destination
        if self.entry.get("type") in ("proc", "sysfs") and not self.is_bind:
            os.close(paths.make_directory(self.context.root, path))
            try:
                return paths.open_in_root(
                    self.context.root, path, m.O_PATH | os.O_DIRECTORY, m.RESOLVE_IN_ROOT | m.RESOLVE_NO_SYMLINKS
                )
            except OSError:
                kind = self.entry["type"]
                raise RuntimeFailure(f'filesystem "{kind}" must be mounted on ordinary directory') from None
        if _is_directory(tree):
            return paths.make_directory(self.context.root, path)
        return paths.make_file(self.context.root, path)

    def _propagate(self, tree: int) -> None:
        if self.options.propagation:
            flag, recursive = self.options.propagation
            m.mount_setattr(tree, propagation=flag, recursive=recursive)

    def _cgroup(self) -> None:
        where = layout()
        if where.is_v2:
            self._attach(m.new_filesystem("cgroup2", "cgroup", self.options.data, self.options.set))
            return
        self._attach(m.new_filesystem("tmpfs", "tmpfs", ["mode=755"], self.options.set & ~m.MOUNT_ATTR_RDONLY))
        for name, tree in self.context.cgroup_trees or self._fresh_hierarchies():
            target = paths.make_directory(self.context.root, f"{self.destination}/{name}")
            m.mount_setattr(tree, self.options.set, self.options.clear)
            m.move_mount(tree, target)
            os.close(target)
            os.close(tree)
        self._link_controllers()
        if self.options.set & m.MOUNT_ATTR_RDONLY:
            fd = paths.open_in_root(self.context.root, self.destination)
            m.mount_setattr(fd, m.MOUNT_ATTR_RDONLY)
            os.close(fd)

    def _fresh_hierarchies(self) -> list[tuple[str, int]]:
        """With a cgroup namespace: mounts of the hierarchies made in it show the container's part alone."""
        trees = []
        for point in dict.fromkeys(layout().v1.values()):
            names = [name for name, where in layout().v1.items() if where == point]
            options = ["none", *names] if names[0].startswith("name=") else names
            trees.append((os.path.basename(point), m.new_filesystem("cgroup", "cgroup", options, 0)))
        return trees

    def _link_controllers(self) -> None:
        """`cpu -> cpu,cpuacct` and the like, where the host mounts controllers together."""
        fd = paths.open_in_root(self.context.root, self.destination)
        for name, point in layout().v1.items():
            folder = os.path.basename(point)
            if name != folder and not name.startswith("name="):
                os.symlink(folder, name, dir_fd=fd)
        os.close(fd)


def _is_directory(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def _copy_from(namespace: str, source: str, recursive: int) -> int:
    """`_copy_of` in another mount namespace: mounts can only be copied from inside theirs."""
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    other = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(other, CLONE_NEWNS)
        try:
            return _copy_of(source, "", recursive)
        finally:
            setns(own, CLONE_NEWNS)
    finally:
        os.close(own)
        os.close(other)


def _copy_of_snapshot(snapshot: dict[str, Any], subpath: str) -> int:
    """A detached copy of a snapshot, or of what is at `subpath` in it, mounted for that moment where nobody else sees it.

    Args:
        snapshot: its mount and the directory its names start from (`tree.mounted`), and a directory to mount it on.
    """
    own = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWNS)
        try:
            m.mount("", "/", "", m.MS_REC | m.MS_SLAVE)
            trees.mount_at(snapshot["mount"], snapshot["base"], snapshot["point"])
            root = os.open(snapshot["point"], m.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            found = paths.open_in_root(root, subpath)
            os.close(root)
            flags = m.OPEN_TREE_CLONE | m.OPEN_TREE_CLOEXEC | m.AT_EMPTY_PATH | m.AT_RECURSIVE
            copy = m.open_tree(found, "", flags)
            os.close(found)
            return copy
        finally:
            setns(own, CLONE_NEWNS)
    finally:
        os.close(own)


def _copy_of(source: str, subpath: str, recursive: int) -> int:
    """A detached copy of what is at `source`, or at `subpath` inside it, from where no link leads out."""
    flags = m.OPEN_TREE_CLONE | m.OPEN_TREE_CLOEXEC | recursive
    if not subpath:
        return m.open_tree(m.AT_FDCWD, source, flags)
    directory = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = paths.open_in_root(directory, subpath)
        try:
            return m.open_tree(found, "", flags | m.AT_EMPTY_PATH)
        finally:
            os.close(found)
    finally:
        os.close(directory)


def host_cgroup_trees(path: str) -> list[tuple[str, int]]:
    """In the shim, for a container without a cgroup namespace on v1: detached copies of its own folders."""
    flags = m.OPEN_TREE_CLONE | m.OPEN_TREE_CLOEXEC
    return [
        (os.path.basename(point), m.open_tree(m.AT_FDCWD, f"{point}/{path.strip('/')}", flags))
        for point in dict.fromkeys(layout().v1.values())
    ]


def fill(tree: int, source: int) -> None:
    """Copy the directory behind `source` into the root of detached mount `tree` (tmpcopyup)."""
    for name in _names(source):
        copy_entry(name, source, tree)


def _names(directory: int) -> list[str]:
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.listdir(fd)
    finally:
        os.close(fd)


def copy_entry(name: str, source: int, target: int) -> None:
    """Copy one entry with its owner and mode, directories with all they hold."""
    info = os.stat(name, dir_fd=source, follow_symlinks=False)
    if stat.S_ISLNK(info.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    elif stat.S_ISDIR(info.st_mode):
        os.mkdir(name, dir_fd=target)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        inner, made = os.open(name, flags, dir_fd=source), os.open(name, flags, dir_fd=target)
        for child in os.listdir(inner):
            copy_entry(child, inner, made)
        os.close(inner)
        os.close(made)
    elif stat.S_ISREG(info.st_mode):
        _copy_file(name, source, target)
    else:
        os.mknod(name, info.st_mode, info.st_rdev, dir_fd=target)
    os.chown(name, info.st_uid, info.st_gid, dir_fd=target, follow_symlinks=False)
    if not stat.S_ISLNK(info.st_mode):
        os.chmod(name, stat.S_IMODE(info.st_mode), dir_fd=target)


def _copy_file(name: str, source: int, target: int) -> None:
    read = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    write = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=target)
    while chunk := os.read(read, 1 << 16):
        os.write(write, chunk)
    os.close(read)
    os.close(write)


def _is_procfs(path: str) -> bool:
    return os.path.ismount(path) and os.path.exists(f"{path}/self/stat")


def _text(entry: dict[str, Any]) -> str:
    options = ",".join(entry.get("options") or ())
    kind = entry.get("type") or "bind"
    source = entry.get("source") or kind
    return f"mount {kind} {source} at {entry['destination']}" + (f" ({options})" if options else "")


def mount_failure(entry: dict[str, Any], error: OSError) -> str:
    """runc's text for a mount that failed."""
    source, target = entry.get("source") or entry.get("type") or "", entry["destination"]
    head = f'error mounting "{source}" to rootfs at "{target}": '
    if error.errno in (errno.ENOENT, errno.ENOTDIR) and error.filename == source:
        return head + f"stat {source}: {words(error)}"  # the source of a bind
    named = isinstance(error.filename, str) and error.filename not in ("fsconfig", source, target)
    return head + f"mount {source}:{target}" + (f" ({error.filename})" if named else "") + f": {words(error)}"
