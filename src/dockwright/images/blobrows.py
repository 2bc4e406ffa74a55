"""Rows of blobs: which are in the store, what they lead to, where they can be had, what they become when compressed."""

import sqlite3
from collections.abc import Sequence

from dockwright.images import store


def holding(connection: sqlite3.Connection, chain: str, wanted: str) -> str:
    """The digest of a blob in the store that holds the layer `chain`: `wanted` if that is here, "" if none is."""
    row = connection.execute(
        "SELECT digest FROM blob WHERE state = 'ready' AND (digest = ? OR digest IN"
        " (SELECT blob FROM image_layer WHERE chain = ?)) ORDER BY digest != ?",
        (wanted, chain, wanted),
    ).fetchone()
    return str(row["digest"]) if row else ""


def add_children(connection: sqlite3.Connection, parent: str, children: Sequence[str]) -> None:
    """Note what a document describes: it is kept for as long as the document is."""
    values = [(parent, child) for child in children]
    connection.executemany("INSERT OR IGNORE INTO blob_child VALUES (?, ?)", values)


def blobs_beside(connection: sqlite3.Connection, parent: str) -> list[str]:
    """What is kept with a document."""
    query = "SELECT child FROM blob_child WHERE parent = ? ORDER BY child"
    return [str(row["child"]) for row in connection.execute(query, (parent,))]


def claim_blobs(connection: sqlite3.Connection, image: str, blobs: Sequence[tuple[str, int]]) -> set[str]:
    """Rows for blobs (digest, size) of an image that are about to get their places; returns the digests of those not there
    yet. An image that is known keeps those it has, and gets back those it has lost."""
    known = connection.execute("SELECT manifest FROM image WHERE id = ?", (image,)).fetchone()
    own = {row.blob for row in store.layers(connection, image)} | {image, known["manifest"]} if known else set()
    fresh = set()
    for digest, size in blobs:
        if known and digest not in own:
            continue
        there = connection.execute("SELECT 1 FROM blob WHERE digest = ? AND state = 'ready'", (digest,)).fetchone()
        if there is None:
            fresh.add(digest)
            connection.execute("INSERT OR REPLACE INTO blob (digest, size, state) VALUES (?, ?, 'creating')", (digest, size))
    return fresh


def add_source(connection: sqlite3.Connection, digest: str, domain: str, path: str) -> None:
    """Note that a repository has a blob: who needs it there, or beside it, need not send it."""
    connection.execute("INSERT OR IGNORE INTO blob_source VALUES (?, ?, ?)", (digest, domain, path))


def sources(connection: sqlite3.Connection, digest: str, domain: str = "") -> list[str]:
    """Repositories that have a blob: all, or the paths of those at one registry."""
    if domain:
        query, values = "SELECT path FROM blob_source WHERE digest = ? AND domain = ? ORDER BY path", (digest, domain)
    else:
        query, values = "SELECT domain || '/' || path FROM blob_source WHERE digest = ? AND domain != ?", (digest, "")
    return [str(row[0]) for row in connection.execute(query, values)]


def has_blob(connection: sqlite3.Connection, digest: str) -> bool:
    """Whether a blob is in the store."""
    return connection.execute("SELECT 1 FROM blob WHERE digest = ? AND state = 'ready'", (digest,)).fetchone() is not None


def packed_form(connection: sqlite3.Connection, plain: str) -> tuple[str, int] | None:
    """Digest and size of the compressed form a plain blob was sent in before."""
    row = connection.execute("SELECT packed, size FROM blob_packed WHERE plain = ?", (plain,)).fetchone()
    return (row["packed"], row["size"]) if row else None


def unpacked_form(connection: sqlite3.Connection, packed: str) -> str:
    """Digest of the plain blob that `packed` is the compressed form of, "" if that is not known."""
    row = connection.execute("SELECT plain FROM blob_packed WHERE packed = ?", (packed,)).fetchone()
    return str(row["plain"]) if row else ""


def add_packed(connection: sqlite3.Connection, plain: str, packed: str, size: int) -> None:
    """Note the compressed form of a plain blob."""
    connection.execute("INSERT OR REPLACE INTO blob_packed VALUES (?, ?, ?)", (plain, packed, size))


def below(connection: sqlite3.Connection, digests: Sequence[str]) -> list[str]:
    """Everything that documents describe, and what those describe."""
    marks = ", ".join("?" for _ in digests)
    query = (
        f"WITH RECURSIVE found(digest) AS (SELECT child FROM blob_child WHERE parent IN ({marks})"
        " UNION SELECT blob_child.child FROM blob_child JOIN found ON blob_child.parent = found.digest) SELECT digest FROM found"
    )
    return [str(row["digest"]) for row in connection.execute(query, tuple(digests))]
