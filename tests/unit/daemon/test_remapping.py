"""--userns-remap: whose ids, and which."""

import pytest

from dockwright.base.errors import InvalidParameter
from dockwright.containers.remap import Remap
from dockwright.daemon import dockremap, remapping, subids


@pytest.fixture(autouse=True)
def ids(tmp_path, monkeypatch):
    (tmp_path / "subuid").write_text("# comment\nother:1:5\nnobody:100000:10\n\nroot:5:5\nnobody:300000:20\nbad\n")
    (tmp_path / "subgid").write_text("nogroup:200000:65536\n0:400000:10\n")
    monkeypatch.setattr(subids, "SUBUID", str(tmp_path / "subuid"))
    monkeypatch.setattr(subids, "SUBGID", str(tmp_path / "subgid"))


def test_ranges_follow_one_another():
    found = remapping.remap("nobody:nogroup")
    assert found == Remap(
        [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 10, "hostID": 300000, "size": 20}],
        [{"containerID": 0, "hostID": 200000, "size": 65536}],
    )
    assert found.root == (100000, 200000)
    assert found.folder == "100000.200000"
    assert remapping.remap("") is None


def test_by_number():
    assert remapping.remap("0:0").root == (5, 400000)


def test_owners_out_and_back():
    found = remapping.remap("nobody:nogroup")
    same = lambda uid, gid: (uid, gid)  # noqa: E731
    assert found.out(same)(12, 3) == (300002, 200003)
    assert found.back(same)(300002, 200003) == (12, 3)
    assert found.back(same)(7, 200003) == (65534, 3), "nobody the maps know"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:b:c", 'Invalid user/group specification in --userns-remap: "a:b:c"'),
        ("nosuch", 'Error during uid lookup for "nosuch": getent unable to find entry "nosuch" in passwd database'),
        ("54321", 'Uid 54321 has no entry in /etc/passwd: getent unable to find entry "54321" in passwd database'),
        ("nobody:nosuch", 'Error during groupname lookup for "nosuch": getent unable to find entry "nosuch" in group database'),
        ("nobody", 'Error during gid lookup for "nobody": getent unable to find entry "nobody" in group database'),
        ("daemon", "Can't create ID mappings: no subuid ranges found for user \"daemon\""),
        ("root", "Can't create ID mappings: no subgid ranges"),
    ],
)
def test_what_cannot_be(text, message, monkeypatch):
    if text == "root":
        monkeypatch.setattr(subids, "SUBGID", "/nowhere")
    with pytest.raises(InvalidParameter) as caught:
        remapping.remap(text)
    assert caught.value.message.startswith(message)


def test_what_default_stands_for(monkeypatch):
    made = []
    monkeypatch.setattr(subids, "user", lambda name: ("dockremap", 999) if made else None)
    monkeypatch.setattr(dockremap, "make", lambda: made.append(1))
    remapping.check("default")  # a start would make it
    for text in ("", "nobody:nogroup", "default", "default"):
        remapping.establish(text)
    assert made == [1]
    with pytest.raises(InvalidParameter, match="Invalid user/group specification"):
        remapping.establish("default:a:b")


@pytest.mark.parametrize(
    ("held", "first"),
    [
        ([], 100000),
        ([(100000, 65536)], 165536),
        ([(165536, 65536), (100000, 65536)], 231072),
        ([(165535, 10)], 165545),
        ([(1, 5), (300000, 65536)], 100000),
        ([(99999, 1)], 100000),
        ([(99999, 2)], 100001),
    ],
)
def test_the_first_free_range(held, first):
    assert dockremap.free(held) == first
