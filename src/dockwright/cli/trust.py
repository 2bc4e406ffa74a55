"""TLS with a daemon, and its files: flags --tls*, DOCKER_TLS, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH; a context's own.

Source: docs.docker.com, "Protect the Docker daemon socket"; what docker does with each was observed.
"""

from __future__ import annotations

import posix

from dockwright.cli.failure import Failure
from dockwright.cli.settings import directory, environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.client.secure import Trust

NAMES = ("ca", "cert", "key")
FLAGS = ("tlscacert", "tlscert", "tlskey")


def wanted(context: Context) -> bool:
    """Whether flags or variables ask for TLS: who says anything about verifying, even no, has it on."""
    options = context.options
    asked = options.flag("tls") if "tls" in options else bool(environment("DOCKER_TLS"))
    return asked or "tlsverify" in options or bool(environment("DOCKER_TLS_VERIFY"))


def of_flags(context: Context) -> Trust:
    """By flags and variables.

    Raises:
        Failure: a file is missing or holds something else, in docker's words.
    """
    options = context.options
    verify = options.flag("tlsverify") if "tlsverify" in options else bool(environment("DOCKER_TLS_VERIFY"))
    folder = environment("DOCKER_CERT_PATH") or directory(options.text("config"))
    files = [options.text(flag) or f"{folder}/{name}.pem" for flag, name in zip(FLAGS, NAMES, strict=True)]
    for index, flag in enumerate(FLAGS):
        if index and flag not in options and not _is_there(files[index]):
            files[index] = ""  # without a certificate, then; the authority must be there
    return _made(files, verify)


def of_context(folder: str, skip: bool) -> Trust | None:
    """By what stands in a context's folder for TLS; None if nothing does.

    Args:
        skip: the context's SkipTLSVerify.
    """
    files = [path if _is_there(path) else "" for path in (f"{folder}/docker/{name}.pem" for name in NAMES)]
    return _made(files, not skip) if skip or any(files) else None


def _made(files: list[str], verify: bool) -> Trust:
    authority, certificate, key = files
    for path in filter(None, files):
        try:
            posix.stat(path)
        except OSError as error:
            reason = f"open {path}: {(error.strerror or '').lower()}"
            raise Failure(f"Failed to initialize: unable to resolve docker endpoint: {reason}\n") from error
    from dockwright.client.secure import Trust

    pair = (certificate, key) if certificate and key else ("", "")
    try:
        return Trust(authority, *pair, verify)
    except (ValueError, OSError) as error:
        raise Failure(f"Failed to initialize: failed to retrieve context tls info: {error}\n") from error


def _is_there(path: str) -> bool:
    try:
        posix.stat(path)
    except OSError:
        return False
    return True
