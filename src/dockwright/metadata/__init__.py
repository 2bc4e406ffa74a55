"""The SQLite database: connection, writer thread, migrations, references between rows."""

from dockwright.metadata import references
from dockwright.metadata.database import Database

__all__ = ["Database", "references"]
