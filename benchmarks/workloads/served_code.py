"""P6 to P10, P21, P22: the definitions that a server has. The driver sets BENCH_API, and the number of assets."""

import importlib
import os
import time

api = importlib.import_module(os.environ["BENCH_API"])
WIDTH = 100


def witness():
    """Leave this process's id where the other side of the row finds it."""
    with open(os.path.join(os.environ["DAGSTER_HOME"], "pids"), "a") as file:
        file.write(f"{os.getpid()}\n")


@api.op
def do_nothing():
    return None


@api.op
def leave_pid():
    witness()


@api.op
def sleep_briefly():
    witness()
    time.sleep(0.05)


@api.op
def hang():
    witness()
    while True:
        time.sleep(60)


@api.op(config_schema={"lines": int})
def talk(context):
    for _ in range(context.op_config["lines"]):
        print("a line of output, as long as those of programs are")


def job(name, op, count=1):
    """A job of so many ops that do not depend on each other."""

    @api.job(name=name)
    def made():
        for number in range(count):
            op.alias(f"{name}_{number}")()

    return made


jobs = [
    job("one", do_nothing),
    job("twenty", leave_pid, 20),
    job("naps", sleep_briefly, 128),
    job("endless", hang),
    job("wordy", talk),
]


def made_by(number):
    start = (number // WIDTH - 1) * WIDTH
    deps = [f"asset_{start + (number + step) % WIDTH}" for step in range(3)] if start >= 0 else []

    @api.asset(name=f"asset_{number}", deps=deps)
    def made():
        return None

    return made


@api.sensor(job=jobs[0], default_status=api.DefaultSensorStatus.RUNNING)
def nothing_new():
    return api.SkipReason("nothing new")


yearly = api.ScheduleDefinition(
    job=jobs[0], cron_schedule="0 0 1 1 *", default_status=api.DefaultScheduleStatus.RUNNING
)
defs = api.Definitions(
    assets=[made_by(number) for number in range(int(os.environ.get("BENCH_ASSETS", "0")))],
    jobs=jobs,
    schedules=[yearly],
    sensors=[nothing_new],
)
