"""What criu is told: messages as bytes, mounts by keys that nothing in an image can lead astray."""

import pytest

from dockwright.runtime.criu import external, rpc
from dockwright.runtime.criu.dump import refuse
from dockwright.runtime.criu.settings import Settings
from dockwright.runtime.failure import RuntimeFailure


def test_messages_are_what_runc_sends() -> None:
    assert rpc.encode([(1, rpc.VERSION)]) == b"\x08\x0a"
    assert rpc.encode([(1, rpc.NOTIFY), (3, True)]) == b"\x08\x06\x18\x01"
    assert rpc.encode([(rpc.EMPTY_NAMESPACES, 0x40000000)]) == b"\xb0\x02\x80\x80\x80\x80\x04"
    assert rpc.encode([(rpc.INHERIT, rpc.pair("pipe:[18237905]", 1))]) == b"\xda\x01\x13\x0a\x0fpipe:[18237905]\x10\x01"


def test_answers_are_read() -> None:
    answer = rpc.decode(rpc.encode([(1, rpc.RESTORE), (2, True), (4, rpc.encode([(1, 4711)])), (9, "why"), (7, -22)]))
    assert rpc.number(rpc.message(answer, 4), 1) == 4711
    assert (rpc.text(answer, 9), rpc.text(answer, 5), rpc.number(answer, 7)) == ("why", "", -22)


@pytest.mark.parametrize("data", [b"\x08", b"\x12\x05ab", b"\x0d\x00\x00\x00\x00", b"\xff" * 12])
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        rpc.decode(data)


def test_keys_of_mounts_are_opaque() -> None:
    assert external.key("/a]:/etc", "../x") == "m2f615d3a2f657463.2e2e2f78"
    assert external.key("/a") != external.key("/a", "b")


def test_flags_become_options() -> None:
    fields = Settings("/i", switches=("tcp-established", "file-locks"), mode="full").fields("dump.log", 7, 8)
    assert {(rpc.TCP_ESTABLISHED, True), (rpc.FILE_LOCKS, True), (rpc.CGROUPS_MODE, rpc.FULL), (rpc.WORK, 8)} <= set(fields)
    assert not any(number in (rpc.SHELL_JOB, rpc.EXT_UNIX_SK) for number, _ in fields)
    with pytest.raises(RuntimeFailure, match="Invalid manage cgroups mode"):
        Settings("/i", mode="bad")


@pytest.mark.parametrize("entry", [{"type": "user"}, {"type": "ipc", "path": "/proc/1/ns/ipc"}])
def test_what_a_restore_would_not_make_the_same_is_refused(entry: dict[str, str]) -> None:
    with pytest.raises(RuntimeFailure, match="not supported"):
        refuse({"linux": {"namespaces": [entry]}})
    refuse({"linux": {"namespaces": [{"type": "network", "path": "/x"}, {"type": "pid"}]}})
