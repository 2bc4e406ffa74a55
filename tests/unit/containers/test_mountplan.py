"""Which mounts a configuration means."""

import pytest

from dockwright.base.errors import InvalidParameter, NotFound
from dockwright.containers.mountplan import planned
from dockwright.containers.mountpoint import MountPoint
from dockwright.types.container import BindOptions, HostConfig, Mount, TmpfsOptions, VolumeOptions
from dockwright.types.container import VolumeDriver as Driver


def plan(host=None, volumes=(), donors=None):
    def donor(name):
        if name not in (donors or {}):
            raise NotFound(f"No such container: {name}")
        return donors[name]

    found = planned(host or HostConfig(), {"Volumes": {key: {} for key in volumes}}, "/var/lib/dockwright", donor)
    return {entry.point.destination: entry for entry in found}


def test_later_ones_win():
    donor = [MountPoint("volume", "/v", name="old"), MountPoint("bind", "/b", "/srv")]
    found = plan(HostConfig(VolumesFrom=["d:ro"], Binds=["new:/v"]), ["/v", "/w", "/b"], {"d": donor})
    assert found["/v"].point.name == "new"
    assert found["/b"].point.writable is False
    assert found["/w"].point.anonymous and found["/w"].volume
    assert found["/b"].volume is None


def test_a_tmpfs_takes_the_place_of_a_volume():
    assert plan(HostConfig(Tmpfs={"/v": ""}), ["/v"]) == {}


def test_what_mounts_become():
    mounts = [
        Mount("bind", "/usr", "/b", True, BindOptions=BindOptions(NonRecursive=True)),
        Mount("volume", "data", "/v", VolumeOptions=VolumeOptions(NoCopy=True, Labels={"a": "b"}, Subpath="x")),
        Mount("volume", "", "/a", VolumeOptions=VolumeOptions(DriverConfig=Driver("foo", {"o": "p"}))),
        Mount("tmpfs", "", "/t", True, TmpfsOptions=TmpfsOptions(1 << 20, 0o700, [["exec"], ["uid", "7"]])),
    ]
    found = plan(HostConfig(Mounts=mounts))
    assert found["/b"].point.oci()["options"] == ["bind", "rprivate", "ro"]
    assert found["/v"].point.oci()["subpath"] == "x"
    assert not found["/v"].point.copy
    assert found["/v"].volume.labels == {"a": "b"}
    assert (found["/a"].volume.driver, found["/a"].volume.options, found["/a"].point.anonymous) == ("foo", {"o": "p"}, True)
    assert found["/t"].point.oci()["options"] == ["exec", "nosuid", "nodev", "mode=700", "size=1048576", "uid=7", "ro"]


def test_read_only_mounts_of_older_clients():
    host = HostConfig(Mounts=[Mount("bind", "/usr", "/u", True)], Binds=["/usr:/b:ro"])
    found = {e.point.destination: e.point.oci()["options"] for e in planned(host, {}, "/data", None, ro_recursive=False)}
    assert found == {"/u": ["rbind", "rprivate", "ro"], "/b": ["rbind", "rprivate", "rro"]}


def test_binds_are_recursive_and_so_is_their_read_only_bit():
    found = plan(HostConfig(Binds=["/usr:/b:ro,rslave", "/var:/w"]))
    assert found["/b"].point.oci()["options"] == ["rbind", "rslave", "rro"]
    assert found["/w"].point.propagation == "rslave", "it shows the engine's own root"


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (HostConfig(Binds=["/usr:/b", "/etc:/b/"]), "Duplicate mount point: /b"),
        (HostConfig(Binds=["/usr:/b"], Tmpfs={"/b": ""}), "Duplicate mount point: /b"),
        (HostConfig(Binds=["/usr:/b"], Mounts=[Mount("tmpfs", "", "/b")]), "Duplicate mount point: /b"),
        (HostConfig(VolumesFrom=["nope"]), "No such container: nope"),
        (
            HostConfig(Mounts=[Mount("bind", "/nope", "/b")]),
            'invalid mount config for type "bind": bind source path does not exist: /nope',
        ),
        (
            HostConfig(Mounts=[Mount("tmpfs", "", "/b", TmpfsOptions=TmpfsOptions(Options=[["foo"]]))]),
            'invalid mount config for type "tmpfs": invalid tmpfs option "foo"',
        ),
        (
            HostConfig(Binds=["/var:/b:shared"]),
            'invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the '
            'daemon root, daemon root: "/var/lib/dockwright", bind mount source: "/var", propagation: "shared"',
        ),
    ],
)
def test_refusals(host, message):
    with pytest.raises(InvalidParameter) as caught:
        plan(host)
    assert caught.value.message == message
