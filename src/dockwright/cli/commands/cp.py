"""dockwright cp: files between a container and here."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import STDERR, STDIN, STDOUT, err, is_terminal, write_all
from dockwright.client.errors import ApiError
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.cli.copypaths import Place
    from dockwright.client.client import Response
    from dockwright.grammar.flags import Given

FLAGS = Flags("a/archive:bool L/follow-link:bool q/quiet:bool")
ARGUMENTS = (2, 2)
STAT = "x-docker-container-path-stat"
_LINK, _DIRECTORY, _DEVICE = 1 << 27, 1 << 31, 1 << 26  # of Go's io/fs.FileMode
PIECE = 1 << 18


def run(context: Context, given: Given) -> int:
    """Copy into the container or out of it."""
    from dockwright.cli.copypaths import CopyError, split_argument

    source, destination = given.rest
    for what, argument in (("source", source), ("destination", destination)):
        if not argument:
            raise Failure(f"{what} can not be empty\n")
    (there, path), (here, target) = split_argument(source), split_argument(destination)
    if there and here:
        raise Failure("copying between containers is not supported\n")
    if not there and not here:
        raise Failure("must specify at least one container source\n")
    loud = not (given.flag("quiet") if "quiet" in given else not is_terminal(STDOUT))
    try:
        if there:
            _copy_out(context, given, there, path, target, loud)
        else:
            _copy_in(context, given, here, path, target, loud)
    except CopyError as error:
        raise Failure(f"{error}\n") from error
    except OSError as error:
        raise Failure(f"{_called(error)}{error.filename}: {(error.strerror or '').lower()}\n") from error
    return 0


def _called(error: OSError) -> str:
    """What Go says was called."""
    return "lstat " if error.filename and error.errno == 2 else "open " if error.filename else ""


class Meter:
    """Counts the bytes that pass, and shows it while they do.

    Args:
        heading: "" shows nothing.
    """

    INTERVAL = 0.075  # seconds

    def __init__(self, heading: str) -> None:
        self._heading = heading if is_terminal(STDERR) else ""
        self.count = 0
        self._shown = 0.0

    def through(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces, counted."""
        from time import monotonic

        if self._heading:
            err(f"\x1b[s\x1b[?25lPreparing to copy...{self._line()}")
        try:
            for piece in pieces:
                self.count += len(piece)
                if self._heading and monotonic() - self._shown > self.INTERVAL:
                    self._shown = monotonic()
                    err(self._line())
                yield piece
        finally:
            if self._heading:
                err("\x1b[u\x1b[2K\x1b[?25h")

    def _line(self) -> str:
        return f"\x1b[u\x1b[2K{self._heading}{self._size()}"

    def _size(self) -> str:
        from dockwright.grammar.units import human_size_three

        return human_size_three(self.count)

    def done(self, place: str) -> None:
        """Say that it is done."""
        err(f"Successfully copied {self._size()} to {place}\n")


def _stat(response: Response) -> dict[str, Any]:
    from binascii import a2b_base64

    from dockwright.client.documents import loads

    found: dict[str, Any] = loads(a2b_base64(response.headers[STAT]))
    return found


def _path_stat(context: Context, container: str, path: str) -> dict[str, Any]:
    response = context.client.request("HEAD", f"/containers/{quote(container)}/archive", {"path": path})
    response.read()
    return _stat(response)


# out of the container


def _copy_out(context: Context, given: Given, container: str, path: str, target: str, loud: bool) -> None:
    from dockwright.cli import copypaths

    if target != "-":
        target = copypaths.absolute(target)
        copypaths.check_local(target)
    rename = ""
    if given.flag("follow-link"):
        path, rename = _followed(context, container, path)
    answer = context.client.request("GET", f"/containers/{quote(container)}/archive", {"path": path})
    if target == "-":
        for piece in answer:
            write_all(STDOUT, piece)
        return
    source = copypaths.Place(path, True, bool(_stat(answer)["mode"] & _DIRECTORY), rename)
    folder, name = copypaths.placed(source, copypaths.local_destination(target))
    meter = Meter("Copying from container - " if loud else "")
    _unpack(meter.through(answer), copypaths.split(path)[1], folder, name)
    if loud:
        meter.done(target)


def _followed(context: Context, container: str, path: str) -> tuple[str, str]:
    """Where a link in the container leads, and the name it had."""
    from dockwright.cli.copypaths import renamed

    try:
        found = _path_stat(context, container, path)
    except ApiError:
        return path, ""  # the copy itself will say what is wrong
    return renamed(path, found["linkTarget"]) if found["mode"] & _LINK else (path, "")


def _unpack(pieces: Iterator[bytes], old: str, folder: str, new: str) -> None:
    """Unpack into a local directory that nothing in the archive can lead out of."""
    import os

    from dockwright.base.errors import EngineError
    from dockwright.tar.extraction import Extraction

    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        Extraction(root, "", True, None, _renaming("" if old == "/" else old, new)).all(_Source(pieces))
    except EngineError as error:
        raise Failure(f"{error.message}\n") from error
    finally:
        os.close(root)
        for _ in pieces:  # what comes after the archive's end
            continue


def _renaming(old: str, new: str) -> Any:
    return lambda name: name.replace(old, new, 1) if old != new else name


class _Source:
    """Pieces as something to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int) -> bytes:
        """The next piece."""
        return next(self._pieces, b"")


# into the container


def _copy_in(context: Context, given: Given, container: str, path: str, target: str, loud: bool) -> None:
    from dockwright.cli import copypaths
    from dockwright.cli.commands.load import pieces

    if path != "-":
        path = copypaths.absolute(path)
    destination = _destination(context, container, target)
    meter = Meter("Copying to container - " if loud else "")
    if path == "-":
        if not destination.is_directory:
            raise Failure(f'destination "{container}:{target}" must be a directory\n')
        folder, body = destination.path, pieces(STDIN)
    else:
        source = copypaths.local_source(path, given.flag("follow-link"))
        folder, name = copypaths.placed(source, destination)
        body = _archive(source.path, name)
    query = {"path": folder, "noOverwriteDirNonDir": "true", "copyUIDGID": "true" if given.flag("archive") else None}
    answer = context.client.request("PUT", f"/containers/{quote(container)}/archive", query, body=meter.through(body))
    answer.read()
    if loud:
        meter.done(f"{container}:{destination.path}")


def _destination(context: Context, container: str, path: str) -> Place:
    """What is at the destination, links followed; one that is not there may still become something."""
    from dockwright.cli.copypaths import Place

    try:
        found = _path_stat(context, container, path)
        if found["mode"] & _LINK:
            path = found["linkTarget"]
            found = _path_stat(context, container, path)
    except ApiError:
        return Place(path)
    if found["mode"] & _DEVICE:
        raise Failure(f'destination "{container}:{path}" must be a directory or a regular file: got a device\n')
    return Place(path, True, bool(found["mode"] & _DIRECTORY))


def _archive(path: str, name: str) -> Iterator[bytes]:
    """A tar of a local file or directory, called `name` in it."""
    import os

    from dockwright.cli.copypaths import split
    from dockwright.tar.tree import TreeTar, batches
    from dockwright.tar.writer import END

    def entries() -> Iterator[bytes]:
        folder, base = split(path)
        tar, info = TreeTar(), os.lstat(path)
        parent = os.open(folder if base != "." else ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if (info.st_mode & 0o170000) == 0o040000:
                directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    yield from tar.whole(directory, name)
                finally:
                    os.close(directory)
            else:
                yield from tar.one(parent, base, name, info)
        finally:
            os.close(parent)
        yield END

    return batches(entries(), PIECE)
