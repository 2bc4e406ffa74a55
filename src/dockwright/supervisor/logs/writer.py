"""Which log a container gets, from what the daemon says of it. Imported by the zygote: nothing heavy.

    {"driver": "none"}                                                       nothing is kept
    {"driver": "json-file" | "local", "path", "max_size", "max_file", "compress", "attrs"}
    {"driver": "passthrough", "paths": {"stdout": path, "stderr": path}}
    {"driver": another, "options", "info", "cache": {"driver": "local", ...}}   by a logger process, and to a local copy
    "buffer": bytes                       non-blocking: by a logger process too; what it cannot take in time is lost
"""

from __future__ import annotations

import os

from dockwright.base.errors import Internal
from dockwright.supervisor.logs import logger
from dockwright.supervisor.logs.file import LogFile
from dockwright.supervisor.logs.json_file import JsonLines
from dockwright.supervisor.logs.local import LocalEntries
from dockwright.supervisor.logs.log import Log
from dockwright.supervisor.logs.passthrough import Passthrough

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.supervisor.loop import Loop


LOG_FAILED = "failed to create task for container: failed to initialize logging driver: "


def open_log(options: dict[str, Any], loop: Loop) -> Log | Passthrough | None:
    """The log that `options` describe; None for the driver none.

    Raises:
        Internal: it cannot be opened.
    """
    try:
        return _opened(options, loop)
    except OSError as error:
        raise Internal(f"{LOG_FAILED}open {error.filename}: {os.strerror(error.errno or 0).lower()}") from None


def _opened(options: dict[str, Any], loop: Loop) -> Log | Passthrough | None:
    driver = options.get("driver", "none")
    if driver == "none":
        return None
    if driver == "passthrough":
        return Passthrough(loop, options["paths"])
    if driver not in ("json-file", "local"):
        cache = options.get("cache")
        outlet = logger.start(loop, options)
        return Log([log_file(cache), outlet] if cache else [outlet], outlet)
    if "buffer" in options:
        outlet = logger.start(loop, options, options["path"])
        return Log([outlet], outlet)
    return Log([log_file(options)])


def log_file(options: dict[str, Any]) -> LogFile:
    """The file of a json-file or local log.

    Raises:
        OSError: it cannot be opened.
    """
    form = LocalEntries() if options["driver"] == "local" else JsonLines(options.get("attrs", ""))
    size, count = options.get("max_size", -1), options.get("max_file", 1)
    return LogFile(options["path"], form, size, count, bool(options.get("compress")))
