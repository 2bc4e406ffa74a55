"""What drivers have in common whose snapshots the kernel's overlay file system stacks: a folder per layer, and whiteouts.

Layout: <key>/diff the layer's own files, lower the names of its parents (nearest first), work for mounting, committed once it is
complete; <key>/view says that it has no diff of its own.

In a user namespace nobody may set `trusted.` attributes: overlayfs is told to keep its own under `user.` there (`userxattr`,
Documentation/filesystems/overlayfs.rst, "User xattr"; Linux 5.11), and so are they written and read.
"""

import os
import stat
import tempfile
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from dockwright.base.errors import EngineError, InvalidParameter
from dockwright.images import differ
from dockwright.images.snapshotters.files import read, write
from dockwright.images.trash import Trash
from dockwright.images.unpack import Whiteouts, cover
from dockwright.kernel import mount as m

MOST_LAYERS = 500  # OVL_MAX_STACK, fs/overlayfs/params.h
USER_ATTRIBUTES = "userxattr"
_PARAMETERS = "/sys/module/overlay/parameters"
_WHOLE_MAP = ["0", "0", "4294967295"]  # uid_map of the first user namespace, user_namespaces(7)


class Nodes:
    """Whiteouts as overlayfs has them (Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories").

    Args:
        attribute: what makes a directory opaque.
    """

    def __init__(self, attribute: str = differ.OPAQUE) -> None:
        self._attribute = attribute

    def added(self, path: str) -> bool:
        """Nothing to note: what the layer has itself is seen when the whiteout is made."""
        return True

    def hide(self, parent: int, folder: str, name: str) -> None:
        """A character device 0:0 in its place."""
        try:
            os.mknod(name, stat.S_IFCHR, 0, dir_fd=parent)
        except FileExistsError:  # the same tar adds it
            cover(self, parent, folder, name)

    def opaque(self, parent: int, folder: str) -> None:
        """An attribute on the directory."""
        os.setxattr(parent, self._attribute, b"y")

    def uncover(self, parent: int, name: str) -> bool:
        """The device goes."""
        try:
            found = differ.whiteout(os.stat(name, dir_fd=parent, follow_symlinks=False))
        except FileNotFoundError:
            return False
        if found:
            os.unlink(name, dir_fd=parent)
        return found


class Nothing:
    """Whiteouts of a layer that stands on nothing: there is nothing to hide, and a lone layer is mounted without overlayfs."""

    def added(self, path: str) -> bool:
        """Nothing to note."""
        return True

    def hide(self, parent: int, folder: str, name: str) -> None:
        """Nothing is there."""

    def opaque(self, parent: int, folder: str) -> None:
        """Nothing shows through."""

    def uncover(self, parent: int, name: str) -> bool:
        """Nothing is hidden."""
        return False


class Stacking:
    """A driver whose snapshots are overlays. It adds `_named`, by which `lower` names a layer, and what mounts it."""

    stacked = True

    def __init__(self, root: str, trash: str) -> None:
        self.root = self.base = root
        self._trash = Trash(trash)
        self._options = fixed_options(self._trash.path)
        self.marks: differ.Marks = differ.USER_NODES if USER_ATTRIBUTES in self._options else differ.NODES

    @abstractmethod
    def _named(self, key: str) -> str:
        """How a layer is called in the `lower` of those above it. Raises FileNotFoundError."""

    @contextmanager
    def _fresh(self, key: str) -> Iterator[str]:
        """A new folder; if it cannot be filled nothing of it is left."""
        folder = self.path(key)
        os.mkdir(folder, 0o710)
        try:
            yield folder
        except (OSError, EngineError):
            self.remove(key)
            raise

    def _stand(self, folder: str, parent: str) -> None:
        """Put a layer on top of `parent`, "" for nothing."""
        if parent:
            os.mkdir(f"{folder}/work", 0o700)
            write(f"{folder}/lower", ":".join(self._chain(parent)))

    def view(self, key: str, parent: str) -> None:
        """A folder that holds only the names of what is seen."""
        with self._fresh(key) as folder:
            write(f"{folder}/lower", ":".join(self._chain(parent)))
            write(f"{folder}/view", "")

    def commit(self, key: str) -> None:
        """Mark a layer as complete."""
        write(f"{self.path(key)}/committed", "")

    def committed(self, key: str) -> bool:
        """Whether a layer is there and complete."""
        return os.path.exists(f"{self.path(key)}/committed")

    def is_view(self, key: str) -> bool:
        """Whether a snapshot has nothing of its own."""
        return os.path.exists(f"{self.path(key)}/view")

    def remove(self, key: str) -> None:
        """Remove a layer's folder, and what is known of it beside."""
        self.disown(key)
        self._trash.remove(self.path(key))

    def disown(self, key: str) -> None:
        """Nothing is beside the folder."""

    def path(self, key: str) -> str:
        """Its folder."""
        return f"{self.root}/{key}"

    def aside(self, directory: str) -> str:
        """The trash."""
        return self._trash.path

    def whiteouts(self, directory: str) -> Whiteouts:
        """As overlayfs has them, where there is a layer below."""
        if not os.path.exists(f"{os.path.dirname(directory)}/lower"):
            return Nothing()
        return Nodes(differ.USER_OPAQUE if USER_ATTRIBUTES in self._options else differ.OPAQUE)

    def close(self) -> None:
        """Nothing is held."""

    def _chain(self, parent: str) -> list[str]:
        chain = [self._named(parent), *self._lower(parent)]
        if len(chain) >= MOST_LAYERS:
            raise InvalidParameter("max depth exceeded")
        return chain

    def _lower(self, key: str) -> list[str]:
        try:
            return read(f"{self.path(key)}/lower").split(":")
        except FileNotFoundError:
            return []


def fixed_options(spare: str) -> list[str]:
    """index would make a re-used upper directory busy; metacopy and redirect_dir would leave files that only their kernel
    understands in a layer. Where a kernel has them on by default they are switched off; `userxattr` does that by itself.

    Args:
        spare: a directory for what is tried out.

    Raises:
        InvalidParameter: in a user namespace that may not mount an overlay.
    """
    if _in_user_namespace():
        _try_user_attributes(spare)
        return ["index=off", USER_ATTRIBUTES]
    options = ["index=off"]
    for name in ("metacopy", "redirect_dir"):
        try:
            if read(f"{_PARAMETERS}/{name}").strip() == "Y":
                options.append(f"{name}=off")
        except FileNotFoundError:
            pass  # a kernel from before that option, or a module not loaded yet, whose default is off
    return options


def _in_user_namespace() -> bool:
    """Whether this is another user namespace than the first."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return file.read().split() != _WHOLE_MAP


def _try_user_attributes(spare: str) -> None:
    """See whether an overlay with `userxattr` can be had: one of two empty directories, mounted nowhere.

    Raises:
        InvalidParameter: it cannot (before Linux 5.11, or without a mount namespace that belongs to the user namespace).
    """
    with tempfile.TemporaryDirectory(dir=spare) as folder:
        lowers = [f"{folder}/a", f"{folder}/b"]
        for lower in lowers:
            os.mkdir(lower)
        try:
            options = [USER_ATTRIBUTES, f"lowerdir={':'.join(lowers)}"]
            os.close(m.new_filesystem("overlay", "overlay", options, m.MOUNT_ATTR_RDONLY))
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise InvalidParameter(f"driver not supported: no overlay with userxattr in this user namespace: {reason}") from None
