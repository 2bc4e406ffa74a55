"""What a container asks of the network, and what it gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dockwright.base.steps import Step


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
    """What `connect` made: a plan for the shim, and the texts and documents that follow from it.

    Attributes:
        sandbox: the plan of the network namespace (docs/architecture.md).
        steps: what the daemon does itself (addresses, ports, rules), with its timings once done.
        settings: inspect's NetworkSettings.
        ports: the list's Ports rows ({IP, PrivatePort, PublicPort, Type}).
        hosts: the text of /etc/hosts; "" when it is shared with another container.
        resolv_conf: the text of /etc/resolv.conf; "" likewise.
        hostname: the name the hosts line carries.
    """

    sandbox: dict[str, Any]
    steps: list[Step]
    settings: dict[str, Any]
    ports: list[dict[str, Any]]
    hosts: str = ""
    resolv_conf: str = ""
    hostname: str = ""
