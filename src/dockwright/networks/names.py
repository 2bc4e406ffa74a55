"""Names of containers on user-defined networks: told to netd, which answers inside each container at 127.0.0.11.

netd goes on without the daemon, so names work while it restarts; what is told here is the difference to what it knows.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dockwright.base.errors import EngineError, NotFound
from dockwright.networks import plans
from dockwright.networks.network import Endpoint, Network, Sandbox
from dockwright.networks.plans import Joined
from dockwright.supervisor import netd_client
from dockwright.supervisor.netd_client import NetdClient, Record, Request

log = logging.getLogger("dockwright.networks")
Told = dict[str, tuple[str, Record]]  # by network: the endpoint there, and what was told of it


class Names:
    """Keeps netd's directory and resolvers in step with the sandboxes.

    Args:
        joined: a sandbox's endpoints with their networks. key: the path of its network namespace.
        gateway: `--host-gateway-ip`: what host.docker.internal is; "" for the gateway of each network.
    """

    def __init__(
        self, netd: NetdClient, joined: Callable[[Sandbox], list[Joined]], key: Callable[[Sandbox], str], gateway: str
    ) -> None:
        self._netd, self._joined, self._key, self._gateway = netd, joined, key, gateway
        self._told: dict[str, Told] = {}  # by sandbox's id

    @property
    def serving(self) -> bool:
        """Whether a container has a resolver."""
        return bool(self._told)

    async def changed(self, sandbox: Sandbox) -> None:
        """Tell what a sandbox's endpoints are called now, and let it see names by the networks it is on now.

        Raises:
            Internal: netd cannot be started, or the kernel refused the resolver's sockets.
        """
        wanted, told = self._wanted(sandbox), self._told.get(sandbox.id, {})
        requests = _difference(told, wanted, self._joined(sandbox))
        if sandbox.active and (wanted or sandbox.id in self._told):
            self._told[sandbox.id] = wanted
            requests.append(self._resolve(sandbox))
        elif self._told.pop(sandbox.id, None) is not None:
            requests.append(netd_client.release(sandbox.id))
        await self._netd.perform(requests, start=sandbox.active)

    def _wanted(self, sandbox: Sandbox) -> Told:
        if not sandbox.active or sandbox.kind != "private":
            return {}
        pairs = [(network, endpoint) for network, endpoint in self._joined(sandbox) if not network.predefined]
        return {network.id: (endpoint.id, _record(endpoint, sandbox)) for network, endpoint in pairs}

    def _resolve(self, sandbox: Sandbox) -> Request:
        pairs = plans.ordered(self._joined(sandbox))
        return netd_client.resolve(sandbox.id, self._key(sandbox), view(sandbox, pairs, self._gateway))

    async def again(self, sandboxes: Sequence[Sandbox]) -> None:
        """Tell everything: to the netd of an earlier daemon, or to a new one. A resolver that fails is told and left out."""
        held = dict(self._netd.resolvers)
        all_wanted = {sandbox.id: self._wanted(sandbox) for sandbox in sandboxes}
        self._told = {ident: wanted for ident, wanted in all_wanted.items() if wanted or ident in held}
        serving = [sandbox for sandbox in sandboxes if sandbox.id in self._told]
        requests = [netd_client.release(owner) for owner in held if owner not in self._told]
        if serving or held:
            requests.append(netd_client.directory(self._directory(serving)))
            await self._netd.perform(requests, start=bool(serving))
        for sandbox in serving:
            try:
                await self._netd.perform([self._resolve(sandbox)])
            except EngineError as error:
                log.error("the names of %s: %s", sandbox.name, error.message)

    def _directory(self, sandboxes: Iterable[Sandbox]) -> dict[str, tuple[str, dict[str, Record]]]:
        found: dict[str, tuple[str, dict[str, Record]]] = {}
        for sandbox in sandboxes:
            for network, _ in self._joined(sandbox):
                if network.id in self._told[sandbox.id]:
                    ident, record = self._told[sandbox.id][network.id]
                    found.setdefault(network.id, (network.name, {}))[1][ident] = record
        return found

    def askers(self, sandboxes: Iterable[Sandbox]) -> list[Sandbox]:
        """One container of each of the user's networks."""
        found = {net: sandbox for sandbox in sandboxes for net in self._told.get(sandbox.id, ())}
        return list({sandbox.id: sandbox for sandbox in found.values()}.values())

    async def explain(self, askers: Iterable[Sandbox], name: str, kind: str) -> list[dict[str, Any]]:
        """The answer each container would get: rcode, records, and why it is so, in words.

        Raises:
            InvalidParameter: no such type, or no such name can be asked. NotFound: one has no resolver.
        """
        from dockwright.networks import dns_text

        number, found = dns_text.type_number(kind), []
        for sandbox in askers:
            if sandbox.id not in self._told:
                raise NotFound(f"{sandbox.name} is on no user-defined network: it asks the servers of its resolv.conf")
            said = await self._netd.explain(sandbox.id, name, number)
            rcode, records = dns_text.answer(said["answer"])
            joined = [network.name for network, _ in self._joined(sandbox)]
            found.append({"Container": sandbox.name, "Networks": joined, "Rcode": rcode, "Answer": records, "Why": said["why"]})
        return found


def _record(endpoint: Endpoint, sandbox: Sandbox) -> Record:
    exposed = [key.partition("/")[::2] for key in sandbox.exposed]
    ports = [(int(port), protocol) for port, protocol in exposed if port.isdecimal()]
    return endpoint.names, [str(address) for address in endpoint.addresses], ports


def _difference(told: Told, wanted: Told, joined: list[Joined]) -> list[Request]:
    """What netd must hear so that it knows `wanted` instead of `told`."""
    called = {network.id: network.name for network, _ in joined}
    gone = [netd_client.unname(net, was[0]) for net, was in told.items() if wanted.get(net, ("",))[0] != was[0]]
    new = [
        netd_client.name(net, called[net], ident, record)
        for net, (ident, record) in wanted.items()
        if told.get(net) != (ident, record)
    ]
    return gone + new


def view(sandbox: Sandbox, pairs: list[Joined], gateway: str) -> dict[str, Any]:
    """How a container sees names (netd.dns.names.View). Pure.

    Args:
        pairs: its endpoints, the one with the default route first. gateway: what host.docker.internal is, "" to choose.
    """
    own = [(network, endpoint) for network, endpoint in pairs if not network.predefined]
    return {
        "networks": [network.id for network, _ in own],
        "links": {network.id: dict(map(_link, endpoint.links)) for network, endpoint in own if endpoint.links},
        "gateways": [gateway] if gateway else host_addresses(pairs[0][0]) if pairs else [],
        "servers": list(sandbox.dns) or None,
        "ndots": sandbox.ndots,
        "outside": any(not network.internal for network, _ in pairs),
    }


def _link(text: str) -> tuple[str, str]:
    """`target:alias` as alias and target."""
    target, _, alias = text.partition(":")
    return alias or target, target


def host_addresses(network: Network) -> list[str]:
    """The host's own addresses on a network, one of each family."""
    gateways = [pool.gateway for version in (4, 6) for pool in network.of_family(version)[:1]]
    return [str(gateway) for gateway in gateways if gateway is not None]
