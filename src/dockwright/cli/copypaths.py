"""What the paths of `cp` mean: docker's rules for slashes and dots at their ends, and which name a copy gets.

Pure, but for the looks at the local file system in `local_source` and `local_destination`.
"""

from __future__ import annotations

import os
import stat

MOST_LINKS = 10


class CopyError(Exception):
    """The copy cannot be; the text is docker's."""


class Place:
    """One side of a copy.

    Attributes:
        path: where. exists, is_directory: what is there. rename: the name asked for, where links led to another one.
    """

    def __init__(self, path: str, exists: bool = False, is_directory: bool = False, rename: str = "") -> None:
        self.path, self.exists, self.is_directory, self.rename = path, exists, is_directory, rename

    @property
    def name(self) -> str:
        """What an archive of it calls it."""
        return self.rename or split(self.path)[1]


def split_argument(argument: str) -> tuple[str, str]:
    """`container:path` taken apart; no container for a local path."""
    container, colon, path = argument.partition(":")
    if argument.startswith("/") or not colon or container.startswith("."):
        return "", argument
    return container, path


def is_current(path: str) -> bool:
    """Whether a path ends in `.`: the contents of a directory are meant."""
    return base(path) == "."


def base(path: str) -> str:
    """The last part (Go's filepath.Base)."""
    return path.rstrip("/").rpartition("/")[2] or ("/" if path else ".")


def clean(path: str) -> str:
    """A path without `.`, `..` and doubled slashes."""
    return os.path.normpath(path).replace("//", "/") if path else "."


def absolute(path: str) -> str:
    """A local path made absolute; the slash or dot at its end stays."""
    return kept_end(os.path.abspath(path), path)


def kept_end(path: str, original: str) -> str:
    """`path` with the slash or dot that `original` ends in."""
    if not is_current(path) and is_current(original):
        path = f"{path.rstrip('/')}/."
    if original.endswith("/") and not path.endswith("/"):
        path += "/"
    return path


def split(path: str) -> tuple[str, str]:
    """Directory and entry; the entry of a path that ends in `.` is that dot."""
    cleaned = clean(path)
    if is_current(path):
        return cleaned, "."
    return os.path.dirname(cleaned) or ".", base(cleaned)


def renamed(path: str, target: str) -> tuple[str, str]:
    """`target`, which the links of `path` have led to, with the end of `path`; and the name asked for, if it is another."""
    if is_current(path) and not is_current(target):
        target += "/."
    if path.endswith("/") and not target.endswith("/"):
        target += "/"
    return target, base(path) if base(path) != base(target) else ""


def local_source(path: str, follow: bool) -> Place:
    """A local file to copy; `follow` its links.

    Raises:
        OSError: there is none.
    """
    if follow:
        found, rename = renamed(path, os.path.realpath(path, strict=True))
    else:
        folder, name = os.path.split(path)
        found, rename = f"{os.path.realpath(folder, strict=True)}/{name}", ""
    return Place(found, True, stat.S_ISDIR(os.lstat(found).st_mode), rename)


def local_destination(path: str) -> Place:
    """Where a copy goes; links that lead nowhere yet are followed.

    Raises:
        OSError: the folder of it is missing. CopyError: it is no folder.
    """
    original, links = path, 0
    while True:
        try:
            info = os.lstat(path)
        except FileNotFoundError:
            break
        if not stat.S_ISLNK(info.st_mode):
            return Place(path, True, stat.S_ISDIR(info.st_mode))
        links += 1
        if links > MOST_LINKS:
            raise CopyError(f"too many symlinks in {original}")
        path = os.path.join(split(path)[0], os.readlink(path))
    if not stat.S_ISDIR(os.stat(split(path)[0]).st_mode):
        raise CopyError("not a directory")
    return Place(path)


def placed(source: Place, destination: Place) -> tuple[str, str]:
    """The directory that an archive of `source` is unpacked in, and the name its top entry gets.

    Raises:
        CopyError: in docker's words.
    """
    folder, name = split(destination.path)
    if destination.exists and destination.is_directory:
        return destination.path, source.name
    if destination.exists and source.is_directory:
        raise CopyError("cannot copy directory")
    if (
        not destination.exists
        and not source.is_directory
        and (destination.path.endswith("/") or is_current(destination.path))
    ):
        raise CopyError("no such directory")
    return folder, name


def check_local(path: str) -> None:
    """Refuse a destination whose folder is missing, or that is neither file nor directory.

    Raises:
        CopyError: in docker's words.
    """
    folder = os.path.dirname(clean(path)) or "."
    if not os.path.exists(folder):
        raise CopyError(f'invalid output path: directory "{folder}" does not exist')
    if os.path.exists(path) and refused(os.stat(path).st_mode):
        raise CopyError(
            f'invalid output path: "{path}" must be a directory or a regular file: {refused(os.stat(path).st_mode)}'
        )


def refused(mode: int) -> str:
    """Why nothing is copied onto a file of this mode, "" if it may."""
    return "got a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else ""
