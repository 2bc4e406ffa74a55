"""The user `dockremap`: made, with subordinate ids, when `--userns-remap default` asks for it and it is not there.

The host's own tools do it, so that files, locks and policies are theirs: adduser(8) where it is, else useradd(8); usermod(8).
"""

import logging

from dockwright.base.errors import InvalidParameter
from dockwright.daemon import subids
from dockwright.supervisor import spawner

NAME = "dockremap"
FIRST, SIZE = 100000, 65536  # where ranges begin, and how many ids one has
ADDUSER = (
    "adduser", "--system", "--shell", "/bin/false", "--disabled-login", "--disabled-password", "--no-create-home", "--group",
)  # fmt: skip
USERADD = ("useradd", "-r", "-s", "/bin/false")
DEADLINE = 60.0  # seconds: the tools wait for the lock of the user database

log = logging.getLogger("dockwright.daemon")


class _Failed(Exception):
    """A step of it, in dockerd's words."""


def make() -> None:
    """Add the user and its group, with a range of subordinate ids each; what was added goes again if a step fails.

    Raises:
        InvalidParameter: in dockerd's words.
    """
    try:
        _add()
        try:
            _give_ranges()
        except _Failed:
            _remove()
            raise
    except _Failed as error:
        raise InvalidParameter(f'Error during "{NAME}" user creation: {error}') from None


def _add() -> None:
    argv = next((found for found in (ADDUSER, USERADD) if spawner.find(found[0])), None)
    if argv is None:
        raise _Failed(f'error adding user "{NAME}": cannot add user; no useradd/adduser binary found')
    status, output = _ran(*argv, NAME)
    if status:
        quoted = output.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        raise _Failed(f'error adding user "{NAME}": failed to add user with error: exit status {status}; output: "{quoted}"')
    if subids.user(NAME) is None:
        raise _Failed(f'error trying to find uid/gid for new user "{NAME}": exit status 1')


def _give_ranges() -> None:
    """A range of each kind, unless the host's tools have given it one."""
    for path, kind, option in ((subids.SUBUID, "subuid", "-v"), (subids.SUBGID, "subgid", "-w")):
        head = "couldn't create subordinate ID ranges: "
        try:
            held = subids.ranges(path)
        except OSError as error:
            reason = f"open {path}: {(error.strerror or '').lower()}"
            raise _Failed(f'{head}error while looking for {kind} ranges for user "{NAME}": {reason}') from None
        if any(one.owner == NAME for one in held):
            continue
        first = free([(one.first, one.size) for one in held])
        status, output = _ran("usermod", option, f"{first}-{first + SIZE - 1}", NAME)
        if status:
            raise _Failed(f'{head}unable to add {kind} range to user: "{NAME}"; output: {output}, err: exit status {status}')


def free(held: list[tuple[int, int]]) -> int:
    """The first id of a range of SIZE that overlaps none of `held` (first id, size). Pure."""
    first = FIRST
    for begin, size in sorted(held):
        if begin < first + SIZE and first < begin + size:
            first = begin + size
    return first


def _remove() -> None:
    """Take the user away again; its group and ranges go with it."""
    status, output = _ran("userdel", NAME)
    if status:
        log.warning("the user %s could not be removed again: %s", NAME, output.strip())


def _ran(program: str, *arguments: str) -> tuple[int, str]:
    """The exit status and all output of one of the host's programs; 127 where it is not installed."""
    path = spawner.find(program)
    if not path:
        return 127, f"{program} is not installed"
    try:
        status, out, error = spawner.run_now([path, *arguments], deadline=DEADLINE)
    except (OSError, TimeoutError) as failed:
        return 126, str(failed)
    return status, (out + error).decode(errors="replace")
