"""`dagster`: the commands of the old name, run by Treadle's command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dagster._commands import cli
from treadle.cli.main import run


def main(args: Sequence[str] | None = None) -> None:
    """The console script."""
    sys.exit(run(args, prog_name="dagster", env_prefix="DAGSTER_CLI", command=cli))


if __name__ == "__main__":
    main()
