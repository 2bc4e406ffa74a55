"""Removing trees: first renamed out of sight, then unlinked without recursion and without following a link.

A tree may be as deep as its maker liked (a container's is hostile), so directories are not descended into: each is renamed
to the top, and emptied there.
"""

import os
import secrets

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(parent: int, name: str, aside: int) -> None:
    """Remove `name` below descriptor `parent`, with all it holds; a missing one is fine.

    Args:
        aside: descriptor of a directory on the same file system, where directories stand while they are emptied.
    """
    try:
        os.unlink(name, dir_fd=parent)
        return
    except FileNotFoundError:
        return
    except IsADirectoryError:
        pass
    try:
        waiting = [_set_aside(parent, name, aside)]
    except FileNotFoundError:
        return  # somebody else removes it
    while waiting:
        _empty(waiting[-1], aside, waiting)


def _set_aside(parent: int, name: str, aside: int) -> str:
    moved = f"removing.{secrets.token_hex(8)}"
    os.rename(name, moved, src_dir_fd=parent, dst_dir_fd=aside)
    return moved


def _empty(name: str, aside: int, waiting: list[str]) -> None:
    """Unlink what `name` holds, move its directories beside it to wait their turn, and remove it."""
    fd = os.open(name, _DIRECTORY, dir_fd=aside)
    try:
        with os.scandir(fd) as children:
            found = [(child.name, child.is_dir(follow_symlinks=False)) for child in children]
        for child, directory in found:
            if directory:
                waiting.append(_set_aside(fd, child, aside))
            else:
                os.unlink(child, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=aside)
    waiting.remove(name)


class Trash:
    """DATA/trash: what is on its way out.

    `removing.*` is a tree being unlinked, `taken.*` a file that will be;
    `unowned.<seconds>.*` was found without a row and waits, for a person to look at it.
    """

    PATIENCE = 7 * 86400  # seconds that unowned things wait

    def __init__(self, path: str) -> None:
        os.makedirs(path, mode=0o700, exist_ok=True)
        self.path = path

    def remove(self, path: str) -> None:
        """Remove a file or tree for good; a missing one is fine."""
        folder, name = os.path.split(path)
        aside = os.open(self.path, _DIRECTORY)
        try:
            parent = os.open(folder, _DIRECTORY)
        except FileNotFoundError:
            os.close(aside)
            return
        try:
            remove_tree(parent, name, aside)
        finally:
            os.close(parent)
            os.close(aside)

    def take(self, path: str) -> None:
        """Move a file out of sight, at once; `empty` unlinks it. A missing one is fine."""
        try:
            os.rename(path, f"{self.path}/taken.{secrets.token_hex(8)}")
        except FileNotFoundError:
            pass  # taken before the daemon died

    def empty(self) -> None:
        """Unlink what `take` has moved here."""
        for name in os.listdir(self.path):
            if name.startswith("taken."):
                self.remove(f"{self.path}/{name}")

    def set_aside(self, path: str, now: float) -> str:
        """Put something nobody owns out of the way; returns where it is now."""
        moved = f"{self.path}/unowned.{int(now)}.{os.path.basename(path)}"
        os.rename(path, moved)
        return moved

    def clean(self, now: float) -> None:
        """At start: finish removals that were broken off, and let go of what has waited long enough."""
        for name in os.listdir(self.path):
            kind, _, rest = name.partition(".")
            stamp = rest.partition(".")[0]
            expired = kind == "unowned" and stamp.isdigit() and int(stamp) + self.PATIENCE < now
            if kind in ("removing", "taken") or expired:
                self.remove(f"{self.path}/{name}")
