import copy
import pickle
import subprocess
import sys
from contextlib import contextmanager
from typing import Annotated

import pytest

from treadle.author import port
from treadle.author.resources import (
    IAttachDifferentObjectToOpContext,
    InitResourceContext,
    ResourceDefinition,
    ResourceParam,
    Resources,
    as_resource_definition,
    build_init_resource_context,
    check_configs,
    is_resource_annotation,
    make_values_resource,
    resolve_keys,
    resource,
    resource_definitions,
)
from treadle.errors import ConfigError, ConfigMappingError, DefinitionError, InvocationError, UnknownResourceError


def test_imports_without_pydantic():
    code = (
        "import sys, treadle.author.io_managers, treadle.runtime.resources;"
        "sys.exit('pydantic' in sys.modules or 'sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestResources:
    def test_attributes_and_dict(self):
        values = Resources({"a": 1, "b": 2})
        assert (values.a, values.b) == (1, 2)
        assert values._asdict() == {"a": 1, "b": 2}
        assert "a" in values
        assert "c" not in values
        assert repr(values) == "Resources(a=1, b=2)"

    def test_unknown_key_names_the_nearest(self):
        with pytest.raises(UnknownResourceError, match="Did you mean 'warehouse'") as caught:
            _ = Resources({"warehouse": 1}).warehose
        assert caught.value.keys == {"warehose"}

    def test_copies_and_pickles(self):
        values = Resources({"a": [1]})
        assert copy.deepcopy(values) == values
        assert pickle.loads(pickle.dumps(values)) == values

    def test_hasattr_of_protocol_names(self):
        assert not hasattr(Resources({}), "__array__")

    def test_attached_object(self):
        class Wrapper(IAttachDifferentObjectToOpContext):
            def get_object_to_set_on_execution_context(self):
                return "inner"

        assert Resources({"w": Wrapper()}).w == "inner"


class TestAnnotations:
    def test_resource_param(self):
        assert is_resource_annotation(ResourceParam[int])
        assert is_resource_annotation(ResourceParam[list[str]])

    @pytest.mark.parametrize("annotation", [int, list[int], int | None, "ResourceParam", None, Annotated[int, "other"]])
    def test_others(self, annotation):
        assert not is_resource_annotation(annotation)

    def test_marked_class(self):
        class Marked:
            __treadle_resource__ = True

        assert is_resource_annotation(Marked)
        assert is_resource_annotation(Annotated[Marked, "doc"])


class TestCalling:
    def test_with_context(self):
        @resource(config_schema={"x": int})
        def made(context):
            """Doc."""
            return context.resource_config["x"], context.resources.other

        assert made.description == "Doc."
        assert made(build_init_resource_context(config={"x": 3}, resources={"other": "o"})) == (3, "o")

    def test_config_is_checked(self):
        made = ResourceDefinition(lambda context: context.resource_config, {"x": int})
        with pytest.raises(ConfigError):
            made(build_init_resource_context(config={"x": "3"}))

    def test_without_context(self):
        made = resource(lambda: 5)
        assert made() == 5
        with pytest.raises(InvocationError, match="takes none"):
            made(build_init_resource_context())

    def test_missing_context(self):
        with pytest.raises(InvocationError, match="InitResourceContext"):
            ResourceDefinition(lambda context: 1)()

    def test_generator_gives_context_manager(self):
        seen = []

        @resource
        def made():
            yield 5
            seen.append("down")

        with made() as value:
            assert value == 5
            assert seen == []
        assert seen == ["down"]

    def test_ready_made(self):
        assert ResourceDefinition.hardcoded_resource(5)() == 5
        assert ResourceDefinition.none_resource()() is None
        assert ResourceDefinition.string_resource()(build_init_resource_context(config="text")) == "text"
        assert ResourceDefinition.mock_resource()().anything() is not None
        assert make_values_resource(a=int)(build_init_resource_context(config={"a": 1})) == {"a": 1}

    def test_no_function(self):
        with pytest.raises(DefinitionError, match="hardcoded_resource"):
            ResourceDefinition(5)  # pyright: ignore[reportArgumentType]

    def test_resources_that_have_to_be_set_up(self, monkeypatch):
        monkeypatch.setattr(port, "_provider", "treadle.runtime.resources")
        seen = []

        @resource
        def needed():
            yield "up"
            seen.append("down")

        context = build_init_resource_context(resources={"needed": needed})
        assert context.resources.needed == "up"
        assert seen == []
        del context
        assert seen == ["down"]


def test_log_outside_a_run():
    assert build_init_resource_context().log.name == "treadle"


class TestConfigured:
    base = ResourceDefinition(lambda context: context.resource_config, {"x": int})

    def test_value(self):
        made = self.base.configured({"x": 5})
        assert made.resolve_config(made.check_config()) == {"x": 5}
        assert not made.config_field.is_required
        assert self.base.config_field.is_required

    def test_function(self):
        made = self.base.configured(lambda config: {"x": config["y"] + 1}, {"y": int})
        assert made.resolve_config(made.check_config({"y": 1})) == {"x": 2}
        with pytest.raises(ConfigError):
            made.check_config({"x": 1})

    def test_twice(self):
        made = self.base.configured(lambda config: {"x": config["y"]}, {"y": int}).configured({"y": 9})
        assert made(build_init_resource_context()) == {"x": 9}

    def test_result_is_checked(self):
        made = self.base.configured(lambda config: {"x": "no"}, {"y": int})
        with pytest.raises(ConfigError):
            made.resolve_config({"y": 1})

    def test_function_raises(self):
        made = self.base.configured(lambda config: 1 / 0, {"y": int})
        with pytest.raises(ConfigMappingError) as caught:
            made.resolve_config({"y": 1})
        assert isinstance(caught.value.user_exception, ZeroDivisionError)

    def test_environment(self):
        made = ResourceDefinition(lambda context: None, {"x": int}).configured({"x": 1})
        assert made.resolve_config(made.check_config()) == {"x": 1}


class TestAsDefinition:
    def test_definition_is_itself(self):
        made = ResourceDefinition.none_resource()
        assert as_resource_definition("k", made) is made

    def test_plain_value(self):
        made = as_resource_definition("k", 5)
        assert made.is_constant
        assert made.start(InitResourceContext()) == (5, None)

    def test_plain_class(self):
        assert as_resource_definition("k", dict).start(InitResourceContext()) == (dict, None)

    def test_object_that_says_what_it_is(self):
        class Own:
            def get_resource_definition(self):
                return ResourceDefinition.hardcoded_resource("own")

        assert as_resource_definition("k", Own())() == "own"


class TestKeys:
    def definitions(self):
        return {
            "a": ResourceDefinition(lambda c: 1, required_resource_keys={"c"}),
            "b": ResourceDefinition(lambda c: 1),
            "c": ResourceDefinition(lambda c: 1, required_resource_keys={"b"}),
        }

    def test_dependencies_first(self):
        assert resolve_keys(self.definitions(), {"a"}) == ["b", "c", "a"]
        assert resolve_keys(self.definitions(), {"b"}) == ["b"]

    def test_missing_names_who_needs_it(self):
        with pytest.raises(UnknownResourceError, match=r"required by asset 'orders'.*Did you mean 'b'") as caught:
            resolve_keys(
                {"bb": ResourceDefinition.none_resource(), "b": self.definitions()["b"]},
                ["bx"],
                {"bx": "asset 'orders'"},
            )
        assert caught.value.keys == {"bx"}

    def test_missing_dependency_names_the_resource(self):
        definitions = self.definitions()
        del definitions["b"]
        with pytest.raises(UnknownResourceError, match="required by resource 'c'"):
            resolve_keys(definitions, ["a"])

    def test_circle(self):
        definitions = {
            "x": ResourceDefinition(lambda c: 1, required_resource_keys={"y"}),
            "y": ResourceDefinition(lambda c: 1, required_resource_keys={"x"}),
        }
        with pytest.raises(DefinitionError, match="x -> y -> x"):
            resolve_keys(definitions, ["x"])


class TestCheckConfigs:
    def test_defaults_and_environment(self):
        definitions = resource_definitions({"a": ResourceDefinition(lambda c: 1, {"x": int}), "b": 5})
        assert check_configs(definitions, {"a": {"config": {"x": 1}}})["a"] == {"x": 1}

    def test_all_faults_at_once(self):
        definitions = resource_definitions({"a": ResourceDefinition(lambda c: 1, {"x": int}), "b": 5})
        with pytest.raises(ConfigError) as caught:
            check_configs(definitions, {"a": {"config": {"x": "no"}}, "zz": {}})
        assert len(caught.value.errors) == 2


def test_context_manager_function():
    @resource
    @contextmanager
    def made():
        yield 7

    value, close = made.start(InitResourceContext())
    assert value == 7
    assert close is not None
    close()
