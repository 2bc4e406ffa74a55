"""What a registry answers when it does not do what was asked, in the words of Docker's registry client.

    RegistryError
    |-- Unreachable     nobody answered, or not in the protocol that was spoken to him
    |-- Unadmitted      there are no credentials for it, or its token server does not take those there are
    `-- Refused         an answer with a status, perhaps with an error code of the distribution spec

Sources: OCI distribution spec 1.1, "Error Codes"; the texts as Docker prints them.
"""

import json
from collections.abc import Mapping
from typing import Any

LARGEST_BODY = 64 << 10
MESSAGES = {
    "UNAUTHORIZED": "authentication required",
    "DENIED": "requested access to the resource is denied",
    "TOOMANYREQUESTS": "too many requests",
}
_BY_STATUS = {401: "UNAUTHORIZED", 403: "DENIED", 429: "TOOMANYREQUESTS"}
LONGEST_TEXT = 1024


class RegistryError(Exception):
    """A registry could not be made to do something.

    Attributes:
        lasting: whether trying again changes nothing.
    """

    lasting = True

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Unreachable(RegistryError):
    """Nobody answered.

    Args:
        request: what was asked, as `Get "URL"`. cause: why nothing came of it.
        spoke_tls: whether the other side showed a certificate: then it is never asked without TLS.
    """

    lasting = False

    def __init__(self, request: str, cause: str, spoke_tls: bool = False) -> None:
        super().__init__(f"{request}: {cause}")
        self.cause, self.spoke_tls = cause, spoke_tls


class Unadmitted(RegistryError):
    """A challenge could not be answered.

    Attributes:
        cause: why, without what had been asked for. status: the token server's, 0 if it was not even asked.
    """

    def __init__(self, cause: str, request: str = "", status: int = 0) -> None:
        super().__init__(f"{request}: {cause}" if request else cause)
        self.cause, self.status = cause, status


class Refused(RegistryError):
    """An answer that is none of those hoped for.

    Attributes:
        status, reason: of HTTP. code: of the distribution spec, "" if it gave none. wait: seconds it asks us to wait.
    """

    def __init__(self, text: str, status: int, code: str = "", reason: str = "", wait: float = 0.0) -> None:
        super().__init__(text)
        self.status, self.code, self.reason, self.wait = status, code, reason, wait

    @property
    def lasting(self) -> bool:  # type: ignore[override]
        """The server's own troubles pass; what it says of us does not."""
        return self.status < 500 and self.status != 408


def refusal(status: int, reason: str, headers: Mapping[str, str], body: bytes) -> Refused:
    """The error of an answer."""
    if status == 401 and 'error="insufficient_scope"' in headers.get("WWW-Authenticate", ""):
        return Refused(f"denied: {MESSAGES['DENIED']}", status, "DENIED", reason)
    if not 400 <= status < 500:
        text = f"received unexpected HTTP status: {status} {reason}".rstrip()
        return Refused(text, status, reason=reason, wait=_seconds(headers.get("Retry-After", "")))
    found = _errors(status, body)
    if found:
        texts = [text for _, text in found]
        shown = texts[0] if len(texts) == 1 else "\n".join(["errors:", *texts]) + "\n"
        return Refused(shown, status, found[0][0], reason)
    if "json" not in headers.get("Content-Type", ""):
        code = _BY_STATUS.get(status, "UNKNOWN")
        said = body[:LONGEST_TEXT].decode("utf-8", "replace")
        return Refused(f"{code.lower()}: {said or MESSAGES.get(code, '')}", status, code, reason)
    problem = json_problem(body) or "no error details found in HTTP response body"
    quoted = json.dumps(body[:LONGEST_TEXT].decode("utf-8", "replace"), ensure_ascii=False)
    return Refused(f"error parsing HTTP {status} response body: {problem}: {quoted}", status, reason=reason)


def _errors(status: int, body: bytes) -> list[tuple[str, str]]:
    """(code, text) of each error of a body."""
    document = _json(body)
    if not isinstance(document, dict):
        return []
    details = document.get("details")
    entries = document.get("errors")
    if isinstance(details, str) and details and not entries and status in _BY_STATUS:
        entries = [{"code": _BY_STATUS[status], "message": details}]
    if not isinstance(entries, list):
        return []
    return [_error(entry) for entry in entries[:16] if isinstance(entry, dict)]


def _error(entry: Mapping[str, Any]) -> tuple[str, str]:
    code = str(entry.get("code") or "UNKNOWN").upper()[:64]
    message = str(entry.get("message") or MESSAGES.get(code) or code.lower().replace("_", " "))
    return code, f"{code.lower().replace('_', ' ')}: {message}"


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def json_problem(body: bytes) -> str:
    """Why a body is no JSON, as Go's decoder puts it; "" if it is."""
    text = body.decode("utf-8", "replace").lstrip()
    if _json(body) is not None or text.rstrip() == "null":
        return ""
    if not text:
        return "unexpected end of JSON input"
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return f"invalid character '{text[0]}' looking for beginning of value"
    return f"invalid character '{text[end:].lstrip()[:1]}' after top-level value"


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdecimal() else 0.0
