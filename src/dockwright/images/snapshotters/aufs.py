"""aufs: a branch per layer, stacked by a kernel that has aufs; what is gone is said by names.

Layout, as Docker's: diff/<key> the branch, layers/<key> the keys below it, nearest first; state/<key>/{committed,view}.
A file `.wh.NAME` takes NAME away, `.wh..wh..opq` in a directory takes away all that lower branches have in it, other names
beginning with `.wh..wh.` are aufs' own (aufs(5)).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.images import differ
from dockwright.images.snapshotters import Mount, Options, Usage, supported
from dockwright.images.snapshotters.files import backing, private, read, write
from dockwright.images.trash import Trash
from dockwright.images.unpack import OPAQUE, WHITEOUT, Whiteouts, cover

OWN = ".wh..wh."
MOST_LAYERS = 127  # branches of one mount: CONFIG_AUFS_BRANCH_MAX_127
LONGEST_OPTIONS = 4000  # mount(2) takes one page
_NEW = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Names:
    """Whiteouts as aufs has them, written and read."""

    def added(self, path: str) -> bool:
        """Nothing to note: what the layer has itself is seen when the whiteout is made."""
        return True

    def hide(self, parent: int, folder: str, name: str) -> None:
        """A file beside it; not where the same tar adds it."""
        try:
            os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            os.close(os.open(WHITEOUT + name, _NEW, 0o444, dir_fd=parent))
        else:
            cover(self, parent, folder, name)

    def opaque(self, parent: int, folder: str) -> None:
        """A file in it."""
        os.close(os.open(OPAQUE, _NEW, 0o444, dir_fd=parent))

    def uncover(self, parent: int, name: str) -> bool:
        """The file beside it goes."""
        try:
            os.unlink(WHITEOUT + name, dir_fd=parent)
        except FileNotFoundError:
            return False
        return True


class NameMarks:
    """What aufs' names say."""

    def gone(self, info: os.stat_result) -> bool:
        """A node says nothing by itself."""
        return False

    def hides(self, directory: str | int, name: str) -> bool:
        """A file `.wh.NAME`, where there is no NAME."""
        return _there(directory, WHITEOUT + name) and not _there(directory, name)

    def opaque(self, directory: str | int) -> bool:
        """A file of that name."""
        return _there(directory, OPAQUE)

    def meaning(self, name: str) -> tuple[str, bool]:
        """`.wh.NAME` is about NAME; aufs' own are about nothing."""
        if name.startswith(OWN):
            return "", False
        return (name[len(WHITEOUT) :], True) if name.startswith(WHITEOUT) else (name, False)


def _there(directory: str | int, name: str) -> bool:
    try:
        if isinstance(directory, str):
            os.lstat(f"{directory}/{name}")
        else:
            os.stat(name, dir_fd=directory, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


class Aufs:
    """The driver below `root` (DATA/aufs).

    Raises:
        InvalidParameter: the kernel has no aufs, in Docker's words; or an option: there are none.
    """

    name = "aufs"
    stacked = True
    marks: differ.Marks = NameMarks()

    def __init__(self, root: str, trash: str, options: Options) -> None:
        if not supported("aufs"):
            raise InvalidParameter("driver not supported")
        if options:
            raise InvalidParameter(f"aufs: unknown option {next(iter(options))}")
        self.root = self.base = root
        self._trash = Trash(trash)
        private(root, *(f"{root}/{name}" for name in ("diff", "layers", "state")), mode=0o710)

    def prepare(self, key: str, parent: str = "") -> str:
        """A branch on top of `parent`."""
        self._note(key, parent)
        try:
            os.mkdir(self.path(key), 0o755)
        except OSError:
            self.remove(key)
            raise
        return self.path(key)

    def writable(self, key: str, parent: str, options: Options) -> None:
        """The same; there are no limits."""
        if options:
            raise Internal("--storage-opt is not supported for aufs")
        self.prepare(key, parent)

    def view(self, key: str, parent: str) -> None:
        """A key that holds only the names of what is seen."""
        self._note(key, parent)
        write(f"{self.root}/state/{key}/view", "")

    def _note(self, key: str, parent: str) -> None:
        chain = [parent, *self._below(parent)] if parent else []
        if len(chain) >= MOST_LAYERS:
            raise InvalidParameter("max depth exceeded")
        os.mkdir(f"{self.root}/state/{key}", 0o700)
        write(f"{self.root}/layers/{key}", "".join(f"{name}\n" for name in chain))

    def commit(self, key: str) -> None:
        """Mark it as complete."""
        write(f"{self.root}/state/{key}/committed", "")

    def committed(self, key: str) -> bool:
        """Whether it is there and complete."""
        return os.path.exists(f"{self.root}/state/{key}/committed")

    def mounts(self, key: str) -> list[Mount]:
        """A stack of branches, as many as one page names; the others are appended one by one."""
        own = [] if self._is_view(key) else [f"{self.path(key)}={'ro+wh' if self.committed(key) else 'rw'}"]
        branches = [*own, *(f"{self.path(name)}=ro+wh" for name in self._below(key))]
        options = ["dio", "xino=/dev/shm/aufs.xino", "dirperm1"]
        first = _fitting(branches, LONGEST_OPTIONS - len(",".join(options)) - len("br:,ro"))
        readonly = [] if own and not self.committed(key) else ["ro"]
        mount: Mount = {"type": "aufs", "source": "none", "options": [*readonly, f"br:{':'.join(branches[:first])}", *options]}
        if branches[first:]:
            mount["remounts"] = [f"append:{branch}" for branch in branches[first:]]
        return [mount]

    def usage(self, key: str) -> Usage:
        """Its branch's own."""
        return Usage(*differ.usage(self.path(key)))

    def changes(self, key: str) -> list[differ.Change]:
        """What its branch says."""
        return differ.changes(self.path(key), [self.path(name) for name in self._below(key)], flat=False, marks=self.marks)

    @contextmanager
    def opened(self, key: str) -> Iterator[list[str]]:
        """The branches of a layer and its parents."""
        own = [] if self._is_view(key) else [key]
        yield [self.path(name) for name in (*own, *self._below(key))]

    def remove(self, key: str) -> None:
        """Remove its branch, then what is known of it."""
        self._trash.remove(self.path(key))
        self.disown(key)

    def disown(self, key: str) -> None:
        """Remove its state and the list of what is below it."""
        self._trash.remove(f"{self.root}/layers/{key}")
        self._trash.remove(f"{self.root}/state/{key}")

    def keys(self) -> list[str]:
        """Every branch, and every key with a state."""
        return sorted({*os.listdir(f"{self.root}/diff"), *os.listdir(f"{self.root}/state")})

    def path(self, key: str) -> str:
        """Its branch."""
        return f"{self.root}/diff/{key}"

    def aside(self, directory: str) -> str:
        """The trash."""
        return self._trash.path

    def whiteouts(self, directory: str) -> Whiteouts:
        """By names."""
        return Names()

    def graph_driver(self, key: str) -> dict[str, Any]:
        """GraphDriver of inspect."""
        return {"Data": None, "Name": self.name}

    def status(self) -> list[list[str]]:
        """DriverStatus of info."""
        branches = str(len(os.listdir(f"{self.root}/layers")))
        return [
            ["Root Dir", self.root], ["Backing Filesystem", backing(self.root)], ["Dirs", branches],
            ["Dirperm1 Supported", "true"],
        ]  # fmt: skip

    def close(self) -> None:
        """Nothing is held."""

    def _is_view(self, key: str) -> bool:
        return os.path.exists(f"{self.root}/state/{key}/view")

    def _below(self, key: str) -> list[str]:
        return read(f"{self.root}/layers/{key}").split()


def _fitting(branches: list[str], room: int) -> int:
    """How many of the branches, joined by colons, are named in `room` bytes; one at least."""
    taken = 0
    for count, branch in enumerate(branches):
        taken += len(branch) + 1
        if taken > room and count:
            return count
    return len(branches)
