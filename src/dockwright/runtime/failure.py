"""The runtime's one error: a text in runc's words, for Docker reads the exit code from it."""

from __future__ import annotations

import errno

from dockwright.base.errors import EngineError

# strerror as Go prints it: users and Docker's own code match on these
_GO_WORDS = {
    errno.ENOENT: "no such file or directory",
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
    errno.ENOTDIR: "not a directory",
    errno.EISDIR: "is a directory",
    errno.EEXIST: "file exists",
    errno.EROFS: "read-only file system",
    errno.ENOEXEC: "exec format error",
    errno.EINVAL: "invalid argument",
    errno.EBUSY: "device or resource busy",
    errno.ELOOP: "too many levels of symbolic links",
    errno.ENODEV: "no such device",
    errno.ENOSPC: "no space left on device",
    errno.ESRCH: "no such process",
    errno.ENXIO: "no such device or address",
    errno.EMFILE: "too many open files",
    errno.EAGAIN: "resource temporarily unavailable",
    errno.ENOMEM: "cannot allocate memory",
    errno.ENAMETOOLONG: "file name too long",
}


class RuntimeFailure(EngineError):
    """A container could not be made, started or acted on; `message` is runc's text."""


def words(error: OSError) -> str:
    """An OSError's reason as Go prints it: lower case."""
    number = error.errno or 0
    text = error.strerror or str(error)
    return _GO_WORDS.get(number) or text[:1].lower() + text[1:]


def explain(error: OSError) -> str:
    """`name: reason` of an OSError."""
    name = error.filename
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    return f"{name}: {words(error)}" if name else words(error)
