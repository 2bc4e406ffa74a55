"""Files that are either wholly there or not at all."""

import os


def fsync_dir(path: str) -> None:
    """Make the entries of directory `path` durable (fsync(2) on a directory)."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_atomic(path: str, data: bytes, mode: int = 0o600, durable: bool = False) -> None:
    """Write `data` to `path` by a temporary file beside it and rename(2).

    Args:
        path: the file to replace or create.
        data: its new content.
        mode: permission bits of the new file, whatever the umask.
        durable: also fsync the file and its directory, so that it survives a power cut.

    Raises:
        OSError: nothing is left of the temporary file then.
    """
    temporary = f"{path}.tmp{os.getpid()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        try:
            os.fchmod(fd, mode)
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    if durable:
        fsync_dir(os.path.dirname(path))
