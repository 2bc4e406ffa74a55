"""What a maker does for checkpoints: write a running container down, or make one from what was written.

A checkpoint as data: {"images": folder of criu's files, "work": folder of its log, "criu": the program's path}.
"""

from __future__ import annotations

import os

from dockwright.base.steps import Step
from dockwright.runtime.criu.dump import dump, own_network
from dockwright.runtime.criu.restore import Restored, restore
from dockwright.runtime.criu.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.runtime.criu.dump import Target
    from dockwright.supervisor.frames import Message


def write(target: Target, wanted: Message, stays: bool) -> None:
    """Write a running container down; it ends by that unless it `stays`.

    Raises:
        RuntimeFailure: in runc's words; it runs on then.
    """
    dump(target, _settings(wanted), given_network=own_network(target.spec), leave_running=stays)


class Restore(Step):
    """A restore as a step of a start.

    Args:
        task: the task's plan, with the checkpoint in it. network: path of its namespace, "" for the host's.
        stdio: the descriptors it gets.
    """

    __slots__ = ("directory", "ident", "made", "network", "stdio", "task")

    def __init__(self, ident: str, directory: str, task: Message, network: str, stdio: tuple[int, int, int]) -> None:
        super().__init__("shim", "process", f"restore by criu from {task['checkpoint']['images']}")
        self.ident, self.directory, self.task, self.network, self.stdio = ident, directory, task, network, stdio
        self.made: Restored | None = None

    def execute(self) -> None:
        """Make it run.

        Raises:
            RuntimeFailure: in runc's words; nothing is left then.
        """
        fd = os.open(self.network, os.O_RDONLY | os.O_CLOEXEC) if self.network else -1
        try:
            self.made = restore(
                self.ident, self.task["spec"], _settings(self.task["checkpoint"]), bundle=self.task["bundle"],
                place=os.path.join(self.directory, "rootfs"), stdio=self.stdio, network=fd, rootfs=self.task["rootfs"],
                overlay_base=self.task["overlay_base"],
            )  # fmt: skip
        finally:
            if fd >= 0:
                os.close(fd)


def _settings(wanted: Message) -> Settings:
    return Settings(wanted["images"], wanted["work"], wanted["criu"])
