"""The table of dockerd's settings: what each is called as a flag and as a key of daemon.json, and what becomes of it.

A setting is either carried in `Config` under its attribute, and some room reads it there, or refused when it is given:
never accepted and ignored.  Sources: dockerd(8) of Docker 27.5.
"""

from dataclasses import dataclass
from typing import Any

TEXT, NUMBER, FLAG, LIST, MAP, NESTED = "string", "int", "bool", "list", "map", "mapmap"
NO_PROXY_PROGRAM = "userland-proxy-path %s: such a program does not exist here: netd carries what no rule does"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of dockerd.

    Attributes:
        flag: the long flag without dashes. short: its letter, or "".
        key: in daemon.json; "" where dockerd has none. kind: TEXT, NUMBER, FLAG, LIST, MAP or NESTED (a map of maps).
        attribute: of Config; "" for a setting that is refused.
        harmless: values of a refused setting that change nothing, and so are taken.
        refusal: the text for other values, which may have the value for %s; "" is `... is not implemented yet`.
    """

    flag: str
    kind: str
    key: str
    attribute: str = ""
    short: str = ""
    harmless: tuple[Any, ...] = ()
    refusal: str = ""


def _carried(flag: str, kind: str = TEXT, key: str | None = None, attribute: str = "", short: str = "") -> Setting:
    return Setting(flag, kind, flag if key is None else key, attribute or flag.replace("-", "_"), short)


def _refused(flag: str, kind: str = TEXT, key: str | None = None, *harmless: Any, short: str = "") -> Setting:
    return Setting(flag, kind, flag if key is None else key, "", short, harmless)


NO_CORS = (
    'DEPRECATED: The "api-cors-header" config parameter and the dockerd "--api-cors-header" option have been removed; '
    "use a reverse proxy if you need CORS headers"
)  # as Docker 28 says it; in 27.5 the setting has no effect

CARRIED = (
    _carried("host", LIST, "hosts", "hosts", "H"),
    _carried("group", short="G"),
    _carried("tls", FLAG),
    _carried("tlsverify", FLAG),
    _carried("tlscacert"),
    _carried("tlscert"),
    _carried("tlskey"),
    _carried("data-root"),
    _carried("exec-root"),
    _carried("pidfile", short="p"),
    _carried("log-level", short="l"),
    _carried("log-format"),
    _carried("raw-logs", FLAG),
    _carried("metrics-addr"),
    _carried("authorization-plugin", LIST, "authorization-plugins", "authorization_plugins"),
    _carried("debug", FLAG, short="D"),
    _carried("config-file", key=""),
    _carried("validate", FLAG, key=""),
    _carried("storage-driver", short="s"),
    _carried("content-retention"),
    _carried("add-runtime", MAP, "runtimes", "runtimes"),
    _carried("default-runtime"),
    _carried("userns-remap"),
    _carried("storage-opt", LIST, "storage-opts", "storage_opts"),
    _carried("bridge", short="b"),
    _carried("bip"),
    _carried("fixed-cidr"),
    _carried("default-gateway"),
    _carried("ipv6", FLAG),
    _carried("bip6"),
    _carried("fixed-cidr-v6"),
    _carried("default-gateway-v6"),
    _carried("default-network-opt", NESTED, "default-network-opts", "default_network_opts"),
    _carried("mtu", NUMBER),
    _carried("default-address-pool", LIST, "default-address-pools", "default_address_pools"),
    _carried("ip"),
    _carried("ip-forward", FLAG),
    _carried("ip-masq", FLAG),
    _carried("icc", FLAG),
    _carried("iptables", FLAG),
    _carried("ip6tables", FLAG),
    _carried("firewall-backend"),
    _carried("published-ports"),
    _carried("userland-proxy", FLAG),
    _carried("host-gateway-ip"),
    _carried("dns", LIST),
    _carried("dns-opt", LIST, "dns-opts", "dns_opts"),
    _carried("dns-search", LIST),
    _carried("label", LIST, "labels", "labels"),
    _carried("log-driver"),
    _carried("log-opt", MAP, "log-opts", "log_opts"),
    _carried("default-ulimit", LIST, "default-ulimits", "default_ulimits"),
    _carried("default-shm-size"),
    _carried("default-ipc-mode"),
    _carried("default-cgroupns-mode"),
    _carried("init", FLAG),
    _carried("init-path"),
    _carried("no-new-privileges", FLAG),
    _carried("seccomp-profile"),
    _carried("selinux-enabled", FLAG),
    _carried("cdi-spec-dir", LIST, "cdi-spec-dirs", "cdi_spec_dirs"),
    _carried("experimental", FLAG),
    _carried("feature", MAP, "features", "features"),
    _carried("cgroup-parent"),
    _carried("cpu-rt-period", NUMBER),
    _carried("cpu-rt-runtime", NUMBER),
    _carried("exec-opt", LIST, "exec-opts", "exec_opts"),
    _carried("image-policy"),
    _carried("live-restore", FLAG),
    _carried("shutdown-timeout", NUMBER),
    _carried("insecure-registry", LIST, "insecure-registries", "insecure_registries"),
    _carried("registry-mirror", LIST, "registry-mirrors", "registry_mirrors"),
    _carried("token-server", LIST, "token-servers", "token_servers"),
    _carried("max-concurrent-downloads", NUMBER),
    _carried("max-concurrent-uploads", NUMBER),
    _carried("max-download-attempts", NUMBER),
    _carried("http-proxy", key=""),
    _carried("https-proxy", key=""),
    _carried("no-proxy", key=""),
    Setting("", MAP, "proxies", "proxies"),
)

REFUSED = (
    _refused("allow-nondistributable-artifacts", LIST),
    Setting("api-cors-header", TEXT, "api-cors-header", harmless=("",), refusal=NO_CORS),
    _refused("containerd"),
    _refused("containerd-namespace"),
    _refused("containerd-plugins-namespace", TEXT, "containerd-plugin-namespace"),
    _refused("cri-containerd", FLAG, None, False),
    _refused("network-control-plane-mtu", NUMBER),
    _refused("node-generic-resource", LIST, "node-generic-resources"),
    _refused("rootless", FLAG, "", False),
    _refused("swarm-default-advertise-addr"),
    Setting("userland-proxy-path", TEXT, "userland-proxy-path", harmless=("",), refusal=NO_PROXY_PROGRAM),
    Setting("", MAP, "builder"),
)

SETTINGS = CARRIED + REFUSED
BY_FLAG = {setting.flag: setting for setting in SETTINGS if setting.flag}
BY_SHORT = {setting.short: setting for setting in SETTINGS if setting.short}
BY_KEY = {setting.key: setting for setting in SETTINGS if setting.key}
