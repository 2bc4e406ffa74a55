"""The driver for iptables: chains of our own in its tables, a transaction of iptables-restore for each change and family."""

import os
from collections.abc import Mapping

from dockwright.networks.firewall import iptables
from dockwright.networks.firewall.model import FOUR, SIX, BridgeRules, Family, Published, Refused, State, Way
from dockwright.supervisor import spawner

PROGRAMS = {FOUR: "iptables", SIX: "ip6tables"}


class IptablesDriver:
    """See `model.Driver`.

    Args:
        programs: by family.

    Attributes:
        kind: "nft" or "legacy": what the host's `iptables` is, which others on the host use as well.

    Raises:
        Refused: it is not installed.
    """

    name, blocks = "iptables", True

    def __init__(self, programs: Mapping[Family, str] = PROGRAMS) -> None:
        self._programs = programs
        self._shapes: dict[Family, tuple[object, ...]] = {}
        missing = [f"{program}-{verb}" for program in programs.values() for verb in ("save", "restore")
                   if not spawner.find(f"{program}-{verb}")]  # fmt: skip
        if missing:
            raise Refused(f"{missing[0]} is not installed")
        self.kind = "legacy" if "legacy" in _run(programs[FOUR], "--version") else "nft"

    def write(self, state: State) -> None:
        """Put chains, rules and jumps in place."""
        for family in self._families(state):
            self._restore(family, iptables.restore(self._listing(family), iptables.rules(family, state)))
            self._shapes[family] = self._fixed(family)

    def _families(self, state: State) -> tuple[Family, ...]:
        """A family that has been written stays looked after."""
        return (FOUR, SIX) if SIX in self._shapes else state.families

    def add(self, state: State, bridge: BridgeRules) -> None:
        """Rules of bridges stand between others: all are written."""
        self.write(state)

    def remove(self, state: State, bridge: BridgeRules) -> None:
        """As above."""
        self.write(state)

    def exchange(self, state: State, old: list[Published], new: list[Published]) -> None:
        """The ports' own rules."""
        for family in self._families(state):
            self._restore(family, iptables.exchange(family, old, new, state.proxy))

    def link(self, state: State, old: list[Way], new: list[Way]) -> None:
        """The ways' own rules."""
        self._restore(FOUR, iptables.change([("filter", iptables.way_rules(FOUR, old), iptables.way_rules(FOUR, new))]))

    def text(self, published: list[Published]) -> str:
        """As iptables-restore reads it."""
        return "".join(iptables.exchange(family, [], published) for family in (FOUR, SIX)).strip()

    def whole(self, state: State) -> bool:
        """By all rules of ours but those of ports and links, which are counted."""
        for family in self._families(state):
            wanted = iptables.rules(family, state)
            coming = sum(rule.split()[1] in iptables.COMING for rules in wanted.values() for rule in rules)
            fixed, count, leading = self._listing(family).shape()
            if (fixed, leading) != self._shapes.get(family) or count != coming:
                return False
        return True

    def _fixed(self, family: Family) -> tuple[object, ...]:
        fixed, _, leading = self._listing(family).shape()
        return fixed, leading

    def clear(self) -> None:
        """Take chains and jumps away."""
        for family in (FOUR, SIX) if os.path.exists("/proc/sys/net/ipv6") else (FOUR,):
            self._restore(family, iptables.removal(self._listing(family)))

    def _listing(self, family: Family) -> iptables.Listing:
        return iptables.Listing(_run(f"{self._programs[family]}-save"))

    def _restore(self, family: Family, text: str) -> None:
        if text:
            _run(f"{self._programs[family]}-restore", "-w", "--noflush", stdin=text)


def _run(program: str, *arguments: str, stdin: str = "") -> str:
    """Run one of iptables' programs. Raises Refused, with its words."""
    try:
        status, out, error = spawner.run_now([spawner.find(program) or program, *arguments], stdin.encode())
    except (OSError, TimeoutError) as failure:
        raise Refused(f"{program}: {os.strerror(failure.errno) if failure.errno else failure}") from None
    if status:
        raise Refused(f"{program}: {error.decode(errors='replace').strip()}")
    return out.decode(errors="replace")
