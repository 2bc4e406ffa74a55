"""Users, groups, and the ranges of subordinate ids they hold (subuid(5), subgid(5))."""

import grp
import pwd
from dataclasses import dataclass

SUBUID, SUBGID = "/etc/subuid", "/etc/subgid"


@dataclass(frozen=True)
class Range:
    """A line of /etc/subuid or /etc/subgid: its owner is a name or a number."""

    owner: str
    first: int
    size: int


def user(wanted: str) -> tuple[str, int] | None:
    """Name and number of a user by either; None if there is none."""
    try:
        found = pwd.getpwuid(int(wanted)) if wanted.isdecimal() else pwd.getpwnam(wanted)
    except KeyError:
        return None
    return found.pw_name, found.pw_uid


def group(wanted: str) -> tuple[str, int] | None:
    """Name and number of a group by either; None if there is none."""
    try:
        found = grp.getgrgid(int(wanted)) if wanted.isdecimal() else grp.getgrnam(wanted)
    except KeyError:
        return None
    return found.gr_name, found.gr_gid


def ranges(path: str) -> list[Range]:
    """The ranges in a file, in its order; lines that are none are passed over.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = [line.split("#")[0].strip().split(":") for line in file]
    return [
        Range(fields[0], int(fields[1]), int(fields[2]))
        for fields in lines
        if len(fields) == 3 and fields[1].isdecimal() and fields[2].isdecimal()
    ]
