"""What a request for a network means: every check of it is made here, and its subnets are chosen. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network

from dockwright.base.errors import EngineError, Forbidden, InvalidParameter, NotFound
from dockwright.networks import options
from dockwright.networks.ipam import Address, Pool, Subnet
from dockwright.networks.network import PREDEFINED, Network
from dockwright.networks.subnets import Holder, Pools, choose, overlap
from dockwright.types.network import Ipam, NetworkCreateRequest, PoolConfig

SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)
OPERATORS = (
    "configuration network can only contain network specific fields. Network operator fields like "
    "[ ingress | internal | attachable | scope ] are not supported."
)
DEPENDS = "user-specified configurations are not supported if the network depends on a configuration network"


def check(request: NetworkCreateRequest) -> None:
    """Refuse what no driver need be asked about.

    Raises:
        EngineError: in Docker's words.
    """
    if not (request.Name or "").strip():
        raise InvalidParameter("invalid network name: name is empty")
    if request.Name in (*PREDEFINED, "default"):
        raise Forbidden(f"operation is not permitted on predefined {request.Name} network ")
    if request.Driver == "overlay":
        raise Forbidden(SWARM)
    _check_scope(request)
    if request.ConfigFrom and request.ConfigFrom.Network:
        _check_depends(request)


def _check_scope(request: NetworkCreateRequest) -> None:
    """Scopes and roles that only a swarm has; a configuration has none at all."""
    operators = request.Internal or request.Ingress or request.Attachable or request.Scope
    if request.ConfigOnly and operators:
        raise Forbidden(OPERATORS)
    if request.Ingress:
        raise Forbidden("Ingress network can only be global scope network")
    if request.Scope == "swarm":
        raise Forbidden("cannot create a swarm scoped network when swarm is not active")
    if request.Scope not in ("", None, "local"):
        raise InvalidParameter(f"invalid network scope: {request.Scope}")


def _check_depends(request: NetworkCreateRequest) -> None:
    ipam = request.IPAM or Ipam()
    if request.ConfigOnly:
        raise Forbidden("a configuration network cannot depend on another configuration network")
    if ipam.Config or ipam.Options or (ipam.Driver or "default") != "default" or request.EnableIPv6 or request.Labels:
        raise Forbidden(DEPENDS)
    if request.Options:
        raise Forbidden("network driver options are not supported if the network depends on a configuration network")


def planned(
    request: NetworkCreateRequest, ident: str, created: str, source: Network | None = None,
    defaults: Mapping[str, Mapping[str, str]] | None = None,
) -> Network:  # fmt: skip
    """The network without its subnets.

    Args:
        source: the configuration it is made from. defaults: by driver, options of those that do not say otherwise.

    Raises:
        InvalidParameter: an option that cannot be, in Docker's words.
    """
    given = dict(request.Options or {})
    if source is None and not request.ConfigOnly:
        given = {**(defaults or {}).get(request.Driver or "bridge", {}), **given}
    ipam = request.IPAM
    if ipam and (ipam.Driver or "default") not in ("default", "null"):
        raise NotFound(f'plugin "{ipam.Driver}" not found')
    four, six = (_family(given, version, request) for version in (4, 6))
    made = Network(
        ident, request.Name or "", "null" if request.ConfigOnly else request.Driver or "bridge", created,
        options=given, labels=dict(request.Labels or {}), ipv4=True if four is None else four, ipv6=bool(six),
        internal=bool(request.Internal), attachable=bool(request.Attachable), config_only=bool(request.ConfigOnly),
        ipam_driver=(ipam.Driver if ipam else "") or "default", ipam_options=ipam.Options if ipam else None,
        chosen=not (ipam and ipam.Config),
    )  # fmt: skip
    if source is not None:
        made.config_from, made.labels, made.ipv4, made.ipv6 = source.name, dict(source.labels), source.ipv4, source.ipv6
        made.options, made.settings, made.chosen = dict(source.options), source.settings, source.chosen
    return made


def _family(given: dict[str, str], version: int, request: NetworkCreateRequest) -> bool | None:
    """Whether a family is wanted: the field counts more than the option."""
    field = request.EnableIPv4 if version == 4 else request.EnableIPv6
    option = options.family(given, version)
    return option if field is None else field


def configs(request: NetworkCreateRequest, source: Network | None) -> list[PoolConfig]:
    """The subnets asked for."""
    if source is None:
        return list((request.IPAM.Config if request.IPAM else None) or [])
    return [PoolConfig(**pool.document()) for pool in source.pools]


def pools(
    network: Network, given: Sequence[PoolConfig], offered: Pools, others: Iterable[Network], host: Iterable[Holder],
    gateways: bool,
) -> list[Pool]:  # fmt: skip
    """The subnets of `network`: what is asked for, and of each family it has without a subnet one that is free.

    Args:
        offered: the pools to choose from. others: the other networks. host: what the host has.
        gateways: a subnet without a gateway gets one.

    Raises:
        InvalidParameter, Forbidden: in Docker's words, and who holds what.
    """
    if network.ipam_driver == "null" and network.driver == "bridge":
        raise InvalidParameter("ipv4 pool is empty")
    if network.ipam_driver == "null":
        return []
    _validate(given, network.ipv6)
    holders = [Holder(p.subnet, f"network {o.name}") for o in others for p in o.used_pools]
    found: list[Pool] = []
    for config in given:
        pool = _pool(config, offered, [*holders, *host])
        if network.ipv6 if pool.version == 6 else network.ipv4:
            _refuse_overlap(pool, network, [*others], found)
        found.append(pool)
    for version, wanted in ((4, network.ipv4), (6, network.ipv6)):
        if wanted and not network.config_only and not any(pool.version == version for pool in found):
            chosen = Pool(choose(offered, [*holders, *host], version))
            found.append(_with_gateway(chosen, told=True) if gateways else chosen)
    on = {4: network.ipv4, 6: network.ipv6}
    lacking = gateways and not network.config_only
    return [_with_gateway(pool, told=False) if lacking and pool.gateway is None and on[pool.version] else pool for pool in found]


def _pool(config: PoolConfig, offered: Pools, holders: list[Holder]) -> Pool:
    """One subnet as asked for; an address of zeros stands for any block of that size."""
    subnet = ip_network(config.Subnet or "", strict=False)
    if int(subnet.network_address) == 0 and subnet.prefixlen:
        fitting = [(base, subnet.prefixlen) for base, _ in offered if ip_network(base).prefixlen <= subnet.prefixlen]
        subnet = choose(fitting, holders, subnet.version)
    part = ip_network(config.IPRange, strict=False) if config.IPRange else None
    auxiliary = {name: ip_address(text) for name, text in (config.AuxiliaryAddresses or {}).items()}
    return Pool(subnet, ip_address(config.Gateway) if config.Gateway else None, part, auxiliary)


def _with_gateway(pool: Pool, told: bool) -> Pool:
    """The pool with the first free address of its range as gateway."""
    try:
        return Pool(pool.subnet, pool.take(), pool.ip_range, pool.auxiliary, told)
    except EngineError as error:
        raise InvalidParameter(f"failed to allocate gateway (): {error.message}") from None


def _refuse_overlap(pool: Pool, network: Network, others: list[Network], own: list[Pool]) -> None:
    """Raises Forbidden if somebody has addresses of `pool`. Networks of one LAN may share a subnet, with ranges of their own."""
    for other in others:
        for taken in other.used_pools:
            if overlap(pool.subnet, taken.subnet) and not _shares(pool, taken, network, other):
                raise _overlaps(f" ({taken.subnet} is network {other.name}'s)")
    if any(overlap(pool.subnet, taken.subnet) for taken in own):
        raise _overlaps("")


def _shares(pool: Pool, taken: Pool, network: Network, other: Network) -> bool:
    bridges = "bridge" in (network.driver, other.driver)
    ranges = pool.ip_range, taken.ip_range
    return not bridges and pool.subnet == taken.subnet and None not in ranges and not overlap(*ranges)  # type: ignore[arg-type]


def _overlaps(who: str) -> Forbidden:
    return Forbidden(f"invalid pool request: Pool overlaps with other one on this address space{who}")


def _validate(given: Sequence[PoolConfig], ipv6: bool) -> None:
    """Raises InvalidParameter, naming all that is wrong."""
    wrong = [text for config in given for text in _faults(config, ipv6)]
    if wrong:
        raise InvalidParameter("invalid network config:\n" + "\n".join(wrong))


def _faults(config: PoolConfig, ipv6: bool) -> list[str]:
    shown = config.Subnet or ""
    try:
        subnet = _network(shown)
    except ValueError:
        return [f"invalid subnet {shown}: invalid CIDR block notation"]
    if subnet.version == 6 and not ipv6:
        return []
    found = [] if _masked(shown, subnet) else [f"invalid subnet {shown}: it should be {subnet}"]
    found += _range_faults(config.IPRange or "", subnet)
    if config.Gateway and (fault := _address_fault(config.Gateway, subnet)):
        found.append(f"invalid gateway {config.Gateway}: {fault}")
    for name, address in (config.AuxiliaryAddresses or {}).items():
        if fault := _address_fault(address, subnet):
            found.append(f"invalid auxiliary address {name}: {fault}")
    return found


def _network(text: str) -> Subnet:
    """`text`, which must have a prefix length, as a subnet. Raises ValueError."""
    if "/" not in text or not text.rpartition("/")[2].isdecimal():
        raise ValueError(text)
    return ip_network(text, strict=False)


def _masked(text: str, subnet: Subnet) -> bool:
    return ip_address(text.partition("/")[0]) == subnet.network_address


def _range_faults(text: str, subnet: Subnet) -> list[str]:
    if not text:
        return []
    try:
        part = _network(text)
    except ValueError:
        return [f"invalid ip-range {text}: invalid CIDR block notation"]
    if part.version != subnet.version:
        return [f"invalid ip-range {text}: parent subnet is an IPv{subnet.version} block"]
    found = []
    if part.prefixlen < subnet.prefixlen:
        found.append(f"invalid ip-range {text}: CIDR block is bigger than its parent subnet {subnet}")
    if not _masked(text, part):
        found.append(f"invalid ip-range {text}: it should be {part}")
    if not overlap(part, subnet):
        found.append(f"invalid ip-range {text}: parent subnet {subnet} doesn't contain ip-range")
    return found


def _address_fault(text: str, subnet: Subnet) -> str:
    try:
        address: Address = ip_address(text)
    except ValueError:
        return "invalid address"
    if address.version != subnet.version:
        return f"parent subnet is an IPv{subnet.version} block"
    anywhere = int(subnet.network_address) == 0
    return "" if address in subnet or anywhere else f"parent subnet {subnet} doesn't contain this address"
