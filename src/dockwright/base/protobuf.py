"""The numbers of protobuf's wire format (protobuf.dev, "Encoding"). Imported by the zygote: nothing heavy."""


def varint(number: int) -> bytes:
    """The base-128 form of a number that is not negative."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
