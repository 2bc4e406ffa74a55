"""System documents in older versions, as dockerd shapes them (tests/sidebyside)."""

from dockwright.api.shapes.rules import Document, Rule, with_, without


def _plain_security_options(document: Document) -> None:
    """Before 1.25 a security option was its bare name."""
    options = document.get("SecurityOptions") or []
    document["SecurityOptions"] = [option.partition(",")[0].removeprefix("name=") for option in options]


INFO = (
    Rule((1, 46), (), without("Containerd")),
    Rule((1, 25), (), _plain_security_options),
    Rule((1, 25), (), with_(ExecutionDriver="<not supported>")),
)

VERSION: tuple[Rule, ...] = ()


def event_exists(event: Document, version: tuple[int, ...]) -> bool:
    """Whether `event` could be seen in `version`: images had no create event before 1.46."""
    return version >= (1, 46) or not (event["Type"] == "image" and event["Action"] == "create")
