"""DNS answers for people to read (RFC 1035 section 4, presentation of section 5). Pure."""

import struct
from ipaddress import ip_address
from typing import Any

from dockwright.base.errors import InvalidParameter

TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "HTTPS": 65, "ANY": 255,
}  # fmt: skip
NAMES = {number: name for name, number in TYPES.items()}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_HEADER, _RECORD = struct.Struct(">HHHHHH"), struct.Struct(">HHIH")
MOST_JUMPS = 64  # of compressed names; more is a loop


def type_number(name: str) -> int:
    """The number of a record type. Raises InvalidParameter."""
    try:
        return TYPES[name.upper()]
    except KeyError:
        raise InvalidParameter(f"unknown record type {name}: one of {', '.join(TYPES)}") from None


def answer(message: bytes) -> tuple[str, list[dict[str, Any]]]:
    """The rcode, and the answer section: {"Name", "Type", "TTL", "Data"} each; of a broken message what is whole."""
    _, flags, questions, count, _, _ = _HEADER.unpack_from(message)
    rcode = RCODES.get(flags & 15, str(flags & 15))
    records = []
    try:
        offset = 12
        for _ in range(questions):
            offset = name(message, offset)[1] + 4
        for _ in range(count):
            record, offset = _record(message, offset)
            records.append(record)
    except (IndexError, struct.error, ValueError):
        rcode += " (and the rest of the message is broken)"
    return rcode, records


def _record(message: bytes, offset: int) -> tuple[dict[str, Any], int]:
    owner, offset = name(message, offset)
    kind, _, ttl, length = _RECORD.unpack_from(message, offset)
    offset += _RECORD.size
    text = _data(message, kind, offset, length)
    return {"Name": owner, "Type": NAMES.get(kind, f"TYPE{kind}"), "TTL": ttl, "Data": text}, offset + length


def _data(message: bytes, kind: int, offset: int, length: int) -> str:
    data = message[offset : offset + length]
    if kind in (TYPES["A"], TYPES["AAAA"]):
        return str(ip_address(data))
    if kind in (TYPES["NS"], TYPES["CNAME"], TYPES["PTR"]):
        return name(message, offset)[0]
    if kind == TYPES["MX"]:
        return f"{int.from_bytes(data[:2], 'big')} {name(message, offset + 2)[0]}"
    if kind == TYPES["SRV"]:
        priority, weight, port = struct.unpack_from(">HHH", data)
        return f"{priority} {weight} {port} {name(message, offset + 6)[0]}"
    return f"\\# {length} {data.hex()}".rstrip()  # RFC 3597


def name(message: bytes, offset: int) -> tuple[str, int]:
    """The name at `offset`, which may be compressed (section 4.1.4), and where it ends.

    Raises:
        IndexError, ValueError: there is none.
    """
    labels, end = [], -1
    for _ in range(MOST_JUMPS * 2):
        length = message[offset]
        if length >= 0xC0:
            end = offset + 2 if end < 0 else end
            offset = (length & 0x3F) << 8 | message[offset + 1]
        elif length:
            labels.append(message[offset + 1 : offset + 1 + length].decode("utf-8", "backslashreplace"))
            offset += 1 + length
        else:
            return ".".join(labels) + ".", offset + 1 if end < 0 else end
    raise ValueError("a name that does not end")
