"""What the programs share that launch runs at a server: `PROGRAM API ADDRESS ...`. The peer is asked over GraphQL, ours
by the instance's calls, which its command line makes, too.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from workload import api, name

PATIENCE_S = 300
IN_PROCESS = {"execution": {"config": {"in_process": {}}}}
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message } } }"""
_CANCEL = """mutation($id: String!) { terminateRun(runId: $id) { __typename ... on Error { message } } }"""

API, ADDRESS = api(), sys.argv[2]
instance = name(API, "Instance").get()


def graphql(query: str, **variables: Any) -> Any:
    """The first field of the peer's answer."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{ADDRESS}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
        answer = json.load(response)
    assert "errors" not in answer, answer["errors"][0]["message"]
    [result] = answer["data"].values()
    assert "message" not in result, result["message"]
    return result


def launch(job: str, config: dict[str, Any] | None = None) -> str:
    """Launch a run; its id."""
    if API.__name__ == "dagster":
        where = {"repositoryName": "__repository__", "repositoryLocationName": "served_code.py", "jobName": job}
        return graphql(_LAUNCH, params={"selector": where, "runConfigData": config or {}})["run"]["runId"]
    from treadle.host.launching import submit_run

    return submit_run(instance, instance.create_run(job_name=job, run_config=config).run_id).run_id


def cancel(run_id: str) -> None:
    """Tell a run to end."""
    if API.__name__ == "dagster":
        graphql(_CANCEL, id=run_id)
        return
    from treadle.host.launching import cancel_run

    assert cancel_run(instance, run_id)


def until(is_so: Any) -> None:
    """Wait until something is so. Figures come from times in the log: how often this looks is not in them."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.01)


def ended(run_id: str) -> str:
    """The status of a run, once it has ended."""
    until(lambda: instance.get_run_by_id(run_id).is_finished)
    return instance.get_run_by_id(run_id).status.value


def times(run_id: str) -> dict[str, float]:
    """When each type of event was recorded first, in seconds since the epoch."""
    found: dict[str, float] = {}
    for entry in instance.all_logs(run_id):
        kind = getattr(name(entry, "event"), "event_type_value", None)
        found.setdefault(str(kind).replace("PIPELINE_", "RUN_"), entry.timestamp)
    return found


def pids() -> list[int]:
    """Those that steps have left."""
    file = Path(os.environ["DAGSTER_HOME"], "pids")
    return [*map(int, file.read_text().split())] if file.exists() else []


def captured(run_id: str) -> str:
    """What the steps of a run wrote to stdout, in a process that they share."""
    for entry in instance.all_logs(run_id):
        event = name(entry, "event")
        if getattr(event, "event_type_value", None) == "LOGS_CAPTURED":
            break
    key = [run_id, "compute_logs", name_of_files(event)]
    read = instance.compute_log_manager.get_log_data if API.__name__ == "dagster" else instance.store.logs.read
    pieces, cursor = [], None
    while not pieces or pieces[-1]:
        data = read(key, cursor)
        pieces.append(data.stdout or b"")
        cursor = data.cursor
    return b"".join(pieces).decode()


def name_of_files(event: Any) -> str:
    """The last part of the key of captured output."""
    return event.event_specific_data.file_key if hasattr(event, "event_specific_data") else event.log_key[-1]
