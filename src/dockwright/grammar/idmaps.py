"""`idmap` of a bind: whose a host's files are in the container.

    keep-id                            what is the source's owner's on the host is the container's user's inside
    uids=DISK-SEEN-SIZE[#...];gids=... ranges of ids on the disk, and what they are on the host; `@` before a range: inside

Podman's `--mount ...,idmap=` has the second form (podman-run(1)).
"""

from __future__ import annotations

import re

KEEP = "keep-id"
_RANGE = re.compile(r"(@?)(\d{1,10})-(\d{1,10})-(\d{1,10})")

Range = tuple[bool, int, int, int]  # whether SEEN is inside; DISK, SEEN, SIZE


def parse(text: str) -> tuple[list[Range], list[Range]]:
    """The ranges of users and groups; none of either for `keep-id`.

    Raises:
        ValueError: it is neither of the forms.
    """
    if text == KEEP:
        return [], []
    found: dict[str, list[Range]] = {}
    for part in text.split(";"):
        kind, equals, ranges = part.partition("=")
        if kind not in ("uids", "gids") or not equals or kind in found:
            raise ValueError(f"invalid idmap: {text}")
        found[kind] = [_range(item, text) for item in ranges.split("#")]
    if set(found) != {"uids", "gids"}:
        raise ValueError(f"invalid idmap: {text}: both uids and gids are needed")
    return found["uids"], found["gids"]


def _range(item: str, text: str) -> Range:
    match = _RANGE.fullmatch(item)
    if not match or int(match[4]) == 0 or any(int(match[n]) >= 1 << 32 for n in (2, 3, 4)):
        raise ValueError(f"invalid idmap: {text}")
    return bool(match[1]), int(match[2]), int(match[3]), int(match[4])
