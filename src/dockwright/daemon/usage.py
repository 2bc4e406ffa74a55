"""`dockwrightd --help`: the settings that are carried, in pflag's layout."""

from dockwright.daemon.settings import CARRIED, FLAG, LIST, MAP, NESTED, NUMBER, TEXT, Setting

HELP = {
    "host": "Address to listen on: unix://, tcp:// or fd://; may be given several times",
    "group": 'Group of the unix socket (default "docker")',
    "tls": "Speak TLS on TCP sockets; clients need a certificate, unless --tlsverify=false says no",
    "tlsverify": "Speak TLS on TCP sockets; whether clients need a certificate",
    "tlscacert": 'Authority of the clients\' certificates (default "~/.docker/ca.pem")',
    "tlscert": 'Our certificate (default "~/.docker/cert.pem")',
    "tlskey": 'Its key (default "~/.docker/key.pem")',
    "data-root": 'Directory of what is kept (default "/var/lib/dockwright")',
    "exec-root": 'Directory of what runs (default "/run/dockwright")',
    "pidfile": "Path of the file with the daemon's process id",
    "log-level": 'Least level of the daemon\'s log: debug, info, warn, error, fatal (default "info")',
    "log-format": 'Form of the daemon\'s log: "text" or "json" (default "text")',
    "raw-logs": "No colours in the daemon's log, on a terminal either",
    "metrics-addr": "Serve the engine's numbers for Prometheus at http://HOST:PORT/metrics",
    "authorization-plugin": "Plug-in that is asked about each request to the API; may be given several times",
    "debug": "Log everything",
    "config-file": 'Path of daemon.json (default "/etc/dockwright/daemon.json")',
    "validate": "Check flags and daemon.json, and end",
    "content-retention": 'Compressed layers after unpacking: "keep", or "unpacked-only" on small disks (default "keep")',
    "storage-driver": "Storage driver (default: the one used before, else overlay2 where the kernel has it)",
    "add-runtime": "An OCI runtime with runc's command line: name=path",
    "userns-remap": "User and group of containers' root, by /etc/subuid and /etc/subgid: USER[:GROUP], or default",
    "default-runtime": 'Runtime of containers that ask for none (default "runc")',
    "storage-opt": "Option of the storage driver: key=value",
    "bridge": 'An existing bridge for the default network; "none" makes none',
    "bip": "Address and prefix length of the default bridge",
    "fixed-cidr": "Part of the default bridge's subnet that its containers get addresses of",
    "default-gateway": "Where the default route of containers on the default bridge leads to (default: the bridge)",
    "ipv6": "Give the default bridge IPv6 as well: an own subnet, unless --fixed-cidr-v6 or --bip6 names one",
    "bip6": "IPv6 address and prefix length of the default bridge",
    "fixed-cidr-v6": "IPv6 subnet of the default bridge, or with --bip6 the part of it that its containers get addresses of",
    "default-gateway-v6": "Where their IPv6 default route leads to (default: the bridge)",
    "default-network-opt": "Option of new networks of a driver that do not say otherwise: DRIVER=KEY=VALUE",
    "mtu": "MTU of containers on the default network",
    "default-address-pool": "Pool that networks take their subnets from: base=SUBNET,size=BITS",
    "ip": 'Host address of ports that are published without one (default "0.0.0.0")',
    "ip-forward": "Switch IP forwarding on (default true)",
    "ip-masq": "Masquerade what leaves the default network (default true)",
    "icc": "Let containers of the default network talk to each other (default true)",
    "iptables": "Write firewall rules (default true)",
    "ip6tables": "Write those for IPv6 as well (default true)",
    "firewall-backend": 'Who writes the firewall rules: "nftables" or "iptables" (default: the first that this host has)',
    "published-ports": 'Who reaches published ports: "docker" everybody, "respect-host" whom the host\'s own firewall lets in, '
    '"localhost" only this host unless an address is given (default "docker")',
    "userland-proxy": "Carry ports that no rule leads to: 127.0.0.1, ::1, IPv6 to containers without it (default true)",
    "host-gateway-ip": "Address that host-gateway stands for in --add-host",
    "dns": "DNS server of containers",
    "dns-opt": "DNS option of containers",
    "dns-search": "DNS search domain of containers",
    "label": "Label of the daemon: key=value",
    "log-driver": 'Log driver of containers: json-file, local or none (default "json-file")',
    "log-opt": "Option of the log driver: key=value",
    "default-ulimit": "Limit of containers that do not name it: name=soft[:hard]",
    "default-shm-size": "Size of /dev/shm in containers that do not say (default 64MiB)",
    "default-ipc-mode": 'IPC namespace of containers that do not say: "private" or "shareable" (default "private")',
    "default-cgroupns-mode": 'Cgroup namespace of containers that do not say: "host" (default on cgroup v1) or "private"',
    "init": "Begin containers with an init program that forwards signals and reaps processes",
    "init-path": "The init program (default: docker-init or tini, where a static one is found)",
    "no-new-privileges": "Containers gain no privileges by execve, unless they say otherwise",
    "seccomp-profile": 'Seccomp profile of containers: a file, "builtin" or "unconfined" (default "builtin")',
    "selinux-enabled": "Refused where the kernel has SELinux, which containers get no labels of yet; else a warning",
    "cdi-spec-dir": "Directory of files that describe devices (default /etc/cdi and /var/run/cdi)",
    "experimental": "Enable experimental features",
    "feature": "Switch a feature: cdi=false looks for no described devices",
    "cgroup-parent": "Parent of the cgroups of containers that name none",
    "cpu-rt-period": "CPU real-time period of the parents of containers' cgroups, in microseconds (cgroup v1)",
    "cpu-rt-runtime": "CPU real-time runtime of the parents of containers' cgroups, in microseconds (cgroup v1)",
    "exec-opt": "native.cgroupdriver=cgroupfs or systemd, which gives each container a scope",
    "image-policy": "File that says whose signatures images need (default /etc/dockwright/policy.json, if it is there)",
    "live-restore": "Leave containers running when the daemon ends (default true)",
    "shutdown-timeout": "Seconds that containers have to stop when the daemon stops them (default 15)",
    "insecure-registry": "Registry that may do without TLS or a verified certificate: host[:port] or network",
    "registry-mirror": "Registry asked for Docker Hub's images first: URL",
    "token-server": "Token server on another site that may see a registry's credentials: REGISTRY=HOST, ports included",
    "max-concurrent-downloads": "Blobs downloaded at once (default 3)",
    "max-concurrent-uploads": "Blobs uploaded at once (default 5)",
    "max-download-attempts": "Attempts at each download (default 5)",
    "http-proxy": "Proxy for registries without TLS (default: HTTP_PROXY)",
    "https-proxy": "Proxy for registries with TLS (default: HTTPS_PROXY)",
    "no-proxy": "Hosts, domains and networks reached without a proxy (default: NO_PROXY)",
}
_KINDS = {TEXT: "string", NUMBER: "int", LIST: "list", MAP: "map", NESTED: "mapmap", FLAG: ""}


def text() -> str:
    """The whole help."""
    entries = sorted((_entry(setting), HELP[setting.flag]) for setting in CARRIED if setting.flag)
    entries += [("  -h, --help", "Print this help"), ("  -v, --version", "Print the version")]
    width = max(len(left) for left, _ in entries) + 3
    lines = [f"{left:<{width}}{right}" for left, right in sorted(entries, key=lambda entry: entry[0].lstrip(" -"))]
    return "\nUsage:  dockwrightd [OPTIONS]\n\nA self-sufficient runtime for containers.\n\nOptions:\n" + "\n".join(lines)


def _entry(setting: Setting) -> str:
    short = f"  -{setting.short}, " if setting.short else "      "
    return f"{short}--{setting.flag} {_KINDS[setting.kind]}".rstrip()
