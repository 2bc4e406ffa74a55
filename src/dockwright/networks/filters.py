"""`docker network ls --filter`: which networks pass. Pure."""

import re
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from dockwright.base.errors import InvalidParameter, NotFound
from dockwright.base.times import seconds
from dockwright.grammar.timestamps import parse_since
from dockwright.networks.network import PREDEFINED, Network

PRUNE = ("label", "label!", "until")
TRUE, FALSE = ("1", "true"), ("0", "false")
Test = Callable[[Network, str, Container[str]], bool]


def _label(item: Network, value: str, _in_use: Container[str]) -> bool:
    name, equals, wanted = value.partition("=")
    return name in item.labels and (not equals or item.labels[name] == wanted)


def _type(item: Network, value: str, _in_use: Container[str]) -> bool:
    if value not in ("builtin", "custom"):
        raise InvalidParameter(f"invalid filter: 'type'='{value}'")
    return (item.name in PREDEFINED) == (value == "builtin")


def _dangling(item: Network, value: str, in_use: Container[str]) -> bool:
    if value not in TRUE + FALSE:
        raise InvalidParameter('invalid value for filter \'dangling\', must be "true" (or "1"), or "false" (or "0")')
    dangling = item.name not in PREDEFINED and item.id not in in_use
    return dangling == (value in TRUE)


def _matches(text: str, value: str) -> bool:
    """Whether `text` has `value` in it, as it stands or as a regular expression."""
    try:
        return value in text or re.search(value, text) is not None
    except re.error:
        return False


TESTS: dict[str, Test] = {
    "dangling": _dangling,
    "driver": lambda item, value, _: item.driver == value,
    "id": lambda item, value, _: _matches(item.id, value),
    "label": _label,
    "name": lambda item, value, _: _matches(item.name, value),
    "scope": lambda item, value, _: value == "local",
    "type": _type,
}


def select(
    networks: Iterable[Network], wanted: Mapping[str, Sequence[str]], in_use: Container[str]
) -> list[Network]:
    """The networks that pass: one value of each key must hold, of `label` all.

    Args:
        in_use: ids of networks with endpoints.

    Raises:
        InvalidParameter: an unknown key or value (Docker's texts).
    """
    for key in wanted:
        if key not in TESTS:
            raise InvalidParameter(f"invalid filter '{key}'")
    return [item for item in networks if all(_passes(item, key, values, in_use) for key, values in wanted.items())]


def _passes(item: Network, key: str, values: Sequence[str], in_use: Container[str]) -> bool:
    results = [TESTS[key](item, value, in_use) for value in values]
    return all(results) if key == "label" else any(results)


def missing(ref: str) -> NotFound:
    """No such network."""
    return NotFound(f"network {ref} not found")


def prunable(networks: Iterable[Network], wanted: Mapping[str, Sequence[str]]) -> list[Network]:
    """The networks that a prune takes if nobody uses them.

    Raises:
        InvalidParameter: an unknown key or value (Docker's texts).
    """
    for key in wanted:
        if key not in PRUNE:
            raise InvalidParameter(f"invalid filter '{key}'")
    if len(wanted.get("until", ())) > 1:
        raise InvalidParameter("more than one until filter specified")
    before = [_moment(text) for text in wanted.get("until", ())]
    return [
        item
        for item in networks
        if not item.predefined
        and all(_label(item, value, ()) for value in wanted.get("label", ()))
        and not any(_label(item, value, ()) for value in wanted.get("label!", ()))
        and all(seconds(item.created) < moment for moment in before)
    ]


def _moment(text: str) -> float:
    try:
        return float(parse_since(text, time.time_ns()))
    except ValueError as error:
        raise InvalidParameter(str(error)) from None
