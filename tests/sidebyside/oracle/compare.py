"""Two outcomes of one command, and where they differ."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

ABSENT = "(absent)"
# numbers that no two runs share: name of the key, and what stands for a value that is not zero
VOLATILE = ("Pid", "Created", "NFd", "NGoroutines", "NEventsListener", "time", "timeNano")
# lists whose order Docker leaves to chance (Go's maps), and the key that orders them here
UNORDERED = {"Mounts": "Destination"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left, normalised. exit: its status, -1 after its time was up."""

    exit: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the engines differ: `exit`, `stdout`, `stderr`, `events ...`, or a stream and a JSON path."""

    where: str
    reference: str
    ours: str

    def __str__(self) -> str:
        return f"{self.where}\n    reference: {self.reference}\n    ours:      {self.ours}"


def differences(reference: Outcome, ours: Outcome) -> list[Difference]:
    """Everything that differs between two outcomes."""
    found = [*_streams("stdout", reference.stdout, ours.stdout), *_streams("stderr", reference.stderr, ours.stderr)]
    if reference.exit != ours.exit:
        found.insert(0, Difference("exit", str(reference.exit), str(ours.exit)))
    return found


def _streams(where: str, reference: str, ours: str) -> Iterator[Difference]:
    documents = document(reference), document(ours)
    if None not in documents:
        return documents_differ(f"{where} $", *documents)
    return lines_differ(where, reference.splitlines(), ours.splitlines())


def document(text: str) -> Any:
    """`text` as a JSON object or array, or as a list of them if each line is one; None if it is neither, or empty."""
    if not text.strip("[] \n"):
        return None
    for candidate in (text, "[" + ",".join(text.splitlines()) + "]"):
        try:
            value = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(value, dict | list) and not _scalars(value):
            return value
    return None


def _scalars(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(item, dict | list) for item in value)


def documents_differ(path: str, reference: Any, ours: Any) -> Iterator[Difference]:
    """The differences of two JSON values, by their paths."""
    if isinstance(reference, dict) and isinstance(ours, dict):
        for key in sorted({*reference, *ours}):
            left, right = reference.get(key, ABSENT), ours.get(key, ABSENT)
            if key in VOLATILE and _set(left) and _set(right):
                continue
            yield from documents_differ(f"{path}.{key}", _ordered(key, left), _ordered(key, right))
    elif isinstance(reference, list) and isinstance(ours, list) and not _scalars([*reference, *ours]):
        for number, (left, right) in enumerate(zip_longest(reference, ours, fillvalue=ABSENT)):
            yield from documents_differ(f"{path}[{number}]", left, right)
    elif reference != ours or type(reference) is not type(ours):
        yield Difference(path, _shown(reference), _shown(ours))


def _ordered(key: str, value: Any) -> Any:
    by = UNORDERED.get(key)
    if not by or not isinstance(value, list):
        return value
    return sorted(value, key=lambda item: str(item.get(by) if isinstance(item, dict) else item))


def _set(value: Any) -> bool:
    return value not in (0, ABSENT, "", None)


def _shown(value: Any) -> str:
    return value if value == ABSENT else json.dumps(value, ensure_ascii=False)


def lines_differ(where: str, reference: list[str], ours: list[str]) -> Iterator[Difference]:
    """The differences of two texts, line by line."""
    matcher = difflib.SequenceMatcher(None, reference, ours, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            for left, right in zip_longest(reference[a:b], ours[c:d], fillvalue=ABSENT):
                yield Difference(where, left, right)
