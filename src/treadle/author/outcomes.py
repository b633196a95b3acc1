"""What user functions return, yield or raise to say how it went."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import msgspec

from treadle.core import tags
from treadle.core.keys import AssetKey, CoercibleToAssetKey
from treadle.core.metadata import MetadataValue, normalize
from treadle.errors import DefinitionError
from treadle.state.facts import AssetCheckSeverity

T = TypeVar("T")


class NoValue:
    """Stands for a value that was not given, where None would be one."""

    def __repr__(self) -> str:
        return "<no value>"


NO_VALUE: Any = NoValue()


class DataVersion(msgspec.Struct, frozen=True):
    """A version of an asset's data: equal texts mean equal data."""

    value: str


class DataProvenance(msgspec.Struct, frozen=True):
    """What a materialization was made from.

    Attributes:
        code_version: the version of the code; the id of the run where the asset declares none.
        input_data_versions: the data versions of what it was made from.
        input_storage_ids: the events that these versions come from, where they were recorded.
        is_user_provided: whether user code said its data version.
    """

    code_version: str
    input_data_versions: dict[AssetKey, DataVersion]
    input_storage_ids: dict[AssetKey, int | None]
    is_user_provided: bool

    @classmethod
    def from_tags(cls, found: Mapping[str, str]) -> DataProvenance | None:
        """The provenance in the tags of a materialization; None if there is none."""
        if tags.CODE_VERSION not in found:
            return None
        inputs = {
            AssetKey.from_user_string(name[len(tags.INPUT_DATA_VERSION_PREFIX) :]): value
            for name, value in found.items()
            if name.startswith(tags.INPUT_DATA_VERSION_PREFIX)
        }
        pointers = {key: found.get(tags.INPUT_EVENT_POINTER_PREFIX + key.to_user_string()) for key in inputs}
        return cls(
            found[tags.CODE_VERSION],
            {key: DataVersion(value) for key, value in inputs.items()},
            {key: int(value) if value and value.isdecimal() else None for key, value in pointers.items()},
            found.get(tags.DATA_VERSION_IS_USER_PROVIDED) == "true",
        )


class Outcome:
    """Equal if all that it says is. Not hashable: metadata and values may change."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        names = (name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ()))
        return isinstance(other, type(self)) and all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__ = None  # type: ignore[assignment]


class Output(Outcome, Generic[T]):
    """A value that an op or asset produces, with facts about it.

    Args:
        value: the value.
        output_name: the output it is for.
        metadata: facts about the value.
        data_version: the version of the data, if the function knows better than the default.
        tags: tags for the materialization.
    """

    __slots__ = ("data_version", "metadata", "output_name", "tags", "value")

    def __init__(
        self,
        value: T,
        output_name: str = "result",
        metadata: Mapping[str, Any] | None = None,
        data_version: DataVersion | None = None,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.value = value
        self.output_name = output_name
        self.metadata: dict[str, MetadataValue] = normalize(metadata, f"output {output_name!r}") if metadata else {}
        self.data_version = data_version
        self.tags = dict(tags) if tags else {}

    def __repr__(self) -> str:
        return f"Output({self.value!r}, output_name={self.output_name!r})"


class DynamicOutput(Outcome, Generic[T]):
    """One of the values of a dynamic output.

    Args:
        value: the value.
        mapping_key: tells it from the others: letters, digits and underscores.
        output_name: the output it is for.
        metadata: facts about the value.

    Raises:
        DefinitionError: the mapping key is empty or has other characters.
    """

    __slots__ = ("mapping_key", "metadata", "output_name", "value")

    def __init__(
        self,
        value: T,
        mapping_key: str,
        output_name: str | None = "result",
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(mapping_key, str) or not re.fullmatch(r"[A-Za-z0-9_]+", mapping_key):
            raise DefinitionError(
                f"{mapping_key!r} cannot be a mapping key: it becomes part of step keys, so it is a text of letters, "
                "digits and underscores. Replace other characters."
            )
        self.value = value
        self.mapping_key = mapping_key
        self.output_name = output_name or "result"
        self.metadata: dict[str, MetadataValue] = normalize(metadata, f"value {mapping_key!r}") if metadata else {}

    def __repr__(self) -> str:
        return f"DynamicOutput({self.value!r}, {self.mapping_key!r}, output_name={self.output_name!r})"


class AssetCheckResult(Outcome):
    """How the evaluation of an asset check came out.

    Args:
        passed: whether the check passed.
        asset_key: the asset; may be left out where the function has one asset only.
        check_name: the check; may be left out where the function has one check only.
        metadata: facts about the outcome.
        severity: how bad it is if it did not pass; only ERROR blocks.
    """

    __slots__ = ("asset_key", "check_name", "description", "metadata", "passed", "severity")

    def __init__(
        self,
        *,
        passed: bool,
        asset_key: CoercibleToAssetKey | None = None,
        check_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        severity: AssetCheckSeverity = AssetCheckSeverity.ERROR,
        description: str | None = None,
    ) -> None:
        if type(passed) is not bool:
            kind = f"{type(passed).__module__}.{type(passed).__name__}"
            if "bool" not in type(passed).__name__:  # numpy's booleans are what a check often has in hand
                raise DefinitionError(f"AssetCheckResult: `passed` must be a bool, not {kind}. Wrap it: bool(...).")
        self.passed = bool(passed)
        self.asset_key = AssetKey.of(asset_key) if asset_key is not None else None
        self.check_name = check_name
        self.metadata: dict[str, MetadataValue] = normalize(metadata, "an AssetCheckResult") if metadata else {}
        self.severity = severity
        self.description = description

    def __repr__(self) -> str:
        return f"AssetCheckResult(passed={self.passed}, asset_key={self.asset_key!r}, check_name={self.check_name!r})"


class AssetResult(Outcome):
    """What functions that make or observe an asset report about it alike."""

    __slots__ = ("asset_key", "check_results", "data_version", "metadata", "tags")

    def __init__(
        self,
        asset_key: CoercibleToAssetKey | None = None,
        metadata: Mapping[str, Any] | None = None,
        check_results: Sequence[AssetCheckResult] | None = None,
        data_version: DataVersion | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.asset_key = AssetKey.of(asset_key) if asset_key is not None else None
        self.metadata = metadata
        self.check_results: Sequence[AssetCheckResult] = tuple(check_results or ())
        self.data_version = data_version
        self.tags = tags


class MaterializeResult(AssetResult, Generic[T]):
    """What a function that materializes an asset reports about it.

    Args:
        asset_key: the asset; may be left out where the function makes one asset only.
        metadata: facts about what was made.
        check_results: outcomes of the checks that the asset declares in `check_specs`.
        data_version: the version of the data, if the function knows better than the default.
        tags: tags for the materialization.
        value: the value for the IO manager to store. Without it no IO manager is called.
    """

    __slots__ = ("value",)

    def __init__(
        self,
        asset_key: CoercibleToAssetKey | None = None,
        metadata: Mapping[str, Any] | None = None,
        check_results: Sequence[AssetCheckResult] | None = None,
        data_version: DataVersion | None = None,
        tags: Mapping[str, str] | None = None,
        value: T = NO_VALUE,
    ) -> None:
        super().__init__(asset_key, metadata, check_results, data_version, tags)
        self.value = value

    @property
    def has_value(self) -> bool:
        """Whether there is a value for the IO manager."""
        return cast(Any, self.value) is not NO_VALUE

    def __repr__(self) -> str:
        return f"MaterializeResult(asset_key={self.asset_key!r}, metadata={self.metadata!r})"


class Failure(Exception):
    """Raise it to fail a step with a sentence and facts for people.

    Args:
        description: why it failed.
        metadata: facts about the failure.
        allow_retries: False fails at once, whatever the retry policy says.
    """

    def __init__(
        self,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        allow_retries: bool | None = None,
    ) -> None:
        super().__init__(description)
        self.description = description
        self.metadata: dict[str, MetadataValue] = normalize(metadata, "a Failure") if metadata else {}
        self.allow_retries = True if allow_retries is None else allow_retries


class RetryRequested(Exception):
    """Raise it to ask for another attempt of the step.

    Args:
        max_retries: how many retries there may be in all, counted together with those of the retry policy.
        seconds_to_wait: the wait before the next attempt.
    """

    def __init__(self, max_retries: int | None = 1, seconds_to_wait: float | None = None) -> None:
        super().__init__()
        self.max_retries = 1 if max_retries is None else max_retries
        self.seconds_to_wait = seconds_to_wait
