"""Which daemon a command talks to: -H, DOCKER_HOST, docker's context, ours, docker's own socket.

Ours is started when the caller is root and nobody listens on its socket (see `autostart`).
"""

from __future__ import annotations

import posix

from dockwright.cli.failure import Failure
from dockwright.cli.settings import directory, environment
from dockwright.cli.sockets import listens
from dockwright.client.client import NEWEST, Client
from dockwright.client.errors import ConnectionFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.client.secure import Trust

OURS = "/run/dockwright/dockwright.sock"
DOCKERS = "/var/run/docker.sock"
SECURE = "tcp://localhost:2376"  # where TLS is asked for, and no host is named
TLS_FLAGS = ("tls", "tlsverify")
TLS_VARIABLES = ("DOCKER_TLS", "DOCKER_TLS_VERIFY")


def connect(context: Context) -> Client:
    """A client of the chosen daemon, its version negotiated unless DOCKER_API_VERSION says which.

    Raises:
        ConnectionFailed: nobody answers. Failure: the choice cannot be followed.
    """
    host, trust = chosen(context)
    wanted = environment("DOCKER_API_VERSION").removeprefix("v")
    headers = context.config.get("HttpHeaders")
    try:
        client = Client(host or default(), wanted or NEWEST, headers, trust)
    except ConnectionFailed as error:
        raise Failure(f"Failed to initialize: {error.message}\n") from error
    if not wanted:
        client.negotiate()
    return client


def chosen(context: Context) -> tuple[str, Trust | None]:
    """The address somebody asked for, "" if nobody did, and TLS if it is spoken there.

    Raises:
        Failure: two hosts, both a host and a context, or a context that is not there.
    """
    hosts, name = context.options.list("host"), context.options.text("context")
    if len(hosts) > 1:
        raise Failure("Failed to initialize: unable to resolve docker endpoint: Specify only one -H\n")
    if hosts and name:
        raise Failure("conflicting options: cannot specify both --host and --context\n")
    host = hosts[0] if hosts else "" if name else environment("DOCKER_HOST")
    name = "" if hosts or host else name or environment("DOCKER_CONTEXT") or context.config.get("currentContext", "")
    if name not in ("", "default"):
        return _of_context(context, name)
    address = normal(host) if host or hosts else ""
    if not any(flag in context.options for flag in TLS_FLAGS) and not any(map(environment, TLS_VARIABLES)):
        return address, None
    from dockwright.cli import trust

    return (address or SECURE, trust.of_flags(context)) if trust.wanted(context) else (address, None)


def normal(host: str) -> str:
    """A host as users type it, as an address: without a scheme it is tcp, without a port 2375."""
    host = host.strip()
    if not host:
        return f"unix://{DOCKERS}"
    if "://" not in host:
        return f"tcp://{host}"
    return {"unix://": f"unix://{DOCKERS}", "tcp://": "tcp://localhost:2375"}.get(host, host)


def _of_context(context: Context, name: str) -> tuple[str, Trust | None]:
    import hashlib

    from dockwright.cli.trust import of_context
    from dockwright.client.documents import loads

    contexts, ident = f"{directory(context.options.text('config'))}/contexts", hashlib.sha256(name.encode()).hexdigest()
    folder = f"{contexts}/meta/{ident}"
    try:
        with open(f"{folder}/meta.json", "rb") as file:
            meta = loads(file.read())
        endpoint = meta["Endpoints"]["docker"]
        host = str(endpoint["Host"])
    except OSError as error:
        reason = (error.strerror or "").lower()
        where = f'context "{name}": context not found: open {folder}/meta.json: {reason}'
        raise Failure(f"Failed to initialize: unable to resolve docker endpoint: {where}\n") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f'Failed to initialize: context "{name}" has no docker endpoint\n') from error
    return normal(host), of_context(f"{contexts}/tls/{ident}", bool(endpoint.get("SkipTLSVerify")))


def default() -> str:
    """Ours if it listens, or can be started by us; else docker's if that listens; else ours."""
    if listens(OURS):
        return f"unix://{OURS}"
    if posix.geteuid() == 0:
        from dockwright.cli.autostart import start

        start(OURS)
        return f"unix://{OURS}"
    return f"unix://{DOCKERS if listens(DOCKERS) else OURS}"
