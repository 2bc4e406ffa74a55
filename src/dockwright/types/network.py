"""The bodies of the networks' requests, field for field as the Engine API names them; null is a field's zero value."""

from __future__ import annotations

import msgspec


class EndpointAddresses(msgspec.Struct, omit_defaults=True):
    """EndpointIPAMConfig: the addresses a container wants on a network."""

    IPv4Address: str | None = ""
    IPv6Address: str | None = ""
    LinkLocalIPs: list[str] | None = None


class EndpointSettings(msgspec.Struct, omit_defaults=True):
    """What a container wants of one network. What inspect shows beside it is the engine's, and ignored when it comes back.

    Attributes:
        DNSNames: shown only.
    """

    IPAMConfig: EndpointAddresses | None = None
    Links: list[str] | None = None
    Aliases: list[str] | None = None
    MacAddress: str | None = ""
    DriverOpts: dict[str, str] | None = None
    GwPriority: int | None = 0

    @property
    def addresses(self) -> EndpointAddresses:
        """The addresses, none if nothing is said."""
        return self.IPAMConfig or EndpointAddresses()


class PoolConfig(msgspec.Struct, omit_defaults=True):
    """IPAMConfig: one subnet of a network."""

    Subnet: str | None = ""
    IPRange: str | None = ""
    Gateway: str | None = ""
    AuxiliaryAddresses: dict[str, str] | None = None


class Ipam(msgspec.Struct):
    """How a network's addresses are managed."""

    Driver: str | None = ""
    Options: dict[str, str] | None = None
    Config: list[PoolConfig] | None = None


class ConfigReference(msgspec.Struct):
    """The network whose configuration is used."""

    Network: str | None = ""


class NetworkCreateRequest(msgspec.Struct):
    """POST /networks/create."""

    Name: str | None = ""
    CheckDuplicate: bool | None = False
    Driver: str | None = ""
    Scope: str | None = ""
    EnableIPv4: bool | None = None
    EnableIPv6: bool | None = None
    IPAM: Ipam | None = None
    Internal: bool | None = False
    Attachable: bool | None = False
    Ingress: bool | None = False
    ConfigOnly: bool | None = False
    ConfigFrom: ConfigReference | None = None
    Options: dict[str, str] | None = None
    Labels: dict[str, str] | None = None


class ConnectRequest(msgspec.Struct):
    """POST /networks/{id}/connect."""

    Container: str | None = ""
    EndpointConfig: EndpointSettings | None = None


class DisconnectRequest(msgspec.Struct):
    """POST /networks/{id}/disconnect."""

    Container: str | None = ""
    Force: bool | None = False
