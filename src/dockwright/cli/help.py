"""Help pages: texts/NAME.txt, with the options aligned and wrapped to the terminal as docker does it.

In a text a flag and what it does are parted by a tab; a line that begins with a tab goes on with the flag before.
"""

from __future__ import annotations

from dockwright.cli.commands import ALIASES, COMMANDS, GROUPS, Found
from dockwright.cli.terminal import STDIN, size

DEFAULT_WIDTH = 80
SLOP = 5
NARROWEST = 24
BLOCK_INDENT = 16
NAME_WIDTH = 10
ABOUT = {
    "checkpoint": "Manage checkpoints",
    "container": "Manage containers",
    "image": "Manage images",
    "manifest": "Manage Docker image manifests and manifest lists",
    "network": "Manage networks",
    "system": "Manage Dockwright",
    "volume": "Manage volumes",
}


def page(found: Found) -> str:
    """The help page of a command, a group, or of everything."""
    width = (size(STDIN)[1] or DEFAULT_WIDTH) - 1  # the last column stays free
    if found.module:
        return render(_own_usage(_text(_key(found)), found), width)
    if found.path:
        return _group_page(found.path)
    return render(_text("dockwright"), width)


def usage(found: Found) -> str:
    """The usage of a command without "Usage:"."""
    return _own_usage(_text(_key(found)), found).partition("\n\n")[0].removeprefix("Usage:  ")


def _key(found: Found) -> str:
    group, _, name = found.path.rpartition(" ")
    return GROUPS[group][name] if group else COMMANDS[name]


def _text(name: str) -> str:
    with open(f"{__file__.rpartition('/')[0]}/texts/{name}.txt", encoding="utf-8") as file:
        return file.read()


def _own_usage(text: str, found: Found) -> str:
    """The usage line names the spelling that was used."""
    first, newline, rest = text.partition("\n")
    name = _key(found).replace("_", " ")
    return first.replace(f"dockwright {name}", f"dockwright {found.path}", 1) + newline + rest


def _group_page(group: str) -> str:
    names = GROUPS[group]
    width = max(NAME_WIDTH, *(len(name) for name in names))
    lines = [f"  {name.ljust(width)}  {_about(key)}" for name, key in sorted(names.items())]
    listing = "\n".join(lines)
    hint = f"Run 'dockwright {group} COMMAND --help' for more information on a command."
    return f"Usage:  dockwright {group} COMMAND\n\n{ABOUT[group]}\n\nCommands:\n{listing}\n\n{hint}\n"


def _about(key: str) -> str:
    """What a command does: the first sentence of its text's third line."""
    return _text(key).split("\n")[2].partition(". ")[0]


def render(text: str, width: int) -> str:
    """A text with its options laid out."""
    result: list[str] = []
    options: list[tuple[str, str]] = []
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("\t") and options:
            options[-1] = (options[-1][0], options[-1][1] + "\n" + line[1:])
        elif "\t" in line.lstrip("\t"):
            flag, _, what = line.partition("\t")
            options.append((flag, what))
        else:
            result += _laid_out(options, width)
            options = []
            result.append(line)
    return "\n".join([*result, *_laid_out(options, width)]) + "\n"


def _laid_out(options: list[tuple[str, str]], width: int) -> list[str]:
    longest = max((len(flag) for flag, _ in options), default=0)
    return [f"{flag.ljust(longest)}   {_wrapped(what, longest + 3, width)}" for flag, what in options]


def _wrapped(text: str, indent: int, width: int) -> str:
    """Wrap to what is left of `width` behind `indent`, avoiding a short word alone on the last line."""
    room, first = width - indent, ""
    if room < NARROWEST:
        indent, room = BLOCK_INDENT, width - BLOCK_INDENT
        first = "\n" + " " * indent
    if room < NARROWEST:
        return text.replace("\n", first)
    lines = []
    while text:
        line, text = _line(text, room - SLOP)
        lines += line.split("\n")
    return first + ("\n" + " " * indent).join(lines)


def _line(text: str, room: int) -> tuple[str, str]:
    """One line of at most `room` characters, or the rest if that is only a little longer."""
    if room + SLOP > len(text):
        return text, ""
    head = text[:room]
    cut = max(head.rfind(" "), head.rfind("\t"), head.rfind("\n"))
    if cut <= 0:
        return text, ""
    newline = head.rfind("\n")
    if 0 < newline < cut:
        cut = newline
    return text[:cut], text[cut + 1 :]


def spellings(group: str, name: str) -> list[str]:
    """All names of a command in a group."""
    return [name, *(alias for alias, target in ALIASES.get(group, {}).items() if target == name)]
