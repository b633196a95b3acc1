from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.author.resources import ResourceDefinition, ResourceInit, resource, resource_definitions
from treadle.errors import ConfigError, DefinitionError, ResourceError, UnknownResourceError
from treadle.runtime.resources import build_resources, open_resources


def recorded(name, seen, requires=(), fail_up=False, fail_down=False):
    def made(context):
        if fail_up:
            raise ValueError(f"{name} up")
        seen.append(f"+{name}")
        yield name
        seen.append(f"-{name}")
        if fail_down:
            raise ValueError(f"{name} down")

    return ResourceDefinition(made, required_resource_keys=set(requires))


def test_up_in_order_and_down_in_reverse():
    seen = []
    definitions = {"a": recorded("a", seen, ["b"]), "b": recorded("b", seen), "c": recorded("c", seen)}
    with open_resources(definitions, ["a"], {}) as opened:
        assert opened.values._asdict() == {"a": "a", "b": "b"}
        assert seen == ["+b", "+a"]
    assert seen == ["+b", "+a", "-a", "-b"]
    assert opened.close() == ()


def test_resource_sees_what_it_requires_and_the_run():
    class Run:
        run_id = "r1"

    definitions = {
        "a": ResourceDefinition(
            lambda c: (c.resources.b, hasattr(c.resources, "c"), c.run_id, c.instance, c.log),
            required_resource_keys={"b"},
        ),
        "b": ResourceDefinition.hardcoded_resource(1),
        "c": ResourceDefinition.hardcoded_resource(2),
    }
    opened = open_resources(definitions, ["a", "c"], {}, ResourceInit(instance="i", run=Run(), log="l"))
    assert opened.values.a == (1, False, "r1", "i", "l")


def test_config_and_defaults():
    definitions = {
        "a": ResourceDefinition(lambda c: c.resource_config, {"x": int}),
        "b": ResourceDefinition(lambda c: c.resource_config, {"y": str}).configured({"y": "z"}),
    }
    opened = open_resources(definitions, ["a", "b"], {"a": {"x": 1}})
    assert opened.values._asdict() == {"a": {"x": 1}, "b": {"y": "z"}}
    assert opened.config("a") == {"x": 1}
    assert opened.config("b") == {"y": "z"}


def test_config_that_is_needed_and_missing_names_the_resource():
    definitions = {"a": ResourceDefinition(lambda c: 1, {"x": int})}
    with pytest.raises(ConfigError) as caught:
        open_resources(definitions, ["a"], {})
    assert "'a'" in caught.value.__notes__[0]


def test_failing_set_up_takes_down_what_is_up():
    seen = []
    definitions = {"a": recorded("a", seen), "b": recorded("b", seen, ["a"], fail_up=True)}
    with pytest.raises(ResourceError, match="'b'") as caught:
        open_resources(definitions, ["b"], {})
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.user_exception is caught.value.__cause__
    assert seen == ["+a", "-a"]


def test_failing_set_up_and_tear_down_are_both_told():
    seen = []
    definitions = {"a": recorded("a", seen, fail_down=True), "b": recorded("b", seen, ["a"], fail_up=True)}
    with pytest.raises(ResourceError, match="b up") as caught:
        open_resources(definitions, ["b"], {})
    assert "a down" in caught.value.__notes__[0]


def test_interrupt_takes_down():
    seen = []

    def stop(context):
        raise KeyboardInterrupt

    definitions = {"a": recorded("a", seen), "b": ResourceDefinition(stop)}
    with pytest.raises(KeyboardInterrupt):
        open_resources(definitions, ["a", "b"], {})
    assert seen == ["+a", "-a"]


def test_all_tear_downs_run_and_all_faults_come_back():
    seen = []
    definitions = {key: recorded(key, seen, fail_down=key != "b") for key in "abc"}
    opened = open_resources(definitions, "abc", {})
    faults = opened.close()
    assert seen[3:] == ["-c", "-b", "-a"]
    assert [str(fault.user_exception) for fault in faults] == ["c down", "a down"]


def test_interrupt_during_tear_down_waits_for_the_others():
    seen = []

    def interrupted():
        yield 1
        raise KeyboardInterrupt

    definitions = {"a": recorded("a", seen, fail_down=True), "b": ResourceDefinition(interrupted)}
    opened = open_resources(definitions, "ab", {})
    with pytest.raises(KeyboardInterrupt) as caught:
        opened.close()
    assert seen == ["+a", "-a"]
    assert "a down" in caught.value.__notes__[0]


def test_tear_down_error_does_not_mask_the_error_of_the_body():
    seen = []
    definitions = {"a": recorded("a", seen, fail_down=True)}
    with pytest.raises(KeyError) as caught, open_resources(definitions, ["a"], {}):
        raise KeyError("body")
    assert "a down" in caught.value.__notes__[0]
    with pytest.raises(ResourceError, match="a down"), open_resources(definitions, ["a"], {}):
        pass


def test_generators_that_do_not_yield_once():
    @resource
    def never():
        return
        yield

    @resource
    def twice():
        yield 1
        yield 2

    with pytest.raises(DefinitionError, match="without yielding"):
        open_resources({"r": never}, ["r"], {})
    (fault,) = open_resources({"r": twice}, ["r"], {}).close()
    assert "second time" in str(fault)


def test_returned_context_managers_are_values_but_decorated_ones_are_entered():
    @contextmanager
    def decorated():
        yield "entered"

    lock = memoryview(b"")  # has __enter__, and is what the user wants
    definitions = {"a": ResourceDefinition(decorated), "b": ResourceDefinition(lambda: lock)}
    with open_resources(definitions, "ab", {}) as opened:
        assert opened.values.a == "entered"
        assert opened.values.b is lock


def test_unknown_key():
    with pytest.raises(UnknownResourceError, match="required by op 'o'"):
        open_resources({}, ["x"], {}, required_by={"x": "op 'o'"})


def test_build_resources():
    seen = []
    with build_resources({"a": recorded("a", seen), "v": 5}, resource_config={}) as resources:
        assert (resources.a, resources.v) == ("a", 5)
    assert seen == ["+a", "-a"]
    with pytest.raises(ConfigError), build_resources({"v": 5}, resource_config={"w": {}}):
        pass


@given(st.data())
def test_every_resource_that_came_up_goes_down_in_reverse(data):
    names = data.draw(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True))
    seen = []
    definitions = {}
    for index, name in enumerate(names):
        requires = data.draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        definitions[name] = recorded(
            name, seen, requires, fail_up=data.draw(st.booleans()), fail_down=data.draw(st.booleans())
        )
    with suppress(ResourceError):
        open_resources(resource_definitions(definitions), names, {}).close()
    up = [entry[1:] for entry in seen if entry[0] == "+"]
    down = [entry[1:] for entry in seen if entry[0] == "-"]
    assert down == up[::-1]
    assert seen == ["+" + name for name in up] + ["-" + name for name in down]
    for index, name in enumerate(up):
        assert definitions[name].required_resource_keys <= set(up[:index])
