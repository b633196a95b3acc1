"""Policies of automatic materialization, as older code declares them. Each means an `AutomationCondition`."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import treadle
from dagster._warnings import warn_deprecated
from treadle import AutomationCondition

_ONE_A_MINUTE = 1


@dataclass(frozen=True, slots=True)
class AutoMaterializeAssetPartitionsFilter:
    """Which updates count: those of runs with all of these tags."""

    latest_run_required_tags: Mapping[str, str] | None = field(hash=False)


@dataclass(frozen=True, slots=True)
class AutoMaterializeRule:
    """A reason to materialize an asset, or to wait. Made by the static methods; equal if made alike.

    Attributes:
        text: how it was made.
        skips: whether it is a reason to wait.
        condition: what it means; None if it has no counterpart.
    """

    text: str
    skips: bool = False
    condition: Any = None

    @staticmethod
    def materialize_on_required_for_freshness() -> AutoMaterializeRule:
        """The asset is older than its freshness policy allows."""
        old = AutomationCondition.freshness_failed() | AutomationCondition.freshness_warned()
        return AutoMaterializeRule("materialize_on_required_for_freshness()", False, old)

    @staticmethod
    def materialize_on_cron(
        cron_schedule: str, timezone: str = "UTC", all_partitions: bool = False
    ) -> AutoMaterializeRule:
        """A time has passed that a cron expression names. The last partition is made, or all of them."""
        passed: Any = AutomationCondition.cron_tick_passed(cron_schedule, timezone).since_last_handled()
        if not all_partitions:
            passed = AutomationCondition.in_latest_time_window() & passed
        return AutoMaterializeRule(
            f"materialize_on_cron({cron_schedule!r}, {timezone!r}, {all_partitions})", False, passed
        )

    @staticmethod
    def materialize_on_parent_updated(
        updated_parent_filter: AutoMaterializeAssetPartitionsFilter | None = None,
    ) -> AutoMaterializeRule:
        """Something that it is made from was updated, by a run with the tags of the filter."""
        tags = updated_parent_filter.latest_run_required_tags if updated_parent_filter else None
        updated: Any = AutomationCondition.any_deps_updated()
        if tags:
            by_run = AutomationCondition.executed_with_tags(tag_values=dict(tags))
            updated = AutomationCondition.any_deps_match(AutomationCondition.newly_updated() & by_run)
        return AutoMaterializeRule(
            f"materialize_on_parent_updated({sorted((tags or {}).items())})", False, updated.since_last_handled()
        )

    @staticmethod
    def materialize_on_missing() -> AutoMaterializeRule:
        """It was never made."""
        handled = AutomationCondition.newly_requested() | AutomationCondition.newly_updated()
        missing = AutomationCondition.newly_missing().since(handled)
        return AutoMaterializeRule("materialize_on_missing()", False, missing)

    @staticmethod
    def skip_on_parent_missing() -> AutoMaterializeRule:
        """Something that it is made from was never made."""
        return AutoMaterializeRule("skip_on_parent_missing()", True, AutomationCondition.any_deps_missing())

    @staticmethod
    def skip_on_parent_outdated() -> AutoMaterializeRule:
        """Something that it is made from is older than what that is made from."""
        old = AutomationCondition.any_deps_updated().since(AutomationCondition.newly_updated())
        return AutoMaterializeRule("skip_on_parent_outdated()", True, AutomationCondition.any_deps_match(old))

    @staticmethod
    def skip_on_not_all_parents_updated(require_update_for_all_parent_partitions: bool = False) -> AutoMaterializeRule:
        """Something that it is made from was not updated since it was made. No condition says this."""
        return AutoMaterializeRule(f"skip_on_not_all_parents_updated({require_update_for_all_parent_partitions})", True)

    @staticmethod
    def skip_on_required_but_nonexistent_parents() -> AutoMaterializeRule:
        """A partition that it is made from does not exist; such partitions count as missing."""
        condition = AutomationCondition.any_deps_missing()
        return AutoMaterializeRule("skip_on_required_but_nonexistent_parents()", True, condition)

    @staticmethod
    def skip_on_backfill_in_progress(all_partitions: bool = False) -> AutoMaterializeRule:
        """A backfill is making it. `all_partitions` changes nothing: only partitions of the backfill wait."""
        condition = AutomationCondition.backfill_in_progress()
        return AutoMaterializeRule(f"skip_on_backfill_in_progress({all_partitions})", True, condition)


_LAZY = frozenset({
    AutoMaterializeRule.materialize_on_required_for_freshness(),
    AutoMaterializeRule.skip_on_parent_missing(),
    AutoMaterializeRule.skip_on_parent_outdated(),
    AutoMaterializeRule.skip_on_required_but_nonexistent_parents(),
    AutoMaterializeRule.skip_on_backfill_in_progress(),
})  # fmt: skip
_EAGER = _LAZY | {AutoMaterializeRule.materialize_on_missing(), AutoMaterializeRule.materialize_on_parent_updated()}


class AutoMaterializePolicy:
    """When an asset is made without being asked. Deprecated: use `AutomationCondition`.

    Args:
        rules: reasons to make it, and to wait: it is made where one of the first is true and none of the others.
        max_materializations_per_minute: kept, and without effect.
        asset_condition: a condition, in place of rules.

    Raises:
        DagsterInvalidDefinitionError: there are rules and a condition, or a limit below 1.
    """

    def __init__(
        self,
        rules: Set[AutoMaterializeRule],
        max_materializations_per_minute: int | None = _ONE_A_MINUTE,
        asset_condition: AutomationCondition | None = None,
    ) -> None:
        warn_deprecated("AutoMaterializePolicy is deprecated: use AutomationCondition.")
        self.rules = frozenset(rules)
        self.max_materializations_per_minute = max_materializations_per_minute
        self.asset_condition = asset_condition
        if bool(self.rules) is (asset_condition is not None):
            raise treadle.DefinitionError("AutoMaterializePolicy takes rules, or an asset_condition.")
        if max_materializations_per_minute is not None and max_materializations_per_minute < 1:
            raise treadle.DefinitionError(
                "AutoMaterializePolicy: max_materializations_per_minute is 1 or more, or None."
            )

    @staticmethod
    def eager(max_materializations_per_minute: int | None = _ONE_A_MINUTE) -> AutoMaterializePolicy:
        """Make it when it is missing, when what it is made from was updated, and when it is too old."""
        return AutoMaterializePolicy(_EAGER, max_materializations_per_minute)

    @staticmethod
    def lazy(max_materializations_per_minute: int | None = _ONE_A_MINUTE) -> AutoMaterializePolicy:
        """Make it when it is too old."""
        return AutoMaterializePolicy(_LAZY, max_materializations_per_minute)

    def with_rules(self, *rules_to_add: AutoMaterializeRule) -> AutoMaterializePolicy:
        """This policy with more rules."""
        return AutoMaterializePolicy(self.rules | set(rules_to_add), self.max_materializations_per_minute)

    def without_rules(self, *rules_to_remove: AutoMaterializeRule) -> AutoMaterializePolicy:
        """This policy with fewer rules.

        Raises:
            DagsterInvalidDefinitionError: it does not have one of them.
        """
        absent = [rule.text for rule in rules_to_remove if rule not in self.rules]
        if absent:
            raise treadle.DefinitionError(f"The policy has no rule {absent[0]}, so it cannot be taken away.")
        return AutoMaterializePolicy(self.rules - set(rules_to_remove), self.max_materializations_per_minute)

    def to_automation_condition(self) -> AutomationCondition:
        """The condition that it means.

        Raises:
            DagsterInvalidDefinitionError: one of its rules has no counterpart.
        """
        if self.asset_condition is not None:
            return self.asset_condition
        makes: Any = None
        waits: Any = AutomationCondition.in_progress()
        for rule in sorted(self.rules, key=lambda one: one.text):
            if rule.condition is None:
                raise treadle.DefinitionError(
                    f"No AutomationCondition says {rule.text}. Use "
                    "AutomationCondition.all_deps_updated_since_cron(cron): it waits for all deps of an asset."
                )
            if rule.skips:
                waits = waits | rule.condition
            else:
                makes = rule.condition if makes is None else makes | rule.condition
        if makes is None:
            raise treadle.DefinitionError("The policy has no rule that makes the asset. Leave it out.")
        return makes & ~waits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AutoMaterializePolicy) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.rules, self.max_materializations_per_minute, self.asset_condition))

    def __repr__(self) -> str:
        rules = ", ".join(sorted(rule.text for rule in self.rules))
        return f"AutoMaterializePolicy({rules or self.asset_condition})"
