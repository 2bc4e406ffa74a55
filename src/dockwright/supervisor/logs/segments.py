"""The files of one log, held open: a reader goes on in what it holds, however often the writer rotates meanwhile."""

import os
import zlib

from dockwright.supervisor.logs.forms import BLOCK, Form

TRIES = 20  # a writer that rotates faster than a folder is listed cannot be caught up with exactly
LONGEST = 7 * 16 * 1024  # bytes of one line at most, escapes and attributes included


class Segment:
    """One file, read forwards from a position.

    Args:
        form: of its entries.

    Attributes:
        inode: which file it is, whatever it is called. packed: compressed.
    """

    def __init__(self, path: str, form: Form) -> None:
        self._form = form
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        info = os.fstat(self.fd)
        self.inode, self.changed = info.st_ino, info.st_mtime_ns
        self.packed = path.endswith(".gz")
        self.at = 0
        self._kept = b""
        self._unpacker = zlib.decompressobj(31) if self.packed else None

    def read(self) -> bytes:
        """The next bytes of the log; b"" at the end so far."""
        if self._kept:
            kept, self._kept = self._kept, b""
            return kept
        data = os.pread(self.fd, BLOCK, self.at)
        self.at += len(data)
        if self._unpacker is None:
            return data
        while data:
            if plain := self._unpacker.decompress(data):
                return plain
            data = os.pread(self.fd, BLOCK, self.at)
            self.at += len(data)
        return self._unpacker.flush()

    def rewind(self) -> None:
        """Back to the beginning."""
        self.at = 0
        self._unpacker = zlib.decompressobj(31) if self.packed else None

    def first(self) -> bytes:
        """The first entry: no two files of a log begin with the same one."""
        head = os.pread(self.fd, LONGEST, 0)
        if self.packed:
            head = zlib.decompressobj(31).decompress(head, LONGEST)
        records, rest = self._form.split(head)
        return records[0] if records else rest

    def skip_to_last(self, wanted: int) -> int:
        """Go to where the last `wanted` entries begin; returns how many entries that are."""
        return self._skip_packed(wanted) if self.packed else self._skip_plain(wanted)

    def _skip_plain(self, wanted: int) -> int:
        found, self.at = self._form.last(self.fd, os.fstat(self.fd).st_size, wanted)
        return found

    def _skip_packed(self, wanted: int) -> int:
        total, rest = 0, b""
        while data := self.read():
            records, rest = self._form.split(rest + data)
            total += len(records)
        self.rewind()
        skip = total - wanted
        if skip <= 0:
            return total
        self._pass(skip)
        return wanted

    def _pass(self, entries: int) -> None:
        """Read `entries` entries away; what came beyond them is kept for the next read."""
        kept = b""
        while data := self.read():
            kept += data
            records, rest = self._form.split(kept)
            if len(records) > entries:
                passed = sum(len(record) + self._form.frame for record in records[:entries])
                self._kept = kept[passed:]
                return
            entries, kept = entries - len(records), rest

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.fd)


def segments(path: str, form: Form) -> list[Segment]:
    """All files of the log at `path`, oldest first; [] if there is none. Taken again if the writer rotates meanwhile."""
    for attempt in range(TRIES):
        found = [segment for name in names(path) if (segment := _open(name, form))]
        if [segment.inode for segment in found] == [inode(name) for name in names(path)]:
            break
        if attempt < TRIES - 1:
            close_all(found)
    return found


def names(path: str) -> list[str]:
    """The log's files as they are called now, oldest first; [] without the folder.

    A plain file goes before its compressed form, which is not whole until the plain one is gone.
    """
    folder, _, base = path.rpartition("/")
    numbers: dict[int, str] = {}
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        number, _, packed = name.removeprefix(f"{base}.").partition(".")
        if name == base:
            numbers[0] = path
        elif name.startswith(f"{base}.") and number.isdigit() and packed in ("", "gz"):
            numbers[int(number)] = min(numbers.get(int(number), f"{folder}/{name}"), f"{folder}/{name}", key=len)
    return [numbers[number] for number in sorted(numbers, reverse=True)]


def _open(path: str, form: Form) -> Segment | None:
    try:
        return Segment(path, form)
    except FileNotFoundError:
        return None  # it was renamed since it was listed


def inode(path: str) -> int:
    """Which file `path` is now; 0 for none."""
    try:
        return os.stat(path, follow_symlinks=False).st_ino
    except FileNotFoundError:
        return 0


def close_all(found: list[Segment]) -> None:
    """Let go of files."""
    for segment in found:
        segment.close()
