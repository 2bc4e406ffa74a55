"""The content store: blobs by digest (blobs/sha256/<hex>, as in an OCI layout) and ingests, where bytes wait to be verified.

A blob's row is written before its file has its place, and taken away after the file has left it. Ingest names are ours
alone: whatever lies there at start is of a load that is dead, and goes.
"""

import contextlib
import hashlib
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass

from dockwright.base.errors import InvalidParameter, NotFound
from dockwright.base.files import fsync_dir
from dockwright.images.room import Room
from dockwright.images.snapshotters.files import private
from dockwright.images.trash import Trash

SHA256 = "sha256:"
COMING = "sha256-"  # how the names of files begin in which a blob comes in (`arrival`)
PATIENCE = 86400  # seconds for which what has come of it is kept for another try
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def checked(digest: str) -> str:
    """`digest`, if it is one that may become a file's name.

    Raises:
        InvalidParameter: in the words of Docker's digest package.
    """
    if DIGEST.fullmatch(digest):
        return digest
    algorithm, colon, rest = digest.partition(":")
    if colon and algorithm != "sha256" and rest:
        raise InvalidParameter("unsupported digest algorithm")
    if colon and re.fullmatch("[0-9a-f]+", rest):
        raise InvalidParameter("invalid checksum digest length")
    raise InvalidParameter("invalid checksum digest format")


@dataclass(frozen=True)
class Blob:
    """Verified bytes in a file: an ingest's, or one of the store."""

    path: str
    size: int
    digest: str

    def read(self, limit: int) -> bytes:
        """All of it.

        Raises:
            InvalidParameter: more than `limit` bytes.
        """
        if self.size > limit:
            raise InvalidParameter(f"a document of {self.size} bytes is too large")
        with open(self.path, "rb") as file:
            return file.read()


class Ingest:
    """One load's bytes on their way into the store; `close` throws away what was not placed there."""

    def __init__(self, directory: str, trash: Trash) -> None:
        self.directory, self._trash = directory, trash
        os.mkdir(directory, 0o700)
        self._fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._room = Room(self._fd)
        self._count = 0

    def write(self, pieces: Iterable[bytes | memoryview]) -> Blob:
        """A file of these bytes, with their digest.

        Raises:
            OSError: the disk is full; what was written goes with the ingest.
        """
        self._count += 1
        path, sha, size = f"{self.directory}/{self._count}", hashlib.sha256(), 0
        with open(path, "xb", buffering=0) as file:
            for piece in pieces:
                self._room.take(len(piece))
                sha.update(piece)
                size += len(piece)
                view = memoryview(piece)
                while len(view):
                    view = view[file.write(view) or 0 :]
        return Blob(path, size, SHA256 + sha.hexdigest())

    def close(self) -> None:
        """Remove what is left."""
        os.close(self._fd)
        self._trash.remove(self.directory)


class Content:
    """The store below `root` (DATA/content)."""

    def __init__(self, root: str, trash: Trash) -> None:
        self.root, self._trash = root, trash
        self._blobs, self.ingests = f"{root}/blobs/sha256", f"{root}/ingest"
        self._recipes = f"{root}/recipes"
        private(root, f"{root}/blobs", self._blobs, self.ingests, self._recipes, mode=0o700)

    def path(self, digest: str) -> str:
        """Where a blob is, or would be."""
        return f"{self._blobs}/{checked(digest)[len(SHA256) :]}"

    def blob(self, digest: str) -> Blob:
        """A blob of the store.

        Raises:
            NotFound: its file is gone.
        """
        try:
            return Blob(self.path(digest), os.stat(self.path(digest)).st_size, digest)
        except FileNotFoundError:
            raise NotFound(f"content digest {digest}: not found") from None

    def recipe(self, key: str) -> str:
        """Where the recipe of the layer `key` is, or would be (see `recipe`)."""
        return f"{self._recipes}/{key}"

    def has_recipe(self, key: str) -> bool:
        """Whether the layer `key` can give its tar back."""
        return os.path.exists(self.recipe(key))

    def forget_recipe(self, key: str) -> None:
        """The layer `key` goes."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.recipe(key))

    def recipes(self) -> list[str]:
        """The keys of all layers that have one."""
        return os.listdir(self._recipes)

    def ingest(self) -> Ingest:
        """A fresh place for a load."""
        return Ingest(f"{self.ingests}/{secrets.token_hex(8)}", self._trash)

    def place(self, blobs: Iterable[Blob]) -> None:
        """Give blobs of an ingest their places, for good. Their data has been synced; their rows say `creating`.

        They are linked, not moved: another image of the same archive may need them again. A blob that came by itself is moved:
        what continues a file of that name later must not find this one.
        """
        for blob in blobs:
            target = self.path(blob.digest)
            os.chmod(blob.path, 0o444)
            self._trash.take(target)  # a file without a row, or with one that was never finished
            if os.path.dirname(blob.path) == self.ingests:
                os.rename(blob.path, target)
            else:
                os.link(blob.path, target)
        fsync_dir(self._blobs)

    def reap(self, connection: sqlite3.Connection) -> None:
        """On the writer thread, so that no load can want a blob while it goes: the files of rows in state `removing`."""
        for row in connection.execute("SELECT digest FROM blob WHERE state = 'removing'").fetchall():
            self._trash.take(self.path(row["digest"]))
            connection.execute("DELETE FROM blob WHERE digest = ?", (row["digest"],))
            connection.execute("DELETE FROM blob_child WHERE parent = ?", (row["digest"],))
            connection.execute("DELETE FROM blob_source WHERE digest = ?", (row["digest"],))
            connection.execute("DELETE FROM blob_packed WHERE plain = ?", (row["digest"],))

    def clean(self) -> None:
        """At start: throw away what dead loads have left, but for downloads that may go on."""
        for name in os.listdir(self.ingests):
            path = f"{self.ingests}/{name}"
            if not name.startswith(COMING) or os.stat(path).st_mtime + PATIENCE < time.time():
                self._trash.remove(path)

    def digests(self) -> list[str]:
        """Every blob on disk."""
        return [SHA256 + name for name in os.listdir(self._blobs)]
