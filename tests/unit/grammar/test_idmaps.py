"""`idmap` of a bind, as users write it."""

import pytest

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.containers.idmapping import mapped
from dockwright.containers.mountpoint import MountPoint
from dockwright.containers.remap import Remap
from dockwright.grammar import idmaps, mounts
from dockwright.grammar.mount_options import parse_mount
from dockwright.spec.users import Identity


def test_forms():
    assert idmaps.parse("keep-id") == ([], [])
    users, groups = idmaps.parse("uids=0-1000-1#@5-6-7;gids=0-100-10")
    assert users == [(False, 0, 1000, 1), (True, 5, 6, 7)]
    assert groups == [(False, 0, 100, 10)]


BAD = ["", "x", "uids=0-1-1", "uids=0-1;gids=0-1-1", "uids=0-1-0;gids=0-1-1", "uids=a;gids=b"]


@pytest.mark.parametrize("text", [*BAD, "uids=0-1-4294967296;gids=0-1-1"])
def test_what_is_none(text):
    with pytest.raises(ValueError, match="invalid idmap"):
        idmaps.parse(text)


def test_where_it_is_written():
    assert parse_mount("type=bind,src=/a,dst=/b,idmap")["BindOptions"] == {"IDMap": "keep-id"}
    assert parse_mount("type=bind,src=/a,dst=/b,idmap=keep-id")["BindOptions"] == {"IDMap": "keep-id"}
    with pytest.raises(ValueError, match="invalid idmap: nonsense"):
        parse_mount("type=bind,src=/a,dst=/b,idmap=nonsense")
    assert mounts.parse_bind("/a:/b:ro,idmap").idmap == "keep-id"
    assert mounts.parse_bind("/a:/b:ro").idmap == ""
    with pytest.raises(Internal, match="field BindOptions must not be specified"):
        mounts.parse_bind("volume:/b:idmap")
    spec = mounts.MountSpec("bind", "/a", "/b", idmap="nonsense")
    with pytest.raises(InvalidParameter, match="invalid idmap: nonsense"):
        mounts.check(spec)


def test_maps(tmp_path):
    owner = tmp_path.stat()
    user, maps = Identity(7, 8), [{"containerID": 0, "hostID": 1000, "size": 100}]
    remap = Remap(maps, [{**maps[0], "hostID": 2000}])
    point = MountPoint("bind", "/x", str(tmp_path), idmap="keep-id")
    one = lambda disk, seen: [{"containerID": disk, "hostID": seen, "size": 1}]  # noqa: E731
    found = mapped(point, {"type": "bind"}, user, None)
    assert found == {"type": "bind", "uidMappings": one(owner.st_uid, 7), "gidMappings": one(owner.st_gid, 8)}
    found = mapped(point, {}, user, remap)
    assert found == {"uidMappings": one(owner.st_uid, 1007), "gidMappings": one(owner.st_gid, 2008)}
    point.idmap = "uids=5-6-1;gids=@5-6-1"
    assert mapped(point, {}, user, remap) == {"uidMappings": one(5, 6), "gidMappings": one(5, 2006)}
    point.idmap = ""
    assert mapped(point, {"a": 1}, user, remap) == {"a": 1}
    with pytest.raises(Internal, match="error while mapping the owner of /nowhere: no such file or directory"):
        mapped(MountPoint("bind", "/x", "/nowhere", idmap="keep-id"), {}, user, None)
