"""What a pull tells its client of its layers, in Docker's order and words, at most ten lines a second and layer."""

from collections.abc import Sequence

from dockwright.base.ids import SHORT
from dockwright.images import oci
from dockwright.images.arrival import DOWNLOADED, DOWNLOADING
from dockwright.images.assembly import COMPLETE, EXISTS, EXTRACTING
from dockwright.images.progress import Emit, Meter


class LayerLines:
    """Lines of all layers of one image; called from any thread (see `load.LayerReport`).

    A layer is unpacked while it comes. What is shown is the download first, and the unpacking for what is left of it then;
    a layer is complete when those below it are.
    """

    def __init__(self, layers: Sequence[oci.Descriptor], emit: Emit) -> None:
        self._emit = emit
        self._idents = [layer.digest[7 : 7 + SHORT] for layer in layers]
        self._coming = [
            Meter(emit, DOWNLOADING, ident, layer.size) for ident, layer in zip(self._idents, layers, strict=True)
        ]
        self._unpacking = [
            Meter(emit, EXTRACTING, ident, layer.size) for ident, layer in zip(self._idents, layers, strict=True)
        ]
        self._arrived = [False] * len(layers)
        self._done = [""] * len(layers)
        self._told = 0

    def __call__(self, index: int, status: str, current: int, total: int) -> None:
        if status == DOWNLOADING:
            self._coming[index].report(current)
        elif status == EXTRACTING:
            if self._arrived[index]:
                self._unpacking[index].report(current)
        elif status in (EXISTS, COMPLETE):
            self._done[index] = status
            self._tell_done()
        else:
            self._arrived[index] = status == DOWNLOADED
            self._line(index, status)

    def _tell_done(self) -> None:
        while self._told < len(self._done) and self._done[self._told]:
            self._line(self._told, self._done[self._told])
            self._told += 1

    def _line(self, index: int, status: str) -> None:
        self._emit({"status": status, "progressDetail": {}, "id": self._idents[index]})
