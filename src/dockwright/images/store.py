"""The images' rows: configs, tags, layers; and how a name becomes an image."""

import json
import re
import sqlite3
from dataclasses import dataclass
from typing import Any

from dockwright.base.errors import NotFound
from dockwright.grammar import reference

MIGRATIONS = [
    """
    CREATE TABLE image (id TEXT PRIMARY KEY, config BLOB NOT NULL, size INTEGER NOT NULL, tagged INTEGER NOT NULL);
    CREATE TABLE image_tag (name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES image(id));
    CREATE TABLE layer (chain TEXT PRIMARY KEY, diff TEXT NOT NULL, parent TEXT NOT NULL, ident TEXT NOT NULL,
                        size INTEGER NOT NULL, state TEXT NOT NULL);
    CREATE TABLE image_layer (image TEXT NOT NULL REFERENCES image(id), chain TEXT NOT NULL, PRIMARY KEY (image, chain));
    CREATE TABLE container_layer (container TEXT PRIMARY KEY, ident TEXT NOT NULL, image TEXT NOT NULL)
    """
]
_HEX = re.compile(r"[0-9a-f]{1,64}")


@dataclass(frozen=True)
class Image:
    """One image.

    Attributes:
        id: `sha256:...` of its config. config: the parsed config document. names: its tags, full form. tagged: ns.
    """

    id: str
    config: dict[str, Any]
    size: int
    tagged: int
    names: tuple[str, ...]

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
        return [reference.parse(name).familiar for name in self.names]


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
    row = connection.execute("SELECT image FROM image_tag WHERE name = ?", (str(wanted),)).fetchone()
    if row:
        return load(connection, row["image"])
    found = _by_id(connection, hexadecimal)
    if found is None:
        raise NotFound(f"No such image: {wanted.familiar}")
    return found


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
    names = connection.execute("SELECT name FROM image_tag WHERE image = ? ORDER BY name", (ident,))
    return Image(ident, json.loads(row["config"]), row["size"], row["tagged"], tuple(r["name"] for r in names))


def every(connection: sqlite3.Connection) -> list[Image]:
    """All images, newest first."""
    images = [load(connection, row["id"]) for row in connection.execute("SELECT id FROM image")]
    return sorted(images, key=lambda image: str(image.config.get("created") or ""), reverse=True)
