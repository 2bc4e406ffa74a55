"""nftables through libnftables (libnftables(3)): a ruleset text is one transaction, performed wholly or not at all.

Loaded by the daemon only, at its first network; the shim never imports this.
"""

from __future__ import annotations

import ctypes
import json
from typing import Any

NFT_CTX_OUTPUT_JSON = 1 << 4
NFT_CTX_OUTPUT_HANDLE = 1 << 3
NFT_CTX_OUTPUT_TERSE = 1 << 11

# linux/netfilter/nfnetlink.h
NETLINK_NETFILTER = 12
NFNLGRP_NFTABLES = 7
NFNL_SUBSYS_NFTABLES = 10
NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM = 12, 14


class NftablesError(Exception):
    """The kernel or the library refused a ruleset; the text is libnftables' own. Nothing was changed."""


class Nftables:
    """One libnftables context. It acts in the network namespace of the thread that first runs a command.

    Raises:
        NftablesError: the library is missing.
    """

    def __init__(self) -> None:
        library = _load()
        self._library = library
        self._context = library.nft_ctx_new(0)
        if not self._context:
            raise NftablesError("libnftables: no context")
        library.nft_ctx_buffer_output(self._context)
        library.nft_ctx_buffer_error(self._context)

    def run(self, ruleset: str) -> str:
        """Perform `ruleset` (the language of nft(8)) as one transaction and answer what it printed.

        Raises:
            NftablesError: nothing was changed.
        """
        failed = self._library.nft_run_cmd_from_buffer(self._context, ruleset.encode())
        output = self._library.nft_ctx_get_output_buffer(self._context) or b""
        errors = self._library.nft_ctx_get_error_buffer(self._context) or b""
        if failed:
            raise NftablesError(errors.decode(errors="replace").strip() or "libnftables failed without a text")
        return str(output.decode(errors="replace"))

    def query(self, command: str) -> list[dict[str, Any]]:
        """The objects a `list` command names, as libnftables-json(5) describes them, with handles, without set elements.

        Raises:
            NftablesError: as `run`.
        """
        flags = NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_TERSE
        self._library.nft_ctx_output_set_flags(self._context, flags)
        try:
            answer = self.run(command)
        finally:
            self._library.nft_ctx_output_set_flags(self._context, 0)
        found: list[dict[str, Any]] = json.loads(answer)["nftables"] if answer else []
        return [item for item in found if "metainfo" not in item]

    def close(self) -> None:
        """Free the context."""
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1", use_errno=True)
    except OSError as error:
        raise NftablesError(f"libnftables.so.1 cannot be loaded: {error}") from None
    context, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
        ("nft_ctx_new", context, [ctypes.c_uint32]),
        ("nft_ctx_free", None, [context]),
        ("nft_ctx_buffer_output", ctypes.c_int, [context]),
        ("nft_ctx_buffer_error", ctypes.c_int, [context]),
        ("nft_ctx_get_output_buffer", text, [context]),
        ("nft_ctx_get_error_buffer", text, [context]),
        ("nft_ctx_output_set_flags", None, [context, ctypes.c_uint]),
        ("nft_run_cmd_from_buffer", ctypes.c_int, [context, text]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
