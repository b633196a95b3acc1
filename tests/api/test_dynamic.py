"""Dynamic outputs: any number of values, what is made of each, and lists of what came of them."""

import pytest

import dagster as dg


@dg.op(out=dg.DynamicOut(int))
def parts():
    for number in range(3):
        yield dg.DynamicOutput(number, mapping_key=f"k{number}")


@dg.op
def inc(x):
    return x + 1


@dg.op
def total(xs):
    return sum(xs)


@dg.op
def both(x, y):
    return x + y


def ended(result, kind="STEP_SUCCESS"):
    return [event.step_key for event in result.all_events if event.event_type_value == kind]


@pytest.mark.api("DynamicOut.dagster_type", "DynamicOutput.value", "DynamicOutput.mapping_key")
def test_map_runs_a_step_for_each_value_and_collect_makes_a_list():
    @dg.job
    def chained():
        total(parts().map(lambda part: inc.alias("again")(inc(part))).collect())

    result = chained.execute_in_process()
    assert sorted(ended(result)) == [
        "again[k0]", "again[k1]", "again[k2]", "inc[k0]", "inc[k1]", "inc[k2]", "parts", "total",
    ]  # fmt: skip
    assert result.output_for_node("parts") == {"k0": 0, "k1": 1, "k2": 2}
    assert result.output_for_node("inc") == {"k0": 1, "k1": 2, "k2": 3}
    assert result.output_for_node("total") == 9
    assert len(result.events_for_node("inc")) == 3 * len(
        [event for event in result.all_events if event.step_key == "inc[k0]"]
    )


def test_values_from_outside_and_graphs_below_a_dynamic_output():
    @dg.op
    def ten():
        return 10

    @dg.graph
    def twice(x):
        return inc.alias("second")(inc(x))

    @dg.graph
    def several():
        return parts()

    @dg.job
    def mixed():
        extra = ten()
        total(several().map(lambda part: both(twice(part), extra)).collect())

    result = mixed.execute_in_process()
    assert result.output_for_node("twice") == {"k0": 2, "k1": 3, "k2": 4}
    assert "twice.second[k1]" in ended(result)
    assert result.output_for_node("total") == 2 + 3 + 4 + 30
    assert result.output_for_node("several") == {"k0": 0, "k1": 1, "k2": 2}


@pytest.mark.api("DynamicOut.is_required")
def test_no_values():
    @dg.op(out=dg.DynamicOut())
    def none():
        return []

    @dg.op(out=dg.DynamicOut(is_required=False))
    def maybe_none():
        yield from ()

    @dg.op
    def count(xs):
        return len(xs)

    @dg.job
    def empty():
        count(none().map(inc).collect())
        count.alias("skipped")(maybe_none().map(inc.alias("other")).collect())

    result = empty.execute_in_process()
    assert result.output_for_node("count") == 0
    assert "skipped" in ended(result, "STEP_SKIPPED")
    assert "skipped" not in ended(result)


def test_a_failure_stops_the_list_and_a_skip_is_left_out_of_it():
    @dg.op(out=dg.Out(is_required=False))
    def picky(x):
        if x != 1:
            yield dg.Output(x)

    @dg.op
    def fragile(x):
        if x == 1:
            raise ValueError(x)
        return x

    @dg.job
    def uneven():
        values = parts()
        total(values.map(lambda part: inc(picky(part))).collect())
        total.alias("never")(values.map(fragile).collect())

    result = uneven.execute_in_process(raise_on_error=False)
    assert ended(result, "STEP_SKIPPED") == ["inc[k1]"]
    assert result.output_for_node("total") == 4
    assert ended(result, "STEP_FAILURE") == ["fragile[k1]"]
    assert {"fragile[k0]", "fragile[k2]"} <= set(ended(result))
    assert "never" not in ended(result)


def test_several_outputs_of_which_one_is_dynamic():
    @dg.op(out={"many": dg.DynamicOut(), "one": dg.Out()})
    def split():
        return [dg.DynamicOutput(1, "a"), dg.DynamicOutput(2, "b")], 5

    @dg.job
    def splitting():
        many, one = split()
        total(many.map(lambda part: both(part, one)).collect())

    result = splitting.execute_in_process()
    assert result.output_for_node("split", "many") == {"a": 1, "b": 2}
    assert result.output_for_node("split", "one") == 5
    assert result.output_for_node("total") == 13


@pytest.mark.api(
    "DynamicOutput.metadata", "DynamicOutput.output_name", "OutputContext.mapping_key", "DynamicOut.io_manager_key",
    "OpExecutionContext.get_mapping_key",
)  # fmt: skip
def test_each_value_is_stored_by_its_mapping_key():
    seen = {}

    class Keeper(dg.IOManager):
        def handle_output(self, context, obj):
            seen[(context.step_key, context.mapping_key)] = obj

        def load_input(self, context):
            return seen[(context.upstream_output.step_key, context.upstream_output.mapping_key)]

    @dg.op(out={"some": dg.DynamicOut(io_manager_key="keeper")})
    def make(context):
        context.add_output_metadata({"rows": 7}, output_name="some", mapping_key="b")
        yield dg.DynamicOutput(1, "a", output_name="some", metadata={"rows": 3})
        yield dg.DynamicOutput(2, "b", "some")

    @dg.op
    def key(context, x):
        return (context.get_mapping_key(), x)

    @dg.job(resource_defs={"keeper": dg.IOManagerDefinition.hardcoded_io_manager(Keeper())})
    def kept():
        make().map(key)

    result = kept.execute_in_process()
    assert seen == {("make", "a"): 1, ("make", "b"): 2}
    assert result.output_for_node("key") == {"a": ("a", 1), "b": ("b", 2)}
    made = [
        event for event in result.all_events if event.event_type_value == "STEP_OUTPUT" and event.step_key == "make"
    ]
    assert ['mapping key "a"' in made[0].message, 'mapping key "b"' in made[1].message] == [True, True]


def test_a_retry_begins_with_no_values():
    attempts = []

    @dg.op(out=dg.DynamicOut(), retry_policy=dg.RetryPolicy(max_retries=1))
    def flaky():
        attempts.append(1)
        yield dg.DynamicOutput(len(attempts), f"try_{len(attempts)}")
        if len(attempts) == 1:
            raise ValueError

    @dg.job
    def retried():
        total(flaky().map(inc).collect())

    result = retried.execute_in_process()
    assert result.output_for_node("flaky") == {"try_2": 2}
    assert result.output_for_node("total") == 3


def test_calling_an_op_with_dynamic_outputs_directly():
    assert [(one.mapping_key, one.value) for one in parts()] == [("k0", 0), ("k1", 1), ("k2", 2)]

    @dg.op(out=dg.DynamicOut(int))
    def returning():
        return [dg.DynamicOutput(1, "a")]

    assert returning()[0].value == 1


@pytest.mark.parametrize("key", ["a b", "a-b", "a.b", "a[b", "", "ä/"])
def test_bad_mapping_keys(key):
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.DynamicOutput(1, key)


def _twice():
    yield dg.DynamicOutput(1, "a")
    yield dg.DynamicOutput(2, "a")


def _plain():
    yield dg.Output(1)


def _one():
    return 5


@pytest.mark.parametrize(("fn", "says"), [(_twice, "'a'|\"a\""), (_plain, "Output"), (_one, "int")])
def test_wrong_values_of_a_dynamic_output(fn, says):
    wrong = dg.op(out=dg.DynamicOut())(fn)

    @dg.job
    def failing():
        wrong().map(inc)

    with pytest.raises(dg.DagsterInvariantViolationError, match=says):
        failing.execute_in_process()


def test_a_dynamic_output_for_a_plain_one():
    @dg.op
    def plain():
        yield dg.DynamicOutput(1, "a")

    @dg.job
    def failing():
        plain()

    with pytest.raises(dg.DagsterInvariantViolationError, match="DynamicOut"):
        failing.execute_in_process()


def test_two_unrelated_dynamic_outputs_do_not_pair():
    @dg.job
    def crossed():
        parts().map(lambda x: parts.alias("others")().map(lambda y: both(x, y)))

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="both"):
        crossed.execute_in_process()


def test_a_dynamic_output_has_to_be_mapped_or_collected():
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=r"map"):

        @dg.job
        def direct():
            inc(parts())


@pytest.mark.api("DynamicOut.description", "DynamicOut.metadata", "DynamicOut.code_version")
def test_what_a_dynamic_output_says():
    seen = []

    class Shelf(dg.IOManager):
        def handle_output(self, context, obj):
            seen.append((context.mapping_key, dict(context.definition_metadata)))

        def load_input(self, context):
            raise AssertionError

    out = dg.DynamicOut(description="each", metadata={"m": 1}, code_version="v")

    @dg.op(out=out)
    def several():
        yield dg.DynamicOutput(1, "a")

    @dg.job(resource_defs={"io_manager": Shelf()})
    def making():
        several()

    made = several.outs["result"] if hasattr(several, "outs") else out
    assert (made.description, made.metadata["m"], made.code_version) == ("each", 1, "v")
    assert making.execute_in_process().success
    assert [(key, metadata["m"]) for key, metadata in seen] == [("a", 1)]
