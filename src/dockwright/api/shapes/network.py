"""Networks in older versions. Source: Engine API version history."""

from dockwright.api.shapes.rules import Rule

INSPECT: tuple[Rule, ...] = ()
"""1.24 to 1.47 show the same fields; EnableIPv4 comes with 1.48."""
