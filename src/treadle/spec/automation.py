"""Automation conditions: when an asset, check or job should run without being asked, as declared.

A condition is a tree of frozen data, equal by value, that travels on the wire. Its leaves say something about one
asset at one evaluation, the others combine. A labelled part keeps its own node, so that people can find and replace it.
What a tree means for the assets there are is decided elsewhere. Conditions of users are plain subclasses of
`AutomationCondition`: where their code is not loaded, a `CustomCondition` with their name stands for them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from datetime import timedelta
from functools import lru_cache
from typing import Any, ClassVar, ParamSpec, Self, TypeAlias, TypeVar, cast

import msgspec
from msgspec import structs

from treadle.core import codec
from treadle.core.keys import AssetKey, CoercibleToAssetKey
from treadle.core.time import parse_cron, zone_of
from treadle.core.told import told
from treadle.errors import DefinitionError
from treadle.spec.policies import AutomationRule
from treadle.spec.selection import AssetSelection

_New = TypeVar("_New", bound="AutomationCondition")
_Made = TypeVar("_Made")
_P = ParamSpec("_P")


def _kept(make: Callable[_P, _Made]) -> Callable[_P, _Made]:
    """Many assets have the same condition: let it be one object, whose parts are evaluated once for all of them."""
    return cast(Callable[_P, _Made], lru_cache(maxsize=256)(make))


def _leaf(
    name: str, doc: str, *, kind: str | None = None, label: bool = False
) -> staticmethod[[], AutomationCondition]:
    """A method that makes a leaf without arguments."""

    def make() -> AutomationCondition:
        return Operand(kind or name, label=name if label else None)

    make.__name__, make.__qualname__, make.__doc__ = name, f"AutomationCondition.{name}", doc
    return staticmethod(make)


class AutomationCondition(AutomationRule):
    """When something should run without being asked. Make one with the static methods, combine with `&`, `|` and `~`.

    Subclass it for a condition of your own. Such a class may have any constructor; two of its objects are equal when
    their attributes are.

    Example:
        `AutomationCondition.eager() & ~AutomationCondition.any_deps_match(AutomationCondition.execution_failed())`
    """

    __slots__ = ()
    label: str | None = None
    """A name for this part of a tree, given with `with_label`."""

    # --- what it is

    @property
    def name(self) -> str:
        """What kind of condition this is, with its arguments."""
        return type(self).__name__

    @property
    def description(self) -> str:
        """A few words for people; may be empty."""
        return ""

    @property
    def children(self) -> Sequence[AutomationCondition]:
        """The conditions that this one is made of."""
        return ()

    @property
    def is_serializable(self) -> bool:
        """Whether it can be evaluated without the user's code: no part of it is a class of theirs."""
        return False

    def with_label(self, label: str | None) -> Self:
        """This condition under a name; None takes the name away."""
        named = copy.copy(self)
        object.__setattr__(named, "label", label)
        return named

    def walk(self) -> Iterator[AutomationCondition]:
        """It and all that it is made of, each before its parts."""
        yield self
        for child in self.children:
            yield from child.walk()

    # --- combining

    def __and__(self, other: AutomationCondition) -> AllOf:
        """True where both are. Parts without a label are joined into one level."""
        return AllOf((*_joined(self, AllOf), *_joined(_checked(other, "&"), AllOf)))

    def __or__(self, other: AutomationCondition) -> AnyOf:
        """True where one is. Parts without a label are joined into one level."""
        return AnyOf((*_joined(self, AnyOf), *_joined(_checked(other, "|"), AnyOf)))

    def __invert__(self) -> Not:
        """True where this is not."""
        return Not(_checked(self, "~"))

    def since(self, reset_condition: AutomationCondition) -> Since:
        """True from the moment this becomes true until `reset_condition` does."""
        return Since(_checked(self, "since()"), _checked(reset_condition, "since()"))

    def since_last_handled(self) -> Since:
        """True since this became true, unless the target was requested or updated after, or was new then."""
        return Since(_checked(self, "since_last_handled()"), _HANDLED)

    def newly_true(self) -> NewlyTrue:
        """True at the evaluation at which this becomes true."""
        return NewlyTrue(_checked(self, "newly_true()"))

    def replace(self, old: AutomationCondition | str, new: _New) -> Self | _New:
        """This tree with every part that is `old` replaced by `new`. What is not found changes nothing.

        Args:
            old: a condition, or the label or name of one.
            new: what comes in its place; it is not looked into.
        """
        _checked(new, "replace()")
        return new if self._is(old) else self._mapped("replace", old, new)

    def _mapped(self, method: str, *args: Any) -> Self:
        """It with each child being what that method of it gives; children without the method stay."""
        return self

    def _is(self, wanted: AutomationCondition | str) -> bool:
        if isinstance(wanted, str):
            return wanted in (self.name, self.label)
        return self == _checked(wanted, "replace()")

    # --- about the target itself

    missing = _leaf("missing", "It was never materialized or observed; a check was never evaluated.")

    @staticmethod
    @_kept
    def newly_missing() -> NewlyTrue:
        """It became missing."""
        return NewlyTrue(Operand("missing"), label="newly_missing")

    run_in_progress = _leaf("run_in_progress", "It is part of a run that has not ended.")
    backfill_in_progress = _leaf("backfill_in_progress", "It is part of a backfill that has not ended.")

    @staticmethod
    @_kept
    def in_progress() -> AnyOf:
        """It is part of a run or backfill that has not ended."""
        return (Operand("run_in_progress") | Operand("backfill_in_progress")).with_label("in_progress")

    execution_failed = _leaf("execution_failed", "The latest run that should have made it failed.")
    newly_updated = _leaf("newly_updated", "It was updated since the last evaluation.")
    newly_requested = _leaf("newly_requested", "The last evaluation requested it.")
    will_be_requested = _leaf("will_be_requested", "This evaluation requests it.")
    initial_evaluation = _leaf("initial_evaluation", "This condition is evaluated for the first time for it.")
    code_version_changed = _leaf(
        "code_version_changed", "Its declared code version is another than at the last evaluation."
    )
    data_version_changed = _leaf("data_version_changed", "Its data version is another than at the last evaluation.")
    executed_with_root_target = _leaf(
        "executed_with_root_target",
        "The run of its latest update also made the asset that the whole condition belongs to.",
    )

    @staticmethod
    def executed_with_tags(
        *, tag_keys: Set[str] | None = None, tag_values: Mapping[str, str] | None = None
    ) -> RunTagsMatch:
        """The run of its latest update has all of these tags: `tag_keys` with any value, `tag_values` exactly."""
        return _run_tags("executed_with_tags", tag_keys, tag_values)

    @staticmethod
    def all_new_updates_have_run_tags(
        *, tag_keys: Set[str] | None = None, tag_values: Mapping[str, str] | None = None
    ) -> RunTagsMatch:
        """It was updated since the last evaluation, by runs that all have these tags. See `executed_with_tags`."""
        return _run_tags("all_new_updates_have_run_tags", tag_keys, tag_values)

    @staticmethod
    def any_new_update_has_run_tags(
        *, tag_keys: Set[str] | None = None, tag_values: Mapping[str, str] | None = None
    ) -> RunTagsMatch:
        """It was updated since the last evaluation, by at least one run that has these tags."""
        return _run_tags("any_new_update_has_run_tags", tag_keys, tag_values)

    @staticmethod
    def in_latest_time_window(lookback_delta: timedelta | None = None) -> InLatestTimeWindow:
        """It is the last partition; with `lookback_delta`, one within so long before the end of the last. Always true
        without time-window partitions."""
        if lookback_delta is not None and not isinstance(lookback_delta, timedelta):
            raise DefinitionError(f"in_latest_time_window: lookback_delta is a timedelta, not {lookback_delta!r}.")
        return InLatestTimeWindow(lookback_delta)

    @staticmethod
    @_kept
    def cron_tick_passed(cron_schedule: str, cron_timezone: str = "UTC") -> CronTickPassed:
        """A tick of this cron schedule came since the last evaluation.

        Raises:
            DefinitionError: the schedule or the time zone cannot be read.
        """
        if not isinstance(cron_schedule, str):
            raise DefinitionError(f"A cron schedule is a string, such as '0 6 * * *', not {cron_schedule!r}.")
        parse_cron(cron_schedule)
        zone_of(cron_timezone)
        return CronTickPassed(cron_schedule, cron_timezone)

    check_passed = _leaf("check_passed", "Of a check: its latest evaluation passed.")
    check_failed = _leaf("check_failed", "Of a check: its latest evaluation did not pass.")
    freshness_passed = _leaf("freshness_passed", "Its freshness policy finds it fresh.", label=True)
    freshness_warned = _leaf("freshness_warned", "Its freshness policy warns.", label=True)
    freshness_failed = _leaf("freshness_failed", "Its freshness policy finds it too old.", label=True)

    # --- about others

    @staticmethod
    def any_deps_match(condition: AutomationCondition) -> DepsMatch:
        """`condition` is true of a partition that it depends on, of any dependency."""
        return DepsMatch(False, _checked(condition, "any_deps_match()"))

    @staticmethod
    def all_deps_match(condition: AutomationCondition) -> DepsMatch:
        """Of each dependency, `condition` is true of a partition that it depends on."""
        return DepsMatch(True, _checked(condition, "all_deps_match()"))

    @staticmethod
    def any_checks_match(condition: AutomationCondition, blocking_only: bool = False) -> ChecksMatch:
        """`condition` is true of one of its checks; with `blocking_only`, of one that blocks."""
        return ChecksMatch(False, _checked(condition, "any_checks_match()"), blocking_only=blocking_only)

    @staticmethod
    def all_checks_match(condition: AutomationCondition, blocking_only: bool = False) -> ChecksMatch:
        """`condition` is true of all its checks; with `blocking_only`, of those that block."""
        return ChecksMatch(True, _checked(condition, "all_checks_match()"), blocking_only=blocking_only)

    @staticmethod
    def asset_matches(key: CoercibleToAssetKey, condition: AutomationCondition) -> AssetMatches:
        """`condition` is true of the asset `key`."""
        return AssetMatches(AssetKey.from_coercible(key), _checked(condition, "asset_matches()"))

    @staticmethod
    def any_job_root_assets_match(condition: AutomationCondition) -> JobRootsMatch:
        """Of a job: `condition` is true of one of its assets that depends on none of its others."""
        return _job_roots(False, _checked(condition, "any_job_root_assets_match()"))

    @staticmethod
    def all_job_root_assets_match(condition: AutomationCondition) -> JobRootsMatch:
        """Of a job: `condition` is true of all of its assets that depend on none of its others."""
        return _job_roots(True, _checked(condition, "all_job_root_assets_match()"))

    any_downstream_conditions = _leaf(
        "any_downstream_conditions", "The condition of an asset downstream is true.", kind="ANY_DOWNSTREAM_CONDITIONS"
    )

    # --- put together

    @staticmethod
    @_kept
    def any_deps_updated() -> DepsMatch:
        """A dependency was updated since the last evaluation by a run that does not make this too, or will be now."""
        alone = Operand("newly_updated") & ~Operand("executed_with_root_target")
        updated = alone.with_label("newly_updated_without_root") | Operand("will_be_requested")
        return DepsMatch(False, updated, label="any_deps_updated")

    @staticmethod
    @_kept
    def any_deps_missing() -> DepsMatch:
        """A dependency is missing, and this evaluation does not request it."""
        return DepsMatch(False, Operand("missing") & ~Operand("will_be_requested"), label="any_deps_missing")

    @staticmethod
    @_kept
    def any_deps_in_progress() -> DepsMatch:
        """A dependency is part of a run or backfill that has not ended."""
        return DepsMatch(False, AutomationCondition.in_progress(), label="any_deps_in_progress")

    @staticmethod
    @_kept
    def all_deps_blocking_checks_passed() -> DepsMatch:
        """All blocking checks of all dependencies passed."""
        passed = ChecksMatch(True, Operand("check_passed"), blocking_only=True, label="all_blocking_checks_passed")
        return DepsMatch(True, passed, label="all_deps_blocking_checks_passed")

    @staticmethod
    @_kept
    def all_deps_updated_since_cron(cron_schedule: str, cron_timezone: str = "UTC") -> DepsMatch:
        """Every dependency was updated since the last tick of the cron schedule, or will be by this evaluation."""
        tick = AutomationCondition.cron_tick_passed(cron_schedule, cron_timezone)
        updated = Operand("newly_updated").since(tick) | Operand("will_be_requested")
        return DepsMatch(True, updated, label=f"all_deps_updated_since_cron({cron_schedule}, {cron_timezone})")

    @staticmethod
    @_kept
    def eager() -> AllOf:
        """Make it whenever a dependency is updated or it becomes missing, once all of them are there and at rest."""
        this = AutomationCondition
        why = (this.newly_missing() | this.any_deps_updated()).since_last_handled()
        rest = ~this.any_deps_missing() & ~this.any_deps_in_progress() & ~this.in_progress()
        return (InLatestTimeWindow() & why & rest).with_label("eager")

    @staticmethod
    @_kept
    def on_cron(cron_schedule: str, cron_timezone: str = "UTC") -> AllOf:
        """Make it after each tick of the cron schedule, once every dependency was updated since that tick.

        Raises:
            DefinitionError: the schedule or the time zone cannot be read.
        """
        tick = AutomationCondition.cron_tick_passed(cron_schedule, cron_timezone).since_last_handled()
        deps = AutomationCondition.all_deps_updated_since_cron(cron_schedule, cron_timezone)
        return (InLatestTimeWindow() & tick & deps).with_label(f"on_cron({cron_schedule}, {cron_timezone})")

    @staticmethod
    @_kept
    def on_missing() -> AllOf:
        """Make it when it becomes missing and no dependency is."""
        missing = Operand("missing").newly_true().since_last_handled().with_label("missing_since_last_handled")
        return (InLatestTimeWindow() & missing & ~AutomationCondition.any_deps_missing()).with_label("on_missing")

    # --- as a value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _attributes(self) == _attributes(other)

    def __hash__(self) -> int:
        return hash(type(self))  # attributes of users' conditions need not be hashable

    def __repr__(self) -> str:
        named = f"{self.label}: " if self.label else ""
        return f"<AutomationCondition {named}{self._text()}>"

    def __str__(self) -> str:
        return self.label or self._text()

    def _text(self) -> str:
        """As an expression, labelled parts by their labels."""
        return self.name


# --- nodes ---------------------------------------------------------------------------------------------------------
# Fields that hold conditions are declared as `Tree`, the union of all nodes, for the decoder. What is in them may also
# be a user's condition: the encoder writes it as a CustomCondition.


class _Node(msgspec.Struct, AutomationCondition, frozen=True, kw_only=True, omit_defaults=True):
    label: str | None = None

    _name: ClassVar[str] = ""
    _description: ClassVar[str] = ""
    _parts: ClassVar[tuple[str, ...]] = ()  # the fields that hold one condition each

    name = told("_name", "What kind of condition this is.")
    description = told("_description", "A few words for people; may be empty.")

    @property
    def children(self) -> Sequence[AutomationCondition]:
        return tuple(getattr(self, part) for part in self._parts)

    @property
    def is_serializable(self) -> bool:
        return all(child.is_serializable for child in self.children)

    def with_label(self, label: str | None) -> Self:
        return structs.replace(self, label=label)

    def _mapped(self, method: str, *args: Any) -> Self:
        children = self.children
        mapped = [getattr(child, method)(*args) if hasattr(child, method) else child for child in children]
        if all(new is old for new, old in zip(mapped, children, strict=True)):
            return self
        return self._with_children(mapped)

    def _with_children(self, children: list[AutomationCondition]) -> Self:
        return structs.replace(self, **dict(zip(self._parts, children, strict=True)))

    def __repr__(self) -> str:
        return AutomationCondition.__repr__(self)


class Operand(_Node, frozen=True, tag="is"):
    """A leaf without arguments.

    Attributes:
        kind: what it says.
    """

    kind: str

    name = told("kind", "What it says.")


class CronTickPassed(_Node, frozen=True, tag="cron_tick_passed"):
    """A tick of a cron schedule came since the last evaluation."""

    cron_schedule: str
    cron_timezone: str = "UTC"

    @property
    def name(self) -> str:
        return f"cron_tick_passed(cron_schedule={self.cron_schedule}, cron_timezone={self.cron_timezone})"


class InLatestTimeWindow(_Node, frozen=True, tag="in_latest_time_window"):
    """The last partition, or those within `lookback_delta` before the end of the last."""

    lookback_delta: timedelta | None = None

    @property
    def name(self) -> str:
        given = f"(lookback_timedelta={self.lookback_delta})" if self.lookback_delta is not None else ""
        return f"in_latest_time_window{given}"

    @property
    def description(self) -> str:
        if self.lookback_delta is None:
            return "Is the latest time window"
        return f"Ends at most {self.lookback_delta} before the latest time window does"


class RunTagsMatch(_Node, frozen=True, tag="run_tags"):
    """Something about the tags of the runs that updated the target.

    Attributes:
        kind: which runs, and how many of them.
        keys: tags that must be there, sorted.
        values: tags that must have a value, sorted.
    """

    kind: str
    keys: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        given = [f"tag_keys={{{','.join(self.keys)}}}"] if self.keys else []
        given += [f"tag_values={{{','.join(f'{key}:{value}' for key, value in self.values)}}}"] if self.values else []
        return f"{self.kind}({', '.join(given)})" if given else self.kind


class CustomCondition(_Node, frozen=True, tag="custom"):
    """A user's condition, where their code is not loaded.

    Attributes:
        title: its name.
        about: its description.
        where: the module and name of its class.
    """

    title: str
    about: str = ""
    where: str = ""

    name = told("title", "Its name.")
    description = told("about", "What it says about itself.")

    @property
    def is_serializable(self) -> bool:
        return False


class _Narrowed(_Node, frozen=True):
    """A node from which dependencies below can be chosen."""

    def allow(self, selection: AssetSelection) -> Self:
        """This with its conditions on dependencies and checks looking only at the assets of `selection`, besides those
        that were allowed before."""
        return self._mapped("allow", AssetSelection.from_coercible(selection))

    def ignore(self, selection: AssetSelection) -> Self:
        """This with its conditions on dependencies and checks not looking at the assets of `selection`."""
        return self._mapped("ignore", AssetSelection.from_coercible(selection))

    def resolve_through_virtual(self, value: bool = True) -> Self:
        """This with its conditions on dependencies taking those of a virtual dependency in its place."""
        return self._mapped("resolve_through_virtual", value)


class _Several(_Narrowed, frozen=True):
    operands: tuple[Tree, ...]

    _sign: ClassVar[str] = ""

    children = told("operands", "The operands.")

    def _with_children(self, children: list[AutomationCondition]) -> Self:
        return structs.replace(self, operands=tuple(children))

    def _text(self) -> str:
        return self._sign.join(_enclosed(operand) for operand in self.operands)


class AllOf(_Several, frozen=True, tag="and"):
    """True where all operands are."""

    _name, _description, _sign = "AND", "All of", " & "

    def without(self, condition: AutomationCondition) -> AllOf:
        """This without one of its operands.

        Raises:
            DefinitionError: it is none of the operands, or less than two would remain.
        """
        rest = tuple(operand for operand in self.operands if operand != condition)
        if len(rest) == len(self.operands):
            known = ", ".join(str(operand) for operand in self.operands)
            raise DefinitionError(f"{condition} is none of the operands of {self}, which are: {known}.")
        if len(rest) < 2:
            raise DefinitionError(f"{self} without {condition} has less than two operands. Use what remains itself.")
        return structs.replace(self, operands=rest)


class AnyOf(_Several, frozen=True, tag="or"):
    """True where an operand is."""

    _name, _description, _sign = "OR", "Any of", " | "


class Not(_Narrowed, frozen=True, tag="not"):
    """True where the operand is not."""

    operand: Tree

    _name, _description, _parts = "NOT", "Not", ("operand",)

    def _text(self) -> str:
        return f"~{_enclosed(self.operand)}"


class Since(_Narrowed, frozen=True, tag="since"):
    """True from the moment one condition becomes true until another does."""

    trigger_condition: Tree
    reset_condition: Tree

    _name, _parts = "SINCE", ("trigger_condition", "reset_condition")

    def _text(self) -> str:
        return f"{_enclosed(self.trigger_condition)}.since({self.reset_condition})"


class NewlyTrue(_Narrowed, frozen=True, tag="newly_true"):
    """True at the evaluation at which the operand becomes true."""

    operand: Tree

    _name, _parts = "NEWLY_TRUE", ("operand",)

    def _text(self) -> str:
        return f"{_enclosed(self.operand)}.newly_true()"


class _Others(_Node, frozen=True):
    """A condition on several others.

    Attributes:
        every: whether it must be true of all of them, or of one.
        operand: what must be true.
    """

    every: bool
    operand: Tree

    _parts = ("operand",)

    def _text(self) -> str:
        text = f"{self.name.partition('(')[0].lower()}({self.operand})"
        for chosen in ("allow", "ignore"):
            selection = getattr(self, f"{chosen}_selection", None)
            text += f".{chosen}({selection})" if selection is not None else ""
        return text


class _Chosen(_Others, frozen=True):
    """A condition on several others of which some can be chosen.

    Attributes:
        allow_selection: only these are looked at; all if None.
        ignore_selection: these are not.
    """

    allow_selection: AssetSelection | None = None
    ignore_selection: AssetSelection | None = None

    def allow(self, selection: AssetSelection) -> Self:
        """This looking only at the assets of `selection`, besides those that were allowed before."""
        return self._choosing("allow_selection", selection)

    def ignore(self, selection: AssetSelection) -> Self:
        """This not looking at the assets of `selection`, nor at those that were ignored before."""
        return self._choosing("ignore_selection", selection)

    def _choosing(self, field: str, selection: AssetSelection) -> Self:
        chosen, known = AssetSelection.from_coercible(selection), getattr(self, field)
        return structs.replace(self, **{field: chosen if known is None else chosen | known})

    def _named(self, kind: str, *given: str) -> str:
        selections = {"allow_selection": self.allow_selection, "ignore_selection": self.ignore_selection}
        told = [*given, *(f"{field}={selection}" for field, selection in selections.items() if selection is not None)]
        name = f"{'ALL' if self.every else 'ANY'}_{kind}_MATCH"
        return f"{name}({','.join(told)})" if told else name


class DepsMatch(_Chosen, frozen=True, tag="deps"):
    """A condition on dependencies.

    Attributes:
        through_virtual: whether the dependencies of a virtual dependency are looked at in its place.
    """

    through_virtual: bool = False

    @property
    def name(self) -> str:
        return self._named("DEPS")

    def resolve_through_virtual(self, value: bool = True) -> DepsMatch:
        """This taking the dependencies of a virtual dependency in its place."""
        return structs.replace(self, through_virtual=value)


class ChecksMatch(_Chosen, frozen=True, tag="checks"):
    """A condition on the checks of the target.

    Attributes:
        blocking_only: whether only checks that block are looked at.
    """

    blocking_only: bool = False

    @property
    def name(self) -> str:
        return self._named("CHECKS", *(["blocking_only=True"] if self.blocking_only else []))


class AssetMatches(_Node, frozen=True, tag="asset"):
    """A condition on one asset, whatever the target is."""

    key: AssetKey
    operand: Tree

    _parts = ("operand",)

    @property
    def name(self) -> str:
        return self.key.to_user_string()

    def _text(self) -> str:
        return f"asset_matches({self.name!r}, {self.operand})"


class JobRootsMatch(_Others, frozen=True, tag="job_roots"):
    """A condition on those assets of a job that depend on none of its others."""

    @property
    def name(self) -> str:
        return f"{'ALL' if self.every else 'ANY'}_JOB_ROOT_ASSETS_MATCH"

    def _with_children(self, children: list[AutomationCondition]) -> Self:
        named = self.label == _job_roots(self.every, self.operand).label
        made = _job_roots(self.every, children[0])
        return structs.replace(self, operand=children[0], label=made.label if named else self.label)


Tree: TypeAlias = (
    Operand | CronTickPassed | InLatestTimeWindow | RunTagsMatch | CustomCondition | AllOf | AnyOf | Not | Since
    | NewlyTrue | DepsMatch | ChecksMatch | AssetMatches | JobRootsMatch
)  # fmt: skip

# --- making them ---------------------------------------------------------------------------------------------------


def _checked(condition: Any, where: str) -> Any:
    if isinstance(condition, AutomationCondition):
        return condition
    hint = " Call it." if callable(condition) else ""
    raise DefinitionError(f"{where} takes an automation condition, not {condition!r}.{hint}")


def _joined(condition: Any, kind: type[AllOf] | type[AnyOf]) -> tuple[Any, ...]:
    """The operands of a node of this kind that has no label of its own; else the condition."""
    return condition.operands if type(condition) is kind and condition.label is None else (condition,)


def _enclosed(condition: AutomationCondition) -> str:
    text = str(condition)
    return f"({text})" if not condition.label and isinstance(condition, AllOf | AnyOf) else text


def _attributes(condition: Any) -> dict[str, Any]:
    """What a user's condition holds, in a `__dict__` or in slots."""
    slots = [name for cls in type(condition).__mro__ for name in getattr(cls, "__slots__", ()) if name != "__dict__"]
    return {**getattr(condition, "__dict__", {}), **{n: getattr(condition, n, None) for n in slots}}


def _run_tags(kind: str, tag_keys: Set[str] | None, tag_values: Mapping[str, str] | None) -> RunTagsMatch:
    if isinstance(tag_keys, str):
        raise DefinitionError(f"{kind}: tag_keys is a set of strings. Write {{{tag_keys!r}}}.")
    return RunTagsMatch(kind, tuple(sorted(tag_keys or ())), tuple(sorted((tag_values or {}).items())))


def _job_roots(every: bool, condition: Any) -> JobRootsMatch:
    which = "all" if every else "any"
    return JobRootsMatch(every, condition, label=f"{which}_job_root_assets_match({condition.label or condition.name})")


_HANDLED = (Operand("newly_requested") | Operand("newly_updated") | Operand("initial_evaluation")).with_label("handled")


# --- on the wire ---------------------------------------------------------------------------------------------------


def _custom(condition: Any) -> CustomCondition:
    """What stands for a user's condition elsewhere. Nodes encode themselves and do not come here."""
    cls = type(condition)
    where = f"{cls.__module__}.{cls.__qualname__}"
    return CustomCondition(condition.name, condition.description, where, label=condition.label)


def _read(raw: Any) -> AutomationCondition:
    return codec.from_builtins(raw, Tree)


codec.register(AutomationRule, _custom, _read)
codec.register(AutomationCondition, _custom, _read)
