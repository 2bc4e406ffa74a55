"""overlay2: a directory per layer, stacked by the kernel's overlay file system.

Layout, as Docker's: <id>/diff the layer's own files, link its short name, lower the short names of its parents (nearest
first), work and merged for mounting; l/<short> -> ../<id>/diff keeps mount options below one page.
"""

import os
import secrets
import shutil
from typing import Any

NAME = "overlay2"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
LINK_LENGTH = 26


class Overlay2:
    """The driver below `root` (DATA/overlay2)."""

    name = NAME

    def __init__(self, root: str) -> None:
        self.root = root
        os.makedirs(f"{root}/l", mode=0o710, exist_ok=True)

    def create(self, ident: str, parent: str = "") -> str:
        """Make the folder of a layer on top of `parent` ("" for none); returns its diff directory.

        Raises:
            OSError: nothing is left then.
        """
        folder = f"{self.root}/{ident}"
        os.mkdir(folder, 0o710)
        try:
            os.mkdir(f"{folder}/diff", 0o755)
            link = "".join(secrets.choice(_LETTERS) for _ in range(LINK_LENGTH))
            os.symlink(f"../{ident}/diff", f"{self.root}/l/{link}")
            _write(f"{folder}/link", link)
            if parent:
                os.mkdir(f"{folder}/work", 0o700)
                _write(f"{folder}/lower", ":".join(self._chain(parent)))
        except OSError:
            self.remove(ident)
            raise
        return f"{folder}/diff"

    def commit(self, ident: str) -> None:
        """Mark a layer as complete."""
        _write(f"{self.root}/{ident}/committed", "")

    def remove(self, ident: str) -> None:
        """Remove a layer's folder and short link; a missing one is fine."""
        folder = f"{self.root}/{ident}"
        try:
            os.unlink(f"{self.root}/l/{_read(f'{folder}/link')}")
        except FileNotFoundError:
            pass  # half made, or half removed
        shutil.rmtree(folder, ignore_errors=True)

    def mount(self, ident: str) -> dict[str, Any]:
        """How layer `ident` is mounted read-write: an overlay whose lowers are relative to `base`."""
        folder = f"{self.root}/{ident}"
        lower = _read(f"{folder}/lower")
        options = ["index=off", f"upperdir={folder}/diff", f"workdir={folder}/work", f"lowerdir={lower}"]
        return {"type": "overlay", "source": "overlay", "options": options}

    @property
    def base(self) -> str:
        """The directory from which lowerdirs are named."""
        return self.root

    def lowers(self, ident: str) -> list[str]:
        """The diff directories of a layer and its parents, top first."""
        lower = _read(f"{self.root}/{ident}/lower") if os.path.exists(f"{self.root}/{ident}/lower") else ""
        parents = [os.path.realpath(f"{self.root}/{name}") for name in lower.split(":") if name]
        return [f"{self.root}/{ident}/diff", *parents]

    def graph_driver(self, ident: str) -> dict[str, Any]:
        """GraphDriver of inspect."""
        folder, (_, *lowers) = f"{self.root}/{ident}", self.lowers(ident)
        data = {"MergedDir": f"{folder}/merged", "UpperDir": f"{folder}/diff", "WorkDir": f"{folder}/work"}
        return {"Data": {**({"LowerDir": ":".join(lowers)} if lowers else {}), **data}, "Name": NAME}

    def status(self) -> list[list[str]]:
        """DriverStatus of info."""
        return [
            ["Backing Filesystem", backing(self.root)], ["Supports d_type", "true"], ["Using metacopy", "false"],
            ["Native Overlay Diff", "true"], ["userxattr", "false"],
        ]  # fmt: skip

    def _chain(self, parent: str) -> list[str]:
        names = [f"l/{_read(f'{self.root}/{parent}/link')}"]
        if os.path.exists(f"{self.root}/{parent}/lower"):
            names += _read(f"{self.root}/{parent}/lower").split(":")
        return names


def backing(path: str) -> str:
    """Name of the file system under `path` as Docker's info shows it."""
    best = ("", "unknown")
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            _, point, kind, *_ = line.split()
            if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
                best = (point, kind)
    return {"ext4": "extfs", "ext3": "extfs", "ext2": "extfs"}.get(best[1], best[1])


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()
