"""Version shaping: tables of what differs below the newest version, and one function that applies them."""

from dockwright.api.shapes.rules import Rule, shaped

__all__ = ["Rule", "shaped"]
