"""What a run does is data first: steps are planned as a list, described, then executed and timed.

A step is one thing the kernel is asked to do (a mount, a cgroup write, a link, a rule). The same objects are
printed by `--explain`, asserted by tests without root, and executed; so the explanation cannot drift from the deed.
This module is imported by the runtime and the shim: it imports only `time`.
"""

from time import monotonic_ns


class Step:
    """One step of a plan.

    Args:
        actor: who does it: "daemon", "host", "shim" or "init" (DECISIONS 20).
        kind: a word for grouping: "namespace", "cgroup", "mount", "link", "rule", "process", "security".
        text: what is done, as a person would say it, with the names and numbers of this run.
    """

    __slots__ = ("actor", "kind", "started", "text", "took")

    def __init__(self, actor: str, kind: str, text: str) -> None:
        self.actor = actor
        self.kind = kind
        self.text = text
        self.started = 0
        self.took = -1

    def describe(self) -> str:
        """The step as one line for a person."""
        return self.text

    def execute(self) -> None:
        """Do it. Subclasses override this; `perform` times it.

        Raises:
            OSError: what the kernel answered.
        """
        raise NotImplementedError

    def record(self) -> tuple[str, str, str, int, int]:
        """The step as plain data: (actor, kind, text, start in monotonic ns, duration in ns, -1 if it never ran)."""
        return (self.actor, self.kind, self.describe(), self.started, self.took)


def perform(steps: "list[Step]") -> None:
    """Execute `steps` in order, noting when each began and what it took."""
    for step in steps:
        step.started = monotonic_ns()
        step.execute()
        step.took = monotonic_ns() - step.started
