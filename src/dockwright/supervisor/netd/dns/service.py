"""What daemons ask netd about names: the directory, the resolvers, and how an answer comes about."""

from __future__ import annotations

import _socket
import errno

from dockwright.supervisor.netd.dns import answers, message
from dockwright.supervisor.netd.dns.names import Record, View
from dockwright.supervisor.netd.dns.resolver import Common, Resolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from dockwright.supervisor.netd.loop import Loop

    Message = dict[str, Any]


class Names:
    """The resolvers by owner, and the directory they answer from."""

    def __init__(self, loop: Loop) -> None:
        self.common = Common(loop)
        self.resolvers: dict[str, Resolver] = {}

    def __len__(self) -> int:
        return len(self.resolvers)

    def held(self) -> dict[str, str]:
        """Owners and the network namespaces they are served in."""
        return {owner: resolver.namespace.path for owner, resolver in self.resolvers.items()}

    def handle(self, operation: str, request: Message) -> Message | None:
        """Do what `request` asks and answer it; None for an operation that is not ours."""
        directory = self.common.directory
        if operation == "name":
            network = directory.network(request["network"], request["called"])
            network.add(request["endpoint"], record_of(request["record"]))
        elif operation == "unname":
            directory.forget(request["network"], request["endpoint"])
        elif operation == "directory":
            directory.networks.clear()
            for ident, (name, records) in request["networks"].items():
                network = directory.network(ident, name)
                for endpoint, row in records.items():
                    network.add(endpoint, record_of(row))
        elif operation == "resolve":
            return self._resolve(request["owner"], request["namespace"], view_of(request["view"]))
        else:
            return None
        return {}

    def _resolve(self, owner: str, path: str, view: View) -> Message:
        resolver = self.resolvers.get(owner)
        if resolver and resolver.namespace.path == path:
            resolver.view = view
            return {}
        self.release(owner)
        try:
            self.resolvers[owner] = Resolver(self.common, path, view)
        except OSError as error:
            return {"errno": error.errno}
        return {}

    def explain(self, owner: str, name: str, kind: int, say: Callable[[Message], None]) -> Message | None:
        """The answer `owner` would get, and why; the sockets are left out."""
        resolver = self.resolvers.get(owner)
        if resolver is None:
            return {"errno": errno.ENOENT}
        try:
            data = (
                bytes(2)
                + b"\1\0\0\1"
                + bytes(6)
                + message.name_bytes(name.rstrip("."))
                + bytes((0, kind, 0, message.IN))
            )
            question = message.parse(data)
        except (ValueError, message.Malformed):
            return {"errno": errno.EINVAL}
        found = answers.answer(self.common.directory, resolver.view, question)
        if found is not None:
            return {"answer": message.answer(question, found.records, message.MAX_SIZE), "why": [found.why]}
        resolver.forward(question, data, True, lambda answer, tried: say({"answer": answer, "why": tried}))
        return None

    def release(self, owner: str) -> None:
        """Answer `owner` no more."""
        if resolver := self.resolvers.pop(owner, None):
            resolver.close()


def packed(address: str) -> bytes:
    """The bytes of an address. Raises OSError for a text that is none."""
    return _socket.inet_pton(_socket.AF_INET6 if ":" in address else _socket.AF_INET, address)


def record_of(row: Any) -> Record:
    """A record as it travels, read."""
    names, addresses, ports = row
    return Record(list(names), [packed(address) for address in addresses], [(port, kind) for port, kind in ports])


def view_of(row: Message) -> View:
    """A view as it travels, read."""
    gateways = [packed(address) for address in row["gateways"]]
    return View(row["networks"], row["links"], gateways, row["servers"], row["ndots"], row["outside"])
