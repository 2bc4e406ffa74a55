"""The rows of networks and of the containers' sandboxes."""

import json
import sqlite3
from typing import Any

from dockwright.metadata.database import Database
from dockwright.networks.network import Network, Sandbox

MIGRATIONS = (
    "CREATE TABLE network (name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, created TEXT NOT NULL);"
    "CREATE TABLE endpoint (container TEXT PRIMARY KEY, id TEXT NOT NULL, network TEXT NOT NULL, row TEXT NOT NULL)",
    "ALTER TABLE network ADD COLUMN row TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE sandbox (container TEXT PRIMARY KEY, row TEXT NOT NULL);"
    "INSERT INTO sandbox SELECT container, json_object("
    " 'id', json_extract(row, '$.sandbox'), 'name', json_extract(row, '$.name'), 'exposed', json_extract(row, '$.exposed'),"
    " 'active', json(CASE json_extract(row, '$.active') WHEN 1 THEN 'true' ELSE 'false' END),"
    " 'endpoints', json_array(json_object("
    " 'id', id, 'network', network, 'address', json_extract(row, '$.address'), 'mac', json_extract(row, '$.mac'),"
    " 'host', json_extract(row, '$.host'), 'interface', 'eth0', 'bindings', json_extract(row, '$.bindings'),"
    " 'active', json(CASE json_extract(row, '$.active') WHEN 1 THEN 'true' ELSE 'false' END)))) FROM endpoint;"
    "DROP TABLE endpoint",
)


class Store:
    """Reads at start, writes behind."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.migrate("networks", MIGRATIONS)

    def predefined(self) -> dict[str, tuple[str, str]]:
        """Name to (id, created) of the networks that every engine has."""
        rows = self._database.read().execute("SELECT name, id, created FROM network WHERE row = ''")
        return {row["name"]: (row["id"], row["created"]) for row in rows}

    def networks(self) -> list[Network]:
        """The user's networks."""
        rows = self._database.read().execute("SELECT name, id, created, row FROM network WHERE row <> ''")
        return [Network.of_row(row["id"], row["name"], row["created"], json.loads(row["row"])) for row in rows]

    def sandboxes(self) -> list[Sandbox]:
        """All sandboxes of the last run."""
        rows = self._database.read().execute("SELECT container, row FROM sandbox")
        return [Sandbox.of_row(row["container"], json.loads(row["row"])) for row in rows]

    async def save_network(self, network: Network) -> None:
        """Keep a network; of a predefined one only its identity."""
        row = "" if network.predefined else json.dumps(network.row())
        values = (network.name, network.id, network.created, row)
        write = "INSERT OR REPLACE INTO network VALUES (?, ?, ?, ?)"
        await self._database.write(lambda c: _execute(c, write, values), grows=True)

    async def retire_network(self, network: Network) -> None:
        """Its removal has begun: the name is free, the row is the journal of what is left to do."""
        values = (network.id, json.dumps(network.row()), network.id)
        await self._database.write(lambda c: _execute(c, "UPDATE network SET name = ?, row = ? WHERE id = ?", values))

    async def drop_network(self, ident: str) -> None:
        """Forget a network."""
        await self._database.write(lambda c: _execute(c, "DELETE FROM network WHERE id = ?", (ident,)))

    def save_sandbox(self, sandbox: Sandbox) -> None:
        """Keep a sandbox. Not waited for: at a start it is committed long before the container's process can run."""
        values = (sandbox.container, json.dumps(sandbox.row()))
        write = "INSERT OR REPLACE INTO sandbox VALUES (?, ?)"
        self._database.write_soon(lambda c: c.execute(write, values), put_off=True, grows=True)

    async def keep_sandbox(self, sandbox: Sandbox) -> None:
        """Keep a sandbox that has changed while its container runs, before the kernel changes."""
        values = (sandbox.container, json.dumps(sandbox.row()))
        write = "INSERT OR REPLACE INTO sandbox VALUES (?, ?)"
        await self._database.write(lambda c: _execute(c, write, values), durable=False, grows=True)

    async def drop_sandbox(self, container: str) -> None:
        """Forget a sandbox."""
        drop = "DELETE FROM sandbox WHERE container = ?"
        await self._database.write(lambda c: _execute(c, drop, (container,)), durable=False)


def _execute(connection: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> None:
    connection.execute(statement, values)
