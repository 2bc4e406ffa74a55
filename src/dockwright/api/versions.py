"""API versions: what we speak, what we are, and how a request's version is judged."""

from dockwright.base.errors import InvalidParameter

Version = tuple[int, ...]

NEWEST: Version = (1, 47)
OLDEST: Version = (1, 24)
ENGINE = "27.5.1"


def text(version: Version) -> str:
    """`(1, 47)` as `1.47`."""
    return ".".join(map(str, version))


def accept(requested: str) -> Version:
    """The version a client asked for in its path (`1.41`).

    Raises:
        InvalidParameter: outside what we speak, in the words of Docker 27.5.
    """
    version = tuple(int(part or "0") for part in requested.split("."))
    if version < OLDEST:
        raise InvalidParameter(
            f"client version {requested} is too old. Minimum supported API version is {text(OLDEST)}, "
            "please upgrade your client to a newer version"
        )
    if version > NEWEST:
        raise InvalidParameter(
            f"client version {requested} is too new. Maximum supported API version is {text(NEWEST)}"
        )
    return version
