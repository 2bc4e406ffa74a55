"""A stream of the daemon's that becomes a file, or goes to stdout: save, export, volume export."""

from __future__ import annotations

import posix

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import STDOUT, is_terminal, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def check(path: str, what: str) -> None:
    """Refuse what cannot be written: a terminal, no folder for the file, or something there that is no file.

    Args:
        path: "" for stdout. what: failed, for the text.

    Raises:
        Failure: in docker's words.
    """
    if not path:
        if is_terminal(STDOUT):
            raise Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect\n")
        return
    folder = path.rpartition("/")[0] or ("/" if path.startswith("/") else ".")
    try:
        posix.stat(folder)
    except OSError as error:
        reason = f"stat {folder}: {(error.strerror or '').lower()}"
        raise Failure(f"{what}: invalid output path: {reason}\n") from error
    try:
        mode = posix.stat(path).st_mode
    except OSError:
        return
    if _kind(mode):
        raise Failure(f"{what}: cannot write to a {_kind(mode)}\n")


def _kind(mode: int) -> str:
    """What a file that is no regular one is called; "" for a regular one.  Source: inode(7)."""
    names = {0o040000: "directory", 0o020000: "character device file", 0o060000: "block device file", 0o010000: "named pipe file",
             0o140000: "socket file"}  # fmt: skip
    return names.get(mode & 0o170000, "")


def write(path: str, pieces: Iterable[bytes], what: str) -> None:
    """Write to stdout, or to a file that is there only when it is whole.

    Raises:
        Failure: the file cannot be made.
    """
    if path:
        _write_file(path, pieces, what)
        return
    for piece in pieces:
        write_all(STDOUT, piece)


def _write_file(path: str, pieces: Iterable[bytes], what: str) -> None:
    """Write a temporary file beside `path`, and rename it."""
    temporary = f"{path}.tmp{posix.getpid()}"
    try:
        target = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Failure(f"{what}: open {path}: {(error.strerror or '').lower()}\n") from error
    try:
        for piece in pieces:
            write_all(target, piece)
        posix.rename(temporary, path)
    except BaseException:
        posix.unlink(temporary)
        raise
    finally:
        posix.close(target)
