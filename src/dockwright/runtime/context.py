"""What the steps of one container share while it is made."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.runtime.idmap import Owner

OCI_VERSION = "1.2.0"
_STATUS = {
    "prestart": "creating", "createRuntime": "creating", "createContainer": "creating", "startContainer": "created",
    "poststart": "running", "poststop": "stopped",
}  # fmt: skip


class Context:
    """The container as its steps see it.

    Args:
        container_id: its id. bundle: absolute path that relative roots and bind sources start from.
        annotations: the spec's, for the hooks.

    Attributes:
        root: descriptor of the container's root, once init has it.
        console: pty slave, -1 for none. console_socket: where init sends the master of a pty it makes itself, or -1.
        size: (height, width) of that pty. pivot: False to move the root instead of pivoting (for an initramfs).
        keyring: whether the container gets a session keyring of its own. preserve: descriptors kept from 3 on.
        for_parent: init becomes the child of its maker's parent.
        owner: the user namespace whose maps mounts are given, where any is to be.
        cgroup_trees: see mounts.host_cgroup_trees. overlay_base: cwd of the overlay's short names.
    """

    def __init__(self, container_id: str, bundle: str, annotations: dict[str, str]) -> None:
        self.id = container_id
        self.bundle = bundle
        self.annotations = annotations
        self.root = self.console = self.console_socket = -1
        self.size = (0, 0)
        self.pivot = self.keyring = True
        self.for_parent = False
        self.preserve = 0
        self.pid = 0
        self.user_namespace = False
        self.owner: Owner | None = None
        self.overlay_base = "/"
        self.cgroup_trees: list[tuple[str, int]] = []

    def state_text(self, hook: str) -> str:
        """The state document that hooks read (OCI runtime spec, runtime.md, State)."""
        from dockwright.runtime.document import dumps  # only containers with hooks pay for it

        document: dict[str, Any] = {
            "ociVersion": OCI_VERSION, "id": self.id, "status": _STATUS[hook], "pid": self.pid, "bundle": self.bundle,
        }  # fmt: skip
        if self.annotations:
            document["annotations"] = self.annotations
        return dumps(document)
