"""Sensors: functions that are called every few seconds and say what runs."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

from treadle.author.requests import RunRequest, SensorExecutionData, SensorResult, outcome_of
from treadle.author.tick_contexts import SensorEvaluationContext
from treadle.author.triggers import Job, TickFunction, Trigger, check_job_names, resolved, targets_of
from treadle.core import tags as tag_rules
from treadle.core.keys import AssetJobKey, check_name
from treadle.core.partitions import AddDynamicPartitionsRequest
from treadle.errors import DefinitionError, InvariantError, InvocationError, SelectionError
from treadle.spec.policies import AutomationRule
from treadle.spec.selection import AssetSelection

DEFAULT_INTERVAL = 30
"""Seconds between the starts of two evaluations, at least."""
_ASSET_JOB = "__ASSET_JOB"


class DefaultSensorStatus(enum.Enum):
    """Whether a sensor runs before anyone turned it on or off."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


class SensorType(enum.Enum):
    """What a sensor looks at."""

    STANDARD = "STANDARD"
    RUN_STATUS = "RUN_STATUS"
    ASSET = "ASSET"
    MULTI_ASSET = "MULTI_ASSET"
    FRESHNESS_POLICY = "FRESHNESS_POLICY"
    AUTO_MATERIALIZE = "AUTO_MATERIALIZE"
    AUTOMATION = "AUTOMATION"
    UNKNOWN = "UNKNOWN"


class SensorDefinition(Trigger):
    """A sensor. `sensor` makes one of a function.

    Args:
        name: its name; the function's by default.
        evaluation_fn: gives `RunRequest`s, a `SkipReason`, a `SensorResult`, or None. It takes a context and resources.
        minimum_interval_seconds: how many seconds lie between the starts of two evaluations, at least; 30 by default.
        job_name, job, jobs, target: what it starts: one of a job's name, a job or graph, several, and either or assets.
        asset_selection: in place of these, the assets that its run requests select from.
        default_status: whether it runs before anyone turned it on.
        required_resource_keys: what its function uses of `context.resources`.
        tags, metadata: facts about it.
        owners: e-mail addresses, or `team:<name>`.

    Raises:
        DefinitionError: there is no function, or what it starts is given in several ways.
    """

    sensor_type = SensorType.STANDARD
    _statuses = DefaultSensorStatus
    _context_type = SensorEvaluationContext
    _most_parameters = 1

    def __init__(
        self,
        name: str | None = None,
        *,
        evaluation_fn: Callable[..., Any] | None = None,
        job_name: str | None = None,
        minimum_interval_seconds: int | None = None,
        description: str | None = None,
        job: Any = None,
        jobs: Sequence[Any] | None = None,
        default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
        asset_selection: Any = None,
        required_resource_keys: set[str] | None = None,
        tags: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        target: Any = None,
        owners: Sequence[str] | None = None,
    ) -> None:
        self.name = check_name(name or getattr(evaluation_fn, "__name__", ""), "a sensor")
        self._what = what = f"Sensor {self.name!r}"
        if evaluation_fn is None:
            raise DefinitionError(
                f"{what} has no function. Give it evaluation_fn, or decorate a function with @sensor."
            )
        self.targets = targets_of(what, self.name, job, jobs, job_name, target)
        if asset_selection is not None and self.targets:
            raise DefinitionError(f"{what} got asset_selection and a job. Give one of them.")
        self.asset_selection = None if asset_selection is None else AssetSelection.from_coercible(asset_selection)
        self._function = TickFunction.of(evaluation_fn, what, required_resource_keys, self._most_parameters)
        self._describe(evaluation_fn, description, default_status, metadata, owners)
        self._describe_sensor(minimum_interval_seconds, tags, self._function.required)

    def _describe_sensor(self, interval: int | None, tags: Mapping[str, Any] | None, required: Set[str]) -> None:
        if interval is not None and not (isinstance(interval, int | float) and interval >= 0):
            raise DefinitionError(f"{self._what}: minimum_interval_seconds is {interval!r}. Use 0 or more.")
        self.minimum_interval_seconds = DEFAULT_INTERVAL if interval is None else interval
        self.tags: Mapping[str, str] = tag_rules.run_tags(tags, self._what)
        self.required_resource_keys: set[str] = set(required)

    @property
    def jobs(self) -> list[Job]:
        """Its jobs.

        Raises:
            DefinitionError: it has none, or only a name was given.
        """
        return [self.job] if len(self.targets) < 2 else [one for one in self.targets if not isinstance(one, str)]

    def evaluate_tick(self, context: Any) -> SensorExecutionData:
        """What an evaluation comes to.

        Raises:
            InvariantError: the function gave what it may not, a run of another job, or a cursor in two ways.
        """
        return self._read(context, self._evaluate(context))

    def _evaluate(self, context: Any) -> Any:
        return self._function(context)

    def _read(self, context: Any, given: Any) -> SensorExecutionData:
        outcome = outcome_of(self._what, given)
        if outcome.cursor is not None and context.cursor_updated:
            raise InvariantError(
                f"{self._what} gave SensorResult(cursor=...), and the cursor is moved already: by "
                "context.update_cursor, or by a sensor that keeps it itself. Leave cursor out of the SensorResult."
            )
        reason = outcome.skip_reason
        quiet = None if outcome.run_requests else "The function of the sensor asked for no runs."
        return SensorExecutionData(
            self._resolve(context, outcome),
            quiet if reason is None else reason.skip_message,
            context.cursor if outcome.cursor is None else outcome.cursor,
            outcome.dynamic_partitions_requests,
            outcome.asset_events,
            outcome.automation_condition_evaluations,
        )

    def _resolve(self, context: Any, outcome: SensorResult) -> Sequence[RunRequest]:
        requests = outcome.run_requests
        if not requests:
            return requests
        if not self.targets and self.asset_selection is None:
            raise InvariantError(
                f"{self._what} asks for a run and starts nothing. Give it a job, a job_name or a target."
            )
        if self.asset_selection is not None:
            requests = list(self._over_assets(self.asset_selection, context.repository_def, requests))
        else:
            check_job_names(requests, self.targets, self._what)
        store = _Store(context._instance, outcome.dynamic_partitions_requests)
        own = {tag_rules.SENSOR_NAME: self.name}
        return [resolved(one, self.targets, context.repository_def, None, store, own) for one in requests]

    def _over_assets(
        self, selection: AssetSelection, definitions: Any, requests: Sequence[RunRequest]
    ) -> Iterator[RunRequest]:
        """The requests of a sensor with an asset selection: over those assets, or some of them."""
        graph = definitions.layer.graph if definitions is not None else None
        allowed = selection.resolve(graph) if graph is not None else None
        for request in requests:
            chosen = request.asset_selection
            if graph is not None and allowed is not None:
                chosen = sorted(allowed) if chosen is None else chosen
                beside = [key for key in chosen if key not in allowed]
                beside += [key for key in request.asset_check_keys or () if key not in graph.checks]
                if beside:
                    raise SelectionError(
                        f"{self._what} asks for {', '.join(key.to_user_string() for key in beside)}: not of its "
                        "asset_selection, or not declared. Ask for some of these assets and their checks."
                    )
            yield request.with_replaced_attrs(asset_selection=chosen, job_name=_ASSET_JOB)


class _Store:
    """Dynamic partitions as they will be once what a sensor asked for is done."""

    def __init__(self, instance: Any, asked: Sequence[Any]) -> None:
        self._instance = instance
        self._asked = asked

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """The keys."""
        keys: dict[str, None] = dict.fromkeys(
            self._instance.get_dynamic_partitions(partitions_def_name) if self._instance else ()
        )
        for one in self._asked:
            if one.partitions_def_name != partitions_def_name:
                continue
            if isinstance(one, AddDynamicPartitionsRequest):
                keys.update(dict.fromkeys(one.partition_keys))
            else:
                for key in one.partition_keys:
                    keys.pop(key, None)
        return list(keys)


def sensor(
    job_name: str | None = None,
    *,
    name: str | None = None,
    minimum_interval_seconds: int | None = None,
    description: str | None = None,
    job: Any = None,
    jobs: Sequence[Any] | None = None,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
    asset_selection: Any = None,
    required_resource_keys: set[str] | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    target: Any = None,
    owners: Sequence[str] | None = None,
) -> Callable[[Callable[..., Any]], SensorDefinition]:
    """Make a function a sensor. It is called again and again and says what runs.

    It returns or yields `RunRequest`s, a `SkipReason`, or returns a `SensorResult` or None. It takes a context, whose
    cursor tells how far it came, and resources. Arguments as for `SensorDefinition`.
    """
    given = locals()
    return lambda fn: SensorDefinition(evaluation_fn=fn, **given)


class AutomationConditionSensorDefinition(SensorDefinition):
    """Says when, and with what, the automation conditions of some assets are evaluated.

    Args:
        target: the assets.
        run_tags: tags of the runs that it starts.
        emit_backfills: whether it may start backfills where many partitions are due.
        use_user_code_server: whether conditions are evaluated where user code is, as custom conditions need.
        default_condition: for assets that have none; needs `use_user_code_server`.
        asset_job_keys: the jobs whose conditions are evaluated too; not with `use_user_code_server`.

    Raises:
        DefinitionError: `default_condition` is no condition, or arguments exclude each other.
    """

    targets = ()
    _function = None

    def __init__(
        self,
        name: str,
        *,
        target: Any,
        tags: Mapping[str, str] | None = None,
        run_tags: Mapping[str, Any] | None = None,
        default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
        minimum_interval_seconds: int | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        emit_backfills: bool = True,
        use_user_code_server: bool = False,
        default_condition: AutomationRule | None = None,
        asset_job_keys: Set[AssetJobKey] | None = None,
    ) -> None:
        self.name = check_name(name, "a sensor")
        self._what = f"Sensor {name!r}"
        if default_condition is not None and not isinstance(default_condition, AutomationRule):
            raise DefinitionError(f"{self._what}: default_condition is {default_condition!r}, which is no condition.")
        if default_condition is not None and not use_user_code_server:
            raise DefinitionError(f"{self._what}: default_condition needs use_user_code_server=True.")
        if asset_job_keys and use_user_code_server:
            raise DefinitionError(f"{self._what}: asset_job_keys exclude use_user_code_server. Make two sensors.")
        self.asset_selection = AssetSelection.from_coercible(target)
        self.run_tags = tag_rules.run_tags(run_tags, self._what)
        self.emit_backfills = emit_backfills
        self.use_user_code_server = use_user_code_server
        self.default_condition = default_condition
        self.asset_job_keys = frozenset(asset_job_keys or ())
        self._describe(None, description, default_status, metadata, None)
        self._describe_sensor(minimum_interval_seconds, tags, frozenset())

    @property
    def sensor_type(self) -> SensorType:  # pyright: ignore[reportIncompatibleVariableOverride]
        """AUTOMATION where user code is used, else AUTO_MATERIALIZE."""
        return SensorType.AUTOMATION if self.use_user_code_server else SensorType.AUTO_MATERIALIZE

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Not possible: the system evaluates it."""
        raise InvocationError(f"{self._what} has no function: the daemon evaluates the conditions of its assets.")

    def evaluate_tick(self, context: Any) -> SensorExecutionData:
        """Not possible: the system evaluates it."""
        return self(context)
