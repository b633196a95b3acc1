import enum
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import Field, PrivateAttr, ValidationError, field_validator

from treadle.author.config import Config
from treadle.author.configurable import (
    ConfigurableIOManager,
    ConfigurableIOManagerFactory,
    ConfigurableResource,
    ConfigurableResourceFactory,
    ResourceDependency,
)
from treadle.author.env import EnvVar
from treadle.author.io_managers import InMemoryIOManager, IOManager, IOManagerDefinition
from treadle.author.resources import ResourceDefinition, build_init_resource_context, is_resource_annotation, resource
from treadle.errors import (
    ConfigError,
    DefinitionError,
    InvariantError,
    InvocationError,
    ResourceError,
    UnknownResourceError,
)
from treadle.runtime.resources import build_resources

seen: list[str] = []


@pytest.fixture(autouse=True)
def _clear():
    seen.clear()


class Inner(ConfigurableResource):
    a: int = 1
    _state: int = PrivateAttr(default=0)

    def setup_for_execution(self, context):
        seen.append(f"+inner {self.a} {context.resource_config}")
        self._state += 1

    def teardown_after_execution(self, context):
        seen.append("-inner")


class Outer(ConfigurableResource):
    inner: Inner
    x: str = "d"

    def setup_for_execution(self, context):
        seen.append(f"+outer {self.x} {self.inner.a} {context.resource_config}")

    def teardown_after_execution(self, context):
        seen.append("-outer")

    def both(self):
        return self.x, self.inner.a


class Number(ConfigurableResource):
    n: int


def opened(configs=None, **resources):
    section = {key: {"config": value} for key, value in (configs or {}).items()}
    with build_resources(resources, resource_config=section) as values:
        return values


class TestByHand:
    def test_fields_and_methods(self):
        assert Outer(inner=Inner(a=2), x="q").both() == ("q", 2)
        assert Inner(a=1) == Inner(a=1) != Inner(a=2)
        assert len({Inner(a=1), Inner(a=1)}) == 1
        assert repr(Outer(inner=Inner())) == "Outer(inner=Inner(a=1), x='d')"

    def test_frozen_with_advice(self):
        with pytest.raises(InvocationError, match="PrivateAttr"):
            Inner().a = 5

    def test_validated(self):
        with pytest.raises(ValidationError):
            Inner(a="no")  # pyright: ignore[reportArgumentType]
        with pytest.raises(ValidationError):
            Outer(inner=5)  # pyright: ignore[reportArgumentType]

    def test_unknown_fields_are_ignored(self):
        assert Inner(zz=1) == Inner()  # pyright: ignore[reportCallIssue]

    def test_context_only_when_set_up(self):
        with pytest.raises(InvariantError, match="with_resource_context"):
            Inner().get_resource_context()
        context = build_init_resource_context()
        assert Inner().with_resource_context(context).get_resource_context() is context

    def test_set_up_by_hand(self, monkeypatch):
        monkeypatch.setenv("TREADLE_TEST_N", "7")
        assert Number(n=EnvVar.int("TREADLE_TEST_N")).process_config_and_initialize() == Number(n=7)
        with pytest.raises(InvocationError, match="_cm"):
            Inner().process_config_and_initialize()
        with Outer(inner=Inner(a=4)).process_config_and_initialize_cm() as outer:
            assert outer.both() == ("d", 4)
            assert [entry[:6] for entry in seen] == ["+inner", "+outer"]
        assert seen[2:] == ["-outer", "-inner"]

    def test_inside_a_resource_function(self):
        @resource(config_schema=Number.to_config_schema())
        def made(context):
            return Number.from_resource_context(context)

        assert made(build_init_resource_context(config={"n": 3})) == Number(n=3)
        with Inner.from_resource_context_cm(build_init_resource_context(config={"a": 2})) as inner:
            assert inner.a == 2
        assert seen[-1] == "-inner"
        with pytest.raises(InvocationError, match="_cm"):
            Inner.from_resource_context(build_init_resource_context(config={}))


class TestLife:
    def test_order_and_context(self):
        assert opened(r=Outer(inner=Inner())).r.both() == ("d", 1)
        assert seen == ["+inner 1 {'a': 1}", "+outer d 1 {'x': 'd'}", "-outer", "-inner"]

    def test_each_run_has_its_own_object(self):
        given = Inner()
        first, second = opened(r=given).r, opened(r=given).r
        assert first is not second
        assert (given._state, first._state, second._state) == (0, 1, 1)

    def test_object_of_a_run_has_its_context(self):
        assert opened(r=Inner(a=3)).r.get_resource_context().resource_config == {"a": 3}

    def test_failing_set_up(self):
        class Bad(ConfigurableResource):
            inner: Inner

            def setup_for_execution(self, context):
                raise ValueError("boom")

            def teardown_after_execution(self, context):
                seen.append("never")

        with pytest.raises(ResourceError, match="boom"):
            opened(bad=Bad(inner=Inner()))
        assert seen[1:] == ["-inner"]

    def test_failing_tear_down_takes_down_the_nested(self):
        class Bad(ConfigurableResource):
            inner: Inner

            def teardown_after_execution(self, context):
                raise ValueError("boom")

        with pytest.raises(ResourceError, match="boom"):
            opened(bad=Bad(inner=Inner()))
        assert seen[1:] == ["-inner"]

    def test_yield_for_execution(self):
        class Yields(ConfigurableResource):
            @contextmanager
            def yield_for_execution(self, context):
                seen.append("up")
                yield "other"  # pyright: ignore[reportReturnType]
                seen.append("down")

        assert opened(y=Yields()).y == "other"
        assert seen == ["up", "down"]


class TestConfig:
    def test_run_config_overrides(self):
        assert opened({"r": {"x": "over"}}, r=Outer(inner=Inner())).r.x == "over"

    def test_faults_name_the_place(self):
        with pytest.raises(ConfigError, match="root:resources:r:config:n"):
            opened({"r": {"n": "no"}}, r=Number.configure_at_launch())
        with pytest.raises(ConfigError, match="'r' is missing"):
            opened(r=Number.configure_at_launch())

    def test_refused_by_validation(self):
        class Even(ConfigurableResource):
            n: int

            @field_validator("n")
            @classmethod
            def _even(cls, value):
                if value % 2:
                    raise ValueError("odd")
                return value

        with pytest.raises(ConfigError, match="odd"):
            opened({"r": {"n": 3}}, r=Even(n=2))

    def test_environment_is_read_at_set_up(self, monkeypatch):
        given = Outer(inner=Inner(), x=EnvVar("TREADLE_TEST_X"))
        field = given.get_resource_definition().config_field.config_type.schema.fields["x"]
        assert field.default == {"env": "TREADLE_TEST_X"}
        with pytest.raises(ConfigError, match="TREADLE_TEST_X"):
            opened(r=given)
        monkeypatch.setenv("TREADLE_TEST_X", "v")
        assert opened(r=given).r.x == "v"

    def test_environment_deep_inside(self, monkeypatch):
        class Part(Config):
            z: str = "a"

        class Deep(ConfigurableResource):
            part: Part
            items: list[str] = Field(default_factory=list)

        monkeypatch.setenv("TREADLE_TEST_X", "v")
        variable = EnvVar("TREADLE_TEST_X")
        made = opened(r=Deep(part=Part(z=variable), items=["x", variable])).r
        assert (made.part.z, made.items) == ("v", ["x", "v"])
        assert opened({"r": {"part": {"z": "w"}}}, r=Deep(part=Part())).r.part.z == "w"

    def test_part_of_a_given_object_can_be_overridden(self):
        class Part(Config):
            y: int
            z: str = "a"

        class Holds(ConfigurableResource):
            part: Part

        made = opened({"r": {"part": {"z": "new"}}}, r=Holds(part=Part(y=5, z="old"))).r
        assert made.part == Part(y=5, z="new")

    def test_enums_by_name(self):
        class Colour(enum.Enum):
            RED = 1
            BLUE = 2

        class Paints(ConfigurableResource):
            colour: Colour = Colour.RED

        assert opened(r=Paints(colour=Colour.BLUE)).r.colour is Colour.BLUE
        assert opened({"r": {"colour": "RED"}}, r=Paints(colour=Colour.BLUE)).r.colour is Colour.RED
        assert opened(r=Paints.configure_at_launch(colour=Colour.BLUE)).r.colour is Colour.BLUE

    def test_objects_that_config_cannot_say(self):
        class Holds(ConfigurableResource):
            thing: Any

        thing = object()
        assert opened(r=Holds(thing=thing)).r.thing is thing

    def test_none_given(self):
        class Maybe(ConfigurableResource):
            x: str | None = "d"

        assert opened(r=Maybe(x=None)).r.x is None
        assert opened(r=Maybe()).r.x == "d"

    def test_nested_resources_are_no_config(self):
        assert set(Outer.to_fields_dict()) == {"x"}
        assert Outer(inner=Inner(), x="q").__run_config__() == {"x": "q"}

    def test_configured(self):
        made = Number(n=1).get_resource_definition().configured({"n": 5})
        assert opened(r=made).r.n == 5


class TestNested:
    def test_launch_config_reaches_what_is_nested(self):
        inner = Inner.configure_at_launch()
        values = opened({"inner": {"a": 77}}, r=Outer(inner=inner), inner=inner)
        assert values.r.both() == ("d", 77)
        assert values.r.inner is values.inner
        assert seen.count("-inner") == 1

    def test_partial_outer(self):
        outer = Outer.configure_at_launch(inner=Inner(a=4))
        assert opened({"r": {"x": "q"}}, r=outer).r.both() == ("q", 4)
        with pytest.raises(DefinitionError, match="no field 'zz'"):
            Outer.configure_at_launch(zz=1)

    def test_what_needs_config_has_to_have_a_key(self):
        class Holds(ConfigurableResource):
            number: Number

        with pytest.raises(DefinitionError, match=r"Holds\.number"):
            opened(r=Holds(number=Number.configure_at_launch()))

    def test_dependency_of_any_kind(self):
        class Holds(ConfigurableResource):
            held: ResourceDependency[str]

        @resource
        def generates():
            yield "g"
            seen.append("down")

        @resource(required_resource_keys={"other"})
        def requires(context):
            return f"r{context.resources.other}"

        assert Holds(held="text").held == "text"
        assert opened(r=Holds(held="text")).r.held == "text"
        assert opened(r=Holds(held=generates)).r.held == "g"
        assert seen == ["down"]
        assert opened(r=Holds(held=requires), other=5).r.held == "r5"
        with pytest.raises(UnknownResourceError, match="'other'"):
            opened(r=Holds(held=requires))

    def test_definition_that_is_also_a_resource_of_its_own(self):
        class Holds(ConfigurableResource):
            held: ResourceDependency[str]

        inner = ResourceDefinition(lambda context: context.resource_config["x"], {"x": str})
        assert opened({"c": {"x": "top"}}, r=Holds(held=inner), c=inner).r.held == "top"
        with pytest.raises(DefinitionError, match="resource of its own"):
            opened(r=Holds(held=inner))

    def test_optional_and_subclass(self):
        class Special(Inner):
            q: str = "q"

        class Holds(ConfigurableResource):
            inner: Inner | None = None

        assert opened(r=Holds()).r.inner is None
        assert opened(r=Holds(inner=Special(q="z"))).r.inner.q == "z"

    def test_list_of_resources_is_config(self):
        class Holds(ConfigurableResource):
            items: list[Number]

        assert opened(r=Holds(items=[Number(n=1), Number(n=2)])).r.items == [Number(n=1), Number(n=2)]


class TestFactories:
    def test_what_it_makes(self):
        class Makes(ConfigurableResourceFactory[list[str]]):
            b: str = "k"

            def create_resource(self, context):
                return [self.b]

        class Holds(ConfigurableResource):
            held: ResourceDependency[list[str]]

        assert opened(r=Makes(b="z")).r == ["z"]
        assert opened(r=Holds(held=Makes(b="z"))).r.held == ["z"]

    def test_without_create(self):
        class Makes(ConfigurableResourceFactory[list[str]]):
            pass

        with pytest.raises(DefinitionError, match="create_resource"):
            opened(r=Makes())

    def test_annotations(self):
        assert all(map(is_resource_annotation, (Inner, ConfigurableResourceFactory[int], ConfigurableIOManager)))
        assert not is_resource_annotation(Config)


class TestIOManagers:
    def test_io_manager(self):
        class Own(ConfigurableIOManager):
            p: str

            def handle_output(self, context, obj):
                seen.append(obj)

            def load_input(self, context):
                return self.p

            @classmethod
            def output_config_schema(cls):
                return {"o": int}

        definition = Own(p="z").get_resource_definition()
        assert isinstance(Own(p="z"), IOManager)
        assert isinstance(definition, IOManagerDefinition)
        assert definition.output_config_schema == {"o": int}
        assert opened(io=Own(p="z")).io.load_input(None) == "z"

    def test_factory(self):
        class Makes(ConfigurableIOManagerFactory[InMemoryIOManager]):
            p: str

            def create_io_manager(self, context):
                made = InMemoryIOManager()
                made.values["p",] = context.resource_config["p"]
                return made

        assert opened(io=Makes(p="z")).io.values == {("p",): "z"}

    def test_factory_of_something_else(self):
        class Makes(ConfigurableIOManagerFactory[int]):
            def create_io_manager(self, context):
                return 5

        with pytest.raises(DefinitionError, match="no IO manager"):
            opened(io=Makes())
