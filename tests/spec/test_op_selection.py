"""Op selection: clauses over ops, over graphs as nodes, and over paths into graphs."""

from __future__ import annotations

import pytest

from treadle.errors import SelectionError
from treadle.spec.op_selection import select_ops

# src -> [gg: p1 -> p2, and lone] -> [h: p1 -> p2, and lone] -> p3 -> end
JOB = {
    "src": [],
    "gg.p1": ["src"],
    "gg.p2": ["gg.p1"],
    "gg.lone": [],
    "h.p1": ["gg.p2"],
    "h.p2": ["h.p1"],
    "h.lone": [],
    "p3": ["h.p2"],
    "end": ["p3"],
    "deep.mid.x": [],
    "deep.mid.y": ["deep.mid.x"],
}
GG = {"gg.p1", "gg.p2", "gg.lone"}
H = {"h.p1", "h.p2", "h.lone"}


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ("src", {"src"}),
        (" src ", {"src"}),
        ("src+", {"src"} | GG),
        ("src++", {"src"} | GG | H),
        ("*p3", {"src", "p3"} | GG | H),
        ("+p3", {"p3"} | H),
        ("++p3", {"p3"} | H | GG),
        ("gg", GG),
        ("gg+", GG | H),
        ("+gg", GG | {"src"}),
        ("gg*", GG | H | {"p3", "end"}),
        ("*gg+", GG | H | {"src"}),
        ("gg.p1", {"gg.p1"}),
        ("gg.p1+", {"gg.p1", "gg.p2"}),
        ("+h.p1", {"h.p1", "gg.p2"}),
        ("*h.p1", {"h.p1", "gg.p2", "gg.p1", "src"}),
        ("deep.mid", {"deep.mid.x", "deep.mid.y"}),
        ("deep.mid.y", {"deep.mid.y"}),
        ("*", set(JOB)),
    ],
)
def test_clauses(clause: str, expected: set[str]):
    assert select_ops([clause], JOB) == expected


def test_several_clauses_are_a_union():
    assert select_ops(["src", "gg.p1", "*src"], JOB) == {"src", "gg.p1"}
    assert select_ops("src, end", JOB) == {"src", "end"}
    assert select_ops([], JOB) == set()


@pytest.mark.parametrize(
    ("clause", "says"),
    [
        ("sc", "no such op. Did you mean 'src'"),
        ("src.x", "no such op"),
        ("gg.nope", "no such op"),
        ("nope*", "no such op"),
        ("", "is no op selection"),
        ("src,end", "is no op selection"),
        ("+*src", "is no op selection"),
    ],
)
def test_errors(clause: str, says: str):
    with pytest.raises(SelectionError, match=says):
        select_ops([clause], JOB)
