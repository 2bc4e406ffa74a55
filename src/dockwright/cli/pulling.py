"""Fetching an image: POST /images/create, and its progress."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dockwright.cli.context import Context


def pull(
    context: Context, image: str, platform: str, quiet: bool, fd: int, terminal: bool, every_tag: bool = False,
    more: Mapping[str, object] | None = None,
) -> None:
    """Let the daemon fetch `image`, showing on `fd` what it does.

    Raises:
        ApiError: the daemon or the registry refused. Failure: the fetch broke off.
    """
    from dockwright.cli.credentials import header
    from dockwright.cli.progress import show
    from dockwright.grammar.reference import parse

    reference = parse(image) if every_tag else parse(image).tagged()
    query = {"fromImage": reference.name, "tag": reference.digest or reference.tag, "platform": platform,
             **(more or {})}  # fmt: skip
    answer = context.client.request("POST", "/images/create", query, headers=header(context, reference.domain))
    show(answer.documents(), fd, terminal, quiet)
