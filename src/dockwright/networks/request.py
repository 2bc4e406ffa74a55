"""What a container asks of the network, and what it gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class EndpointRequest:
    """A container's wishes, in the API's shapes.

    Attributes:
        mode: HostConfig.NetworkMode: "bridge", "default", "", "host", "none", "container:<id>".
        port_bindings: HostConfig.PortBindings.
        exposed: the keys of Config.ExposedPorts ("80/tcp").
        publish_all: HostConfig.PublishAllPorts.
        mac: a fixed MAC address, "" for one made from the address.
        extra_hosts: HostConfig.ExtraHosts ("name:address", the address may be host-gateway).
        dns, dns_search, dns_options: HostConfig.Dns and its kin.
        domainname: Config.Domainname.
        endpoint: EndpointsConfig of the network, as it came.
        join: for mode "container:<id>": the path of that container's network namespace.
    """

    mode: str = "bridge"
    port_bindings: Mapping[str, Sequence[Mapping[str, Any]] | None] = field(default_factory=dict)
    exposed: Sequence[str] = ()
    publish_all: bool = False
    mac: str = ""
    extra_hosts: Sequence[str] = ()
    dns: Sequence[str] = ()
    dns_search: Sequence[str] = ()
    dns_options: Sequence[str] = ()
    domainname: str = ""
    endpoint: Mapping[str, Any] = field(default_factory=dict)
    join: str = ""


@dataclass(slots=True)
class Attachment:
    """What `connect` made: a plan for the shim, and the texts that follow from it.

    Attributes:
        sandbox: the plan of the network namespace (docs/architecture.md).
        hosts: the text of /etc/hosts; "" when it is shared with another container.
        resolv_conf: the text of /etc/resolv.conf; "" likewise.
    """

    sandbox: dict[str, Any]
    hosts: str = ""
    resolv_conf: str = ""
