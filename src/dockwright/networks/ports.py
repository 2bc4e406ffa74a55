"""Publishing a container's ports: choosing and reserving them (connect), opening (activate), closing (release).

A port is reserved by a socket that netd binds, so no other program of the host can have it meanwhile; the firewall's map
then carries remote packets straight to the container.
"""

import errno
import logging
import os
from collections.abc import Iterable

from dockwright.base.errors import EngineError, Internal, InvalidParameter
from dockwright.base.steps import Step
from dockwright.grammar.ports import PortError, Publication
from dockwright.networks import hostports
from dockwright.networks.config import NetworkConfig
from dockwright.networks.firewall.firewall import Firewall
from dockwright.networks.firewall.model import Published
from dockwright.networks.network import Endpoint
from dockwright.networks.publish import ALL_ALLOCATED, ANY4, ANY6, Binding, Key, addresses_of, fits, publications
from dockwright.networks.request import SandboxRequest
from dockwright.supervisor.netd_client import NetdClient, PortTaken

log = logging.getLogger("dockwright.networks")


class Ports:
    """The published ports of all endpoints.

    Args:
        netd: holds them. firewall: carries to them; None where the engine writes no rules (netd carries alone then).
        default: host addresses of ports published without one. proxy: netd carries what no rule does.
    """

    def __init__(self, netd: NetdClient, firewall: Firewall | None, default: list[str], proxy: bool = True) -> None:
        self._netd, self._firewall, self._default, self._proxy = netd, firewall, default, proxy
        self._host = hostports.read()
        self._ipv6 = os.path.exists("/proc/sys/net/ipv6")

    async def reserve(self, endpoint: Endpoint, request: SandboxRequest) -> None:
        """Choose the host ports `request` wants and bind them; `endpoint.bindings` says which.

        Raises:
            InvalidParameter: a malformed binding. Internal: a port is taken; nothing is reserved then (Docker's texts).
        """
        wanted = _publications(request)
        try:
            for publication in wanted:
                endpoint.bindings += await self._reserve(endpoint, publication, set())
        except EngineError as error:
            await self.close(endpoint)
            raise _told(endpoint, error) from None

    async def _reserve(self, endpoint: Endpoint, wanted: Publication, own: set[Key]) -> list[Binding]:
        """The bindings of one publication: the same number on each of its addresses.

        Args:
            own: what the endpoint has and may take over; what it takes over goes out of it.
        """
        found = [Binding(wanted.protocol, ANY6 if six == 6 else ANY4, 0, wanted.port) for six in endpoint.direct]
        addresses = self._addresses(endpoint, wanted)
        if not addresses:
            return found
        refusal: PortTaken | None = None
        for port in self._host.choices(wanted.protocol, addresses, wanted.host_port, own):
            bindings = [Binding(wanted.protocol, address, port, wanted.port) for address in addresses]
            fresh = [binding for binding in bindings if binding.key not in own]
            self._host.take(wanted.protocol, addresses, port, own)
            instead = [key for key in own if (key[0], key[2]) == (wanted.protocol, port) and key[1] not in addresses]
            try:
                await self._netd.reserve(endpoint.id, [binding.key for binding in fresh], instead)
            except PortTaken as error:
                self._give_back(fresh)
                refusal = error
            except EngineError:
                self._give_back(fresh)
                raise
            else:
                own.difference_update(binding.key for binding in bindings)
                return [*bindings, *found]
        raise refused(refusal)

    def _addresses(self, endpoint: Endpoint, wanted: Publication) -> list[str]:
        """The host addresses of a publication: none of a family in which the container is reached at its own address."""
        chosen = endpoint.published_on
        default = [chosen] if chosen not in ("", ANY4) else self._default
        found = addresses_of(wanted, default, self._six(endpoint))
        return [address for address in found if (6 if ":" in address else 4) not in endpoint.direct]

    async def change(self, endpoint: Endpoint, request: SandboxRequest) -> None:
        """Publish what `request` wants instead of what `endpoint` publishes now. What stays is not interrupted.

        Raises:
            InvalidParameter: a malformed binding. Internal: a port is taken; everything is as before then.
        """
        before = list(endpoint.bindings)
        own, after = {binding.key for binding in of_host(before)}, list[Binding]()
        try:
            for publication in _publications(request):
                kept = self._kept(endpoint, publication, before, own)
                after += kept or await self._reserve(endpoint, publication, own)
            await self._exchange(endpoint, before, after)
        except EngineError as error:
            await self._let_go(endpoint, after, before)
            await self._netd.reserve(endpoint.id, [binding.key for binding in of_host(before)])
            await self.open(endpoint)
            raise _told(endpoint, error) from None
        endpoint.bindings = after
        await self._let_go(endpoint, before, after)

    def _six(self, endpoint: Endpoint) -> bool:
        """Whether an IPv6 address of the host can lead to it."""
        return self._ipv6 and (self._proxy or endpoint.address6 is not None)

    def _kept(self, endpoint: Endpoint, wanted: Publication, before: list[Binding], own: set[Key]) -> list[Binding]:
        """What is published already and is what `wanted` asks for; nothing if an address lacks."""
        addresses = self._addresses(endpoint, wanted)
        fitting = [binding for binding in before if binding.key in own and fits(binding, wanted)]
        for port in dict.fromkeys(binding.host_port for binding in fitting):
            found = [binding for binding in fitting if binding.host_port == port and binding.host_ip in addresses]
            if len(found) == len(addresses):
                own.difference_update(binding.key for binding in found)
                return found
        return []

    async def _exchange(self, endpoint: Endpoint, before: list[Binding], after: list[Binding]) -> None:
        """Rules and targets of a running container's ports, from `before` to `after`. Raises Internal; undone then."""
        old, new = _lacking(before, after), _lacking(after, before)
        if not endpoint.active or not endpoint.addresses:
            return
        if self._firewall:
            await self._firewall.exchange(led(endpoint, old), led(endpoint, new))
        try:
            await self._carry(endpoint, new)
        except (PortTaken, EngineError) as error:
            if self._firewall:
                await self._firewall.exchange(led(endpoint, new), led(endpoint, old))
            await self._carry(endpoint, old)
            raise refused(error) if isinstance(error, PortTaken) else error from None

    async def _let_go(self, endpoint: Endpoint, some: list[Binding], kept: list[Binding]) -> None:
        """Give up the host ports of `some` that are not among those of `kept`."""
        keys = {binding.key for binding in kept}
        gone = [binding for binding in of_host(some) if binding.key not in keys]
        if gone:
            await self._netd.release(endpoint.id, [binding.key for binding in gone])
            self._give_back(gone)

    async def hand_over(self, endpoint: Endpoint, bindings: list[Binding]) -> None:
        """Reserve for `endpoint` what another one had: the same host ports. Raises Internal; nothing is reserved then."""
        taken: list[Binding] = []
        try:
            for binding in bindings:
                self._host.take(binding.protocol, [binding.host_ip], binding.host_port)
                taken.append(binding)
            await self._netd.reserve(endpoint.id, [binding.key for binding in bindings])
        except (EngineError, PortTaken) as error:
            self._give_back(taken)
            raise refused(error) if isinstance(error, PortTaken) else error from None
        endpoint.bindings = list(bindings)

    def _give_back(self, bindings: Iterable[Binding]) -> None:
        for binding in bindings:
            self._host.give_back(binding.key)

    def planned(self, endpoint: Endpoint) -> list[Step]:
        """What `rule` will do."""
        return [self._firewall.planned(published(endpoint))] if self._firewall and endpoint.bindings else []

    async def rule(self, endpoint: Endpoint) -> list[Step]:
        """The firewall's part of opening `endpoint`'s ports: the step that was done. Raises Internal."""
        return [await self._firewall.publish(published(endpoint))] if self._firewall and endpoint.bindings else []

    async def open(self, endpoint: Endpoint) -> None:
        """Let netd carry what the firewall does not: loopback, IPv6, everything while the table is away.

        Raises:
            Internal: the port went to somebody else meanwhile.
        """
        if of_host(endpoint.bindings) and endpoint.addresses:
            try:
                await self._carry(endpoint, endpoint.bindings)
            except PortTaken as error:
                raise refused(error) from None

    async def _carry(self, endpoint: Endpoint, bindings: list[Binding]) -> None:
        """Let netd carry; without a proxy it only holds the ports. Raises PortTaken, Internal."""
        if self._proxy:
            await self._netd.open(endpoint.id, targets(endpoint, bindings))

    async def close(self, endpoint: Endpoint) -> None:
        """Close and give up `endpoint`'s ports."""
        if not endpoint.bindings:
            return
        if self._firewall:
            try:
                await self._firewall.exchange(published(endpoint), [])
            except EngineError as error:
                log.error("cannot close the ports of %s: %s", endpoint.name, error.message)
        try:
            await self._netd.release(endpoint.id)
        except EngineError as error:  # one that has died holds nothing
            log.warning("the ports of %s: %s", endpoint.name, error.message)
        self._give_back(endpoint.bindings)
        endpoint.bindings = []
        endpoint.active = False

    async def restore(self, endpoints: Iterable[Endpoint]) -> None:
        """After a restart: netd still holds its ports; what it holds for nobody goes, what it lost is reserved again."""
        known = {endpoint.id: endpoint for endpoint in endpoints if of_host(endpoint.bindings)}
        for endpoint in known.values():
            for binding in of_host(endpoint.bindings):
                self._host.take(binding.protocol, [binding.host_ip], binding.host_port)
        adopted = await self._netd.adopt()
        for owner in [owner for owner in self._netd.held if owner not in known] if adopted else ():
            await self._netd.release(owner)
        await self.again(endpoint for endpoint in known.values() if not adopted or endpoint.id not in self._netd.held)

    async def again(self, endpoints: Iterable[Endpoint]) -> bool:
        """Reserve and open once more what netd held before it died. False: netd has died again meanwhile."""
        for endpoint in endpoints:
            try:
                await self._netd.reserve(endpoint.id, [binding.key for binding in of_host(endpoint.bindings)])
                if endpoint.active:
                    await self.open(endpoint)
            except PortTaken as error:
                log.error("the published ports of %s cannot be held again: %s", endpoint.name, error)
            except EngineError as error:
                log.error("the published ports of %s cannot be held again: %s", endpoint.name, error.message)
                if not self._netd.pid:
                    return False
        return True


def default_addresses(config: NetworkConfig) -> list[str]:
    """Where ports without an address are published: everywhere, at the daemon's address, or for this host only."""
    if config.default_ip != ANY4:
        return [config.default_ip]
    return ["127.0.0.1", "::1"] if config.published_ports == "localhost" else [ANY4, ANY6]


def _publications(request: SandboxRequest) -> list[Publication]:
    try:
        return publications(request)
    except PortError as error:
        raise InvalidParameter(str(error)) from None


def _told(endpoint: Endpoint, error: EngineError) -> EngineError:
    """A refusal in Docker's words."""
    if isinstance(error, InvalidParameter):
        return error
    head = f"driver failed programming external connectivity on endpoint {endpoint.name} ({endpoint.id}): "
    return Internal(f"failed to set up container networking: {head}{error.message}")


def _lacking(some: list[Binding], others: list[Binding]) -> list[Binding]:
    return [binding for binding in some if binding not in others]


def published(endpoint: Endpoint) -> list[Published]:
    """All bindings, each with the address it leads to."""
    return led(endpoint, endpoint.bindings)


def led(endpoint: Endpoint, bindings: Iterable[Binding]) -> list[Published]:
    """Bindings with the container's address they lead to: that of their own family, if it has one."""
    four, six = endpoint.address or endpoint.address6, endpoint.address6 or endpoint.address
    return [(binding, str(six if ":" in binding.host_ip else four)) for binding in bindings]


def targets(endpoint: Endpoint, bindings: Iterable[Binding]) -> list[tuple[str, str, int, str, int]]:
    """The same for netd."""
    return [(*binding.key, address, binding.port) for binding, address in led(endpoint, of_host(bindings))]


def of_host(bindings: Iterable[Binding]) -> list[Binding]:
    """Those that have a port of the host."""
    return [binding for binding in bindings if not binding.direct]


def refused(error: PortTaken | None) -> Internal:
    """Docker's words for a port that another program of the host has."""
    if error is None:
        return Internal(ALL_ALLOCATED)
    protocol, address, port = error.binding
    shown = f"[{address}]" if ":" in address else address
    why = "address already in use" if error.errno == errno.EADDRINUSE else os.strerror(error.errno).lower()
    return Internal(f"failed to bind host port {shown}:{port}/{protocol}: {why}")
