"""overlay2: a directory per layer, stacked by the kernel's overlay file system.

Layout, as Docker's: <key>/diff the layer's own files, link its short name, lower the short names of its parents (nearest
first), work and merged for mounting, committed once it is complete; l/<short> -> ../<key>/diff keeps mount options below
one page. A view has no diff of its own: <key>/view says so.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.images import differ
from dockwright.images.snapshotters import Mount, Options, Usage
from dockwright.images.snapshotters.files import backing, private, read, write
from dockwright.images.snapshotters.sizes import Quotas, bytes_of, check_names, size_of
from dockwright.images.snapshotters.stacking import USER_ATTRIBUTES, Stacking
from dockwright.runtime.tree import LAYER

NAME = "overlay2"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
LINK_LENGTH = 26
LINKS = "l"
LONGEST_OPTIONS = 4000  # mount(2) takes one page
MOST_TARGETS = 4096  # that are noted


class Overlay2(Stacking):
    """The driver below `root` (DATA/overlay2).

    Args:
        options: of the daemon: `overlay2.size`, what each container may write.

    Raises:
        EngineError: an option that is not known, or that the backing file system cannot keep.
    """

    name = NAME

    def __init__(self, root: str, trash: str, options: Options) -> None:
        super().__init__(root, trash)
        private(root, f"{root}/{LINKS}", mode=0o710)
        self._quotas = Quotas(root)
        self._size = self._default_size(options)

    def _default_size(self, options: Options) -> int:
        known = ("overlay2.size", "overlay2.override_kernel_check")  # the second has no meaning on any kernel we run on
        if unknown := next((name for name in options if name not in known), ""):
            raise InvalidParameter(f"overlay2: unknown option {unknown}")
        size = bytes_of(options.get("overlay2.size", "0"))
        if size and not self._quotas.kept:
            raise InvalidParameter(f"Storage Option overlay2.size only supported for backingFS XFS. Found {backing(self.root)}")
        return size

    def writable(self, key: str, parent: str, options: Options) -> None:
        """The same, with a limit where one is asked for."""
        check_names(options)
        if options and not self._quotas.kept:
            raise Internal("--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
        self._make(key, parent, size_of(options, self._size))

    def prepare(self, key: str, parent: str = "") -> str:
        """Make the folder of a layer on top of `parent`; returns its diff directory."""
        return self._make(key, parent, 0)

    def _make(self, key: str, parent: str, size: int) -> str:
        with self._fresh(key) as folder:
            if size:
                self._quotas.limit(folder, size)  # what is made in it belongs to it
            os.mkdir(f"{folder}/diff", 0o755)
            link = "".join([_LETTERS[byte & 31] for byte in os.urandom(LINK_LENGTH)])
            write(f"{folder}/link", link)  # first: a removal knows the short link by it
            os.symlink(f"../{key}/diff", f"{self.root}/{LINKS}/{link}")
            self._stand(folder, parent)
        return f"{folder}/diff"

    def mounts(self, key: str) -> list[Mount]:
        """An overlay whose lowers are named from `base`, or a bind where a single directory is all there is."""
        folder, lowers = f"{self.root}/{key}", self._lower(key)
        if self.is_view(key) or self.committed(key):
            return [self._read_only(key, lowers)]
        if not lowers:
            return [{"type": "bind", "source": f"{folder}/diff", "options": ["rbind", "rw"]}]
        return [self._overlay([f"upperdir={folder}/diff", f"workdir={folder}/work"], lowers)]

    def _read_only(self, key: str, lowers: list[str]) -> Mount:
        stack = lowers if self.is_view(key) else [self._named(key), *lowers]
        if len(stack) == 1:
            source = os.path.realpath(f"{self.root}/{stack[0]}")
            return {"type": "bind", "source": source, "options": ["rbind", "ro"]}
        return self._overlay(["ro"], stack)

    def _overlay(self, own: list[str], lowers: list[str]) -> Mount:
        options = [*self._options, *own, f"lowerdir={':'.join(lowers)}"]
        if len(",".join(options)) > LONGEST_OPTIONS:
            options = [option.replace(f"={self.root}/", "=") for option in options]
        if len(",".join(options)) > LONGEST_OPTIONS:  # fsconfig(2) takes layer by layer
            options = [*options[:-1], *(f"{LAYER}={lower}" for lower in lowers)]
        return {"type": "overlay", "source": "overlay", "options": options}

    def usage(self, key: str) -> Usage:
        """Its diff directory's own."""
        return Usage(*differ.usage(f"{self.root}/{key}/diff"))

    def changes(self, key: str) -> list[differ.Change]:
        """What its diff directory says."""
        top, *below = self._directories(key)
        return differ.changes(top, below, flat=False, marks=self.marks)

    def disown(self, key: str) -> None:
        """Remove its short link."""
        try:
            os.unlink(f"{self.root}/{LINKS}/{read(f'{self.root}/{key}/link')}")
        except (FileNotFoundError, IsADirectoryError):
            pass  # half made, or half removed

    def keys(self) -> list[str]:
        """Every folder but that of the short links."""
        return [name for name in os.listdir(self.root) if name != LINKS]

    @contextmanager
    def opened(self, key: str) -> Iterator[list[str]]:
        """The diff directories of a layer and its parents."""
        yield self._directories(key)

    def _directories(self, key: str) -> list[str]:
        parents = [_target(f"{self.root}/{name}") for name in self._lower(key)]
        return [f"{self.root}/{key}/diff", *parents] if os.path.isdir(f"{self.root}/{key}/diff") else parents

    def graph_driver(self, key: str) -> dict[str, Any]:
        """GraphDriver of inspect."""
        folder, (_, *lowers) = f"{self.root}/{key}", self._directories(key)
        data = {"MergedDir": f"{folder}/merged", "UpperDir": f"{folder}/diff", "WorkDir": f"{folder}/work"}
        return {"Data": {**({"LowerDir": ":".join(lowers)} if lowers else {}), **data}, "Name": NAME}

    def status(self) -> list[list[str]]:
        """DriverStatus of info."""
        return [
            ["Backing Filesystem", backing(self.root)], ["Supports d_type", "true"], ["Using metacopy", "false"],
            ["Native Overlay Diff", "true"], ["userxattr", str(USER_ATTRIBUTES in self._options).lower()],
        ]  # fmt: skip

    def _named(self, key: str) -> str:
        return f"{LINKS}/{read(f'{self.root}/{key}/link')}"


_targets: dict[str, str] = {}


def _target(link: str) -> str:
    """Where a short link leads: noted, for a link's random name never comes to mean something else."""
    found = _targets.get(link)
    if found is None:
        found = os.path.realpath(link)
        if found.endswith("/diff"):  # else it is not there
            if len(_targets) >= MOST_TARGETS:
                _targets.clear()
            _targets[link] = found
    return found
