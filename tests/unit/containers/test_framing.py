"""Docker's stream frames."""

import random

from dockwright.containers.framing import Bare, frame


def test_a_frame() -> None:
    assert frame("stderr", b"hello") == b"\x02\0\0\0\0\0\0\x05hello"


def test_frames_cut_anywhere_are_put_together() -> None:
    chance = random.Random(7)
    pieces = [chance.randbytes(chance.randrange(0, 300)) for _ in range(200)]
    data = b"".join(frame(chance.choice(("stdout", "stderr")), piece) for piece in pieces)
    bare, found = Bare(), b""
    while data:
        size = chance.randrange(1, 40)
        found, data = found + bare.feed(data[:size]), data[size:]
    assert found == b"".join(pieces)
