"""The values that the steps of a run have stored, for whoever has executed it and has not seen them pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from treadle.author.io_contexts import InputContext, OutputContext
from treadle.runtime.resources import ResourceInit, open_resources
from treadle.runtime.run import RunScope
from treadle.runtime.step_context import StepContext
from treadle.state.events import StepOutput, StepUpForRetry


class StoredOutputs(Mapping[tuple[str, str], Any]):
    """The value of each output by step and name; of a dynamic output, a dict by mapping key.

    What was made in this process is there as it was made. What was made in another is loaded, by the IO manager that
    has stored it, each time somebody asks.

    Args:
        scope: a run that has been executed.
    """

    def __init__(self, scope: RunScope) -> None:
        self._scope = scope
        self._here = scope.outputs or {}
        self._made: dict[tuple[str, str], list[str | None]] = {}
        for entry in scope.entries:
            event = entry.event
            if isinstance(event, StepOutput) and (event.check is None or event.check.success):
                self._made.setdefault((event.step_key, event.output_name), []).append(event.mapping_key)
            elif isinstance(event, StepUpForRetry):  # what that attempt gave does not count
                self._made = {made: keys for made, keys in self._made.items() if made[0] != event.step_key}

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter({**self._made, **self._here})

    def __len__(self) -> int:
        return len({**self._made, **self._here})

    def __getitem__(self, made: tuple[str, str]) -> Any:
        if made in self._here:
            return self._here[made]
        keys = self._made[made]
        return self._load(*made, None) if keys == [None] else {key: self._load(*made, key) for key in keys}

    def _load(self, step_key: str, output: str, mapping_key: str | None) -> Any:
        scope = self._scope
        handle = step_key.partition("[")[0]
        step = next(one for one in scope.plan.steps.values() if one.node.handle == handle)
        out = scope.job.ops[handle].outs[output]
        init = ResourceInit(instance=scope.memory, run=scope.run, log=None)
        with open_resources(scope.job.resource_defs, [out.io_manager_key], scope.resource_configs, init) as opened:
            scope.resources = opened
            about: dict[str, Any] = {
                "asset_key": scope.asset_of(handle, output), "io_manager_key": out.io_manager_key,
                "dagster_type": out.dagster_type,
            }  # fmt: skip
            context = StepContext(scope, step, 1)
            upstream = OutputContext(
                context, output, definition_metadata=out.metadata, step_key=step_key, run_id=scope.source_run(step_key),
                mapping_key=mapping_key, **about,
            )  # fmt: skip
            return opened.raw[out.io_manager_key].load_input(InputContext(context, output, upstream=upstream, **about))
