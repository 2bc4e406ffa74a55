"""The firewall as the room uses it: bridges, published ports, links; repaired when somebody else has changed it."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from dockwright.base.errors import Internal
from dockwright.base.steps import Step
from dockwright.kernel.netlink import NETLINK_ROUTE, write_sysctl
from dockwright.kernel.nftables import Nftables, NftablesError
from dockwright.kernel.policy import RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE
from dockwright.networks.firewall import foreign, wayback
from dockwright.networks.firewall.model import BridgeRules, Driver, Published, Refused, State, Way
from dockwright.networks.firewall.monitor import Monitor
from dockwright.networks.firewall.nft import NftDriver

if TYPE_CHECKING:
    from dockwright.networks.firewall.words import IptablesWords, NftWords

log = logging.getLogger("dockwright.firewall")
FORGET_AFTER = 0.5  # seconds until others are told of bridges that have gone: many may go at once
LOOK_EVERY = 30.0  # seconds between looks at rules whose changes the kernel does not tell (iptables-legacy)


class RuleStep(Step):
    """The opening of ports; its text is what is run."""

    def __init__(self, text: str) -> None:
        super().__init__("daemon", "rule", text)


class Firewall:
    """Our rules, and our accepts among those of others, in the network namespace of this process.

    Args:
        backend: "nftables", "iptables", or "" for the first that this host has.
        outside, proxy: see `model.State`. six: there are rules for IPv6 as well.
        table: the name of our nftables tables.

    Attributes:
        passed_by: the host's own firewall drops what it does not know, and published ports pass it by.
    """

    def __init__(
        self, backend: str = "", outside: bool = True, proxy: bool = True, table: str = "dockwright", six: bool = True
    ) -> None:  # fmt: skip
        self._backend, self._table, self._six = backend, table, six
        self._driver: Driver | None = None
        self._state = State(outside=outside, proxy=proxy)
        self._nft: Nftables | None = None  # to read and write among the rules of others
        self._monitors: list[Monitor] = []
        self._repairing: asyncio.Task[None] | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._lock = asyncio.Lock()
        self._forgetting: asyncio.TimerHandle | None = None
        self._due = False  # something has changed since the last look
        self._gone: list[str] = []  # bridges whose accepts among others' rules are still there
        self.passed_by = False

    @property
    def driver(self) -> str:
        """The name of the driver in use, "" before `install`."""
        return self._driver.name if self._driver else ""

    @property
    def state(self) -> State:
        """What is to be in the kernel."""
        return self._state

    @property
    def words(self) -> "NftWords | IptablesWords":
        """Our rules as the driver in use writes them."""
        from dockwright.networks.firewall.words import IptablesWords, NftWords

        proxy = self._state.proxy
        return IptablesWords(proxy, self._six) if self.driver == "iptables" else NftWords(self._table, proxy, self._six)

    async def whole(self) -> bool:
        """Whether what is in the kernel is what is to be there."""
        async with self._lock:
            return self._driver is None or bool(await self._do(self._driver.whole, self._state))

    async def install(
        self, bridges: Iterable[BridgeRules], published: Iterable[Published] = (), ways: Iterable[Way] = ()
    ) -> None:  # fmt: skip
        """Write everything, put our accepts where others would drop us, and watch both from now on.

        Raises:
            Internal: neither driver can be used, or the kernel refused.
        """
        self._driver = self._driver or chosen(self._backend, self._table)
        self._nft = self._nft or (self._driver.nft if isinstance(self._driver, NftDriver) else _reader())
        self._state.bridges = {bridge.link: bridge for bridge in bridges}
        self._state.published, self._state.ways = dict.fromkeys(published), dict.fromkeys(ways)
        for link in self._state.bridges:
            self._route_loopback(link)
        async with self._lock:
            await self._write()
        if self._state.outside:
            wayback.remove()  # of a daemon with another setting
        await self._among_others()
        self._watch()

    def _route_loopback(self, link: str) -> None:
        """Without netd what is sent to 127.0.0.1 goes out by a bridge, and its answers come back by it."""
        if not self._state.proxy:
            write_sysctl(f"/proc/sys/net/ipv4/conf/{link}/route_localnet", "1")

    def _watch(self) -> None:
        assert self._driver
        if not self._monitors:
            self._monitors.append(Monitor(self._changed))
            if not self._state.outside:
                self._monitors.append(Monitor(self._changed, NETLINK_ROUTE, (RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE)))
        if self._looking is None and self._driver.kind == "legacy":
            self._look_again()

    def _look_again(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look)

    def _look(self) -> None:
        self._changed()
        self._look_again()

    async def add(self, bridge: BridgeRules) -> None:
        """Let a new bridge's packets through as its rules say. Raises Internal; nothing has changed then."""
        self._state.bridges[bridge.link] = bridge
        self._route_loopback(bridge.link)
        try:
            await self._change(lambda driver: driver.add(self._state, bridge))
        except Internal:
            del self._state.bridges[bridge.link]
            raise
        await self._among_others()

    async def remove(self, link: str) -> None:
        """A bridge goes; what others were told of it follows later. Raises Internal."""
        bridge = self._state.bridges.pop(link, None)
        if bridge is not None:
            await self._change(lambda driver: driver.remove(self._state, bridge))
            self._gone.append(link)
            self._forgetting = self._forgetting or asyncio.get_running_loop().call_later(FORGET_AFTER, self._forget)

    def _forget(self) -> None:
        self._forgetting = None
        self._changed()

    def planned(self, published: list[Published]) -> Step:
        """What `publish` will do."""
        ruled = [item for item in published if self._six or ":" not in item[1]]
        return RuleStep(self._driver.text(ruled) if self._driver else "")

    async def publish(self, published: list[Published]) -> Step:
        """Open ports; answers what was done. Raises Internal; nothing is open then."""
        step = self.planned(published)
        step.started = monotonic_ns()
        await self.exchange([], published)
        step.took = monotonic_ns() - step.started
        return step

    async def exchange(self, old: list[Published], new: list[Published]) -> None:
        """Close some ports and open others: one transaction. Raises Internal; nothing has changed then."""
        before = self._state.published
        gone, come = (
            [item for item in old if item in before],
            [item for item in new if item not in before or item in old],
        )
        self._state.published = {item: None for item in before if item not in gone} | dict.fromkeys(come)
        try:
            await self._change(lambda driver: driver.exchange(self._state, gone, come))
        except Internal:
            self._state.published = before
            raise

    async def link(self, old: Iterable[Way], new: Iterable[Way]) -> None:
        """Close some ways between containers that may not talk to each other, and open others. Raises Internal."""
        before = self._state.ways
        gone = [way for way in old if way in before]
        come = [way for way in new if way not in before or way in gone]
        self._state.ways = {way: None for way in before if way not in gone} | dict.fromkeys(come)
        try:
            if gone or come:
                await self._change(lambda driver: driver.link(self._state, gone, come))
        except Internal:
            self._state.ways = before
            raise

    async def close(self, cleanup: bool = False) -> None:
        """Stop watching; with `cleanup` take away every rule and accept of ours."""
        for monitor in self._monitors:
            monitor.close()
        self._monitors = []
        for timer in (self._looking, self._forgetting):
            if timer is not None:
                timer.cancel()
        if self._repairing is not None:
            await asyncio.gather(self._repairing, return_exceptions=True)
        if self._driver is None:
            return
        await foreign.forget(self._nft, self._table, self._gone)
        if cleanup:
            await foreign.remove(self._nft, self._table, self._links, self._own_kind)
            try:
                await self._do(self._driver.clear)
                wayback.remove()
            except (Refused, OSError) as error:
                log.error("firewall: %s", error)
        if self._nft is not None:
            self._nft.close()
        self._driver = self._nft = None

    @property
    def _links(self) -> list[str]:
        return list(self._state.bridges)

    @property
    def _own_kind(self) -> str:
        """The kind of iptables ("nft", "legacy") that our own rules are in, so that nothing else of ours is needed there."""
        return self._driver.kind if self._driver else ""

    async def _among_others(self) -> None:
        if not self._state.outside:
            wayback.ensure()
        while self._gone:
            gone, self._gone = [link for link in self._gone if link not in self._state.bridges], []
            await foreign.forget(self._nft, self._table, gone)
        await foreign.ensure(self._nft, self._table, self._links, self._own_kind)
        self.passed_by = self._state.outside and await foreign.guards(self._nft)

    async def _do(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call the driver: in a thread if that takes long."""
        assert self._driver
        return await asyncio.to_thread(call, *arguments) if self._driver.blocks else call(*arguments)

    async def _change(self, change: Callable[[Driver], None]) -> None:
        """One change; if what is there is not what we left there, everything is written again. Raises Internal."""
        if self._driver is None:
            return
        async with self._lock:
            try:
                await self._do(change, self._driver)
            except Refused as error:
                log.warning("firewall: %s; writing everything again", error)
                await self._write()

    async def _write(self) -> None:
        assert self._driver
        try:
            await self._do(self._driver.write, self._state)
        except Refused as error:
            raise Internal(f"firewall: {error}") from None

    def _changed(self) -> None:
        """Somebody changed the rules (perhaps we): look after both ours and our accepts, once more if that is under way."""
        self._due = True
        if self._repairing is None or self._repairing.done():
            self._repairing = asyncio.get_running_loop().create_task(self._repair())

    async def _repair(self) -> None:
        while self._due and self._driver is not None:
            self._due = False
            await self._repair_once(self._driver)

    async def _repair_once(self, driver: Driver) -> None:
        try:
            async with self._lock:
                if not await self._do(driver.whole, self._state):
                    log.warning("our %s rules were changed by another program: written again", driver.name)
                    await self._write()
            await self._among_others()
        except (Internal, Refused, NftablesError, OSError, TimeoutError) as error:
            log.error("firewall repair: %s", error)


def chosen(backend: str, table: str) -> Driver:
    """The driver for `backend`, or the first one that works. Raises Internal, saying what each lacks."""
    makers: dict[str, Callable[[], Driver]] = {"nftables": lambda: NftDriver(table), "iptables": _iptables}
    refusals = []
    for name in [backend] if backend else makers:
        try:
            driver = makers[name]()
        except Refused as error:
            refusals.append(f"{name}: {error}")
            continue
        log.info("firewall: %s", driver.name)
        return driver
    raise Internal(f"firewall: {'; '.join(refusals)}")


def _iptables() -> Driver:
    """What most hosts need not load."""
    from dockwright.networks.firewall.iptables_driver import IptablesDriver

    return IptablesDriver()


def _reader() -> Nftables | None:
    """libnftables, to look at the rules of others; not every host has it."""
    try:
        return Nftables()
    except NftablesError:
        return None
