"""erofs and squashfs: each layer is one read-only file system image in a file; the kernel's overlay stacks them.

Layout: <key>/diff holds files as in overlay2; when a layer is complete and large enough to be worth it, <key>/image takes its
place. lower names the layers below, nearest first; work is for mounting, committed and view say what they are.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.images import differ
from dockwright.images.snapshotters import Mount, Options, Usage, supported
from dockwright.images.snapshotters.files import backing, private
from dockwright.images.snapshotters.stacking import Stacking
from dockwright.kernel import mount as m
from dockwright.runtime import tree
from dockwright.supervisor import spawner

SMALL = 256 << 10  # bytes: a layer below stays a directory, as the init layers of containers
DEADLINE = 3600.0  # seconds for one image
COMMANDS = {  # extended inodes have times of their own, chunks let holes be
    "erofs": ("mkfs.erofs", ["-d0", "-Eforce-inode-extended", "--chunksize=65536", "{image}", "{tree}"]),
    "squashfs": ("mksquashfs", ["{tree}", "{image}", "-no-progress", "-noappend", "-quiet", "-comp", "zstd"]),
}


class Packed(Stacking):
    """The driver called `kind`, below `root`.

    Raises:
        EngineError: the kernel lacks the file system, or cannot stack detached mounts (before Linux 6.15); no mkfs; an option.
    """

    def __init__(self, kind: str, root: str, trash: str, options: Options) -> None:
        program, self._arguments = COMMANDS[kind]
        self._mkfs = spawner.find(program)
        if not (supported(kind) and supported("overlay") and self._mkfs and _stacks_detached()):
            raise InvalidParameter("driver not supported")
        if options:
            raise InvalidParameter(f"{kind}: unknown option {next(iter(options))}")
        self.name = kind
        super().__init__(root, trash)
        private(root, mode=0o710)

    def prepare(self, key: str, parent: str = "") -> str:
        """A folder on top of `parent`; returns its diff directory."""
        with self._fresh(key) as folder:
            os.mkdir(f"{folder}/diff", 0o755)
            self._stand(folder, parent)
        return f"{folder}/diff"

    def writable(self, key: str, parent: str, options: Options) -> None:
        """The same; there are no limits."""
        if options:
            raise Internal("--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
        self.prepare(key, parent)

    def commit(self, key: str) -> None:
        """Pack it, and mark it as complete."""
        folder = self.path(key)
        if differ.usage(f"{folder}/diff")[0] >= SMALL:
            self._pack(folder)
        super().commit(key)

    def _pack(self, folder: str) -> None:
        arguments = [part.format(image=f"{folder}/image", tree=f"{folder}/diff") for part in self._arguments]
        code, output, errors = spawner.run_now([self._mkfs, *arguments], deadline=DEADLINE)
        if code:
            raise Internal(f"{os.path.basename(self._mkfs)}: {(errors or output).decode(errors='replace').strip()}")
        self._trash.remove(f"{folder}/diff")

    def mounts(self, key: str) -> list[Mount]:
        """An overlay of all layers; a lone layer is mounted, or bound, without one."""
        folder = self.path(key)
        if not self.is_view(key) and not self.committed(key):
            if not self._lower(key):
                return [{"type": "bind", "source": f"{folder}/diff", "options": ["rbind", "rw"]}]
            own = [f"upperdir={folder}/diff", f"workdir={folder}/work"]
            return [self._overlay(own, self._lower(key))]
        layers = self._stack(key)
        return [self._overlay(["ro"], layers)] if len(layers) > 1 else [self._layer(layers[0])]

    def _overlay(self, own: list[str], keys: list[str]) -> Mount:
        lowers = [self._layer(key) for key in keys]
        return {"type": "overlay", "source": "overlay", "options": [*self._options, *own], "lowers": lowers}

    def _layer(self, key: str) -> Mount:
        folder = self.path(key)
        if os.path.exists(f"{folder}/image"):
            return {"type": self.name, "source": f"{folder}/image", "options": ["ro", "loop"]}
        return {"type": "bind", "source": f"{folder}/diff", "options": ["rbind", "ro"]}

    def usage(self, key: str) -> Usage:
        """Its own layer's."""
        with self._looked_into([key]) as directories:
            return Usage(*differ.usage(directories[0]))

    def changes(self, key: str) -> list[differ.Change]:
        """What its own layer says."""
        with self.opened(key) as (top, *below):
            return differ.changes(top, below, flat=False, marks=self.marks)

    @contextmanager
    def opened(self, key: str) -> Iterator[list[str]]:
        """Directories as they are, images through detached mounts."""
        with self._looked_into(self._stack(key)) as directories:
            yield directories

    @contextmanager
    def _looked_into(self, keys: list[str]) -> Iterator[list[str]]:
        with ExitStack() as stack:
            directories = []
            for key in keys:
                layer = self._layer(key)
                if layer["type"] == "bind":
                    directories.append(layer["source"])
                    continue
                fd = tree.mounted(layer, "/")
                stack.callback(os.close, fd)
                directories.append(f"/proc/{os.getpid()}/fd/{fd}/.")
            yield directories

    def keys(self) -> list[str]:
        """Every folder."""
        return os.listdir(self.root)

    def graph_driver(self, key: str) -> dict[str, Any]:
        """GraphDriver of inspect."""
        sources = [self._layer(below)["source"] for below in self._lower(key)]
        data = {"UpperDir": f"{self.path(key)}/diff", "WorkDir": f"{self.path(key)}/work"}
        return {"Data": {**({"LowerDir": ":".join(sources)} if sources else {}), **data}, "Name": self.name}

    def status(self) -> list[list[str]]:
        """DriverStatus of info."""
        return [["Backing Filesystem", backing(self.root)], ["Layer Filesystem", self.name]]

    def _stack(self, key: str) -> list[str]:
        """The keys of all layers of a snapshot, top first."""
        own = [] if self.is_view(key) else [key]
        return [*own, *self._lower(key)]

    def _named(self, key: str) -> str:
        os.stat(self.path(key))  # it may be filled still
        return key


def _stacks_detached() -> bool:
    """Whether an overlay takes layers that are mounted nowhere."""
    lowers = []
    try:
        for _ in range(2):
            lowers.append(m.new_filesystem("tmpfs", "probe", [], 0))
        layers = [{"type": "bind", "source": f"/proc/self/fd/{fd}", "options": []} for fd in lowers]
        os.close(tree.mounted({"type": "overlay", "source": "overlay", "options": ["ro"], "lowers": layers}, "/"))
        return True
    except OSError:
        return False
    finally:
        for fd in lowers:
            os.close(fd)
