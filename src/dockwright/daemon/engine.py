"""The composition root: builds the rooms' managers, restores what lives, serves, and lets go in order."""

import asyncio
import gc
import json
import logging
import os
import signal
import stat

from dockwright.api import exposure
from dockwright.api.authorization import Authorizer
from dockwright.api.listeners import listen
from dockwright.api.managers import Managers
from dockwright.api.server import ApiServer
from dockwright.api.system import System
from dockwright.base.errors import EngineError, NotSupported
from dockwright.base.files import write_atomic
from dockwright.base.paths import Paths
from dockwright.containers.manager import ContainerManager
from dockwright.containers.runtimes import configured
from dockwright.daemon import apparmor, notify, selinux, tls
from dockwright.daemon import config as configuration
from dockwright.daemon.config import Config
from dockwright.daemon.defaults import container_defaults
from dockwright.daemon.log import LEVELS
from dockwright.daemon.network import network_config
from dockwright.daemon.registry import registry_settings
from dockwright.daemon.sockets import default_hosts
from dockwright.events import EventBus, History
from dockwright.images.manager import ImageManager
from dockwright.metadata import Database, identity
from dockwright.networks import NetworkManager
from dockwright.supervisor import systemd
from dockwright.supervisor.dbus import BusError
from dockwright.supervisor.manager import Supervisor
from dockwright.supervisor.placement import Placement
from dockwright.upkeep.check import Disk
from dockwright.upkeep.usage import Usage
from dockwright.volumes.manager import VolumeManager

log = logging.getLogger("dockwright.daemon")
OWN_RUNTIME = "dockwright-runc"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Absent:
    """A room that is not built yet: every request to it is refused by name."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __getattr__(self, name: str) -> object:
        raise NotSupported(f"{self._what} are not implemented yet")


class Engine:
    """One running daemon.

    Args:
        config: as loaded. arguments: the command line it came from, for SIGHUP.
    """

    def __init__(self, config: Config, arguments: list[str]) -> None:
        self._config, self._arguments = config, arguments
        self._paths = Paths(config.data_root, config.exec_root)
        self._stop = asyncio.Event()
        self._everything = False
        self._authorizer = Authorizer(config.authorization_plugins)

    async def run(self) -> None:
        """Start, serve until a signal says otherwise, and let go.

        Raises:
            EngineError: the start failed.
        """
        selinux.check(self._config.selinux_enabled)
        await self._authorizer.validate()
        registry, defaults = registry_settings(self._config), container_defaults(self._config)
        prepare(self._paths)
        placement = Placement(self._paths.exec_root, self._config.cgroup_driver, self._config.cgroup_parent)
        supervisor = Supervisor(self._paths, placement)
        await supervisor.start()
        database = Database.open(self._paths.database)
        ident, trusted = identity.establish(database, self._paths.engine_id)
        events = EventBus(History(database))
        images = ImageManager(
            database, self._paths, events, self._config.storage_driver, trusted, registry,
            configuration.storage_options(self._config), self._config.image_policy, configuration.keeps_blobs(self._config),
        )  # fmt: skip
        volumes = VolumeManager(database, self._paths, events)
        await volumes.start()
        networks = NetworkManager(database, self._paths, events, network_config(self._config, ident), placement.take)
        await networks.start()
        containers = ContainerManager(database, self._paths, events, images, supervisor, networks, volumes, defaults)
        await apparmor.load_default()
        await containers.restore()
        await images.layers.forget_strangers({row["Id"] for row in await containers.list(True, 0, False, {})})
        managers = self._managers(ident, database, containers, images, networks, volumes, events)
        server = ApiServer(managers, self._config, tls.server_context(self._config), self._authorizer)
        hosts = self._config.hosts = self._hosts()
        exposure.warn(hosts, self._config.secured, self._config.verified)
        await server.serve(listen(hosts, self._group()))
        await self._serve_metrics(managers)
        self._signals(events, images, ident)
        log.info("API listen on %s", " ".join(hosts))
        gc.collect()
        gc.freeze()  # what is loaded now stays: collections need not go through it again and again
        notify.tell("READY=1")
        await self._stop.wait()
        notify.tell("STOPPING=1")
        await server.close()
        await images.close()
        stop = self._everything or not self._config.live_restore or await asyncio.to_thread(host_stops)
        await containers.shutdown(stop, self._config.shutdown_timeout)
        await networks.shutdown()
        await supervisor.close()
        await events.close()
        database.close()

    def _managers(
        self, ident: str, database: Database, containers: ContainerManager, images: ImageManager, networks: NetworkManager,
        volumes: VolumeManager, events: EventBus,
    ) -> Managers:  # fmt: skip
        runtimes = configured(self._config.runtimes, self._config.default_runtime)
        shown = (runtimes.shown(OWN_RUNTIME), runtimes.default)
        system = System(ident, self._config, containers, images, volumes, events, shown)
        usage, disk = Usage(images, containers, volumes), Disk(database, self._paths, images, containers, volumes)
        return Managers(containers, images, networks, volumes, events, system, usage, disk)

    async def _serve_metrics(self, managers: Managers) -> None:
        """The engine's numbers, if they are wanted; they end with the process."""
        if not self._config.metrics_addr:
            return
        from dockwright.api import metrics

        for sock in metrics.listen(self._config.metrics_addr):
            await asyncio.get_running_loop().create_server(metrics.Metrics(managers).connection, sock=sock)
        log.info("metrics API listening on %s", self._config.metrics_addr)

    def _hosts(self) -> list[str]:
        """Where to listen: what is said, else the default sockets, and with TLS dockerd's port for it."""
        return self._config.hosts or default_hosts() + [tls.DEFAULT_HOST] * self._config.secured

    def _group(self) -> str:
        """The socket's group; the default one is left out where the host does not have it."""
        import grp

        try:
            grp.getgrnam(self._config.group)
        except KeyError:
            if self._config.group != Config.group:
                raise
            return ""
        return self._config.group

    def _signals(self, events: EventBus, images: ImageManager, ident: str) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._reload, events, images, ident)

    def _end(self) -> None:
        """SIGTERM: containers go on; a second one stops them too."""
        self._everything = self._stop.is_set()
        self._stop.set()

    def _reload(self, events: EventBus, images: ImageManager, ident: str) -> None:
        """SIGHUP: take over what may change, and tell."""
        try:
            changed = configuration.reload(self._config, self._arguments)
        except EngineError as error:
            log.error("configuration not reloaded: %s", error.message)
        else:
            log.info("configuration reloaded; changed: %s", ", ".join(changed) or "nothing")
            logging.getLogger("dockwright").setLevel(LEVELS[self._config.level])
            self._authorizer.names = self._config.authorization_plugins
            if set(changed) & set(configuration.REGISTRIES):
                images.configure(registry_settings(self._config))
            shown = {name.replace("_", "-"): _shown(getattr(self._config, name)) for name in configuration.RELOADABLE}
            events.publish("daemon", "reload", ident, {"name": os.uname().nodename, **shown})


def _shown(value: object) -> str:
    """A setting as the event of a reload tells it: lists as JSON."""
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list) else str(value).lower()


def host_stops() -> bool:
    """Whether the host is being shut down: then containers get their stop signal, and their time (DECISIONS 8)."""
    if not systemd.booted():
        return False
    try:
        return systemd.stopping()
    except (OSError, BusError) as error:
        log.warning("systemd does not say whether the host is being shut down: %s", error)
        return False


def prepare(paths: Paths) -> None:
    """Make the roots with their modes, and void what another boot has left below the exec root."""
    for directory, mode in (
        (paths.data_root, 0o710),
        (paths.exec_root, 0o711),
        (f"{paths.data_root}/containers", 0o710),
    ):
        os.makedirs(directory, exist_ok=True)
        if stat.S_IMODE(os.stat(directory).st_mode) != mode:
            os.chmod(directory, mode)
    with open(BOOT_ID, encoding="ascii") as file:
        boot = file.read().strip()
    mark = f"{paths.exec_root}/boot-id"
    if os.path.exists(mark):
        with open(mark, encoding="ascii") as file:
            if file.read().strip() == boot:
                return
        import shutil

        shutil.rmtree(paths.tasks, ignore_errors=True)
        shutil.rmtree(paths.sockets, ignore_errors=True)
    write_atomic(mark, boot.encode())

