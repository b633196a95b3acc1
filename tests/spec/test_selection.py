"""Selections: what they select, against a second, naive evaluation; their text and their wire form."""

from __future__ import annotations

import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core import codec
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.errors import SelectionError
from treadle.spec import selection as tree
from treadle.spec.assets import AssetCheckSpec, AssetSpec
from treadle.spec.graph import AssetGraph
from treadle.spec.selection import AssetSelection, parse_many

M1, M2 = AssetKey("m1"), AssetKey("m2")


def _graph() -> AssetGraph:
    specs = [
        AssetSpec(
            "a", group_name="g1", owners=["a@b.co", "team:x"], tags={"k": "v", "e": ""}, kinds={"python"}, deps=["ext"]
        ),
        AssetSpec("b", deps=["a"], group_name="g1"),
        AssetSpec(["p", "c"], deps=["b", "ext"], group_name="g2", tags={"k": "w"}),
        AssetSpec(["p", "q", "d"], deps=[AssetKey(["p", "c"])]),
        AssetSpec(["s-r", "x.y"], deps=[AssetKey(["p", "q", "d"])]),
        AssetSpec(M1, deps=["a"]),
        AssetSpec(M2, deps=["m1", "named_only"]),
        AssetSpec("ext", group_name="g2", kinds={"python"}),
    ]
    checks = [AssetCheckSpec("ok", asset="a"), AssetCheckSpec("ok", asset=AssetKey(["p", "c"]))]
    together = frozenset({M1, M2})
    return AssetGraph(
        specs, {spec.key: "node" for spec in specs if spec.key != AssetKey("ext")}, checks, {M1: together, M2: together}
    )


GRAPH = _graph()
MADE = {"a", "b", "p/c", "p/q/d", "s-r/x.y", "m1", "m2"}
EVERY = MADE | {"ext", "named_only"}


def names(selection: AssetSelection) -> set[str]:
    return {key.to_user_string() for key in selection.resolve(GRAPH)}


def check_names(selection: AssetSelection) -> set[str]:
    return {key.to_user_string() for key in selection.resolve_checks(GRAPH)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", MADE),
        ("key:a", {"a"}),
        ("key:A", set()),
        ("key:p/*", {"p/c", "p/q/d"}),
        ('key:"p/*"', {"p/c", "p/q/d"}),
        ('key:"*"', EVERY),
        ("key:p*d", {"p/q/d"}),
        ('key:"p?c"', set()),
        ('key:"s-r/x.y"', {"s-r/x.y"}),
        ("key:nothing_of_that_name", set()),
        ("tag:k=v", {"a"}),
        ('tag:"k"="w"', {"p/c"}),
        ("tag:k", set()),
        ("tag:e", {"a"}),
        ("tag:no-such.tag=v.1", set()),
        ('owner:"team:x"', {"a"}),
        ("owner:<null>", MADE - {"a"}),
        ("group:g1", {"a", "b"}),
        ("group:default", MADE - {"a", "b", "p/c"}),
        ('group:"g*"', {"a", "b", "p/c"}),
        ("group:<null>", set()),
        ("kind:python", {"a"}),
        ("kind:Python", set()),
        ("kind:<null>", MADE - {"a"}),
        ("tag:<null>", MADE - {"a", "p/c"}),
        ("is:external", {"ext", "named_only"}),
        ("is:materializable", MADE),
        ('+key:"p/c"', {"p/c", "b", "a"}),
        ("1+key:p/c", {"p/c", "b"}),
        ("0+key:ext", set()),
        ("key:ext+", EVERY - {"named_only"}),
        ("key:ext+1", {"ext", "a", "p/c"}),
        ("1+key:b+1", {"a", "b", "p/c"}),
        ("+key:ext+", EVERY - {"named_only"}),
        ("roots(*)", {"a"}),
        ("sinks(*)", {"s-r/x.y", "m2"}),
        ("sinks(key:a or key:b)+1", {"b", "p/c"}),
        ("not key:a", MADE - {"a"}),
        ("not not key:a", {"a"}),
        ("not +key:p/c and group:default", {"p/q/d", "s-r/x.y", "m1", "m2"}),
        ("key:a or key:b and key:p/c", {"a"}),
        ("(key:a OR key:b) AND NOT key:b", {"a"}),
        ("not(key:a)\n or\tkey:a", MADE),
        ("a", {"a"}),
        ("p/c", {"p/c"}),
        ("ext", {"ext"}),
        ("+p/c", {"p/c", "b"}),
        ("++p/c", {"p/c", "b", "a"}),
        ("*p/c", {"p/c", "b", "a"}),
        ("a+", {"a", "b", "m1"}),
        ("a++", {"a", "b", "m1", "m2", "p/c"}),
        ("+b*", MADE - {"m1", "m2"}),
        (" a ", {"a"}),
    ],
)
def test_strings(text: str, expected: set[str]):
    assert names(AssetSelection.from_string(text)) == expected


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (AssetSelection.all(include_sources=True), EVERY),
        (AssetSelection.keys("p/c", ["p", "q", "d"], AssetKey("a")), {"p/c", "p/q/d", "a"}),
        (AssetSelection.keys(), set()),
        (AssetSelection.key_prefixes("p"), {"p/c", "p/q/d"}),
        (AssetSelection.key_prefixes(["p", "q"], "s-r"), {"p/q/d", "s-r/x.y"}),
        (AssetSelection.key_prefixes("p/q"), set()),
        (AssetSelection.key_prefixes("ext"), set()),
        (AssetSelection.key_prefixes("ext", include_sources=True), {"ext"}),
        (AssetSelection.key_substring("/q"), {"p/q/d"}),
        (AssetSelection.groups("g1", "g2"), {"a", "b", "p/c"}),
        (AssetSelection.groups("g2", include_sources=True), {"p/c", "ext"}),
        (AssetSelection.groups("g*"), set()),
        (AssetSelection.groups(), set()),
        (AssetSelection.tag("k", "v"), {"a"}),
        (AssetSelection.tag_string("k=w"), {"p/c"}),
        (AssetSelection.kind("python", include_sources=True), {"a", "ext"}),
        (AssetSelection.owner("a@b.co"), {"a"}),
        (AssetSelection.keys("b").upstream(include_self=False), {"a"}),
        (AssetSelection.keys("a", "b").downstream(1, include_self=False), {"p/c", "m1"}),
        (AssetSelection.keys("a").upstream(0), {"a"}),
        (AssetSelection.keys("b", "p/c").roots(), {"b"}),
        (AssetSelection.keys("b", "p/c").sources(), {"b"}),
        (AssetSelection.keys("b", "p/c").sinks(), {"p/c"}),
        (AssetSelection.all(include_sources=True).roots(), {"ext", "named_only"}),
        (AssetSelection.all(include_sources=True).materializable(), MADE),
        (AssetSelection.keys("m1", "b").required_multi_asset_neighbors(), {"m1", "m2", "b"}),
        (AssetSelection.keys("p/c").upstream_source_assets(), {"ext"}),
        (AssetSelection.keys("ext").upstream_source_assets(), {"ext"}),
        (AssetSelection.all() - AssetSelection.keys("a") - AssetSelection.keys("b"), MADE - {"a", "b"}),
        (AssetSelection.keys("a") & AssetSelection.checks(AssetCheckKey("a", "ok")), set()),
        (AssetSelection.from_string("*", include_sources=True), EVERY),
        (AssetSelection.from_string("not key:a", include_sources=True), EVERY - {"a"}),
        (AssetSelection.from_string('group:"g2*"', include_sources=True), {"p/c", "ext"}),
    ],
    ids=repr,
)
def test_python_api(selection: AssetSelection, expected: set[str]):
    assert names(selection) == expected


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (AssetSelection.all(), {"a:ok", "p/c:ok"}),
        (AssetSelection.keys("a"), {"a:ok"}),
        (AssetSelection.keys("b"), set()),
        (AssetSelection.all().without_checks(), set()),
        (AssetSelection.keys("a").without_checks() | AssetSelection.keys("p/c"), {"p/c:ok"}),
        (AssetSelection.keys("a").without_checks().downstream(), {"a:ok", "p/c:ok"}),
        (AssetSelection.all_asset_checks(), {"a:ok", "p/c:ok"}),
        (AssetSelection.checks(AssetCheckKey("a", "ok")), {"a:ok"}),
        (AssetSelection.checks_for_assets("a", "b"), {"a:ok"}),
        (AssetSelection.keys("b") | AssetSelection.checks(AssetCheckKey("a", "ok")), {"a:ok"}),
        (AssetSelection.all() - AssetSelection.checks(AssetCheckKey("a", "ok")), {"p/c:ok"}),
        (AssetSelection.all() & AssetSelection.checks(AssetCheckKey("a", "ok")), {"a:ok"}),
    ],
    ids=repr,
)
def test_checks(selection: AssetSelection, expected: set[str]):
    assert check_names(selection) == expected


def test_taking_out_checks_keeps_the_assets():
    assert names(AssetSelection.all().without_checks()) == MADE
    assert names(AssetSelection.all_asset_checks()) == set()


class _Definition:
    """Stands for a definition of the room above."""

    def __init__(self, keys: set[AssetKey], check_keys: set[AssetCheckKey] | None = None) -> None:
        self.keys = keys
        self.check_keys = check_keys or set()


class _Iterable(_Definition):
    def __iter__(self):
        raise AssertionError("a definition is not a collection of things to select")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", {"a"}),
        ("group:g1", {"a", "b"}),
        (["a", "+key:p/c"], {"a", "b", "p/c"}),
        (("a", "b"), {"a", "b"}),
        ({"a", "b"}, {"a", "b"}),
        (AssetKey(["p", "c"]), {"p/c"}),
        ([AssetKey("a"), "b", AssetSpec("m1")], {"a", "b", "m1"}),
        (_Iterable({M1, M2}), {"m1", "m2"}),
        ([_Definition({M1, M2}), AssetSelection.groups("g1")], {"m1", "m2", "a", "b"}),
        ([["p", "c"]], {"p/c"}),
        ([], set()),
        (AssetSpec("a"), {"a"}),
    ],
)
def test_coercion(value: object, expected: set[str]):
    assert names(AssetSelection.from_coercible(value)) == expected


def test_coercion_of_a_definition_of_checks_alone_selects_its_checks():
    selection = AssetSelection.from_coercible([_Definition(set(), {AssetCheckKey("a", "ok")})])
    assert names(selection) == set()
    assert check_names(selection) == {"a:ok"}
    assert check_names(AssetSelection.checks(_Definition({M1}, {AssetCheckKey("a", "ok")}))) == {"a:ok"}


@pytest.mark.parametrize("value", [3, [3], None, {"a": 1}, [object()]])
def test_coercion_refuses_what_selects_nothing(value: object):
    with pytest.raises(SelectionError, match="selects no assets"):
        AssetSelection.from_coercible(value)


def test_things_that_are_no_selection_do_not_combine():
    for combine in ("__or__", "__and__", "__sub__"):
        assert getattr(AssetSelection.all(), combine)("a") is NotImplemented
    with pytest.raises(SelectionError, match="levels"):
        AssetSelection.all().upstream(-1)
    with pytest.raises(SelectionError, match="one `=`"):
        AssetSelection.tag_string("a=b=c")
    with pytest.raises(SelectionError, match="no asset checks"):
        AssetSelection.checks("a")


def test_missing_keys_are_named_with_the_nearest():
    with pytest.raises(SelectionError, match=r"'p/cc'.*Did you mean 'p/c'"):
        AssetSelection.keys("p/cc").resolve(GRAPH)
    with pytest.raises(SelectionError, match="'nope_1', 'nope_2'"):
        AssetSelection.keys("nope_1", "a", "nope_2").resolve_checks(GRAPH)
    with pytest.raises(SelectionError, match="2 more"):
        AssetSelection.keys(*(f"nope_{i}" for i in range(7))).resolve(GRAPH)
    with pytest.raises(SelectionError, match=r"asset check 'a:okay'.*'a:ok'"):
        AssetSelection.checks(AssetCheckKey("a", "okay")).resolve_checks(GRAPH)
    with pytest.raises(SelectionError, match="'bb'"):
        AssetSelection.from_string("*bb").resolve(GRAPH)
    assert AssetSelection.keys("nope", "a").resolve(GRAPH, allow_missing=True) == {AssetKey("a")}
    assert AssetSelection.checks(AssetCheckKey("a", "x")).resolve_checks(GRAPH, allow_missing=True) == set()


def test_a_key_named_twice_is_not_missing():
    assert tree.Keys((M1, M1)).resolve(GRAPH) == {M1}


@pytest.mark.parametrize("text", ["status:healthy", "column:x", "column_tag:k=v", "job:<null>", "code_location:x"])
def test_attributes_beyond_definitions_need_a_lookup(text: str):
    selection = AssetSelection.from_string(text)
    with pytest.raises(SelectionError, match="cannot be answered here"):
        selection.resolve(GRAPH)
    asked: list[str] = []

    def lookup(attribute: tree.AttributeMatch, graph: AssetGraph) -> set[AssetKey]:
        asked.append(attribute.name)
        assert graph is GRAPH
        return {AssetKey("a")}

    assert selection.upstream().resolve(GRAPH, lookup=lookup) == {AssetKey("a")}
    assert asked == [text.partition(":")[0]]


def test_many_texts_are_split_at_commas():
    assert names(parse_many("a,p/c+ , group:g1")) == {"a", "p/c", "p/q/d", "b"}
    assert names(parse_many(["a", "b,m1"])) == {"a", "b", "m1"}
    assert parse_many('key:"a,b"') == tree.KeyPattern("a,b")
    for empty in ("", " , ", []):
        with pytest.raises(SelectionError, match="empty"):
            parse_many(empty)


@pytest.mark.parametrize(
    ("selection", "text"),
    [
        (AssetSelection.keys("a", "p/c"), 'key:"a" or key:"p/c"'),
        (AssetSelection.keys("a", "b") & AssetSelection.all(), '(key:"a" or key:"b") and *'),
        (AssetSelection.keys(), "not *"),
        (AssetSelection.groups("a", "b").upstream(2), '2+(group:"a" or group:"b")'),
        (AssetSelection.all() - AssetSelection.keys("a"), 'not key:"a"'),
        (AssetSelection.groups("g") - AssetSelection.keys("a"), 'group:"g" and (not key:"a")'),
        (AssetSelection.keys("a").upstream(include_self=False), '+key:"a" and (not key:"a")'),
        (AssetSelection.tag("k", "").roots(), 'roots(tag:"k")'),
        (AssetSelection.keys('a"\\b'), r'key:"a\"\\b"'),
        (AssetSelection.all(include_sources=True), 'key:"*"'),
        (AssetSelection.from_string("+b"), '1+key:"b"'),
        (AssetSelection.from_string("*b*"), '+key:"b"+'),
    ],
    ids=repr,
)
def test_text(selection: AssetSelection, text: str):
    assert str(selection) == selection.to_selection_str() == text


@pytest.mark.parametrize(
    ("selection", "code"),
    [
        (AssetSelection.all_asset_checks(), "AssetSelection.all_asset_checks()"),
        (AssetSelection.groups("g", include_sources=True), "AssetSelection.groups('g', include_sources=True)"),
        (AssetSelection.key_prefixes("p", ["q", "r"]), "AssetSelection.key_prefixes('p', ['q', 'r'])"),
        (AssetSelection.key_substring("x").upstream(), "AssetSelection.key_substring('x').upstream()"),
        (AssetSelection.keys("a").without_checks(), "AssetSelection.keys('a').without_checks()"),
        (AssetSelection.keys("a*"), "AssetSelection.keys('a*')"),
        (AssetSelection.keys(["x/y"]), "AssetSelection.keys(['x/y'])"),
        (
            AssetSelection.keys("a").downstream(1, include_self=False).sinks(),
            "AssetSelection.keys('a').downstream(1, include_self=False).sinks()",
        ),
        (
            AssetSelection.checks(AssetCheckKey("a", "ok")) | AssetSelection.checks_for_assets("b"),
            "(AssetSelection.checks(AssetCheckKey(['a'], 'ok')) | AssetSelection.checks_for_assets('b'))",
        ),
        (
            AssetSelection.keys("ext") - AssetSelection.owner(None),
            "(AssetSelection.keys('ext') - AssetSelection.owner(None))",
        ),
    ],
    ids=repr,
)
def test_what_the_language_cannot_say_shows_as_python(selection: AssetSelection, code: str):
    if "['x/y']" not in code:
        with pytest.raises(SelectionError, match="selection language"):
            selection.to_selection_str()
        assert str(selection) == code
    assert repr(selection) == code
    assert eval(code) == selection


# --- properties ----------------------------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "d", "e", "f"]


@st.composite
def graphs(draw: st.DrawFn) -> AssetGraph:
    specs = []
    for index, name in enumerate(NAMES):
        deps = draw(st.sets(st.sampled_from(NAMES[:index]))) if index else set()
        specs.append(
            AssetSpec(
                name,
                deps=sorted(deps),
                group_name=draw(st.sampled_from([None, "g", "h"])),
                tags=draw(st.sampled_from([{}, {"t": "1"}, {"t": "1", "u": ""}])),
                kinds=draw(st.sampled_from([None, {"k"}])),
                owners=draw(st.sampled_from([None, ["team:o"]])),
            )
        )
    made = draw(st.sets(st.sampled_from(NAMES)))
    return AssetGraph(specs, {AssetKey(name): name for name in made}, [AssetCheckSpec("ok", asset="a")])


_VALUE = st.text(string.ascii_letters + '*/"\\\n .-<>', max_size=5)
_DEPTH = st.none() | st.integers(0, 3)
_leaf = (
    st.sampled_from([*NAMES, "*", "[a-c]", "a*"]).map(tree.KeyPattern)
    | st.sampled_from([tree.All(), tree.Is("external"), tree.Is("materializable")])
    | st.sampled_from([tree.Groups(("g",)), tree.Groups(()), tree.GroupPattern("*"), tree.GroupPattern("g*")])
    | st.sampled_from([tree.Tag("t", "1"), tree.Tag("u"), tree.Tag(None), tree.Kind("k"), tree.Kind(None)])
    | st.sampled_from([tree.Owner("team:o"), tree.Owner(None)])
)


def _grow(inner: st.SearchStrategy[AssetSelection]) -> st.SearchStrategy[AssetSelection]:
    several = st.lists(inner, min_size=2, max_size=3)
    return (
        st.builds(tree.Upstream, inner, _DEPTH)
        | st.builds(tree.Downstream, inner, _DEPTH)
        | st.builds(tree.Around, inner, _DEPTH, _DEPTH)
        | inner.map(tree.Roots)
        | inner.map(tree.Sinks)
        | inner.map(lambda child: AssetSelection.all() - child)
        | several.map(tree.union)
        | several.map(lambda children: tree.And(tree._flat(children, tree.And)))
    )


said = st.recursive(_leaf, _grow, max_leaves=8)
"""Selections as the language makes them."""
quoted = st.builds(tree.KeyPattern, _VALUE) | st.builds(tree.Tag, _VALUE, _VALUE) | st.builds(tree.Owner, _VALUE)


def _naive(selection: AssetSelection, graph: AssetGraph) -> set[AssetKey]:
    """The definition of each operation, with nothing clever."""

    def levels(start: set[AssetKey], depth: int | None, up: bool) -> set[AssetKey]:
        found = set(start)
        for _ in range(len(NAMES) if depth is None else depth):
            for key, spec in graph.specs.items():
                for dep in spec.deps:
                    here, there = (key, dep.asset_key) if up else (dep.asset_key, key)
                    if here in start:
                        found.add(there)
            start = set(found)
        return found

    made = set(graph.made_by)
    specs = graph.specs.values()
    match selection:
        case tree.All():
            return made
        case tree.KeyPattern(pattern):
            known = {"*": set(NAMES), "a*": {"a"}}.get(pattern, {pattern} & set(NAMES))
            return {AssetKey(name) for name in known}
        case tree.Is(what):
            return made if what == "materializable" else set(graph.specs) - made
        case tree.Groups(groups):
            return {spec.key for spec in specs if (spec.group_name or "default") in groups} & made
        case tree.GroupPattern(pattern):
            return {spec.key for spec in specs if pattern == "*" or spec.group_name == "g"} & made
        case tree.Tag(None):
            return {spec.key for spec in specs if not {"t", "u"} & spec.tags.keys()} & made
        case tree.Tag(name, value):
            return {spec.key for spec in specs if spec.tags.get(name) == value} & made
        case tree.Kind(name):
            return {spec.key for spec in specs if (name in spec.kinds if name else not spec.kinds)} & made
        case tree.Owner(name):
            return {spec.key for spec in specs if (name in spec.owners if name else not spec.owners)} & made
        case tree.Upstream(child, depth):
            return levels(_naive(child, graph), depth, up=True) & made
        case tree.Downstream(child, depth):
            return levels(_naive(child, graph), depth, up=False)
        case tree.Around(child, up, down):
            inner = _naive(child, graph)
            return levels(inner, up, up=True) & made | levels(inner, down, up=False)
        case tree.Roots(child):
            inner = _naive(child, graph)
            return {key for key in inner if not {dep.asset_key for dep in graph.specs[key].deps} & inner}
        case tree.Sinks(child):
            inner = _naive(child, graph)
            return inner - {dep.asset_key for key in inner for dep in graph.specs[key].deps}
        case tree.Or(children):
            return set().union(*(_naive(child, graph) for child in children))
        case tree.And(children):
            return set(graph.specs).intersection(*(_naive(child, graph) for child in children))
        case tree.Minus(left, right):
            return _naive(left, graph) - _naive(right, graph)
    raise AssertionError(selection)


@given(graphs(), said)
def test_evaluation_is_what_the_definitions_say(graph: AssetGraph, selection: AssetSelection):
    found = selection.resolve(graph)
    assert found == _naive(selection, graph)
    expected = {AssetCheckKey("a", "ok")} if AssetKey("a") in found else set()
    assert selection.resolve_checks(graph) == expected


@given(said | quoted)
def test_text_is_read_back_as_the_same_selection(selection: AssetSelection):
    assert AssetSelection.from_string(selection.to_selection_str()) == selection


@given(graphs(), said, said)
def test_text_of_what_python_builds_selects_the_same(graph: AssetGraph, one: AssetSelection, other: AssetSelection):
    for selection in (
        one - other,
        one.materializable(),
        one.upstream(1, include_self=False),
        one.downstream(include_self=False),
        AssetSelection.keys("a", "b") - other,
    ):
        try:
            text = selection.to_selection_str()
        except SelectionError:
            continue
        assert AssetSelection.from_string(text).resolve(graph) == selection.resolve(graph)


@given(said)
def test_python_makes_a_selection_of_the_same_meaning(selection: AssetSelection):
    assert eval(repr(selection)).resolve(GRAPH, allow_missing=True) == selection.resolve(GRAPH, allow_missing=True)


class _Holder(msgspec.Struct, frozen=True):
    """Something on the wire that has a selection."""

    selection: AssetSelection


_API = [
    AssetSelection.keys("p/c", ["x/y"]).downstream(2, include_self=False).required_multi_asset_neighbors(),
    AssetSelection.checks(AssetCheckKey(["p", "c"], "ok")) | AssetSelection.checks_for_assets("a"),
    AssetSelection.all(include_sources=True).without_checks().materializable().upstream_source_assets(),
    AssetSelection.key_prefixes(["a", "b"], include_sources=True) & AssetSelection.key_substring("x"),
    AssetSelection.from_string("column_tag:k=v or status:<null>"),
]


@given(said | st.sampled_from(_API))
def test_wire_form_comes_back(selection: AssetSelection):
    found = codec.decoder(_Holder).decode(codec.encode(_Holder(selection))).selection
    assert found == selection
    assert hash(found) == hash(selection)
    assert codec.decoder(AssetSelection).decode(codec.encode(selection)) == selection


def test_an_asset_that_depends_on_itself_is_a_root_and_a_sink():
    graph = AssetGraph([AssetSpec("a", deps=["a"]), AssetSpec("b", deps=["b", "a"])], {AssetKey("a"): "a"})
    both = AssetSelection.keys("a", "b")
    assert both.roots().resolve(graph) == {AssetKey("a")}
    assert both.sinks().resolve(graph) == {AssetKey("b")}


def test_a_part_that_occurs_often_is_evaluated_once():
    selection: AssetSelection = AssetSelection.from_string("key:a")
    for _ in range(60):  # 2**60 leaves if each occurrence counted
        selection = tree.Or((tree.Upstream(selection, 1), tree.Downstream(selection, 1)))
    assert names(selection) == {"a", *MADE}
