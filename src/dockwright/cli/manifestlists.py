"""Lists of manifests that are being made: a folder each below ~/.docker/manifests, a file for each manifest, as with docker."""

from __future__ import annotations

import json
import os

from dockwright.base.errors import InvalidParameter
from dockwright.cli.credentials import key_of, lookup
from dockwright.cli.failure import Failure
from dockwright.cli.settings import directory
from dockwright.client.manifests import Entry, Manifests, NoSuchManifest
from dockwright.grammar.reference import Reference, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context


def reference(text: str) -> Reference:
    """A name with its tag. Raises Failure in docker's words."""
    try:
        return parse(text).tagged()
    except InvalidParameter as error:
        raise Failure(error.message + "\n") from error


def manifests(context: Context, insecure: bool) -> Manifests:
    """The registries, with the user's credentials."""
    return Manifests(insecure, lambda domain: lookup(context, key_of(domain)))


def fetched(context: Context, insecure: bool, name: Reference) -> tuple[bytes, list[Entry], bool]:
    """A manifest or list of a registry: its bytes, its images, whether it is a list. Raises Failure."""
    try:
        return manifests(context, insecure).fetch(name)
    except NoSuchManifest:
        raise Failure(f"no such manifest: {name.familiar}\n") from None


class Store:
    """All lists of one user."""

    def __init__(self, context: Context) -> None:
        self._root = f"{directory(context.options.text('config'))}/manifests"

    def names(self, target: Reference) -> list[str]:
        """The files of a list, sorted; [] if there is no such list."""
        try:
            return sorted(os.listdir(self._folder(target)))
        except FileNotFoundError:
            return []

    def entries(self, target: Reference) -> list[Entry]:
        """The manifests of a list, by their names."""
        return [self._read(f"{self._folder(target)}/{name}") for name in self.names(target)]

    def entry(self, target: Reference, name: Reference) -> Entry | None:
        """One manifest of a list."""
        file = _safe(name)
        return self._read(f"{self._folder(target)}/{file}") if file in self.names(target) else None

    def put(self, target: Reference, name: Reference, entry: Entry) -> None:
        """Add or replace a manifest of a list."""
        folder = self._folder(target)
        os.makedirs(folder, mode=0o755, exist_ok=True)
        temporary = f"{folder}/.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(json.dumps(entry, separators=(",", ":"), ensure_ascii=False))
        os.rename(temporary, f"{folder}/{_safe(name)}")

    def remove(self, target: Reference) -> bool:
        """Forget a list; whether there was one."""
        import shutil

        if not self.names(target):
            return False
        shutil.rmtree(self._folder(target))
        return True

    def _folder(self, target: Reference) -> str:
        return f"{self._root}/{_safe(target)}"

    def _read(self, path: str) -> Entry:
        try:
            with open(path, encoding="utf-8") as file:
                found: Entry = json.loads(file.read())
            return found
        except (OSError, ValueError) as error:
            raise Failure(f"{path}: {error}\n") from None


def _safe(name: Reference) -> str:
    return str(name).replace(":", "-").replace("/", "_")
