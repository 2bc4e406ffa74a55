"""Who a container's process is: `--user` and `--group-add`, looked up in the container's own passwd and group files."""

from dataclasses import dataclass

from dockwright.base.errors import Internal

LARGEST = (1 << 31) - 1
LONGEST = 20  # characters; int() refuses thousands of digits with an error of its own


@dataclass(frozen=True)
class Identity:
    """Numeric ids and the home directory."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


def identify(user: str, group_add: list[str], passwd: bytes, group: bytes) -> Identity:
    """Resolve `user` ("", "name", "7", "name:group", ":group").

    Args:
        passwd, group: content of the container's /etc/passwd and /etc/group, b"" where missing.

    Raises:
        Internal: in Docker's words, when there is no such user or group.
    """
    name, _, group_name = user.partition(":")
    entry = _user(name, passwd)
    uid, gid, home, login = entry
    groups: tuple[int, ...] = ()
    if group_name:
        gid = _group(group_name, group, f"unable to find group {group_name}: no matching entries in group file")
    elif login:
        groups = tuple(_memberships(login, group))
    added = [_group(g, group, f"Unable to find group {g}: no matching entries in group file") for g in group_add]
    return Identity(uid, gid, tuple(dict.fromkeys([gid, *groups, *added])), home)


def _user(name: str, passwd: bytes) -> tuple[int, int, str, str]:
    """(uid, gid, home, login name) of a name or number. A number is never a name: an image could call root 1000."""
    wanted = name or "0"
    for fields in _lines(passwd, 7):
        if fields[2 if _numeric(wanted) else 0] == wanted:
            return _number(fields[2]), _number(fields[3]), fields[5] or "/", fields[0]
    if not _numeric(wanted):
        raise Internal(f"unable to find user {wanted}: no matching entries in passwd file")
    return _number(wanted), 0, "/", ""


def _group(name: str, group: bytes, missing: str) -> int:
    if _numeric(name):
        return _number(name)
    for fields in _lines(group, 4):
        if fields[0] == name:
            return _number(fields[2])
    raise Internal(missing)


def _memberships(login: str, group: bytes) -> list[int]:
    return [_number(fields[2]) for fields in _lines(group, 4) if login in fields[3].split(",")]


def _numeric(text: str) -> bool:
    """Whether Go's strconv.Atoi takes it."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return digits.isascii() and digits.isdigit()


def _number(text: str) -> int:
    if not _numeric(text) or len(text) > LONGEST or not 0 <= int(text) <= LARGEST:
        raise Internal(f"uids and gids must be in range 0-{LARGEST}")
    return int(text)


def _lines(data: bytes, fields: int) -> list[list[str]]:
    rows = [line.split(":") for line in data.decode("utf-8", "surrogateescape").splitlines() if line and line[0] != "#"]
    return [row for row in rows if len(row) >= fields]
