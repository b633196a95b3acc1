"""Commands of `dagster` that Treadle does not have yet: they are in --help, take their options, and say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

_PY = "-a,--attribute= --package-name= --autoload-defs-module-name= -m,--module-name= -f,--python-file= "
_PY += "-d,--working-directory="
_WS = f"{_PY} -w,--workspace= --empty-workspace --grpc-port= --grpc-socket= --grpc-host= --use-ssl"
_LOC = f"{_WS} -l,--location= -r,--repository="
_LOGS = "--log-level= --log-format="
_SERVER = (
    f"{_PY} -p,--port= -s,--socket= -h,--host= -n,--max-workers= --heartbeat --heartbeat-timeout= {_LOGS} "
    "--use-python-environment-entry-point --fixed-server-id= --container-image= --container-context= "
    "--inject-env-vars-from-instance --location-name= --instance-ref= --defs-state-info="
)

_SERVERS = "Definitions are read by the command that needs them: give it -f FILE or -m MODULE."
_WORKERS = "A run is executed by the command that starts it: `dagster job execute`, `dagster asset materialize`."
_EXAMPLES = "One file with Definitions is a project: write it, and call `dagster asset list -f FILE`."
_DEBUG = "Look at the run with `treadle run show RUN_ID` and `treadle run logs RUN_ID`."
_SCHEDULES = "Nothing starts runs by itself: have cron call `dagster job execute -j JOB`."
_SENSORS = (
    "Nothing starts runs by itself: have cron call `dagster job execute -j JOB`, and evaluate the sensor in a test, "
    "with `build_sensor_context`."
)

GROUPS: Mapping[str, str] = {
    "api": "Code servers and workers, for other programs.",
    "code-server": "Serve definitions to other processes.",
    "debug": "Export and import runs.",
    "project": "Create projects from templates and examples.",
    "schedule": "List and start schedules.",
    "sensor": "List and start sensors.",
}
"""Groups that Treadle does not have, and what they are about."""

HIDDEN = frozenset({"api"})

COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "api execute_run": ("Execute a run.", "INPUT_JSON? --compressed-input-json=", _WORKERS),
    "api execute_step": ("Execute a step.", "INPUT_JSON? --compressed-input-json=", _WORKERS),
    "api grpc": (
        "Serve one code location.",
        f"{_SERVER} --max_workers= --lazy-load-user-code --empty-working-directory --enable-metrics",
        _SERVERS,
    ),
    "api grpc-health-check": (
        "Ask a code server whether it is well.",
        "-p,--port= -s,--socket= -h,--host= --use-ssl",
        _SERVERS,
    ),
    "api resume_run": ("Go on with a run.", "INPUT_JSON", _WORKERS),
    "code-server start": ("Serve one code location.", f"{_SERVER} --startup-timeout= --heartbeat-ttl=", _SERVERS),
    "debug export": ("Write a run to a file.", "RUN_ID OUTPUT_FILE", _DEBUG),
    "debug import": ("Read runs from files.", "INPUT_FILES*", _DEBUG),
    "job backfill": (
        "Launch a run for each partition.",
        f"{_LOC} --partitions= --all= --from= --to= --tags= --noprompt -j,--job=",
        "Call `dagster job execute -j JOB --partition KEY` for each.",
    ),
    "project from-example": ("Download an example.", "--name= --example= --version=", _EXAMPLES),
    "project list-examples": ("List the examples.", "", _EXAMPLES),
    "project scaffold": ("Create a project.", "--name= --excludes=* --ignore-package-conflict", _EXAMPLES),
    "project scaffold-code-location": ("Create a code location.", "--name=", _EXAMPLES),
    "project scaffold-repository": ("Create a repository.", "--name=", _EXAMPLES),
    "schedule debug": ("Print what the scheduler does.", "", _SCHEDULES),
    "schedule logs": ("Print the ticks of a schedule.", f"SCHEDULE_NAME? {_LOC}", _SCHEDULES),
    "schedule preview": ("Show which schedules would change.", _LOC, _SCHEDULES),
    "schedule restart": ("Stop and start a schedule.", f"SCHEDULE_NAME? {_LOC} --restart-all-running", _SCHEDULES),
    "schedule start": ("Turn a schedule on.", f"SCHEDULE_NAME? {_LOC} --start-all", _SCHEDULES),
    "schedule stop": ("Turn a schedule off.", f"SCHEDULE_NAME {_LOC}", _SCHEDULES),
    "schedule wipe": ("Turn all schedules off and forget them.", "", _SCHEDULES),
    "sensor cursor": ("Set the cursor of a sensor.", f"SENSOR_NAME {_LOC} --set= --delete", _SENSORS),
    "sensor preview": ("Evaluate a sensor.", f"SENSOR_NAME {_LOC} --since= --last_run_key= --cursor=", _SENSORS),
    "sensor start": ("Turn a sensor on.", f"SENSOR_NAME? {_LOC} --start-all", _SENSORS),
    "sensor stop": ("Turn a sensor off.", f"SENSOR_NAME {_LOC}", _SENSORS),
}
"""Commands that Treadle does not have: what each does, its parameters, and what to do instead.

A parameter is an option (`-p,--port=` takes a value, `=*` several, without `=` it is a flag) or an argument (`KEY`,
`KEY?` may be left out, `KEYS*` any number).
"""


NOTHING_TO_DO: Mapping[str, tuple[str, str, str]] = {
    "asset wipe-partitions-status-cache": (
        "Forget which partitions are known to be made.",
        "KEY* --all --noprompt",
        "The state of partitions is kept with the record and is never stale: nothing to wipe.",
    ),
    "run migrate-repository": (
        "Move the history of a job to another repository.",
        f"{_WS.replace('-f,--python-file', '--python-file')} -r,--repository= -f,--from= -l,--location= -j,--job=",
        "Runs are found by the name of their job, in whichever repository it is: there is nothing to move.",
    ),
    "instance reindex": (
        "Build optional indexes.",
        "",
        "Every index is part of the store and always complete: nothing to build.",
    ),
}
"""Commands that Treadle does not need: what each does, its parameters, and why there is nothing to do."""


class NotThereError(click.ClickException):
    """A command that does not exist yet was called."""

    exit_code = 2


def command(path: str) -> click.Command | None:
    """The command, or the group, of this path; None if Dagster has none of this name."""
    if path in GROUPS:
        commands = dict(members(path))
        return click.Group(path.split(" ")[-1], commands, help=GROUPS[path], hidden=path in HIDDEN)
    if path not in COMMANDS and path not in NOTHING_TO_DO:
        return None
    text, parameters, instead = COMMANDS.get(path) or NOTHING_TO_DO[path]

    def say(**given: object) -> None:
        if path in COMMANDS:
            raise NotThereError(f"`dagster {path}` is not there yet. {instead}")
        click.echo(instead)

    told = text if path in NOTHING_TO_DO else f"Not there yet: {text[0].lower()}{text[1:]}"
    params = [_parameter(one) for one in parameters.split()]
    return click.Command(path.split(" ")[-1], params=params, callback=say, help=told)


def members(path: str) -> Iterator[tuple[str, click.Command]]:
    """What Treadle does not have of a group, by name."""
    for one in (*GROUPS, *COMMANDS, *NOTHING_TO_DO):
        group, _, name = one.rpartition(" ")
        found = command(one) if group == path else None
        if found is not None:
            yield name, found


def _parameter(text: str) -> click.Parameter:
    if not text.startswith("-"):
        name = text.rstrip("?*")
        return click.Argument([name.lower()], required=name == text, nargs=-1 if text.endswith("*") else 1)
    names, takes, many = text.partition("=")
    declared = [*names.split(","), names.split(",")[-1].strip("-").replace("-", "_") + "_"]
    return click.Option(declared, is_flag=not takes, multiple=bool(many.strip("=")), help="")
