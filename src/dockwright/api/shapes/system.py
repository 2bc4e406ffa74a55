"""System documents in older versions. Source: Engine API version history."""

from dockwright.api.shapes.rules import Document, Rule, with_, without


def _plain_security_options(document: Document) -> None:
    """Before 1.25 a security option was its bare name."""
    options = document.get("SecurityOptions") or []
    document["SecurityOptions"] = [option.partition(",")[0].removeprefix("name=") for option in options]


INFO = (
    Rule((1, 46), (), without("Containerd", "CDISpecDirs")),
    Rule((1, 42), (), with_(ClusterStore="", ClusterAdvertise="", KernelMemory=False, KernelMemoryTCP=False)),
    Rule((1, 41), (), without("DefaultAddressPools", "CgroupVersion", "PidsLimit")),
    Rule((1, 39), (), without("ProductLicense", "Warnings")),
    Rule((1, 25), (), _plain_security_options),
)

VERSION = (Rule((1, 35), (), without("Platform", "Components")),)


def event_exists(event: Document, version: tuple[int, ...]) -> bool:
    """Whether `event` could be seen in `version`: images had no create event before 1.46."""
    return version >= (1, 46) or not (event["Type"] == "image" and event["Action"] == "create")
