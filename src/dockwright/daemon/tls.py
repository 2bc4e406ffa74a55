"""TLS of the API's TCP sockets: which is wanted, and the certificates, checked in dockerd's words.

Sources: dockerd(8), docs.docker.com "Protect the Docker daemon socket"; the rest observed with dockerd 26.1.5.
"""

import os
from typing import TYPE_CHECKING

from dockwright.base.errors import InvalidParameter

if TYPE_CHECKING:
    import ssl

    from dockwright.daemon.config import Config

DEFAULT_HOST = "tcp://localhost:2376"


def secured(config: "Config") -> bool:
    """Whether TCP sockets speak TLS: who says anything about verifying, even no, has it on."""
    return bool(config.tls) or config.tlsverify is not None


def verifies(config: "Config") -> bool:
    """Whether clients need a certificate of our authority: with TLS, unless somebody says no."""
    return secured(config) and config.tlsverify is not False


def server_context(config: "Config") -> "ssl.SSLContext | None":
    """What the sockets are wrapped in; None without TLS.

    Raises:
        InvalidParameter: a file is missing, or holds something else.
    """
    if not secured(config):
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 0  # connections are few and long
    _load_pair(context, _existing(config.tlscert, "cert.pem"), _existing(config.tlskey, "key.pem"))
    if verifies(config):
        _load_authority(context, config.tlscacert or _default("ca.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _default(name: str) -> str:
    folder = os.environ.get("DOCKER_CERT_PATH") or os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    return f"{folder}/{name}"


def _existing(given: str, name: str) -> str:
    """The file that is named, else the default one if it is there, else ""."""
    return given or (_default(name) if os.path.exists(_default(name)) else "")


def _load_pair(context: "ssl.SSLContext", certificate: str, key: str) -> None:
    import ssl

    pair = f'(cert: "{certificate}", key: "{key}")'
    for path in (certificate, key):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            text = f"Could not load X509 key pair {pair}: open {path}: {os.strerror(error.errno or 0).lower()}"
            raise _invalid(text) from None
    try:
        context.load_cert_chain(certificate, key, password="")  # an encrypted key fails, instead of asking somebody
    except ssl.SSLError as error:
        text = f"Error reading X509 key pair {pair}: {_fault(error, certificate, key)}. Make sure the key is not encrypted."
        raise _invalid(text) from None


def _fault(error: "ssl.SSLError", certificate: str, key: str) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "tls: private key does not match public key"
    for path, what in ((certificate, "certificate"), (key, "key")):
        with open(path, "rb") as file:
            if b"-----BEGIN " not in file.read():
                return f"tls: failed to find any PEM data in {what} input"
    return "tls: failed to parse private key"


def _load_authority(context: "ssl.SSLContext", path: str) -> None:
    import ssl

    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise _invalid(f'failed to append certificates from PEM file: "{path}"') from None
    except OSError as error:
        text = f'could not read CA certificate "{path}": open {path}: {os.strerror(error.errno or 0).lower()}'
        raise _invalid(text) from None


def _invalid(text: str) -> InvalidParameter:
    return InvalidParameter(f"invalid TLS configuration: {text}")
