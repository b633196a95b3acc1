"""What every test stands on: a reproducible search for counterexamples, and an environment without settings.

`ci` is the default hypothesis profile: the same few examples on every run, so that a red test is red again. `explore`
(used by `make chaos`) searches at random and for long.
"""

from __future__ import annotations

import os
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
        yield
