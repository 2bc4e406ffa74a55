"""What attach, logs and exec are asked for: query parameters and small bodies of the Engine API (1.47)."""

import msgspec


class AttachOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The query of POST /containers/{id}/attach.

    Attributes:
        logs: replay the log first. stream: go on with live output (and stdin).
        detach_keys: "" is the default, ctrl-p,ctrl-q. bare: without frames, whether there is a terminal or not.
    """

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    stream: bool = False
    logs: bool = False
    detach_keys: str = ""
    bare: bool = False


class LogOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The query of GET /containers/{id}/logs.

    Attributes:
        tail: as given: a number, "all" or "" (anything that is no number, or is negative, means all).
        since, until: nanoseconds since the epoch, 0 for none.
    """

    stdout: bool = False
    stderr: bool = False
    follow: bool = False
    timestamps: bool = False
    details: bool = False
    tail: str = ""
    since: int = 0
    until: int = 0


class ExecCreateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of POST /containers/{id}/exec; fields by their names in JSON."""

    User: str | None = None
    Privileged: bool | None = None
    Tty: bool | None = None
    ConsoleSize: list[int] | None = None
    AttachStdin: bool | None = None
    AttachStdout: bool | None = None
    AttachStderr: bool | None = None
    DetachKeys: str | None = None
    Env: list[str] | None = None
    WorkingDir: str | None = None
    Cmd: list[str] | None = None


class ExecStartRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of POST /exec/{id}/start; `Tty` only chooses the framing."""

    Detach: bool | None = None
    Tty: bool | None = None
    ConsoleSize: list[int] | None = None
