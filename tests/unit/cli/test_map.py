"""`network map`: the drawing as text and as a picture."""

import xml.dom.minidom
from typing import Any

import pytest

from dockwright.cli.commands.network_map import drawn
from dockwright.cli.failure import Failure


def arrow(start: str, end: str, what: str = "everything", allowed: bool = True, **more: str) -> dict[str, Any]:
    return {"From": start, "To": end, "What": what, "Allowed": allowed, "Rule": "", "Why": "", "Network": "", **more}


MAP = {
    "Firewall": "nftables", "InPlace": True, "PublishedPorts": "docker",
    "Networks": [
        {"Name": "front", "Driver": "bridge", "Link": "br-1", "Internal": False, "Subnets": ["10.1.0.0/24"], "Gateways": [],
         "Members": [{"Name": "web", "Addresses": ["10.1.0.2"]}]},
        {"Name": "back", "Driver": "bridge", "Link": "br-2", "Internal": True, "Subnets": ["10.2.0.0/24"], "Gateways": [],
         "Members": [{"Name": "web", "Addresses": ["10.2.0.2"]}, {"Name": "db<1>", "Addresses": ["10.2.0.3"]}]},
    ],
    "Containers": [
        {"Name": "web", "Networks": ["front", "back"], "Kind": "private", "Ports": ["80/tcp"]},
        {"Name": "top", "Networks": ["host"], "Kind": "host", "Ports": []},
    ],
    "Arrows": [
        arrow("network front", "network front", Rule="talk"),
        arrow("network back", "outside", allowed=False, Rule="no way out"),
        arrow("outside", "container web", "0.0.0.0:80 to 80/tcp", Rule="add element", Network="front"),
        arrow("host", "network front", Why="the host is on the bridge itself"),
    ],
}  # fmt: skip


def test_text() -> None:
    assert drawn(MAP, "text") == (
        "firewall: nftables; published ports: docker\n\n"
        "network front (bridge, br-1, 10.1.0.0/24)\n"
        "├── web  10.1.0.2\n"
        "│   outside ──▶ container web: 0.0.0.0:80 to 80/tcp\n"
        "│         add element\n"
        "│ its containers ──▶ each other: everything\n"
        "│       talk\n"
        "│ host ──▶ its containers: everything\n"
        "│       the host is on the bridge itself\n\n"
        "network back (bridge, br-2, 10.2.0.0/24, internal)\n"
        "├── web    10.2.0.2\n"
        "├── db<1>  10.2.0.3\n"
        "│ its containers ──✗ outside: everything\n"
        "│       no way out\n\n"
        "on the host's own network: top\n"
    )
    assert "NOT IN PLACE" in drawn({**MAP, "InPlace": False, "Firewall": ""}, "text")


def test_a_picture() -> None:
    tree = xml.dom.minidom.parseString(drawn(MAP, "svg"))
    texts = [node.firstChild.data for node in tree.getElementsByTagName("text")]  # type: ignore[union-attr]
    assert {"front", "back (internal)", "web", "db<1>", "outside", "host", "0.0.0.0:80 to 80/tcp"} <= set(texts)
    titles = [node.firstChild.data for node in tree.getElementsByTagName("title")]  # type: ignore[union-attr]
    assert "outside to container web: 0.0.0.0:80 to 80/tcp\nadd element" in titles
    assert len([path for path in tree.getElementsByTagName("path") if path.getAttribute("class")]) == len(MAP["Arrows"])


def test_json_and_what_is_neither() -> None:
    assert '"PublishedPorts": "docker"' in drawn(MAP, "json")
    with pytest.raises(Failure, match="unknown format dot"):
        drawn(MAP, "dot")
