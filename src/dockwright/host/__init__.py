"""Probes: what this host and its kernel are and can do, for info and its warnings. Nothing here changes anything."""

from dockwright.host.facts import HostFacts, read

__all__ = ["HostFacts", "read"]
