"""Where a logger process brings lines to. Each driver is a module of its own, imported by the logger that needs it.

What a driver is given (`options`): {"driver": its name, "options": the log options as the user wrote them, "info": about the
container (see `base.Info`)}; for files those of supervisor.logs.writer.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.supervisor.logs.drivers.base import Driver


def make(options: dict[str, Any]) -> Driver:
    """The driver for `options`, connected to where it writes.

    Raises:
        OSError, ValueError: it cannot be; the text is the user's.
    """
    name = options["driver"]
    if name in ("json-file", "local"):
        from dockwright.supervisor.logs.drivers.files import File

        return File(options)
    from dockwright.supervisor.logs.drivers.base import Info

    info = Info(**options["info"])
    driver: Driver = _network(name)(options["options"], info)
    return driver


def _network(name: str) -> Any:
    if name == "syslog":
        from dockwright.supervisor.logs.drivers.syslog import Syslog

        return Syslog
    if name == "gelf":
        from dockwright.supervisor.logs.drivers.gelf import Gelf

        return Gelf
    if name == "fluentd":
        from dockwright.supervisor.logs.drivers.fluentd import Fluentd

        return Fluentd
    if name == "journald":
        from dockwright.supervisor.logs.drivers.journald import Journald

        return Journald
    raise ValueError(f'logger: no log driver named "{name}" is registered')
