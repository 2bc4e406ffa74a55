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

OURS = "/run/dockwright/dockwright.sock"
DOCKERS = "/var/run/docker.sock"
TLS_FLAGS = ("tls", "tlsverify", "tlscacert", "tlscert", "tlskey")


def connect(context: Context) -> Client:
    """A client of the chosen daemon, its version negotiated unless DOCKER_API_VERSION says which.

    Raises:
        ConnectionFailed: nobody answers. Failure: the choice cannot be followed.
    """
    _refuse_tls(context)
    host = chosen(context)
    wanted = environment("DOCKER_API_VERSION").removeprefix("v")
    headers = context.config.get("HttpHeaders")
    try:
        client = Client(host or default(), wanted or NEWEST, headers)
    except ConnectionFailed as error:
        raise Failure(f"Failed to initialize: {error.message}\n") from error
    if not wanted:
        client.negotiate()
    return client


def _refuse_tls(context: Context) -> None:
    for flag in TLS_FLAGS:
        if flag in context.options:
            raise Failure(f"--{flag} is not supported: dockwright speaks to unix sockets and plain tcp only\n")
    if environment("DOCKER_TLS_VERIFY") or environment("DOCKER_TLS"):
        raise Failure("DOCKER_TLS_VERIFY is not supported: dockwright speaks to unix sockets and plain tcp only\n")


def chosen(context: Context) -> str:
    """The address somebody asked for, "" if nobody did.

    Raises:
        Failure: two hosts, both a host and a context, or a context that is not there.
    """
    hosts, name = context.options.list("host"), context.options.text("context")
    if len(hosts) > 1:
        raise Failure("Failed to initialize: unable to resolve docker endpoint: Specify only one -H\n")
    if hosts and name:
        raise Failure("conflicting options: cannot specify both --host and --context\n")
    if hosts:
        return normal(hosts[0])
    if not name and environment("DOCKER_HOST"):
        return normal(environment("DOCKER_HOST"))
    name = name or environment("DOCKER_CONTEXT") or context.config.get("currentContext", "")
    return "" if name in ("", "default") else _of_context(context, name)


def normal(host: str) -> str:
    """A host as users type it, as an address: without a scheme it is tcp, without a port 2375."""
    host = host.strip()
    if not host:
        return f"unix://{DOCKERS}"
    if "://" not in host:
        return f"tcp://{host}"
    return {"unix://": f"unix://{DOCKERS}", "tcp://": "tcp://localhost:2375"}.get(host, host)


def _of_context(context: Context, name: str) -> str:
    import hashlib

    from dockwright.client.documents import loads

    folder = f"{directory(context.options.text('config'))}/contexts/meta/{hashlib.sha256(name.encode()).hexdigest()}"
    try:
        with open(f"{folder}/meta.json", "rb") as file:
            meta = loads(file.read())
        host = str(meta["Endpoints"]["docker"]["Host"])
    except OSError as error:
        reason = (error.strerror or "").lower()
        where = f'context "{name}": context not found: open {folder}/meta.json: {reason}'
        raise Failure(f"Failed to initialize: unable to resolve docker endpoint: {where}\n") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f'Failed to initialize: context "{name}" has no docker endpoint\n') from error
    return normal(host)


def default() -> str:
    """Ours if it listens, or can be started by us; else docker's if that listens; else ours."""
    if listens(OURS):
        return f"unix://{OURS}"
    if posix.geteuid() == 0:
        from dockwright.cli.autostart import start

        start(OURS)
        return f"unix://{OURS}"
    return f"unix://{DOCKERS if listens(DOCKERS) else OURS}"
