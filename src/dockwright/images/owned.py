"""Whose the room's folders and files are: the rows' view of the disk."""

import os
import sqlite3
from collections.abc import Iterator

from dockwright.base.findings import Place
from dockwright.images.content import Content
from dockwright.images.snapshotters import Drivers
from dockwright.images.trash import Trash

LAYERS, CONTAINER_LAYERS, CONTENT = "Image layers", "Container layers", "Image content"
INGESTS, TRASH, DRIVER = "Unfinished downloads and loads", "Trash", "Storage driver"


def owned(connection: sqlite3.Connection, drivers: Drivers, content: Content, trash: Trash) -> Iterator[Place]:
    """Every place that a row knows, or that is the room's own; a place inside another one comes after it."""
    for driver in drivers.used(connection):
        yield driver.root, DRIVER, driver.name
        known = _keys(connection, driver.name)
        yield from ((driver.path(key), *known.get(key, ("", ""))) for key in driver.keys())  # noqa: SIM118 -- no dictionary
    yield content.root, CONTENT, ""
    blobs = {row["digest"] for row in connection.execute("SELECT digest FROM blob")}
    for digest in content.digests():
        yield content.path(digest), CONTENT if digest in blobs else "", digest
    yield content.ingests, INGESTS, ""
    for name in os.listdir(content.ingests):
        yield f"{content.ingests}/{name}", INGESTS, name
    yield trash.path, TRASH, ""


def _keys(connection: sqlite3.Connection, driver: str) -> dict[str, tuple[str, str]]:
    """Kind and owner of each snapshot that has a row."""
    known = {}
    for row in connection.execute("SELECT key, chain FROM layer WHERE driver = ?", (driver,)):
        known[row["key"]] = known[f"{row['key']}-init"] = (LAYERS, row["chain"])
    for row in connection.execute("SELECT key, container FROM container_layer WHERE driver = ?", (driver,)):
        known[row["key"]] = known[f"{row['key']}-init"] = (CONTAINER_LAYERS, row["container"])
    return known
