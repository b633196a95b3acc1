"""`dagster`: the commands of the old name, run by Treadle's command line."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence


def main(args: Sequence[str] | None = None) -> None:
    """The console script."""
    gc.disable()  # until `spare_imports`: nothing that is imported is garbage
    from dagster._commands import cli  # noqa: PLC0415
    from treadle.cli.main import run, spare_imports  # noqa: PLC0415

    code = run(args, prog_name="dagster", env_prefix="DAGSTER_CLI", command=cli)
    spare_imports()
    sys.exit(code)


if __name__ == "__main__":
    main()
