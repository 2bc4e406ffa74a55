"""What a checkpoint and a restore can be told: runc's flags as fields of a request."""

from __future__ import annotations

import os

from dockwright.runtime.criu import rpc
from dockwright.runtime.failure import RuntimeFailure, words

CONFIGURATION = "/etc/criu/runc.conf"  # the user's own options of criu, where Docker's users have them
MODES = {"": rpc.SOFT, "soft": rpc.SOFT, "full": rpc.FULL, "strict": rpc.STRICT}
SWITCHES = {
    "tcp-established": rpc.TCP_ESTABLISHED, "ext-unix-sk": rpc.EXT_UNIX_SK, "shell-job": rpc.SHELL_JOB,
    "file-locks": rpc.FILE_LOCKS, "auto-dedup": rpc.AUTO_DEDUP,
}  # fmt: skip
DESCRIPTORS = "descriptors.json"  # in the image's folder: what the process's first three descriptors were, as runc writes it
NETWORK = "extNetNS"  # how image and request name the network namespace that somebody else makes


class Settings:
    """Options of one checkpoint or restore.

    Args:
        images: folder of criu's files. work: folder of its log, images' if "". program: criu's name or path.
        switches: those of SWITCHES that are on. mode: what becomes of cgroups, one of MODES.
    """

    def __init__(
        self, images: str, work: str = "", program: str = "criu", switches: tuple[str, ...] = (), mode: str = ""
    ) -> None:
        self.images, self.work, self.program, self.switches = images, work or images, program, switches
        if mode not in MODES:
            raise RuntimeFailure("Invalid manage cgroups mode")
        self.mode = mode

    def fields(self, log: str, images: int, work: int) -> rpc.Fields:
        """The part of a request's options that both have.

        Args:
            log: name of the log file. images, work: descriptors of the folders.
        """
        fields: rpc.Fields = [
            (rpc.IMAGES, images), (rpc.WORK, work), (rpc.LOG_LEVEL, 4), (rpc.LOG_FILE, log), (rpc.NOTIFY_SCRIPTS, True),
            (rpc.EVASIVE_DEVICES, True), (rpc.ORPHAN_PTS_MASTER, True), (rpc.MANAGE_CGROUPS, True),
        ]  # fmt: skip
        fields += [(SWITCHES[name], True) for name in self.switches]
        if self.mode:
            fields.append((rpc.CGROUPS_MODE, MODES[self.mode]))
        if os.path.exists(CONFIGURATION):
            fields.append((rpc.CONFIG_FILE, CONFIGURATION))
        return fields


def folder(path: str) -> int:
    """A descriptor of a folder.

    Raises:
        RuntimeFailure: there is none.
    """
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise RuntimeFailure(f"open {path}: {words(error)}") from None
