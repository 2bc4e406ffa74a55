"""One verb for several objects: what succeeded is printed, the rest is reported at the end, and the status is 1."""

from __future__ import annotations

from dockwright.cli.terminal import err, out
from dockwright.client.errors import ApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def each(names: Iterable[str], act: Callable[[str], object]) -> int:
    """Do it for each name; an action that returns a text has it printed instead of the name."""
    problems = []
    for name in names:
        try:
            said = act(name)
        except ApiError as error:
            problems.append(f"Error response from daemon: {error.message}\n")
        else:
            out((said if isinstance(said, str) else name) + "\n")
    err("".join(problems))
    return 1 if problems else 0


def verb(method: str, path: str) -> Callable[..., object]:
    """An action: `path` with the quoted name in it."""
    from dockwright.client.query import quote

    def act(client: object, name: str, query: dict[str, object] | None = None) -> object:
        return client.request(method, path.format(quote(name)), query).read()  # type: ignore[attr-defined]

    return act
