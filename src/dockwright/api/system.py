"""The two documents about the engine itself: version and info."""

import os
import re
import sys
from typing import Any, Protocol

from dockwright import __version__, host
from dockwright.api.exposure import exposed
from dockwright.api.versions import ENGINE, NEWEST, OLDEST, text
from dockwright.base.times import now
from dockwright.containers import logchecks
from dockwright.events import EventBus

NETWORK_DRIVERS = ["bridge", "host", "null"]


class Settings(Protocol):
    """What info tells of the daemon's configuration."""

    hosts: list[str]
    authorization_plugins: list[str]
    data_root: str
    debug: bool
    labels: list[str]
    live_restore: bool
    log_driver: str
    insecure_registries: list[str]
    registry_mirrors: list[str]
    http_proxy: str
    https_proxy: str
    no_proxy: str
    proxies: dict[str, str]
    init_path: str
    seccomp_profile: str
    no_new_privileges: bool
    userns_remap: str
    experimental: bool

    @property
    def cdi_directories(self) -> tuple[str, ...]:
        """Where devices are described."""
        ...

    @property
    def cgroup_driver(self) -> str: ...

    @property
    def secured(self) -> bool: ...

    @property
    def verified(self) -> bool: ...


class System:
    """Answers `GET /version` and `GET /info`.

    Args:
        engine_id: the data root's id.
        config: the daemon's configuration.
        containers, images, volumes: their managers, for the counts and drivers.
        runtimes: the OCI runtimes by name, and the default one's name.
    """

    def __init__(
        self, engine_id: str, config: Settings, containers: Any, images: Any, volumes: Any, events: EventBus,
        runtimes: tuple[dict[str, Any], str],
    ) -> None:  # fmt: skip
        self._engine_id = engine_id
        self._config = config
        self._containers = containers
        self._images = images
        self._volumes = volumes
        self._events = events
        self._runtimes = runtimes

    @property
    def experimental(self) -> bool:
        """Whether the daemon has its experimental features."""
        return self._config.experimental

    async def version(self) -> dict[str, Any]:
        """The document of /version."""
        facts = host.read()
        engine = {
            "Version": ENGINE,
            "ApiVersion": text(NEWEST),
            "MinAPIVersion": text(OLDEST),
            "GitCommit": f"dockwright-{__version__}",
            "GoVersion": f"Python {sys.version.split()[0]}",
            "Os": "linux",
            "Arch": facts.architecture,
            "KernelVersion": facts.kernel,
            "BuildTime": "",
        }
        details = {**engine, "Experimental": str(self.experimental).lower()}
        del details["Version"]
        own = [
            {"Name": name, "Version": __version__, "Details": {"GitCommit": ""}}
            for name in ("dockwright", "dockwright-runc")
        ]
        own_mode = {"Experimental": True} if self.experimental else {}  # Docker leaves it out else
        components = [{"Name": "Engine", "Version": ENGINE, "Details": details}, *own]
        return {"Platform": {"Name": f"Dockwright {__version__}"}, "Components": components, **engine, **own_mode}

    async def info(self) -> dict[str, Any]:
        """The document of /info, keys in Docker's order."""
        facts = host.read()
        return {
            "ID": self._engine_id,
            **await self._counts(),
            "Driver": self._images.driver_name,
            "DriverStatus": self._images.driver_status(),
            "Plugins": {
                "Volume": list(self._volumes.driver_names()), "Network": NETWORK_DRIVERS,
                "Authorization": self._config.authorization_plugins or None, "Log": _log_drivers(),
            },
            **_limits(facts),
            "Debug": self._config.debug,
            "NFd": len(os.listdir("/proc/self/fd")),
            "OomKillDisable": facts.cgroup.oom_kill_disable,
            "NGoroutines": len(os.listdir("/proc/self/task")),
            "SystemTime": now(),
            "LoggingDriver": self._config.log_driver,
            "CgroupDriver": self._config.cgroup_driver,
            "CgroupVersion": facts.cgroup.version,
            "NEventsListener": self._events.listeners,
            **_host(facts),
            "RegistryConfig": registries(self._config.insecure_registries, self._config.registry_mirrors),
            "DockerRootDir": self._config.data_root,
            **_proxies(self._config),
            "Name": facts.name,
            "Labels": self._config.labels,
            "ExperimentalBuild": self.experimental,
            "ServerVersion": ENGINE,
            "Runtimes": self._runtimes[0],
            "DefaultRuntime": self._runtimes[1],
            "Swarm": _no_swarm(),
            "LiveRestoreEnabled": self._config.live_restore,
            "Isolation": "",
            "InitBinary": self._config.init_path or "docker-init",
            **_commits(),
            "SecurityOptions": _security(facts.security_options, self._config),
            "CDISpecDirs": list(self._config.cdi_directories),
            "Warnings": self._exposed() + facts.warnings or None,
        }

    def _exposed(self) -> list[str]:
        return exposed(self._config.hosts, self._config.secured, self._config.verified)

    async def _counts(self) -> dict[str, int]:
        containers = await self._containers.list(True, 0, False, {})
        states = [container["State"] for container in containers]
        running, paused = states.count("running") + states.count("restarting"), states.count("paused")
        return {
            "Containers": len(states),
            "ContainersRunning": running,
            "ContainersPaused": paused,
            "ContainersStopped": len(states) - running - paused,
            "Images": len(await self._images.list(all=True, filters={}, shared_size=False)),
        }


def _security(options: list[str], config: Settings) -> list[str]:
    """What confines containers, as the daemon was told."""
    found = [option.replace("profile=builtin", f"profile={config.seccomp_profile}") for option in options]
    found += ["name=userns"] if config.userns_remap else []
    return found + (["name=no-new-privileges"] if config.no_new_privileges else [])


def _limits(facts: host.HostFacts) -> dict[str, bool]:
    cgroup = facts.cgroup
    return {
        "MemoryLimit": cgroup.memory_limit,
        "SwapLimit": cgroup.swap_limit,
        "CpuCfsPeriod": cgroup.cpu_cfs_period,
        "CpuCfsQuota": cgroup.cpu_cfs_quota,
        "CPUShares": cgroup.cpu_shares,
        "CPUSet": cgroup.cpuset,
        "PidsLimit": cgroup.pids_limit,
        "IPv4Forwarding": facts.ipv4_forwarding,
        "BridgeNfIptables": facts.bridge_nf_iptables,
        "BridgeNfIp6tables": facts.bridge_nf_ip6tables,
    }


def registries(insecure: list[str], mirrors: list[str]) -> dict[str, Any]:
    """RegistryConfig: which registries are asked how, as the daemon was told."""
    networks = [name for name in insecure if "/" in name]
    hosts = [name for name in insecure if "/" not in name]
    urls = [url.rstrip("/") + "/" for url in mirrors]
    named = {name: {"Name": name, "Mirrors": [], "Secure": False, "Official": False} for name in hosts}
    hub = {"Name": "docker.io", "Mirrors": urls, "Secure": True, "Official": True}
    return {
        "IndexConfigs": {"docker.io": hub, **named},
        "InsecureRegistryCIDRs": [*networks, "127.0.0.0/8"],
        "Mirrors": urls or None,
    }


def _host(facts: host.HostFacts) -> dict[str, Any]:
    return {
        "KernelVersion": facts.kernel,
        "OperatingSystem": facts.operating_system,
        "OSVersion": facts.os_version,
        "OSType": "linux",
        "Architecture": facts.machine,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "NCPU": facts.processors,
        "MemTotal": facts.memory,
        "GenericResources": None,
    }


def _proxies(config: Settings) -> dict[str, str]:
    """The proxies registries are asked through: of the flags, daemon.json or the environment; nobody learns their passwords."""
    found = {}
    for shown, name in (("HttpProxy", "http-proxy"), ("HttpsProxy", "https-proxy"), ("NoProxy", "no-proxy")):
        variable = name.replace("-", "_")
        given = getattr(config, variable) or config.proxies.get(name, "")
        value = given or os.environ.get(variable.upper(), os.environ.get(variable, ""))
        found[shown] = re.sub(r"(?<=://)[^/@]*@", "xxxxx:xxxxx@", value)
    return found


def _commits() -> dict[str, Any]:
    def commit(name: str) -> dict[str, str]:
        return {"ID": f"{name}-{__version__}", "Expected": f"{name}-{__version__}"}

    return {
        "ContainerdCommit": commit("dockwright"),
        "RuncCommit": commit("dockwright-runc"),
        "InitCommit": {"ID": "N/A", "Expected": "N/A"},
    }


def _no_swarm() -> dict[str, Any]:
    return {
        "NodeID": "",
        "NodeAddr": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": None,
    }


def _log_drivers() -> list[str]:
    """Those that have something to do."""
    return sorted(set(logchecks.OPTIONS) - {"none"})
