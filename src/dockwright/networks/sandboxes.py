"""The containers' sandboxes: each container's endpoints, from the start to what is left after the end.

    attach      addresses, host ports reserved, the sandbox's plan  before the shim makes the namespace
    activate    ports opened                                        namespace there, process not yet running
    connect     one more interface                                  while it runs
    disconnect  one interface less                                  while it runs
    close       ports closed                                        before the exit is answered
    release     addresses free again, row dropped                   after the namespace has really gone
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address
from typing import Any

from dockwright.base.errors import EngineError, Forbidden, Internal, InvalidParameter
from dockwright.base.ids import new_id
from dockwright.base.paths import Paths
from dockwright.base.steps import Step
from dockwright.networks import announcing, keys, live, plans
from dockwright.networks.drivers import ExternalDriver
from dockwright.networks.files import read_resolv_conf, sets_ndots
from dockwright.networks.ipam import Address, mac_of
from dockwright.networks.linkways import LinkWays, ports_of
from dockwright.networks.network import Endpoint, Network, Sandbox
from dockwright.networks.plans import Joined, Wanted
from dockwright.networks.ports import Ports
from dockwright.networks.publish import Binding
from dockwright.networks.registry import Registry
from dockwright.networks.request import SandboxRequest
from dockwright.networks.store import Store
from dockwright.types.network import EndpointSettings

log = logging.getLogger("dockwright.networks")
GONE_WITHIN = 2.0  # seconds for the kernel to take a veth away with its namespace (DECISIONS 27)
Steps = list[Step]
Watcher = Callable[[Sandbox], Awaitable[None]]


class Sandboxes:
    """The sandboxes of all containers that run, and of those that have just ended."""

    def __init__(self, store: Store, registry: Registry, ports: Ports, links: LinkWays, paths: Paths) -> None:
        self._store, self._registry, self._ports, self._paths = store, registry, ports, paths
        self._links = links
        self._by_container = {sandbox.container: sandbox for sandbox in store.sandboxes()}
        self._leaving: set[asyncio.Task[None]] = set()
        self._going: set[tuple[str, str]] = set()  # (network, address) of links that are not gone yet
        self._watchers: list[Watcher] = []

    def __iter__(self) -> Iterator[Sandbox]:
        return iter(tuple(self._by_container.values()))

    def get(self, container: str) -> Sandbox | None:
        """The sandbox of a container."""
        return self._by_container.get(container)

    def endpoints(self) -> list[Endpoint]:
        """All endpoints."""
        return [endpoint for sandbox in self for endpoint in sandbox]

    def joined(self, sandbox: Sandbox) -> list[Joined]:
        """Its endpoints, each with its network."""
        pairs = ((self._registry.get(endpoint.network), endpoint) for endpoint in sandbox)
        return [(network, endpoint) for network, endpoint in pairs if network is not None]

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher` with each sandbox whose endpoints or names have changed: activated, connected, closed, and so on."""
        self._watchers.append(watcher)

    async def changed(self, sandbox: Sandbox) -> None:
        """Tell the watchers, who are waited for: a name is known before the program that may ask for it runs."""
        for watcher in self._watchers:
            await watcher(sandbox)

    async def _told(self, sandbox: Sandbox) -> None:
        """Tell the watchers of what has happened: that they cannot follow undoes nothing."""
        try:
            await self.changed(sandbox)
        except EngineError as error:
            log.error("%s: %s", sandbox.name, error.message)

    def take_again(self) -> None:
        """After a restart: the endpoints of an earlier daemon keep their addresses. All count as active until `keep_only`."""
        for sandbox in self:
            sandbox.active = True
            for network, endpoint in self.joined(sandbox):
                endpoint.active = True
                for address in endpoint.addresses:
                    pool = network.pool_of(address)
                    if pool is not None and address not in pool:
                        pool.take(address)

    def key(self, sandbox: Sandbox) -> str:
        """SandboxKey: a path by which the network namespace can be entered."""
        return f"{self._paths.netns}/{sandbox.id[:12]}"

    def place(self, container: str, network: Network) -> Endpoint:
        """The endpoint of a running container on a network. Raises Internal, in Docker's words, if there is none."""
        sandbox = self._by_container.get(container)
        if sandbox is None or network.id not in sandbox.endpoints:
            raise Internal(f"container {container} is not connected to network {network.name}")
        return sandbox.endpoints[network.id]

    # the start of a container

    async def attach(self, request: SandboxRequest, networks: Wanted) -> tuple[Sandbox, dict[str, Any]]:
        """Take addresses and reserve the ports of a container that is about to start; answers its plan, too.

        Args:
            networks: by name, in the order in which they are joined.

        Raises:
            EngineError: in Docker's words; nothing is taken then.
        """
        kind = "host" if any(name == "host" for name, _ in networks) else "private"
        sandbox = Sandbox(
            new_id(), request.container, request.name, kind, exposed=sorted(request.exposed), hostname=request.hostname,
            dns=list(request.dns), ndots=sets_ndots(request.dns_options or read_resolv_conf().options),
            linked=ports_of(request.linked),
        )  # fmt: skip
        self._by_container[request.container] = sandbox
        try:
            for name, wanted in networks:
                network = self._registry.resolve(name)
                await self._gone(network, wanted)
                self._add(sandbox, network, wanted, request)
            if publisher := self._publisher(sandbox):
                await self._ports.reserve(publisher, request)
            self._store.save_sandbox(sandbox)
            return sandbox, self._plan(sandbox)
        except BaseException:
            del self._by_container[request.container]
            for endpoint in sandbox:
                await self._ports.close(endpoint)
                self._give_back(endpoint)
            raise

    def _add(self, sandbox: Sandbox, network: Network, wanted: EndpointSettings, request: SandboxRequest) -> Endpoint:
        """A new endpoint, with its addresses. Raises EngineError; nothing is taken then."""
        driver = self._registry.driver(network)
        if network.config_only:
            raise Forbidden("cannot create endpoint on configuration-only network")
        if wanted.MacAddress and not driver.own_mac and network.driver not in ("host", "null"):
            raise InvalidParameter(f"{network.driver} interfaces do not support custom mac address assignment")
        endpoint = Endpoint(
            new_id(), network.id, sandbox.container, sandbox.name, aliases=list(wanted.Aliases or ()),
            names=plans.dns_names(network, request, wanted.Aliases or ()), links=list(wanted.Links or ()),
            link_local=list(wanted.addresses.LinkLocalIPs or ()), priority=wanted.GwPriority or 0,
            options=dict(wanted.DriverOpts or {}), direct=network.direct,
            published_on="" if network.predefined else network.settings.host_binding,
        )  # fmt: skip
        if network.driver not in ("host", "null"):
            endpoint.interface = plans.interface_name(network, sandbox, endpoint.options)
            endpoint.host = "veth" + endpoint.id[:7] if driver.veth else ""
        if not driver.external:
            self._take(network, endpoint, wanted)
        if driver.own_mac:
            endpoint.mac = wanted.MacAddress or mac_of(endpoint.address)
        sandbox.endpoints[network.id] = endpoint
        return endpoint

    def _take(self, network: Network, endpoint: Endpoint, wanted: EndpointSettings) -> None:
        """Addresses of each family the network has. Raises EngineError; nothing is taken then."""
        try:
            if network.ipv4 and network.of_family(4):
                endpoint.address = self._address(network, 4, wanted.addresses.IPv4Address)  # type: ignore[assignment]
            if network.ipv6 and network.of_family(6):
                endpoint.address6 = self._address(network, 6, wanted.addresses.IPv6Address)  # type: ignore[assignment]
        except EngineError:
            self._free(network, endpoint)
            raise

    def _address(self, network: Network, version: int, text: str | None) -> Address:
        """An address, the one asked for or the lowest free one. Raises EngineError."""
        pools = network.of_family(version)
        if text:
            wanted = ip_address(text)
            pool = network.pool_of(wanted)
            if pool is None:
                raise InvalidParameter(f"no configured subnet contains IP address {text}")
            try:
                return pool.take(wanted)
            except Forbidden as error:
                raise Forbidden(error.message + self._holder(network, wanted)) from None
        for pool in pools:
            try:
                return pool.take()
            except Internal as error:
                refusal = error
        raise Internal(f"{refusal.message}: {network.name} ({network.id})")

    def _holder(self, network: Network, address: Address) -> str:
        """Who has an address of a network."""
        for sandbox in self:
            endpoint = sandbox.endpoints.get(network.id)
            if endpoint is not None and address in endpoint.addresses:
                return f" ({address} is container {sandbox.name}'s)"
        return f" ({address} is the network's own)"

    def _publisher(self, sandbox: Sandbox) -> Endpoint | None:
        """The endpoint whose default route the answers take: ports are published by way of it."""
        found = plans.gateway(self.joined(sandbox), 4) or plans.gateway(self.joined(sandbox), 6)
        return found[1] if found and self._registry.driver(found[0]).publishes else None

    def _plan(self, sandbox: Sandbox) -> dict[str, Any]:
        pairs = self.joined(sandbox)
        planned = [self._registry.driver(network).interface(network, endpoint) for network, endpoint in pairs]
        return plans.sandbox(sandbox.kind, [interface for interface in planned if interface], pairs)

    async def activate(self, container: str, namespace: str) -> Steps:
        """The namespace is there: make its key, open the ports. Answers what was done, with times.

        Args:
            namespace: a path of the network namespace; "" for the host's.

        Raises:
            Internal: a port cannot be opened.
        """
        sandbox = self._by_container.get(container)
        if sandbox is None:
            return []
        if namespace:
            keys.make(self.key(sandbox), namespace)
        done: Steps = []
        for network, endpoint in self.joined(sandbox):
            await self._join(sandbox, network, endpoint)
            done += await self._open(endpoint)
        await self._links.open(sandbox)
        sandbox.active = True
        await self.changed(sandbox)
        for network, endpoint in self.joined(sandbox):
            self._announce(sandbox, network, endpoint)
        return done

    async def _join(self, sandbox: Sandbox, network: Network, endpoint: Endpoint) -> None:
        """Interfaces that other programs make. Raises EngineError."""
        driver = self._registry.driver(network)
        if isinstance(driver, ExternalDriver):
            await driver.join(network, endpoint, self.key(sandbox))
            await self._registry.learned(network)
            await self._store.keep_sandbox(sandbox)

    async def _part(self, sandbox: Sandbox, network: Network, endpoint: Endpoint) -> None:
        """The interface of an endpoint that has been taken out of its sandbox goes. Raises EngineError."""
        driver = self._registry.driver(network)
        if isinstance(driver, ExternalDriver):
            await driver.leave(network, endpoint, self.key(sandbox))
        else:
            await live.detach(self.key(sandbox), endpoint.interface, plans.routes(self.joined(sandbox)))

    def _announce(self, sandbox: Sandbox, network: Network, endpoint: Endpoint) -> None:
        """Nobody waits for what the options of a network want to be told more than once."""
        if network.settings.notices > 1 and endpoint.mac:
            self.later(announcing.repeat(self.key(sandbox), network, endpoint))

    def rules(self, container: str) -> Steps:
        """What `activate` will have the firewall do."""
        return [step for endpoint in self._by_container.get(container) or () for step in self._ports.planned(endpoint)]

    async def _open(self, endpoint: Endpoint) -> Steps:
        done = await self._ports.rule(endpoint)
        await self._ports.open(endpoint)
        endpoint.active = True
        return done

    # while it runs

    async def connect(self, network: Network, wanted: EndpointSettings, request: SandboxRequest) -> Endpoint:
        """One more interface for a running container; an error leaves nothing behind.

        Raises:
            EngineError: in Docker's words.
        """
        sandbox = self._by_container[request.container]
        if network.id in sandbox.endpoints:
            raise Forbidden(f"endpoint with name {request.name} already exists in network {network.name}")
        before = self._publisher(sandbox)
        await self._gone(network, wanted)
        endpoint = self._add(sandbox, network, wanted, request)
        try:
            await self._store.keep_sandbox(sandbox)
            if interface := self._registry.driver(network).interface(network, endpoint):
                await live.attach(self.key(sandbox), interface, plans.routes(self.joined(sandbox)))
            await self._join(sandbox, network, endpoint)
            await self._move_ports(sandbox, before, request)
            endpoint.active = True
            await self.changed(sandbox)
        except BaseException as error:
            await self._take_back(sandbox, network, endpoint)
            if isinstance(error, EngineError):
                raise error.prefixed("failed to set up container networking: ") from None
            raise
        self._store.save_sandbox(sandbox)
        self._announce(sandbox, network, endpoint)
        return endpoint

    async def _take_back(self, sandbox: Sandbox, network: Network, endpoint: Endpoint) -> None:
        """A connect that failed: the interface (if it came to that), the addresses, the row."""
        sandbox.endpoints.pop(endpoint.network, None)
        try:
            await self._part(sandbox, network, endpoint)
        except EngineError as error:
            log.error("the interface %s of %s: %s", endpoint.interface, sandbox.name, error.message)
        self._give_back(endpoint)
        self._store.save_sandbox(sandbox)

    async def _move_ports(self, sandbox: Sandbox, before: Endpoint | None, request: SandboxRequest) -> None:
        """The published ports follow the default route. Raises EngineError; they stay where they were then."""
        after = self._publisher(sandbox)
        if after is before:
            return
        held = list(before.bindings) if before else []
        if before:
            await self._ports.close(before)
            before.active = True
        if after:
            await self._publish_again(after, request, held)

    async def _publish_again(self, endpoint: Endpoint, request: SandboxRequest, held: list[Binding]) -> None:
        """Publish what another endpoint has `held`; what could not be published until now is as the request says."""
        if held and not endpoint.direct and not any(binding.direct for binding in held):
            await self._ports.hand_over(endpoint, held)
        else:
            await self._ports.reserve(endpoint, request)
        await self._open(endpoint)
        self._hairpin(endpoint)

    def _hairpin(self, endpoint: Endpoint) -> None:
        """A container may reach its own published ports, also those it did not have at its start."""
        network = self._registry.get(endpoint.network)
        if endpoint.bindings and network is not None and network.driver == "bridge":
            live.hairpin(endpoint.host)

    async def republish(self, request: SandboxRequest) -> None:
        """Publish what `request` wants instead of what a running container publishes. What stays is not interrupted.

        Raises:
            EngineError: in Docker's words; everything is as before then.
        """
        sandbox = self._by_container[request.container]
        if publisher := self._publisher(sandbox):
            await self._ports.change(publisher, request)
            self._hairpin(publisher)
        sandbox.exposed = sorted(request.exposed)
        await self._store.keep_sandbox(sandbox)
        await self._told(sandbox)

    async def disconnect(self, network: Network, request: SandboxRequest) -> Endpoint:
        """One interface less. An interface that somebody has already taken away is fine.

        Raises:
            EngineError: in Docker's words.
        """
        sandbox = self._by_container[request.container]
        endpoint = self.place(request.container, network)
        before, held = self._publisher(sandbox), list(endpoint.bindings)
        await self._ports.close(endpoint)
        endpoint.active = False
        del sandbox.endpoints[network.id]
        await self._part(sandbox, network, endpoint)
        self._give_back(endpoint)
        await self._store.keep_sandbox(sandbox)
        if before is endpoint and (after := self._publisher(sandbox)):
            await self._follow(after, request, held)
        await self._told(sandbox)
        return endpoint

    async def _follow(self, after: Endpoint, request: SandboxRequest, held: list[Binding]) -> None:
        """The ports of an endpoint that has gone move to another. That they cannot does not undo the disconnect."""
        try:
            await self._publish_again(after, request, held)
        except EngineError as error:
            log.error("the ports of %s are not published any more: %s", request.name, error.message)

    async def rename(self, container: str, name: str) -> None:
        """A running container is called `name` from now on, and found by it."""
        sandbox = self._by_container.get(container)
        if sandbox is None:
            return
        old, sandbox.name = sandbox.name, name
        for endpoint in sandbox:
            endpoint.name = name
            endpoint.names = list(dict.fromkeys(name if each == old else each for each in endpoint.names))
        await self._store.keep_sandbox(sandbox)
        await self._told(sandbox)

    # the end of a container

    async def close(self, container: str) -> Sandbox | None:
        """The container has ended: nobody reaches its ports any more. Answers the sandbox if it was active."""
        sandbox = self._by_container.get(container)
        if sandbox is None:
            return None
        first, was_active, sandbox.active, sandbox.leaving = not sandbox.leaving, sandbox.active, False, True
        for network, endpoint in self.joined(sandbox) if first else ():
            if self._registry.driver(network).external:
                await self._part(sandbox, network, endpoint)
        if was_active:
            await self._links.close(sandbox)
        for endpoint in sandbox:
            await self._ports.close(endpoint)
            endpoint.active = False
        self.later(self._told(sandbox))  # nobody waits for names to be forgotten
        return sandbox if was_active else None

    async def release(self, container: str) -> Sandbox | None:
        """Forget the sandbox; its addresses are free as soon as the kernel has taken its links away.

        Returns:
            the sandbox, if it was still active.
        """
        sandbox = self._by_container.get(container)
        if sandbox is None:
            return None
        was_active = await self.close(container)
        keys.remove(self.key(sandbox))
        await self._store.drop_sandbox(container)
        if self._by_container.get(container) is sandbox:
            del self._by_container[container]
        for endpoint in sandbox:
            self._await_end(endpoint)
        return was_active

    def _await_end(self, endpoint: Endpoint) -> None:
        """Its addresses are free when its link is gone."""
        own = [(endpoint.network, str(address)) for address in endpoint.addresses]
        if own:
            task = self.later(self._give_back_when_gone(endpoint))
            self._going.update(own)
            task.add_done_callback(lambda _: self._going.difference_update(own))

    async def _gone(self, network: Network, wanted: EndpointSettings) -> None:
        """Wait, two seconds at most, for the end of a container that still has an address that is wanted now."""
        deadline = asyncio.get_running_loop().time() + GONE_WITHIN
        for text in (wanted.addresses.IPv4Address, wanted.addresses.IPv6Address):
            while text and self._is_leaving(network, ip_address(text)) and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.005)

    def _is_leaving(self, network: Network, address: Address) -> bool:
        """Whether who has `address` has ended."""
        ended = (sandbox.endpoints.get(network.id) for sandbox in self if sandbox.leaving)
        held = any(endpoint is not None and address in endpoint.addresses for endpoint in ended)
        return held or (network.id, str(address)) in self._going

    async def _give_back_when_gone(self, endpoint: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + GONE_WITHIN
        while keys.link_is_there(endpoint.host) and loop.time() < deadline:
            await asyncio.sleep(0.01)
        self._give_back(endpoint)

    def _give_back(self, endpoint: Endpoint) -> None:
        network = self._registry.get(endpoint.network)
        if network is not None:
            self._free(network, endpoint)

    def _free(self, network: Network, endpoint: Endpoint) -> None:
        for address in endpoint.addresses:
            pool = network.pool_of(address)
            if pool is not None:
                pool.give_back(address)
        endpoint.address = endpoint.address6 = None

    def later(self, work: Any) -> asyncio.Task[None]:
        """Do something nobody waits for, but `settle`."""
        task = asyncio.get_running_loop().create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task

    async def settle(self) -> None:
        """Wait for what was begun by `later`."""
        if self._leaving:
            await asyncio.gather(*self._leaving, return_exceptions=True)

    # who uses a network

    def users(self, network: Network) -> list[Endpoint]:
        """The endpoints on a network, of containers that are about to run or run."""
        found = ((sandbox, sandbox.endpoints.get(network.id)) for sandbox in self)
        return [endpoint for sandbox, endpoint in found if endpoint is not None and not sandbox.leaving]

    async def left(self, network: Network) -> None:
        """Wait until what has ended has let go of a network, at most two seconds."""
        deadline = asyncio.get_running_loop().time() + GONE_WITHIN
        while any(network.id in sandbox.endpoints for sandbox in self):
            if self.users(network) or asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.005)
