"""The volume manager on a directory: rows and directories, in-use rules, filters, what a killed daemon leaves."""

import asyncio
import os

import pytest

from dockwright.base.errors import Conflict, InvalidParameter, NotFound
from dockwright.base.paths import Paths
from dockwright.events import EventBus
from dockwright.metadata import Database
from dockwright.plugins.discovery import Directories
from dockwright.volumes.manager import VolumeManager
from dockwright.volumes.store import ANONYMOUS, Request, fresh


class Room:
    """A manager and what is around it."""

    def __init__(self, root):
        self.paths = Paths(str(root), f"{root}/run")
        self.events = EventBus()
        self.reopen()

    def reopen(self):
        self.database = Database.open(self.paths.database)
        self.manager = VolumeManager(self.database, self.paths, self.events, Directories((), ()))
        return self

    def heard(self):
        return [(e["Action"], e["Actor"]["ID"]) for e in self.events.subscribe(since=0)._queue]


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    yield room
    room.database.close()


def run(coroutine):
    return asyncio.run(coroutine)


def test_create_inspect_remove(room):
    async def life():
        made = await room.manager.create("data", "local", None, {"a": "b"})
        assert await room.manager.create("data", "", None, {"other": "label"}) == made
        assert await room.manager.inspect("data") == made
        await room.manager.remove("data", force=False)
        return made

    made = run(life())
    assert made["Mountpoint"] == f"{room.paths.volumes}/data/_data"
    assert {k: made[k] for k in ("Driver", "Labels", "Options", "Scope")} == {
        "Driver": "local",
        "Labels": {"a": "b"},
        "Options": None,
        "Scope": "local",
    }
    assert os.listdir(room.paths.volumes) == os.listdir(room.paths.trash) == []
    assert room.heard() == [("create", "data"), ("destroy", "data")]
    with pytest.raises(NotFound, match="get data: no such volume"):
        run(room.manager.inspect("data"))


@pytest.mark.parametrize(
    ("name", "driver", "options", "kind", "message"),
    [
        ("a", "", {}, InvalidParameter, "create a: volume name is too short"),
        ("a/b", "", {}, InvalidParameter, 'create a/b: "a/b" includes invalid characters for a local volume name'),
        ("..", "", {}, InvalidParameter, 'create ..: ".." includes invalid characters'),
        ("vv", "foo", {}, NotFound, 'create vv: error looking up volume plugin foo: plugin "foo" not found'),
        ("vv", "", {"foo": "x"}, InvalidParameter, 'create vv: invalid option: "foo"'),
        ("vv", "", {"type": "tmpfs"}, InvalidParameter, 'create vv: missing required option: "device"'),
        ("vv", "", {"o": "x", "device": "y"}, InvalidParameter, 'create vv: missing required option: "type"'),
        ("vv", "", {"size": "1m"}, InvalidParameter, "create vv: quota size requested but no quota support"),
    ],
)
def test_refusals(room, name, driver, options, kind, message):
    with pytest.raises(kind) as caught:
        run(room.manager.create(name, driver, options, None))
    assert caught.value.message.startswith(message)
    assert run(room.manager.list({}))["Volumes"] == []


def test_a_used_volume_stays(room):
    async def life():
        (volume, new), *_ = await room.manager.acquire("c1", [Request("data")], True)
        assert new
        with pytest.raises(Conflict, match=r"remove data: volume is in use - \[c1\]"):
            await room.manager.remove("data", force=True)
        await room.manager.release("c1", [volume.name])

    run(life())
    assert run(room.manager.list({}))["Volumes"] == []


def test_filters_and_prune(room):
    async def life():
        await room.manager.create("one", "", None, {"a": "b"})
        await room.manager.create("two", "", None, None)
        (anonymous, _), *_ = await room.manager.acquire("c1", [fresh(None), Request("two")], False)
        await room.manager.create("", "", None, None)

        async def names(**f):
            return [v["Name"] for v in (await room.manager.list(f))["Volumes"]]

        assert await names(name=["^o"]) == ["one"]
        assert await names(label=["a=b"]) == ["one"]
        assert await names(label=["a", "c"]) == []
        assert await names(dangling=["false"]) == sorted(["two", anonymous.name])
        assert await names(driver=["other"]) == []
        for filters, message in (({"foo": ["x"]}, "foo"), ({"dangling": ["x"]}, r"dangling=\[x\]")):
            with pytest.raises(InvalidParameter, match=f"invalid filter '{message}'"):
                await room.manager.list(filters)
        first = await room.manager.prune({}, everything=False)
        assert len(first["VolumesDeleted"]) == 1
        assert len(first["VolumesDeleted"][0]) == 64
        assert first["VolumesDeleted"] != [anonymous.name]
        kept = await room.manager.prune({"all": ["true"], "label!": ["a"]}, everything=False)
        assert kept == {"VolumesDeleted": [], "SpaceReclaimed": 0}
        with open(f"{room.manager.mountpoint('one')}/file", "w") as file:
            file.write("12345")
        assert await room.manager.prune({}, everything=True) == {"VolumesDeleted": ["one"], "SpaceReclaimed": 5}
        return anonymous

    assert run(life()).labels == {ANONYMOUS: ""}


def test_a_directory_without_a_row_is_used_again_and_never_removed(room):
    os.makedirs(f"{room.paths.volumes}/kept/_data")
    with open(f"{room.paths.volumes}/kept/_data/file", "w") as file:
        file.write("mine")
    run(room.manager.start())
    assert os.path.exists(f"{room.paths.volumes}/kept/_data/file")
    made = run(room.manager.create("kept", "", None, None))
    assert os.listdir(made["Mountpoint"]) == ["file"]


def test_a_removal_that_was_cut_off_is_finished(room):
    async def begin():
        await room.manager.create("data", "", None, None)
        await room.database.write(lambda c: c.execute("UPDATE volume SET state = 'removing'"))

    run(begin())
    os.makedirs(f"{room.paths.trash}/volume-x/_data")
    os.makedirs(f"{room.paths.trash}/layer-y")
    room.database.close()
    run(room.reopen().manager.start())
    assert os.listdir(room.paths.volumes) == []
    assert os.listdir(room.paths.trash) == ["layer-y"]
    assert room.database.read().execute("SELECT count(*) FROM volume").fetchone()[0] == 0


def test_the_database_lost_the_volumes_stay(room):
    run(room.manager.create("data", "", None, None))
    room.database.close()
    for name in os.listdir(room.paths.data_root):
        if name.startswith("metadata.db"):
            os.unlink(f"{room.paths.data_root}/{name}")
    run(room.reopen().manager.start())
    assert os.path.isdir(f"{room.paths.volumes}/data/_data")


def test_references_of_containers_that_never_came_to_be(room):
    run(room.manager.acquire("ghost", [Request("named"), fresh(None)], True))
    run(room.manager.acquire("real", [fresh(None)], True))
    run(room.manager.forget_strangers({"real"}))
    rest = run(room.manager.list({}))["Volumes"]
    assert len(rest) == 2
    run(room.manager.remove("named", force=False))


def test_a_name_that_cannot_be_a_directory_is_rolled_back(room):
    with open(f"{room.paths.volumes}/file", "w"):
        pass
    with pytest.raises(OSError):
        run(room.manager.create("file", "", None, None))
    assert run(room.manager.list({}))["Volumes"] == []
    assert os.path.isfile(f"{room.paths.volumes}/file")
