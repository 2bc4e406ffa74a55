"""What a command gets: its own name, the daemon's client, and the user's settings."""

from __future__ import annotations

from dockwright.client.client import Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from dockwright.cli.commands import Found
    from dockwright.grammar.flags import Given


class Context:
    """One run of a command.

    Args:
        found: the command. options: the global flags.
    """

    def __init__(self, found: Found, options: Given) -> None:
        self.path = found.path
        self.options = options
        self._client: Client | None = None
        self._config: dict[str, Any] | None = None

    @property
    def client(self) -> Client:
        """The daemon, its version negotiated.

        Raises:
            ConnectionFailed: nobody is there. Failure: flags or context that lead nowhere.
        """
        if self._client is None:
            from dockwright.cli.hosts import connect

            self._client = connect(self)
        return self._client

    @property
    def config(self) -> dict[str, Any]:
        """~/.docker/config.json, {} if there is none; read only."""
        if self._config is None:
            from dockwright.cli.settings import read

            self._config = read(self.options.text("config"))
        return self._config

    def close(self) -> None:
        """Let go of the connection."""
        if self._client:
            self._client.close()

    def require(self, flags: Iterable[str], version: str) -> None:
        """Refuse flags that the daemon's API is too old for.

        Raises:
            Failure: in docker's words.
        """
        from dockwright.client.client import numbers

        for flag in flags:
            if numbers(self.client.version) < numbers(version):
                from dockwright.cli.failure import Failure

                theirs = self.client.version
                text = f'"--{flag}" requires API version {version}, but the Docker daemon API version is {theirs}\n'
                raise Failure(text)

    def require_experimental(self, *wanted: str) -> None:
        """Refuse what only a daemon in experimental mode has.

        Args:
            wanted: the command, or flags in quotes.

        Raises:
            Failure: in docker's words.
        """
        if wanted and self.client.negotiate().get("docker-experimental") != "true":
            from dockwright.cli.failure import Failure

            only = "is only supported on a Docker daemon with experimental features enabled\n"
            raise Failure("".join(f"{what} {only}" for what in wanted))

    def platform(self, given: Given) -> str:
        """--platform of `save` and `load` as the parameter the API takes, "" if it was not given.

        Our daemon takes it at any version; of another one it needs 1.48.

        Raises:
            Failure: a daemon that would not look at it, or no such platform.
        """
        if "platform" not in given:
            return ""
        if not str(self.client.get("/version").get("Platform", {}).get("Name", "")).startswith("Dockwright"):
            self.require(["platform"], "1.48")
        from dockwright.cli.failure import Failure
        from dockwright.client.documents import dumps

        values = given.list("platform")
        if len(values) != 1:
            raise Failure("only one platform can be given\n")
        parts = values[0].split("/")
        if len(parts) not in (2, 3) or not all(parts):
            raise Failure(f'invalid platform: "{values[0]}"\n')
        return dumps(dict(zip(("os", "architecture", "variant"), parts, strict=False))).decode()
