"""The network manager: the networks there are, and each container's endpoint from connect to release.

    connect   address, host ports reserved, the sandbox's plan      before the shim makes the namespace
    activate  ports opened                                          namespace there, process not yet running
    close     ports closed                                          before the exit is answered
    release   address free again, row dropped                       after the namespace has really gone
"""

import asyncio
import logging
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dockwright.base.errors import EngineError, InvalidParameter, NotFound
from dockwright.base.ids import new_id
from dockwright.base.paths import Paths
from dockwright.base.steps import Step, perform
from dockwright.base.times import now
from dockwright.events import EventBus
from dockwright.metadata import Database
from dockwright.networks import default_bridge, files, filters, forwarding, network
from dockwright.networks.config import NetworkConfig
from dockwright.networks.drivers import Driver
from dockwright.networks.drivers.bridge import BridgeDriver, isolate_ports
from dockwright.networks.drivers.plain import HostDriver, JoinDriver, NullDriver
from dockwright.networks.firewall.firewall import Firewall
from dockwright.networks.firewall.ruleset import BridgeRules
from dockwright.networks.ipam import Pool, mac_of
from dockwright.networks.network import BRIDGE_OPTION, Endpoint, Network
from dockwright.networks.ports import Ports, published
from dockwright.networks.request import Attachment, EndpointRequest
from dockwright.networks.store import Store
from dockwright.supervisor.netd_client import NetdClient

log = logging.getLogger("dockwright.networks")
Documents = list[dict[str, Any]]
Steps = list[Step]
DRIVERS: dict[str, Driver] = {"bridge": BridgeDriver(), "host": HostDriver(), "null": NullDriver()}
GONE_WITHIN = 2.0  # seconds for the kernel to take a veth away with its namespace (DECISIONS 27)


class NetworkManager:
    """All networks of one data root."""

    def __init__(self, database: Database, paths: Paths, events: EventBus, config: NetworkConfig) -> None:
        self._paths, self._events, self._config = paths, events, config
        self._store = Store(database)
        self._netd = NetdClient(f"{paths.exec_root}/netd/s", self._netd_lost)
        self._firewall = Firewall() if config.iptables else None
        self._ports = Ports(self._netd, self._firewall, config.default_ip)
        self._networks: dict[str, Network] = {}
        self._endpoints = {endpoint.container: endpoint for endpoint in self._store.endpoints()}
        for endpoint in self._endpoints.values():
            endpoint.active = True  # until `keep_only` knows better
        self._leaving: set[asyncio.Task[None]] = set()
        self._host_gateway = config.host_gateway

    async def start(self) -> None:
        """Make the predefined networks, the firewall, and take up what an earlier daemon has left.

        Raises:
            EngineError: the bridge or the firewall cannot be made.
        """
        os.makedirs(self._paths.netns, mode=0o755, exist_ok=True)
        for name, driver in (("none", "null"), ("host", "host")):
            await self._add(Network("", name, driver, "", options={}))
        if self._config.bridge != "none":
            await self._start_bridge()
        for endpoint in self._endpoints.values():
            self._take_again(endpoint)
        await self._ports.restore(self._endpoints.values())

    async def _start_bridge(self) -> None:
        config = self._config
        if config.ip_forward:
            forwarding.ensure()
        if not config.icc:
            isolate_ports()
        choice = default_bridge.set_up(config, self._paths.data_root)
        made = Network(
            "", "bridge", "bridge", "", choice.link, Pool(choice.address.network, choice.address.ip),
            config.mtu or default_bridge.MTU, self._options(choice.link), icc=config.icc, masquerade=config.ip_masq,
        )  # fmt: skip
        await self._add(made)
        self._host_gateway = self._host_gateway or str(choice.address.ip)
        if self._firewall:
            rules = BridgeRules(made.link, choice.address.network, made.icc, made.masquerade)
            opened = [item for e in self._endpoints.values() if e.active for item in published(e)]
            await self._firewall.install([rules], opened)

    def _options(self, link: str) -> dict[str, str]:
        return {
            BRIDGE_OPTION + "default_bridge": "true",
            BRIDGE_OPTION + "enable_icc": str(self._config.icc).lower(),
            BRIDGE_OPTION + "enable_ip_masquerade": str(self._config.ip_masq).lower(),
            BRIDGE_OPTION + "host_binding_ipv4": self._config.default_ip,
            BRIDGE_OPTION + "name": link,
            "com.docker.network.driver.mtu": str(self._config.mtu or default_bridge.MTU),
        }

    async def _add(self, made: Network) -> None:
        """Give a predefined network the id it had before, or a new one."""
        known = self._store.networks().get(made.name)
        made.id, made.created = known or (new_id(), now())
        if not known:
            await self._store.save_network(made.name, made.id, made.created)
        self._networks[made.id] = made

    def _take_again(self, endpoint: Endpoint) -> None:
        """An endpoint of an earlier daemon keeps its address, if its network still has such addresses."""
        found = self._networks.get(endpoint.network)
        if found and found.pool and endpoint.address and endpoint.address in found.pool.subnet:
            found.pool.take(endpoint.address)

    def _netd_lost(self) -> None:
        """netd has died: another holds the ports from now on."""
        held = [endpoint for endpoint in self._endpoints.values() if endpoint.bindings]
        if held:
            self._later(self._ports.again(held))

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    # what there is

    def resolve(self, ref: str) -> Network:
        """By full id, name, or unique prefix of an id.

        Raises:
            NotFound, InvalidParameter: in Docker's words.
        """
        if ref in self._networks:
            return self._networks[ref]
        named = [item for item in self._networks.values() if item.name == ref]
        found = named or [item for ident, item in self._networks.items() if ref and ident.startswith(ref)]
        if len(found) > 1:
            raise InvalidParameter(f"network {ref} is ambiguous ({len(found)} matches found based on ID prefix)")
        if not found:
            raise NotFound(f"network {ref} not found")
        return found[0]

    def list(self, wanted: Mapping[str, Sequence[str]]) -> Documents:
        """GET /networks. Raises InvalidParameter for a filter Docker does not know."""
        in_use = {endpoint.network for endpoint in self._endpoints.values()}
        chosen = filters.select(self._networks.values(), wanted, in_use)
        return [item.document({}) for item in sorted(chosen, key=lambda item: item.created)]

    def inspect(self, ref: str, containers: Documents) -> dict[str, Any]:
        """GET /networks/{id}. `containers`: the rows of the running ones, for their names."""
        found = self.resolve(ref)
        names = {row["Id"]: row["Names"][0].removeprefix("/") for row in containers}
        return found.document(network.members(found, self._endpoints.values(), names))

    # a container's endpoint

    async def connect(self, container: str, name: str, hostname: str, request: EndpointRequest) -> Attachment:
        """Take an address and reserve the ports of a container that is about to start.

        Args:
            container, name, hostname: of the container. request: its wishes.

        Raises:
            EngineError: in Docker's words; nothing is taken then.
        """
        driver, found = self._driver(request)
        endpoint = Endpoint(new_id(), found.id, container, name, new_id(), exposed=sorted(request.exposed))
        if found.pool is not None:
            endpoint.address = found.pool.take()
            endpoint.mac = request.mac or mac_of(endpoint.address)
            endpoint.host = "veth" + endpoint.id[:7]
        self._endpoints[container] = endpoint
        try:
            if found.pool is not None:
                await self._ports.reserve(endpoint, request)
            plan = driver.plan(found, endpoint)
            attachment = self._attachment(found, endpoint, request, plan, hostname)
            self._store.save_endpoint(endpoint)
        except BaseException:
            del self._endpoints[container]
            await self._ports.close(endpoint)
            self._give_back(found, endpoint)
            raise
        return attachment

    def _driver(self, request: EndpointRequest) -> tuple[Driver, Network]:
        """The driver and the network of a mode. Without a default bridge its containers get a namespace with lo."""
        if request.mode.startswith("container:"):
            return JoinDriver(request.join), Network("", request.mode, "", "")
        name = "bridge" if request.mode in ("", "default") else request.mode
        if name == "bridge" and self._config.bridge == "none":
            name = "none"
        found = self.resolve(name)
        return DRIVERS[found.driver], found

    def _attachment(
        self, found: Network, endpoint: Endpoint, request: EndpointRequest, plan: dict[str, Any], hostname: str
    ) -> Attachment:
        config, legacy = self._config, found.driver == "bridge"
        if plan["kind"] == "join":
            return Attachment(plan)
        host = files.host_resolv_conf()
        resolv = files.resolv_conf(
            host, request.dns or config.dns, request.dns_search or config.dns_search,
            request.dns_options or config.dns_options, legacy,
        )  # fmt: skip
        extra = files.extra_hosts(request.extra_hosts, self._host_gateway)
        address = str(endpoint.address) if endpoint.address else ""
        text = files.hosts(extra, address, hostname, request.domainname)
        if plan["kind"] == "host" and not extra:
            text = files.host_hosts()
        return Attachment(plan, text, resolv)

    async def activate(self, container: str, namespace: str) -> Steps:
        """The namespace is there: make its key, open the ports. Answers what was done, with times.

        Args:
            namespace: a path of the network namespace; "" for the host's.

        Raises:
            Internal: a port cannot be opened.
        """
        endpoint = self._endpoints.get(container)
        if endpoint is None:
            return []
        if namespace:
            make_key(self.key(endpoint), namespace)
        done: Steps = []
        if rule := self._ports.rule(endpoint):
            perform([rule])
            done.append(rule)
        await self._ports.open(endpoint)
        endpoint.active = True
        self._event("connect", endpoint)
        return done

    def key(self, endpoint: Endpoint) -> str:
        """SandboxKey: a path by which the network namespace can be entered."""
        return f"{self._paths.netns}/{endpoint.sandbox[:12]}"

    async def close(self, container: str) -> None:
        """The container has ended: nobody reaches its ports any more."""
        endpoint = self._endpoints.get(container)
        if endpoint is None:
            return
        was_active = endpoint.active
        await self._ports.close(endpoint)
        endpoint.active = False
        if was_active:
            self._event("disconnect", endpoint)

    async def release(self, container: str) -> None:
        """Forget the endpoint; its address is free as soon as the kernel has taken the veth away."""
        endpoint = self._endpoints.pop(container, None)
        if endpoint is None:
            return
        await self._ports.close(endpoint)
        if endpoint.active:
            self._event("disconnect", endpoint)
        remove_key(self.key(endpoint))
        await self._store.drop_endpoint(container)
        found = self._networks.get(endpoint.network)
        if found and endpoint.address:
            self._later(self._give_back_when_gone(found, endpoint))

    async def _give_back_when_gone(self, found: Network, endpoint: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + GONE_WITHIN
        while present(endpoint.host) and loop.time() < deadline:
            await asyncio.sleep(0.01)
        self._give_back(found, endpoint)

    def _give_back(self, found: Network, endpoint: Endpoint) -> None:
        if found.pool is not None and endpoint.address is not None:
            found.pool.give_back(endpoint.address)

    async def keep_only(self, alive: Iterable[str]) -> None:
        """After a restart: the endpoints of containers that do not run are released."""
        for container in self._endpoints.keys() - set(alive):
            await self.release(container)

    def settings(self, container: str, mode: str) -> dict[str, Any]:
        """Inspect's NetworkSettings of a container with NetworkMode `mode`, running or not."""
        if mode.startswith("container:"):
            return network.settings({}, {})
        endpoint = self._endpoints.get(container)
        active = endpoint if endpoint and endpoint.active else None
        name = "bridge" if mode in ("", "default") else mode
        try:
            found = self._networks[active.network] if active else self.resolve(name)
        except EngineError:
            return network.settings({}, {})
        documents = {found.name: network.endpoint_document(found, active)}
        if active is None:
            return network.settings(documents, {})
        return network.settings(documents, network.ports_document(active), active.sandbox, self.key(active))

    def port_rows(self, container: str) -> Documents:
        """The container list's Ports."""
        endpoint = self._endpoints.get(container)
        return network.port_rows(endpoint) if endpoint and endpoint.active else []

    async def shutdown(self) -> None:
        """Leave ports and rules as they are: containers go on without the daemon."""
        if self._leaving:
            await asyncio.gather(*self._leaving, return_exceptions=True)
        if self._firewall:
            await self._firewall.close(cleanup=not self._endpoints)
        await self._netd.close()

    def _event(self, action: str, endpoint: Endpoint) -> None:
        found = self._networks.get(endpoint.network)
        if found:
            attributes = {"container": endpoint.container, "name": found.name, "type": found.driver}
            self._events.publish("network", action, found.id, attributes)


def present(link: str) -> bool:
    """Whether this network namespace has an interface of that name (netdevice(7), SIOCGIFINDEX)."""
    try:
        return bool(socket.if_nametoindex(link))
    except OSError:
        return False


def make_key(path: str, namespace: str) -> None:
    """A link to the namespace that its shim holds. It needs no unmounting and keeps nothing alive (proc(5), ns/)."""
    remove_key(path)
    os.symlink(namespace, path)


def remove_key(path: str) -> None:
    """Take a namespace's key away; one that is gone is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
