"""What the documents say is there, is there: links, files, rooms, decisions."""

import re
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROOMS = sorted(path.name for path in (ROOT / "src/dockwright").iterdir() if (path / "__init__.py").exists())
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "packaging/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
TOP = ("src", "tests", "docs", "scripts", "packaging", "demo")
IN_PROSE = re.compile(rf"(?<![\w/.`-])((?:{'|'.join(TOP)})/[\w./{{}},*-]*\w)")
SOURCE = re.compile(r"[\w./{},*-]+\.(?:py|md|sh|toml|txt|service|socket)|(?:" + "|".join(TOP) + r")/[\w./{},*-]+")
THEIRS = {"runtime.md", "config.md", "config-linux.md", "features.md"}  # pages of the OCI specification
identify = lambda page: str(page.relative_to(ROOT))  # noqa: E731


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors(file), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    named = [word for word in CODE.findall(text) if SOURCE.fullmatch(word)]
    named += IN_PROSE.findall(re.sub(r"```.*?```", "", text, flags=re.S))
    room = ROOT / "src/dockwright" / page.stem
    places = [ROOT, ROOT / "docs", room.parent, room]
    missing = [
        name
        for word in named
        for name in expanded(word)
        if name not in THEIRS and not any(any(place.glob(name.rstrip("/"))) for place in places) and not anywhere(name, room)
    ]
    assert not missing


def expanded(word: str) -> list[str]:
    """`a{b,c}.py` as ["ab.py", "ac.py"]."""
    parts = [part[1:-1].split(",") if part.startswith("{") else [part] for part in re.split(r"(\{[^}]*\})", word)]
    return ["".join(chosen) for chosen in product(*parts)]


def anywhere(name: str, room: Path) -> bool:
    """A test may be named without its folder, and so may a file of a room on the room's page."""
    return "/" not in name and any((ROOT / "tests" if name.startswith("test_") else room).rglob(name))


def anchors(file: Path) -> set[str]:
    """The headings of a page as they are linked to."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_room_has_its_page_and_the_map_leads_to_it() -> None:
    pages = sorted(path.stem for path in (ROOT / "docs/rooms").iterdir())
    assert pages == ROOMS
    architecture = (ROOT / "docs/architecture.md").read_text()
    assert [room for room in ROOMS if f"(rooms/{room}.md)" not in architecture] == []


def test_decisions_that_the_code_names_are_written_down() -> None:
    known = set(re.findall(r"^(\d+)\. ", (ROOT / "docs/decisions.md").read_text(), re.M))
    named: set[str] = set()
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *PAGES]
    for file in files:
        for numbers in re.findall(r"DECISIONS ((?:\d+(?:, | and )?)+)", file.read_text()):
            named |= set(re.findall(r"\d+", numbers))
    assert named and named <= known
