"""`-v`, Binds, Mounts and --volumes-from: what is accepted, and Docker's words for what is not."""

import pytest

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.grammar.mounts import MountSpec, check, local_path, parse_bind, parse_volumes_from, valid_mode


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("/data", ("volume", "", "/data", False, "")),
        ("vol:/data", ("volume", "vol", "/data", False, "")),
        ("vol:/data:ro", ("volume", "vol", "/data", True, "ro")),
        ("/src:/dst:rslave,ro", ("bind", "/src", "/dst", True, "rslave,ro")),
        ("/src:/dst:rw,z,cached", ("bind", "/src", "/dst", False, "rw,z,cached")),
    ],
)
def test_binds(raw, expected):
    spec = parse_bind(raw)
    assert (spec.type, spec.source, spec.target, spec.read_only, spec.mode) == expected


def test_what_the_words_mean():
    assert parse_bind("v:/x:nocopy").no_copy
    assert parse_bind("/s:/x:shared").propagation == "shared"
    assert parse_bind("v:/x", "nfs").driver == "nfs"
    assert parse_bind("/s:/x", "nfs").driver == ""
    assert parse_bind("/s:/b/../c//d/").destination == "/c/d"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("a:b:c:d", "invalid volume specification: 'a:b:c:d'"),
        ("", "invalid volume specification: ''"),
        ("/x:rw", "invalid volume specification: '/x:rw'"),
        ("/a:/b:foo", "invalid mode: foo"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
        (
            "x:y",
            "invalid volume specification: 'x:y': invalid mount config for type \"volume\": invalid mount path: 'y' "
            "mount path must be absolute",
        ),
        (
            "/tmp:/",
            "invalid volume specification: '/tmp:/': invalid mount config for type \"bind\": invalid specification: "
            "destination can't be '/'",
        ),
        (
            "vv:/b:rshared",
            "invalid volume specification: 'vv:/b:rshared': invalid mount config for type \"volume\": field BindOptions "
            "must not be specified",
        ),
        (
            "/tmp:/b:nocopy",
            "invalid volume specification: '/tmp:/b:nocopy': invalid mount config for type \"bind\": field VolumeOptions "
            "must not be specified",
        ),
    ],
)
def test_bad_binds(raw, message):
    with pytest.raises(Internal) as caught:
        parse_bind(raw)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        (MountSpec("bind", "/s", ""), "field Target must not be empty"),
        (MountSpec("bind", "", "/t"), "field Source must not be empty"),
        (MountSpec("bind", "s", "/t"), "invalid mount path: 's' mount path must be absolute"),
        (MountSpec("bind", "/s", "/t", propagation="x"), "invalid propagation mode: x"),
        (MountSpec("bind", "/s", "/t", blocks={"VolumeOptions"}), "field VolumeOptions must not be specified"),
        (MountSpec("volume", "v", "t"), "invalid mount path: 't' mount path must be absolute"),
        (MountSpec("volume", "v", "/../"), "invalid specification: destination can't be '/'"),
        (MountSpec("volume", "", "/t", True), "must not set ReadOnly mode when using anonymous volumes"),
        (MountSpec("volume", "", "/t", subpath="a"), "must not set Subpath when using anonymous volumes"),
        (MountSpec("volume", "v", "/t", subpath="../a"), "subpath must be a relative path within the volume"),
        (MountSpec("tmpfs", "/s", "/t"), "field Source must not be specified"),
        (MountSpec("npipe", "s", "/t"), "mount type unknown"),
        (MountSpec("", "s", "/t"), "mount type unknown"),
    ],
)
def test_bad_mounts(spec, fault):
    with pytest.raises(InvalidParameter) as caught:
        check(spec)
    assert caught.value.message == f'invalid mount config for type "{spec.type}": {fault}'


def test_modes():
    assert all(valid_mode(mode) for mode in ("", "ro", "rw,rslave,z,nocopy,cached"))
    assert not any(valid_mode(mode) for mode in ("x", "ro,", "z,Z", "shared,slave", "ro,ro"))


def test_subpaths():
    assert local_path("a/b") and local_path("a/../b") and local_path(".")
    assert not any(local_path(path) for path in ("..", "../a", "a/../../b", "/a"))


def test_volumes_from():
    assert parse_volumes_from("web") == ("web", "rw")
    assert parse_volumes_from("web:ro,z") == ("web", "ro,z")
    for raw, message in (
        ("", "volumes-from specification cannot be an empty string"),
        ("web:shared", "invalid mode: shared"),
        ("web:nocopy", "invalid mode: nocopy"),
        ("web:foo", "invalid mode: foo"),
    ):
        with pytest.raises(InvalidParameter) as caught:
            parse_volumes_from(raw)
        assert caught.value.message == message
