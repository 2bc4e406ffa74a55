"""Whose the places on the data root are, what a look at it finds wrong, and what can be done about that."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Place = tuple[str, str, str]  # a path on the data root, the kind of thing it is ("" is nobody's), whose it is
Repair = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as rows and disk should agree it is.

    Attributes:
        kind: in a few words, the same for all of a kind. subject: a path, name or digest. remedy: what `repair` does, "" where
            only a person can know. repair: does it; raises EngineError, OSError.
    """

    kind: str
    subject: str
    remedy: str = ""
    repair: Repair | None = field(default=None, compare=False)
