"""`network map` as text: each network with its containers, and who reaches whom."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Document = dict[str, Any]

YES, NO = "──▶", "──✗"


def draw(document: Document) -> str:
    """The whole map."""
    blocks = [_head(document)]
    for network in document["Networks"]:
        blocks.append(_network(network, document["Arrows"]))
    shared = [each["Name"] for each in document["Containers"] if each["Kind"] == "host"]
    if shared:
        blocks.append([f"on the host's own network: {', '.join(shared)}"])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _head(document: Document) -> list[str]:
    driver = document["Firewall"] or "none"
    state = "" if document["InPlace"] else ", NOT IN PLACE: changed by another program"
    return [f"firewall: {driver}{state}; published ports: {document['PublishedPorts']}"]


def _network(network: Document, arrows: list[Document]) -> list[str]:
    place = f"network {network['Name']}"
    about = [network["Link"], *network["Subnets"], "internal" if network["Internal"] else ""]
    lines = [f"{place} ({', '.join(filter(None, [network['Driver'], *about]))})"]
    members = network["Members"]
    width = max((len(member["Name"]) for member in members), default=0)
    for member in members:
        lines.append(f"├── {member['Name']:<{width}}  {' '.join(member['Addresses'])}")
        for arrow in arrows:
            if f"container {member['Name']}" in (arrow["To"], arrow["From"]) and arrow["Network"] == network["Name"]:
                lines += _arrow(arrow, "│   ", place)
    for arrow in arrows:
        if place in (arrow["From"], arrow["To"]):
            lines += _arrow(arrow, "│ ", place)
    return lines


def _arrow(arrow: Document, indent: str, place: str) -> list[str]:
    start, end = ("its containers" if side == place else side for side in (arrow["From"], arrow["To"]))
    if arrow["From"] == arrow["To"]:
        end = "each other"
    lines = [f"{indent}{start} {YES if arrow['Allowed'] else NO} {end}: {arrow['What']}"]
    because = [line for line in (arrow["Rule"] or "").splitlines() if line] + ([arrow["Why"]] if arrow["Why"] else [])
    return lines + [f"{indent}      {line}" for line in because]
