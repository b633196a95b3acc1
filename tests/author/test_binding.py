"""Resources that assets bring along: what `with_resources` binds, and what a job makes of it."""

from __future__ import annotations

from typing import Any

import pytest

import treadle as tr
from treadle.errors import ConfigError, DefinitionError, InvocationError, UnknownResourceError

constant = tr.ResourceDefinition.hardcoded_resource


class Memory(tr.IOManager):
    """Keeps values, and its name tells it from others."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: dict[str, Any] = {}

    def handle_output(self, context: tr.OutputContext, obj: Any) -> None:
        self.values[context.asset_key.to_user_string()] = obj

    def load_input(self, context: tr.InputContext) -> Any:
        return self.values[context.asset_key.to_user_string()]


@tr.asset(required_resource_keys={"r"})
def a(context: tr.AssetExecutionContext) -> Any:
    return context.resources.r


@tr.asset(required_resource_keys={"r"})
def b(context: tr.AssetExecutionContext, a: Any) -> Any:
    return f"{a} and {context.resources.r}"


@tr.asset(resource_defs={"r": constant("own")}, required_resource_keys={"r"})
def own(context: tr.AssetExecutionContext) -> Any:
    return context.resources.r


def test_what_is_needed_is_bound_to_copies() -> None:
    @tr.resource(required_resource_keys={"inner"})
    def outer(context: tr.InitResourceContext) -> str:
        return f"around {context.resources.inner}"

    bound = tr.with_resources([a, b], {"r": outer, "inner": "plain", "unused": 1})
    assert [sorted(one.resource_defs) for one in bound] == [["inner", "r"]] * 2
    assert (a.resource_defs, bound[0].specs) == ({}, a.specs)
    result = tr.materialize_to_memory(bound)
    assert result.output_for_node("b") == "around plain and around plain"


def test_checks_are_bound_too_and_external_assets_pass() -> None:
    @tr.asset_check(asset=a, required_resource_keys={"r"})
    def check(context: tr.AssetCheckExecutionContext) -> tr.AssetCheckResult:
        return tr.AssetCheckResult(passed=context.resources.r == 1)

    (bound,) = tr.with_resources([check], {"r": constant(1)})
    assert type(bound) is tr.AssetChecksDefinition
    (evaluation,) = tr.materialize_to_memory([bound]).get_asset_check_evaluations()
    assert evaluation.passed


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UnknownResourceError, match=r"'r'.* 'a'"):
        tr.with_resources([a], {"q": 1})


def test_config_is_given_along() -> None:
    said = tr.ResourceDefinition(lambda context: context.resource_config, config_schema=str)
    bound = tr.with_resources([a], {"r": said}, {"r": {"config": "hello"}, "unknown": {"config": 1}})
    assert tr.materialize_to_memory(bound).output_for_node("a") == "hello"
    with pytest.raises(ConfigError):
        tr.with_resources([a], {"r": said}, {"r": {"config": 3}})


@pytest.mark.parametrize("wrong", [tr.AssetSpec("x"), tr.define_asset_job("j"), 3])
def test_only_assets_and_checks_are_taken(wrong: Any) -> None:
    with pytest.raises(DefinitionError, match="takes assets and checks"):
        tr.with_resources([wrong], {"r": 1})


def test_another_value_under_a_bound_key_is_a_mistake() -> None:
    with pytest.raises(InvocationError, match=r"'own' binds the resource 'r' itself.* \(.*test_binding"):
        tr.with_resources([own], {"r": constant("other")})
    with pytest.raises(InvocationError, match="'own' binds"):
        tr.materialize_to_memory([own], resources={"r": constant("other")})
    defs = tr.Definitions(assets=[own], resources={"r": constant("other")})
    with pytest.raises(InvocationError, match="'own' binds"):
        tr.Definitions.validate_loadable(defs)
    one, two = constant(1), constant(2)
    both = [*tr.with_resources([a], {"r": one}), *tr.with_resources([b], {"r": two})]
    with pytest.raises(DefinitionError, match="'a' and 'b' use different resources under the key 'r'"):
        tr.materialize_to_memory(both)
    same = tr.with_resources(tr.with_resources([a], {"r": one}), {"r": one})
    assert tr.materialize_to_memory(same, resources={"r": one}).output_for_node("a") == 1


def test_jobs_of_definitions_have_what_their_assets_bring_along() -> None:
    mine = Memory("mine")

    @tr.asset(io_manager_def=mine)
    def stored(own: Any) -> Any:
        return own * 2

    @tr.asset
    def reader(stored: Any) -> Any:
        return f"read {stored}"

    defs = tr.Definitions(
        assets=[own, stored, reader],
        jobs=[tr.define_asset_job("made", ["own", "stored"]), tr.define_asset_job("read", ["reader"])],
    )
    tr.Definitions.validate_loadable(defs)
    assert defs.get_job_def("made").execute_in_process().success
    assert mine.values == {"stored": "ownown"}
    # `reader` loads what this job does not make, through the IO manager that the other asset brings along.
    assert defs.get_job_def("read").execute_in_process().output_for_node("reader") == "read ownown"


def test_a_bound_io_manager_takes_the_place_of_the_default() -> None:
    bound, given = Memory("bound"), Memory("given")
    assets = tr.with_resources([a, b], {"r": constant(1), "io_manager": bound})
    assert tr.materialize(assets, resources={"io_manager": given}).success
    assert (bound.values, given.values) == ({"a": 1, "b": "1 and 1"}, {})
    (only,) = tr.with_resources([a], {"r": constant(1), "io_manager": bound})
    with pytest.raises(DefinitionError, match="'a' and 'b' use different resources under the key 'io_manager'"):
        tr.materialize([only, b])
    assert tr.materialize([only, b], resources={"io_manager": bound}).success
