"""What all inspects share: the raw documents laid out, or a template over each."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import err, out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


PARSE_STATUS = 64


def inspect(names: Iterable[str], fetch: Callable[[str], bytes], form: str, type_name: str = "") -> int:
    """Print what `fetch` gets for each name; what failed comes after, and makes the status 1.

    Args:
        fetch: the raw document; its ApiError is reported in docker's words, its Failure as it is.
        form: --format, "" for JSON. type_name: of the document in Go, where docker knows only the typed one.
    """
    from dockwright.client.errors import ApiError

    show = _filled(form, type_name) if form else None
    documents, lines, problems = list[str](), list[str](), ""
    for name in names:
        try:
            raw = fetch(name)
        except ApiError as error:
            problems += f"Error response from daemon: {error.message}\n"
        except Failure as error:
            problems += error.text
        else:
            documents.append(raw.decode("utf-8", "replace"))
    if show:
        lines = [show(document) for document in documents]
    out("".join(f"{line}\n" for line in lines) or ("\n" if show else _array(documents)))
    err(problems)
    return 1 if problems else 0


def _array(documents: list[str]) -> str:
    if not documents:
        return "[]\n"
    from dockwright.grammar.json_indent import indent

    return indent("[" + ",".join(documents) + "]") + "\n"


def _filled(form: str, type_name: str) -> Callable[[str], str]:
    """The template as a function of a raw document; "json" is the document on one line. Raises Failure."""
    from dockwright.cli.formatting import escapes
    from dockwright.client.documents import loads
    from dockwright.grammar.template import Fields, Template, TemplateError

    try:
        template = Template("{{json .}}" if form == "json" else escapes(form))
    except TemplateError as error:
        raise Failure(f"template parsing error: {error}\n", PARSE_STATUS) from error

    def fill(text: str) -> str:
        from dockwright.cli.go_types import typed

        document = typed(loads(text))
        if type_name:
            document = Fields(document)
            document.type_name = type_name
        try:
            return template.execute(document)
        except TemplateError as error:
            out("\n")
            raise Failure(f"template parsing error: {error}\n") from error

    return fill


def fetcher(context: object, path: str, query: dict[str, object] | None = None) -> Callable[[str], bytes]:
    """A `fetch` for one kind of object: `path` with the quoted name in it."""
    from dockwright.client.query import quote

    client = context.client  # type: ignore[attr-defined]
    return lambda name: client.request("GET", path.format(quote(name)), query).read()
