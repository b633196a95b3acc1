"""Names of components: they can be imported, and using one says what to write instead."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

import dagster
from dagster import DagsterInvalidDefinitionError, _components

INSTEAD = {**_components.CLASSES, **_components.FUNCTIONS}


@pytest.mark.parametrize("name", sorted(INSTEAD))
def test_to_use_one_says_what_to_write_instead(name: str) -> None:
    found = getattr(importlib.import_module("dagster.components"), name)
    owner: Any = dagster if name in dir(dagster) else dagster.components
    assert getattr(owner, name) is found
    assert found.__name__ == name
    assert isinstance(found, type) is (name in _components.CLASSES)
    for uses in (lambda: found(), lambda: found(lambda: None, key=1)):
        with pytest.raises(DagsterInvalidDefinitionError) as raised:
            uses()
        assert str(raised.value).startswith(name)
        assert str(raised.value).endswith(f"components are not supported yet. Instead, use {INSTEAD[name]}.")


@pytest.mark.parametrize("name", sorted(_components.CLASSES))
def test_none_can_be_subclassed(name: str) -> None:
    base = getattr(dagster.components, name)
    with pytest.raises(DagsterInvalidDefinitionError, match=rf"class Mine\({name}\): components are not supported"):
        type("Mine", (base,), {})


def test_the_usual_declaration_is_refused_whatever_the_order_of_bases() -> None:
    from dagster import Component, Injected, Model, Resolvable  # noqa: PLC0415

    with pytest.raises(DagsterInvalidDefinitionError, match="Component"):

        class First(Component, Model, Resolvable):
            path: Injected[str]

    with pytest.raises(DagsterInvalidDefinitionError, match="Resolvable"):

        class Second(Model, Resolvable):
            path: str


def test_a_model_is_a_pydantic_model() -> None:
    class Shop(dagster.Model):
        name: str

    assert Shop(name="a").model_dump() == {"name": "a"}
    with pytest.raises(ValueError, match="extra"):
        Shop(name="a", size=1)  # pyright: ignore[reportCallIssue]


def test_what_stands_for_something_that_exists() -> None:
    assert dagster.ResolvedAssetSpec is dagster.AssetSpec
    assert dagster.ResolvedAssetKey is dagster.AssetKey
    assert dagster.ResolvedAssetCheckSpec is dagster.AssetCheckSpec
    assert dagster.Injected[int] is int
    assert dagster.components.ResolvedDefsStateConfig is dagster.components.DefsStateConfig


def test_a_function_of_definitions_may_name_the_context() -> None:
    @dagster.definitions
    def defs(context: dagster.ComponentLoadContext) -> dagster.Definitions:
        return dagster.Definitions()

    assert inspect.isclass(dagster.ComponentLoadContext)
    assert isinstance(defs("a context"), dagster.Definitions)  # type: ignore[arg-type]


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = dagster.components.nothing_here
