"""--userns-remap: a user and a group, and the ids /etc/subuid and /etc/subgid give them (subuid(5))."""

import grp
import pwd

from dockwright.base.errors import InvalidParameter
from dockwright.containers.remap import Maps, Remap

DEFAULT = "dockremap"
SUBUID, SUBGID = "/etc/subuid", "/etc/subgid"


def remap(text: str) -> Remap | None:
    """What `text` says: `default`, or USER[:GROUP] by name or number; "" for none.

    Raises:
        InvalidParameter: in dockerd's words.
    """
    if not text:
        return None
    parts = text.split(":")
    if len(parts) > 2 or not all(parts):
        raise InvalidParameter(f'Invalid user/group specification in --userns-remap: "{text}"')
    user = _user(DEFAULT if parts[0] == "default" else parts[0])
    group = _group(parts[1] if len(parts) == 2 else user[0], "groupname" if len(parts) == 2 else "gid")
    return Remap(_maps(SUBUID, "subuid", *user), _maps(SUBGID, "subgid", *group))


def _user(wanted: str) -> tuple[str, int]:
    try:
        found = pwd.getpwuid(int(wanted)) if wanted.isdecimal() else pwd.getpwnam(wanted)
    except KeyError:
        missing = f'getent unable to find entry "{wanted}" in passwd database'
        head = f"Uid {wanted} has no entry in /etc/passwd" if wanted.isdecimal() else f'Error during uid lookup for "{wanted}"'
        raise InvalidParameter(f"{head}: {missing}") from None
    return found.pw_name, found.pw_uid


def _group(wanted: str, what: str) -> tuple[str, int]:
    try:
        found = grp.getgrgid(int(wanted)) if wanted.isdecimal() else grp.getgrnam(wanted)
    except KeyError:
        missing = f'getent unable to find entry "{wanted}" in group database'
        head = f"Gid {wanted} has no entry in /etc/group" if wanted.isdecimal() else f'Error during {what} lookup for "{wanted}"'
        raise InvalidParameter(f"{head}: {missing}") from None
    return found.gr_name, found.gr_gid


def _maps(path: str, what: str, name: str, number: int) -> Maps:
    """The ranges of one user, one after the other from 0 on."""
    maps: Maps = []
    for first, size in _ranges(path, name, number):
        inside = maps[-1]["containerID"] + maps[-1]["size"] if maps else 0
        maps.append({"containerID": inside, "hostID": first, "size": size})
    if not maps:
        raise InvalidParameter(f'Can\'t create ID mappings: no {what} ranges found for user "{name}"')
    return maps


def _ranges(path: str, name: str, number: int) -> list[tuple[int, int]]:
    found = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.split("#")[0].strip().split(":") for line in file]
    except FileNotFoundError:
        return []
    for fields in lines:
        if len(fields) == 3 and fields[0] in (name, str(number)) and fields[1].isdecimal() and fields[2].isdecimal():
            found.append((int(fields[1]), int(fields[2])))
    return found
