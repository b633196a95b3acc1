"""Resources that assets bring along: given to them by `with_resources`, `resource_defs=` or `io_manager_def=`.

In one job a key means one object. What an asset binds must not meet another value under the same key, be it bound by
another asset or given to the whole job: one of them would silently not be used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from treadle.author.assets_definition import AssetsDefinition
from treadle.author.io_managers import fs_io_manager
from treadle.author.ops import DEFAULT_IO_MANAGER_KEY, required_keys
from treadle.author.resources import as_resource_definition, resolve_keys, resource_definitions
from treadle.errors import DefinitionError, InvocationError

T = TypeVar("T", bound=AssetsDefinition)


def with_resources(
    definitions: Iterable[T],
    resource_defs: Mapping[str, object],
    resource_config_by_key: Mapping[str, Any] | None = None,
) -> Sequence[T]:
    """Copies of assets and checks with the resources that they need bound to them.

    Args:
        definitions: assets and checks.
        resource_defs: resources by key; those that a definition does not need are not bound to it.
        resource_config_by_key: config of resources, as under `resources` in run config.

    Raises:
        UnknownResourceError: something that is needed is not there.
        InvocationError: a definition binds another value to a key already.
        ConfigError: a config does not fit.
    """
    given = dict(resource_defs)
    for key, entry in (resource_config_by_key or {}).items():
        if key in given and "config" in entry:
            definition = as_resource_definition(key, given[key])
            definition.check_config(entry["config"])
            given[key] = definition.configured(entry["config"])
    return [_bound(definition, given) for definition in definitions]


def _bound(definition: T, given: Mapping[str, Any]) -> T:
    if not isinstance(definition, AssetsDefinition):
        raise DefinitionError(f"with_resources takes assets and checks, not {definition!r}. Jobs take resource_defs.")
    if not definition.is_executable:
        return definition
    own = definition.resource_defs
    for key in own.keys() & given.keys():
        if own[key] is not given[key]:
            raise _conflict(definition, key)
    needed = required_keys(definition.ops)
    known = {DEFAULT_IO_MANAGER_KEY: fs_io_manager, **resource_definitions({**given, **own})}
    all_needed = resolve_keys(known, needed, dict.fromkeys(needed, repr(definition.node_def.name)))
    return definition.with_resources({key: given[key] for key in all_needed if key in given})


def bound_resources(
    definitions: Collection[AssetsDefinition], loaded: Iterable[AssetsDefinition], given: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The resources of a job: those given to it, and those that its assets bind.

    Args:
        definitions: what the job runs.
        loaded: others, whose assets it may load.
        given: the resources given to the job.

    Raises:
        DefinitionError: two definitions bind different values to a key.
        InvocationError: one binds another value than the one that is given.
    """
    bound: dict[str, Any] = {}
    binds: dict[str, AssetsDefinition] = {}
    for definition in definitions:
        for key, value in definition.resource_defs.items():
            if bound.setdefault(key, value) is not value:
                raise _two(key, binds[key], definition)
            binds.setdefault(key, definition)
    for key, definition in binds.items():
        if key == DEFAULT_IO_MANAGER_KEY:
            _check_io_manager(definition, definitions, given)
        elif key in given and given[key] is not bound[key]:
            raise _conflict(definition, key)
    for definition in loaded:
        for key, value in definition.resource_defs.items():
            if key not in given and key != DEFAULT_IO_MANAGER_KEY:
                bound.setdefault(key, value)
    return {**given, **bound} if bound else given


def _check_io_manager(
    definition: AssetsDefinition, definitions: Iterable[AssetsDefinition], given: Mapping[str, Any]
) -> None:
    """The default IO manager is always there, so binding one is no conflict as long as all that use it bind it."""
    key = DEFAULT_IO_MANAGER_KEY
    if given.get(key) is definition.resource_defs[key]:
        return
    for other in definitions:
        if key not in other.resource_defs and key in required_keys(other.ops):
            raise _two(key, definition, other)


def _conflict(definition: AssetsDefinition, key: str) -> InvocationError:
    return InvocationError(
        f"{definition.node_def.name!r} binds the resource {key!r} itself, and another is given under that key. "
        f"Leave one of them out, or rename a key.{definition.node_def.where}"
    )


def _two(key: str, one: AssetsDefinition, other: AssetsDefinition) -> DefinitionError:
    return DefinitionError(
        f"{one.node_def.name!r} and {other.node_def.name!r} use different resources under the key {key!r}, and a "
        f"job has one for each key. Bind the same object to both, or rename a key.{other.node_def.where}"
    )
