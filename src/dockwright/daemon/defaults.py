"""The part of the configuration about what containers get that do not say otherwise, in the form the containers room reads."""

import os
from typing import TYPE_CHECKING, Any

from dockwright.base.errors import InvalidParameter
from dockwright.containers import realtime
from dockwright.containers.defaults import SHM_SIZE, Defaults
from dockwright.containers.runtimes import configured
from dockwright.daemon import remapping
from dockwright.daemon.arguments import FALSE, TRUE
from dockwright.grammar.option_values import ulimit
from dockwright.grammar.units import ram_in_bytes
from dockwright.host.cdi import DIRECTORIES
from dockwright.spec import security
from dockwright.types.container import LogConfig, Ulimit

if TYPE_CHECKING:
    from dockwright.daemon.config import Config


def container_defaults(config: "Config") -> Defaults:
    """What `config` says about new containers.

    Raises:
        InvalidParameter: in dockerd's words; the seccomp profile cannot be read, or is none; the kernel has no such scheduler.
    """
    realtime.check(config.cpu_rt_period, config.cpu_rt_runtime)
    return Defaults(
        log=LogConfig(config.log_driver, config.log_opts),
        ulimits=tuple(map(_ulimit, config.default_ulimits)),
        shm_size=_size(config.default_shm_size),
        ipc_mode=config.default_ipc_mode,
        cgroupns_mode=config.default_cgroupns_mode,
        init=config.init,
        init_path=config.init_path,
        no_new_privileges=config.no_new_privileges,
        seccomp=_profile(config.seccomp_profile),
        cdi_directories=cdi_directories(config),
        runtimes=configured(config.runtimes, config.default_runtime),
        remap=remapping.remap(config.userns_remap),
        rt_period=config.cpu_rt_period,
        rt_runtime=config.cpu_rt_runtime,
    )


def cdi_directories(config: "Config") -> tuple[str, ...]:
    """Where described devices are looked for; nowhere with the feature `cdi` switched off."""
    if not config.features.get("cdi", True):
        return ()
    return tuple(directory for directory in config.cdi_spec_dirs or DIRECTORIES if directory)


def check(config: "Config") -> None:
    """What dockerd checks of these settings before it starts.

    Raises:
        InvalidParameter: in its words.
    """
    ipc, cgroupns = config.default_ipc_mode, config.default_cgroupns_mode
    if ipc in ("host", "none") or ipc.startswith("container:"):
        text = f'IPC mode "{ipc}" is not supported as default value; use "shareable" or "private"'
        raise InvalidParameter(text)
    if ipc not in ("private", "shareable"):
        raise InvalidParameter(f'default IPC mode setting ({ipc}) is invalid; use "shareable" or "private"')
    if cgroupns not in ("", "private", "host"):
        raise InvalidParameter(f'default cgroup namespace mode ({cgroupns}) is invalid; use "host" or "private"')
    for text in config.default_ulimits:
        _ulimit(text)
    configured(config.runtimes, config.default_runtime)
    remapping.check(config.userns_remap)
    _size(config.default_shm_size)
    config.features = {name: _flag(name, value) for name, value in config.features.items()}
    for name, wanted in config.features.items():
        if wanted and name != "cdi":
            raise InvalidParameter(f"feature {name} is not implemented yet")


def _flag(name: str, value: bool | str) -> bool:
    if value not in (True, False, *TRUE, *FALSE):
        raise InvalidParameter(f'invalid argument "{name}={value}" for "--feature" flag: invalid feature value: {value}')
    return value is True or value in TRUE


def ulimit_text(name: str, item: Any) -> str:
    """`{"Name": "nofile", "Soft": 1, "Hard": 2}` of the file in the flag's form.

    Raises:
        InvalidParameter: it is none.
    """
    if not isinstance(item, dict) or not set(item) <= {"Name", "Soft", "Hard"}:
        raise InvalidParameter(f"invalid ulimit: {name}")
    return f"{item.get('Name', name)}={item.get('Soft', 0)}:{item.get('Hard', 0)}"


def _ulimit(text: str) -> Ulimit:
    try:
        return Ulimit(*ulimit(text))
    except ValueError as error:
        raise InvalidParameter(f'invalid argument "{text}" for "--default-ulimit" flag: {error}') from None


def _size(text: str) -> int:
    if not text:
        return SHM_SIZE
    try:
        return ram_in_bytes(text) or SHM_SIZE
    except ValueError as error:
        raise InvalidParameter(f'invalid argument "{text}" for "--default-shm-size" flag: {error}') from None


def _profile(wanted: str) -> str:
    """The text of the profile in the file `wanted`, or one of the two words."""
    if wanted in ("", "builtin", "default"):
        return "builtin"
    if wanted == "unconfined":
        return wanted
    try:
        with open(wanted, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise InvalidParameter(f"opening seccomp profile ({wanted}) failed: open {wanted}: {reason}") from None
    security.profile(text, [])
    return text
