"""The images' rows: configs, names, layers, blobs; how a name becomes an image; what may go because nobody refers to it.

Layers and blobs are `creating` before their file or folder exists, `ready` when an image has them, and `removing` before
they are unlinked. Who refers to them: images, the layers of containers, and leases (rows of `reference`, kind "lease"),
which protect what a load or save is working with and die with the daemon.
"""

import json
import re
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dockwright.base.errors import NotFound
from dockwright.grammar import reference
from dockwright.images.created import nanoseconds
from dockwright.metadata import references

MIGRATIONS = [
    """
    CREATE TABLE blob (digest TEXT PRIMARY KEY, size INTEGER NOT NULL, state TEXT NOT NULL);
    CREATE TABLE image (id TEXT PRIMARY KEY, config BLOB NOT NULL, manifest TEXT NOT NULL, size INTEGER NOT NULL,
                        tagged INTEGER NOT NULL);
    CREATE TABLE image_tag (name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES image(id));
    CREATE TABLE image_layer (image TEXT NOT NULL REFERENCES image(id), position INTEGER NOT NULL, chain TEXT NOT NULL,
                              diff TEXT NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (image, position));
    CREATE INDEX image_layer_chain ON image_layer (chain);
    CREATE TABLE layer (key TEXT PRIMARY KEY, driver TEXT NOT NULL, chain TEXT NOT NULL, diff TEXT NOT NULL,
                        parent TEXT NOT NULL, size INTEGER NOT NULL, state TEXT NOT NULL);
    CREATE UNIQUE INDEX layer_chain ON layer (driver, chain) WHERE state != 'removing';
    CREATE TABLE container_layer (container TEXT PRIMARY KEY, driver TEXT NOT NULL, key TEXT NOT NULL, chain TEXT NOT NULL,
                                  state TEXT NOT NULL)
    """,
    """
    ALTER TABLE image_tag ADD COLUMN target TEXT NOT NULL DEFAULT '';
    CREATE TABLE image_digest (name TEXT NOT NULL, digest TEXT NOT NULL, image TEXT NOT NULL REFERENCES image(id),
                               PRIMARY KEY (name, digest)) WITHOUT ROWID;
    CREATE INDEX image_digest_image ON image_digest (image);
    CREATE TABLE blob_child (parent TEXT NOT NULL, child TEXT NOT NULL, PRIMARY KEY (parent, child)) WITHOUT ROWID;
    CREATE TABLE blob_source (digest TEXT NOT NULL, domain TEXT NOT NULL, path TEXT NOT NULL,
                              PRIMARY KEY (digest, domain, path)) WITHOUT ROWID
    """,
    "CREATE TABLE blob_packed (plain TEXT PRIMARY KEY, packed TEXT NOT NULL, size INTEGER NOT NULL)",
    """
    ALTER TABLE image ADD COLUMN created TEXT NOT NULL DEFAULT '';
    ALTER TABLE image ADD COLUMN labels TEXT NOT NULL DEFAULT 'null';
    ALTER TABLE image ADD COLUMN parent TEXT NOT NULL DEFAULT '';
    CREATE INDEX image_parent ON image (parent);
    UPDATE image SET created = coalesce(json_extract(CAST(config AS TEXT), '$.created'), ''),
                     labels = coalesce(json_extract(CAST(config AS TEXT), '$.config.Labels'), 'null')
    """,
    "ALTER TABLE blob ADD COLUMN passing INTEGER NOT NULL DEFAULT 0",  # made again for somebody's lease, and gone with it
    "CREATE INDEX image_listed ON image (id, created, labels, parent, size)",  # a list reads no configs
    """
    CREATE INDEX image_layer_blob ON image_layer (blob);
    CREATE INDEX image_manifest ON image (manifest);
    CREATE INDEX image_tag_target ON image_tag (target)
    """,
]
_HEX = re.compile(r"[0-9a-f]{1,64}")
LEASE = "lease"
_DIGESTS = "SELECT image, name || '@' || digest AS full FROM image_digest"


@dataclass(frozen=True)
class Image:
    """One image.

    Attributes:
        id: `sha256:...` of its config. config: the parsed config document. manifest: digest of the OCI manifest it came
            with, "" if it came without. tagged: ns. names: its tags, full form. digests: its names by digest, full form.
            parent: id of the image it was built on here, "" if none.
    """

    id: str
    config: dict[str, Any]
    manifest: str
    size: int
    tagged: int
    names: tuple[str, ...]
    digests: tuple[str, ...] = ()
    parent: str = ""

    @property
    def references(self) -> tuple[str, ...]:
        """Everything it is called."""
        return self.names + self.digests

    @property
    def created(self) -> int:
        """When it was made, ns since the epoch; 0 if it does not say."""
        return nanoseconds(str(self.config.get("created") or "")) or 0

    @property
    def container_config(self) -> dict[str, Any]:
        """What containers inherit."""
        return self.config.get("config") or {}

    @property
    def diff_ids(self) -> list[str]:
        """The layers' digests, lowest first."""
        return list((self.config.get("rootfs") or {}).get("diff_ids") or [])

    @property
    def familiar_tags(self) -> list[str]:
        """Its names as users write them."""
        return [reference.familiar(name) for name in self.names]

    @property
    def familiar_digests(self) -> list[str]:
        """Its digests in registries as users write them."""
        return [reference.familiar(name) for name in self.digests]


@dataclass(frozen=True)
class LayerRow:
    """One layer of an image: where it stands, what it is, and the blob it came as."""

    chain: str
    diff: str
    blob: str
    size: int


def find(connection: sqlite3.Connection, name: str) -> Image:
    """The image a user means: a name first, then an id or unique prefix of one.

    Raises:
        NotFound: in Docker's words. InvalidParameter: the name cannot be one.
    """
    hexadecimal = name.removeprefix("sha256:")
    if name.startswith("sha256:") or len(name) == 64:
        found = _by_id(connection, hexadecimal)
        if found is None:
            raise NotFound(f"No such image: {name if name.startswith('sha256:') else 'sha256:' + name}")
        return found
    wanted = reference.parse(name).tagged()
    ident = named(connection, wanted)
    if ident:
        return load(connection, ident)
    found = _by_id(connection, hexadecimal)
    if found is None:
        raise NotFound(f"No such image: {wanted.familiar}")
    return found


def named(connection: sqlite3.Connection, wanted: reference.Reference) -> str:
    """The id of the image with this name, "" if there is none; a digest wins over a tag beside it."""
    if wanted.digest:
        query, values = "SELECT image FROM image_digest WHERE name = ? AND digest = ?", (wanted.name, wanted.digest)
        row = connection.execute(query, values).fetchone()
    else:
        row = connection.execute("SELECT image FROM image_tag WHERE name = ?", (str(wanted),)).fetchone()
    return str(row["image"]) if row else ""


def meant(image: Image, name: str) -> str:
    """Which of an image's references, in full form, `name` is; "" if it is its id."""
    if name.startswith("sha256:") or len(name) == 64:
        return ""
    full = str(reference.parse(name).tagged().by_digest())
    return full if full in image.references else ""


def is_id(image: Image, name: str) -> bool:
    """Whether `name` meant `image` by its id."""
    return not meant(image, name)


def _by_id(connection: sqlite3.Connection, prefix: str) -> Image | None:
    if not _HEX.fullmatch(prefix):
        return None
    rows = connection.execute("SELECT id FROM image WHERE id GLOB ? LIMIT 2", (f"sha256:{prefix}*",)).fetchall()
    return load(connection, rows[0]["id"]) if len(rows) == 1 else None


def load(connection: sqlite3.Connection, ident: str) -> Image:
    """The image with this very id."""
    row = connection.execute("SELECT * FROM image WHERE id = ?", (ident,)).fetchone()
    if row is None:
        raise NotFound(f"No such image: {ident}")
    names = connection.execute("SELECT name FROM image_tag WHERE image = ? ORDER BY name", (ident,)).fetchall()
    digests = connection.execute(f"{_DIGESTS} WHERE image = ? ORDER BY full", (ident,))
    return _image(row, [found["name"] for found in names], [found["full"] for found in digests])


def exists(connection: sqlite3.Connection, ident: str) -> bool:
    """Whether there is an image with this very id."""
    return connection.execute("SELECT 1 FROM image WHERE id = ?", (ident,)).fetchone() is not None


def children(connection: sqlite3.Connection, ident: str) -> list[str]:
    """The ids of the images that were built on an image."""
    return [row["id"] for row in connection.execute("SELECT id FROM image WHERE parent = ?", (ident,))]


def descendants(connection: sqlite3.Connection, ident: str) -> set[str]:
    """An image and all that were built on it, and on those, by id."""
    rows = connection.execute(
        "WITH RECURSIVE found(id) AS (SELECT ? UNION SELECT image.id FROM image JOIN found ON image.parent = found.id)"
        " SELECT id FROM found", (ident,),
    )  # fmt: skip
    return {row["id"] for row in rows}


def ancestry(connection: sqlite3.Connection, image: Image) -> list[Image]:
    """An image, and those it was built on that are still here, nearest first."""
    found = [image]
    while found[-1].parent and exists(connection, found[-1].parent):
        found.append(load(connection, found[-1].parent))
    return found


def _image(row: sqlite3.Row, names: Sequence[str], digests: Sequence[str]) -> Image:
    own = (row["manifest"], row["size"], row["tagged"])
    return Image(row["id"], json.loads(row["config"]), *own, tuple(names), tuple(digests), row["parent"])


def config_bytes(connection: sqlite3.Connection, ident: str) -> bytes:
    """An image's config as it came: its digest is the image's id."""
    return bytes(connection.execute("SELECT config FROM image WHERE id = ?", (ident,)).fetchone()["config"])


def layers(connection: sqlite3.Connection, ident: str) -> list[LayerRow]:
    """An image's layers, lowest first."""
    rows = connection.execute("SELECT * FROM image_layer WHERE image = ? ORDER BY position", (ident,))
    return [LayerRow(row["chain"], row["diff"], row["blob"], row["size"]) for row in rows]


def hold_layers(connection: sqlite3.Connection, lease: str, driver: str, image: str) -> tuple[list[LayerRow], list[str]]:
    """An image's layers, kept by `lease` from now on, and the keys of those that `driver` has on disk."""
    rows = layers(connection, image)
    for row in rows:
        references.add(connection, LEASE, lease, "layer", row.chain)
    found = [unpacked(connection, driver, row.chain) for row in rows]
    return rows, [there[0] for there in found if there]


def unpacked(connection: sqlite3.Connection, driver: str, chain: str) -> tuple[str, int] | None:
    """Key and size of a layer that `driver` has on disk."""
    found = "SELECT key, size FROM layer WHERE driver = ? AND chain = ? AND state = 'ready'"
    row = connection.execute(found, (driver, chain)).fetchone()
    return (row["key"], row["size"]) if row else None


def ready(connection: sqlite3.Connection, layers: Sequence[tuple[str, int]]) -> None:
    """Layers, by chain ID, are complete and synced; and how large they are."""
    for chain, size in layers:
        update = "UPDATE layer SET state = 'ready', size = ? WHERE chain = ? AND state = 'creating'"
        connection.execute(update, (size, chain))


def above(connection: sqlite3.Connection, driver: str, chain: str) -> list[str]:
    """A layer and all that stand on it, by chain ID."""
    rows = connection.execute(
        "WITH RECURSIVE up(chain) AS (SELECT ? UNION SELECT layer.chain FROM layer JOIN up ON layer.parent = up.chain"
        " WHERE layer.driver = ? AND layer.state = 'ready') SELECT chain FROM up", (chain, driver),
    )  # fmt: skip
    return [row["chain"] for row in rows]


def can_be_unpacked(connection: sqlite3.Connection, driver: str, chains: Sequence[str]) -> bool:
    """Whether layers could be made anew: no container stands on them, and their blobs, and those below, are here."""
    marks = ",".join("?" * len(chains))
    used = f"SELECT 1 FROM container_layer WHERE driver = ? AND chain IN ({marks})"
    lacking = (
        f"SELECT 1 FROM image_layer WHERE image IN (SELECT image FROM image_layer WHERE chain IN ({marks}))"
        " AND blob NOT IN (SELECT digest FROM blob WHERE state = 'ready')"
    )
    if connection.execute(used, (driver, *chains)).fetchone() or connection.execute(lacking, chains).fetchone():
        return False
    return bool(images_of(connection, chains[0]))


def condemn_layers(connection: sqlite3.Connection, driver: str, chains: Sequence[str]) -> list[str]:
    """Layers that will be removed, ready or not; returns their keys."""
    keys = []
    for chain in chains:
        row = unpacked(connection, driver, chain)
        if row:
            keys.append(row[0])
            connection.execute("UPDATE layer SET state = 'removing' WHERE key = ?", (row[0],))
    return keys


def images_of(connection: sqlite3.Connection, chain: str) -> list[str]:
    """The ids of images that have a layer."""
    return [row["image"] for row in connection.execute("SELECT image FROM image_layer WHERE chain = ?", (chain,))]


def layers_size(connection: sqlite3.Connection, driver: str) -> int:
    """Bytes of all layers that `driver` has on disk."""
    total = "SELECT coalesce(sum(size), 0) AS size FROM layer WHERE driver = ? AND state = 'ready'"
    return int(connection.execute(total, (driver,)).fetchone()["size"])


def insert(
    connection: sqlite3.Connection, ident: str, config: bytes, manifest: str, rows: Sequence[LayerRow], parent: str = ""
) -> None:
    """Make an image of layers and blobs that are there; they are `ready` from now on. One that is known stays as it is.

    Args:
        parent: id of the image it was built on.
    """
    size = sum(row.size for row in rows)
    known = connection.execute("SELECT 1 FROM image WHERE id = ?", (ident,)).fetchone()
    if known is None:
        parsed = json.loads(config)
        labels = json.dumps((parsed.get("config") or {}).get("Labels"))
        image = (ident, config, manifest, size, 0, parsed.get("created") or "", labels, parent)
        connection.execute("INSERT INTO image VALUES (?, ?, ?, ?, ?, ?, ?, ?)", image)
        for position, row in enumerate(rows):
            values = (ident, position, row.chain, row.diff, row.blob, row.size)
            connection.execute("INSERT INTO image_layer VALUES (?, ?, ?, ?, ?, ?)", values)
    ready(connection, [(row.chain, row.size) for row in rows])
    ready_blobs(connection, [ident, manifest, *(row.blob for row in rows)])


def ready_blobs(connection: sqlite3.Connection, digests: Sequence[str]) -> None:
    """Blobs have their places now."""
    for digest in digests:
        connection.execute("UPDATE blob SET state = 'ready' WHERE digest = ? AND state = 'creating'", (digest,))


def set_tag(connection: sqlite3.Connection, name: str, ident: str, target: str = "") -> str:
    """Point `name` at an image; returns the id of another image that had it, "" if none.

    When a user last did so is kept apart: see `mark_tagged`.

    Args:
        target: digest of the index or manifest the name stands for at a registry, "" if it came from none.
    """
    row = connection.execute("SELECT image FROM image_tag WHERE name = ?", (name,)).fetchone()
    connection.execute("INSERT OR REPLACE INTO image_tag VALUES (?, ?, ?)", (name, ident, target))
    return str(row["image"]) if row and row["image"] != ident else ""


def set_digest(connection: sqlite3.Connection, name: str, digest: str, ident: str) -> None:
    """Note that the registry of the repository `name` knows an image by `digest`, an index's or a manifest's."""
    connection.execute("INSERT OR REPLACE INTO image_digest VALUES (?, ?, ?)", (name, digest, ident))


def tags(connection: sqlite3.Connection, name: str) -> list[tuple[str, str, str]]:
    """(tag, image, target) of every tag of the repository `name`, in full form."""
    pattern = f"{name}:"
    query = "SELECT name, image, target FROM image_tag WHERE substr(name, 1, ?) = ? ORDER BY name"
    rows = connection.execute(query, (len(pattern), pattern))
    return [(row["name"][len(pattern) :], row["image"], row["target"]) for row in rows]


def target(connection: sqlite3.Connection, name: str) -> str:
    """What a tag or `name@digest` means at its registry, "" if it came from none."""
    _, at, digest = name.partition("@")
    if at:
        return digest
    row = connection.execute("SELECT target FROM image_tag WHERE name = ?", (name,)).fetchone()
    return str(row["target"]) if row else ""


def tops(connection: sqlite3.Connection, ident: str) -> list[str]:
    """What an image's names mean at their registries, else the index or manifest it came with: digests."""
    rows = connection.execute("SELECT DISTINCT target FROM image_tag WHERE image = ? AND target != ''", (ident,))
    found = [str(row["target"]) for row in rows]
    own = connection.execute("SELECT manifest FROM image WHERE id = ? AND manifest != ''", (ident,))
    return found or [index_beside(connection, row["manifest"]) or str(row["manifest"]) for row in own.fetchall()]


def index_beside(connection: sqlite3.Connection, manifest: str) -> str:
    """The index that came with a manifest when no name stood for it: each of the two keeps the other. "" if there is none."""
    row = connection.execute(
        "WITH RECURSIVE found(top, digest) AS (SELECT child, child FROM blob_child WHERE parent = ? UNION"
        " SELECT found.top, blob_child.child FROM blob_child JOIN found ON blob_child.parent = found.digest)"
        " SELECT top FROM found WHERE digest = ?", (manifest, manifest),
    ).fetchone()  # fmt: skip
    return str(row["top"]) if row else ""


def set_target(connection: sqlite3.Connection, name: str, ident: str, target: str) -> None:
    """Note what a tag means at its registry, if it still means that image here."""
    connection.execute("UPDATE image_tag SET target = ? WHERE name = ? AND image = ?", (target, name, ident))


def mark_tagged(connection: sqlite3.Connection, ident: str) -> None:
    """Note that a user has tagged the image now: inspect's LastTagTime."""
    connection.execute("UPDATE image SET tagged = ? WHERE id = ?", (time.time_ns(), ident))


def drop_references(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    """Take names, `name:tag` or `name@digest`, away from whatever has them."""
    for full in names:
        name, at, digest = full.partition("@")
        if at:
            connection.execute("DELETE FROM image_digest WHERE name = ? AND digest = ?", (name, digest))
        else:
            connection.execute("DELETE FROM image_tag WHERE name = ?", (name,))


def drop(connection: sqlite3.Connection, ident: str) -> None:
    """Forget an image; what it alone had is found by `settle`."""
    connection.execute("DELETE FROM image_tag WHERE image = ?", (ident,))
    connection.execute("DELETE FROM image_digest WHERE image = ?", (ident,))
    connection.execute("DELETE FROM image_layer WHERE image = ?", (ident,))
    connection.execute("DELETE FROM image WHERE id = ?", (ident,))


_USED_LAYERS = """
    WITH RECURSIVE used(chain) AS (
        SELECT chain FROM image_layer UNION SELECT chain FROM container_layer
        UNION SELECT target FROM reference WHERE owner_kind = 'lease' AND target_kind = 'layer'
        UNION SELECT layer.parent FROM layer JOIN used ON layer.chain = used.chain)
    SELECT chain FROM used
"""
_USED_BLOBS = """
    WITH RECURSIVE used(digest) AS (
        SELECT id FROM image UNION SELECT manifest FROM image UNION SELECT blob FROM image_layer
        UNION SELECT target FROM image_tag UNION SELECT digest FROM image_digest
        UNION SELECT target FROM reference WHERE owner_kind = 'lease' AND target_kind = 'blob'
        UNION SELECT blob_child.child FROM blob_child JOIN used ON blob_child.parent = used.digest)
    SELECT digest FROM used
"""
# What images have themselves is used, and mostly there is nothing else: only where there is, all that is used is worked out.
_MORE_LAYERS = (
    "SELECT 1 FROM layer WHERE state = 'ready' AND driver = ?"
    " AND NOT EXISTS (SELECT 1 FROM image_layer WHERE image_layer.chain = layer.chain) LIMIT 1"
)
_MORE_BLOBS = (
    "SELECT 1 FROM blob WHERE state = 'ready' AND NOT EXISTS (SELECT 1 FROM image WHERE id = digest)"
    " AND NOT EXISTS (SELECT 1 FROM image_layer WHERE blob = digest)"
    " AND NOT EXISTS (SELECT 1 FROM image WHERE manifest = digest)"
    " AND NOT EXISTS (SELECT 1 FROM image_tag WHERE target = digest) LIMIT 1"
)
_LEASED = "SELECT target FROM reference WHERE owner_kind = 'lease' AND target_kind ="


def settle(connection: sqlite3.Connection, driver: str) -> list[tuple[str, str]]:
    """Mark as `removing` what nobody refers to any more: layers of `driver`, blobs, and what a load has left half made.

    Returns:
        (key, chain) of all layers that are to be unlinked now.
    """
    removing = "SET state = 'removing' WHERE state"
    connection.execute(f"UPDATE layer {removing} = 'creating' AND driver = ? AND chain NOT IN ({_LEASED} 'layer')", (driver,))
    if connection.execute(_MORE_LAYERS, (driver,)).fetchone():
        connection.execute(f"UPDATE layer {removing} = 'ready' AND driver = ? AND chain NOT IN ({_USED_LAYERS})", (driver,))
    connection.execute(f"UPDATE blob {removing} = 'creating' AND digest NOT IN ({_LEASED} 'blob')")
    if connection.execute(_MORE_BLOBS).fetchone():
        connection.execute(f"UPDATE blob {removing} = 'ready' AND digest NOT IN ({_USED_BLOBS})")
    connection.execute(f"UPDATE blob {removing} = 'ready' AND passing AND digest NOT IN ({_LEASED} 'blob')")
    rows = connection.execute("SELECT key, chain FROM layer WHERE state = 'removing' AND driver = ?", (driver,))
    return [(row["key"], row["chain"]) for row in rows]
