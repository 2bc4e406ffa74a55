"""`network map` as a picture (SVG 1.1): outside and host on the left, networks with their containers on the right.

Green arrows are ways that are open, red ones with a bar are closed; the rule behind each shows when pointed at.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Document = dict[str, Any]
    Point = tuple[int, int]

WIDTH, LEFT, RIGHT, BOX = 1080, 20, 560, 500  # pixels: of the picture, where each column begins, of a network's box
ROW, HEAD, GAP = 30, 44, 56
STYLE = (
    "text{font:13px sans-serif;fill:#222}.small{font-size:11px;fill:#555}.title{font-weight:bold}"
    "rect{fill:#fff;stroke:#456;rx:6}.network{fill:#eef4fb}.place{fill:#fdf6e3}"
    "path{fill:none;stroke-width:1.6}.yes{stroke:#2a7d3f;marker-end:url(#yes)}"
    ".no{stroke:#b3261e;stroke-dasharray:5 4;marker-end:url(#no)}"
)
MARKERS = (
    '<marker id="yes" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0L10 5L0 10z" style="fill:#2a7d3f;stroke:none"/></marker>'
    '<marker id="no" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="10" markerHeight="10" orient="auto">'
    '<path d="M9 0V10" style="stroke:#b3261e;stroke-width:3"/></marker>'
)


def draw(document: Document) -> str:
    """The whole map."""
    picture = Picture()
    top = 60
    for network in document["Networks"]:
        top = picture.network(network, top) + GAP
    height = max(top, 320)
    picture.place("outside", 80)
    picture.place("host", height - 150)
    for arrow in document["Arrows"]:
        picture.arrow(arrow)
    state = "" if document["InPlace"] else ", changed by another program"
    title = f"firewall: {document['Firewall'] or 'none'}{state}; published ports: {document['PublishedPorts']}"
    body = "".join([*picture.boxes, *picture.arrows])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">'
        f"<style>{STYLE}</style><defs>{MARKERS}</defs>{_text(LEFT, 28, title, 'title')}{body}</svg>\n"
    )


class Picture:
    """What is drawn, and where each place is."""

    def __init__(self) -> None:
        self.boxes: list[str] = []
        self.arrows: list[str] = []
        self._at: dict[str, Point] = {}  # the left edge of networks and containers, the right edge of outside and host
        self._used: dict[str, int] = {}  # arrows that end at a place, so that they do not lie on each other

    def place(self, name: str, top: int) -> None:
        """A box on the left."""
        self.boxes.append(f'<rect class="place" x="{LEFT}" y="{top}" width="150" height="60"/>')
        self.boxes.append(_text(LEFT + 16, top + 35, name, "title"))
        self._at[name] = (LEFT + 150, top + 12)

    def network(self, network: Document, top: int) -> int:
        """A network with its containers; answers its lower edge."""
        height = HEAD + ROW * len(network["Members"]) + 14
        self.boxes.append(f'<rect class="network" x="{RIGHT}" y="{top}" width="{BOX}" height="{height}"/>')
        about = ", ".join(filter(None, [network["Driver"], network["Link"], *network["Subnets"]]))
        shown = f"{network['Name']}{' (internal)' if network['Internal'] else ''}"
        self.boxes += [_text(RIGHT + 14, top + 20, shown, "title"), _text(RIGHT + 14, top + 36, about, "small")]
        self._at[f"network {network['Name']}"] = (RIGHT, top + 10)
        for number, member in enumerate(network["Members"]):
            y = top + HEAD + ROW * number
            self.boxes.append(f'<rect x="{RIGHT + 14}" y="{y}" width="{BOX - 28}" height="{ROW - 6}"/>')
            self.boxes.append(_text(RIGHT + 24, y + 16, member["Name"]))
            self.boxes.append(_text(RIGHT + 200, y + 16, " ".join(member["Addresses"]), "small"))
            for place in (f"container {member['Name']}", f"container {member['Name']} on {network['Name']}"):
                self._at.setdefault(place, (RIGHT + 14, y + 12))
        return top + height

    def arrow(self, arrow: Document) -> None:
        """One way, open or closed."""
        start, end = (self._point(side, arrow["Network"]) for side in (arrow["From"], arrow["To"]))
        if start is None or end is None:
            return
        kind = "yes" if arrow["Allowed"] else "no"
        why = "\n".join(filter(None, [arrow["Rule"], arrow["Why"]]))
        told = f"{arrow['From']} to {arrow['To']}: {arrow['What']}\n{why}".strip()
        self.arrows.append(f'<path class="{kind}" d="{_curve(start, end)}"><title>{_escaped(told)}</title></path>')
        if "container" in arrow["To"] and start[0] != end[0]:
            x, y = (start[0] + end[0]) // 2, (start[1] + end[1]) // 2
            self.arrows.append(_text(x - 60, y - 5, arrow["What"], "small"))

    def _point(self, place: str, network: str) -> Point | None:
        """Where the next arrow of a place ends; a container is drawn in each of its networks."""
        place = f"{place} on {network}" if f"{place} on {network}" in self._at else place
        known = place if place in self._at else "outside" if "container" not in place and "network" not in place else ""
        if not known:
            return None
        x, y = self._at[known]
        number = self._used[known] = self._used.get(known, -1) + 1
        return x, y + 7 * (number % 6)


def _curve(start: Point, end: Point) -> str:
    """A line between the columns, a bow beside one of them."""
    (x1, y1), (x2, y2) = start, end
    if x1 != x2 and min(x1, x2) < RIGHT:
        middle = (x1 + x2) // 2
        return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
    return f"M{x1} {y1}C{x1 - 60} {y1} {x2 - 60} {y2} {x2} {y2}"


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
