"""Which host ports are whose: conflicts among our own containers, and the choice of a port where none was asked for."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from dockwright.base.errors import Internal
from dockwright.grammar.ports import HIGHEST, Publication, from_bindings, parse_range
from dockwright.networks.request import SandboxRequest

ANY4, ANY6 = "0.0.0.0", "::"
RETRIES = 10
ALL_ALLOCATED = "all ports are allocated"

Key = tuple[str, str, int]  # protocol, host address, host port


@dataclass(frozen=True, slots=True)
class Binding:
    """One published port on one host address; with host port 0 it is reached at the container's own address."""

    protocol: str
    host_ip: str
    host_port: int
    port: int

    @property
    def key(self) -> Key:
        """The host's side of it: protocol, address, port."""
        return self.protocol, self.host_ip, self.host_port

    @property
    def direct(self) -> bool:
        """Without a port of the host: on networks that are routed."""
        return self.host_port == 0

    @property
    def anywhere(self) -> bool:
        """On every address of a family."""
        return self.host_ip in (ANY4, ANY6)

    @property
    def loopback(self) -> bool:
        """For the host itself only."""
        return self.host_ip.startswith("127.") or self.host_ip == "::1"


def fits(binding: Binding, wanted: Publication) -> bool:
    """Whether a published port is what `wanted` asks for, but for its address."""
    if (binding.port, binding.protocol) != (wanted.port, wanted.protocol):
        return False
    first, last = parse_range(wanted.host_port) if wanted.host_port else (1, HIGHEST)
    return first <= binding.host_port <= last


class AlreadyAllocated(Internal):
    """Another container has the port (Docker's text)."""

    def __init__(self, address: str, port: int) -> None:
        shown = f"[{address}]" if ":" in address else address
        super().__init__(f"Bind for {shown}:{port} failed: port is already allocated")


class HostPorts:
    """The host ports our containers have.

    Args:
        ephemeral: first and last port of the range for ports nobody chose.
        reserved: ports of that range the host keeps for itself.
    """

    def __init__(self, ephemeral: tuple[int, int], reserved: Iterable[int] = ()) -> None:
        self._range = ephemeral
        self._reserved = frozenset(reserved)
        self._last = ephemeral[0] - 1
        self._taken: dict[tuple[str, int], set[str]] = {}

    def free(self, protocol: str, addresses: Sequence[str], port: int, own: Collection[Key] = ()) -> str:
        """"" if `port` is free on all of `addresses`, else the first address that is not. What is in `own` counts as free."""
        taken = {address for address in self._taken.get((protocol, port), ()) if (protocol, address, port) not in own}
        return next((address for address in addresses if _clashes(address, taken)), "")

    def take(self, protocol: str, addresses: Sequence[str], port: int, own: Collection[Key] = ()) -> None:
        """Take one port on several addresses; one in `own` is taken over. Raises AlreadyAllocated; nothing is taken then."""
        if clash := self.free(protocol, addresses, port, own):
            raise AlreadyAllocated(clash, port)
        self._taken.setdefault((protocol, port), set()).update(addresses)

    def give_back(self, key: Key) -> None:
        """Make one port of one address free."""
        protocol, address, port = key
        taken = self._taken.get((protocol, port))
        if taken is not None:
            taken.discard(address)
            if not taken:
                del self._taken[(protocol, port)]

    def choices(
        self, protocol: str, addresses: Sequence[str], wanted: str, own: Collection[Key] = ()
    ) -> Iterable[int]:  # fmt: skip
        """The ports to try for `wanted`: the one, the free ones of a range, or free ephemeral ones after the last given.

        Args:
            own: what counts as free.

        Raises:
            AlreadyAllocated: the one is another container's. Internal: all of the range are.
        """
        if wanted:
            first, last = parse_range(wanted)
            free = [port for port in range(first, last + 1) if not self.free(protocol, addresses, port, own)]
            if not free:
                clash = self.free(protocol, addresses, first, own)
                raise AlreadyAllocated(clash, first) if first == last else Internal(ALL_ALLOCATED)
            return free
        return self._ephemeral(protocol, addresses)

    def _ephemeral(self, protocol: str, addresses: Sequence[str]) -> Iterable[int]:
        first, last = self._range
        size = last - first + 1
        found = 0
        for _ in range(size):
            self._last = first + (self._last + 1 - first) % size
            if self._last not in self._reserved and not self.free(protocol, addresses, self._last):
                found += 1
                yield self._last
                if found == RETRIES:
                    return
        if not found:
            raise Internal(ALL_ALLOCATED)


def _clashes(address: str, taken: set[str]) -> bool:
    """Whether `address` meets one of `taken`: a wildcard meets every address of its family."""
    if address in taken:
        return True
    six = ":" in address
    if address in (ANY4, ANY6):
        return any((":" in other) == six for other in taken)
    return (ANY6 if six else ANY4) in taken


def publications(request: SandboxRequest) -> list[Publication]:
    """What a container publishes: its PortBindings, and with --publish-all every other exposed port.

    Raises:
        grammar.ports.PortError: a malformed binding.
    """
    bindings = dict(request.port_bindings or {})
    if request.publish_all:
        for key in request.exposed:
            bindings.setdefault(key, [{}])
    return from_bindings(bindings)


def addresses_of(publication: Publication, default: Sequence[str], ipv6: bool) -> list[str]:
    """The host addresses of a publication: its own, or the default ones that this host and the protocol have."""
    if publication.host_ip:
        return [publication.host_ip]
    six = ipv6 and publication.protocol != "sctp"
    return [address for address in default if six or ":" not in address or len(default) == 1]
