"""User code as it is meant to be written, checked by pyright in strict mode. Nothing here is run.

`assert_type` pins what an editor shows; everything else only has to be free of errors and of unknown types.
"""

from __future__ import annotations

from typing import assert_type

from treadle import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    Config,
    ConfigurableResource,
    DailyPartitionsDefinition,
    Definitions,
    ExecuteInProcessResult,
    JobDefinition,
    MaterializeResult,
    OpExecutionContext,
    asset,
    asset_check,
    job,
    materialize,
    op,
)


class Shop(ConfigurableResource):  # pyright: ignore[reportMissingTypeArgument]  # generic in the value it provides
    url: str
    timeout_s: float = 5.0


class Limits(Config):
    top: int = 10


@asset
def orders(shop: Shop) -> list[float]:
    assert_type(shop.url, str)
    return [shop.timeout_s]


@asset(group_name="sales", partitions_def=DailyPartitionsDefinition(start_date="2024-01-01"), kinds={"python"})
def revenue(context: AssetExecutionContext, config: Limits, orders: list[float]) -> MaterializeResult[float]:
    assert_type(config.top, int)
    assert_type(context.partition_key, str)
    context.log.info("summing")
    return MaterializeResult(value=sum(orders), metadata={"rows": len(orders)})


@asset_check(asset=revenue, blocking=True)
def revenue_is_positive(revenue: float) -> AssetCheckResult:
    return AssetCheckResult(passed=revenue > 0)


@op
def greet(context: OpExecutionContext) -> str:
    context.log.info("hello")
    return context.run_id


@job
def greetings() -> None:
    greet()


assert_type(orders, AssetsDefinition)
assert_type(revenue.key, AssetKey)
assert_type(greetings, JobDefinition)

definitions = Definitions(
    assets=[orders, revenue],
    asset_checks=[revenue_is_positive],
    jobs=[greetings],
    resources={"shop": Shop(url="https://shop.example")},
)

result = materialize([orders], resources={"shop": Shop(url="https://shop.example")})
assert_type(result, ExecuteInProcessResult)
assert_type(result.success, bool)
