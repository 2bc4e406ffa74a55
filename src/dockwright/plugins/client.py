"""Requests to a plug-in: POST /SUBSYSTEM.METHOD with a JSON document, which is answered with one.

Source: docs.docker.com, engine/extend/plugin_api, "API design" and "Handshake API".
"""

import asyncio
import ssl
from typing import Any

import h11
import msgspec

from dockwright.base.errors import EngineError, Internal, NotFound
from dockwright.plugins.discovery import Directories, Place, Trust

MEDIA_TYPE = "application/vnd.docker.plugins.v1.2+json"
DEADLINE = 30.0  # seconds for a request, and for how long one that does not listen is tried again
LARGEST_ANSWER = 16 << 20
_PAUSE = 0.5


class Answered(Exception):
    """A plug-in answers with an error; the text is its own."""


class Plugin:
    """One plug-in.

    Args:
        deadline: seconds.
    """

    def __init__(self, name: str, place: Place, deadline: float = DEADLINE) -> None:
        self.name, self._place, self._deadline = name, place, deadline

    async def implements(self) -> list[str]:
        """The subsystems it has; the handshake that comes before everything else."""
        return list((await self.call("Plugin.Activate")).get("Implements") or [])

    async def call(self, method: str, document: Any = None) -> dict[str, Any]:
        """One request. While nobody listens it is tried again: plug-ins are restarted, too.

        Raises:
            Answered: its answer is an error. Internal: there is none, in Docker's words.
        """
        body = b"" if document is None else msgspec.json.encode(document)
        try:
            async with asyncio.timeout(self._deadline):
                status, answer = await self._patiently(method, body)
        except TimeoutError:
            raise Internal(f"{self._what(method)}: context deadline exceeded") from None
        return _document(method, status, answer)

    async def _patiently(self, method: str, body: bytes) -> tuple[int, bytes]:
        """The answer; of one that does not listen until the deadline, why."""
        end, pause = asyncio.get_running_loop().time() + self._deadline, _PAUSE
        while True:
            try:
                return await self._ask(method, body)
            except ConnectionRefusedError as error:
                if asyncio.get_running_loop().time() + pause >= end:
                    raise self._unreachable(method, error) from None
                await asyncio.sleep(pause)
                pause *= 2
            except (OSError, h11.RemoteProtocolError) as error:
                raise self._unreachable(method, error) from None

    def _unreachable(self, method: str, error: Exception) -> EngineError:
        reason = (getattr(error, "strerror", None) or str(error) or "EOF").lower()
        return Internal(f"{self._what(method)}: dial {self._shown()}: connect: {reason}")

    def _what(self, method: str) -> str:
        return f'Post "http://{self.name}/{method}"'

    def _shown(self) -> str:
        return f"unix {self._place.socket}" if self._place.socket else f"tcp {self._place.host}:{self._place.port}"

    async def _ask(self, method: str, body: bytes) -> tuple[int, bytes]:
        place = self._place
        if place.socket:
            reader, writer = await asyncio.open_unix_connection(place.socket)
        else:
            secure = _context(place.trust) if place.trust else None
            reader, writer = await asyncio.open_connection(place.host, place.port, ssl=secure)
        try:
            writer.write(_request(method, body))
            await writer.drain()
            return await _answer(reader)
        finally:
            writer.close()


def _request(method: str, body: bytes) -> bytes:
    fields = [
        ("Host", "plugin"), ("Accept", MEDIA_TYPE), ("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]  # fmt: skip
    connection = h11.Connection(h11.CLIENT)
    request = h11.Request(method="POST", target=f"/{method}", headers=fields)
    parts = [connection.send(event) or b"" for event in (request, h11.Data(data=body), h11.EndOfMessage())]
    return b"".join(parts)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body.

    Raises:
        h11.RemoteProtocolError: it is no answer. OSError: more than LARGEST_ANSWER bytes.
    """
    connection = h11.Connection(h11.CLIENT)
    for sent in (h11.Request(method="POST", target="/", headers=[("Host", "plugin")]), h11.EndOfMessage()):
        connection.send(sent)  # so that it knows what it waits for
    status, body = 0, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(1 << 16))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LARGEST_ANSWER:
                raise OSError(0, "the answer is too large")
        elif isinstance(event, h11.EndOfMessage):
            return status, bytes(body)
        elif isinstance(event, h11.ConnectionClosed):
            raise OSError(0, "EOF")


def _document(method: str, status: int, body: bytes) -> dict[str, Any]:
    """The answer as a document. Raises Answered, Internal."""
    try:
        document = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        if status != 200:
            raise Answered(f"{method}: {body.decode('utf-8', 'replace').strip()}") from None
        raise Internal(f"{method}: invalid answer: {error}") from None
    if not isinstance(document, dict):
        raise Internal(f"{method}: invalid answer: not an object")
    if status != 200:
        raise Answered(f"{method}: {document.get('Err') or body.decode('utf-8', 'replace').strip()}")
    if document.get("Err"):
        raise Answered(str(document["Err"]))
    return document


def _context(trust: Trust) -> ssl.SSLContext:
    """TLS as the plug-in's file wants it. Raises OSError: a file is missing or none."""
    context = ssl.create_default_context(cafile=trust.authority or None)
    if trust.certificate:
        context.load_cert_chain(trust.certificate, trust.key or None)
    if trust.blindly:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def activated(directories: Directories, name: str, subsystem: str, deadline: float = DEADLINE) -> Plugin:
    """The plug-in called `name`, which implements `subsystem`.

    Raises:
        NotFound: there is none, or it does something else. Internal: it does not answer.
    """
    plugin = Plugin(name, directories.find(name), deadline)
    try:
        implemented = await plugin.implements()
    except Answered as error:
        raise Internal(str(error)) from None
    if subsystem not in implemented:
        raise NotFound("Plugin does not implement the requested driver")
    return plugin
