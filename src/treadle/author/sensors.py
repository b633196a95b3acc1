"""Sensors: functions that are called every few seconds and say what runs."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from treadle.author.requests import RunRequest, SensorExecutionData, SensorResult, SkipReason
from treadle.author.signature import docstring
from treadle.author.tick_contexts import SensorEvaluationContext, TickFunction
from treadle.author.tick_targets import Job, check_job_names, name_of, resolved, targets_of
from treadle.core import tags as tag_rules
from treadle.core.keys import check_name
from treadle.core.metadata import normalize
from treadle.core.partitions import AddDynamicPartitionsRequest
from treadle.errors import DefinitionError, InvariantError, InvocationError
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


class SensorDefinition:
    """A sensor. `sensor` makes one of a function.

    Args:
        name: its name; the function's by default.
        evaluation_fn: gives `RunRequest`s, a `SkipReason`, a `SensorResult`, or None. It takes a context and resources.
        minimum_interval_seconds: how many seconds lie between the starts of two evaluations, at least; 30 by default.
        description: a sentence for people.
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
    _context_type: type = SensorEvaluationContext
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
        self.targets: tuple[Job | str, ...] = targets_of(what, self.name, job, jobs, job_name, target)
        if asset_selection is not None and self.targets:
            raise DefinitionError(f"{what} got asset_selection and a job. Give one of them.")
        self.asset_selection = None if asset_selection is None else AssetSelection.from_coercible(asset_selection)
        self._function = TickFunction.of(evaluation_fn, what, required_resource_keys, self._most_parameters)
        self._set_facts(minimum_interval_seconds, description, default_status, tags, metadata, owners)
        self.required_resource_keys: set[str] = set(self._function.required)

    def _set_facts(
        self, minimum_interval_seconds: int | None, description: str | None, default_status: DefaultSensorStatus,
        tags: Mapping[str, str] | None, metadata: Mapping[str, Any] | None, owners: Sequence[str] | None = None,
    ) -> None:  # fmt: skip
        what = self._what
        if not isinstance(default_status, DefaultSensorStatus):
            raise DefinitionError(f"{what}: default_status is {default_status!r}. Use DefaultSensorStatus.")
        if minimum_interval_seconds is not None and minimum_interval_seconds < 0:
            raise DefinitionError(f"{what}: minimum_interval_seconds is {minimum_interval_seconds}. Use 0 or more.")
        self.minimum_interval_seconds = (
            DEFAULT_INTERVAL if minimum_interval_seconds is None else minimum_interval_seconds
        )
        self.description = description
        self.default_status = default_status
        self.tags: Mapping[str, str] = tag_rules.definition_tags(tags, what)
        self.metadata = normalize(metadata, what) if metadata else {}
        self.owners = tag_rules.owners(owners, what)

    @property
    def jobs(self) -> list[Job]:
        """Its jobs.

        Raises:
            InvariantError: only a name was given.
        """
        for one in self.targets:
            if isinstance(one, str):
                raise InvariantError(f"{self._what} knows only the name of its job: {one!r}. See job_name.")
        return [one for one in self.targets if not isinstance(one, str)]

    @property
    def job(self) -> Job:
        """Its job.

        Raises:
            DefinitionError: it has none, or several.
        """
        self._only_target()
        return self.jobs[0]

    @property
    def job_name(self) -> str | None:
        """The name of its job.

        Raises:
            DefinitionError: it has none, or several.
        """
        return name_of(self._only_target())

    def _only_target(self) -> Job | str:
        if len(self.targets) != 1:
            raise DefinitionError(f"{self._what} has {len(self.targets) or 'no'} jobs. See targets.")
        return self.targets[0]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, as tests do, with a context if it takes one. What it gives is returned as it is.

        Raises:
            InvocationError: it is called with something else.
        """
        context, resources = self._function.by_hand(self._context_type, args, kwargs)
        return self._function.fn(*(context,)[: len(self._function.names)], **resources)

    def evaluate_tick(self, context: Any) -> SensorExecutionData:
        """What an evaluation comes to.

        Raises:
            InvariantError: the function gave what it may not, a run of another job, or a cursor in two ways.
        """
        return self._read(context, self._evaluate(context))

    def _evaluate(self, context: Any) -> Any:
        return self._function(context)

    def _read(self, context: Any, given: Any) -> SensorExecutionData:
        items = list(given) if isinstance(given, Iterator | list | tuple) else [] if given is None else [given]
        whole = next((one for one in items if isinstance(one, SensorResult)), None)
        if whole is not None:
            if len(items) > 1:
                raise InvariantError(f"{self._what} gave a SensorResult and more. Put all of it into the SensorResult.")
            if whole.cursor is not None and context.cursor_updated:
                raise InvariantError(
                    f"{self._what} called context.update_cursor and gave SensorResult(cursor=...). Do one of the two."
                )
            items = [*whole.run_requests, *([whole.skip_reason] if whole.skip_reason else [])]  # pyright: ignore[reportOptionalIterable]
        requests = [one for one in items if isinstance(one, RunRequest)]
        skips = [one for one in items if isinstance(one, SkipReason)]
        if len(requests) + len(skips) < len(items) or len(skips) > 1 or (skips and requests):
            raise InvariantError(
                f"{self._what} gave {items!r:.200}. It may give run requests, or one SkipReason, or one SensorResult."
            )
        message = (
            skips[0].skip_message if skips else None if requests else "The function of the sensor asked for no runs."
        )
        asked = whole.dynamic_partitions_requests if whole is not None else []
        return SensorExecutionData(
            self._resolve(context, requests, asked),
            message,
            whole.cursor if whole is not None and whole.cursor is not None else context.cursor,
            asked,
            whole.asset_events if whole is not None else [],
        )

    def _resolve(self, context: Any, requests: list[RunRequest], asked: Sequence[Any]) -> list[RunRequest]:
        if not requests:
            return []
        if not self.targets and self.asset_selection is None:
            raise InvariantError(
                f"{self._what} asks for a run and starts nothing. Give it a job, a job_name or a target."
            )
        if self.asset_selection is not None:
            requests = [self._over_assets(context, one) for one in requests]
        else:
            check_job_names(requests, self.targets, self._what)
        store = _Store(context._instance, asked)
        own = {tag_rules.SENSOR_NAME: self.name}
        return [resolved(one, self.targets, context.repository_def, None, store, own) for one in requests]

    def _over_assets(self, context: Any, request: RunRequest) -> RunRequest:
        """A request of a sensor with an asset selection: over those assets, or some of them."""
        selection, definitions = self.asset_selection, context.repository_def
        chosen = request.asset_selection
        if definitions is not None and selection is not None:
            allowed = selection.resolve(definitions.layer.graph)
            wrong = next((key for key in chosen or () if key not in allowed), None)
            if wrong is not None:
                raise InvariantError(
                    f"{self._what} asks for asset {wrong.to_user_string()!r}, which its asset_selection does not have."
                )
            chosen = chosen if chosen is not None else sorted(allowed)
        return request.with_replaced_attrs(asset_selection=chosen, job_name=_ASSET_JOB)

    def __repr__(self) -> str:
        return f"<sensor {self.name}>"


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
                gone = set(one.partition_keys)
                keys = dict.fromkeys(key for key in keys if key not in gone)
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

    def make(fn: Callable[..., Any]) -> SensorDefinition:
        return SensorDefinition(
            name or fn.__name__, evaluation_fn=fn, job_name=job_name,
            minimum_interval_seconds=minimum_interval_seconds, description=description or docstring(fn), job=job,
            jobs=jobs, default_status=default_status, asset_selection=asset_selection,
            required_resource_keys=required_resource_keys, tags=tags, metadata=metadata, target=target, owners=owners,
        )  # fmt: skip

    return make


class AutomationConditionSensorDefinition(SensorDefinition):
    """Says when, and with what, the automation conditions of some assets are evaluated.

    Args:
        name: its name.
        target: the assets.
        run_tags: tags of the runs that it starts.
        emit_backfills: whether it may start backfills where many partitions are due.
        use_user_code_server: whether conditions are evaluated where user code is, as custom conditions need.
        default_condition: for assets that have none; needs `use_user_code_server`.

    Raises:
        DefinitionError: `default_condition` is given without `use_user_code_server`, or is no condition.
    """

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
    ) -> None:
        self.name = check_name(name, "a sensor")
        self._what = f"Sensor {name!r}"
        if default_condition is not None and not isinstance(default_condition, AutomationRule):
            raise DefinitionError(f"{self._what}: default_condition is {default_condition!r}, which is no condition.")
        if default_condition is not None and not use_user_code_server:
            raise DefinitionError(f"{self._what}: default_condition needs use_user_code_server=True.")
        self.targets = ()
        self.asset_selection = AssetSelection.from_coercible(target)
        self.run_tags = tag_rules.run_tags(run_tags, self._what)
        self.emit_backfills = emit_backfills
        self.use_user_code_server = use_user_code_server
        self.default_condition = default_condition
        self.required_resource_keys = set()
        self._set_facts(minimum_interval_seconds, description, default_status, tags, metadata)

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
