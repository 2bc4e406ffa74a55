"""`dockwrightd`: the daemon's entry point."""

import asyncio
import logging
import os
import sys

from dockwright import __version__
from dockwright.base.errors import EngineError
from dockwright.base.paths import Paths
from dockwright.daemon import config as configuration
from dockwright.daemon import usage
from dockwright.daemon.lock import DataRootLock, remove_pidfile, write_pidfile
from dockwright.daemon.log import set_up

log = logging.getLogger("dockwright.daemon")


SWITCH_INTERVAL = 0.0003  # seconds a worker thread may keep the event loop waiting; Python's own 5 ms is a third of a start


def main(arguments: list[str] | None = None) -> int:
    """Run the daemon; returns the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    if given in (["--version"], ["-v"]):
        print(f"Dockwright version {__version__}")
        return 0
    if "--help" in given or "-h" in given:
        print(usage.text())
        return 0
    try:
        config = configuration.load(given)
    except EngineError as error:
        print(error.message, file=sys.stderr)
        return 1
    if config.validate:
        print("configuration OK")
        return 0
    sys.setswitchinterval(SWITCH_INTERVAL)
    set_up(config.level, config.log_format, config.raw_logs)
    if os.geteuid() != 0:
        print("dockwrightd needs to be started with root privileges", file=sys.stderr)
        return 1
    return _run(config, given)


def _run(config: configuration.Config, given: list[str]) -> int:
    from dockwright.daemon.engine import Engine

    paths = Paths(config.data_root, config.exec_root)
    try:
        for folder in (os.path.dirname(config.data_root), config.data_root):
            os.makedirs(folder, mode=0o710, exist_ok=True)
        lock = DataRootLock(paths.lock)
        write_pidfile(config.pidfile)
        try:
            asyncio.run(_engine(Engine, config, given))
        finally:
            remove_pidfile(config.pidfile)
            lock.release()
    except EngineError as error:
        log.critical("failed to start daemon: %s", error.message)
        return 1
    return 0


async def _engine(engine: object, config: configuration.Config, given: list[str]) -> None:
    """Engines are built inside their event loop."""
    await engine(config, given).run()  # type: ignore[operator]


if __name__ == "__main__":
    sys.exit(main())
