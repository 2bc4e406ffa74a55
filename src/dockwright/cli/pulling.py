"""Fetching an image: POST /images/create, and its progress."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context


def pull(context: Context, image: str, platform: str, quiet: bool, fd: int, terminal: bool) -> None:
    """Let the daemon fetch `image`, showing on `fd` what it does.

    Raises:
        ApiError: the daemon or the registry refused. Failure: the fetch broke off.
    """
    from dockwright.cli.progress import show
    from dockwright.grammar.reference import parse

    reference = parse(image).tagged()
    query = {"fromImage": f"{reference.domain}/{reference.path}", "tag": reference.digest or reference.tag, "platform": platform}
    answer = context.client.request("POST", "/images/create", query, headers=credentials(context, reference.domain))
    show(answer.documents(), fd, terminal, quiet)


def credentials(context: Context, domain: str) -> dict[str, str]:
    """X-Registry-Auth for a registry, from config.json's auths; credential helpers are not asked."""
    key = "https://index.docker.io/v1/" if domain == "docker.io" else domain
    entry = context.config.get("auths", {}).get(key)
    if not entry or not entry.get("auth"):
        return {}
    from binascii import a2b_base64, b2a_base64

    from dockwright.client.documents import dumps

    user, _, password = a2b_base64(entry["auth"]).decode().partition(":")
    document = dumps({"username": user, "password": password, "serveraddress": key})
    text = b2a_base64(document, newline=False).decode().replace("+", "-").replace("/", "_")
    return {"X-Registry-Auth": text}
