import logging

import pytest

import dagster as dg


@dg.op
def one():
    return 1


@dg.op
def two():
    return 2


@dg.op
def add(x, y):
    return x + y


@dg.op
def inc(x: int) -> int:
    return x + 1


def steps(result):
    return [event.step_key for event in result.all_events if event.event_type_value == "STEP_SUCCESS"]


# --- graphs ----------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "graph.name", "graph.description", "graph.tags", "GraphDefinition.name", "GraphDefinition.tags",
    "GraphDefinition.alias",
)  # fmt: skip
def test_graphs_nest_and_their_steps_have_paths():
    @dg.graph(name="inner_one", description="adds two", tags={"k": "v"})
    def inner(x):
        return inc.alias("again")(inc(x))

    @dg.graph
    def outer(x):
        return inner(x)

    @dg.job
    def nested():
        add(outer(one()), outer.alias("other")(two()))

    assert (inner.name, inner.description, inner.tags) == ("inner_one", "adds two", {"k": "v"})
    result = nested.execute_in_process()
    assert result.output_for_node("add") == 7
    assert set(steps(result)) == {
        "one", "two", "add", "outer.inner_one.inc", "outer.inner_one.again", "other.inner_one.inc",
        "other.inner_one.again",
    }  # fmt: skip
    assert result.output_for_node("outer.inner_one.inc") == 2


@pytest.mark.api(
    "graph.ins", "graph.out", "GraphIn.description", "GraphOut.description", "GraphDefinition.input_mappings",
    "GraphDefinition.output_mappings",
)  # fmt: skip
def test_inputs_and_outputs_of_a_graph():
    @dg.graph(
        ins={"x": dg.GraphIn(description="first"), "y": dg.GraphIn()},
        out={"total": dg.GraphOut(description="the sum"), "more": dg.GraphOut()},
    )
    def both(x, y):
        total = add(x, y)
        return {"total": total, "more": inc(total)}

    assert {mapping.graph_input_name for mapping in both.input_mappings} == {"x", "y"}
    assert {mapping.graph_output_name for mapping in both.output_mappings} == {"total", "more"}
    result = both.execute_in_process(input_values={"x": 1, "y": 2})
    assert (result.output_value("total"), result.output_value("more")) == (3, 4)


@pytest.mark.api("graph.out")
def test_an_output_of_a_graph():
    @dg.graph(out=dg.GraphOut())
    def single():
        return inc(one())

    assert single.execute_in_process().output_value() == 2


@pytest.mark.api(
    "graph.config", "ConfigMapping.config_fn", "ConfigMapping.config_schema", "config_mapping",
    "GraphDefinition.config_mapping",
)  # fmt: skip
def test_config_mapping_of_a_graph():
    @dg.op(config_schema={"n": int})
    def number(context):
        return context.op_config["n"]

    @dg.config_mapping(config_schema={"base": int})
    def times(value):
        return {"number": {"config": {"n": value["base"] * 10}}}

    @dg.graph(config=times)
    def mapped():
        return number()

    @dg.graph(config=dg.ConfigMapping(config_schema=int, config_fn=lambda n: {"number": {"config": {"n": n}}}))
    def direct():
        return number()

    @dg.job
    def mapping():
        mapped()
        direct()

    assert mapped.config_mapping is not None
    result = mapping.execute_in_process(
        run_config={"ops": {"mapped": {"config": {"base": 4}}, "direct": {"config": 7}}}
    )
    assert (result.output_for_node("mapped.number"), result.output_for_node("direct.number")) == (40, 7)


@pytest.mark.api("GraphDefinition.to_job", "GraphDefinition.execute_in_process")
def test_a_graph_becomes_jobs():
    @dg.op(required_resource_keys={"n"})
    def number(context):
        return context.resources.n

    @dg.graph
    def counting():
        return inc(number())

    five, six = (dg.ResourceDefinition.hardcoded_resource(n) for n in (5, 6))
    named = counting.to_job(
        name="named", description="text", resource_defs={"n": five}, tags={"k": "v"}, metadata={"m": 1},
        op_retry_policy=dg.RetryPolicy(max_retries=4), owners=["team:data"],
    )  # fmt: skip
    assert (named.name, named.description, named.tags["k"]) == ("named", "text", "v")
    assert named.metadata["m"].value == 1
    assert named.execute_in_process().output_value() == 6
    assert counting.to_job(resource_defs={"n": six}).execute_in_process().output_value() == 7
    assert counting.execute_in_process(resources={"n": 8}).output_value() == 9


@pytest.mark.api("GraphDefinition.with_retry_policy", "GraphDefinition.tag")
def test_what_an_op_is_given_where_it_is_called():
    tries = []

    @dg.op
    def shaky():
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("again")

    @dg.job
    def patient():
        shaky.with_retry_policy(dg.RetryPolicy(max_retries=2)).alias("steady").tag({"dagster/priority": "3"})()

    assert steps(patient.execute_in_process()) == ["steady"]
    assert len(tries) == 3


def test_mistakes_in_composition_are_told_at_once():
    def unknown_input():
        inc(nothing=one())

    def constant():
        inc(x={"a": 5})

    def returns_a_number():
        one()
        return 5

    for wrong in (unknown_input, constant, returns_a_number):
        with pytest.raises(dg.DagsterError):
            dg.graph(wrong)


@pytest.mark.api(
    "GraphDefinition.node_defs", "GraphDefinition.dependencies", "DependencyDefinition.node",
    "DependencyDefinition.output", "MultiDependencyDefinition.dependencies", "NodeInvocation.alias", "InputMapping",
    "OutputMapping",
)  # fmt: skip
def test_a_graph_made_by_hand():
    @dg.op
    def total(values):
        return sum(values)

    made = dg.GraphDefinition(
        "made",
        node_defs=[one, inc, total],
        dependencies={
            dg.NodeInvocation("inc", alias="up"): {"x": dg.DependencyDefinition("one")},
            "total": {
                "values": dg.MultiDependencyDefinition(
                    [dg.DependencyDefinition("up", "result"), dg.DependencyDefinition("one")]
                )
            },
        },
    )
    assert made.execute_in_process().output_for_node("total") == 3


# --- jobs ------------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "job.name", "job.description", "job.tags", "job.run_tags", "job.metadata", "job.owners",
    "JobDefinition.execute_in_process",
)  # fmt: skip
def test_a_job_says_what_it_is():
    @dg.job(
        name="named", description="text", tags={"k": "v"}, run_tags={"r": "w"}, metadata={"m": "x"},
        owners=["team:data"],
    )  # fmt: skip
    def body():
        one()

    assert (body.name, body.description, body.tags["k"]) == ("named", "text", "v")
    assert body.metadata["m"].value == "x"
    assert list(body.owners) == ["team:data"]
    run = body.execute_in_process().dagster_run
    assert run.tags["r"] == "w"
    assert "k" not in run.tags


@pytest.mark.api("job.tags")
def test_tags_of_a_job_are_tags_of_its_runs():
    @dg.job(tags={"k": "v"})
    def body():
        one()

    assert body.execute_in_process().dagster_run.tags["k"] == "v"


@pytest.mark.api("job.config")
def test_config_of_a_job_is_the_default_of_its_runs():
    @dg.op(config_schema={"n": int})
    def number(context):
        return context.op_config["n"]

    def config(n):
        return {"ops": {"number": {"config": {"n": n}}}}

    @dg.job(config=config(5))
    def defaulted():
        number()

    @dg.job(config=dg.ConfigMapping(config_schema={"base": int}, config_fn=lambda c: config(c["base"] + 1)))
    def mapped():
        number()

    assert defaulted.execute_in_process().output_for_node("number") == 5
    assert defaulted.execute_in_process(run_config=config(6)).output_for_node("number") == 6
    assert mapped.execute_in_process(run_config={"base": 8}).output_for_node("number") == 9


@pytest.mark.api("job.input_values", "JobDefinition.execute_in_process.input_values", "JobDefinition.input_values")
def test_input_values():
    @dg.job(input_values={"x": 5})
    def with_input(x):
        inc(x)

    assert with_input.execute_in_process().output_for_node("inc") == 6
    assert with_input.execute_in_process(input_values={"x": 7}).output_for_node("inc") == 8
    assert with_input.input_values == {"x": 5}


def test_inputs_by_run_config():
    @dg.graph
    def with_input(x):
        return inc(x)

    job = with_input.to_job()
    assert job.execute_in_process(run_config={"inputs": {"x": {"value": 6}}}).output_value() == 7
    with pytest.raises(dg.DagsterInvalidConfigError):
        job.execute_in_process(run_config={"inputs": {"x": {"value": "six"}}})
    with pytest.raises(dg.DagsterError):
        job.execute_in_process()

    @dg.job
    def loose():
        inc()

    config = {"ops": {"inc": {"inputs": {"x": 3}}}}
    assert loose.execute_in_process(run_config=config).output_for_node("inc") == 4


@pytest.mark.api(
    "job.resource_defs", "JobDefinition.resource_defs", "JobDefinition.with_top_level_resources",
    "JobDefinition.execute_in_process.resources",
)  # fmt: skip
def test_resources_of_a_job():
    @dg.op(required_resource_keys={"n"})
    def number(context):
        return context.resources.n

    @dg.job(resource_defs={"n": dg.ResourceDefinition.hardcoded_resource(5)})
    def counting():
        number()

    assert counting.execute_in_process().output_for_node("number") == 5
    assert counting.execute_in_process(resources={"n": 6}).output_for_node("number") == 6
    assert "n" in counting.resource_defs
    more = {"n": dg.ResourceDefinition.hardcoded_resource(5), "m": dg.ResourceDefinition.hardcoded_resource(7)}
    assert {"n", "m"} <= counting.with_top_level_resources(more).resource_defs.keys()


@pytest.mark.api("JobDefinition.execute_in_process.op_selection")
@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (["a"], {"a"}),
        (["*c"], {"a", "b", "c"}),
        (["a+"], {"a", "b"}),
        (["+c"], {"b", "c"}),
        (["a", "d"], {"a", "d"}),
        (["a*"], {"a", "b", "c"}),
    ],
)
def test_op_selection(selection, expected):
    @dg.op
    def pass_on(x):
        return x

    @dg.job
    def chain():
        pass_on.alias("c")(pass_on.alias("b")(one.alias("a")()))
        two.alias("d")()

    config = {"ops": {"b": {"inputs": {"x": {"value": 1}}}}} if selection == ["+c"] else {}
    result = chain.execute_in_process(op_selection=selection, run_config=config)
    assert set(steps(result)) == expected


def test_inputs_of_a_selection_come_from_config():
    @dg.job
    def chain():
        inc(one())

    with pytest.raises(dg.DagsterInvalidConfigError):
        chain.execute_in_process(op_selection=["inc"])
    config = {"ops": {"inc": {"inputs": {"x": {"value": 4}}}}}
    assert chain.execute_in_process(op_selection=["inc"], run_config=config).output_for_node("inc") == 5


def test_a_selection_of_nothing_is_an_error():
    @dg.job
    def single():
        one()

    with pytest.raises(dg.DagsterInvalidSubsetError):
        single.execute_in_process(op_selection=["nope"])


@pytest.mark.api("JobDefinition.execute_in_process.asset_selection", "define_asset_job.selection")
def test_asset_selection_of_an_asset_job():
    @dg.asset
    def a():
        return 1

    @dg.asset
    def b(a):
        return a + 1

    @dg.asset
    def c():
        return 1

    job = dg.Definitions(assets=[a, b, c], jobs=[dg.define_asset_job("ab", ["a", "b"])]).get_job_def("ab")
    assert steps(job.execute_in_process()) == ["a", "b"]
    result = job.execute_in_process(asset_selection=[dg.AssetKey("a")])
    assert steps(result) == ["a"]
    assert result.dagster_run.asset_selection == {dg.AssetKey("a")}


@pytest.mark.api(
    "JobDefinition.execute_in_process.tags", "JobDefinition.execute_in_process.run_id",
    "JobDefinition.execute_in_process.raise_on_error", "JobDefinition.execute_in_process.instance",
)  # fmt: skip
def test_a_run_is_recorded_as_asked():
    @dg.op
    def bad():
        raise ValueError("no")

    @dg.job
    def failing():
        bad()

    run_id = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(ValueError, match="no"):
            failing.execute_in_process(instance=instance)
        result = failing.execute_in_process(instance=instance, raise_on_error=False, tags={"k": "v"}, run_id=run_id)
        assert result.run_id == run_id
        recorded = instance.get_run_by_id(run_id)
        assert (recorded.status, recorded.tags["k"]) == (dg.DagsterRunStatus.FAILURE, "v")
        assert len(instance.get_runs()) == 2


def test_config_is_checked_before_the_run_exists():
    @dg.op(config_schema={"n": int})
    def number(context):
        return context.op_config["n"]

    @dg.job
    def counting():
        number()

    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(dg.DagsterInvalidConfigError, match="number"):
            counting.execute_in_process(instance=instance)
        assert not instance.get_runs()


def test_a_job_with_nothing_in_it():
    @dg.job
    def empty():
        pass

    assert empty.execute_in_process().success


@pytest.mark.api("GraphDefinition.description", "GraphDefinition.config")
def test_more_of_a_graph_made_by_hand():
    @dg.op(config_schema={"n": int})
    def number(context):
        return context.op_config["n"]

    mapping = dg.ConfigMapping(config_schema=int, config_fn=lambda n: {"number": {"config": {"n": n * 2}}})
    made = dg.GraphDefinition("made", description="text", node_defs=[number], config=mapping)
    assert made.description == "text"

    @dg.job
    def using():
        made()

    result = using.execute_in_process(run_config={"ops": {"made": {"config": 4}}})
    assert result.output_for_node("made.number") == 8


@pytest.mark.api(
    "InputMapping.graph_input_name", "InputMapping.mapped_node_name", "InputMapping.mapped_node_input_name",
    "InputMapping.fan_in_index", "InputMapping.graph_input_description", "InputMapping.dagster_type",
    "OutputMapping.graph_output_name", "OutputMapping.mapped_node_name", "OutputMapping.mapped_node_output_name",
    "OutputMapping.graph_output_description", "OutputMapping.from_dynamic_mapping", "GraphDefinition.input_mappings",
    "GraphDefinition.output_mappings", "DependencyDefinition.description", "DependencyDefinition.is_fan_in",
    "MultiDependencyDefinition.is_fan_in", "MultiDependencyDefinition.get_node_dependencies",
    "MultiDependencyDefinition.get_dependencies_and_mappings", "NodeInvocation.name", "NodeInvocation.tags",
    "NodeInvocation.hook_defs", "NodeInvocation.retry_policy",
)  # fmt: skip
def test_the_parts_of_a_graph_made_by_hand():
    tried = []

    @dg.op
    def shaky():
        tried.append(1)
        if len(tried) < 2:
            raise ValueError("again")
        return 1

    @dg.op
    def total(xs):
        return sum(xs)

    @dg.success_hook
    def tell(context):
        tried.append(context.op.name)

    source = dg.DependencyDefinition("first", description="the one")
    several = dg.MultiDependencyDefinition([source, dg.DependencyDefinition("more")])
    assert (source.description, source.is_fan_in(), several.is_fan_in()) == ("the one", False, True)
    assert list(several.get_node_dependencies()) == [source, dg.DependencyDefinition("more")]
    assert list(several.get_dependencies_and_mappings()) == list(several.get_node_dependencies())
    invocation = dg.NodeInvocation(
        "shaky", alias="first", tags={"k": "v"}, hook_defs={tell}, retry_policy=dg.RetryPolicy(max_retries=1)
    )
    assert (invocation.name, invocation.tags, invocation.hook_defs) == ("shaky", {"k": "v"}, {tell})
    assert invocation.retry_policy.max_retries == 1
    into = dg.InputMapping(
        graph_input_name="x", mapped_node_name="more", mapped_node_input_name="x", graph_input_description="one more"
    )
    out_of = dg.OutputMapping(
        graph_output_name="sum",
        mapped_node_name="total",
        mapped_node_output_name="result",
        graph_output_description="of both",
    )
    made = dg.GraphDefinition(
        "made",
        node_defs=[shaky, total, inc],
        dependencies={
            invocation: {},
            dg.NodeInvocation("inc", alias="more"): {},
            dg.NodeInvocation("total"): {"xs": several},
        },
        input_mappings=[into],
        output_mappings=[out_of],
    )
    (kept_in,), (kept_out,) = made.input_mappings, made.output_mappings
    assert (kept_in.mapped_node_name, kept_in.mapped_node_input_name) == ("more", "x")
    assert (kept_in.graph_input_name, kept_in.fan_in_index, kept_in.graph_input_description) == ("x", None, "one more")
    assert (kept_out.graph_output_description, kept_out.from_dynamic_mapping) == ("of both", False)
    result = made.execute_in_process(input_values={"x": 4})
    assert result.output_value("sum") == 6
    assert tried == [1, 1, "first"]
    typed = dg.InputMapping(
        graph_input_name="x",
        mapped_node_name="total",
        mapped_node_input_name="xs",
        dagster_type=dg.PythonObjectDagsterType(int),
    )
    assert typed.dagster_type.display_name == "int"


def test_dynamic_values_leave_a_graph_made_by_hand():
    @dg.op(out=dg.DynamicOut())
    def several():
        yield dg.DynamicOutput(1, "a")
        yield dg.DynamicOutput(2, "b")

    out = dg.OutputMapping("each", "several", "result", from_dynamic_mapping=True)
    made = dg.GraphDefinition("made", node_defs=[several], output_mappings=[out])

    @dg.op
    def total(xs):
        return sum(xs)

    @dg.job
    def using():
        total(made().map(inc).collect())

    assert using.execute_in_process().output_for_node("total") == 5


@pytest.mark.api(
    "JobDefinition.loggers", "JobDefinition.has_specified_loggers", "JobDefinition.config_mapping",
    "JobDefinition.partitioned_config", "JobDefinition.input_values",
)  # fmt: skip
def test_what_a_job_was_given():
    @dg.logger
    def quiet(init):
        return logging.getLogger("quiet")

    mapping = dg.ConfigMapping(config_fn=lambda given: {})

    @dg.static_partitioned_config(["p"])
    def by_partition(key):
        return {}

    @dg.graph
    def body():
        one()

    @dg.graph
    def taking(x):
        return inc(x)

    plain, full = body.to_job(), body.to_job(logger_defs={"quiet": quiet}, config=mapping)
    assert (plain.has_specified_loggers, full.has_specified_loggers) == (False, True)
    assert full.loggers["quiet"] is quiet
    assert (plain.config_mapping, full.config_mapping) == (None, mapping)
    assert plain.partitioned_config is None
    assert body.to_job(config=by_partition).partitioned_config is by_partition
    given = taking.to_job(input_values={"x": 4})
    assert (given.input_values["x"], given.execute_in_process().output_value()) == (4, 5)


@pytest.mark.api("GraphDefinition.input_assets")
def test_inputs_of_a_graph_that_are_assets(tmp_path):
    @dg.asset
    def rows():
        return [1, 2]

    @dg.op
    def count(xs):
        return len(xs)

    made = dg.GraphDefinition("made", node_defs=[count], input_assets={"count": {"xs": rows}})
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        defs = dg.Definitions(assets=[rows], jobs=[made.to_job()])
        dg.materialize([rows], instance=instance)
        result = defs.get_job_def("made").execute_in_process(
            instance=instance, resources={"io_manager": dg.FilesystemIOManager(base_dir=str(tmp_path / "storage"))}
        )
    assert result.output_for_node("count") == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.api("GraphDefinition.node_input_source_assets", "GraphDefinition.composition_fn",
                 "OutputMapping.dagster_type", "graph.input_defs", "graph.output_defs")  # fmt: skip
def test_older_arguments_of_graphs(shelf):
    shelf.values["up"] = 4

    @dg.op
    def same(x):
        return x

    def compose():
        """Where messages say that the graph is."""

    out = dg.OutputMapping("result", "same", "result", dagster_type=dg.In(int).dagster_type)
    made = dg.GraphDefinition(
        "made", node_defs=[same], output_mappings=[out], composition_fn=compose,
        node_input_source_assets={"same": {"x": dg.SourceAsset("up")}},
    )  # fmt: skip
    assert made.output_mappings[0].dagster_type.display_name == "Int"
    assert made.to_job(resource_defs={"io_manager": shelf}).execute_in_process().output_value() == 4
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=r"made.*test_graphs_jobs\.py"):
        made.configured({}, name="other")

    @dg.graph(input_defs=[], output_defs=[])
    def empty():
        pass

    assert empty.execute_in_process().success
    for old in ({"input_defs": ["x"]}, {"output_defs": ["x"]}):
        with pytest.raises(dg.DagsterInvalidDefinitionError, match="GraphIn"):
            dg.graph(**old)(compose)
