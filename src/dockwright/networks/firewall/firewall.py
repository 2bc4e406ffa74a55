"""The firewall as the manager uses it: install, publish, unpublish; repaired when somebody else flushes it."""

import asyncio
import logging
from collections.abc import Iterable

from dockwright.base.errors import Internal
from dockwright.base.steps import Step
from dockwright.kernel.nftables import Nftables, NftablesError
from dockwright.networks.firewall import foreign, ruleset
from dockwright.networks.firewall.monitor import Monitor
from dockwright.networks.firewall.ruleset import BridgeRules, Published, Way

log = logging.getLogger("dockwright.firewall")


class RuleStep(Step):
    """One transaction of our table. Its text is what is run."""

    def __init__(self, firewall: "Firewall", published: list[Published]) -> None:
        text = ruleset.publish(firewall.table, published).strip()
        super().__init__("daemon", "rule", text)
        self._firewall = firewall
        self._published = published

    def execute(self) -> None:
        """Open the ports. Raises base.errors.Internal with libnftables' text."""
        self._firewall.publish(self._published)


class Firewall:
    """Our table and our accepts in the network namespace of this process.

    Args:
        table: the table's name.
    """

    def __init__(self, table: str = "dockwright") -> None:
        self.table = table
        self._nft: Nftables | None = None
        self._bridges: dict[str, BridgeRules] = {}
        self._published: dict[Published, None] = {}
        self._ways: dict[Way, None] = {}
        self._monitor: Monitor | None = None
        self._repairing: asyncio.Task[None] | None = None
        self._shape = (0, 0)

    @property
    def _links(self) -> list[str]:
        return list(self._bridges)

    async def install(
        self, bridges: Iterable[BridgeRules], published: Iterable[Published] = (), ways: Iterable[Way] = ()
    ) -> None:  # fmt: skip
        """Write the whole table, put our accepts where others would drop us, and watch both from now on.

        Raises:
            Internal: the kernel or libnftables refused.
        """
        try:
            self._nft = self._nft or Nftables()
        except NftablesError as error:
            raise Internal(f"firewall: {error}") from None
        self._bridges = {bridge.link: bridge for bridge in bridges}
        self._published, self._ways = dict.fromkeys(published), dict.fromkeys(ways)
        self._write()
        await foreign.ensure(self._nft, self.table, self._links)
        self._monitor = self._monitor or Monitor(self._changed)

    async def add(self, bridge: BridgeRules) -> None:
        """Let a new bridge's packets through as its rules say: one transaction. Raises Internal; nothing has changed then."""
        had_six = self._has_six
        self._bridges[bridge.link] = bridge
        try:
            if had_six != self._has_six:
                self._write()
            else:
                self._change(ruleset.bridge(self.table, bridge, "add"))
        except Internal:
            del self._bridges[bridge.link]
            raise
        assert self._nft is not None
        await foreign.ensure(self._nft, self.table, self._links)

    def remove(self, link: str) -> None:
        """A bridge goes: one transaction."""
        bridge = self._bridges.pop(link, None)
        if bridge is not None:
            self._change(ruleset.bridge(self.table, bridge, "delete"))

    def open_ways(self, ways: Iterable[Way]) -> None:
        """Let containers through to others that may not talk to each other: one transaction. Raises Internal."""
        new = [way for way in ways if way not in self._ways]
        self._ways.update(dict.fromkeys(new))
        self._change(ruleset.ways(self.table, new, "add") if new else "")

    def close_ways(self, ways: Iterable[Way]) -> None:
        """No way any more: one transaction. Raises Internal."""
        old = [way for way in ways if way in self._ways]
        for way in old:
            del self._ways[way]
        self._change(ruleset.ways(self.table, old, "delete") if old else "")

    @property
    def _has_six(self) -> bool:
        """Whether the IPv6 table is needed."""
        return any(bridge.subnet6 is not None for bridge in self._bridges.values())

    def _change(self, text: str) -> None:
        """One transaction in the table; a table that somebody changed is written again. Raises Internal."""
        try:
            self._run(text)
        except NftablesError as error:
            log.warning("firewall: %s; writing the table again", str(error).splitlines()[0])
            self._write()

    def publish(self, published: list[Published]) -> None:
        """Open ports: one transaction. Raises Internal; nothing is open then."""
        self._published.update(dict.fromkeys(published))
        try:
            self._change(ruleset.publish(self.table, published))
        except Internal:
            for item in published:
                del self._published[item]
            raise

    def unpublish(self, published: list[Published]) -> None:
        """Close ports: one transaction. A table that somebody removed is written again without them."""
        known = [item for item in published if item in self._published]
        for item in known:
            del self._published[item]
        self._change(ruleset.unpublish(self.table, known))

    def exchange(self, old: list[Published], new: list[Published]) -> None:
        """Close some ports and open others: one transaction. Raises Internal; nothing has changed then."""
        before = self._published
        self._published = {item: None for item in before if item not in old} | dict.fromkeys(new)
        try:
            closing = ruleset.unpublish(self.table, [item for item in old if item in before])
            self._change(closing + ruleset.publish(self.table, new))
        except Internal:
            self._published = before
            raise

    async def close(self, cleanup: bool = False) -> None:
        """Stop watching; with `cleanup` take away the table and every accept of ours."""
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
        if self._repairing is not None:
            await asyncio.gather(self._repairing, return_exceptions=True)
        if self._nft is None:
            return
        if cleanup:
            await foreign.remove(self._nft, self.table, self._links)
            self._run(ruleset.remove(self.table))
        self._nft.close()
        self._nft = None

    def _run(self, text: str) -> None:
        if text and self._nft is not None:
            self._nft.run(text)

    def _write(self) -> None:
        assert self._nft is not None
        try:
            self._nft.run(ruleset.table(self.table, self._bridges.values(), self._published, self._ways))
        except NftablesError as error:
            raise Internal(f"firewall: {error}") from None
        self._shape = self._seen()

    def _seen(self) -> tuple[int, int]:
        """How many chains and rules our table has; (0, 0) if it is gone."""
        assert self._nft is not None
        try:
            items = self._nft.query(f"list table ip {self.table}")
        except NftablesError:
            return 0, 0
        return sum("chain" in item for item in items), sum("rule" in item for item in items)

    def _changed(self) -> None:
        """Somebody changed the ruleset (perhaps we): look after both our table and our accepts."""
        if self._repairing is None or self._repairing.done():
            self._repairing = asyncio.get_running_loop().create_task(self._repair())

    async def _repair(self) -> None:
        if self._nft is None:
            return
        try:
            if self._seen() != self._shape:
                log.warning("table %s was changed by another program: written again", self.table)
                self._write()
            await foreign.ensure(self._nft, self.table, self._links)
        except (Internal, NftablesError, OSError, TimeoutError) as error:
            log.error("firewall repair: %s", error)
