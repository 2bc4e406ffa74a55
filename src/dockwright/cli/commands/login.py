"""dockwright login: credentials for a registry, checked there and kept."""

from __future__ import annotations

import posix

from dockwright.cli import credentials
from dockwright.cli.failure import Failure
from dockwright.cli.terminal import STDIN, err, is_terminal, out
from dockwright.client.errors import ApiError
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("p/password password-stdin:bool u/username")
ARGUMENTS = (0, 1)
UNENCRYPTED = """
WARNING! Your credentials are stored unencrypted in '{}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/

"""
ANOTHER = """
 Info -> To login with a different account, run 'docker logout' followed by 'docker login'


"""


def run(context: Context, given: Given) -> int:
    """Ask the daemon whether the registry takes them, and keep what it gives back."""
    key = registry(given)
    user, password = given.text("username"), _password(given)
    known = {} if user or password else credentials.lookup(context, key)
    if known.get("username") and known.get("password"):
        err(f"Authenticating with existing credentials... [Username: {known.get('username', '')}]\n{ANOTHER}")
        try:
            return _login(context, key, known, fresh=False)
        except ApiError as error:
            err(f"login did not succeed: {error.message}\n")
    user, password = _asked(user or known.get("username", ""), password)
    return _login(context, key, {"username": user, "password": password, "serveraddress": key})


def registry(given: Given) -> str:
    """What the registry of the command line is called in the configuration."""
    server = given.rest[0] if given.rest else ""
    return credentials.key_of(credentials.host_of(server)) if server else credentials.HUB


def _password(given: Given) -> str:
    if "password" in given:
        if given.flag("password-stdin"):
            raise Failure("conflicting options: cannot specify both --password and --password-stdin\n")
        if not given.text("password"):
            raise Failure("password is empty\n")
        err("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n")
        return str(given.text("password"))
    if not given.flag("password-stdin"):
        return ""
    if not given.text("username"):
        raise Failure("the --password-stdin option requires --username to be set\n")
    return _everything().rstrip("\r\n")


def _everything() -> str:
    pieces = []
    while piece := posix.read(STDIN, 1 << 16):
        pieces.append(piece)
    return b"".join(pieces).decode("utf-8", "surrogateescape")


def _asked(user: str, password: str) -> tuple[str, str]:
    """User and password, asked for where they are missing. Raises Failure where nobody can be asked."""
    if user and password:
        return user, password
    if not is_terminal(STDIN):
        raise Failure("Error: Cannot perform an interactive login from a non TTY device\n")
    import getpass

    while not user:
        user = input("Username: ").strip()
    out("\n")
    password = password or getpass.getpass("Password: ")
    if not password:
        raise Failure("Error: Password Required\n")
    return user, password


def _login(context: Context, key: str, known: dict[str, Any], fresh: bool = True) -> int:
    """Have credentials checked; `fresh` ones, and a token that is given for them, are kept."""
    answer = context.client.post("/auth", {}, known) or {}
    token = answer.get("IdentityToken") or ""
    if (fresh or token) and credentials.store(context, key, known.get("username", ""), known.get("password", ""), token):
        from dockwright.cli.settings import directory

        err(UNENCRYPTED.format(f"{directory(context.options.text('config'))}/config.json"))
    if answer.get("Status"):
        out(f"{answer['Status']}\n")
    return 0
