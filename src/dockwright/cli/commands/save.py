"""dockwright save: images into an archive."""

from __future__ import annotations

import posix

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import STDOUT, is_terminal, write_all
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("o/output platform:stringSlice")
ARGUMENTS = (1, -1)
FAILED = "failed to save image"


def run(context: Context, given: Given) -> int:
    """Write the archive to stdout, or to a file that is there only when it is whole."""
    platform = context.platform(given)
    more = {"platform": platform} if platform else {}
    path = given.text("output")
    if not path and is_terminal(STDOUT):
        raise Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect\n")
    if path:
        check_target(path, FAILED)
    if len(given.rest) == 1:
        answer = context.client.request("GET", f"/images/{quote(given.rest[0])}/get", more)
    else:
        answer = context.client.request("GET", "/images/get", {"names": given.rest, **more})
    if path:
        write_file(path, answer, FAILED)
        return 0
    for piece in answer:
        write_all(STDOUT, piece)
    return 0


def check_target(path: str, what: str) -> None:
    """Refuse what cannot become a file: no folder for it, or something there that is no file.

    Args:
        what: failed, for the text.

    Raises:
        Failure: in docker's words.
    """
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


def write_file(path: str, answer: Iterable[bytes], what: str) -> None:
    """Write the pieces to a temporary file beside `path` and rename it. Raises Failure."""
    temporary = f"{path}.tmp{posix.getpid()}"
    try:
        target = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Failure(f"{what}: open {path}: {(error.strerror or '').lower()}\n") from error
    try:
        for piece in answer:
            write_all(target, piece)
        posix.rename(temporary, path)
    except BaseException:
        posix.unlink(temporary)
        raise
    finally:
        posix.close(target)
