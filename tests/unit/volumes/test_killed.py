"""A daemon that is killed at any step of a volume's life: what the next one finds is whole, and nothing of the user's is lost.

Each step that writes (the database, the directories) is counted; the test dies before the first, the second, ... of them.
"""

import asyncio
import os

import pytest

from dockwright.base.paths import Paths
from dockwright.events import EventBus
from dockwright.metadata import Database
from dockwright.plugins.discovery import Directories as PluginDirectories
from dockwright.volumes.directories import Directories
from dockwright.volumes.manager import VolumeManager
from dockwright.volumes.store import Request, fresh

NOWHERE = PluginDirectories((), ())


class Killed(BaseException):
    """No cleaning up by anybody, as after SIGKILL."""


class Fuse:
    """Burns through before step number `steps`, and stays burnt: nothing is written any more."""

    def __init__(self, monkeypatch, steps):
        self.left = steps
        for name in ("make", "discard", "delete", "remove_empty"):
            monkeypatch.setattr(Directories, name, self._guarded(getattr(Directories, name)))
        write = Database.write

        async def guarded(database, *arguments, **options):
            self._burn()
            return await write(database, *arguments, **options)

        monkeypatch.setattr(Database, "write", guarded)

    def _guarded(self, function):
        def guarded(*arguments):
            self._burn()
            return function(*arguments)

        return guarded

    def _burn(self):
        self.left -= 1
        if self.left < 0:
            raise Killed


async def life(manager):
    """Everything that can happen to volumes."""
    await manager.create("named", "", None, None)
    with open(f"{manager.mountpoint('named')}/file", "w") as file:
        file.write("precious")
    await manager.create("doomed", "", None, None)
    found = await manager.acquire("c1", [Request("named"), Request("other"), fresh(None)], True)
    await manager.let_go("c1", [found[2][0].name])
    await manager.remove("doomed", force=False)


@pytest.mark.parametrize("steps", range(16))
def test_killed_before_step(tmp_path, monkeypatch, steps):
    paths = Paths(str(tmp_path), f"{tmp_path}/run")
    database = Database.open(paths.database)
    manager = VolumeManager(database, paths, EventBus(), NOWHERE)
    with monkeypatch.context() as patch:
        fuse = Fuse(patch, steps)
        try:
            asyncio.run(life(manager))
        except Killed:
            pass
        survived = fuse.left >= 0
    database.close()

    database = Database.open(paths.database)
    manager = VolumeManager(database, paths, EventBus(), NOWHERE)
    asyncio.run(manager.start())
    asyncio.run(manager.forget_strangers(set()))
    rows = {volume["Name"] for volume in asyncio.run(manager.list({}))["Volumes"]}
    assert set(os.listdir(paths.volumes)) <= rows, "a directory that nothing knows of"
    assert os.listdir(paths.trash) == []
    assert rows <= {"named", "other", "doomed"}, "an anonymous volume that nobody uses"
    if os.path.exists(f"{manager.mountpoint('named')}/file"):
        assert "named" in rows
    for name in rows:
        asyncio.run(manager.activate(name, "c2"))
        assert os.path.isdir(manager.mountpoint(name))
    assert not survived or rows == {"named", "other"}
    assert steps < 15 or survived, "not all steps were tried"
    database.close()
