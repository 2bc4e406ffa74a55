"""`--format`: table, `table TEMPLATE`, json, raw, or a template, over rows.

A row is a `Fields`: the values by docker's names. Templates that are only `{{.Name}}`s and text (all the built-in ones) are
filled in without the template engine.
"""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

LEAST, PADDING = 10, 3


class Table:
    """How one command shows its rows.

    Args:
        headers: the columns' titles by field. default: the fields of the plain table.
        quiet: the field that -q shows. type_name: as Go's error texts name a row. raw: lines `name: {{.Field}}`.
        faults: what is said before an error while parsing a template, and while executing it.
    """

    def __init__(
        self,
        headers: dict[str, str],
        default: str,
        quiet: str,
        type_name: str,
        raw: str = "",
        faults: tuple[str, str] = ("template parsing error", "template parsing error"),
    ) -> None:
        self.headers, self.default, self.quiet, self.type_name, self.raw = headers, default, quiet, type_name, raw
        self.faults = faults


def show(table: Table, rows: list[dict[str, Any]], form: str, quiet: bool = False) -> None:
    """Print the rows.

    Args:
        form: --format's value, "" for the plain table. quiet: -q.

    Raises:
        Failure: a template that does not fit, in docker's words.
    """
    out(render(table, rows, form, quiet))


def render(table: Table, rows: list[dict[str, Any]], form: str, quiet: bool = False) -> str:
    """What `show` prints."""
    form = form.strip() or "table"
    if quiet:
        return "".join(f"{row[table.quiet]}\n" for row in rows)
    if form == "json":
        return "".join(row_json(row) + "\n" for row in rows)
    if form == "raw" and table.raw:
        return _lines(table, table.raw, rows, "")
    if form == "table":
        return _aligned(_lines(table, table.default, rows, "table"))
    if form.startswith("table"):
        template = escapes(form[5:].strip())
        return _aligned(_lines(table, template, rows, "table"))
    return _lines(table, escapes(form), rows, "")


def _aligned(text: str) -> str:
    from dockwright.grammar.tabwriter import align

    return align(text, LEAST, PADDING)


def escapes(form: str) -> str:
    """Backslash-t and backslash-n, which shells leave as they are."""
    return form.replace("\\t", "\t").replace("\\n", "\n")


def _lines(table: Table, template: str, rows: Iterable[dict[str, Any]], kind: str) -> str:
    fill = filler(template, table)
    lines = [fill(row) for row in rows]
    if kind == "table":
        lines.insert(0, _header(table, template))
    return "".join(line + "\n" for line in lines)


def _header(table: Table, template: str) -> str:
    if "|" not in template and "(" not in template and _is_plain(template):
        return _plain_filler(template, table)(table.headers)
    from dockwright.grammar.template import Template, TemplateError

    titles = {**table.headers, "Label": lambda name: name.rpartition(".")[2].replace("-", " ").replace("_", " ")}
    keep = ("json", "split", "join", "title", "lower", "upper", "pad", "truncate", "println", "print")
    functions: dict[str, Callable[..., Any]] = {name: lambda first, *rest: first for name in keep}
    try:
        return Template(template, functions).execute(titles)
    except TemplateError as error:
        raise Failure(f"{table.faults[1]}: {error}\n") from error


def filler(template: str, table: Table) -> Callable[[dict[str, Any]], str]:
    """A function that fills in the template for one row.

    Raises:
        Failure: it cannot be parsed; the function raises it for one that does not fit.
    """
    if _is_plain(template):
        return _plain_filler(template, table)
    from dockwright.grammar.template import Fields, Template, TemplateError

    try:
        parsed = Template(template, {"json": _json})
    except TemplateError as error:
        raise Failure(f"{table.faults[0]}: {error}\n") from error

    def fill(row: dict[str, Any]) -> str:
        fields = Fields(row)
        fields.type_name = table.type_name
        try:
            return parsed.execute(fields)
        except TemplateError as error:
            raise Failure(f"{table.faults[1]}: {error}\n") from error

    return fill


def _is_plain(template: str) -> bool:
    """Only text and `{{.Name}}`."""
    for part in template.split("{{")[1:]:
        name, end, _ = part.partition("}}")
        if not end or name[:1] != "." or not name[1:].isalnum() or not name.isascii():
            return False
    return True


def _plain_filler(template: str, table: Table) -> Callable[[dict[str, Any]], str]:
    """`filler` of a plain template, which is taken apart once."""
    first, *parts = template.split("{{")
    fields = [(name[1:], rest) for name, _, rest in (part.partition("}}") for part in parts)]

    def fill(row: dict[str, Any]) -> str:
        text = first
        for name, rest in fields:
            value = row.get(name)
            if name not in row or callable(value):
                raise _no_field(template, name, table)
            text += (value if isinstance(value, str) else _shown(value)) + rest
        return text

    return fill


def _no_field(template: str, name: str, table: Table) -> Failure:
    at = template.index("{{." + name) + 2
    reason = f"can't evaluate field {name} in type {table.type_name}"
    return Failure(f'{table.faults[1]}: template: :1:{at}: executing "" at <.{name}>: {reason}\n')


def _shown(value: Any) -> str:
    from dockwright.grammar.template.values import show as shown

    return "<nil>" if value is None else shown(value)


def _json(value: Any) -> str:
    from dockwright.grammar.template.evaluate import Fields
    from dockwright.grammar.template.values import json_text

    return row_json(value) if isinstance(value, Fields) else json_text(value)


def row_json(row: dict[str, Any]) -> str:
    """A row as one JSON object: its plain fields by name, with Go's HTML escapes."""
    from dockwright.grammar.template.values import json_text

    text = json_text({name: row[name] for name in sorted(row) if not callable(row[name])})
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def ellipsis(text: str, width: int) -> str:
    """At most `width` characters, the last one "…" if something was cut."""
    return text if len(text) <= width else text[: width - 1] + "…"


def labels_text(labels: dict[str, str] | None) -> str:
    """`a=b,c=d`, sorted."""
    return ",".join(f"{name}={value}" for name, value in sorted((labels or {}).items()))


def label_of(labels: dict[str, str] | None) -> Callable[[str], str]:
    """The row's method `.Label "name"`."""
    return lambda name: (labels or {}).get(name, "")


def ago(seconds: float) -> str:
    """How long since a Unix time, with " ago"; "N/A" for none."""
    import time

    from dockwright.grammar.durations import human_duration

    return human_duration(time.time_ns() - int(seconds * 10**9)) + " ago"
