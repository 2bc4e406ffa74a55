"""Containers in older versions. Source: Engine API version history."""

from dockwright.api.shapes.rules import Document, Rule, with_, without


def _short_id_alias(document: Document) -> None:
    """Before 1.45 the aliases on a user network ended with the container's short id."""
    short = str(document.get("Id", ""))[:12]
    networks = (document.get("NetworkSettings") or {}).get("Networks") or {}
    for name, endpoint in networks.items():
        if name not in ("bridge", "host", "none", "default") and short:
            aliases = endpoint.get("Aliases") or []
            endpoint["Aliases"] = aliases if short in aliases else [*aliases, short]


NETWORKS = ("NetworkSettings", "Networks", "*")

INSPECT = (
    Rule((1, 45), (), _short_id_alias),
    Rule((1, 44), NETWORKS, without("DNSNames")),
    Rule((1, 44), ("Config", "Healthcheck"), without("StartInterval")),
    Rule((1, 43), ("HostConfig",), without("Annotations")),
    Rule((1, 42), ("HostConfig",), with_(KernelMemory=0, KernelMemoryTCP=0)),
    Rule((1, 41), ("HostConfig",), without("CgroupnsMode")),
    Rule((1, 40), ("HostConfig",), without("DeviceRequests")),
)

LIST = (
    Rule((1, 46), ("HostConfig",), without("Annotations")),
    Rule((1, 44), NETWORKS, without("DNSNames")),
)
