"""A step's share of the captured output."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import treadle as t
from treadle.state.captured import spans


def test_each_attempt_has_its_own_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(1, "w", closefd=False) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)  # the test runner's replacement writes past the descriptor

        @t.asset
        def quiet() -> None: ...

        @t.asset(deps=[quiet], retry_policy=t.RetryPolicy(max_retries=1))
        def talks(context: t.AssetExecutionContext) -> None:
            print(f"attempt {context.retry_number}")  # noqa: T201
            if context.retry_number == 0:
                raise ValueError

        @t.asset(deps=[talks])
        def last() -> None:
            print("the end")  # noqa: T201

        with t.Instance.get(tmp_path) as instance:
            run_id = t.materialize([quiet, talks, last], instance=instance).run_id
            entries = instance.all_logs(run_id)

            def text(step_key: str) -> list[bytes]:
                found = []
                for span in spans(entries, step_key):
                    whole = instance.store.logs.paths(span.log_key).out.read_bytes()
                    assert span.end is not None
                    found.append(whole[span.start[0] : span.end[0]])
                return found

            assert text("quiet") == [b""]
            assert text("talks") == [b"attempt 0\n", b"attempt 1\n"]
            assert text("last") == [b"the end\n"]
            assert spans(entries, "unknown") == []
