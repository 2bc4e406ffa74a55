"""The SQLite database: connection, writer thread, migrations, references between rows."""
