"""What steps in processes of their own hand to each other: values, versions, mapping keys, what was left out."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.daemon.test_service import MARK, Served, shared

from treadle.daemon.runs import pause
from treadle.host.instance import Instance
from treadle.host.launching import submit_run
from treadle.state.events import EventLogEntry, EventType
from treadle.state.runs import Run, RunsFilter

CODE = (
    MARK
    + """
import os
from treadle import *

class Store(ConfigurableIOManager):
    base: str

    def path(self, context):
        return os.path.join(self.base, "-".join(context.get_identifier()).replace("/", "_"))

    def handle_output(self, context, value):
        os.makedirs(self.base, exist_ok=True)
        with open(self.path(context), "w") as file:
            file.write(repr(value))

    def load_input(self, context):
        with open(self.path(context.upstream_output)) as file:
            return eval(file.read())

class Tool(ConfigurableResource):
    def setup_for_execution(self, context): mark("setup")
    def teardown_after_execution(self, context): mark("teardown")

@asset(io_manager_key="texts", code_version="1")
def first(): return {"total": 12}

@asset
def second(first, tool: Tool): return first["total"] + 1

@asset_check(asset=first, blocking=True)
def not_empty(first): return AssetCheckResult(passed=first["total"] > 0)

@multi_asset(specs=[AssetSpec("left", deps=["second"], skippable=True), AssetSpec("right", deps=["second"])])
def sides(): yield MaterializeResult("right")

@asset(deps=["left"])
def after_left(): mark("after_left")

@asset(deps=["right"])
def after_right(): mark("after_right")

@op(out=DynamicOut())
def split():
    for key in "abc":
        yield DynamicOutput(ord(key), mapping_key=key)

@op
def grow(context, number): return number + 1

@op
def total(numbers): mark(f"total={sum(numbers)}")

@op(out={"yes": Out(is_required=False), "no": Out(is_required=False)})
def choose(): yield Output(1, "yes")

@op
def took(number): mark("took")

@op
def missed(number): mark("missed")

@success_hook
def noted(context): mark(f"hook_{context.step_key}")

@job(hooks={noted})
def ops_job():
    total(split().map(grow).collect())
    yes, no = choose()
    took(yes)
    missed(no)

@op
def half_a_pair(): raise ValueError(chr(0xdcff))

@op
def leaves(): raise SystemExit(4)

@op
def one(): return 1

@job(resource_defs={"io_manager": mem_io_manager})
def troubled():
    half_a_pair()
    leaves()
    grow(one())

@op(config_schema={"day": str})
def of_day(context): mark(context.op_config["day"])

@static_partitioned_config(["mo"], tags_for_partition_key_fn=lambda key: {"day": key})
def config_of_day(key): return {"ops": {"of_day": {"config": {"day": key}}}}

@job(config=config_of_day, tags={"team": "red", "dagster/priority": "3"})
def daily(): of_day()

defs = Definitions(
    assets=[first, second, sides, after_left, after_right], asset_checks=[not_empty], jobs=[ops_job, troubled, daily],
    resources={"texts": Store(base=os.path.join(os.path.dirname(__file__), "texts")), "tool": Tool()},
)
"""
)
OUTCOMES = {
    EventType.STEP_SUCCESS, EventType.STEP_SKIPPED, EventType.STEP_FAILURE, EventType.ASSET_MATERIALIZATION,
    EventType.ASSET_CHECK_EVALUATION, EventType.LOADED_INPUT, EventType.HANDLED_OUTPUT, EventType.HOOK_COMPLETED,
    EventType.STEP_OUTPUT, EventType.STEP_INPUT,
}  # fmt: skip


served = shared(CODE)


def launched(served: Served, job: str, **tags: str) -> Run:
    served.witness.write_text("")
    made = served.instance.create_run(job_name=job, tags={f"dagster/{name}": value for name, value in tags.items()})
    return served.ended(submit_run(served.instance, made.run_id))


def outcomes(instance: Instance, run: Run) -> list[tuple[str, str | None]]:
    """What happened, without the order between steps."""

    def told(entry: EventLogEntry) -> tuple[str, str | None]:
        return entry.event.event_type_value, entry.step_key

    return sorted(told(entry) for entry in instance.all_logs(run.run_id, of_type=OUTCOMES))


def test_assets_find_what_others_made(served: Served) -> None:
    run = launched(served, "__ASSET_JOB")
    assert run.is_success, served.messages(run)
    made = served.instance.all_logs(run.run_id, of_type={EventType.ASSET_MATERIALIZATION})
    versions = {entry.event.asset_key.to_user_string(): entry.event.materialization.tags for entry in made}  # type: ignore
    assert set(versions) == {"first", "second", "right", "after_right"}
    assert versions["second"]["dagster/input_data_version/first"] == versions["first"]["dagster/data_version"]
    skipped = served.instance.all_logs(run.run_id, of_type={EventType.STEP_SKIPPED})
    assert [entry.step_key for entry in skipped] == ["after_left"]
    assert len(served.marks("setup")) == len(served.marks("teardown")) == 1  # only where it is needed
    assert not served.marks("after_left")


def test_ops_hand_on_what_they_give(served: Served) -> None:
    run = launched(served, "ops_job")
    assert run.is_success, served.messages(run)
    assert served.marks("total=297")
    assert served.marks("took")
    assert not served.marks("missed")
    assert {f"hook_grow[{key}]" for key in "abc"} <= {
        line.split()[0] for line in served.witness.read_text().splitlines()
    }
    steps = [key for kind, key in outcomes(served.instance, run) if kind == "STEP_SUCCESS"]
    assert steps == ["choose", "grow[a]", "grow[b]", "grow[c]", "split", "took", "total"]


def test_why_a_step_failed_survives_its_process(served: Served) -> None:
    failures = served.instance.all_logs(launched(served, "troubled").run_id, of_type={EventType.STEP_FAILURE})
    told = {entry.step_key: entry.event.error.message for entry in failures}  # type: ignore[union-attr]
    assert len(failures) == 3
    assert "raised ValueError: \\udcff (" in told["half_a_pair"]
    assert told["leaves"] == "SystemExit: 4\n"
    assert "not in the memory of this process" in told["grow"]


def test_a_launched_run_has_what_follows_from_its_job_and_its_partition(served: Served) -> None:
    run = launched(served, "daily", partition="mo")
    assert run.is_success
    assert served.witness.read_text().startswith("mo ")
    assert run.run_config == {"ops": {"of_day": {"config": {"day": "mo"}}}}
    assert (run.tags["team"], run.tags["day"]) == ("red", "mo")
    assert served.instance.get_runs_count(RunsFilter(tags={"day": "mo"})) == 1


def test_the_queue_knows_the_tags_of_a_job_when_it_is_launched(served: Served) -> None:
    command = [sys.executable, "-c", "from treadle.cli.main import main; main()", "run", "launch", "-j", "daily"]
    env = {**os.environ, "TREADLE_HOME": str(served.home)}
    pause(served.instance, True)
    given = ["--partition", "mo", "--tags", "team=blue"]
    done = subprocess.run([*command, *given], env=env, capture_output=True, text=True, check=True)
    run = served.instance.get_run_by_id(done.stdout.strip())
    pause(served.instance, False)
    assert run is not None
    assert (run.tags["dagster/priority"], run.tags["team"]) == ("3", "blue")
    assert served.ended(run).tags["team"] == "blue"
