"""The filters of `docker ps`: which containers a list shows. Keys must all hold, values of one key are alternatives."""

import contextlib
import re
from collections.abc import Callable, Sequence
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter, NotFound
from dockwright.base.times import padded
from dockwright.containers.container import Container
from dockwright.containers.store import Store
from dockwright.images.manager import ImageManager

Row = dict[str, Any]
Filters = dict[str, Sequence[str]]
STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTHS = ("none", "starting", "healthy", "unhealthy")
KEYS = frozenset({
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network", "publish",
    "since", "status", "volume",
})  # fmt: skip
_PORT = re.compile(r"([0-9]+)(?:-([0-9]+))?(?:/(tcp|udp|sctp))?")


class Listing:
    """One list request.

    Args:
        filters: as parsed by the API.

    Raises:
        InvalidParameter, NotFound, Internal: in Docker's words.
    """

    def __init__(self, store: Store, images: ImageManager, filters: Filters) -> None:
        self._store, self._images, self._filters = store, images, filters
        self._refuse_unknown()
        self._exits = [_number(value) for value in self._values("exited")]
        self._before = self._created("before", min)
        self._since = self._created("since", max)
        self._ancestors = self._images_of(self._values("ancestor"))
        self._published = [_port(value) for value in self._values("publish")]
        self._exposed = [_port(value) for value in self._values("expose")]
        self._ids = {ident for value in self._values("id") if (ident := self._only(value))}
        self._names = [re.compile(value) for value in self._values("name")]

    def _values(self, key: str) -> Sequence[str]:
        return self._filters.get(key, ())

    def _only(self, prefix: str) -> str:
        """The one id that begins so, "" for none or several."""
        found = [container.id for container in self._store if container.id.startswith(prefix)]
        return found[0] if len(found) == 1 else ""

    def _refuse_unknown(self) -> None:
        for key in self._filters:
            if key not in KEYS:
                raise InvalidParameter(f"invalid filter '{key}'")
        for key, allowed in (("status", STATES), ("health", HEALTHS), ("is-task", ("true", "false"))):
            for value in self._values(key):
                if value not in allowed:
                    shown = f"[{value}]" if key == "is-task" else value  # a flag's values are shown as a list
                    raise InvalidParameter(f"invalid filter '{key}={shown}'")
        for value in self._values("name"):
            try:
                re.compile(value)
            except re.error as error:
                raise InvalidParameter(f"invalid filter 'name={value}': {error}") from None

    @property
    def everything(self) -> bool:
        """Whether the filters ask for containers that do not run, too."""
        return bool(self._values("status"))

    def _created(self, key: str, choose: Callable[[list[str]], str]) -> str:
        """The creation time that `before` or `since` means, "" if it is not asked for."""
        times = []
        for value in self._values(key):
            try:
                times.append(padded(self._store.find(value).created))
            except InvalidParameter:
                raise NotFound(f"No such container: {value}") from None
        return choose(times) if times else ""

    def _images_of(self, names: Sequence[str]) -> set[str]:
        """The ids of the named images and of all that were made of them; one that does not exist has no containers."""
        found: set[str] = set()
        for name in names:
            with contextlib.suppress(NotFound):
                found |= self._images.descendants(self._images.resolve(name).id)
        return found

    def wants(self, container: Container) -> bool:
        """Whether what is in the container itself satisfies the filters; see `wants_row` for the rest."""
        state = container.state
        return (
            (not self._values("id") or container.id in self._ids)
            and (not self._names or any(p.search(f"/{container.name}") or p.search(container.name) for p in self._names))
            and all(labelled(container.config["Labels"] or {}, value) for value in self._values("label"))
            and self._any("status", lambda value: value == state.status)
            and (not self._exits or (state.ended and state.exit_code in self._exits))
            and self._any("health", lambda value: value == (state.health.status if state.health else "none"))
            and self._any("is-task", lambda value: value == "false")
            and (not self._before or padded(container.created) < self._before)
            and (not self._since or padded(container.created) > self._since)
            and (not self._values("ancestor") or container.image in self._ancestors)
            and _exposes(container, self._exposed)
        )

    def _any(self, key: str, holds: Callable[[str], bool]) -> bool:
        values = self._values(key)
        return not values or any(holds(value) for value in values)

    def wants_row(self, row: Row) -> bool:
        """Whether what is in the list's row (ports, mounts, networks) satisfies the filters."""
        networks = row["NetworkSettings"]["Networks"]
        return (
            self._any("volume", lambda value: any(_mounted(mount, value) for mount in row["Mounts"]))
            and self._any("network", lambda value: any(_joined(n, e, value) for n, e in networks.items()))
            and (not self._published or any(_publishes(port, self._published) for port in row["Ports"]))
        )


def _number(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        text = f"invalid filter 'exited={value}': strconv.Atoi: parsing \"{value}\": invalid syntax"
        raise InvalidParameter(text) from None


def labelled(labels: dict[str, str], wanted: str) -> bool:
    """Whether `labels` have `name` or `name=value`."""
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)


def _port(text: str) -> tuple[int, int, str]:
    """First and last port and the protocol of `80`, `8000-8080`, `53/udp`.

    Raises:
        Internal: something else.
    """
    match = _PORT.fullmatch(text)
    if not match:
        raise Internal(f"invalid filter: {text}: invalid port")
    return int(match[1]), int(match[2] or match[1]), match[3] or "tcp"


def _exposes(container: Container, wanted: list[tuple[int, int, str]]) -> bool:
    if not wanted:
        return True
    ports = [_port(name) for name in {**(container.config.get("ExposedPorts") or {}), **(container.host.PortBindings or {})}]
    return any(first <= port[0] <= last and port[2] == kind for first, last, kind in wanted for port in ports)


def _publishes(port: Row, wanted: list[tuple[int, int, str]]) -> bool:
    public = int(port.get("PublicPort") or 0)
    return public > 0 and any(first <= public <= last and port["Type"] == kind for first, last, kind in wanted)


def _mounted(mount: Row, value: str) -> bool:
    return value in (mount.get("Name"), mount.get("Source"), mount.get("Destination"))


def _joined(name: str, endpoint: Row, value: str) -> bool:
    return name == value or (bool(value) and str(endpoint.get("NetworkID") or "").startswith(value))
