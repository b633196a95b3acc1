"""Errors as people see them."""

from __future__ import annotations

from treadle.cli.failure import traceback_text
from treadle.state.error_info import error_info


def test_a_group_keeps_what_it_is_a_group_of() -> None:
    inner = ExceptionGroup("inner", [KeyError("b")])
    info = error_info(ExceptionGroup("outer", [ValueError("a"), inner]))
    assert [part.message for part in info.parts] == ["ValueError: a\n", "ExceptionGroup: inner (1 sub-exception)\n"]
    assert traceback_text(info).splitlines() == [
        "ExceptionGroup: outer (2 sub-exceptions)",
        "  | ValueError: a",
        "  | ExceptionGroup: inner (1 sub-exception)",
        "  |   | KeyError: 'b'",
    ]
    assert "sub-exception:\nValueError: a" in info.to_string()
