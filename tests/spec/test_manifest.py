"""Manifests: what code locations declare, as data."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from treadle import (
    AssetDep,
    AssetKey,
    AssetSpec,
    AutomationCondition,
    DailyPartitionsDefinition,
    Definitions,
    MultiPartitionsDefinition,
    MultiToSingleDimensionPartitionMapping,
    ScheduleDefinition,
    StaticPartitionsDefinition,
    asset,
    asset_check,
    define_asset_job,
    job,
    op,
    sensor,
)
from treadle.author.manifest import manifest_of
from treadle.errors import InvocationError, UnknownPartitionError
from treadle.spec.manifest import Manifest, location_of_job, read_jobs, read_manifest

DAYS = DailyPartitionsDefinition("2024-01-01")


@asset(partitions_def=DAYS, automation_condition=AutomationCondition.eager(), metadata={"rows": 1}, tags={"a": "b"})
def raw() -> None: ...


@asset(deps=[raw], partitions_def=DAYS)
def clean() -> None: ...


@asset_check(asset=clean)
def is_clean() -> None: ...


@op
def send() -> None: ...


@job(tags={"team": "x"})
def mail() -> None:
    send()


@sensor(job=mail)
def look() -> None: ...


DAILY = define_asset_job("daily", [raw, clean], partitions_def=DAYS)
DEFS = Definitions(
    [raw, clean], [ScheduleDefinition(job=mail, cron_schedule="0 1 * * *", execution_timezone="UTC")], [look],
    [mail, DAILY], asset_checks=[is_clean],
)  # fmt: skip


def test_a_manifest_has_what_the_definitions_have() -> None:
    found = read_manifest(manifest_of(DEFS, ["/code"]))
    assert found.assets == tuple(DEFS.layer.graph.specs.values())
    assert [check.key.name for check in found.checks] == ["is_clean"]
    by_name = {one.name: one for one in found.jobs}
    assert by_name["daily"].assets == (AssetKey("clean"), AssetKey("raw"))
    assert by_name["daily"].partitions_def == DAYS
    assert by_name["daily"].nodes == ()
    assert (by_name["mail"].nodes, by_name["mail"].assets) == (DEFS.get_job_def("mail").nodes, None)
    assert by_name["mail"].tags == {"team": "x"}
    [schedule] = found.schedules
    assert (schedule.name, schedule.job_name) == ("mail_schedule", "mail")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 1 * * *", "UTC")
    assert (found.sensors, found.conditions, found.folders) == (("look",), 1, ("/code",))
    assert found.job_names == {"daily", "mail", "__ASSET_JOB"}


def test_equal_definitions_make_equal_manifests() -> None:
    assert manifest_of(DEFS) == manifest_of(Definitions.merge(DEFS))


def test_what_is_no_data_is_left_out() -> None:
    specs = [
        AssetSpec("odd", metadata={"it": object()}, tags={"a": "b"}, deps=["up"]),
        AssetSpec("even", metadata={"n": 2}),
    ]
    odd, even = (
        next(one for one in read_manifest(manifest_of(Definitions(specs))).assets if one.key == spec.key)
        for spec in specs
    )
    assert (odd.metadata, odd.tags, odd.deps[0].asset_key) == ({}, {"a": "b"}, AssetKey("up"))
    assert even.metadata == {"n": 2}


@pytest.mark.parametrize(
    ("job", "location", "found"),
    [
        ("mail", None, "b"), ("daily", None, "a"), ("both", "a", "a"), ("mail", "later", "later"),
        ("mai", None, "Did you mean 'mail'"), ("mail", "a", "no job 'mail' in a"),
        ("both", None, "several code locations"),
        ("mail", "c", "no code location 'c'"), ("x", None, "Not loaded yet: later"),
    ],
)  # fmt: skip
def test_the_location_of_a_job(job: str, location: str | None, found: str) -> None:
    def known(*names: str) -> Manifest:
        return read_manifest(
            manifest_of(Definitions(jobs=[define_asset_job(name, [raw]) for name in names], assets=[raw]))
        )

    manifests = {"a": known("daily", "both"), "b": known("mail", "both")}
    assert location_of_job(job, {}, location) == location
    if found in ("a", "b", "later"):
        assert location_of_job(job, manifests, location, ["later"]) == found
    else:
        with pytest.raises(InvocationError, match=found):
            location_of_job(job, manifests, location, ["later"])


@pytest.mark.parametrize(
    ("name", "key", "told"),
    [
        ("daily", "2024-01-02", None),
        ("__ASSET_JOB", "2024-01-02", None),
        ("mail", None, None),
        ("daily", "2020-01-01", "no partition '2020-01-01'"),
        ("__ASSET_JOB", None, "needs a partition: --partition KEY, for example '2024-01-03'"),
        ("mail", "2024-01-02", "has no partitions"),
    ],
)
def test_whether_a_job_can_run_for_a_partition_is_known_without_its_code(
    name: str, key: str | None, told: str | None
) -> None:
    jobs, now = read_jobs(manifest_of(DEFS)), datetime(2024, 1, 4, 12, tzinfo=UTC)
    if told is None:
        jobs.check_partition(name, key, now, None)
        return
    with pytest.raises((InvocationError, UnknownPartitionError), match=told):
        jobs.check_partition(name, key, now, None)


def test_whoever_has_no_user_code_reads_conditions_and_multi_partitions(tmp_path: Path) -> None:
    both = MultiPartitionsDefinition({"day": DAYS, "shop": StaticPartitionsDefinition(["a", "b"])})
    mapping = MultiToSingleDimensionPartitionMapping("day")
    specs = [
        AssetSpec("wide", partitions_def=both, deps=[AssetDep(raw, partition_mapping=mapping)]),
        AssetSpec("eager", automation_condition=AutomationCondition.eager()),
    ]
    (tmp_path / "manifest").write_bytes(manifest_of(Definitions([raw, *specs])))
    code = (
        "import sys; from treadle.spec.manifest import read_manifest\n"
        "with open(sys.argv[1], 'rb') as file: print(len(read_manifest(file.read()).assets))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "manifest"], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("3", "")
