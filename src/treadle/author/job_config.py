"""The run config of a job: what it may say, and what each op, resource, input and executor gets of it.

Jobs may have ten thousand ops of which most have no config. So the schema that a run's config is checked against has
only the ops that take config and those that the config names; the whole schema is made for people, and on the way to an
error.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import msgspec

from treadle.author import config_types, executions
from treadle.author.config_types import ConfigType
from treadle.author.configured import ConfigMapping, ask
from treadle.author.input_config import input_config
from treadle.author.jobs import JobDefinition
from treadle.author.ops import OpDefinition, required_keys
from treadle.author.run_config import RunConfig, run_config_dict
from treadle.errors import ConfigError, InvocationError
from treadle.spec import config
from treadle.spec.config import ConfigFault, Shape, render_faults
from treadle.spec.config import field as part
from treadle.spec.nodes import FromConfig, FromRunInput

_NOTHING: Mapping[str, Any] = {}
_Tree = dict[str, Any]
"""Places in a job that the schema has: names to the trees of what is inside, which for ops is nothing."""


class ResolvedConfig(msgspec.Struct, frozen=True):
    """What a run's config comes to, with defaults and environment variables filled in.

    Attributes:
        ops: the config of each op that takes any, by handle.
        inputs: values for inputs that nothing in the job feeds, by (handle of op or graph, input).
        input_values: values of the job's inputs, by name: from config, from the job, and given to the run.
        resources: the config of resources, by key. One that is left out gets its default.
        execution: by the executor's name its config; `in_process` or `multiprocess` for the default executor.
        loggers: the config of the loggers that were asked for, by name.
        outputs: the config of outputs whose IO manager takes any, by (handle, output).
    """

    ops: Mapping[str, Any] = {}
    inputs: Mapping[tuple[str, str], Any] = {}
    input_values: Mapping[str, Any] = {}
    resources: Mapping[str, Any] = {}
    execution: Mapping[str, Any] = {}
    loggers: Mapping[str, Any] = {}
    outputs: Mapping[tuple[str, str], Any] = {}


# --- what takes config ----------------------------------------------------------------------------------------------


class _OpenInput(msgspec.Struct, frozen=True):
    """An input that run config can give a value, or that its input manager takes config for.

    Attributes:
        field: what may stand there; None if run config cannot say it.
    """

    config: ConfigType | None
    required: bool
    field: config.Field | None


class _Layout(msgspec.Struct):
    """What in a job takes config. Made once a job, kept in `job.config_schema`.

    Attributes:
        configured: handles of ops with config, their own or of outputs.
        inputs: inputs that config can feed, by handle of op or graph.
        run_inputs: inputs of the job itself.
        resources: keys that its ops need, with what these require.
        mapped: the config mappings of graphs, by handle.
        groups: handles of all graphs.
        managers: the IO managers that take config for each output, by key, with its schema.
        speaks: whether anything in it would get something out of an empty run config.
        schema: the whole schema, once someone asked for it.
    """

    configured: tuple[str, ...]
    inputs: dict[str, dict[str, _OpenInput]]
    run_inputs: dict[str, _OpenInput]
    resources: frozenset[str]
    mapped: Mapping[str, ConfigMapping]
    groups: Set[str]
    managers: Mapping[str, Any]
    speaks: bool
    schema: Shape | None = None


def _layout(job: JobDefinition) -> _Layout:
    known: _Layout | None = job.config_schema
    if known is None:
        known = job.config_schema = _look(job)
    return known


def _look(job: JobDefinition) -> _Layout:
    inputs: dict[str, dict[str, _OpenInput]] = {}
    run_inputs: dict[str, _OpenInput] = {}
    for node in job.nodes:
        for name, managed in _managed_inputs(job, job.ops[node.handle]).items():
            inputs.setdefault(node.handle, {})[name] = managed
        for spec in node.inputs:
            for source in spec.sources:
                if type(source) is FromConfig:
                    place = inputs.setdefault(source.node, {})
                    _open(job, place, source.node, source.input, node.handle, spec.name)
                elif type(source) is FromRunInput:
                    _open(job, run_inputs, "", source.name, node.handle, spec.name)
    found = {key: getattr(one, "output_config_schema", None) for key, one in job.resource_defs.items()}
    managers = {key: schema for key, schema in found.items() if schema is not None}
    configured = tuple(
        handle for handle, op in job.ops.items() if op.has_config or (managers and _output_fields(managers, op))
    )
    mapped = {handle: place.config for handle, place in job.graphs.items() if place.config is not None}
    resources = _needed_resources(job)
    needs = any(job.resource_defs[key].config_field.field.required for key in resources)
    return _Layout(
        configured, inputs, run_inputs, resources, mapped, job.graphs.keys() - {""}, managers,
        speaks=bool(configured or inputs or run_inputs or mapped or needs),
    )  # fmt: skip


def _output_fields(managers: Mapping[str, Any], op: OpDefinition) -> dict[str, config_types.Field]:
    """The config that outputs of an op may be given, by name."""
    keys = {name: out.io_manager_key for name, out in op.outs.items() if out.io_manager_key in managers}
    return {name: config_types.field_from(managers[key]) for name, key in keys.items()}


def _open(
    job: JobDefinition, found: dict[str, _OpenInput], place: str, name: str, handle: str, input_name: str
) -> None:
    """Note an open input of `place`, feeding an input of the op at `handle`. It is required if that has no default."""
    op_in = job.ops[handle].ins[input_name]
    if op_in.is_nothing:
        return
    known = found.get(name)
    graph = job.graphs.get(place)
    declared = graph.input_types.get(name) if graph is not None else None
    said = known.config if known is not None else input_config(declared or op_in.dagster_type)
    required = not op_in.has_default_value or (known is not None and known.required)
    found[name] = _OpenInput(said, required, None if said is None else _field(said.schema, required))


def _managed_inputs(job: JobDefinition, op: OpDefinition) -> dict[str, _OpenInput]:
    """The inputs of an op whose input managers take config for them."""
    found: dict[str, _OpenInput] = {}
    for name, op_in in op.ins.items():
        manager = job.resource_defs.get(op_in.input_manager_key) if op_in.input_manager_key else None
        schema = getattr(manager, "input_config_schema", None)
        if schema is not None:
            declared = config_types.field_from(schema)
            found[name] = _OpenInput(declared.config_type, declared.is_required, declared.field)
    return found


def _needed_resources(job: JobDefinition) -> frozenset[str]:
    definitions = job.resource_defs
    needed: set[str] = set()
    waiting = required_keys({id(op): op for op in job.ops.values()}.values()) | job.hook_keys(job.ops)
    while waiting:
        key = waiting.pop()
        if key not in needed and key in definitions:
            needed.add(key)
            waiting |= definitions[key].requires(definitions)
    return frozenset(needed)


# --- the schema -----------------------------------------------------------------------------------------------------


def run_config_schema(job: JobDefinition) -> Shape:
    """What run config for this job looks like. If the job has a config mapping: what that takes."""
    mapping = job.config_mapping
    if mapping is not None:
        mapped = mapping.config_field.field.schema
        return mapped if isinstance(mapped, Shape) else config.PERMISSIVE
    layout = _layout(job)
    if layout.schema is None:
        layout.schema = _Schemas(job, layout, None).root(_tree([*job.ops, *layout.groups]), job.input_values)
    return layout.schema


def _tree(handles: Iterable[str]) -> _Tree:
    tree: _Tree = {}
    for handle in handles:
        here = tree
        *around, name = handle.split(".")
        for group in around:
            here = here.setdefault(group, {})
        here.setdefault(name, {})
    return tree


class _Schemas(msgspec.Struct):
    """Makes the parts of the schema of a job. `selected`: handles of the ops that run; None is all."""

    job: JobDefinition
    layout: _Layout
    selected: Set[str] | None

    def root(self, tree: _Tree, input_values: Mapping[str, Any]) -> Shape:
        job = self.job
        fields = {"ops": part(self.ops(tree, ""))}
        if "" in self.layout.mapped:
            fields["ops"] = part(Shape({"config": self.layout.mapped[""].config_field.field}))
        fields["resources"] = part(Shape({key: self.resource(key) for key in job.resource_defs}))
        executor = job.executor_def
        execution = executions.DEFAULT_EXECUTION if executor is None else executor.config_field.field
        fields["execution"] = part(Shape({"config": execution}))
        fields["loggers"] = part(Shape(self.loggers()))
        inputs = {
            name: one.field
            for name, one in self.layout.run_inputs.items()
            if name not in input_values and one.field is not None
        }
        if inputs:
            fields["inputs"] = part(Shape(inputs))
        return Shape(fields)

    def ops(self, tree: _Tree, prefix: str) -> Shape:
        return Shape({name: self.entry(prefix + name, inner) for name, inner in tree.items()})

    def entry(self, handle: str, inner: _Tree) -> config.Field:
        """What may stand for an op or graph."""
        if not self.runs(handle):
            return executions.ANY_CONFIG
        fields: dict[str, config.Field] = {}
        op = self.job.ops.get(handle)
        if op is not None:
            fields["config"] = op.config_field.field
            outputs = {name: one.field for name, one in _output_fields(self.layout.managers, op).items()}
            if outputs:
                fields["outputs"] = part(Shape(outputs))
        elif handle in self.layout.mapped:
            fields["config"] = self.layout.mapped[handle].config_field.field
        else:
            fields["ops"] = part(self.ops(inner, handle + "."))
        inputs = self.layout.inputs.get(handle)
        if inputs:
            fields["inputs"] = part(Shape({name: one.field for name, one in inputs.items() if one.field}))
        return part(Shape(fields))

    def runs(self, handle: str) -> bool:
        """Whether an op runs, or one in a graph."""
        chosen = self.selected
        return chosen is None or handle in chosen or any(other.startswith(handle + ".") for other in chosen)

    def resource(self, key: str) -> config.Field:
        shape = Shape({"config": self.job.resource_defs[key].config_field.field})
        return _field(shape, key in self.layout.resources)

    def loggers(self) -> dict[str, config.Field]:
        """Loggers are chosen by naming them, so none has a default."""
        loggers = self.job.logger_defs
        fields = {key: one.config_field.field for key, one in loggers.items()} or {"console": executions.CONSOLE_LOGGER}
        return {key: config.Field(Shape({"config": one}), required=False) for key, one in fields.items()}


def _field(schema: config.Schema, required: bool) -> config.Field:
    """A field that has to be given if `required` and its schema cannot do without."""
    return part(schema) if required else config.Field(schema, required=False)


# --- from run config to each one's part -----------------------------------------------------------------------------


def run_config_of(
    job: JobDefinition, run_config: RunConfig | Mapping[str, Any] | None, partition_key: str | None = None
) -> dict[str, Any]:
    """The run config that a run is recorded with: as given; else, for a partition, what the job's config says for it.

    Raises:
        ConfigMappingError: the job's config function raised.
        UnknownPartitionError: there is no such partition.
    """
    given = run_config_dict(run_config)
    partitioned = job.partitioned_config
    if given or partitioned is None or partition_key is None:
        return given
    title = f"function that gives job {job.name!r} its config for a partition"
    return ask(partitioned.get_run_config_for_partition_key, partition_key, title)


def _refused(faults: Sequence[ConfigFault], title: str, given: Any) -> ConfigError:
    return ConfigError(render_faults(faults, title), errors=tuple(faults), config=given)


def resolve(
    job: JobDefinition,
    run_config: RunConfig | Mapping[str, Any] | None,
    env: Mapping[str, str] | None = None,
    *,
    input_values: Mapping[str, Any] | None = None,
    selected: Set[str] | None = None,
) -> ResolvedConfig:
    """Check run config and take it apart.

    Args:
        run_config: what the run is given; the job's own config fills in what it leaves out.
        env: environment variables to put in the place of references; None only checks, and leaves them as they are.
        input_values: values given to the run for the job's inputs.
        selected: handles of the ops that run; the others need no config and may have any. None is all.

    Raises:
        ConfigError: it does not fit, with all faults.
        ConfigMappingError: a config mapping raised.
        InvocationError: an input of the job has no value, and config cannot give it one.
        DefinitionError: a value is given for an input that the job does not have.
    """
    if run_config is not None and not isinstance(run_config, RunConfig | Mapping):
        raise InvocationError(
            f"The run config of job {job.name!r} is of type {type(run_config).__name__}. Give a dict or a RunConfig."
        )
    given = run_config_dict(run_config)
    mapping = job.config_mapping
    if mapping is not None:
        value, faults = config.check(mapping.config_field.field.schema, given, env=env)
        if faults:
            raise _refused(faults, f"The config that the config mapping of job {job.name!r} takes", given)
        if mapping.receive_processed_config_values is False:
            value, _ = config.check(mapping.config_field.field.schema, given)
        given = mapping.call(value, f"job {job.name!r}")
    elif job.config is not None and job.partitioned_config is None:
        given = _with_defaults(run_config_dict(job.config), given)
    values = {**job.input_values, **(input_values or _NOTHING)}
    return _Resolver(job, _layout(job), selected, env, values).resolve(given)


def _with_defaults(default: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given`, with what it leaves out from `default`: op by op, resource by resource; each is taken whole."""
    merged = dict(default)
    for section, value in given.items():
        ours = merged.get(section)
        merged[section] = {**ours, **value} if isinstance(ours, Mapping) and isinstance(value, Mapping) else value
    return merged


class _Resolver(_Schemas):
    """One run's config on its way to those it is for."""

    env: Mapping[str, str] | None
    values: Mapping[str, Any]
    for_ops: dict[str, Any] = {}
    for_inputs: dict[tuple[str, str], Any] = {}
    for_outputs: dict[tuple[str, str], Any] = {}

    def resolve(self, given: Mapping[str, Any]) -> ResolvedConfig:
        self._check_values()
        layout = self.layout
        if not given and not layout.speaks and self.job.executor_def is None:
            return ResolvedConfig(input_values=self.values, execution=_DEFAULT_EXECUTION)
        wanted = {*layout.configured, *layout.inputs, *layout.mapped} - {""}
        tree = _tree([*wanted, *self._named(given.get("ops"), "")])
        checked, faults = config.check(self.root(tree, self.values), given, env=self.env)
        if faults:
            full = self.root(_tree([*self.job.ops, *layout.groups]), self.values)
            _, faults = config.check(full, given, env=self.env)
            raise _refused(faults, f"The run config of job {self.job.name!r}", given)
        if "" in layout.mapped:
            self._take_mapped("", checked["ops"].get("config"), ("ops",))
        else:
            self._take_ops(tree, checked["ops"], "")
        run_inputs = {
            name: self._load(layout.run_inputs[name], value, ("inputs", name))
            for name, value in checked.get("inputs", _NOTHING).items()
        }
        executor = self.job.executor_def
        execution = checked["execution"].get("config")
        return ResolvedConfig(
            ops=self.for_ops,
            inputs=self.for_inputs,
            input_values={**run_inputs, **self.values} if run_inputs else self.values,
            resources={key: entry["config"] for key, entry in checked["resources"].items() if "config" in entry},
            execution=execution if executor is None else {executor.name: execution or {}},
            loggers={key: entry.get("config", {}) for key, entry in checked["loggers"].items()},
            outputs=self.for_outputs,
        )

    def _check_values(self) -> None:
        if self.values:
            self.job.check_input_values(self.values)
        for name, open_input in self.layout.run_inputs.items():
            if open_input.required and open_input.config is None and name not in self.values:
                raise InvocationError(
                    f"Job {self.job.name!r} needs a value for its input {name!r}, and its type cannot be written in "
                    f"run config. Give it: input_values={{{name!r}: ...}}."
                )

    def _named(self, section: Any, prefix: str) -> list[str]:
        """The places that run config names and the job has."""
        found: list[str] = []
        for name, entry in section.items() if isinstance(section, Mapping) else ():
            handle = f"{prefix}{name}"
            if handle in self.job.ops:
                found.append(handle)
            elif handle in self.layout.groups:
                found += [handle, *self._named(entry.get("ops") if isinstance(entry, Mapping) else None, handle + ".")]
        return found

    def _take_ops(self, tree: _Tree, section: Mapping[str, Any], prefix: str, path: config.Path = ("ops",)) -> None:
        for name, inner in tree.items():
            handle = prefix + name
            entry = section.get(name)
            if not isinstance(entry, Mapping) or not self.runs(handle):
                continue
            here = (*path, name)
            for input_name, value in entry.get("inputs", _NOTHING).items():
                open_input = self.layout.inputs[handle][input_name]
                self.for_inputs[handle, input_name] = self._load(open_input, value, (*here, "inputs", input_name))
            if handle in self.job.ops:
                if "config" in entry:
                    self.for_ops[handle] = self.job.ops[handle].resolve_config(entry["config"])
                if "outputs" in entry:
                    loads = _output_fields(self.layout.managers, self.job.ops[handle])
                    for name, value in entry["outputs"].items():
                        self.for_outputs[handle, name] = loads[name].config_type.load(value)
            elif handle in self.layout.mapped:
                self._take_mapped(handle, entry.get("config"), (*here, "config"))
            else:
                self._take_ops(inner, entry.get("ops", _NOTHING), handle + ".", (*here, "ops"))

    def _take_mapped(self, handle: str, given: Any, path: config.Path) -> None:
        """The config of the nodes of a graph that has a config mapping."""
        title = f"graph {handle!r} in job {self.job.name!r}" if handle else f"the graph of job {self.job.name!r}"
        # What it takes was checked with everything else, references to environment variables included.
        made = self.layout.mapped[handle].call(given, title)
        prefix = f"{handle}." if handle else ""
        places = [place for place in (*self.job.ops, *self.layout.groups) if place.startswith(prefix)]
        inside = _tree(place[len(prefix) :] for place in places)
        checked, faults = config.check(self.ops(inside, prefix), made, env=self.env)
        if faults:
            raise _refused(faults, f"The config that the config mapping of {title} made for its nodes", made)
        self._take_ops(inside, checked, prefix, path)

    def _load(self, open_input: _OpenInput, value: Any, path: config.Path) -> Any:
        assert open_input.config is not None
        try:
            return open_input.config.load(value)
        except Exception as error:
            problem = f"The value cannot be read ({type(error).__name__}: {error})."
            fix = "a file that exists: JSON with an object {'value': ...}, or a pickle"
            fault = ConfigFault(path, "FAILED_POST_PROCESSING", problem, fix)
            raise _refused([fault], f"The run config of job {self.job.name!r}", value) from error


_DEFAULT_EXECUTION: Mapping[str, Any] = config.check(
    executions.DEFAULT_EXECUTION.schema, executions.DEFAULT_EXECUTION.default
)[0]


def validate_run_config(
    job_def: JobDefinition, run_config: RunConfig | Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Check run config without running anything, and return it with defaults filled in.

    Raises:
        ConfigError: it does not fit, with all faults.
    """
    resolved = resolve(job_def, run_config, os.environ)
    inputs: dict[str, dict[str, Any]] = {}
    for (handle, name), value in resolved.inputs.items():
        inputs.setdefault(handle, {})[name] = value
    handles = [*job_def.ops, *_layout(job_def).groups]
    name = "multi_or_in_process_executor"
    return {
        "ops": {
            handle: {"config": resolved.ops.get(handle), "inputs": inputs.get(handle, {}), "outputs": None}
            for handle in handles
        },
        "execution": resolved.execution if job_def.executor_def is not None else {name: dict(resolved.execution)},
        "resources": {key: {"config": value} for key, value in resolved.resources.items()},
        "loggers": {key: {"config": value} for key, value in resolved.loggers.items()},
    }
