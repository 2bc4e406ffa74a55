"""Which events a listener wants: Docker's filter semantics.

Values of one key are alternatives (labels: all must hold), different keys must all hold. Names of objects match by
prefix of the id or of the name, images by their whole name with or without its tag.
"""

from collections.abc import Mapping, Sequence

from dockwright.events.message import Event

BY_PREFIX = ("container", "volume", "network", "daemon", "plugin", "service", "node", "secret", "config")
OPEN_ENDED = {"exec_create", "exec_start", "health_status"}


def includes(filters: Mapping[str, Sequence[str]], event: Event) -> bool:
    """Whether `event` passes `filters`."""
    return all(_passes(key, values, event) for key, values in filters.items() if values)


def _passes(key: str, values: Sequence[str], event: Event) -> bool:
    if key == "event":
        return _action(values, event["Action"])
    if key == "type":
        return event["Type"] in values
    if key == "scope":
        return event["scope"] in values
    if key == "label":
        return all(_label(value, event["Actor"]["Attributes"]) for value in values)
    if key == "image":
        return _image(values, event)
    if key in BY_PREFIX:
        return _prefix(values, event["Actor"])
    return True


def _action(values: Sequence[str], action: str) -> bool:
    """An action is matched whole, but the three that carry a command or a state by what comes before the colon."""
    if OPEN_ENDED.intersection(values):
        return action.startswith(tuple(values))
    return action in values


def _label(value: str, attributes: Mapping[str, str]) -> bool:
    key, equals, wanted = value.partition("=")
    return key in attributes and (not equals or attributes[key] == wanted)


def _image(values: Sequence[str], event: Event) -> bool:
    actor = event["Actor"]
    name = actor["Attributes"].get("name" if event["Type"] == "image" else "image", "")
    return any(candidate in values for candidate in (actor["ID"], name, _untagged(actor["ID"]), _untagged(name)))


def _untagged(name: str) -> str:
    """`name` without its tag or digest; a colon before the last slash is a registry's port."""
    name = name.partition("@")[0]
    slash = name.rfind("/")
    colon = name.rfind(":")
    return name[:colon] if colon > slash else name


def _prefix(values: Sequence[str], actor: Event) -> bool:
    names: tuple[str, str] = (actor["ID"], actor["Attributes"].get("name", ""))
    return any(name.startswith(tuple(values)) for name in names)
