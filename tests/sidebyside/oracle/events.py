"""The events of a section: one sequence for each actor, because the engines' order between actors is not promised.

What a container does to a network or a volume counts as the pair's: `network bridge of web`. Containers whose name the
engine made up cannot be told apart, so each of their sequences is one line, in the order of the alphabet.
"""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from oracle.compare import Difference, lines_differ
from oracle.normal import is_random_name

# attributes whose value is a measurement
MEASURED = ("execDuration",)
# dockerd tells these two of a stopped container in either order
RACE = ("stop", "die")
RANDOM = "<random name>"

Sequences = dict[str, list[str]]


def sequences(lines: list[str], normalise: Callable[[str], str]) -> Sequences:
    """`docker events --format '{{json .}}'` as lists of `action key=value ...`, by actor."""
    told = [json.loads(line) for line in lines]
    names = {event["Actor"]["ID"]: _name(event) for event in told if event["Type"] == "container"}
    made_up = {ident: f"{RANDOM} {number}" for number, ident in enumerate(names) if names[ident] == RANDOM}
    names |= made_up
    found: Sequences = {}
    for event in told:
        attributes = dict(event["Actor"]["Attributes"] or {})
        attributes.pop("name", "")
        ident = event["Actor"]["ID"]
        actor = f"{event['Type']} {made_up.get(ident) or normalise(_name(event) or ident)}"
        if event["Type"] != "container" and "container" in attributes:
            actor += f" of {names.get(attributes.pop('container'), 'another section')}"
        shown = [f"{key}={'<n>' if key in MEASURED else value}" for key, value in sorted(attributes.items())]
        found.setdefault(actor, []).append(normalise(" ".join([event["Action"], *shown])))
    return _grouped({actor: _settled(sequence) for actor, sequence in found.items()})


def _grouped(found: Sequences) -> Sequences:
    """Those of made-up names together, each sequence as one line."""
    grouped: Sequences = {}
    for actor, sequence in found.items():
        head, random, _ = actor.partition(RANDOM)
        if random:
            grouped.setdefault(f"{head}{RANDOM}", []).append(" > ".join(sequence))
        else:
            grouped[actor] = sequence
    return {actor: sorted(lines) if RANDOM in actor else lines for actor, lines in grouped.items()}


def _name(event: dict[str, Any]) -> str:
    name = str((event["Actor"]["Attributes"] or {}).get("name", ""))
    return RANDOM if is_random_name(name) else name


def _settled(sequence: list[str]) -> list[str]:
    """`sequence` with the pair of RACE in one order."""
    settled = list(sequence)
    for number, (first, second) in enumerate(pairwise(sequence)):
        if (first.split()[0], second.split()[0]) == RACE:
            settled[number : number + 2] = [second, first]
    return settled


def differences(reference: Sequences, ours: Sequences) -> list[Difference]:
    """What differs, by actor."""
    actors = sorted({*reference, *ours})
    return [
        difference
        for actor in actors
        for difference in lines_differ(f"events {actor}", reference.get(actor, []), ours.get(actor, []))
    ]
