"""Port 53 of 127.0.0.11 leads to our sockets, which have ports nobody needs.

They do not sit on port 53: a DNS server in the container could not listen on 0.0.0.0:53 then.
"""

from __future__ import annotations

import _socket

from dockwright.kernel import nft_messages

TABLE, CHAIN = "dockwright-names", "output"
PORT = 53


def redirect(address: str, udp: int, tcp: int) -> None:
    """Lead port 53 of `address`, in this network namespace, to the ports `udp` and `tcp` of the same address.

    What a netd that died has left is replaced; deleting waits for a grace period of the kernel (10 ms), so only then.

    Raises:
        OSError: the kernel refused, or has no nf_tables.
    """
    rest = [
        nft_messages.output_nat_chain(TABLE, CHAIN),
        nft_messages.redirect(TABLE, CHAIN, _socket.IPPROTO_UDP, address, PORT, udp),
        nft_messages.redirect(TABLE, CHAIN, _socket.IPPROTO_TCP, address, PORT, tcp),
    ]
    try:
        nft_messages.run([nft_messages.table(TABLE, fresh=True), *rest])
    except FileExistsError:
        nft_messages.run([nft_messages.delete_table(TABLE), nft_messages.table(TABLE), *rest])
