"""The tree of `images --tree`."""

from typing import Any

from dockwright.cli.commands.images_tree import drawn


def manifest(kind: str, ident: str, **more: Any) -> dict[str, Any]:
    return {"Kind": kind, "ID": f"sha256:{ident * 64}", "Size": {"Content": 1_000_000, "Total": 3_000_000}, **more}


def test_platforms_hang_below_their_image() -> None:
    own = {"Platform": {"os": "linux", "architecture": "amd64"}, "Containers": ["c"]}
    other = {"Platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}, "Containers": []}
    manifests = [manifest("image", "a", ImageData=own), manifest("attestation", "b"), manifest("image", "c", ImageData=other)]
    named = {"RepoTags": ["a:1", "registry.example.org/a:1"], "Size": 2_500_000, "Manifests": manifests}
    images = [
        {"Id": "sha256:" + "1" * 64, "Created": 1, "RepoTags": [], "Size": 5, "Manifests": []},
        {"Id": "sha256:" + "2" * 64, "Created": 2, **named},
    ]
    assert drawn(images).splitlines() == [
        "IMAGE                      ID             DISK USAGE   CONTENT SIZE   EXTRA",
        "registry.example.org/a:1",
        "a:1                        222222222222        2.5MB            3MB   U",
        "├─ linux/amd64             aaaaaaaaaaaa          3MB            1MB   U",
        "└─ linux/arm64/v8          cccccccccccc          3MB            1MB",
        "",
        "<untagged>                 111111111111           5B             0B",
    ]


def test_nothing() -> None:
    assert drawn([]) == "IMAGE   ID             DISK USAGE   CONTENT SIZE   EXTRA\n"
