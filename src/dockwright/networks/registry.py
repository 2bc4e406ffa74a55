"""The networks there are: found by id, name or prefix; made and removed, each as a row, a link and rules of the firewall.

    create   row, link, rules           an error takes the earlier ones back
    remove   row says so, rules, addresses      then the answer; the row is the journal of what is left
    finish   link, row                  later (`endings`); the next daemon goes on with it
"""

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from dockwright.base.errors import Conflict as Taken
from dockwright.base.errors import EngineError, Forbidden, InvalidParameter, NotFound
from dockwright.base.ids import new_id
from dockwright.base.times import now
from dockwright.kernel import netlink
from dockwright.networks import creation, forwarding, subnets
from dockwright.networks.config import NetworkConfig
from dockwright.networks.drivers import Driver
from dockwright.networks.drivers.bridge import BridgeDriver
from dockwright.networks.drivers.cni import CniDriver
from dockwright.networks.drivers.plain import PlainDriver
from dockwright.networks.drivers.stacked import IpvlanDriver, MacvlanDriver
from dockwright.networks.endings import Endings
from dockwright.networks.firewall.firewall import Firewall
from dockwright.networks.firewall.model import BridgeRules
from dockwright.networks.network import Network
from dockwright.networks.store import Store
from dockwright.types.network import NetworkCreateRequest

log = logging.getLogger("dockwright.networks")
DRIVERS: dict[str, Driver] = {
    "bridge": BridgeDriver(), "macvlan": MacvlanDriver(), "ipvlan": IpvlanDriver(), "cni": CniDriver(),
    "host": PlainDriver(), "null": PlainDriver(),
}  # fmt: skip


class Registry:
    """All networks of one data root.

    Args:
        firewall: None where the engine writes no rules. owner: the mark of our links.

    Attributes:
        endings: what is left of removed networks.
    """

    def __init__(self, store: Store, config: NetworkConfig, firewall: Firewall | None, owner: str) -> None:
        self._store, self._config, self._firewall, self._owner = store, config, firewall, owner
        self._by_id: dict[str, Network] = {}
        self._by_name: dict[str, Network] = {}
        self._lock = asyncio.Lock()
        self.endings = Endings(self._finish)

    def __iter__(self) -> Iterator[Network]:
        return iter(tuple(self._by_id.values()))

    def get(self, ident: str) -> Network | None:
        """By full id."""
        return self._by_id.get(ident)

    def named(self, name: str) -> Network | None:
        """By exact name."""
        return self._by_name.get(name)

    def resolve(self, ref: str) -> Network:
        """By full id, name, or unique prefix of an id.

        Raises:
            NotFound, InvalidParameter: in Docker's words.
        """
        found = self._by_id.get(ref) or self._by_name.get(ref)
        if found:
            return found
        matches = [item for ident, item in self._by_id.items() if ref and ident.startswith(ref)]
        if len(matches) > 1:
            raise InvalidParameter(f"network {ref} is ambiguous ({len(matches)} matches found based on ID prefix)")
        if not matches:
            raise NotFound(f"network {ref} not found")
        return matches[0]

    def driver(self, network: Network) -> Driver:
        """The driver of a network."""
        return DRIVERS[network.driver]

    # at start

    async def load(self) -> None:
        """Take up the user's networks of an earlier daemon: those whose removal had begun go, the others' links come back."""
        for network in self._store.networks():
            if network.removing:
                await self._finish(network)
            else:
                self._add(network)

    async def make_links(self) -> None:
        """Make the links of the user's networks, or find them. One that cannot be made is told, and keeps its row."""
        with netlink.Netlink() as link:
            uplink = subnets.uplink_mtu(link)
        for network in self:
            network.uplink = uplink
            if network.predefined or network.config_only:
                continue
            try:
                await asyncio.to_thread(self.driver(network).make, network, self._owner)
            except EngineError as error:
                log.error("network %s: %s", network.name, error.message)
        forwarding.ensure(self._config.ip_forward, any(network.ipv6 for network in self))

    def holders(self) -> list[subnets.Holder]:
        """Who has which subnet."""
        return [subnets.Holder(pool.subnet, f"network {item.name}") for item in self for pool in item.used_pools]

    async def add_predefined(self, network: Network) -> None:
        """Give a predefined network the id it had before, or a new one."""
        known = self._store.predefined().get(network.name)
        network.id, network.created = known or (new_id(), now())
        if not known:
            await self._store.save_network(network)
        self._add(network)

    def _add(self, network: Network) -> None:
        self._by_id[network.id] = self._by_name[network.name] = network

    def _drop(self, network: Network) -> None:
        self._by_id.pop(network.id, None)
        if self._by_name.get(network.name) is network:
            del self._by_name[network.name]

    def rules(self) -> list[BridgeRules]:
        """What the firewall must know."""
        return [self._rules_of(network) for network in self if network.driver == "bridge" and network.link]

    def _rules_of(self, network: Network) -> BridgeRules:
        rules = rules_of(network)
        return rules if self._config.ip6tables else replace(rules, subnet6=None)

    # the user's

    async def create(self, request: NetworkCreateRequest) -> Network:
        """Make a network; an error leaves nothing behind.

        Raises:
            EngineError: in Docker's words.
        """
        creation.check(request)
        async with self._lock:
            network = await self._planned(request)
            self._add(network)
        try:
            await self._store.save_network(network)
            await self._make(network)
        except BaseException:
            self._drop(network)
            await self._undo(network)
            raise
        return network

    async def _planned(self, request: NetworkCreateRequest) -> Network:
        """The network as it will be, with subnets that nobody else has."""
        if request.Name in self._by_name:
            raise Taken(f"network with name {request.Name} already exists")
        source = self._source(request)
        network = creation.planned(request, new_id(), now(), source, self._config.driver_options)
        if network.driver not in DRIVERS:
            raise NotFound(f'plugin "{network.driver}" not found')
        given = creation.configs(request, source)
        host, network.uplink = await asyncio.to_thread(self._host)
        gateways = network.driver == "bridge"
        if not DRIVERS[network.driver].external:
            network.pools = creation.pools(network, given, self._config.network_pools, self, host, gateways)
        elif given:
            raise InvalidParameter(f"the addresses of a {network.driver} network are its plug-ins' own business")
        if not network.config_only:
            DRIVERS[network.driver].check(network, list(self))
            await self.endings.gone(network.link)
        return network

    def _source(self, request: NetworkCreateRequest) -> Network | None:
        """The configuration that a request names."""
        name = (request.ConfigFrom.Network if request.ConfigFrom else "") or ""
        if not name:
            return None
        try:
            source = self.resolve(name)
        except EngineError:
            source = None
        if source is None or not source.config_only:
            raise NotFound(f'configuration network "{name}" does not exist')
        return source

    def _host(self) -> tuple[list[subnets.Holder], int]:
        """Who has which subnet on the host, and the MTU of its way out."""
        with netlink.Netlink() as link:
            return subnets.occupied(link, self._owner), subnets.uplink_mtu(link)

    async def _make(self, network: Network) -> None:
        """Its link and rules."""
        if network.config_only:
            return
        await asyncio.to_thread(self.driver(network).make, network, self._owner)
        forwarding.ensure(self._config.ip_forward, network.ipv6)
        if self._firewall and network.driver == "bridge":
            await self._firewall.add(self._rules_of(network))

    async def _undo(self, network: Network) -> None:
        """A creation that failed half-way."""
        try:
            await self._finish(network)
        except (EngineError, OSError, sqlite3.Error) as error:
            log.error("network %s is not wholly undone, the next daemon tries again: %s", network.name, error)

    async def learned(self, network: Network) -> None:
        """Keep what a driver has learned of a network."""
        await self._store.save_network(network)

    def refuse(self, network: Network) -> None:
        """Raises Forbidden for a network that stays: the engine's own, a configuration that others were made from."""
        if network.predefined:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        if any(network.config_only and other.config_from == network.name for other in self):
            raise Forbidden(f'error while removing network: configuration network "{network.name}" is in use')

    async def remove(self, network: Network) -> None:
        """Remove a network that nobody uses.

        Raises:
            NotFound: somebody else has begun to. Internal: the firewall refused; the next daemon tries again.
        """
        if network.removing:
            raise NotFound(f"network {network.name} not found")
        network.removing = True
        self._drop(network)
        await self._store.retire_network(network)
        if network.config_only:
            await self._store.drop_network(network.id)
            return
        if self._firewall and network.driver == "bridge":
            await self._firewall.remove(network.link)
        self.driver(network).retire(network, self._owner)
        self.endings.add(network)

    async def _finish(self, network: Network) -> None:
        """Rules, link and row go. Raises Internal, OSError."""
        if not network.config_only:
            if self._firewall and network.driver == "bridge":
                await self._firewall.remove(network.link)
            if not any(other.link == network.link for other in self):
                await asyncio.to_thread(self.driver(network).remove, network, self._owner)
        await self._store.drop_network(network.id)


def rules_of(network: Network) -> BridgeRules:
    """What the firewall must know of a bridge."""
    settings = network.settings
    four, six = (next((pool.subnet for pool in network.of_family(version)), None) for version in (4, 6))
    return BridgeRules(
        network.link, four, settings.icc, settings.masquerade, network.internal, six, settings.source4, settings.source6,  # type: ignore[arg-type]
        settings.mode4 == "nat-unprotected", settings.mode6 == "nat-unprotected", settings.trusted,
        settings.mode4 == "routed", settings.mode6 == "routed",
    )  # fmt: skip
