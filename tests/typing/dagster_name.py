"""The `dagster` name as users type it: its stub gives the renamed classes as types."""

import dagster as dg
from dagster import AssetExecutionContext, DagsterInstance, DagsterRunStatus, RunConfig


@dg.asset(kinds={"python"})
def a(context: AssetExecutionContext) -> int:
    context.log.info("x")
    return 1


@dg.asset_check(asset=a)
def c(a: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=a == 1)


defs = dg.Definitions(assets=[a], asset_checks=[c])
with DagsterInstance.ephemeral() as instance:
    result = dg.materialize([a], instance=instance, run_config=RunConfig())
    status: DagsterRunStatus = result.run.status
    v: str = dg.__version__


def told(run: dg.DagsterRun, record: dg.RunRecord) -> bool:
    return run.is_success and record.run.status is DagsterRunStatus.SUCCESS


def refused(error: Exception) -> bool:
    return isinstance(error, dg.DagsterInvalidDefinitionError | dg.DagsterInvalidConfigError)
