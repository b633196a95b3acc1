"""Finds the real Dagster, or a package pinned to it, in the environment: both provide `dagster`, and cannot share one.

Looks at the names of the metadata folders only (about a millisecond), since this runs on every import.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

_FREE = ("dagster_pipes-",)  # needs no Dagster: what it reports, Treadle reads


def refuse_the_real_one(path: Iterable[str]) -> None:
    """Fail if the real Dagster, or a package pinned to it, is installed in a folder of `path`.

    Raises:
        ImportError: one was found. Its message names the packages and what to do.
    """
    found = sorted({name for folder in path if folder.rstrip("/").endswith("-packages") for name in _in(folder)})
    if found:
        raise ImportError(
            "treadle-dagster provides the import name 'dagster', and cannot share an environment with "
            f"{', '.join(found)}. To run on Treadle: pip uninstall {' '.join(found)}, then pip install "
            "--force-reinstall --no-deps treadle-dagster. To run on Dagster: pip uninstall treadle-dagster, then pip "
            "install --force-reinstall dagster."
        )


def _in(folder: str) -> Iterable[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if not name.startswith("dagster") or not name.endswith(".dist-info") or name.startswith(_FREE):
            continue
        distribution = name.split("-", 1)[0].replace("_", "-")
        if distribution == "dagster" or _is_pinned(os.path.join(folder, name, "METADATA")):
            yield distribution


def _is_pinned(metadata: str) -> bool:
    """Whether a package wants one exact version of Dagster, not only for an extra."""
    try:
        with open(metadata, encoding="utf-8") as file:
            needs = [line[15:].lower().partition(";") for line in file if line.startswith("Requires-Dist: ")]
    except OSError:
        return False
    plain = [need.replace(" ", "").replace("(", "") for need, _, marker in needs if "extra" not in marker]
    names = [need.partition("[")[0] + need.rpartition("]")[2] if "[" in need else need for need in plain]
    return any(name.startswith(("dagster==", "dagster>=1!")) for name in names)
