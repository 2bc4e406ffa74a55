"""--platform: an image must be of the platform that is asked for; one that is not this machine's gets a warning."""

from dockwright.base.errors import InvalidParameter, NotFound
from dockwright.host import platform as host
from dockwright.images.store import Image

_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm", "armel": "arm"}


def check(wanted: str, reference: str, image: Image | None) -> list[str]:
    """Hold an image against the platform asked for ("" for any); returns warnings.

    Raises:
        InvalidParameter: no platform. NotFound: in Docker's words, on which clients pull another one.
    """
    asked = parse(wanted) if wanted else []
    if image is None:
        return []
    actual = [str(image.config.get(key) or "") for key in ("os", "architecture", "variant")]
    shown = "/".join(filter(None, actual))
    if asked:
        if any(mine != theirs for mine, theirs in zip(asked, actual, strict=False) if theirs):
            raise NotFound(
                f"image with reference {reference} was found but does not match the specified platform: wanted "
                f"{'/'.join(asked)}, actual: {shown}"
            )
        return []
    machine = host.own()
    if actual[1] and machine.split("/")[:2] != [actual[0] or "linux", actual[1]]:
        return [
            f"The requested image's platform ({shown}) does not match the detected host platform ({machine}) and no "
            "specific platform was requested"
        ]
    return []


def parse(text: str) -> list[str]:
    """`os[/architecture[/variant]]`, `architecture` alone, in any of their spellings, as its parts.

    Raises:
        InvalidParameter: something else.
    """
    parts = text.lower().split("/")
    if len(parts) > 3 or not all(parts):
        raise InvalidParameter(f'"{text}" is an invalid OS/architecture specification: invalid argument')
    machine = host.own().split("/")
    if len(parts) == 1:
        if parts[0] in ("linux", "windows", "darwin", "freebsd"):
            return [parts[0], machine[1]]
        parts = [machine[0], *parts]
    return [parts[0], _ARCHITECTURES.get(parts[1], parts[1]), *parts[2:]]
