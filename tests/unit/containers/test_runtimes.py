"""Which OCI runtimes there are, and what dockerd says of those that cannot be."""

import pytest

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.containers.runtimes import Runtime, configured, is_own


def test_names() -> None:
    runtimes = configured({"crun": "/usr/bin/crun", "args": {"path": "runc", "runtimeArgs": ["--debug"]}}, "")
    assert runtimes.default == "runc"
    assert runtimes.of("runc") is runtimes.of("io.containerd.runc.v2") is None
    assert runtimes.of("crun") == Runtime("/usr/bin/crun")
    assert runtimes.of("args") == Runtime("runc", ("--debug",))
    assert runtimes.of("/opt/runsc") == Runtime("/opt/runsc")
    assert runtimes.of("io.containerd.runsc.v1") == Runtime("runsc")
    for name in ("nosuch", "io.containerd.x", "bin/runc"):
        with pytest.raises(InvalidParameter, match=f"unknown or invalid runtime name: {name}"):
            runtimes.of(name)
    assert is_own("runc") and is_own("io.containerd.runc.v2")
    assert not is_own("io.containerd.runsc.v1")


def test_of_containerds_type() -> None:
    wanted = {"a": {"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": "/opt/runc"}}}
    runtimes = configured({**wanted, "b": {"runtimeType": "io.containerd.crun.v2"}}, "a")
    assert runtimes.of("a") == Runtime("/opt/runc")
    assert runtimes.of("b") == Runtime("crun")
    assert runtimes.default == "a"


def test_shown() -> None:
    runtimes = configured({"crun": {"path": "/usr/bin/crun", "runtimeArgs": ["--debug"]}}, "crun")
    assert runtimes.shown("own") == {
        "crun": {"path": "/usr/bin/crun", "runtimeArgs": ["--debug"]}, "io.containerd.runc.v2": {"path": "own"},
        "runc": {"path": "own"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "default", "text"),
    [
        ({"runc": "/x"}, "", "runtime name 'runc' is reserved"),
        ({"a": {}}, "", "runtime a: either a runtimeType or a path must be configured"),
        ({"a": {"path": "x", "runtimeType": "io.containerd.runc.v2"}}, "", "runtime a: cannot configure both path and"),
        ({"a": {"path": "x", "options": {"b": 1}}}, "", "runtime a: options cannot be used with a path runtime"),
        ({"a": {"runtimeType": "io.containerd.runc.v2", "runtimeArgs": ["x"]}}, "", "runtime a: args cannot be used with"),
        ({"a": {"runtimeType": "io.containerd.runc.v2", "options": {"Root": "x"}}}, "", "option Root is not implemented"),
        ({"a": {"runtimeType": "strange"}}, "", "runtime a: invalid runtimeType strange"),
        ({"a": {"paht": "x"}}, "", "runtime a: invalid configuration"),
        ({}, "crun", "specified default runtime 'crun' does not exist"),
    ],
)
def test_what_cannot_be(wanted: dict[str, object], default: str, text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        configured(wanted, default)
    assert text in caught.value.message


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(Internal, match=r'exec: "nosuch": executable file not found in \$PATH'):
        Runtime("nosuch").plan("/r")
    with pytest.raises(Internal, match="fork/exec /nosuch: no such file or directory"):
        Runtime("/nosuch").plan("/r")
    with pytest.raises(Internal, match="fork/exec /etc/passwd: permission denied"):
        Runtime("/etc/passwd").plan("/r")
    assert Runtime("sh", ("-x",)).plan("/r") == {"path": "/usr/bin/sh", "args": ["-x"], "root": "/r"}
