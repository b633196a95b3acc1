"""The package door: names that are nearly right are proposed, and what type checkers see is what there is."""

from __future__ import annotations

import pytest

import treadle
from treadle import _door


def test_a_name_that_is_nearly_right_is_proposed() -> None:
    with pytest.raises(AttributeError) as raised:
        treadle.aset  # type: ignore[attr-defined]  # noqa: B018
    assert (raised.value.name, raised.value.obj) == ("aset", treadle)  # from which Python proposes `asset`


def test_the_stub_is_the_table() -> None:
    assert _door.STUB.read_text() == _door.stub(), "write it anew: .venv/bin/python -m treadle._door"


def test_every_name_is_where_the_table_says() -> None:
    for name in treadle.__all__:
        assert getattr(treadle, name) is not None
