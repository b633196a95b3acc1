import os
import pickle
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.author.env import EnvVar
from treadle.author.io_contexts import (
    AssetPartitions,
    HandmadeStep,
    InputContext,
    OutputContext,
    build_input_context,
    build_output_context,
)
from treadle.author.io_managers import (
    FilesystemIOManager,
    InMemoryIOManager,
    IOManager,
    IOManagerDefinition,
    UPathIOManager,
    fs_io_manager,
    input_manager,
    io_manager,
    mem_io_manager,
    partition_path,
    safe_part,
)
from treadle.author.resources import ResourceInit, as_resource_definition
from treadle.core.keys import AssetKey
from treadle.core.metadata import PathMetadataValue
from treadle.errors import DefinitionError, InvariantError, StepOutputNotFoundError
from treadle.runtime.resources import open_resources

ASSET = AssetKey(["p", "q"])


class MultiKey(str):
    keys_by_dimension = MappingProxyType({"b": "2", "a": "1/x"})


def out(asset=None, keys=None, name="result"):
    step = HandmadeStep({"run_id": "run", "step_key": "step"}, None if keys is None else AssetPartitions(keys))
    return OutputContext(step, name, asset_key=asset)


def inp(asset=None, keys=None, upstream=None, metadata=None):
    step = HandmadeStep({}, None if keys is None else AssetPartitions(keys))
    return InputContext(step, "x", asset_key=asset, upstream=upstream, definition_metadata=metadata or {})


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


class TestFilesystem:
    def test_paths(self, tmp_path):
        manager = FilesystemIOManager(str(tmp_path))
        manager.handle_output(out(ASSET), 1)
        manager.handle_output(out(AssetKey("d"), ["2024-01-01"]), 2)
        manager.handle_output(out(AssetKey("m"), [MultiKey("1|2")]), 3)
        manager.handle_output(out(), 4)
        assert files(tmp_path) == ["d/2024-01-01", "m/1/x/2", "p/q", "run/step/result"]

    def test_round_trip_and_metadata(self, tmp_path):
        manager = FilesystemIOManager(tmp_path)
        context = out(ASSET)
        manager.handle_output(context, {"a": [1]})
        assert context.get_logged_metadata() == {"path": PathMetadataValue(str(tmp_path / "p/q"))}
        assert manager.load_input(inp(ASSET)) == {"a": [1]}
        assert manager.has_output(out(ASSET))
        assert not manager.has_output(out())

    def test_outputs_of_ops(self, tmp_path):
        manager = FilesystemIOManager(tmp_path)
        manager.handle_output(out(name="o"), 5)
        assert manager.load_input(inp(upstream=out(name="o"))) == 5

    def test_none_is_stored_without_metadata(self, tmp_path):
        manager = FilesystemIOManager(tmp_path)
        context = out(ASSET)
        manager.handle_output(context, None)
        assert context.get_logged_metadata() == {}
        assert manager.load_input(inp(ASSET)) is None

    def test_several_partitions_are_a_dict(self, tmp_path):
        manager = FilesystemIOManager(tmp_path)
        for key in ("a", "b"):
            manager.handle_output(out(ASSET, [key]), key.upper())
        assert manager.load_input(inp(ASSET, ["a"])) == "A"
        assert manager.load_input(inp(ASSET, ["a", "b"])) == {"a": "A", "b": "B"}
        assert manager.load_input(inp(ASSET, [])) is None

    def test_missing_partitions(self, tmp_path):
        manager = FilesystemIOManager(tmp_path)
        manager.handle_output(out(ASSET, ["a"]), 1)
        with pytest.raises(StepOutputNotFoundError, match=r"asset 'p/q', partition 'zz'.*allow_missing_partitions"):
            manager.load_input(inp(ASSET, ["a", "zz"]))
        allowed = {"allow_missing_partitions": True}
        assert manager.load_input(inp(ASSET, ["a", "zz"], metadata=allowed)) == {"a": 1}
        assert manager.load_input(inp(ASSET, ["zz"], metadata=allowed)) is None

    def test_missing_values_say_what_to_do(self, tmp_path):
        manager = FilesystemIOManager(tmp_path)
        with pytest.raises(StepOutputNotFoundError, match=r"asset 'p/q'.*Materialize it first"):
            manager.load_input(inp(ASSET))
        with pytest.raises(StepOutputNotFoundError, match="output 'o' of step 'step'") as caught:
            manager.load_input(inp(upstream=out(name="o")))
        assert (caught.value.step_key, caught.value.output_name) == ("step", "o")

    def test_several_partitions_cannot_be_one_output(self, tmp_path):
        with pytest.raises(InvariantError, match="2 partitions"):
            FilesystemIOManager(tmp_path).handle_output(out(ASSET, ["a", "b"]), 1)

    def test_failed_write_leaves_the_old_value_and_nothing_else(self, tmp_path):
        manager = FilesystemIOManager(tmp_path)
        manager.handle_output(out(ASSET), "old")
        with pytest.raises(InvariantError, match="cannot be pickled"):
            manager.handle_output(out(ASSET), ["x" * 100_000, lambda: 1])
        assert manager.load_input(inp(ASSET)) == "old"
        assert files(tmp_path) == ["p/q"]

    def test_folder_where_the_file_should_be(self, tmp_path):
        manager = FilesystemIOManager(tmp_path)
        manager.handle_output(out(ASSET, ["a"]), 1)
        with pytest.raises(InvariantError, match="partitions"):
            manager.handle_output(out(ASSET), 1)
        with pytest.raises(InvariantError, match="folder"):
            manager.load_input(inp(ASSET))
        assert files(tmp_path) == ["p/q/a"]
        manager.handle_output(out(AssetKey("f")), 1)
        with pytest.raises(InvariantError, match="partitions"):
            manager.handle_output(out(AssetKey("f"), ["a"]), 1)

    def test_stays_below_its_folder(self, tmp_path):
        manager = FilesystemIOManager(tmp_path / "base")
        manager.handle_output(out(AssetKey(["..", "x"])), 1)
        manager.handle_output(out(AssetKey(["/etc", "."]), ["../b"]), 2)
        assert files(tmp_path) == ["base/%2E%2E/x", "base/etc/%2E/%2E%2E/b"]

    @given(st.text(alphabet="./ab", max_size=8))
    def test_safe_parts_never_climb(self, part):
        root = "/base/in"
        path = os.path.normpath(f"{root}/{safe_part(part)}")
        assert path.startswith(root + "/")
        assert os.path.normpath(f"{root}/{partition_path(part)}").startswith(root + "/")


class TestFilesystemAsResource:
    class Instance:
        def __init__(self, folder):
            self.folder = folder

        def storage_directory(self):
            return str(self.folder)

    def open(self, value, configs=None, instance=None):
        definitions = {"io_manager": as_resource_definition("io_manager", value)}
        return open_resources(
            definitions, ["io_manager"], configs or {}, ResourceInit(instance=instance)
        ).values.io_manager

    def test_home_of_the_instance(self, tmp_path):
        manager = self.open(FilesystemIOManager(), instance=self.Instance(tmp_path))
        manager.handle_output(out(ASSET), 1)
        assert files(tmp_path) == ["p/q"]
        assert self.open(fs_io_manager, instance=self.Instance(tmp_path)).load_input(inp(ASSET)) == 1

    def test_without_instance(self):
        with pytest.raises(Exception, match="needs an instance"):
            self.open(FilesystemIOManager())

    def test_base_dir_from_argument_config_and_environment(self, monkeypatch):
        monkeypatch.setenv("TREADLE_TEST_DIR", "/from/env")
        assert self.open(FilesystemIOManager("/given")).base_dir == "/given"
        assert self.open(FilesystemIOManager(EnvVar("TREADLE_TEST_DIR"))).base_dir == "/from/env"
        assert self.open(FilesystemIOManager("/given"), {"io_manager": {"base_dir": "/config"}}).base_dir == "/config"
        assert self.open(fs_io_manager.configured({"base_dir": "/configured"})).base_dir == "/configured"
        assert self.open(FilesystemIOManager.configure_at_launch(base_dir="/launch")).base_dir == "/launch"

    def test_subclass_stays_what_it_is(self, tmp_path):
        class Loud(FilesystemIOManager):
            pass

        given = Loud()
        made = self.open(given, instance=self.Instance(tmp_path))
        assert type(made) is Loud
        assert made is not given
        assert given.base_dir is None

    def test_environment_variables_stay_names(self):
        definition = FilesystemIOManager(EnvVar("TREADLE_TEST_DIR")).get_resource_definition()
        assert definition.config_field.config_type.fields["base_dir"].default_value == {"env": "TREADLE_TEST_DIR"}

    def test_no_folder_and_no_resource(self):
        with pytest.raises(InvariantError, match="base_dir"):
            FilesystemIOManager().handle_output(out(ASSET), 1)


class TestMemory:
    def test_ops_and_assets(self):
        manager = InMemoryIOManager()
        manager.handle_output(out(name="o"), 1)
        manager.handle_output(out(ASSET), 2)
        assert manager.load_input(inp(upstream=out(name="o"))) == 1
        assert manager.load_input(inp(ASSET)) == 2
        assert manager.values == {("run", "step", "o"): 1, ("run", "step", "result"): 2}

    def test_partitions(self):
        manager = InMemoryIOManager()
        manager.handle_output(out(ASSET, ["a"]), 1)
        manager.handle_output(out(ASSET, ["b", "c"]), 2)
        assert manager.load_input(inp(ASSET, ["a", "b", "c"])) == {"a": 1, "b": 2, "c": 2}
        with pytest.raises(StepOutputNotFoundError, match="partition 'd'"):
            manager.load_input(inp(ASSET, ["d"]))
        with pytest.raises(StepOutputNotFoundError, match="memory"):
            manager.load_input(inp(upstream=out(name="none")))

    def test_range_made_as_one_value_loads_as_one_value(self):
        manager = InMemoryIOManager()
        manager.handle_output(out(ASSET, ["b", "c"]), [1, 2])
        assert manager.load_input(inp(ASSET, ["b", "c"])) == [1, 2]

    def test_each_run_has_its_own(self):
        first = open_resources({"m": mem_io_manager}, ["m"], {}).values.m
        assert first is not open_resources({"m": mem_io_manager}, ["m"], {}).values.m


class TextIOManager(UPathIOManager):
    extension = ".txt"

    def dump_to_path(self, context, obj, path):
        path.write_text(obj)

    def load_from_path(self, context, path):
        return path.read_text()

    def get_metadata(self, context, obj):
        return {"length": len(obj)}


class TestPaths:
    def test_round_trip(self, tmp_path):
        manager = TextIOManager(tmp_path)
        context = out(ASSET)
        manager.handle_output(context, "text")
        manager.handle_output(out(AssetKey("d.e"), ["1.5"]), "part")
        manager.handle_output(out(), "op")
        assert files(tmp_path) == ["d.e/1.5.txt", "p/q.txt", "run/step/result.txt"]
        assert set(context.get_logged_metadata()) == {"path", "length"}
        assert manager.load_input(inp(ASSET)) == "text"
        assert manager.load_input(inp(AssetKey("d.e"), ["1.5"])) == "part"
        assert manager.load_input(inp(upstream=out())) == "op"
        assert manager.has_output(out(ASSET))
        with pytest.raises(StepOutputNotFoundError, match="Materialize it first"):
            manager.load_input(inp(AssetKey("none")))


class TestDefinitions:
    def test_instance_is_its_own_definition(self):
        manager = InMemoryIOManager()
        definition = as_resource_definition("io_manager", manager)
        assert isinstance(definition, IOManagerDefinition)
        assert open_resources({"m": definition}, ["m"], {}).values.m is manager

    def test_decorator(self):
        @io_manager(config_schema={"x": int}, output_config_schema={"y": int})
        def made(context):
            """Doc."""
            manager = InMemoryIOManager()
            manager.values["x",] = context.resource_config["x"]
            return manager

        assert made.output_config_schema == {"y": int}
        assert made.description == "Doc."
        assert open_resources({"m": made}, ["m"], {"m": {"x": 3}}).values.m.values == {("x",): 3}

    def test_bare_decorator(self):
        @io_manager
        def made():
            return InMemoryIOManager()

        assert isinstance(made(), InMemoryIOManager)

    def test_what_is_no_io_manager(self):
        with pytest.raises(DefinitionError, match="no IO manager"):
            open_resources({"m": io_manager(lambda: 5)}, ["m"], {})  # pyright: ignore[reportArgumentType, reportCallIssue]

    def test_abstract(self):
        with pytest.raises(TypeError):
            IOManager()  # pyright: ignore[reportAbstractUsage]

    def test_input_manager(self):
        @input_manager
        def loads(context):
            return context.name

        @input_manager(config_schema={"x": int})
        def without():
            return 5

        opened = open_resources({"a": loads, "b": without}, ["a", "b"], {"b": {"x": 1}}).values
        assert opened.a.load_input(build_input_context(name="n")) == "n"
        assert opened.b.load_input(build_input_context()) == 5


def test_files_are_pickles(tmp_path):
    FilesystemIOManager(tmp_path).handle_output(build_output_context("s", "n", asset_key="a"), (1, 2))
    assert pickle.loads((tmp_path / "a").read_bytes()) == (1, 2)


@pytest.mark.parametrize(
    "content", [b"", b"garbage", pickle.dumps([1, 2])[:-3], b"cno_such_module\nThing\n.", b"cos\nno_such_name\n."]
)
def test_a_file_that_cannot_be_read_back_says_which_and_what_to_do(tmp_path, content):
    manager = FilesystemIOManager(base_dir=tmp_path)
    (tmp_path / "orders").write_bytes(content)
    with pytest.raises(InvariantError, match=r"orders cannot be read .*Materialize it again"):
        manager.load_input(build_input_context(asset_key="orders"))
