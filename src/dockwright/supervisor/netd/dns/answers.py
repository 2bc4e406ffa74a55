"""A question and what the directory knows, to an answer. Pure but for the order of several addresses, which is drawn."""

from __future__ import annotations

from _random import Random

from dockwright.supervisor.netd.dns import message
from dockwright.supervisor.netd.dns.message import AAAA, ANY, PTR, SRV, A, Question
from dockwright.supervisor.netd.dns.names import Directory, Found, Network, Record, View

TTL = 600
_LENGTHS = {A: 4, AAAA: 16}
_random = Random()


class Answer:
    """What to say.

    Attributes:
        records: for `message.answer`. why: in words, for who asks how it came about.
    """

    __slots__ = ("records", "why")

    def __init__(self, records: list[bytes], why: str) -> None:
        self.records, self.why = records, why


def answer(directory: Directory, view: View, question: Question) -> Answer | None:
    """What we know about `question`; None: others are to be asked.

    A name that we know and that has nothing of the kind asked for gets an empty answer (NODATA), whatever the kind: the
    host's servers would deny that it exists.
    """
    if question.klass != message.IN:
        return None
    if question.kind == PTR:
        return _pointer(directory, view, question)
    if question.kind == SRV and question.name.startswith("_"):
        return _service(directory, view, question)
    found = directory.find(view, question.name)
    if found is not None:
        return Answer(shuffled(_addresses(found, question.kind)), found.why)
    if view.ndots and question.kind in _LENGTHS and "." not in question.name:
        return Answer([], "nobody has it, and with ndots set a single label is not asked of servers")
    return None


def _addresses(found: Found, kind: int) -> list[bytes]:
    wanted = (A, AAAA) if kind == ANY else (kind,)
    return [
        message.record(each, TTL, address)
        for each in wanted
        for address in found.addresses()
        if len(address) == _LENGTHS.get(each)
    ]


def shuffled(records: list[bytes]) -> list[bytes]:
    """The records in an order of chance, so that clients that take the first one spread."""
    for last in range(len(records) - 1, 0, -1):
        other = int(_random.random() * (last + 1))
        records[last], records[other] = records[other], records[last]
    return records


def _pointer(directory: Directory, view: View, question: Question) -> Answer | None:
    """NAME.NETWORK of an address of one of the container's networks."""
    address = reversed_address(question.name)
    owner = directory.owner(view, address) if address else None
    if owner is None:
        return None
    record, network = owner
    target = _target(record, network)
    records = [message.record(PTR, TTL, target)] if target else []
    return Answer(records, f"an address on network {network.name}")


def _target(record: Record, network: Network) -> bytes:
    """NAME.NETWORK as DNS tells it; empty if no message can hold it."""
    try:
        return message.name_bytes(f"{record.names[0]}.{network.name}")
    except ValueError:
        return b""


def reversed_address(name: str) -> bytes | None:
    """The address a name below in-addr.arpa (RFC 1035 3.5) or ip6.arpa (RFC 3596 2.5) stands for."""
    labels = name.split(".")
    labels.reverse()
    try:
        if labels[:2] == ["arpa", "in-addr"] and len(labels) == 6:
            return bytes(map(int, labels[2:]))
        if labels[:2] == ["arpa", "ip6"] and len(labels) == 34 and all(len(digit) == 1 for digit in labels[2:]):
            return bytes.fromhex("".join(labels[2:]))
    except ValueError:
        return None
    return None


def _service(directory: Directory, view: View, question: Question) -> Answer | None:
    """Where `_PORT._PROTOCOL.NAME` is served (RFC 2782): by each holder of the name that exposes the port."""
    service, _, rest = question.name.partition(".")
    protocol, _, name = rest.partition(".")
    found = directory.find(view, name) if name else None
    if found is None:
        return None
    port = (int(service[1:]), protocol[1:]) if service[1:].isdecimal() and len(service) < 7 else (0, "")
    records = []
    for record in found.records:
        if port in record.ports and (target := _target(record, found.network)):
            records.append(message.record(SRV, TTL, bytes(4) + port[0].to_bytes(2, "big") + target))
    return Answer(shuffled(records), found.why)
