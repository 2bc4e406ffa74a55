"""Image references: `[domain[:port]/]path[:tag][@digest]`, with Docker's defaults and Docker's texts.

Grammar: OCI distribution spec and Docker's documentation of names; facts in docs/rooms/images.md.
"""

import re
from dataclasses import dataclass, replace

from dockwright.base.errors import InvalidParameter

DEFAULT_DOMAIN = "docker.io"
OFFICIAL = "library"
DEFAULT_TAG = "latest"
LONGEST_PATH = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(rf"(?:({_DOMAIN})/)?({_COMPONENT}(?:/{_COMPONENT})*)(?::({_TAG}))?(?:@({_DIGEST}))?")
_ID = re.compile(r"[a-f0-9]{64}")
TAG = re.compile(_TAG)


@dataclass(frozen=True)
class Reference:
    """A name with its defaults filled in, but for the tag.

    Attributes:
        domain: registry host. path: repository there. tag, digest: "" if not given.
    """

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The repository in full."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        """The repository as users write it: without docker.io/ and library/."""
        if self.domain != DEFAULT_DOMAIN:
            return f"{self.domain}/{self.path}"
        head, _, rest = self.path.partition("/")
        return rest if head == OFFICIAL and rest and "/" not in rest else self.path

    @property
    def familiar(self) -> str:
        """The whole reference as users write it."""
        return self.familiar_name + self._suffix()

    def __str__(self) -> str:
        return self.name + self._suffix()

    def tagged(self) -> "Reference":
        """With `:latest` where neither tag nor digest was given."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def by_digest(self) -> "Reference":
        """Without its tag if it has a digest, which says more."""
        return replace(self, tag="") if self.digest else self

    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """Read what a user typed.

    Raises:
        InvalidParameter: in Docker's words.
    """
    if _ID.fullmatch(text):
        raise InvalidParameter(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    domain, rest = _split_domain(text)
    remote = rest.partition("@")[0]
    name = remote[: remote.rfind(":")] if ":" in remote else remote
    if name != name.lower():
        raise InvalidParameter(f"invalid reference format: repository name ({name}) must be lowercase")
    match = _REFERENCE.fullmatch(f"{domain}/{rest}")
    if not match or len(match[2]) > LONGEST_PATH:
        raise InvalidParameter("invalid reference format")
    digest = match[4] or ""
    if digest.startswith("sha256:") and len(digest) != 71:
        raise InvalidParameter("invalid reference format")
    return Reference(match[1], match[2], match[3] or "", digest)


def familiar(full: str) -> str:
    """A name in its full form as users write it: as `parse(full).familiar`, without the parsing."""
    head = f"{DEFAULT_DOMAIN}/{OFFICIAL}/"
    if full.startswith(head) and "/" not in full[len(head) :]:
        return full[len(head) :]
    return full.removeprefix(f"{DEFAULT_DOMAIN}/")


def _split_domain(text: str) -> tuple[str, str]:
    """The registry and the rest: a first part without dot, colon or upper case is no host, but for localhost."""
    first, slash, rest = text.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        domain, rest = DEFAULT_DOMAIN, text
    else:
        domain = DEFAULT_DOMAIN if first == "index.docker.io" else first
    if domain == DEFAULT_DOMAIN and "/" not in rest:
        rest = f"{OFFICIAL}/{rest}"
    return domain, rest
