"""Setting resources up for a run, and taking them down whatever happens.

They come up one after another, each after what it requires, and go down in the opposite order. Every tear-down runs,
also when another one failed or a later resource never came up; what goes wrong there is kept and reported beside the
run's own error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from treadle.author.resources import (
    InitResourceContext,
    ResourceDefinition,
    ResourceInit,
    Resources,
    check_configs,
    resolve_keys,
    resource_definitions,
)
from treadle.errors import ConfigError, ConfigMappingError, DefinitionError, ResourceError

_NO_INIT = ResourceInit()


class OpenResources:
    """Resources that are up. Use it in a `with`, or call `close`.

    Attributes:
        raw: the values by key, as parameters receive them.
        values: the same as `context.resources` shows them.
    """

    __slots__ = ("_closers", "_configs", "_definitions", "raw", "values")

    def __init__(self, definitions: Mapping[str, ResourceDefinition], configs: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._configs = configs
        self._closers: list[tuple[str, Callable[[], None]]] = []
        self.raw: dict[str, Any] = {}
        self.values = Resources(self.raw)

    def config(self, key: str) -> Any:
        """The config that the resource was set up with, defaults and environment variables filled in."""
        definition = self._definitions[key]
        config = self._configs[key] if key in self._configs else definition.check_config()
        return definition.resolve_config(config)

    def subset(self, keys: Iterable[str]) -> Resources:
        """The view on some of them that a step gets which asked for these keys only."""
        return Resources({key: self.raw[key] for key in keys})

    def required_by(self, key: str) -> Resources:
        """The view on those that the resource `key` requires."""
        return self.subset(self._definitions[key].requires(self._definitions))

    def close(self) -> tuple[ResourceError, ...]:
        """Take all of them down, the last first. Returns what went wrong; a second call does nothing.

        Raises:
            BaseException: someone asked to stop meanwhile, as with Ctrl-C: after all of them are down.
        """
        faults: list[ResourceError] = []
        stop: BaseException | None = None
        while self._closers:
            key, close = self._closers.pop()
            try:
                close()
            except Exception as error:
                fault = ResourceError(
                    f"The resource {key!r} failed while it was taken down: {type(error).__name__}: {error}. "
                    "The other resources were taken down all the same.",
                    user_exception=error,
                )
                fault.__cause__ = error
                faults.append(fault)
            except BaseException as error:
                stop = error
        if stop is not None:
            note_all(stop, faults)
            raise stop
        return tuple(faults)

    def __enter__(self) -> OpenResources:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        faults = self.close()
        if not faults:
            return
        if error is None:
            note_all(faults[0], faults[1:])
            raise faults[0]
        note_all(error, faults)

    def start(self, key: str, init: ResourceInit) -> None:
        """Set one up; what it requires is up already."""
        definition = self._definitions[key]
        requires = definition.requires(self._definitions)
        above = self.subset(requires) if requires else None
        context = InitResourceContext(
            None, above, definition, self._definitions, init.instance, init.run, init.log, init.event_loop
        )
        try:
            if not definition.is_constant:
                context.resource_config = self.config(key)
            value, close = definition.start(context)
        except (DefinitionError, ConfigError, ConfigMappingError) as error:
            error.add_note(f"This was found while the resource {key!r} was set up.")
            raise
        except Exception as error:
            raise ResourceError(
                f"The resource {key!r} failed while it was set up: {type(error).__name__}: {error}",
                user_exception=error,
            ) from error
        self.raw[key] = value
        if close is not None:
            self._closers.append((key, close))


def note_all(error: BaseException, faults: Iterable[ResourceError]) -> None:
    """Add errors of tear-downs to the error that matters more."""
    for fault in faults:
        error.add_note(str(fault))


def open_resources(
    definitions: Mapping[str, ResourceDefinition],
    keys: Iterable[str],
    configs: Mapping[str, Any],
    init: ResourceInit = _NO_INIT,
    required_by: Mapping[str, str] | None = None,
) -> OpenResources:
    """Set up the resources `keys` and all that they require.

    Args:
        definitions: every definition of the run, by key.
        keys: what the run needs.
        configs: config by key, as `check_configs` gives it. A key that is left out gets its default.
        init: what every resource may look at.
        required_by: for messages, who needs a key: `{"warehouse": "asset 'orders'"}`.

    Raises:
        UnknownResourceError: a key is required and not among `definitions`.
        ResourceError: a resource failed while it was set up. Those that were up have been taken down.
    """
    opened = OpenResources(definitions, configs)
    keys = tuple(keys)
    if len(keys) == 1 and keys[0] in definitions and not definitions[keys[0]].requires(definitions):
        order: Iterable[str] = keys  # the IO manager alone: nearly every run
    else:
        order = resolve_keys(definitions, keys, required_by)
    try:
        for key in order:
            opened.start(key, init)
    except BaseException as error:
        note_all(error, opened.close())
        raise
    return opened


@contextmanager
def build_resources(
    resources: Mapping[str, Any],
    instance: Any = None,
    resource_config: Mapping[str, Any] | None = None,
    dagster_run: Any = None,
    log_manager: Any = None,
    event_loop: Any = None,
) -> Iterator[Resources]:
    """Resources set up outside a run, for as long as the `with` lasts.

    Args:
        resources: resources by key: definitions, configurable resources, or plain objects.
        instance: the instance that they may look at.
        resource_config: as under `resources` in run config: `{"db": {"config": {...}}}`.
        dagster_run, log_manager, event_loop: the run, the logger and the event loop that they may look at.

    Raises:
        ConfigError: `resource_config` does not fit.
        ResourceError: a resource failed while it was set up or taken down.

    Example:
        with build_resources({"db": Database(url="sqlite://")}) as resources:
            resources.db.query("select 1")
    """
    definitions = resource_definitions(resources)
    configs = check_configs(definitions, resource_config or {})
    init = ResourceInit(instance, dagster_run, log_manager, event_loop)
    with open_resources(definitions, definitions, configs, init) as opened:
        yield opened.values
