"""dockwright manifest inspect: a manifest or list, of a registry or being made here."""

from __future__ import annotations

import base64
import json

from dockwright.cli.failure import Failure
from dockwright.cli.manifestlists import Store, fetched, reference
from dockwright.cli.terminal import out
from dockwright.client.manifests import listed
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.client.manifests import Entry
    from dockwright.grammar.flags import Given

FLAGS = Flags("insecure:bool v/verbose:bool")
ARGUMENTS = (1, 2)


def run(context: Context, given: Given) -> int:
    """What is made here comes before what a registry has."""
    verbose, store = given.flag("verbose"), Store(context)
    if len(given.rest) == 2:
        target, name = (reference(text) for text in given.rest)
        entry = store.entry(target, name)
        if entry is None:
            raise Failure(f"No such manifest: {name.familiar}\n")
        _show_one(entry, verbose)
        return 0
    name = reference(given.rest[0])
    entries, is_list = store.entries(name), True
    if not entries:
        data, entries, is_list = fetched(context, given.flag("insecure"), name)
    else:
        data, _ = listed(entries)
    if not is_list:
        _show_one(entries[0], verbose)
    elif verbose:
        out(_tabbed(entries))
    else:
        out(_list(data))
    return 0


def _show_one(entry: Entry, verbose: bool) -> None:
    out(_tabbed(entry if verbose else json.loads(base64.b64decode(entry["Raw"]))))


def _tabbed(document: Any) -> str:
    return json.dumps(document, indent="\t", ensure_ascii=False) + "\n"


def _list(data: bytes) -> str:
    """A list as docker lays it out."""
    document = json.loads(data)
    known = ("mediaType", "size", "digest", "platform")
    entries = [
        {**{key: entry[key] for key in known if key in entry}, **{key: entry[key] for key in entry if key not in known}}
        for entry in document["manifests"]
    ]
    return json.dumps({**document, "manifests": entries}, indent=3, ensure_ascii=False) + "\n"
