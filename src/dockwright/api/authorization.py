"""Authorization plug-ins: each request is shown to them before it is served, and each answer before it is sent.

The plug-ins see the very bytes that the handler gets: a JSON body is read whole, or refused as too large, before anybody is
asked. Whatever goes wrong refuses the request.  Source: docs.docker.com, engine/extend/plugins_authorization; fields and texts
observed with dockerd 26.1.5.
"""

import asyncio
import logging
import re
import ssl
from typing import Any

from dockwright.api.answers import Answer, common
from dockwright.api.encoding import JSON_LIMIT
from dockwright.api.exchange import Exchange
from dockwright.base.errors import EngineError, Forbidden, Internal, InvalidParameter, NotFound
from dockwright.plugins.client import Answered, Plugin, activated
from dockwright.plugins.discovery import Directories

_log = logging.getLogger("dockwright.api")

SUBSYSTEM = "authz"
PAUSES = (2, 4, 8)  # seconds between the looks for a plug-in that is not there when the daemon starts
_SECRET = ("authorization", "x-registry-auth", "x-registry-config")
_HOPS = ("host", "transfer-encoding")  # what Go keeps beside the header fields
_CREDENTIALS = re.compile(r"/v[0-9.]+/auth(\?.*)?|/auth(\?.*)?")

Question = dict[str, Any]


class Authorizer:
    """Asks the plug-ins.

    Args:
        names: of the plug-ins, in the order they are asked; a name counts once.
        directories: where they are looked for.
    """

    def __init__(self, names: list[str], directories: Directories | None = None) -> None:
        self._directories = directories or Directories()
        self._plugins: dict[str, Plugin] = {}
        self.names = names

    @property
    def active(self) -> bool:
        """Whether there is anybody to ask."""
        return bool(self.names)

    async def validate(self) -> None:
        """Look for all of them, patiently: they may be starting too.

        Raises:
            InvalidParameter: one is not there, or is no plug-in for this.
        """
        for name in dict.fromkeys(self.names):
            try:
                await self._patiently(name)
            except EngineError as error:
                raise InvalidParameter(f"failed to validate authorization plugin: {error.message}") from None

    async def _patiently(self, name: str) -> None:
        for pause in PAUSES:
            try:
                self._directories.find(name)
                break
            except NotFound:
                _log.warning("Unable to locate plugin: %s, retrying in %ds", name, pause)
                await asyncio.sleep(pause)
        await self._plugin(name)

    async def _plugin(self, name: str) -> Plugin:
        if name not in self._plugins:
            self._plugins[name] = await activated(self._directories, name, SUBSYSTEM)
        return self._plugins[name]

    async def request(self, exchange: Exchange) -> Question:
        """Ask whether a request may be served; returns what was asked, for `answer`.

        Raises:
            Forbidden: a plug-in says no. Internal: one does not work. TooLarge: the body is more than can be shown.
        """
        fields = exchange.fields
        question = {**_caller(exchange), "RequestMethod": exchange.method, "RequestUri": exchange.target}
        if _is_shown(exchange.target, fields.get("content-type", "")):
            question["RequestBody"] = await exchange.body.kept(JSON_LIMIT)
        question["RequestHeaders"] = {
            _canonical(name): value for name, value in fields.items() if name not in (*_SECRET, *_HOPS)
        }
        for name in dict.fromkeys(self.names):
            await self._ask(name, "AuthZPlugin.AuthZReq", question)
        return question

    async def answer(self, question: Question, answer: Answer) -> None:
        """Ask whether an answer may be sent.

        Raises:
            Forbidden: a plug-in says no. Internal: one does not work.
        """
        told = {**question, "ResponseStatusCode": answer.status}
        if answer.body and _is_shown(question["RequestUri"], answer.content_type):
            told["ResponseBody"] = answer.body
        kind = {"Content-Type": answer.content_type} if answer.content_type else {}
        told["ResponseHeaders"] = _common() | kind | answer.fields
        await self._ask_back(told)

    async def told(self, question: Question) -> None:
        """Let the plug-ins know of an answer that is an error, or has been sent as a stream; what they say changes nothing."""
        try:
            await self._ask_back(question)
        except EngineError as error:
            _log.error("AuthZResponse for %s returned error: %s", question["RequestUri"][:200], error.message)

    async def _ask_back(self, told: Question) -> None:
        for name in reversed(dict.fromkeys(self.names)):
            await self._ask(name, "AuthZPlugin.AuthZRes", told)

    async def _ask(self, name: str, method: str, question: Question) -> None:
        try:
            said = await (await self._plugin(name)).call(method, question)
        except (EngineError, Answered) as error:
            raise Internal(f"plugin {name} failed with error: {error}") from None
        if said.get("Allow") is not True:
            raise Forbidden(f"authorization denied by plugin {name}: {said.get('Msg') or ''}")


def _is_shown(target: str, content_type: str) -> bool:
    """Whether plug-ins see a body: JSON, but for the passwords of logins."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" and not _CREDENTIALS.fullmatch(target)


def _caller(exchange: Exchange) -> Question:
    """Who asks: what the certificate says, of a client that had to show one."""
    session = exchange.connection.extra("ssl_object")
    certificate = session.getpeercert(binary_form=True) if session else None
    if not certificate:
        return {}
    subject = dict(part for parts in session.getpeercert()["subject"] for part in parts)
    shown = [ssl.DER_cert_to_PEM_cert(certificate).encode()]
    return {"User": subject.get("commonName", ""), "UserAuthNMethod": "TLS", "RequestPeerCertificates": shown}


def _canonical(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def _common() -> dict[str, str]:
    """The fields of every answer."""
    return dict(line.split(": ", 1) for line in common().splitlines())
