"""Credentials for registries, where docker keeps them: config.json's `auths`, or programs called credential helpers.

A helper is `docker-credential-NAME` with one of the verbs get, store, erase and list; what it is about comes on its stdin. Which
one: `credHelpers` by registry, else `credsStore`. Source: docker-credential-helpers' README, "Development".
"""

from __future__ import annotations

from binascii import Error as NoBase64
from binascii import a2b_base64, b2a_base64

from dockwright.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context

HUB = "https://index.docker.io/v1/"
TOKEN = "<token>"  # the user name that stands before an identity token in a helper
NOT_FOUND = "credentials not found in native keychain"
PATIENCE = 60  # seconds for a helper, which may ask the user


def key_of(domain: str) -> str:
    """What a registry is called in the configuration."""
    return HUB if domain in ("docker.io", "index.docker.io", "registry-1.docker.io") else domain


def host_of(server: str) -> str:
    """The host of a server address, however old its form."""
    return server.partition("://")[2].partition("/")[0] if "://" in server else server.partition("/")[0]


def header(context: Context, domain: str) -> dict[str, str]:
    """X-Registry-Auth for a registry."""
    from dockwright.client.documents import dumps

    text = b2a_base64(dumps(lookup(context, key_of(domain))), newline=False).decode()
    return {"X-Registry-Auth": text.replace("+", "-").replace("/", "_")}


def lookup(context: Context, key: str) -> dict[str, str]:
    """The credentials for a registry, as the API takes them; {} if there are none.

    Raises:
        Failure: a helper that does not work.
    """
    helper = _helper(context, key)
    if helper:
        return _from_helper(helper, key)
    entries = context.config.get("auths") or {}
    same = (entry for name, entry in entries.items() if key != HUB and host_of(name) == key)
    entry = entries.get(key) or next(same, None)
    return _from_file(entry, key) if entry else {}


def _from_file(entry: dict[str, str], key: str) -> dict[str, str]:
    found = {"serveraddress": key}
    if entry.get("auth"):
        try:
            user, colon, password = a2b_base64(entry["auth"]).decode().partition(":")
        except (NoBase64, UnicodeDecodeError):
            raise Failure(f"invalid auth configuration file: auths of {key}\n") from None
        if colon:
            found |= {"username": user, "password": password.strip("\0")}
    if entry.get("identitytoken"):
        found["identitytoken"] = entry["identitytoken"]
        found.pop("password", None)
    if entry.get("registrytoken"):
        found["registrytoken"] = entry["registrytoken"]
    return found


def store(context: Context, key: str, user: str, password: str, token: str) -> bool:
    """Keep credentials; whether they stand unencrypted in a file now.

    Args:
        token: an identity token, kept instead of the password.

    Raises:
        Failure: a helper or a file that does not work.
    """
    helper = _helper(context, key)
    if helper:
        from dockwright.client.documents import dumps

        secret = {"ServerURL": key, "Username": TOKEN if token else user, "Secret": token or password}
        _ask(helper, "store", dumps(secret))
        entry: dict[str, str] = {}
    else:
        pair = b2a_base64(f"{user}:{'' if token else password}".encode(), newline=False).decode()
        entry = {"auth": pair, **({"identitytoken": token} if token else {})}
    _update(context, {key: entry})
    return not helper and not token


def erase(context: Context, key: str) -> None:
    """Forget credentials; none is fine.

    Raises:
        Failure: a helper or a file that does not work.
    """
    helper = _helper(context, key)
    if helper:
        _ask(helper, "erase", key.encode())
    entries = context.config.get("auths") or {}
    names = [name for name in entries if name == key or (key != HUB and host_of(name) == key)]
    if names:
        _update(context, dict.fromkeys(names))


def _update(context: Context, entries: dict[str, dict[str, str] | None]) -> None:
    from dockwright.cli.settings import write

    document = dict(context.config)
    auths: dict[str, Any] = dict(document.get("auths") or {})
    for name, entry in entries.items():
        if entry is None:
            auths.pop(name, None)
        else:
            auths[name] = entry
    write(context.options.text("config"), {**document, "auths": auths})


def _helper(context: Context, key: str) -> str:
    return str((context.config.get("credHelpers") or {}).get(host_of(key)) or context.config.get("credsStore") or "")


def _from_helper(helper: str, key: str) -> dict[str, str]:
    from dockwright.client.documents import loads

    answer = _ask(helper, "get", key.encode())
    if answer is None:
        return {}
    try:
        found = loads(answer)
        user, secret = str(found["Username"]), str(found["Secret"])
    except (ValueError, KeyError, TypeError):
        raise Failure(f"error getting credentials - docker-credential-{helper}: no credentials in its answer\n") from None
    if user == TOKEN:
        return {"identitytoken": secret, "serveraddress": key}
    return {"username": user, "password": secret, "serveraddress": key}


def _ask(helper: str, verb: str, text: bytes) -> bytes | None:
    """What a helper answers; None if it has no such credentials.

    Raises:
        Failure: it is not there, or fails.
    """
    import subprocess

    program = f"docker-credential-{helper}"
    if "/" in helper:
        raise Failure(f"invalid credential helper: {helper}\n")
    try:
        done = subprocess.run([program, verb], input=text, stdout=subprocess.PIPE, timeout=PATIENCE, check=False)
    except FileNotFoundError:
        what = f'exec: "{program}": executable file not found in $PATH'
        raise Failure(f"error getting credentials - err: {what}, out: ``\n") from None
    except subprocess.TimeoutExpired:
        raise Failure(f"error getting credentials - {program} did not answer within {PATIENCE} s\n") from None
    if done.returncode == 0:
        return done.stdout
    said = done.stdout.decode("utf-8", "replace").strip()
    if said == NOT_FOUND or verb == "erase":
        return None
    doing = "storing" if verb == "store" else "getting"
    raise Failure(f"error {doing} credentials - err: exit status {done.returncode}, out: `{said}`\n")
