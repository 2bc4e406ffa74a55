"""DNS messages: read, written, cut, and anything at all thrown at the parser."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockwright.supervisor.netd.dns import message
from dockwright.supervisor.netd.dns.message import FORMERR, NOTIMP, A, Malformed

HEADER = struct.Struct(">HHHHHH")
RECORD = struct.Struct(">HHIH")


def ask(name: str, kind: int = A, *, ident: int = 7, flags: int = 0x0100, extra: bytes = b"", counts: int = 0) -> bytes:
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split(".") if label) + b"\0"
    return HEADER.pack(ident, flags, 1, 0, 0, counts) + labels + struct.pack(">HH", kind, 1) + extra


def opt(size: int = 4096, version: int = 0) -> bytes:
    return b"\0" + RECORD.pack(message.OPT, size, version << 16, 0)


def test_a_question_is_read() -> None:
    question = message.parse(ask("Web.Net1"))
    assert (question.ident, question.name, question.kind, question.klass) == (7, "web.net1", A, 1)
    assert (question.size, question.edns) == (512, False)
    assert question.section == b"\3Web\4Net1\0\0\1\0\1"


def test_the_root_is_a_name() -> None:
    assert message.parse(ask("", 2)).name == ""


def test_a_dot_inside_a_label_is_not_a_separator() -> None:
    data = HEADER.pack(1, 0, 1, 0, 0, 0) + b"\3a.b\1c\0\0\1\0\1"
    assert message.parse(data).name == "a\\.b.c"


def test_edns_tells_the_size_and_is_answered() -> None:
    question = message.parse(ask("web", extra=opt(1400), counts=1))
    assert (question.size, question.edns) == (1400, True)
    answer = message.answer(question, [], question.size)
    assert HEADER.unpack_from(answer)[5] == 1 and answer.endswith(opt(message.OUR_SIZE))
    assert message.parse(ask("web", extra=opt(100), counts=1)).size == 512


@pytest.mark.parametrize(
    ("data", "rcode"),
    [
        (b"", -1),
        (b"\0" * 11, -1),
        (ask("web", flags=0x8180), -1),
        (ask("web", flags=0x2000), NOTIMP),
        (HEADER.pack(1, 0, 0, 0, 0, 0), FORMERR),
        (HEADER.pack(1, 0, 2, 0, 0, 0) + b"\0\0\1\0\1" * 2, FORMERR),
        (HEADER.pack(1, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", FORMERR),
        (HEADER.pack(1, 0, 1, 0, 0, 0) + b"\3we", FORMERR),
        (ask(".".join(["a" * 63] * 4)), FORMERR),
        (ask("web")[:-1], FORMERR),
        (ask("web", counts=1), FORMERR),
        (ask("web", extra=opt() + opt(), counts=2), FORMERR),
        (ask("web", extra=opt(version=1), counts=1), message.BADVERS),
        (ask("web", extra=b"\0" + RECORD.pack(41, 512, 0, 9), counts=1), FORMERR),
    ],
)
def test_what_is_no_question_is_refused(data: bytes, rcode: int) -> None:
    with pytest.raises(Malformed) as caught:
        message.parse(data)
    assert caught.value.rcode == rcode
    if rcode >= 0:
        refusal = message.refusal(data, rcode)
        assert refusal[:2] == data[:2] and refusal[2] & 0x80 and message.rcode_of(refusal) == rcode & 15


@given(st.binary(max_size=600))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        question = message.parse(data)
    except Malformed:
        return
    assert data[12:].startswith(question.section)
    message.answer(question, [message.record(A, 600, bytes(4))], question.size)


@given(st.data())
def test_a_broken_question_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(ask("web.some-network.example", extra=opt(), counts=1))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        message.parse(bytes(whole))
    except Malformed as error:
        assert error.rcode in (-1, FORMERR, NOTIMP, message.BADVERS)


LABEL = st.binary(min_size=1, max_size=63)


@given(st.lists(LABEL, max_size=3))
def test_any_labels_make_a_name(labels: list[bytes]) -> None:
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    question = message.parse(HEADER.pack(1, 0, 1, 0, 0, 0) + wire + b"\0\1\0\1")
    assert question.section[:-4] == wire
    if labels:
        assert question.name.replace("\\\\", "").replace("\\.", "").count(".") == len(labels) - 1


def test_an_answer_is_cut_to_what_the_asker_takes() -> None:
    question = message.parse(ask("web"))
    records = [message.record(A, 600, bytes(4)) for _ in range(100)]
    cut = message.answer(question, records, 512)
    assert len(cut) <= 512 and HEADER.unpack_from(cut)[1] & message.TC
    assert HEADER.unpack_from(cut)[3] == (512 - 12 - len(question.section)) // 16
    whole = message.answer(question, records, message.MAX_SIZE)
    assert HEADER.unpack_from(whole)[3] == 100 and not HEADER.unpack_from(whole)[1] & message.TC


def test_only_the_answer_to_our_question_counts() -> None:
    question = message.parse(ask("Web"))
    answer = message.answer(question, [], 512)
    assert message.answers(answer, 7, question.section)
    assert message.answers(answer.replace(b"Web", b"wEB"), 7, question.section)
    assert not message.answers(answer, 8, question.section)
    assert not message.answers(answer.replace(b"Web", b"Wob"), 7, question.section)
    assert not message.answers(ask("Web"), 7, question.section)
    assert not message.answers(answer[:9], 7, question.section)


@given(st.binary(max_size=100))
def test_any_bytes_may_come_from_a_server(data: bytes) -> None:
    assert not message.answers(data, 70000, b"\3web\0\0\1\0\1")


@pytest.mark.parametrize("name", ["a..b", "a" * 64, "", ".".join(["a" * 60] * 5)])
def test_a_name_no_message_can_hold(name: str) -> None:
    with pytest.raises(ValueError, match="not a domain name"):
        message.name_bytes(name)
