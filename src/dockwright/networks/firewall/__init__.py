"""Our own nftables table, the accepts other firewalls need, and the watch over both."""

from dockwright.networks.firewall.firewall import Firewall

__all__ = ["Firewall"]
