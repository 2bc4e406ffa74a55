"""nftables by hand: a few rules as netlink messages (linux/netfilter/nf_tables.h), for processes that stay small.

libnftables (`kernel.nftables`) knows the whole language and weighs megabytes; this knows what redirecting a port takes.
A batch is one transaction. Numbers inside nftables attributes are big-endian.
"""

from __future__ import annotations

import _socket
import os
from _struct import Struct

from dockwright.kernel.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NLMSG_ERROR, attribute

NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES = 12, 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 0x10, 0x11
NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE, NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE = 0, 2, 3, 6
NLM_F_APPEND, NLA_F_NESTED = 0x800, 0x8000
NFPROTO_IPV4, NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST = 2, 3, -100
NFTA_TABLE_NAME = 1
NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_TYPE = 1, 3, 4, 7
NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY = 1, 2
NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS = 1, 2, 4
NFTA_LIST_ELEM, NFTA_EXPR_NAME, NFTA_EXPR_DATA, NFTA_DATA_VALUE = 1, 1, 2, 1
NFT_REG_1, NFT_REG_2, NFT_CMP_EQ, NFT_META_L4PROTO, NFT_NAT_DNAT = 1, 2, 0, 16, 1
NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER = 1, 2
_HEADER = Struct("=IHHII")
_LENGTH_TYPE = Struct("=IH")

Message = tuple[int, int, bytes]  # type, flags, attributes


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, (value & 0xFFFFFFFF).to_bytes(4, "big"))


def _string(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def _nested(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | NLA_F_NESTED, b"".join(parts))


def _expression(name: str, *parts: bytes) -> bytes:
    return _nested(NFTA_LIST_ELEM, _string(NFTA_EXPR_NAME, name), _nested(NFTA_EXPR_DATA, *parts))


def table(name: str, fresh: bool = False) -> Message:
    """add table ip NAME. `fresh`: EEXIST if it is there."""
    return NFT_MSG_NEWTABLE, NLM_F_CREATE | (NLM_F_EXCL if fresh else 0), _string(NFTA_TABLE_NAME, name)


def delete_table(name: str) -> Message:
    """delete table ip NAME, with all that is in it."""
    return NFT_MSG_DELTABLE, 0, _string(NFTA_TABLE_NAME, name)


def output_nat_chain(of: str, name: str) -> Message:
    """add chain ip TABLE NAME { type nat hook output priority dstnat; }."""
    hook = _nested(
        NFTA_CHAIN_HOOK, _number(NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT), _number(NFTA_HOOK_PRIORITY, NF_IP_PRI_NAT_DST)
    )
    body = _string(NFTA_CHAIN_TABLE, of) + _string(NFTA_CHAIN_NAME, name) + hook + _string(NFTA_CHAIN_TYPE, "nat")
    return NFT_MSG_NEWCHAIN, NLM_F_CREATE, body


def _payload(register: int, base: int, offset: int, length: int) -> bytes:
    return _expression("payload", _number(1, register), _number(2, base), _number(3, offset), _number(4, length))


def _equal(register: int, value: bytes) -> bytes:
    data = _nested(3, attribute(NFTA_DATA_VALUE, value))
    return _expression("cmp", _number(1, register), _number(2, NFT_CMP_EQ), data)


def _load(register: int, value: bytes) -> bytes:
    return _expression("immediate", _number(1, register), _nested(2, attribute(NFTA_DATA_VALUE, value)))


def redirect(of: str, chain: str, protocol: int, address: str, port: int, to: int) -> Message:
    """add rule ip TABLE CHAIN ip daddr ADDRESS PROTOCOL dport PORT dnat to ADDRESS:TO.

    Args:
        protocol: IPPROTO_TCP or IPPROTO_UDP.
    """
    packed = _socket.inet_aton(address)
    expressions = (
        _payload(NFT_REG_1, NFT_PAYLOAD_NETWORK_HEADER, 16, 4) + _equal(NFT_REG_1, packed)
        + _expression("meta", _number(1, NFT_REG_1), _number(2, NFT_META_L4PROTO)) + _equal(NFT_REG_1, bytes((protocol,)))
        + _payload(NFT_REG_1, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2) + _equal(NFT_REG_1, port.to_bytes(2, "big"))
        + _load(NFT_REG_1, packed) + _load(NFT_REG_2, to.to_bytes(2, "big"))
        + _expression("nat", _number(1, NFT_NAT_DNAT), _number(2, NFPROTO_IPV4), _number(3, NFT_REG_1), _number(5, NFT_REG_2))
    )  # fmt: skip
    body = _string(NFTA_RULE_TABLE, of) + _string(NFTA_RULE_CHAIN, chain)
    return NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, body + _nested(NFTA_RULE_EXPRESSIONS, expressions)


def run(messages: list[Message]) -> None:
    """Perform `messages` as one transaction in the network namespace of the calling thread.

    Raises:
        OSError: the first refusal; EAFNOSUPPORT or EOPNOTSUPP where the kernel has no nf_tables. Nothing was changed.
    """
    sock = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    try:
        sock.bind((0, 0))
        sock.send(_batch(messages))
        for _ in messages:
            length, kind = _LENGTH_TYPE.unpack_from(answer := sock.recv(8192))
            error = int.from_bytes(answer[16:20], "little", signed=True) if kind == NLMSG_ERROR and length >= 20 else 0
            if error:
                raise OSError(-error, os.strerror(-error), "nftables")
    finally:
        sock.close()


def _batch(messages: list[Message]) -> bytes:
    begin = _message(NFNL_MSG_BATCH_BEGIN, 0, 0, b"", resource=NFNL_SUBSYS_NFTABLES)
    end = _message(NFNL_MSG_BATCH_END, 0, len(messages) + 1, b"", resource=NFNL_SUBSYS_NFTABLES)
    inner = [
        _message(NFNL_SUBSYS_NFTABLES << 8 | kind, flags | NLM_F_ACK, number, body)
        for number, (kind, flags, body) in enumerate(messages, 1)
    ]
    return begin + b"".join(inner) + end


def _message(kind: int, flags: int, sequence: int, body: bytes, resource: int = 0) -> bytes:
    """One message: nlmsghdr, nfgenmsg (family, version, resource), attributes."""
    family = 0 if resource else NFPROTO_IPV4
    content = bytes((family, 0)) + resource.to_bytes(2, "big") + body
    return _HEADER.pack(16 + len(content), kind, flags | NLM_F_REQUEST, sequence, 0) + content
