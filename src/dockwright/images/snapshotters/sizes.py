"""How much a container may write: `--storage-opt size=`, and project quotas that keep it on file systems with directories."""

import os
import threading

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.grammar.units import ram_in_bytes
from dockwright.images.snapshotters import Options
from dockwright.kernel import quota

FIRST_PROJECT = 0x44570000  # far from what a person would choose by hand in /etc/projid


def bytes_of(text: str) -> int:
    """A size as users write it.

    Raises:
        InvalidParameter: in Docker's words.
    """
    try:
        return ram_in_bytes(text)
    except ValueError:
        raise InvalidParameter(f"invalid size: '{text}'") from None


def check_names(options: Options, unknown: str = "Unknown option {}") -> None:
    """Raises Internal for an option other than the size."""
    for name in options:
        if name.lower() != "size":
            raise Internal(unknown.format(name))


def size_of(options: Options, default: int, unknown: str = "Unknown option {}") -> int:
    """The size among a container's options, in bytes.

    Raises:
        Internal: another option. InvalidParameter: no size.
    """
    check_names(options, unknown)
    return bytes_of(next(iter(options.values()))) if options else default


class Quotas:
    """Projects below one driver's folder: each limited snapshot is one.

    Attributes:
        kept: whether the file system has project quotas switched on.
    """

    def __init__(self, root: str) -> None:
        self._root, self._last, self._turn = root, 0, threading.Lock()
        self.kept = quota.enforced(root)

    def limit(self, directory: str, size: int) -> None:
        """Let the empty `directory`, and what is made in it, take at most `size` bytes."""
        with self._turn:
            self._last = (self._last or self._highest()) + 1
            quota.limit(directory, self._last, size)

    def _highest(self) -> int:
        """The highest project in use below the root, by an earlier daemon too."""
        used = [quota.project(child.path) for child in os.scandir(self._root) if child.is_dir(follow_symlinks=False)]
        return max([FIRST_PROJECT, *used])
