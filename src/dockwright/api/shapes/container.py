"""Containers in older versions, as dockerd shapes them (tests/sidebyside): most newer fields are shown to all clients."""

from dockwright.api.shapes.rules import Document, Rule, without


def _short_id_alias(document: Document) -> None:
    """Before 1.45 the aliases on a user network ended with the container's short id."""
    short = str(document.get("Id", ""))[:12]
    networks = (document.get("NetworkSettings") or {}).get("Networks") or {}
    for name, endpoint in networks.items():
        if name not in ("bridge", "host", "none", "default") and short:
            aliases = endpoint.get("Aliases") or []
            endpoint["Aliases"] = aliases if short in aliases else [*aliases, short]


INSPECT = (Rule((1, 45), (), _short_id_alias),)

LIST = (Rule((1, 46), ("HostConfig",), without("Annotations")),)
