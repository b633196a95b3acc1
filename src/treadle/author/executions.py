"""What run config may say about execution and logging: the sections of the default executor and the default logger."""

from __future__ import annotations

from treadle.spec.config import ANY, BOOL, INT, STR, Array, Field, Noneable, ScalarUnion, Selector, Shape
from treadle.spec.config import field as part

_NO_FIELDS = part(Shape({}))
_RETRIES = Field(
    Selector({"enabled": _NO_FIELDS, "disabled": _NO_FIELDS}),
    required=False,
    default={"enabled": {}},
    description="Whether retry policies and retry requests of steps are followed.",
)
_STEP_DEPENDENCIES = Field(
    Shape({"require_upstream_step_success": Field(BOOL, required=False, default=True)}),
    required=False,
    description="With `require_upstream_step_success: false` a step starts once the outputs it needs are there.",
)
_TAG_VALUE = ScalarUnion(STR, Shape({"applyLimitPerUniqueValue": Field(BOOL)}))
_TAG_LIMITS = Field(
    Array(Shape({"key": Field(STR), "value": Field(_TAG_VALUE, required=False), "limit": Field(INT)})),
    required=False,
    description="How many steps with a tag may run at once.",
)
_START_METHOD = Field(
    Selector({
        "spawn": _NO_FIELDS,
        "forkserver": part(Shape({"preload_modules": Field(Array(STR), required=False)})),
    }),
    required=False,
    description="How the process of a step is started.",
)  # fmt: skip

_EVERY = {"retries": _RETRIES, "step_dependency_config": _STEP_DEPENDENCIES}


def _at_once(without: str) -> dict[str, Field]:
    text = f"How many steps run at once; 0 or null is {without}."
    most = Field(Noneable(INT), required=False, default=None, description=text)
    return {"max_concurrent": most, **_EVERY, "tag_concurrency_limits": _TAG_LIMITS}


IN_PROCESS = Shape({**_EVERY, "marker_to_close": Field(STR, required=False)})
"""Config of the executor that runs all steps in one process."""

MULTIPROCESS = Shape({**_at_once("the number of CPUs"), "start_method": _START_METHOD})
"""Config of the executor that runs each step in a process of its own."""

THREADED = Shape(_at_once("32"))
"""Config of the executor that runs each step in a thread."""

DEFAULT_EXECUTION = Field(
    Selector({"multiprocess": part(MULTIPROCESS), "in_process": part(IN_PROCESS)}),
    required=False,
    default={"multiprocess": {}},
)
"""Config of the default executor: one of the two."""

CONSOLE_LOGGER = part(
    Shape(
        {
            "log_level": Field(STR, required=False, default="INFO", description="The lowest level that is shown."),
            "name": Field(STR, required=False, default="dagster", description="The name of the logger."),
        }
    )
)
"""Config of the logger of jobs that declare none."""

ANY_CONFIG = Field(ANY, required=False)
"""Config of something that does not say what it takes."""
