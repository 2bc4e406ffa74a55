"""The registries' part of the configuration, in the form the images room reads."""

from dockwright.base.errors import InvalidParameter
from dockwright.daemon.config import Config
from dockwright.images.registry.endpoints import mirror
from dockwright.images.registry.settings import HUB, HUB_HOST, RegistrySettings

_PROXIES = {"http-proxy": "http", "https-proxy": "https", "no-proxy": "no"}


def registry_settings(config: Config) -> RegistrySettings:
    """What `config` says about registries.

    Raises:
        InvalidParameter: in dockerd's words.
    """
    for name in ("max_concurrent_downloads", "max_concurrent_uploads", "max_download_attempts"):
        if getattr(config, name) <= 0:
            raise InvalidParameter(f"invalid {name.replace('_', ' ')}: {getattr(config, name)}")
    settings = RegistrySettings(
        mirrors=tuple(config.registry_mirrors),
        insecure=tuple(map(_insecure, config.insecure_registries)),
        token_servers=tuple(map(_token_server, config.token_servers)),
        downloads=config.max_concurrent_downloads,
        uploads=config.max_concurrent_uploads,
        attempts=config.max_download_attempts,
        proxies=_proxies(config),
    )
    for url in settings.mirrors:
        mirror(url, settings)
    return settings


def _insecure(text: str) -> str:
    """A host or network without the scheme that some write before it.

    Raises:
        InvalidParameter: a path after it.
    """
    name = text.removeprefix("http://").removeprefix("https://").rstrip("/")
    host, slash, rest = name.partition("/")
    if slash and not rest.isdecimal():
        raise InvalidParameter(f'insecure registry {text} is not valid: invalid host "{host}"')
    return name


def _token_server(text: str) -> tuple[str, str]:
    """Registry and token server of `REGISTRY=HOST`.

    Raises:
        InvalidParameter: something else.
    """
    registry, equals, server = text.partition("=")
    if not equals or not all(host and not set(host) & set("/=@ *") for host in (registry, server)):
        raise InvalidParameter(f"invalid token server {text!r}: REGISTRY[:PORT]=HOST[:PORT] expected")
    return HUB_HOST if registry == HUB else registry, server


def _proxies(config: Config) -> dict[str, str]:
    """The proxies by kind; each flag may also stand in daemon.json, in the map `proxies`.

    Raises:
        InvalidParameter: an unknown name, or one that is given twice.
    """
    found = {}
    for name, kind in _PROXIES.items():
        flag, key = getattr(config, name.replace("-", "_")), config.proxies.get(name, "")
        if flag and key:
            raise InvalidParameter(
                "the following directives are specified both as a flag and in the configuration file: "
                f"{name}: (from flag: {flag}, from file: {key})"
            )
        if flag or key:
            found[kind] = flag or key
    if unknown := sorted(set(config.proxies) - set(_PROXIES)):
        raise InvalidParameter(f"the following directives don't match any configuration option: {', '.join(unknown)}")
    return found
