"""Container names: what is allowed, and made-up ones."""

import re
import secrets

from dockwright.base.errors import InvalidParameter

_ALLOWED = re.compile(r"/?[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_ADJECTIVES = (
    "amber", "bold", "brisk", "calm", "clever", "crisp", "eager", "fair", "gentle", "glad", "keen", "kind", "lively",
    "lucid", "mellow", "merry", "nimble", "noble", "proud", "quick", "quiet", "serene", "sharp", "steady", "sunny",
    "swift", "tidy", "vivid", "warm", "witty",
)  # fmt: skip
_SURNAMES = (
    "abel", "bernoulli", "cantor", "dirac", "euler", "fermat", "gauss", "hamilton", "jacobi", "kovalevskaya", "laplace",
    "lovelace", "maxwell", "newton", "noether", "pascal", "planck", "poincare", "ramanujan", "riemann", "shannon",
    "turing", "volta", "weyl", "wiles",
)  # fmt: skip


def checked(name: str) -> str:
    """A given name without its leading slash.

    Raises:
        InvalidParameter: in Docker's words.
    """
    if not _ALLOWED.fullmatch(name):
        raise InvalidParameter(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return name.removeprefix("/")


def made_up(taken: set[str], ident: str) -> str:
    """A free name: six tries, from the second on with a digit, then the short id."""
    for attempt in range(6):
        name = f"{secrets.choice(_ADJECTIVES)}_{secrets.choice(_SURNAMES)}"
        if attempt:
            name += str(secrets.randbelow(10))
        if name not in taken:
            return name
    return ident[:12]
