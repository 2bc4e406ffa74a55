"""dockwright info: what the daemon is, has and can do."""

from __future__ import annotations

from dockwright import __version__
from dockwright.cli.failure import Failure
from dockwright.cli.terminal import err, out
from dockwright.client.errors import ConnectionFailed
from dockwright.grammar.flags import Flags
from dockwright.grammar.units import bytes_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/format")
ARGUMENTS = (0, 0)
PARSE_STATUS = 64


def run(context: Context, given: Given) -> int:
    """Print it."""
    form, problem = given.text("format"), ""
    info: dict[str, Any] = {}
    try:
        info = context.client.get("/info")
    except ConnectionFailed as error:
        problem = error.message
    if form:
        out(_templated(context, info, form) + "\n")
    else:
        client = f"Client:\n Version:    {__version__}\n Context:    {_name(context)}\n Debug Mode: {_bool(_debug(context))}\n"
        out(client + "\nServer:\n" + (_lines(info, _debug(context)) + "\n" if info else ""))
    for warning in info.get("Warnings") or ():
        err(f"{warning}\n")
    if problem:
        raise Failure(f"{problem}\n")
    return 0


def _debug(context: Context) -> bool:
    from dockwright.cli.settings import environment

    return context.options.flag("debug") or bool(environment("DEBUG"))


def _name(context: Context) -> str:
    from dockwright.cli.commands.version import context_name

    return context_name(context)


def _templated(context: Context, info: dict[str, Any], form: str) -> str:
    from dockwright.cli.commands.version import client_version
    from dockwright.cli.formatting import escapes
    from dockwright.grammar.template import Fields, Template, TemplateError

    ours = client_version(context.client.version if info else "", _name(context))
    document = {**info, "ClientInfo": {"Debug": _debug(context), **ours, "Plugins": [], "Warnings": None}}
    try:
        template = Template("{{json .}}" if form == "json" else escapes(form))
    except TemplateError as error:
        raise Failure(f"template parsing error: {error}\n", PARSE_STATUS) from error
    try:
        fields = Fields(document)
        fields.type_name = "system.dockerInfo"
        return template.execute(fields)
    except TemplateError as error:
        out("\n")
        raise Failure(f"{error}\n") from error


def _bool(value: object) -> str:
    return "true" if value else "false"


def _lines(info: dict[str, Any], debug: bool) -> str:
    lines = [
        f" Containers: {info['Containers']}",
        f"  Running: {info['ContainersRunning']}",
        f"  Paused: {info['ContainersPaused']}",
        f"  Stopped: {info['ContainersStopped']}",
        f" Images: {info['Images']}",
        *_filled(info, (" Server Version", "ServerVersion"), (" Storage Driver", "Driver")),
        *(f"  {name}: {value}" for name, value in info.get("DriverStatus") or ()),
        *_filled(
            info, (" Logging Driver", "LoggingDriver"), (" Cgroup Driver", "CgroupDriver"), (" Cgroup Version", "CgroupVersion")
        ),
        *_plugins(info["Plugins"]),
        *_section(" CDI spec directories:", info.get("CDISpecDirs")),
        f" Swarm: {info['Swarm']['LocalNodeState']}",
        *_runtimes(info),
        *_host(info),
        f" Debug Mode: {_bool(info['Debug'])}",
        *(_debugging(info) if info["Debug"] or debug else ()),
        *_filled(info, (" HTTP Proxy", "HttpProxy"), (" HTTPS Proxy", "HttpsProxy"), (" No Proxy", "NoProxy")),
        *_section(" Labels:", info.get("Labels")),
        f" Experimental: {_bool(info['ExperimentalBuild'])}",
        *_registries(info.get("RegistryConfig") or {}),
        f" Live Restore Enabled: {_bool(info['LiveRestoreEnabled'])}",
        *_filled(info, (" Product License", "ProductLicense")),
        *_pools(info.get("DefaultAddressPools") or []),
        *_firewall(info.get("FirewallBackend")),
    ]
    return "".join(line + "\n" for line in lines)


def _filled(info: dict[str, Any], *pairs: tuple[str, str]) -> list[str]:
    return [f"{title}: {info[name]}" for title, name in pairs if info.get(name)]


def _section(title: str, items: Any) -> list[str]:
    return [title, *(f"  {item}" for item in items)] if items else []


def _plugins(plugins: dict[str, Any]) -> list[str]:
    kinds = ("Volume", "Network", "Authorization", "Log")
    shown = [kind for kind in kinds if kind != "Authorization" or plugins.get(kind)]
    return [" Plugins:", *(f"  {kind}: {' '.join(plugins.get(kind) or ())}" for kind in shown)]


def _runtimes(info: dict[str, Any]) -> list[str]:
    if not info.get("Runtimes"):
        return []
    return [f" Runtimes: {' '.join(sorted(info['Runtimes']))}", f" Default Runtime: {info['DefaultRuntime']}"]


def _host(info: dict[str, Any]) -> list[str]:
    lines = [f" Init Binary: {info.get('InitBinary', '')}"]
    for name, key in (("containerd", "ContainerdCommit"), ("runc", "RuncCommit"), ("init", "InitCommit")):
        commit = info.get(key) or {}
        expected = commit.get("Expected", commit.get("ID"))
        wrong = f" (expected: {expected})" if expected and expected != commit.get("ID") else ""
        lines.append(f" {name} version: {commit.get('ID', '')}{wrong}")
    return [
        *lines,
        *_security(info.get("SecurityOptions") or []),
        *_filled(
            info, (" Kernel Version", "KernelVersion"), (" Operating System", "OperatingSystem"), (" OSType", "OSType"),
            (" Architecture", "Architecture"),
        ),
        f" CPUs: {info['NCPU']}",
        f" Total Memory: {bytes_size(info['MemTotal'])}",
        *_filled(info, (" Name", "Name"), (" ID", "ID")),
        f" Docker Root Dir: {info['DockerRootDir']}",
    ]  # fmt: skip


def _security(options: list[str]) -> list[str]:
    """`name=seccomp,profile=builtin` as a name with what belongs to it below."""
    lines = []
    for option in options:
        pairs = [pair.partition("=")[::2] for pair in option.split(",")]
        name = dict(pairs).get("name", option)
        lines.append(f"  {name}")
        lines += [f"   {'Profile' if key == 'profile' else key}: {value}" for key, value in pairs if key != "name"]
    return [" Security Options:", *lines] if lines else []


def _debugging(info: dict[str, Any]) -> list[str]:
    return [
        f"  File Descriptors: {info['NFd']}",
        f"  Goroutines: {info['NGoroutines']}",
        f"  System Time: {info['SystemTime']}",
        f"  EventsListeners: {info['NEventsListener']}",
    ]


def _registries(config: dict[str, Any]) -> list[str]:
    indexes = config.get("IndexConfigs") or {}
    insecure = [name for name, index in indexes.items() if not index.get("Secure")]
    insecure += config.get("InsecureRegistryCIDRs") or []
    lines = [" Insecure Registries:", *(f"  {name}" for name in insecure)] if indexes or insecure else []
    return lines + _section(" Registry Mirrors:", config.get("Mirrors"))


def _pools(pools: list[dict[str, Any]]) -> list[str]:
    lines = [f"   Base: {pool['Base']}, Size: {pool['Size']}" for pool in pools]
    return [" Default Address Pools:", *lines] if lines else []


def _firewall(backend: dict[str, Any] | None) -> list[str]:
    if not backend:
        return []
    return [f" Firewall Backend: {backend['Driver']}", *(f"  {name}: {value}" for name, value in backend.get("Info") or ())]
