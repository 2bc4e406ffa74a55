"""Links of the default bridge (`--link`): what a container knows of another one, by a name of its own.

A link is a row of the container that has it: alias and id of the other one. It gives a line in the hosts file, variables in
the environment, a second name for the other container (`/box/alias`), and where containers may not talk to each
other, a way to its exposed ports. On the user's networks a link is an alias of the endpoint (networks), and nothing of this.
"""

import logging
from collections.abc import Iterator
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter, NotFound
from dockwright.base.paths import Paths
from dockwright.containers import networking
from dockwright.containers.container import Container
from dockwright.containers.store import Store
from dockwright.networks import NetworkManager
from dockwright.networks.network import PREDEFINED
from dockwright.networks.request import Linked
from dockwright.types.container import HostConfig

log = logging.getLogger("dockwright.containers")
BRIDGE = "bridge"
LEFT_OUT = ("HOME", "PATH")  # of the other container's environment
_UNDEFINED = "conflicting options: {} can't be used with links. This would result in undefined behavior"
_HOST, _CONTAINER = _UNDEFINED.format("host type networking"), _UNDEFINED.format("container type network")


def registered(host: HostConfig, store: Store) -> dict[str, str]:
    """The links of a new container: the other's id by alias. On the user's networks HostConfig.Links says nothing.

    Raises:
        InvalidParameter: in Docker's words.
    """
    mode = host.NetworkMode or BRIDGE
    if not host.Links:
        return {}
    if mode == "host" or mode.startswith(networking.JOIN):
        raise InvalidParameter(_HOST if mode == "host" else _CONTAINER)
    if mode not in PREDEFINED:
        return {}
    given, host.Links = host.Links, []
    return dict(_registered(text, store) for text in given)


def _registered(text: str, store: Store) -> tuple[str, str]:
    name, alias = parse(text)
    try:
        target = store.find(name)
    except NotFound as error:
        raise InvalidParameter(f"could not get container for {name}: {error.message}") from None
    while (mode := target.host.NetworkMode or "").startswith(networking.JOIN):
        target = store.find(mode.removeprefix(networking.JOIN))
    if mode == "host":
        raise InvalidParameter(_HOST)
    return alias, target.id


def parse(text: str) -> tuple[str, str]:
    """Name and alias of `name`, `name:alias` or, as inspect shows it, `/name:/box/alias`. Raises InvalidParameter."""
    name, colon, alias = text.partition(":")
    if not text:
        raise InvalidParameter("empty string specified for links")
    if ":" in alias:
        raise InvalidParameter(f"bad format for links: {text}")
    if name.startswith("/"):
        return name[1:], alias.rpartition("/")[2]
    return name, alias if colon else name


def targets(container: Container, store: Store) -> Iterator[tuple[str, Container]]:
    """Its links to containers that are still there."""
    for alias, ident in container.links.items():
        if (target := store.get(ident)) is not None:
            yield alias, target


def shown(container: Container, store: Store) -> list[str]:
    """HostConfig.Links of inspect."""
    own = [f"/{target.name}:/{container.name}/{alias}" for alias, target in targets(container, store)]
    return [*(container.host.Links or ()), *own]


def names(container: Container, store: Store) -> list[str]:
    """All names of a container: its own, and those that others know it by."""
    links = [(other, alias, ident) for other in store.linkers(container) for alias, ident in other.links.items()]
    return [f"/{container.name}", *(f"/{other.name}/{alias}" for other, alias, ident in links if ident == container.id)]


def linked(container: Container, store: Store, networks: NetworkManager) -> list[Linked]:
    """What the links of a container that is about to start lead to.

    Raises:
        Internal: one leads to a container that does not run, or is not on the default bridge.
    """
    found = []
    for alias, target in targets(container, store) if BRIDGE in container.networks else ():
        if not target.state.running:
            raise Internal(f"Cannot link to a non running container: /{target.name} AS /{container.name}/{alias}")
        if BRIDGE not in target.networks:
            raise Internal(f"Cannot link to /{target.name}, as it does not belong to the default network")
        found.append(_linked(alias, target, networks))
    return found


def _linked(alias: str, target: Container, networks: NetworkManager) -> Linked:
    known = [alias, target.config["Hostname"], *([target.name] if target.name != alias else [])]
    address = networks.address(target.id, BRIDGE)
    return Linked(" ".join(known), address, sorted(target.config.get("ExposedPorts") or ()))


def environment(container: Container, store: Store, networks: NetworkManager) -> list[str]:
    """The variables that tell a container of its links."""
    found: list[str] = []
    for alias, target in targets(container, store) if BRIDGE in container.networks else ():
        link = _linked(alias, target, networks)
        found += variables(alias, f"/{container.name}/{alias}", link, target.config.get("Env") or ())
    return found


def variables(alias: str, name: str, link: Linked, env: Any) -> list[str]:
    """The variables of one link: its ports (the lowest TCP one first), its name, the other's own variables."""
    head = alias.upper().replace("-", "_")
    ports = sorted((key.partition("/")[::2] for key in link.ports), key=lambda port: (port[1] != "tcp", int(port[0])))
    found = [f"{head}_PORT={ports[0][1]}://{link.address}:{ports[0][0]}"] if ports else []
    for port, protocol in ports:
        prefix = f"{head}_PORT_{port}_{protocol.upper()}"
        found += [
            f"{prefix}={protocol}://{link.address}:{port}", f"{prefix}_ADDR={link.address}", f"{prefix}_PORT={port}",
            f"{prefix}_PROTO={protocol}",
        ]  # fmt: skip
    own = [text for text in env if text.partition("=")[0] not in LEFT_OUT and "=" in text]
    return [*found, f"{head}_NAME={name}", *(f"{head}_ENV_{text}" for text in own)]


async def refresh(target: Container, store: Store, networks: NetworkManager, paths: Paths) -> None:
    """A container has got an address: those that are linked to it learn it."""
    for container in store.linkers(target):
        if not container.state.running or BRIDGE not in container.networks:
            continue
        running = [item for item in targets(container, store) if item[1].state.running or item[1] is target]
        links = [_linked(alias, other, networks) for alias, other in running]
        try:
            for link in links:
                networking.replace_line(f"{paths.container(container.id)}/hosts", link.names, f"{link.address}\t{link.names}\n")
            await networks.relink(container.id, links)
        except OSError as error:
            log.warning("the links of %s are not renewed: %s", container.name, error.strerror)
