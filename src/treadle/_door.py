"""Writes `__init__.pyi`, what type checkers see of the package, from the table in `__init__.py`.

Call it as `python -m treadle._door`.
"""

from __future__ import annotations

from pathlib import Path

import treadle

STUB = Path(treadle.__file__).with_suffix(".pyi")


def stub() -> str:
    """The text of the stub."""
    lines = ["# ruff: noqa\n# Written by `python -m treadle._door` from the table in __init__.py.", ""]
    for module, names in sorted(vars(treadle)["_MODULES"].items()):
        lines.append(f"from {module} import (")
        lines += [f"    {name} as {name}," for name in sorted(names.split())]
        lines.append(")")
    lines += ["", "__version__: str", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    STUB.write_text(stub())
