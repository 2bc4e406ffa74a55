"""The rows of networks and endpoints."""

import json
import sqlite3
from typing import Any

from dockwright.metadata.database import Database
from dockwright.networks.network import Endpoint

MIGRATIONS = (
    "CREATE TABLE network (name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, created TEXT NOT NULL);"
    "CREATE TABLE endpoint (container TEXT PRIMARY KEY, id TEXT NOT NULL, network TEXT NOT NULL, row TEXT NOT NULL)",
)


class Store:
    """Reads at start, writes behind."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.migrate("networks", MIGRATIONS)

    def networks(self) -> dict[str, tuple[str, str]]:
        """Name to (id, created)."""
        rows = self._database.read().execute("SELECT name, id, created FROM network")
        return {row["name"]: (row["id"], row["created"]) for row in rows}

    def endpoints(self) -> list[Endpoint]:
        """All endpoints of the last run."""
        rows = self._database.read().execute("SELECT id, network, container, row FROM endpoint")
        return [Endpoint.of_row(row["id"], row["network"], row["container"], json.loads(row["row"])) for row in rows]

    async def save_network(self, name: str, ident: str, created: str) -> None:
        """Keep a network's identity."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO network VALUES (?, ?, ?)", (name, ident, created))

        await self._database.write(write)

    def save_endpoint(self, endpoint: Endpoint) -> None:
        """Keep an endpoint. Not waited for: it is committed long before the container's process can run."""
        values = (endpoint.container, endpoint.id, endpoint.network, json.dumps(endpoint.row()))
        self._database.write_soon(
            lambda connection: connection.execute("INSERT OR REPLACE INTO endpoint VALUES (?, ?, ?, ?)", values)
        )

    async def drop_endpoint(self, container: str) -> None:
        """Forget an endpoint."""
        await self._execute("DELETE FROM endpoint WHERE container = ?", (container,))

    async def _execute(self, statement: str, values: tuple[Any, ...]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(statement, values)

        await self._database.write(write, durable=False)
