"""Which log a container gets."""

from __future__ import annotations

from dockwright.base.errors import InvalidParameter
from dockwright.supervisor.logs.json_file import JsonFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def open_log(options: dict[str, Any]) -> JsonFile | None:
    """The log that `options` describe: {"driver", "path", "max_size", "max_file", "compress", "attrs"}; None for driver "none".

    Raises:
        InvalidParameter: a driver we do not have. OSError: the file cannot be opened.
    """
    driver = options.get("driver", "none")
    if driver == "none":
        return None
    if driver == "json-file":
        size, count = options.get("max_size", -1), options.get("max_file", 1)
        return JsonFile(options["path"], size, count, options.get("attrs", ""), bool(options.get("compress")))
    raise InvalidParameter(f'logger: no log driver named "{driver}" is registered')
