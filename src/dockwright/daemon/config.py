"""The daemon's configuration: flags and daemon.json, merged and checked.

A setting may stand in one of the two, not in both. The file is read again at SIGHUP; `reload` says what may change.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from dockwright.base import paths
from dockwright.base.errors import InvalidParameter
from dockwright.containers import logchecks
from dockwright.daemon import defaults, netchecks, remapping, tls
from dockwright.daemon.arguments import Given, parse
from dockwright.daemon.log import JSON as JSON_LOG
from dockwright.daemon.log import LEVELS
from dockwright.daemon.log import TEXT as TEXT_LOG
from dockwright.daemon.settings import BY_FLAG, BY_KEY, FLAG, LIST, MAP, NESTED, NUMBER, TEXT, Setting
from dockwright.supervisor import placement, systemd

CONFIG_FILE = "/etc/dockwright/daemon.json"
REGISTRIES = (
    "insecure_registries", "registry_mirrors", "max_concurrent_downloads", "max_concurrent_uploads", "max_download_attempts",
    "token_servers",
)  # fmt: skip
RELOADABLE = ("authorization_plugins", "debug", "labels", "live_restore", "shutdown_timeout", *REGISTRIES)
MERGED = "merged configuration validation from file and command line flags failed"
JSON_KINDS: dict[type[Any], str] = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
# what lists and maps hold, if not strings
ITEMS: dict[str, type[Any]] = {"features": bool, "runtimes": dict, "default-network-opts": dict}
TYPES: dict[str, type[Any]] = {TEXT: str, NUMBER: int, FLAG: bool, LIST: list, MAP: dict, NESTED: dict}


@dataclass
class Config:
    """What the daemon was told, with dockerd's defaults.

    Attributes:
        hosts: addresses to listen on; empty: the default sockets (DECISIONS 4).
        bridge: "" is docker0 or dockwright0, "none" no default network, else an existing bridge.
        bip, bip6: address and prefix of the default bridge, "" to choose. mtu: 0 for the default.
        default_network_opts: options of new networks, by driver.
        cgroup_parent: of containers that name none. exec_opts: `native.cgroupdriver=...`.
        shutdown_timeout: seconds containers get at a shutdown that stops them.
        tls, tlsverify: None where nothing is said; see `tls`.
    """

    hosts: list[str] = field(default_factory=list)
    tls: bool | None = None
    tlsverify: bool | None = None
    tlscacert: str = ""
    tlscert: str = ""
    tlskey: str = ""
    group: str = "docker"
    data_root: str = paths.DATA_ROOT
    exec_root: str = paths.EXEC_ROOT
    pidfile: str = "/run/dockwright/dockwrightd.pid"
    log_level: str = "info"
    log_format: str = TEXT_LOG
    raw_logs: bool = False
    metrics_addr: str = ""
    authorization_plugins: list[str] = field(default_factory=list)
    debug: bool = False
    config_file: str = CONFIG_FILE
    validate: bool = False
    storage_driver: str = ""
    content_retention: str = "keep"
    runtimes: dict[str, Any] = field(default_factory=dict)
    default_runtime: str = "runc"
    userns_remap: str = ""
    storage_opts: list[str] = field(default_factory=list)
    bridge: str = ""
    bip: str = ""
    fixed_cidr: str = ""
    default_gateway: str = ""
    ipv6: bool = False
    bip6: str = ""
    fixed_cidr_v6: str = ""
    default_gateway_v6: str = ""
    default_network_opts: dict[str, dict[str, str]] = field(default_factory=dict)
    mtu: int = 0
    default_address_pools: list[Any] = field(default_factory=list)
    ip: str = "0.0.0.0"
    ip_forward: bool = True
    ip_masq: bool = True
    icc: bool = True
    iptables: bool = True
    ip6tables: bool = True
    firewall_backend: str = ""
    published_ports: str = "docker"
    userland_proxy: bool = True
    host_gateway_ip: str = ""
    dns: list[str] = field(default_factory=list)
    dns_opts: list[str] = field(default_factory=list)
    dns_search: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    default_ulimits: list[str] = field(default_factory=list)
    default_shm_size: str = ""
    default_ipc_mode: str = "private"
    default_cgroupns_mode: str = ""
    init: bool = False
    init_path: str = ""
    no_new_privileges: bool = False
    seccomp_profile: str = "builtin"
    selinux_enabled: bool = False
    cdi_spec_dirs: list[str] = field(default_factory=list)
    image_policy: str = ""
    experimental: bool = False
    features: dict[str, bool] = field(default_factory=dict)
    log_driver: str = "json-file"
    log_opts: dict[str, str] = field(default_factory=dict)
    cgroup_parent: str = ""
    cpu_rt_period: int = 0
    cpu_rt_runtime: int = 0
    exec_opts: list[str] = field(default_factory=list)
    live_restore: bool = True
    shutdown_timeout: int = 15
    insecure_registries: list[str] = field(default_factory=list)
    registry_mirrors: list[str] = field(default_factory=list)
    token_servers: list[str] = field(default_factory=list)
    max_concurrent_downloads: int = 3
    max_concurrent_uploads: int = 5
    max_download_attempts: int = 5
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    proxies: dict[str, str] = field(default_factory=dict)

    @property
    def cdi_directories(self) -> tuple[str, ...]:
        """Where devices are described."""
        return defaults.cdi_directories(self)

    @property
    def secured(self) -> bool:
        """Whether TCP sockets speak TLS."""
        return tls.secured(self)

    @property
    def verified(self) -> bool:
        """Whether their clients need a certificate."""
        return tls.verifies(self)

    @property
    def level(self) -> str:
        """The level of the daemon's log: --debug wins."""
        return "debug" if self.debug else self.log_level

    @property
    def cgroup_driver(self) -> str:
        """Who makes the cgroups of containers: the last `native.cgroupdriver` says."""
        return self.exec_opts[-1].partition("=")[2] if self.exec_opts else placement.CGROUPFS


def load(arguments: list[str]) -> Config:
    """The configuration of a daemon started with `arguments`.

    Raises:
        InvalidParameter: in dockerd's words.
    """
    flags = parse(arguments)
    path = flags.get("config-file", CONFIG_FILE)
    try:
        config = _merged(flags, read_file(path, required="config-file" in flags))
    except _FileError as error:
        raise InvalidParameter(f"unable to configure the Docker daemon with file {path}: {error}") from None
    if config.validate:
        return config
    remapping.establish(config.userns_remap)
    if mapped := remapping.remap(config.userns_remap):
        config.data_root = f"{config.data_root}/{mapped.folder}"
    return config


def reload(running: Config, arguments: list[str]) -> list[str]:
    """Read flags and file again and take over what may change while running; returns the attributes that changed.

    Raises:
        InvalidParameter: the file is bad; nothing has changed then.
    """
    fresh = load(arguments)
    changed = [name for name in RELOADABLE if getattr(fresh, name) != getattr(running, name)]
    for name in changed:
        setattr(running, name, getattr(fresh, name))
    return changed


class _FileError(Exception):
    """The file is at fault; the caller says which."""


def read_file(path: str, required: bool) -> dict[str, Any]:
    """The keys of daemon.json at `path`; a missing default file is an empty one."""
    try:
        with open(path, "rb") as file:
            data = file.read(1 << 20)
    except FileNotFoundError:
        if required:
            raise _FileError(f"open {path}: no such file or directory") from None
        return {}
    except OSError as error:
        raise _FileError(f"open {path}: {(error.strerror or str(error)).lower()}") from None
    try:
        keys = json.loads(data.decode("utf-8-sig")) if data.strip() else {}
    except (ValueError, RecursionError) as error:
        raise _FileError(f"invalid JSON: {error}") from None
    if not isinstance(keys, dict):
        kind = JSON_KINDS.get(type(keys), "null")
        raise _FileError(f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
    return keys


def _merged(flags: Given, keys: dict[str, Any]) -> Config:
    if unknown := sorted(set(keys) - set(BY_KEY)):
        raise _FileError(f"the following directives don't match any configuration option: {', '.join(unknown)}")
    conflicts = [
        f"{key}: (from flag: {_shown(flags[setting.flag])}, from file: {_shown(value)})"
        for key, value in keys.items()
        if (setting := BY_KEY[key]).flag in flags
    ]
    if conflicts:
        text = "the following directives are specified both as a flag and in the configuration file: "
        raise _FileError(text + ", ".join(conflicts))
    config = Config()
    for key, value in keys.items():
        _put(config, BY_KEY[key], _typed(BY_KEY[key], value), f"{key} in the configuration file")
    for name, value in flags.items():
        _put(config, BY_FLAG[name], value, f"--{name}")
    try:
        _check(config)
    except InvalidParameter as error:
        if not keys:
            raise
        raise _FileError(f"{MERGED}: {error.message}") from None
    return config


def _shown(value: Any) -> str:
    """A value as Go prints it with %v."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + " ".join(map(_shown, value)) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_shown(item)}" for key, item in sorted(value.items())) + "]"
    return str(value)


def _typed(setting: Setting, value: Any) -> Any:
    """A value of the file, if it is of its setting's type."""
    if setting.key == "default-ulimits" and isinstance(value, dict):
        return [defaults.ulimit_text(name, item) for name, item in value.items()]
    if not isinstance(value, TYPES[setting.kind]) or (setting.kind == NUMBER and isinstance(value, bool)):
        raise _FileError(_mismatch(value, setting, setting.kind))
    if setting.key == "default-address-pools":
        return [_pool(item) for item in value]
    if setting.attribute and setting.kind in (LIST, MAP, NESTED):
        for item in value if setting.kind == LIST else value.values():
            if not isinstance(item, ITEMS.get(setting.key, str)):
                raise _FileError(_mismatch(item, setting, "string"))
            if setting.kind == NESTED and (wrong := [each for each in item.values() if not isinstance(each, str)]):
                raise _FileError(_mismatch(wrong[0], setting, "string"))
    return value


def _mismatch(value: Any, setting: Setting, wanted: str) -> str:
    """A value of the wrong type, in the words of encoding/json."""
    given = JSON_KINDS.get(type(value), "null")
    return f"json: cannot unmarshal {given} into Go struct field Config.{setting.key} of type {wanted}"


def _pool(item: Any) -> str:
    """`{"base": "10.0.0.0/8", "size": 24}` of the file in the flag's form."""
    if not isinstance(item, dict) or set(item) - {"base", "size"}:
        raise _FileError("invalid default address pool")
    return f"base={item.get('base', '')},size={item.get('size', '')}"


def _put(config: Config, setting: Setting, value: Any, origin: str) -> None:
    if setting.attribute:
        setattr(config, setting.attribute, value)
    elif value not in setting.harmless:
        refusal = setting.refusal or f"{origin} is not implemented yet"
        raise InvalidParameter(refusal.replace("%s", str(value)))


def _check(config: Config) -> None:
    """What dockerd checks before it starts.

    Raises:
        InvalidParameter: in its words.
    """
    if config.log_level not in LEVELS:
        raise InvalidParameter(f"invalid logging level: {config.log_level}")
    if config.log_format not in (TEXT_LOG, JSON_LOG):
        raise InvalidParameter(f"invalid log format: {config.log_format}")
    if config.log_driver not in logchecks.OPTIONS:
        raise InvalidParameter(f'logger: no log driver named "{config.log_driver}" is registered')
    netchecks.check(config)
    _check_registries(config)
    defaults.check(config)
    storage_options(config)
    _check_cgroups(config)
    seen: dict[str, str] = {}
    for label in config.labels:
        key, equals, _ = label.partition("=")
        if not equals or not key:
            raise InvalidParameter(f"bad attribute format: {label}")
        first = seen.setdefault(key, label)
        if first != label:
            raise InvalidParameter(f"conflict labels for {label} and {first}")
    tls.server_context(config)
    config.hosts = [_host(host, config.secured) for host in config.hosts]
    for name in ("data_root", "exec_root"):
        if not getattr(config, name).startswith("/"):
            raise InvalidParameter(f"{name.replace('_', '-')} must be an absolute path: {getattr(config, name)}")


def _check_cgroups(config: Config) -> None:
    for option in config.exec_opts:
        name, _, driver = option.partition("=")
        if name != "native.cgroupdriver":
            raise InvalidParameter(f"exec-opt {option} is not implemented")
        if driver not in (placement.CGROUPFS, placement.SYSTEMD):
            raise InvalidParameter(f"native.cgroupdriver option {driver} not supported")
        if driver == placement.SYSTEMD and not systemd.booted():
            raise InvalidParameter("native.cgroupdriver option systemd not supported: systemd does not run this host")
    if config.cgroup_parent:
        placement.check_parent(config.cgroup_driver, config.cgroup_parent)


def _check_registries(config: Config) -> None:
    from dockwright.daemon.registry import registry_settings  # which reads a Config

    registry_settings(config)


def storage_options(config: Config) -> dict[str, str]:
    """`--storage-opt` by name.

    Raises:
        InvalidParameter: in dockerd's words.
    """
    options = {}
    for text in config.storage_opts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidParameter(f"error initializing graphdriver: Unable to parse key/value option: {text}")
        options[name.strip().lower()] = value.strip()
    return options


def keeps_blobs(config: Config) -> bool:
    """Whether compressed layers stay after they have been unpacked.

    Raises:
        InvalidParameter: a retention that does not exist.
    """
    if config.content_retention not in ("keep", "unpacked-only"):
        raise InvalidParameter(f'invalid content retention "{config.content_retention}": it is keep or unpacked-only')
    return config.content_retention == "keep"


def _host(host: str, secured: bool = False) -> str:
    """An address to listen on in its full form.

    Args:
        secured: with TLS, which has a port of its own where nothing is said at all.

    Raises:
        InvalidParameter: in dockerd's words.
    """
    if not host.strip():
        return tls.DEFAULT_HOST if secured else "unix:///run/dockwright/dockwright.sock"
    scheme, separator, rest = host.strip().partition("://")
    if not separator:
        scheme, rest = ("unix", scheme) if scheme.startswith("/") else ("tcp", scheme)
    if scheme not in ("unix", "tcp", "fd"):
        raise InvalidParameter(f"invalid bind address ({host}): unsupported proto '{scheme}'")
    if scheme == "unix":
        return f"unix://{rest or '/run/dockwright/dockwright.sock'}"
    if scheme == "tcp":
        name, colon, port = rest.rpartition(":") if ":" in rest.rpartition("]")[2] else (rest, "", "")
        if colon and not (port.isdecimal() and int(port) < 65536):
            raise InvalidParameter(f"invalid bind address ({host}): invalid port: {port}")
        return f"tcp://{name or 'localhost'}:{port or 2375}"
    return f"fd://{rest}"


def fields() -> list[str]:
    """The attributes that are carried, for the test that looks for their readers."""
    return [item.name for item in dataclasses.fields(Config)]
