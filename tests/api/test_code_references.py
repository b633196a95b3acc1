"""Where the code of assets is."""

from pathlib import Path
from typing import Any

import pytest

import dagster as dg

pytestmark = pytest.mark.filterwarnings("ignore")
HERE = Path(__file__)
FROM_LINK = dg.UrlCodeReference(url="https://example.org")


@dg.asset(metadata={"x": 1})
def a():
    return 1


@dg.op
def one():
    return 1


@dg.graph_asset
def b():
    return one()


@dg.multi_asset(
    specs=[
        dg.AssetSpec("c"),
        dg.AssetSpec(
            "d", metadata={"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[FROM_LINK])}
        ),
    ]
)
def several(): ...


def references(assets: Any) -> dict[str, Any]:
    found = {spec.key.to_user_string(): spec for spec in dg.Definitions(assets).resolve_all_asset_specs()}
    values = {key: spec.metadata.get("dagster/code_references") for key, spec in found.items()}
    return {key: list(value.code_references) if value else [] for key, value in values.items()}


def line_of(text: str) -> int:
    return 1 + HERE.read_text().splitlines().index(text)


@pytest.mark.api("with_source_code_references.assets_defs")
def test_assets_say_where_their_function_is() -> None:
    marked = dg.with_source_code_references(assets_defs=[a, b, several, dg.AssetSpec("outside")])
    found = references(marked)
    line = line_of("@dg.graph_asset")
    assert found["b"] == [dg.LocalFileCodeReference(file_path=str(HERE), line_number=line)]
    assert [(type(one), one.file_path) for one in found["a"]] == [(dg.LocalFileCodeReference, str(HERE))]
    assert (found["d"][0], len(found["d"]), len(found["c"]), found["outside"]) == (FROM_LINK, 2, 1, [])
    assert marked[0].metadata_by_key[a.key]["x"] == 1
    assert references([a])["a"] == []


@pytest.mark.api(
    "AnchorBasedFilePathMapping.local_file_anchor", "AnchorBasedFilePathMapping.file_anchor_path_in_repository",
    "AnchorBasedFilePathMapping.convert_to_source_control_path",
)  # fmt: skip
def test_files_are_placed_by_an_anchor() -> None:
    mapping = dg.AnchorBasedFilePathMapping(local_file_anchor=HERE, file_anchor_path_in_repository="python/t.py")
    assert mapping.local_file_anchor == HERE
    assert mapping.file_anchor_path_in_repository == "python/t.py"
    assert mapping.convert_to_source_control_path(HERE) == "python/t.py"
    folder = dg.AnchorBasedFilePathMapping(HERE.parent, "python/src")
    assert folder.convert_to_source_control_path(HERE.parent / "deep" / "x.py") == "python/src/deep/x.py"


class Flat(dg.FilePathMapping):
    def convert_to_source_control_path(self, local_path: Path) -> str:
        return f"flat/{local_path.name}"


@pytest.mark.api(
    "link_code_references_to_git.assets_defs", "link_code_references_to_git.git_url",
    "link_code_references_to_git.git_branch", "link_code_references_to_git.file_path_mapping",
    "link_code_references_to_git.platform", "FilePathMapping.convert_to_source_control_path",
)  # fmt: skip
@pytest.mark.parametrize(
    ("url", "platform", "expected"),
    [
        ("https://github.com/o/r", None, "https://github.com/o/r/tree/v1/flat/"),
        ("https://gitlab.com/o/r", None, "https://gitlab.com/o/r/-/tree/v1/flat/"),
        ("https://git.corp/o/r", "gitlab", "https://git.corp/o/r/-/tree/v1/flat/"),
    ],
)
def test_links_into_a_repository(url: str, platform: Any, expected: str) -> None:
    marked = [*dg.with_source_code_references([b, several]), dg.AssetSpec("outside")]
    linked = dg.link_code_references_to_git(
        assets_defs=marked, git_url=url, git_branch="v1", file_path_mapping=Flat(),
        **{"platform": platform} if platform else {},
    )  # fmt: skip
    found = references(linked)
    assert [one.url for one in found["b"]] == [f"{expected}{HERE.name}#L{line_of('@dg.graph_asset')}"]
    assert found["d"][0] == FROM_LINK
    assert found["outside"] == []


def test_a_url_that_says_nothing() -> None:
    with pytest.raises((dg.DagsterError, ValueError)):
        dg.link_code_references_to_git([a], "https://git.corp/o/r", "main", Flat())
