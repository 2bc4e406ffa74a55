"""`run --explain`: what the daemon, the shim and init did for this run, step by step, and what each took; and
`run --dry-run`: what they would do.
"""

from __future__ import annotations

import time

from dockwright.cli.ours import ours
from dockwright.cli.terminal import err
from dockwright.client.errors import ApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context

NO_TRACE = "the daemon does not offer a trace: it is not dockwrightd\n"
WIDEST, SHORT = 120, 12


def plan(context: Context, query: dict[str, Any], document: dict[str, Any]) -> str:
    """The steps that a run with this create request would take, as a table.

    Raises:
        ApiError, ConnectionFailed: of the daemon. Failure: it has no plans.
    """
    client = context.client
    rows = ours("offer a plan", lambda: client.request("POST", "/dockwright/v1/plan", query, document, versioned=False).json())
    lines = [f"{row['Actor']:<7} {row['Kind']:<10} {row['Text']}".replace("\n", " ") for row in rows]
    return "\n".join([f"{'ACTOR':<7} {'KIND':<10} STEP", *lines]) + "\n"


class Explained:
    """Collects the client's own times and the daemon's trace of one run.

    The trace goes with the container. So with --rm the container is removed by us, after the trace has been read.

    Args:
        context: the command's. document: the create request; AutoRemove is taken over.
    """

    def __init__(self, context: Context, document: dict[str, Any]) -> None:
        self._context = context
        self._began = time.monotonic_ns()
        self._marks: list[tuple[str, int, int]] = []
        self._ident = ""
        self._remove = document["HostConfig"]["AutoRemove"]
        document["HostConfig"]["AutoRemove"] = False

    def _mark(self, text: str) -> None:
        now = time.monotonic_ns()
        before = self._marks[-1][1] + self._marks[-1][2] if self._marks else self._began
        self._marks.append((text, before, now - before))

    def created(self, ident: str) -> None:
        """The container is there."""
        self._ident = ident
        self._mark("connect, negotiate, POST /containers/create")

    def started(self) -> None:
        """It has been started."""
        self._mark("attach, wait, POST /containers/{id}/start")

    def ended(self) -> None:
        """Its output is copied and its status known."""
        self._mark("the program's output and its end")

    def show(self) -> None:
        """Print the table on stderr, and remove the container if that was asked for."""
        try:
            rows = self._context.client.request(
                "GET", f"/dockwright/v1/containers/{self._ident}/trace", versioned=False
            ).json()
        except ApiError as error:
            if error.status != 404:
                raise
            rows = None
        if rows is None:
            err(NO_TRACE)
        else:
            for row in rows:
                row["Text"] = row["Text"].replace(self._ident, self._ident[:SHORT])
            err(table([*self._own(), *rows]))
        if self._remove:
            self._context.client.delete(f"/containers/{self._ident}", {"v": True, "force": True})

    def _own(self) -> list[dict[str, Any]]:
        return [
            {"Actor": "client", "Kind": "request", "Text": text, "Start": start, "Took": took}
            for text, start, took in self._marks
        ]


def table(rows: list[dict[str, Any]]) -> str:
    """The steps in the order they began: at which microsecond, how many it took, who, what; and sums by actor."""
    rows = sorted(rows, key=lambda row: row["Start"])
    first = rows[0]["Start"] if rows else 0
    lines = [f"{'AT us':>9} {'TOOK us':>9}  {'ACTOR':<7} {'KIND':<10} STEP"]
    sums: dict[str, list[int]] = {}
    for row in rows:
        took = "-" if row["Took"] < 0 else str(row["Took"] // 1000)
        at = (row["Start"] - first) // 1000 if row["Start"] else "-"
        lines.append(f"{at:>9} {took:>9}  {row['Actor']:<7} {row['Kind']:<10} {_short(row['Text'])}")
        total = sums.setdefault(row["Actor"], [0, 0])
        total[0] += 1
        total[1] += max(0, row["Took"])
    lines.append("")
    lines += [f"{'':>9} {took // 1000:>9}  {actor:<7} {count} steps" for actor, (count, took) in sums.items()]
    return "\n".join(lines) + "\n"


def _short(text: str) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."
