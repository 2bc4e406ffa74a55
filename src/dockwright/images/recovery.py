"""What a start does about what an earlier daemon left: it goes on with what rows say, and sets aside what no row knows."""

import logging
import sqlite3
import time

from dockwright.images.assembly import Assembler
from dockwright.images.content import Content
from dockwright.images.snapshotters import Snapshotter
from dockwright.images.trash import Trash

log = logging.getLogger("dockwright.images")


def recover(
    connection: sqlite3.Connection, driver: Snapshotter, content: Content, assembler: Assembler, trash: Trash, trusted: bool
) -> None:
    """Finish or undo what was broken off.

    Args:
        trusted: the database is this data root's own from its first day. A new, older, repaired or foreign one knows nothing
            of what is on the disk: then nothing is swept.
    """
    trash.clean(time.time())
    content.clean()
    assembler.settle_now(connection)
    _finish_containers(connection, driver)
    for key in tuple(driver.keys()):
        if key.endswith("-init") and not driver.committed(key):
            driver.remove(key)  # the next container makes it again
    trash.empty()
    if trusted:
        _set_aside_unowned(connection, driver, content, trash)


def _finish_containers(connection: sqlite3.Connection, driver: Snapshotter) -> None:
    """Container layers whose removal was broken off."""
    rows = connection.execute(
        "SELECT container, key FROM container_layer WHERE state = 'removing' AND driver = ?", (driver.name,)
    ).fetchall()
    for row in rows:
        driver.remove(row["key"])
        driver.remove(f"{row['key']}-init")
        connection.execute("DELETE FROM container_layer WHERE container = ?", (row["container"],))


def _set_aside_unowned(connection: sqlite3.Connection, driver: Snapshotter, content: Content, trash: Trash) -> None:
    """Folders and blobs without a row go to the trash, where they wait for a person."""
    owned: set[str] = set()
    for row in connection.execute("SELECT key FROM layer UNION SELECT key FROM container_layer"):
        owned |= {row["key"], f"{row['key']}-init"}
    for key in set(driver.keys()) - owned:
        driver.disown(key)
        _set_aside(driver.path(key), trash)
    for key in set(content.recipes()) - owned:
        content.forget_recipe(key)  # without its layer it is nothing
    known = {row["digest"] for row in connection.execute("SELECT digest FROM blob")}
    for digest in set(content.digests()) - known:
        _set_aside(content.path(digest), trash)


def _set_aside(path: str, trash: Trash) -> None:
    try:
        log.warning("%s belongs to nothing; moved to %s", path, trash.set_aside(path, time.time()))
    except FileNotFoundError:
        pass  # only a note of it was left
