"""The document of one event, in the shape of API 1.47 and before."""

from typing import Any

Event = dict[str, Any]


def message(type: str, action: str, actor_id: str, attributes: dict[str, str], time_ns: int) -> Event:
    """The event's document, keys in Docker's order.

    Containers and images also carry the fields of the first API versions: `status`, `id` and (containers) `from`.
    """
    event: Event = {}
    if type in ("container", "image"):
        event["status"] = action
        event["id"] = actor_id
        if type == "container" and "image" in attributes:
            event["from"] = attributes["image"]
    event["Type"] = type
    event["Action"] = action
    event["Actor"] = {"ID": actor_id, "Attributes": attributes}
    event["scope"] = "local"
    event["time"] = time_ns // 1_000_000_000
    event["timeNano"] = time_ns
    return event
