"""--userns-remap: a user and a group, and the ids /etc/subuid and /etc/subgid give them (subuid(5))."""

from collections.abc import Callable

from dockwright.base.errors import InvalidParameter
from dockwright.containers.remap import Maps, Remap
from dockwright.daemon import dockremap, subids

DEFAULT = "default"
Named = tuple[str, int]


def check(text: str) -> None:
    """Raises InvalidParameter, in dockerd's words, for what cannot be. A user that a start makes may be missing."""
    if not _unmade(text):
        remap(text)


def establish(text: str) -> None:
    """Make the user that `default` stands for, if it is missing.

    Raises:
        InvalidParameter: in dockerd's words.
    """
    if _unmade(text):
        dockremap.make()


def _unmade(text: str) -> bool:
    return _parts(text)[:1] == [DEFAULT] and subids.user(dockremap.NAME) is None


def _parts(text: str) -> list[str]:
    """User and perhaps group; [] for none."""
    parts = text.split(":")
    if text and (len(parts) > 2 or not all(parts)):
        raise InvalidParameter(f'Invalid user/group specification in --userns-remap: "{text}"')
    return parts if text else []


def remap(text: str) -> Remap | None:
    """What `text` says: `default`, or USER[:GROUP] by name or number; "" for none.

    Raises:
        InvalidParameter: in dockerd's words.
    """
    parts = _parts(text)
    if not parts:
        return None
    user = _named(dockremap.NAME if parts[0] == DEFAULT else parts[0], subids.user, "Uid", "uid", "passwd")
    named, what = (parts[1], "groupname") if len(parts) == 2 else (user[0], "gid")
    group = _named(named, subids.group, "Gid", what, "group")
    return Remap(_maps(subids.SUBUID, "subuid", *user), _maps(subids.SUBGID, "subgid", *group))


def _named(wanted: str, find: Callable[[str], Named | None], number: str, what: str, database: str) -> Named:
    """Name and number in a database of the host's.

    Args:
        number, what: how the text of an error calls a number, and what is looked up.
    """
    found = find(wanted)
    if found is None:
        missing = f'getent unable to find entry "{wanted}" in {database} database'
        unnamed = f"{number} {wanted} has no entry in /etc/{database}"
        head = unnamed if wanted.isdecimal() else f'Error during {what} lookup for "{wanted}"'
        raise InvalidParameter(f"{head}: {missing}")
    return found


def _maps(path: str, what: str, name: str, number: int) -> Maps:
    """The ranges of one user, one after the other from 0 on."""
    maps: Maps = []
    for held in _held(path, (name, str(number))):
        inside = maps[-1]["containerID"] + maps[-1]["size"] if maps else 0
        maps.append({"containerID": inside, "hostID": held.first, "size": held.size})
    if not maps:
        raise InvalidParameter(f'Can\'t create ID mappings: no {what} ranges found for user "{name}"')
    return maps


def _held(path: str, owners: tuple[str, str]) -> list[subids.Range]:
    try:
        return [held for held in subids.ranges(path) if held.owner in owners]
    except FileNotFoundError:
        return []
