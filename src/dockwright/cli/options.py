"""The flags of `run` and `create`, and how each value is read."""

from __future__ import annotations

from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CREATE = """
    add-host:list annotation:map a/attach:list blkio-weight:uint16 blkio-weight-device:list cap-add:list cap-drop:list
    cgroup-parent cgroupns cidfile cpu-count:int cpu-percent:int cpu-period:int cpu-quota:int cpu-rt-period:int
    cpu-rt-runtime:int c/cpu-shares:int cpus:decimal cpuset-cpus cpuset-mems device:list device-cgroup-rule:list
    device-read-bps:list device-read-iops:list device-write-bps:list device-write-iops:list disable-content-trust:bool
    dns:list dns-option:list dns-search:list domainname entrypoint e/env:list env-file:list expose:list gpus:gpu-request
    group-add:list health-cmd health-on-failure health-interval:duration health-retries:int health-start-interval:duration
    health-start-period:duration health-timeout:duration h/hostname init:bool i/interactive:bool io-maxbandwidth:bytes
    io-maxiops:uint ip ip6 ipc isolation kernel-memory:bytes l/label:list label-file:list link:list link-local-ip:list
    log-driver log-opt:list mac-address m/memory:bytes memory-reservation:bytes memory-swap:bytes memory-swappiness:int
    mount:mount name network:network network-alias:list no-healthcheck:bool oom-kill-disable:bool oom-score-adj:int pid
    pids-limit:int platform privileged:bool p/publish:list P/publish-all:bool pull q/quiet:bool read-only:bool restart
    rm:bool runtime security-opt:list shm-size:bytes stop-signal stop-timeout:int storage-opt:list sysctl:map
    tmpfs:list t/tty:bool ulimit:ulimit use-api-socket:bool u/user userns uts v/volume:list volume-driver
    volumes-from:list w/workdir
"""
RUN = CREATE + " d/detach:bool detach-keys sig-proxy:bool explain:bool dry-run:bool"
ALIASES = {"net": "network", "net-alias": "network-alias", "dns-opt": "dns-option"}

CREATE_FLAGS = Flags(CREATE, ALIASES)


def _value(name: str) -> Callable[[str], Any]:
    """A reader in grammar.option_values, imported when a value comes."""

    def read(text: str) -> Any:
        from dockwright.grammar import option_values

        return getattr(option_values, name)(text)

    return read


def _env(text: str) -> str:
    import posix

    from dockwright.grammar.option_values import env

    return env(text, posix.environ)


def _mount(text: str) -> dict[str, Any]:
    from dockwright.grammar.mount_options import parse_mount

    return parse_mount(text)


def _network(text: str) -> dict[str, Any]:
    from dockwright.grammar.network_options import parse_network

    return parse_network(text)


def _swap(text: str) -> int:
    """`--memory-swap`: a size, or -1 for no limit."""
    if text == "-1":
        return -1
    from dockwright.grammar.units import ram_in_bytes

    return ram_in_bytes(text)


CONVERTERS: dict[str, Callable[[str], Any]] = {
    "attach": _value("stream"),
    "env": _env,
    "label": _value("label"),
    "link": _value("link"),
    "add-host": _value("extra_host"),
    "dns": _value("dns"),
    "dns-search": _value("dns_search"),
    "sysctl": _value("sysctl"),
    "ulimit": _value("ulimit"),
    "blkio-weight-device": _value("weight_device"),
    "device-read-bps": _value("rate_device"),
    "device-write-bps": _value("rate_device"),
    "device-read-iops": _value("iops_device"),
    "device-write-iops": _value("iops_device"),
    "device-cgroup-rule": _value("cgroup_rule"),
    "gpus": _value("gpus"),
    "mount": _mount,
    "network": _network,
    "memory-swap": _swap,
}
