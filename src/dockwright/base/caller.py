"""Who asks for something: the process at the other end of a client's connection."""

from __future__ import annotations


class Caller:
    """A client.

    Attributes:
        pid, uid: of its process, as the kernel tells them of a Unix socket (unix(7), SO_PEERCRED); pid 0 if it is not known.
        program: its name (proc(5), comm). address: where it is, if it is a client of the network.
    """

    __slots__ = ("address", "pid", "program", "uid")

    def __init__(self, pid: int = 0, uid: int = 0, program: str = "", address: str = "") -> None:
        self.pid, self.uid, self.program, self.address = pid, uid, program, address

    def __str__(self) -> str:
        """For a person; "" if nothing is known."""
        if self.address:
            return f"a client at {self.address}"
        return f"{self.program or 'a program'}, pid {self.pid}, uid {self.uid}" if self.pid else ""


NOBODY = Caller()
