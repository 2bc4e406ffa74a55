"""DNS messages (RFC 1035 section 4, EDNS(0): RFC 6891), as far as a resolver of container names needs them. Pure.

A question is read, an answer is written; what goes to other servers and comes back stays as it is.
"""

from __future__ import annotations

from _struct import Struct
from _struct import error as struct_error  # type: ignore[attr-defined]

A, PTR, AAAA, SRV, OPT, ANY = 1, 12, 28, 33, 41, 255
IN = 1
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
QR, TC, RD, RA, CD = 0x8000, 0x0200, 0x0100, 0x0080, 0x0010
MIN_SIZE, MAX_SIZE = 512, 65535  # bytes an answer may have: UDP without EDNS (section 4.2.1), TCP (4.2.2)
OUR_SIZE = 1232  # bytes of UDP we tell to take; no network fragments that

_HEADER = Struct(">HHHHHH")  # id, flags, QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT
_QUESTION = Struct(">HH")
_RECORD = Struct(">HHIH")  # type, class, TTL, RDLENGTH; the owner's name stands before it
_SAME_NAME = b"\xc0\x0c"  # a pointer to the question's name, which is always at offset 12


class Malformed(Exception):
    """A message that is no question.

    Attributes:
        rcode: what to answer; -1: nothing, it is not even a message or already an answer.
    """

    def __init__(self, rcode: int) -> None:
        super().__init__(f"malformed DNS message (rcode {rcode})")
        self.rcode = rcode


class Question:
    """One question.

    Attributes:
        ident, flags: of the header.
        name: in lower case, without the last dot; a dot or backslash inside a label stands as RFC 1035 5.1 writes it.
        kind, klass: QTYPE, QCLASS.
        section: the question as it came; answers repeat it.
        size: bytes of UDP the asker takes.
        edns: it sent an OPT record, so the answer has one.
    """

    __slots__ = ("edns", "flags", "ident", "kind", "klass", "name", "section", "size")

    def __init__(self, ident: int, flags: int, name: str, kind: int, klass: int, section: bytes) -> None:
        self.ident, self.flags = ident, flags
        self.name, self.kind, self.klass, self.section = name, kind, klass, section
        self.size, self.edns = MIN_SIZE, False


def parse(data: bytes) -> Question:
    """The question in `data`.

    Raises:
        Malformed: with the rcode to answer.
    """
    try:
        ident, flags, questions, answers, authorities, additional = _HEADER.unpack_from(data)
    except struct_error:
        raise Malformed(-1) from None
    if flags & QR:
        raise Malformed(-1)
    if flags & 0x7800:
        raise Malformed(NOTIMP)
    if questions != 1 or answers > 1 or authorities > 1 or additional > 2:
        raise Malformed(FORMERR)
    try:
        labels, offset = _labels(data, 12)
        kind, klass = _QUESTION.unpack_from(data, offset)
        offset += 4
        question = Question(ident, flags, _text(labels), kind, klass, data[12:offset])
        if answers or authorities or additional:
            _read_edns(question, data, offset, answers + authorities + additional)
    except (IndexError, struct_error):
        raise Malformed(FORMERR) from None
    return question


def _labels(data: bytes, offset: int) -> tuple[list[bytes], int]:
    """The labels of a name that is not compressed, and where it ends. A question comes first: it has nothing to point to."""
    labels, start = [], offset
    while length := data[offset]:
        end = offset + 1 + length
        if length > 63 or end - start > 254:
            raise Malformed(FORMERR)
        labels.append(data[offset + 1 : end])
        offset = end
    return labels, offset + 1


def _text(labels: list[bytes]) -> str:
    joined = b".".join(labels)
    if joined.count(b".") >= max(len(labels), 1) or b"\\" in joined:
        joined = b".".join(label.replace(b"\\", b"\\\\").replace(b".", b"\\.") for label in labels)
    return joined.decode("utf-8", "surrogateescape").lower()


def _read_edns(question: Question, data: bytes, offset: int, count: int) -> None:
    """Find the OPT record among the records behind the question. Raises Malformed(BADVERS) for a version we do not know."""
    for _ in range(count):
        start, offset = offset, _skip_name(data, offset)
        kind, klass, ttl, length = _RECORD.unpack_from(data, offset)
        offset += 10 + length
        if offset > len(data):
            raise Malformed(FORMERR)
        if kind == OPT:
            if question.edns or data[start]:
                raise Malformed(FORMERR)
            question.edns, question.size = True, max(klass, MIN_SIZE)
            if ttl >> 16 & 0xFF:
                raise Malformed(BADVERS)


def _skip_name(data: bytes, offset: int) -> int:
    while length := data[offset]:
        if length >= 0xC0:
            return offset + 2
        if length > 63:
            raise Malformed(FORMERR)
        offset += 1 + length
    return offset + 1


def record(kind: int, ttl: int, data: bytes) -> bytes:
    """A resource record that belongs to the question's name."""
    return _SAME_NAME + _RECORD.pack(kind, IN, ttl, len(data)) + data


def name_bytes(name: str) -> bytes:
    """`name` as labels. Raises ValueError for one that no message can hold."""
    labels = [label.encode("utf-8", "surrogateescape") for label in name.split(".")]
    found = b"".join(bytes((len(label),)) + label for label in labels if 0 < len(label) < 64) + b"\0"
    if len(found) > 255 or not all(0 < len(label) < 64 for label in labels):
        raise ValueError(f"not a domain name: {name}")
    return found


def answer(question: Question, records: list[bytes], size: int, rcode: int = NOERROR) -> bytes:
    """The answer to `question`: cut to `size` bytes, and then marked as cut (TC).

    Args:
        records: made by `record`. size: how long the message may be.
    """
    extra = _opt(rcode) if question.edns else b""
    room = size - 12 - len(question.section) - len(extra)
    kept = 0
    for item in records:
        room -= len(item)
        if room < 0:
            break
        kept += 1
    flags = QR | RA | question.flags & (RD | CD) | (TC if kept < len(records) else 0) | rcode & 15
    header = _HEADER.pack(question.ident, flags, 1, kept, 0, 1 if extra else 0)
    return header + question.section + b"".join(records[:kept]) + extra


def _opt(rcode: int) -> bytes:
    """Our OPT record: root name, size, the upper bits of an extended rcode, version 0."""
    return b"\0" + _RECORD.pack(OPT, OUR_SIZE, rcode >> 4 << 24, 0)


def refusal(data: bytes, rcode: int) -> bytes:
    """The answer to a message that is no question: its header and nothing else."""
    ident, flags = _QUESTION.unpack_from(data)
    extra = _opt(rcode) if rcode > 15 else b""
    return _HEADER.pack(ident, QR | flags & 0x7900 | rcode & 15, 0, 0, 0, 1 if extra else 0) + extra


def answers(data: bytes, ident: int, section: bytes) -> bool:
    """Whether `data` answers the question `section` that was sent with id `ident`; case does not count (RFC 4343)."""
    if len(data) < 12:
        return False
    found, flags, questions, *_ = _HEADER.unpack_from(data)
    if found != ident or not flags & QR:
        return False
    return (questions == 1 and data[12 : 12 + len(section)].lower() == section.lower()) or (
        questions == 0 and rcode_of(data) != NOERROR
    )


def rcode_of(data: bytes) -> int:
    """The RCODE of a message."""
    return data[3] & 15
