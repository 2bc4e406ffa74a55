"""The driver for nftables: one table of our own for each family, one transaction for each change, by libnftables."""

from dockwright.kernel.nftables import Nftables, NftablesError
from dockwright.networks.firewall import ruleset
from dockwright.networks.firewall.model import FOUR, SIX, BridgeRules, Published, Refused, State, Way


class NftDriver:
    """See `model.Driver`.

    Args:
        table: the tables' name.

    Raises:
        Refused: there is no libnftables.
    """

    name, kind, blocks = "nftables", "", False

    def __init__(self, table: str) -> None:
        self._table = table
        self._shape: list[tuple[int, int]] = []
        try:
            self.nft = Nftables()
        except NftablesError as error:
            raise Refused(str(error)) from None

    def write(self, state: State) -> None:
        """Write the tables."""
        self._run(ruleset.table(self._table, state))
        self._shape = self._seen(state)

    def add(self, state: State, bridge: BridgeRules) -> None:
        """Elements of sets; the first bridge with IPv6 brings the other table."""
        with_six = [each for each in state.bridges.values() if each.subnet6 is not None]
        if with_six == [bridge]:
            self.write(state)
        else:
            self._run(ruleset.bridge(self._table, bridge, "add"))

    def remove(self, state: State, bridge: BridgeRules) -> None:
        """Elements of sets."""
        self._run(ruleset.bridge(self._table, bridge, "delete"))

    def exchange(self, state: State, old: list[Published], new: list[Published]) -> None:
        """Elements of maps."""
        self._run(ruleset.exchange(self._table, state.families, old, new, state.proxy))

    def link(self, state: State, old: list[Way], new: list[Way]) -> None:
        """Elements of a set."""
        self._run(ruleset.link(self._table, old, new))

    def text(self, published: list[Published]) -> str:
        """In nft(8)'s language."""
        six = [SIX] if any(":" in address for _, address in published) else []
        return ruleset.exchange(self._table, [FOUR, *six], [], published).strip()

    def whole(self, state: State) -> bool:
        """By the number of chains and rules; elements are not counted."""
        return self._seen(state) == self._shape

    def _seen(self, state: State) -> list[tuple[int, int]]:
        """How many chains and rules our tables have; zero where one is gone."""
        found = []
        for family in state.families:
            try:
                items = self.nft.query(f"list table {family.word} {self._table}")
            except NftablesError:
                items = []
            found.append((sum("chain" in item for item in items), sum("rule" in item for item in items)))
        return found

    def clear(self) -> None:
        """Take the tables away."""
        self._run(ruleset.remove(self._table))

    def _run(self, text: str) -> None:
        try:
            if text:
                self.nft.run(text)
        except NftablesError as error:
            raise Refused(str(error).splitlines()[0]) from None
