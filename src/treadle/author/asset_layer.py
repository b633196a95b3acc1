"""The assets and checks of a set of definitions, put together: who makes what, and the graph of it all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from msgspec import structs

from treadle.author.assets_definition import AssetsDefinition, external_assets
from treadle.core.keys import AssetCheckKey, AssetKey, did_you_mean
from treadle.errors import DefinitionError
from treadle.spec.assets import AssetCheckSpec, AssetSpec
from treadle.spec.graph import AssetGraph
from treadle.spec.nodes import NodeSpec


class AssetLayer:
    """Definitions of assets and checks that belong together.

    Attributes:
        definitions: by handle, those that run something.
        by_key: by asset, what declares it.
        checks: by check, what evaluates it.
        specs: by asset, as declared; dependencies that nobody declares are not among them.

    Raises:
        DefinitionError: two definitions declare one asset or check, or a function needs an asset that nobody declares.
    """

    def __init__(self, assets: Iterable[AssetsDefinition | AssetSpec], checks: Iterable[AssetsDefinition] = ()) -> None:
        self.by_key: dict[AssetKey, AssetsDefinition] = {}
        self.checks: dict[AssetCheckKey, AssetsDefinition] = {}
        self.definitions: dict[str, AssetsDefinition] = {}
        self.specs: dict[AssetKey, AssetSpec] = {}
        self._checks: dict[AssetCheckKey, AssetCheckSpec] = {}
        definitions = _each_once(assets, checks)
        by_key = self.by_key
        for definition in definitions:
            for spec in definition.specs:
                other = by_key.setdefault(spec.key, definition)
                if other is not definition:
                    raise DefinitionError(_twice(f"Asset {spec.key.to_user_string()!r}", other, definition))
        for definition in definitions:
            self._add(self._with_prefixes(definition))

    def _with_prefixes(self, definition: AssetsDefinition) -> AssetsDefinition:
        """The definition, its dependencies naming what is there.

        A parameter or dependency `b` of an asset `p/a` means `p/b` where there is no `b`: assets with one prefix call
        each other by name.
        """
        by_key = self.by_key
        unknown = {
            key
            for spec in definition.specs
            for key in [dep.asset_key for dep in spec.deps if dep.asset_key not in by_key]
        }
        for key in definition.keys_by_input_name.values():
            if key not in by_key:
                unknown.add(key)
        if not unknown:
            return definition
        renamed: dict[AssetKey, AssetKey] = {}
        for key in unknown:
            for spec in definition.specs:
                near = key.with_prefix(spec.key.parts[:-1]) if len(spec.key.parts) > 1 and len(key.parts) == 1 else key
                if near in by_key:
                    renamed[key] = near
        loaded = definition.keys_by_input_name.items()
        for name, key in loaded:
            if key in unknown and key not in renamed and definition.needs_value(name):
                raise DefinitionError(_unknown_input(definition, name, key, by_key))
        return definition.with_keys(renamed) if renamed else definition

    def _add(self, definition: AssetsDefinition) -> None:
        for spec in definition.specs:
            self.by_key[spec.key] = definition
            self.specs[spec.key] = spec
        for check in definition.check_specs:
            other = self.checks.setdefault(check.key, definition)
            if other is not definition:
                raise DefinitionError(_twice(f"Check {check.key.to_user_string()!r}", other, definition))
            self._checks[check.key] = check
        if definition.is_executable:
            handle = name = definition.node_def.name
            number = 2
            while handle in self.definitions:  # p__q may be one part or two
                handle, number = f"{name}_{number}", number + 1
            self.definitions[handle] = definition

    @cached_property
    def binding(self) -> list[AssetsDefinition]:
        """Those that bring resources along."""
        known = [*self.definitions.values(), *self.by_key.values()]
        return list({id(definition): definition for definition in known if definition.resource_defs}.values())

    @cached_property
    def graph(self) -> AssetGraph:
        """The graph of all of them."""
        made_by = {
            spec.key: handle
            for handle, definition in self.definitions.items()
            if not definition.is_observable
            for spec in definition.specs
        }
        neighbours: dict[AssetKey, frozenset[AssetKey]] = {}
        for definition in self.definitions.values():
            if len(definition.specs) > 1 and not definition.can_subset:
                together = frozenset(spec.key for spec in definition.specs)
                neighbours.update(dict.fromkeys(together, together))
        return AssetGraph(self.specs.values(), made_by, self._checks.values(), neighbours)

    @cached_property
    def observed_by(self) -> Mapping[AssetKey, str]:
        """For each asset that something here observes, the handle of the node that does."""
        found = ((handle, one) for handle, one in self.definitions.items() if one.is_observable)
        return {spec.key: handle for handle, definition in found for spec in definition.specs}

    def node(self, handle: str) -> NodeSpec:
        """The node that a definition is, under its handle here."""
        node = self.definitions[handle].node
        return node if node.handle == handle else structs.replace(node, handle=handle)

    def where(self, key: AssetKey) -> str:
        """` (file, line)` of the function that makes an asset, for messages."""
        definition = self.by_key.get(key)
        return definition.node_def.where if definition is not None and definition.is_executable else ""


def _each_once(
    assets: Iterable[AssetsDefinition | AssetSpec], checks: Iterable[AssetsDefinition]
) -> list[AssetsDefinition]:
    """The definitions, an object that is given twice (or an equal spec) taken once, specs made external assets."""
    seen: set[int] = set()
    external: dict[AssetKey, AssetSpec] = {}
    found: list[AssetsDefinition] = []
    for given in [*assets, *checks]:
        if id(given) in seen:
            continue
        seen.add(id(given))
        if isinstance(given, AssetSpec):
            if external.get(given.key) != given:
                external[given.key] = given
                found.extend(external_assets([given]))
        elif isinstance(given, AssetsDefinition):
            found.append(given)
        else:
            if callable(given) and hasattr(given, "__name__"):
                raise DefinitionError(f"{given.__name__!r} is a plain function, not an asset. Decorate it with @asset.")
            raise DefinitionError(
                f"{given!r} is not an asset: assets are made by @asset, @multi_asset, @asset_check or AssetSpec(...)."
            )
    return found


def _twice(what: str, first: AssetsDefinition, second: AssetsDefinition) -> str:
    places = [d.node_def.where or " (no function)" if d.is_executable else " (external)" for d in (first, second)]
    return f"{what} is declared twice:{places[0]} and{places[1]}. Rename one, or give it a key_prefix."


def _unknown_input(
    definition: AssetsDefinition, name: str, key: AssetKey, by_key: Mapping[AssetKey, AssetsDefinition]
) -> str:
    known = [other.to_user_string() for other in by_key]
    mine = {spec.key.to_user_string() for spec in definition.specs}
    near = did_you_mean(key.to_user_string(), [one for one in known if one not in mine])
    return (
        f"{definition.node_def.name!r} takes a parameter {name!r}, which stands for an asset {key.to_user_string()!r}, "
        f"and there is none.{near} Declare that asset, name another with ins={{{name!r}: AssetIn(...)}}, or, if it "
        f"is a resource, annotate it as one.{definition.node_def.where}"
    )
