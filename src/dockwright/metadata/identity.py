"""Whether a database and a data root belong together.

The id file is the data root's birth mark, and a database made with it carries the same id. A database without it is new (the
old one was lost, or set aside as broken) or comes from elsewhere; what it does not know may well be somebody's data.
"""

import os

from dockwright.base.files import write_atomic
from dockwright.base.ids import new_id
from dockwright.metadata.database import Database

_TABLE = "CREATE TABLE data_root (engine TEXT NOT NULL)"


def establish(database: Database, path: str) -> tuple[str, bool]:
    """The data root's id, made at its first use, and whether `database` has known it since then. At start only.

    Args:
        path: the id file.
    """
    database.migrate("metadata", [_TABLE])
    row = database.read().execute("SELECT engine FROM data_root").fetchone()
    own = str(row["engine"]) if row else ""
    if os.path.exists(path):
        with open(path, encoding="ascii") as file:
            ident = file.read().strip()
        return ident, ident == own
    ident = own or new_id()
    if not own:  # the row first: a file without it would make this database a stranger for ever
        database.write_now(lambda c: c.execute("INSERT INTO data_root VALUES (?)", (ident,)))
    write_atomic(path, ident.encode(), mode=0o644, durable=True)
    return ident, True
