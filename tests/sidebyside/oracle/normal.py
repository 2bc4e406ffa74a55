"""What may differ between two engines that are the same: random ids, times, their own folders.

Each function takes and gives a text. Ids are numbered in the order of their appearance, so that two that are mixed up
still show.
"""

import re
from collections.abc import Collection

ZERO_TIME = "0001-01-01T00:00:00Z"
_ID = re.compile(r"(?<![0-9a-zA-Z])(?:[0-9a-f]{64}|[0-9a-f]{12})(?![0-9a-zA-Z])")
_LINK = re.compile(r"/l/[A-Z0-9]{26}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?: ?(?:Z|[+-]\d\d:?\d\d))?(?: UTC)?")
_SPAN = re.compile(r"\b(?:Less than a second|\d+ seconds?|About a minute|\d+ minutes?)\b")
_SCRATCH = re.compile(r"docker-import-\d+")
_VETH = re.compile(r"\bveth[0-9a-f]{7}\b")
_BLANKS = re.compile(r" {2,}")
_RANDOM_NAME = re.compile(r"[a-z]+_[a-z]+\d?")


def ids(text: str, known: Collection[str] = ()) -> str:
    """Full and short ids as `<id 1>`, `<short 1>`; a full and a short one of the same object have one number.

    Args:
        known: full ids that are the same for both engines (the fixtures' images), which stay.
    """
    kept = {ident[:12] for ident in known}
    numbers: dict[str, int] = {}

    def shown(match: re.Match[str]) -> str:
        ident = match[0]
        if ident[:12] in kept or ident.isdecimal():
            return ident
        number = numbers.setdefault(ident[:12], len(numbers) + 1)
        return f"<{'id' if len(ident) == 64 else 'short'} {number}>"

    return _ID.sub(shown, text)


def times(text: str) -> str:
    """Points in time as `<time>`, except Go's zero, which means never; spans of up to an hour as `<span>`."""
    stamped = _TIME.sub(lambda match: match[0] if match[0] == ZERO_TIME else "<time>", text)
    return _SPAN.sub("<span>", stamped)


def folders(text: str, root: str) -> str:
    """The engine's own folders below `root`."""
    for name in ("data", "exec"):
        text = text.replace(f"{root}/{name}", f"<{name}>")
    return text.replace(root, "<root>")


def links(text: str) -> str:
    """Short names that the kernel is given (overlay2's links, veth pairs), and scratch folders."""
    return _SCRATCH.sub("<scratch>", _VETH.sub("<veth>", _LINK.sub("/l/<link>", text)))


def blanks(text: str) -> str:
    """Columns: their width follows the values, which are normalised."""
    return "\n".join(_BLANKS.sub("  ", line).rstrip() for line in text.replace("\r\n", "\n").split("\n"))


def is_random_name(name: str) -> bool:
    """Whether a container's name is of the kind an engine makes up."""
    return _RANDOM_NAME.fullmatch(name) is not None


def normalised(text: str, root: str, known: Collection[str] = ()) -> str:
    """All of the above."""
    return blanks(times(links(ids(folders(text, root), known))))
