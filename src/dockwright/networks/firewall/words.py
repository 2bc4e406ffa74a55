"""Our rules in each driver's words, for the map (`networks.mapping.Rules`). Pure."""

from dockwright.networks.firewall import iptables, ruleset
from dockwright.networks.firewall.model import FOUR, SIX, BridgeRules, Family, Published, Way


class NftWords:
    """As `nft list table ip TABLE` shows them, with the element that matters.

    Args:
        table: the tables' name. proxy: see `model.State`. six: there are rules for IPv6.
    """

    def __init__(self, table: str, proxy: bool = True, six: bool = True) -> None:
        self._table, self._proxy, self._six = table, proxy, six

    def _in(self, chain: str, rule: str) -> str:
        return f"ip {self._table} {chain}: {rule}"

    def talk(self, bridge: BridgeRules) -> str:
        """See `mapping.Rules`."""
        if bridge.icc:
            return self._in("filter-forward", f'iifname . oifname @talking accept, "{bridge.link}" . "{bridge.link}"')
        return self._in("filter-forward", 'drop comment "unpublished"')

    def leave(self, bridge: BridgeRules) -> str:
        """See `mapping.Rules`."""
        if bridge.internal:
            return self._in("filter-forward", f'iifname @internal drop comment "no way out", "{bridge.link}"')
        if not bridge.masquerade:
            return ""
        if bridge.source4:
            return self._in("nat-postrouting", f"snat ip to ip saddr map @translated, {bridge.subnet} : {bridge.source4}")
        return self._in("nat-postrouting", f"ip saddr @masqueraded masquerade, {bridge.subnet or bridge.subnet6}")

    def enter(self, bridge: BridgeRules) -> str:
        """See `mapping.Rules`."""
        if bridge.internal:
            return self._in("filter-forward", f'oifname @internal drop comment "no way in", "{bridge.link}"')
        if bridge.open4 or bridge.open6:
            return self._in("filter-forward", f'oifname @open accept, "{bridge.link}"')
        return self._in("filter-forward", 'drop comment "unpublished"')

    def port(self, published: Published) -> str:
        """See `mapping.Rules`."""
        family = family_of(published)
        families = [family] if self._six or family is FOUR else []
        return ruleset.exchange(self._table, families, [], [published], self._proxy).strip()

    def way(self, way: Way) -> str:
        """See `mapping.Rules`."""
        return ruleset.link(self._table, [], [way]).strip()


class IptablesWords:
    """As `iptables -S` shows them. `proxy`, `six`: as above."""

    def __init__(self, proxy: bool = True, six: bool = True) -> None:
        self._proxy, self._six = proxy, six

    def talk(self, bridge: BridgeRules) -> str:
        """See `mapping.Rules`."""
        if bridge.icc:
            return f"-A {iptables.FORWARD} -i {bridge.link} -o {bridge.link} -j ACCEPT"
        return f"-A {iptables.INTO} -j DROP"

    def leave(self, bridge: BridgeRules) -> str:
        """See `mapping.Rules`."""
        if bridge.internal:
            return f"-A {iptables.FORWARD} -i {bridge.link} -j DROP"
        return iptables.source(FOUR if bridge.subnet is not None else SIX, bridge)[-1] if bridge.masquerade else ""

    def enter(self, bridge: BridgeRules) -> str:
        """See `mapping.Rules`."""
        if bridge.internal:
            return f"-A {iptables.FORWARD} -o {bridge.link} -j DROP"
        if bridge.open4 or bridge.open6:
            return f"-A {iptables.INTO} -o {bridge.link} -j ACCEPT"
        return f"-A {iptables.INTO} -j DROP"

    def port(self, published: Published) -> str:
        """See `mapping.Rules`."""
        family = family_of(published)
        both = iptables.port_rules(family, [published] if self._six or family is FOUR else [], self._proxy)
        return "\n".join(rule for rules in both for rule in rules)

    def way(self, way: Way) -> str:
        """See `mapping.Rules`."""
        return iptables.way_rules(FOUR, [way])[0]


def family_of(published: Published) -> Family:
    """The family of a published port's host address."""
    return SIX if ":" in published[0].host_ip else FOUR
