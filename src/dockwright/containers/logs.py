"""Reading a container's log for a client: which lines, in which form, and for how long."""

import asyncio
import time
from collections.abc import AsyncIterator
from urllib.parse import quote_plus

from dockwright.base.errors import Conflict, NotSupported
from dockwright.base.paths import Paths
from dockwright.base.times import padded, rfc3339_fixed
from dockwright.containers.container import Container
from dockwright.containers.framing import frame
from dockwright.containers.logfiles import LogFiles, readable
from dockwright.supervisor.logs import forms
from dockwright.supervisor.logs.forms import Entry
from dockwright.supervisor.logs.reader import Cursor
from dockwright.supervisor.logs.watch import Watcher
from dockwright.types.streams import LogOptions


def files_of(container: Container, paths: Paths) -> LogFiles:
    """What is read of a container's log.

    Raises:
        Conflict, NotSupported: it cannot be read, in Docker's words.
    """
    if container.state.removing:
        raise Conflict("can not get logs from container which is dead or marked for removal")
    files = readable(container, paths)
    if files is None:
        raise NotSupported("configured logging driver does not support reading")
    return files


class Form:
    """How lines are shown.

    Args:
        framed: in stdcopy frames (no terminal).
    """

    def __init__(self, options: LogOptions, framed: bool) -> None:
        self._options, self._framed = options, framed
        self._since = rfc3339_fixed(options.since) if options.since else ""
        self._until = rfc3339_fixed(options.until) if options.until else ""
        self.over = False

    def render(self, entries: list[Entry]) -> bytes:
        """The wanted ones of `entries`, ready to be sent. `over` is set by a line beyond `until`."""
        pieces = []
        for entry in entries:
            if self._until and padded(entry.time) > self._until:
                self.over = True
                break
            if self._wanted(entry):
                pieces.append(self._one(entry))
        return b"".join(pieces)

    def _wanted(self, entry: Entry) -> bool:
        if not (self._options.stderr if entry.stream == "stderr" else self._options.stdout):
            return False
        return not self._since or padded(entry.time) >= self._since

    def _one(self, entry: Entry) -> bytes:
        text = entry.log
        if self._options.details:
            text = f"{details(entry.attrs)} {text}"
        if self._options.timestamps:
            text = f"{padded(entry.time)} {text}"
        data = text.encode(errors="surrogateescape")
        return frame(entry.stream, data) if self._framed else data


def details(attrs: dict[str, str] | None) -> str:
    """`k=v,k2=v2`, url-escaped, by name."""
    return ",".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in sorted((attrs or {}).items()))


def wanted_tail(text: str) -> int:
    """Tail as Docker takes it: what is no number, or negative, means all (-1)."""
    return int(text) if text.isascii() and text.isdigit() else -1


async def read(
    files: LogFiles, options: LogOptions, framed: bool, end: tuple[int, int] | None = None
) -> AsyncIterator[bytes]:
    """What is in the log now, or up to `end`."""
    form = Form(options, framed)
    cursor = Cursor(files.path, forms.form(files.driver), wanted_tail(options.tail), end)
    try:
        while not form.over and (data := await _in_thread(cursor, form)) is not None:
            yield data
    finally:
        cursor.close()


async def _in_thread(cursor: Cursor, form: Form) -> bytes | None:
    """The next piece. One who is cancelled waits for the thread, so that the cursor can be closed."""
    future = asyncio.ensure_future(asyncio.to_thread(_more, cursor, form))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait({future})
        raise


def _more(cursor: Cursor, form: Form) -> bytes | None:
    """The next piece, in a worker thread; None if there is nothing for now. It may be empty: lines nobody wanted."""
    entries = cursor.read()
    return form.render(entries) if entries else None


async def follow(
    files: LogFiles, options: LogOptions, framed: bool, watcher: Watcher, ended: "asyncio.Future[int]"
) -> AsyncIterator[bytes]:
    """The log from where `options` say to the end of the container (`ended`), or to `until`."""
    form = Form(options, framed)
    watch = watcher.watch(files.path.rpartition("/")[0])
    cursor = Cursor(files.path, forms.form(files.driver), wanted_tail(options.tail))
    try:
        while not form.over:
            last = ended.done() or _past(options.until)
            while not form.over and (data := await _in_thread(cursor, form)) is not None:
                yield data
            if last:
                return
            await watch.wait(ended, options.until / 1e9 - time.time() if options.until else None)
    finally:
        watch.close()
        cursor.close()


def _past(until: int) -> bool:
    return bool(until) and time.time_ns() >= until
