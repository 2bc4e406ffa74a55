"""The network manager: the face of this room. `Registry` has the networks, `Sandboxes` the containers' places on them."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dockwright.base.errors import Conflict, EngineError, Forbidden
from dockwright.base.measures import NETWORK_ACTIONS, timed
from dockwright.base.paths import Paths
from dockwright.events import EventBus
from dockwright.metadata import Database
from dockwright.networks import default_bridge, documents, files, filters, forwarding, plans, settings
from dockwright.networks.config import NetworkConfig
from dockwright.networks.drivers.bridge import isolate_ports
from dockwright.networks.firewall.firewall import Firewall
from dockwright.networks.linkways import LinkWays
from dockwright.networks.names import Names, host_addresses
from dockwright.networks.network import BRIDGE_OPTION, PREDEFINED, Endpoint, Network, Sandbox
from dockwright.networks.ports import Ports, default_addresses, published
from dockwright.networks.publish import ANY4
from dockwright.networks.reconciling import Reconciling
from dockwright.networks.registry import Registry
from dockwright.networks.request import Attachment, Linked, SandboxRequest
from dockwright.networks.sandboxes import Sandboxes, Steps
from dockwright.networks.store import Store
from dockwright.supervisor.netd_client import NetdClient
from dockwright.types.network import EndpointSettings, NetworkCreateRequest

log = logging.getLogger("dockwright.networks")
Documents = list[dict[str, Any]]
JOIN = "container:"
PASSED_BY = (
    "Published ports are reached from outside although the host's firewall drops what it does not know: "
    "an address (-p 127.0.0.1:...) or the daemon's published-ports setting keeps them closed"
)
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0  # seconds before a netd that has died at once is tried again


class NetworkManager:
    """All networks of one data root. The methods are those of docs/architecture.md, "networks".

    Args:
        place: takes a process of the engine to where it belongs (supervisor.placement).

    Attributes:
        registry: the networks. sandboxes: the endpoints of containers.
    """

    def __init__(
        self, database: Database, paths: Paths, events: EventBus, config: NetworkConfig,
        place: Callable[[int], None] = lambda _pid: None,
    ) -> None:  # fmt: skip
        self._paths, self._events, self._config = paths, events, config
        self._store = store = Store(database)
        self._owner = default_bridge.mark(paths.data_root)
        outside = config.published_ports != "respect-host"
        self._transparent = not outside and config.iptables
        self._netd = NetdClient(
            f"{paths.exec_root}/netd/s", self._netd_lost, place=place, transparent=self._transparent
        )
        self._firewall = (
            Firewall(config.firewall_backend, outside, config.proxy, six=config.ip6tables) if config.iptables else None
        )
        self._ports = Ports(self._netd, self._firewall, default_addresses(config), config.proxy)
        self.registry = Registry(store, config, self._firewall, self._owner)
        self._links = LinkWays(self.registry, self._firewall)
        self.sandboxes = Sandboxes(store, self.registry, self._ports, self._links, paths)
        self.names = Names(self._netd, self.sandboxes.joined, self.sandboxes.key, config.host_gateway)
        self.sandboxes.watch(self.names.changed)
        self._reconciling = Reconciling(self.registry, self.sandboxes)
        self._host_gateway = config.host_gateway
        self._pruning = False
        self._successor: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Make the predefined networks, the firewall, and take up what an earlier daemon has left.

        Raises:
            EngineError: the bridge or the firewall cannot be made.
        """
        os.makedirs(self._paths.netns, mode=0o755, exist_ok=True)
        for name, driver in (("none", "null"), ("host", "host")):
            await self.registry.add_predefined(Network("", name, driver, ""))
        await self.registry.load()
        if self._config.bridge != "none":
            await self._start_bridge()
        await self.registry.make_links()
        self.sandboxes.take_again()
        endpoints = self.sandboxes.endpoints()
        if self._firewall and (rules := self.registry.rules()):
            await self._firewall.install(
                rules, [item for endpoint in endpoints for item in published(endpoint)], self._links.every(self.sandboxes)
            )
        await self._ports.restore(endpoints)
        await self.names.again(list(self.sandboxes))

    async def _start_bridge(self) -> None:
        config = self._config
        forwarding.ensure(config.ip_forward, six=False)
        if not config.icc:
            isolate_ports()
        choice = default_bridge.set_up(config, self._owner, self.registry.holders())
        pools, options = default_bridge.pools(config, choice), self._options(choice.link, choice.mtu)
        await self.registry.add_predefined(
            Network("", "bridge", "bridge", "", choice.link, pools, options, ipv6=choice.address6 is not None)
        )
        self._host_gateway = self._host_gateway or str(choice.address.ip)

    def _options(self, link: str, mtu: int) -> dict[str, str]:
        return {
            BRIDGE_OPTION + "default_bridge": "true",
            BRIDGE_OPTION + "enable_icc": str(self._config.icc).lower(),
            BRIDGE_OPTION + "enable_ip_masquerade": str(self._config.ip_masq).lower(),
            BRIDGE_OPTION + "host_binding_ipv4": self._config.default_ip,
            BRIDGE_OPTION + "name": link,
            "com.docker.network.driver.mtu": str(mtu),
        }

    def _netd_lost(self) -> None:
        """netd has died: another holds the ports and answers for the names from now on."""
        if self._successor is None or self._successor.done():
            self._successor = self.sandboxes.later(self._take_over())

    async def _take_over(self) -> None:
        """Tell a new netd everything; one that dies while it is told has a successor as well."""
        pause = FIRST_PAUSE
        while not await self._told_everything():
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _told_everything(self) -> bool:
        self._netd.resolvers = {}
        try:
            held = await self._ports.again([each for each in self.sandboxes.endpoints() if each.bindings])
            await self.names.again(list(self.sandboxes))
        except EngineError as error:
            log.error("netd cannot be replaced: %s", error.message)
            return False
        return held and (bool(self._netd.pid) or not self.names.serving)

    # the networks

    def resolve(self, ref: str) -> Network:
        """By full id, name, or unique prefix of an id. Raises NotFound, InvalidParameter, in Docker's words."""
        return self.registry.resolve(ref)

    def list(self, wanted: Mapping[str, Sequence[str]]) -> Documents:
        """GET /networks. Raises InvalidParameter for a filter Docker does not know."""
        in_use = {endpoint.network for endpoint in self.sandboxes.endpoints()}
        chosen = filters.select(self.registry, wanted, in_use)
        return [documents.network(item, {}) for item in sorted(chosen, key=lambda item: item.created)]

    def inspect(self, ref: str, containers: Documents, scope: str = "") -> dict[str, Any]:
        """GET /networks/{id}.

        Args:
            containers: the rows of the running ones, for their names. scope: only networks of it, "" for any.
        """
        found = self.resolve(ref)
        if scope not in ("", "local"):
            raise filters.missing(ref)
        names = {row["Id"]: row["Names"][0].removeprefix("/") for row in containers}
        shown = documents.network(found, documents.members(found, self.sandboxes, names))
        return {**shown, "Status": documents.usage(found)}

    async def create(self, request: NetworkCreateRequest) -> dict[str, Any]:
        """POST /networks/create. Raises EngineError, in Docker's words; nothing is left then."""
        network = await self.registry.create(request)
        self._tell("create", network)
        return {"Id": network.id, "Warning": ""}

    async def remove(self, ref: str) -> None:
        """DELETE /networks/{id}. What has just ended is waited for.

        Raises:
            NotFound, Forbidden: in Docker's words.
        """
        network = self.resolve(ref)
        self.registry.refuse(network)
        await self.sandboxes.left(network)
        if users := self.sandboxes.users(network):
            held = " ".join(f'name:"{endpoint.name}" id:"{endpoint.id[:12]}"' for endpoint in users)
            raise Forbidden(f"error while removing network: network {network.name} has active endpoints ({held})")
        await self.registry.remove(network)
        self._tell("destroy", network)

    async def prune(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """POST /networks/prune.

        Raises:
            Conflict: another one is under way. InvalidParameter: a filter that cannot be.
        """
        if self._pruning:
            raise Conflict("a prune operation is already running")
        chosen = filters.prunable(self.registry, wanted)
        self._pruning, deleted = True, []
        try:
            for network in chosen:
                try:
                    await self.remove(network.id)
                except EngineError:
                    continue  # in use, or gone meanwhile
                deleted.append(network.name)
        finally:
            self._pruning = False
        self._events.publish("network", "prune", "", {"reclaimed": "0"})
        return {"NetworksDeleted": deleted or None}

    # a container's sandbox

    @timed(NETWORK_ACTIONS, "allocate")
    async def attach(self, request: SandboxRequest) -> Attachment:
        """Take the addresses and reserve the ports of a container that is about to start.

        Raises:
            EngineError: in Docker's words; nothing is taken then.
        """
        if request.mode.startswith(JOIN):
            return Attachment({"kind": "join", "path": request.join})
        networks = plans.order(self._joined(request), self._main(request.mode))
        request = self._with_defaults(request)
        resolv = self._resolv_conf(request, [name for name, _ in networks])
        extra = files.extra_hosts(request.extra_hosts, self._host_of(networks))
        sandbox, plan = await self.sandboxes.attach(request, networks)
        if sandbox.kind == "host" and not extra:
            return Attachment(plan, files.host_hosts(), resolv)
        addresses = [str(address) for endpoint in sandbox for address in endpoint.addresses]
        others = [(link.names, link.address) for link in request.linked]
        text = files.hosts([*extra, *others], addresses, files.full_name(request.hostname, request.domainname))
        return Attachment(plan, text, resolv)

    def _joined(self, request: SandboxRequest) -> Mapping[str, EndpointSettings]:
        """The networks to join. Without a default bridge (--bridge=none) its containers have only lo."""
        if self._config.bridge != "none":
            return request.networks
        return {name: wanted for name, wanted in request.networks.items() if name != "bridge"} or {"none": EndpointSettings()}

    def _main(self, mode: str) -> str:
        """The name of the network that a mode means."""
        network = self.registry.get(mode)
        return network.name if network else mode

    def _with_defaults(self, request: SandboxRequest) -> SandboxRequest:
        """The wishes, with the daemon's where the container has none."""
        config = self._config
        return replace(
            request, dns=request.dns or config.dns, dns_search=request.dns_search or config.dns_search,
            dns_options=request.dns_options or config.dns_options,
        )  # fmt: skip

    def _host_of(self, networks: plans.Wanted) -> str:
        """The host's address as those networks know it: what `host-gateway` means."""
        if self._config.host_gateway:
            return self._config.host_gateway
        found = [network for name, _ in networks if (network := self.registry.named(name))]
        own = [address for network in found for address in host_addresses(network)]
        return own[0] if own else self._host_gateway

    def _resolv_conf(self, request: SandboxRequest, networks: Iterable[str]) -> str:
        """The text for a container on those networks."""
        joined = set(networks)
        if joined - set(PREDEFINED):
            return files.resolver_conf(files.read_resolv_conf(), request.dns, request.dns_search, request.dns_options)
        legacy, host = not joined & {"host", "none"}, files.host_resolv_conf()
        return files.resolv_conf(host, request.dns, request.dns_search, request.dns_options, legacy)

    def resolv_conf(self, request: SandboxRequest) -> str:
        """The text for a running container, as its networks are now; "" if it stays as it is."""
        sandbox = self.sandboxes.get(request.container)
        joined = [network.name for network, _ in self.sandboxes.joined(sandbox)] if sandbox else []
        return self._resolv_conf(self._with_defaults(request), joined) if set(joined) - set(PREDEFINED) else ""

    async def activate(self, container: str, namespace: str) -> Steps:
        """The namespace is there: make its key, open the ports. Answers what was done, with times.

        Args:
            namespace: a path of the network namespace; "" for the host's.

        Raises:
            Internal: a port cannot be opened.
        """
        done = await self.sandboxes.activate(container, namespace)
        self._tell_all("connect", self.sandboxes.get(container))
        return done

    @timed(NETWORK_ACTIONS, "connect")
    async def connect(self, network: Network, wanted: EndpointSettings, request: SandboxRequest) -> str:
        """One more interface for a running container. Answers the lines for its hosts file.

        Raises:
            EngineError: in Docker's words; nothing has changed then.
        """
        endpoint = await self.sandboxes.connect(network, wanted, request)
        self._tell("connect", network, container=request.container)
        return self.hosts_lines(endpoint, request)

    async def disconnect(self, network: Network, request: SandboxRequest) -> str:
        """One interface less for a running container. Answers the lines to take out of its hosts file. Raises EngineError."""
        endpoint = self.sandboxes.place(request.container, network)
        lines = self.hosts_lines(endpoint, request)
        await self.sandboxes.disconnect(network, request)
        self._tell("disconnect", network, container=request.container)
        return lines

    def hosts_lines(self, endpoint: Endpoint, request: SandboxRequest) -> str:
        """What a container's hosts file says of an endpoint."""
        full = files.full_name(request.hostname, request.domainname)
        return files.own_lines(map(str, endpoint.addresses), full)

    def late_lines(self, request: SandboxRequest) -> str:
        """Lines of a started container's hosts file that could not be known before: addresses that other programs have given."""
        sandbox = self.sandboxes.get(request.container)
        joined = self.sandboxes.joined(sandbox) if sandbox else ()
        late = (endpoint for network, endpoint in joined if self.registry.driver(network).external)
        return "".join(self.hosts_lines(endpoint, request) for endpoint in late)

    def is_connected(self, container: str, network: Network) -> bool:
        """Whether a container that runs has an endpoint there."""
        sandbox = self.sandboxes.get(container)
        return sandbox is not None and network.id in sandbox.endpoints

    def check(self, name: str, wanted: EndpointSettings) -> None:
        """Refuse settings that no endpoint can have on a network; what only that network knows, if it is there.

        Raises:
            InvalidParameter: in Docker's words.
        """
        settings.check(name, wanted, self.registry.named(name))

    async def republish(self, request: SandboxRequest) -> None:
        """The published ports of a running container become what `request` wants.

        Raises:
            EngineError: in Docker's words; everything is as before then.
        """
        await self.sandboxes.republish(request)

    @property
    def published_ports(self) -> str:
        """`--published-ports`."""
        return self._config.published_ports

    def publish_warning(self, bindings: Mapping[str, Any]) -> str:
        """What to tell who publishes PortBindings without an address where they pass the host's firewall by; "" for nothing."""
        passing = self._firewall is not None and self._firewall.passed_by and ANY4 in default_addresses(self._config)
        everywhere = any(not (entry or {}).get("HostIp") for entries in bindings.values() for entry in entries or [{}])
        return PASSED_BY if passing and everywhere else ""

    async def map(self) -> dict[str, Any]:
        """Who can reach whom, and by which rule."""
        from dockwright.networks import mapping

        wall = self._firewall
        found = mapping.document(
            self.registry, self.sandboxes, wall.state.bridges if wall else {}, wall.words if wall else mapping.Without(),
            wall.state.ways if wall else (), self._config.published_ports, self._config.proxy, self._transparent,
        )  # fmt: skip
        return {"Firewall": wall.driver if wall else "", "InPlace": await wall.whole() if wall else True, **found}

    async def explain_name(self, name: str, kind: str, container: str = "") -> Documents:
        """How a name is answered, and why.

        Args:
            kind: the record type. container: who asks, by id; "": one container of each of the user's networks.

        Raises:
            InvalidParameter: no such type or name. NotFound: a container without a resolver. Conflict: one that does not run.
        """
        chosen = self.sandboxes.get(container) if container else None
        if container and chosen is None:
            raise Conflict("the container is not running")
        return await self.names.explain([chosen] if chosen else self.names.askers(self.sandboxes), name, kind)

    async def rename(self, container: str, name: str) -> None:
        """A container is called `name` from now on; where it runs it is found by that."""
        await self.sandboxes.rename(container, name)
    def address(self, container: str, name: str) -> str:
        """The IPv4 address of a running container on a network, "" without."""
        sandbox, network = self.sandboxes.get(container), self.registry.named(name)
        endpoint = sandbox.endpoints.get(network.id) if sandbox and network else None
        return str(endpoint.address) if endpoint and endpoint.address else ""

    async def relink(self, container: str, links: Sequence[Linked]) -> None:
        """What a running container is linked to has other addresses now. Raises Internal."""
        if (sandbox := self.sandboxes.get(container)) is not None:
            await self._links.change(sandbox, links)
            self._store.save_sandbox(sandbox)

    async def close(self, container: str) -> None:
        """The container has ended: nobody reaches its ports any more."""
        self._tell_all("disconnect", await self.sandboxes.close(container))

    @timed(NETWORK_ACTIONS, "release")
    async def release(self, container: str) -> None:
        """Forget the sandbox; its addresses are free as soon as the kernel has taken its links away."""
        self._tell_all("disconnect", await self.sandboxes.release(container))

    async def reconcile(self, request: SandboxRequest) -> None:
        """After a restart: a running container's namespace becomes what was asked for."""
        await self._reconciling.reconcile(request)

    async def keep_only(self, alive: Iterable[str]) -> None:
        """After a restart: the sandboxes of containers that do not run are released."""
        running = set(alive)
        for sandbox in self.sandboxes:
            if sandbox.container not in running:
                await self.release(sandbox.container)

    def settings(self, request: SandboxRequest, started: bool) -> dict[str, Any]:
        """Inspect's NetworkSettings of a container, running or not. `started`: it has run once."""
        if request.mode.startswith(JOIN):
            return documents.settings({}, {})
        sandbox = self.sandboxes.get(request.container)
        live = sandbox if sandbox and sandbox.active else None
        found = {name: self._endpoint(name, request, live, started) for name in request.networks}
        if live is None:
            return documents.settings(found, {})
        return documents.settings(found, documents.ports(live), live.id, self.sandboxes.key(live))

    def _endpoint(self, name: str, request: SandboxRequest, live: Sandbox | None, started: bool) -> dict[str, Any]:
        network, wanted = self.registry.named(name), request.networks[name]
        names = plans.dns_names(network, request, wanted.Aliases or ()) if network and started else []
        return documents.endpoint(wanted, network, live.endpoints.get(network.id) if network and live else None, names)

    def port_rows(self, container: str) -> Documents:
        """The container list's Ports."""
        sandbox = self.sandboxes.get(container)
        return documents.port_rows(sandbox) if sandbox and sandbox.active else []

    async def shutdown(self) -> None:
        """Leave ports and rules as they are: containers go on without the daemon."""
        await self.sandboxes.settle()
        await self.registry.endings.gone()
        if self._firewall:
            await self._firewall.close(cleanup=not self.sandboxes.endpoints())
        await self._netd.close()

    def _tell_all(self, action: str, sandbox: Sandbox | None) -> None:
        """An event for each network of a sandbox."""
        for network, endpoint in self.sandboxes.joined(sandbox) if sandbox else ():
            self._tell(action, network, container=endpoint.container)

    def _tell(self, action: str, network: Network, **attributes: str) -> None:
        self._events.publish("network", action, network.id, {**attributes, "name": network.name, "type": network.driver})
