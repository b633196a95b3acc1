"""What every test stands on: a reproducible search for counterexamples, and an environment without settings.

`ci` is the default hypothesis profile: the same few examples on every run, so that a red test is red again. `explore`
(used by `make chaos`) searches at random and for long.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("ci", deadline=None, derandomize=True, max_examples=30, database=None)
settings.register_profile("explore", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile("ci")


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside() -> Iterator[None]:
    """Take the settings of whoever runs the tests out of the environment: a test sets what it needs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("TREADLE_", "DAGSTER_")):
                patch.delenv(name)
        if os.environ.get("TERM") == "dumb":
            patch.setenv("TERM", "xterm")  # some tests look at what a terminal shows
        yield


@pytest.fixture(autouse=True)
def _modules_end_with_their_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forget modules and paths that a test made in its folder: the next one may use the same names."""
    yield
    folder = str(tmp_path_factory.getbasetemp())
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(folder):
            del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if not entry.startswith(folder)]
