"""Writing to the standard streams without buffers, and what terminals can tell.  Imports posix only."""

from __future__ import annotations

import posix

STDIN, STDOUT, STDERR = 0, 1, 2
DEFAULT_SIZE = (0, 0)
NAMES = {STDOUT: "/dev/stdout", STDERR: "/dev/stderr"}


class WriteFailed(Exception):
    """Output that could not be written; the text is Go's."""


def open_missing() -> None:
    """Put /dev/null where a standard stream is closed, so that no socket of ours becomes stdin."""
    for fd in (STDIN, STDOUT, STDERR):
        try:
            posix.fstat(fd)
        except OSError:
            posix.open("/dev/null", posix.O_RDWR)  # the lowest free descriptor, which is this one


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`; a descriptor that somebody made non-blocking is waited for.

    Raises:
        BrokenPipeError: nobody reads any more. WriteFailed: the disk is full, and the like.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[posix.write(fd, view) :]
        except BlockingIOError:
            _wait_writable(fd)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise WriteFailed(f"write {NAMES.get(fd, 'file')}: {(error.strerror or '').lower()}") from error


def _wait_writable(fd: int) -> None:
    import select

    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll()


def out(text: str) -> None:
    """Write to stdout."""
    write_all(STDOUT, text.encode("utf-8", "surrogateescape"))


def err(text: str) -> None:
    """Write to stderr."""
    write_all(STDERR, text.encode("utf-8", "surrogateescape"))


def is_terminal(fd: int) -> bool:
    """Whether `fd` is a terminal."""
    return posix.isatty(fd)


def size(fd: int) -> tuple[int, int]:
    """(height, width) of a terminal; (0, 0) if it is none."""
    try:
        columns, lines = posix.get_terminal_size(fd)
    except OSError:
        return DEFAULT_SIZE
    return lines, columns
