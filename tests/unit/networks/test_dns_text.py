"""DNS answers for people: every type we write out, compressed names, broken messages."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockwright.base.errors import InvalidParameter
from dockwright.networks import dns_text

HEADER = struct.Struct(">HHHHHH")
QUESTION = b"\3web\5front\0\0\1\0\1"


def message(*records: tuple[int, bytes], rcode: int = 0) -> bytes:
    body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data for kind, data in records)
    return HEADER.pack(1, 0x8180 | rcode, 1, len(records), 0, 0) + QUESTION + body


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        (1, b"\xac\x12\0\2", ("A", "172.18.0.2")),
        (28, bytes(15) + b"\1", ("AAAA", "::1")),
        (5, b"\1x\xc0\x10", ("CNAME", "x.front.")),
        (12, b"\3one\0", ("PTR", "one.")),
        (15, b"\0\x0a\4mail\xc0\x0c", ("MX", "10 mail.web.front.")),
        (33, b"\0\0\0\1\0\x50\1t\0", ("SRV", "0 1 80 t.")),
        (16, b"\2hi", ("TXT", "\\# 3 026869")),
        (999, b"", ("TYPE999", "\\# 0")),
    ],
)
def test_records_are_written_out(kind: int, data: bytes, shown: tuple[str, str]) -> None:
    rcode, records = dns_text.answer(message((kind, data)))
    assert rcode == "NOERROR"
    assert records == [{"Name": "web.front.", "Type": shown[0], "TTL": 60, "Data": shown[1]}]


def test_rcodes_have_names() -> None:
    assert dns_text.answer(message(rcode=3)) == ("NXDOMAIN", [])
    assert dns_text.answer(message(rcode=11)) == ("11", [])


def test_a_broken_message_shows_what_is_whole() -> None:
    whole = message((1, b"\1\2\3\4"), (5, b"\1x\xc0\x10"))
    rcode, records = dns_text.answer(whole[:-10])
    assert "broken" in rcode and [record["Data"] for record in records] == ["1.2.3.4"]
    assert "broken" in dns_text.answer(message((5, b"\xc0\x2a")))[0]  # a name that points at itself


@given(st.binary(min_size=12, max_size=200))
def test_any_bytes_can_be_shown(data: bytes) -> None:
    dns_text.answer(data)


def test_types_by_name() -> None:
    assert dns_text.type_number("aaaa") == 28
    with pytest.raises(InvalidParameter, match="unknown record type nope"):
        dns_text.type_number("nope")
