"""Which failed runs are run again, and as what. Only failures count: a run that was canceled is left alone.

The id of a run that nobody asked for follows from the failed one's, so that a decision that is carried out twice makes
one run.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

import msgspec
from msgspec import structs

from treadle.core import tags as tag_names
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.state.runs import Run, RunStatus

FROM_FAILURE = "FROM_FAILURE"
ALL_STEPS = "ALL_STEPS"
FROM_ASSET_FAILURE = "FROM_ASSET_FAILURE"
_STRATEGIES = (FROM_FAILURE, ALL_STEPS, FROM_ASSET_FAILURE)
_SPACE = uuid.UUID("6f0a52c6-0a43-5d0c-a4e2-6f5f3f1d3e55")
_NOT_INHERITED = frozenset({
    tag_names.FAILURE_REASON, tag_names.WILL_RETRY, tag_names.AUTO_RETRY_RUN_ID, tag_names.RETRY_NUMBER,
    tag_names.IS_RESUME_RETRY, tag_names.IS_ASSET_RESUME_RETRY, tag_names.STEP_SELECTION,
})  # fmt: skip


class Rules(msgspec.Struct, frozen=True):
    """What counts for runs whose tags say nothing else: how often, and whether also when a step has failed."""

    max_retries: int = 0
    after_step_failure: bool = True


def is_retried(run: Run, runs_of_group: int, rules: Rules, backfills: Collection[str] = ()) -> bool:
    """Whether a failed run is run again.

    Args:
        run: the run.
        runs_of_group: how many runs there are with the same root, the root itself included.
        rules: what counts where its tags say nothing.
        backfills: those under way: runs of others, which are finished or deleted, are not run again.
    """
    if run.tags.get(tag_names.BACKFILL, "") not in ("", *backfills):
        return False
    try:
        most = int(run.tags.get(tag_names.MAX_RETRIES, rules.max_retries))
    except ValueError:
        most = 0
    after_step = run.tags.get(tag_names.RETRY_ON_ASSET_OR_OP_FAILURE, str(rules.after_step_failure)).lower() != "false"
    if run.tags.get(tag_names.FAILURE_REASON) == "STEP_FAILURE" and not after_step:
        return False
    return runs_of_group <= most


def strategy(run: Run) -> tuple[str, str | None]:
    """How a run is run again, and what is wrong with what its tag says about that, if anything."""
    said = run.tags.get(tag_names.RETRY_STRATEGY, FROM_FAILURE)
    if said in _STRATEGIES:
        return said, None
    return FROM_FAILURE, f"The tag {tag_names.RETRY_STRATEGY} says {said!r}, which is none of {', '.join(_STRATEGIES)}."


def id_of_retry(run: Run) -> str:
    """The id of the run that runs this one again."""
    return str(uuid.uuid5(_SPACE, run.run_id))


def retry_of(
    run: Run,
    how: str,
    number: int | None = None,
    *,
    steps: Sequence[str] = (),
    assets_left: Collection[AssetKey] = (),
    checks_left: Collection[AssetCheckKey] = (),
) -> Run:
    """The run that runs one again.

    Args:
        how: the strategy.
        number: how many times its root has been run again with this one, if nobody has asked for it.
        steps: selection clauses over steps: what of it is run again, whatever the strategy.
        assets_left, checks_left: what the run was to make and did not, for `FROM_ASSET_FAILURE`.
    """
    root = run.root_run_id or run.run_id
    made: dict[str, str] = {
        **{key: value for key, value in run.tags.items() if key not in _NOT_INHERITED},
        tag_names.PARENT_RUN_ID: run.run_id, tag_names.ROOT_RUN_ID: root,
    }  # fmt: skip
    if number is not None:
        made[tag_names.RETRY_NUMBER] = str(number)
    if steps:
        made[tag_names.STEP_SELECTION] = ",".join(steps)
    elif how == FROM_FAILURE:
        made[tag_names.IS_RESUME_RETRY] = "true"
    again = structs.replace(
        run, run_id=str(uuid.uuid4()) if number is None else id_of_retry(run), status=RunStatus.NOT_STARTED,
        parent_run_id=run.run_id, root_run_id=root, step_keys_to_execute=None, tags=made,
    )  # fmt: skip
    if how == FROM_ASSET_FAILURE and (assets_left or checks_left):
        return structs.replace(
            again, tags={**made, tag_names.IS_ASSET_RESUME_RETRY: "true"},
            asset_selection=frozenset(assets_left), asset_check_selection=frozenset(checks_left),
        )  # fmt: skip
    return again
