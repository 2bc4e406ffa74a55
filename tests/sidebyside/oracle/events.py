"""The events of a section: one sequence for each actor, because the engines' order between actors is not promised."""

import json
from collections.abc import Callable

from oracle.compare import Difference, lines_differ
from oracle.normal import is_random_name

# attributes whose value is a measurement
MEASURED = ("execDuration",)

Sequences = dict[str, list[str]]


def sequences(lines: list[str], normalise: Callable[[str], str]) -> Sequences:
    """`docker events --format '{{json .}}'` as lists of `action key=value ...`, by actor."""
    found: Sequences = {}
    for line in lines:
        event = json.loads(line)
        attributes = dict(event["Actor"]["Attributes"] or {})
        actor = _actor(event["Type"], attributes.pop("name", ""), normalise(event["Actor"]["ID"]))
        shown = [f"{key}={'<n>' if key in MEASURED else value}" for key, value in sorted(attributes.items())]
        found.setdefault(actor, []).append(normalise(" ".join([event["Action"], *shown])))
    return found


def _actor(kind: str, name: str, ident: str) -> str:
    if is_random_name(name):
        name = "<random name>"
    return f"{kind} {name or ident}"


def differences(reference: Sequences, ours: Sequences) -> list[Difference]:
    """What differs, by actor."""
    actors = sorted({*reference, *ours})
    return [
        difference
        for actor in actors
        for difference in lines_differ(f"events {actor}", reference.get(actor, []), ours.get(actor, []))
    ]
