"""The tags that Treadle itself reads or writes, and the rules for tags that users write.

Two rules: tags of *definitions* (assets, groups of them) are short labels in a small alphabet, tags of *runs* hold any
text. Tags under `.dagster/` are not shown to users.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from treadle.core.keys import check_dict
from treadle.errors import DefinitionError

# the partition of a run
PARTITION = "dagster/partition"
PARTITION_SET = "dagster/partition_set"
PARTITION_RANGE_START = "dagster/asset_partition_range_start"
PARTITION_RANGE_END = "dagster/asset_partition_range_end"
BACKFILL = "dagster/backfill"

# what started it
SCHEDULE_NAME = "dagster/schedule_name"
SENSOR_NAME = "dagster/sensor_name"
AUTO_MATERIALIZE = "dagster/auto_materialize"

# re-execution and selection
PARENT_RUN_ID = "dagster/parent_run_id"
ROOT_RUN_ID = "dagster/root_run_id"
STEP_SELECTION = "dagster/step_selection"
IS_RESUME_RETRY = "dagster/is_resume_retry"

# what users set to steer a run
MAX_RETRIES = "dagster/max_retries"
RETRY_STRATEGY = "dagster/retry_strategy"
RETRY_ON_ASSET_OR_OP_FAILURE = "dagster/retry_on_asset_or_op_failure"
MAX_RUNTIME = "dagster/max_runtime"
MAX_RUNTIME_SECONDS = "dagster/max_runtime_seconds"
PRIORITY = "dagster/priority"
CONCURRENCY_KEY = "dagster/concurrency_key"
"""The old way to name an op's pool."""

# how a failed run goes on
FAILURE_REASON = "dagster/failure_reason"
WILL_RETRY = "dagster/will_retry"
AUTO_RETRY_RUN_ID = "dagster/auto_retry_run_id"
RETRY_NUMBER = "dagster/retry_number"
IS_ASSET_RESUME_RETRY = "dagster/is_asset_resume_retry"

# where it runs
REPOSITORY = ".dagster/repository"
"""`<repository>@<location>`."""

# what a definition is made with
KIND_PREFIX = "dagster/kind/"
COMPUTE_KIND = "dagster/compute_kind"

# where the data of a materialization comes from
DATA_VERSION = "dagster/data_version"
DATA_VERSION_IS_USER_PROVIDED = "dagster/data_version_is_user_provided"
CODE_VERSION = "dagster/code_version"
INPUT_DATA_VERSION_PREFIX = "dagster/input_data_version/"
INPUT_EVENT_POINTER_PREFIX = "dagster/input_event_pointer/"

MAX_KINDS = 10

_PART = r"[A-Za-z0-9_.-]{1,63}"
_KEY = re.compile(rf"(?:{_PART}/)?{_PART}\Z|{re.escape(KIND_PREFIX)}.")  # kinds are free
_VALUE = re.compile(r"[A-Za-z0-9_.-]{0,63}\Z")
_EMAIL = re.compile(r"[A-Za-z0-9_.+%'-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+\Z")
_GROUP = re.compile(r"[A-Za-z0-9_]+(?:/[A-Za-z0-9_]+)*\Z")


def partition_dimension(name: str) -> str:
    """The run tag that holds the key of one dimension of a multi-partition."""
    return f"{PARTITION}/{name}"


def definition_tags(tags: Mapping[str, str] | None, where: str) -> dict[str, str]:
    """A copy of `tags`, checked by the rule for definitions.

    A key is letters, digits, `_`, `-` and `.`, at most 63, optionally after a prefix of the same letters and a slash. A
    value is the same letters, at most 63, or empty. After `dagster/kind/` the key is free: kinds are people's words.

    Args:
        tags: what the user wrote; None is none.
        where: what the tags belong to, for error messages: `"asset 'a'"`.

    Raises:
        DefinitionError: a key or a value breaks the rule.
    """
    if not tags:
        return {}
    check_dict(tags, "tags", where)
    for key, value in tags.items():
        if not isinstance(key, str) or not _KEY.match(key):
            raise DefinitionError(
                f"{key!r} is not a valid tag key for {where}. Use letters, digits, '_', '-' and '.', at most 63, "
                "with at most one prefix of the same before a '/'."
            )
        if not isinstance(value, str):
            raise DefinitionError(
                f"Tag {key!r} of {where} has a value of type {type(value).__name__}. Write a string: {str(value)!r}."
            )
        if not _VALUE.match(value):
            raise DefinitionError(
                f"{value!r} is not a valid value for tag {key!r} of {where}. Use letters, digits, '_', '-' and '.', at "
                "most 63. What needs other letters belongs into metadata."
            )
    return dict(tags)


def run_tags(tags: Mapping[str, Any] | None, where: str) -> dict[str, str]:
    """A copy of `tags` for a run, a job or an op: any text is allowed, and other values are written as JSON.

    Raises:
        DefinitionError: a key is not a string, or a value cannot be written as JSON.
    """
    if not tags:
        return {}
    check_dict(tags, "tags", where)
    result: dict[str, str] = {}
    for key, value in tags.items():
        if not isinstance(key, str):
            raise DefinitionError(f"{key!r} is not a valid tag key for {where}: tag keys are strings.")
        if isinstance(value, str):
            result[key] = value
            continue
        try:
            result[key] = json.dumps(value)
        except (TypeError, ValueError):
            raise DefinitionError(
                f"Tag {key!r} of {where} holds {type(value).__name__}, which cannot be written as JSON. Write a string."
            ) from None
    return result


def kind_tags(kinds: Iterable[str] | None, where: str) -> dict[str, str]:
    """The tags that say what something is made with: `{"dagster/kind/python": ""}` for `{"python"}`.

    Raises:
        DefinitionError: more than ten kinds, or an empty one.
    """
    if not kinds:
        return {}
    if isinstance(kinds, str):
        raise DefinitionError(f"The kinds of {where} are the string {kinds!r}. Write a set: kinds={{{kinds!r}}}.")
    tags = {f"{KIND_PREFIX}{kind}": "" for kind in kinds}
    if len(tags) > MAX_KINDS:
        raise DefinitionError(f"{where} has {len(tags)} kinds. At most {MAX_KINDS} are allowed: leave some out.")
    return definition_tags(tags, where)


def kinds_of(tags: Mapping[str, str]) -> set[str]:
    """The kinds among `tags`; the other way of `kind_tags`."""
    return {key[len(KIND_PREFIX) :] for key in tags if key.startswith(KIND_PREFIX)}


def owners(values: Iterable[str] | None, where: str) -> tuple[str, ...]:
    """`values` as a tuple, each an e-mail address or `team:` and a name.

    Raises:
        DefinitionError: one is neither.
    """
    if not values:
        return ()
    if isinstance(values, str):
        raise DefinitionError(f"The owners of {where} are the string {values!r}. Write a list: owners=[{values!r}].")
    result = tuple(values)
    for owner in result:
        if isinstance(owner, str) and (_EMAIL.match(owner) or (owner.startswith("team:") and len(owner) > 5)):
            continue
        raise DefinitionError(
            f"{owner!r} is not a valid owner for {where}. Write an e-mail address, or 'team:' and the team's name."
        )
    return result


def group_name(name: str, where: str) -> str:
    """Return `name` if it can name an asset group: letters, digits and underscores, in parts between slashes.

    Raises:
        DefinitionError: it cannot.
    """
    if not isinstance(name, str) or not _GROUP.match(name):
        raise DefinitionError(
            f"{name!r} is not a valid group name for {where}. Use letters, digits and underscores, '/' between parts."
        )
    return name


def priority(tags: Mapping[str, str]) -> int:
    """Higher goes first. What is no whole number counts as 0."""
    try:
        return int(tags.get(PRIORITY, 0))
    except ValueError:
        return 0


def max_runtime_s(tags: Mapping[str, str], default: float = 0.0) -> float | None:
    """How long a run may take, in seconds; None for any time. The default counts where its tags give none above 0."""
    return seconds(tags, MAX_RUNTIME, MAX_RUNTIME_SECONDS) or (default if default > 0 else None)


def seconds(tags: Mapping[str, str], *names: str) -> float | None:
    """The time that the first of these tags gives; None if none does, or what it says is no number above 0."""
    for name in names:
        try:
            found = float(tags[name])
        except (KeyError, ValueError):
            continue
        return found if found > 0 else None
    return None
