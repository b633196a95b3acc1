"""Exceptions as data: whose frames stay, and how the whole is told."""

from __future__ import annotations

from pathlib import Path

import pytest

import treadle as tr
from treadle.errors import LoadError
from treadle.host.definitions import load, separate_modules
from treadle.host.targets import Target
from treadle.state.error_info import error_info


def test_frames_between_us_and_the_users_code_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop_module.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    with separate_modules(), pytest.raises(LoadError) as caught:
        load(Target("module", "shop_module"))
    text = error_info(caught.value).to_string()
    assert "importlib" not in text
    assert f'File "{tmp_path / "shop_module.py"}", line 1' in text
    assert "could not be imported" in text.split("It was raised from:")[0]


def test_a_limit_of_time_shows_nothing_of_how_it_is_kept() -> None:
    @tr.asset(timeout=0.05)
    def endless() -> None:
        while True:
            pass

    result = tr.materialize([endless], raise_on_error=False)
    failure = next(event for event in result.all_events if event.event_type_value == "STEP_FAILURE")
    assert failure.error is not None  # pyright: ignore[reportAttributeAccessIssue]
    assert "contextlib" not in failure.error.to_string()  # pyright: ignore[reportAttributeAccessIssue]
