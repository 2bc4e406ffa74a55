"""What a container asks of the networks, and what it gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dockwright.types.network import EndpointSettings


@dataclass(frozen=True, slots=True)
class Linked:
    """Another container on the default bridge that a container knows by `--link`.

    Attributes:
        names: what it is called in the hosts file. address: of it. ports: that it exposes ("80/tcp").
    """

    names: str
    address: str
    ports: Sequence[str] = ()


@dataclass(slots=True)
class SandboxRequest:
    """A container's wishes, in the API's shapes.

    Attributes:
        container, name, hostname: of the container.
        mode: HostConfig.NetworkMode: "bridge", "host", "none", a network's name or id, "container:<id>".
        networks: what it wants of each network it joins, by name.
        port_bindings: HostConfig.PortBindings.
        exposed: the keys of Config.ExposedPorts ("80/tcp").
        publish_all: HostConfig.PublishAllPorts.
        extra_hosts: HostConfig.ExtraHosts ("name:address", the address may be host-gateway).
        linked: what it is linked to.
        dns, dns_search, dns_options: HostConfig.Dns and its kin.
        domainname: Config.Domainname.
        join: for mode "container:<id>": the path of that container's network namespace.
    """

    container: str
    name: str
    hostname: str
    mode: str = "bridge"
    networks: Mapping[str, EndpointSettings] = field(default_factory=dict)
    port_bindings: Mapping[str, Sequence[Mapping[str, Any]] | None] = field(default_factory=dict)
    exposed: Sequence[str] = ()
    publish_all: bool = False
    extra_hosts: Sequence[str] = ()
    linked: Sequence[Linked] = ()
    dns: Sequence[str] = ()
    dns_search: Sequence[str] = ()
    dns_options: Sequence[str] = ()
    domainname: str = ""
    join: str = ""


@dataclass(slots=True)
class Attachment:
    """What `attach` made: a plan for the shim, and the texts that follow from it.

    Attributes:
        sandbox: the plan of the network namespace (docs/architecture.md).
        hosts: the text of /etc/hosts; "" when it is shared with another container.
        resolv_conf: the text of /etc/resolv.conf; "" likewise.
    """

    sandbox: dict[str, Any]
    hosts: str = ""
    resolv_conf: str = ""
