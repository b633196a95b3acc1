"""Data versions: from the version of the code and the versions of what it read, unless the function says better."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def data_version(code_version: str, inputs: Iterable[tuple[str, str]]) -> str:
    """The version of data made by code of `code_version` from inputs, given as (asset, version).

    Each text goes into the hash with its length before it, so that different lists never look alike.
    """
    digest = hashlib.sha256()
    for text in (code_version, *(text for pair in sorted(inputs) for text in pair)):
        raw = text.encode()
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()
