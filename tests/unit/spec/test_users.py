"""Who a container's process is, from the texts of its passwd and group files."""

import pytest

from dockwright.base.errors import EngineError
from dockwright.spec.users import Identity, identify

PASSWD = b"1000:x:0:0:trap:/trap:/bin/sh\nroot:x:0:0:root:/root:/bin/sh\nworker:x:1000:1001:w:/home/worker:/bin/sh\n"
GROUP = b"7:x:0:\nroot:x:0:\nstaff:x:50:worker\nworkers:x:1001:\n"


@pytest.mark.parametrize(
    ("user", "added", "expected"),
    [
        ("", [], Identity(0, 0, (0,), "/trap")),
        ("worker", [], Identity(1000, 1001, (1001, 50), "/home/worker")),
        ("worker:staff", ["7"], Identity(1000, 50, (50, 7), "/home/worker")),
        ("1000:7", [], Identity(1000, 7, (7,), "/home/worker")),
        ("4242", ["staff"], Identity(4242, 0, (0, 50), "/")),
        ("2147483647", [], Identity(2147483647, 0, (0,), "/")),
    ],
)
def test_identities(user: str, added: list[str], expected: Identity) -> None:
    assert identify(user, added, PASSWD, GROUP) == expected


@pytest.mark.parametrize("user", ["2147483648", "4294967296", "0:2147483648", "18446744073709551616", "-1", "0:-1", "9" * 5000])
def test_numbers_that_would_wrap_to_root_are_refused(user: str) -> None:
    with pytest.raises(EngineError, match=r"^uids and gids must be in range 0-2147483647$"):
        identify(user, [], b"", b"")


@pytest.mark.parametrize(
    ("user", "added", "text"),
    [
        ("nobody", [], "unable to find user nobody: no matching entries in passwd file"),
        ("\u00b2", [], "unable to find user \u00b2: no matching entries in passwd file"),
        ("0x0", [], "unable to find user 0x0: no matching entries in passwd file"),
        ("0:wheel", [], "unable to find group wheel: no matching entries in group file"),
        ("0", ["wheel"], "Unable to find group wheel: no matching entries in group file"),
    ],
)
def test_names_that_are_not_there(user: str, added: list[str], text: str) -> None:
    with pytest.raises(EngineError) as caught:
        identify(user, added, PASSWD, GROUP)
    assert caught.value.message == text
