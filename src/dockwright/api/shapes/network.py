"""Networks in older versions. Source: Engine API version history."""

from dockwright.api.shapes.rules import Rule, without

INSPECT = (
    Rule((1, 48), (), without("EnableIPv4")),
    Rule((1, 52), (), without("Status")),
)
"""What 1.24 to 1.47 do not show: whether a network has IPv4, and how many of its addresses are in use."""
