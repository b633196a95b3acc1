"""The peer, in an environment of its own: benchmarks/.peer, made on first use (`make bench` makes it beforehand)."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

VERSION = "1.13.27"
PACKAGES = [f"dagster=={VERSION}", f"dagster-webserver=={VERSION}"]
FOLDER = Path(__file__).parent / ".peer"


def python() -> Path:
    """The peer's interpreter. Installs the peer if it is not there."""
    found = FOLDER / "bin" / "python"
    if not (FOLDER / "bin" / "dagster-webserver").exists():
        print(f"Installing dagster {VERSION} into {FOLDER}", file=sys.stderr)
        venv.create(FOLDER, clear=True, with_pip=True)
        subprocess.run([found, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return found


def compile_all(interpreter: Path) -> None:
    """Byte-compile everything that the interpreter can import: without, each process start would compile it anew."""
    folders = "import sys; print(*(p for p in sys.path if p.endswith(('site-packages', 'src'))), sep='\\n')"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    listed = subprocess.run([interpreter, "-c", folders], capture_output=True, text=True, check=True, env=environment)
    # Packages may carry files for other versions of Python, which do not compile: that is no failure of ours.
    command = [interpreter, "-m", "compileall", "-qq", *listed.stdout.splitlines()]
    subprocess.run(command, check=False, env=environment)
