"""Docker's stream frames: eight bytes of head (stream, 0, 0, 0, length as u32 BE) before each piece of output."""

STREAMS = {"stdout": 1, "stderr": 2}


def frame(stream: str, data: bytes) -> bytes:
    """`data` as one frame."""
    return bytes((STREAMS.get(stream, 1), 0, 0, 0)) + len(data).to_bytes(4, "big") + data


class Bare:
    """What is in frames, of whichever stream, in the order in which it came."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The content of the frames that `data` completes."""
        data, found = self._rest + data, []
        while len(data) >= 8 and len(data) >= 8 + (length := int.from_bytes(data[4:8], "big")):
            found.append(data[8 : 8 + length])
            data = data[8 + length :]
        self._rest = data
        return b"".join(found)
