"""The import name `dagster`: which names it has, and what it does beside the real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dagster
import treadle
from dagster import _names, _neighbours


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("DagsterInstance", "Instance"),
        ("DagsterRun", "Run"),
        ("DagsterEventType", "EventType"),
        ("DagsterError", "TreadleError"),
    ],
)
def test_names_that_dropped_their_prefix(old: str, new: str) -> None:
    assert getattr(dagster, old) is getattr(treadle, new)
    with pytest.raises(AttributeError, match=old):
        getattr(dagster, new)


def test_every_name_can_be_had() -> None:
    for name in dir(dagster):
        assert getattr(dagster, name) is not None
    assert {"asset", "DagsterInstance", "BetaWarning"} <= set(dir(dagster))
    assert not {"Instance", "TreadleError"} & set(dir(dagster))


def test_every_rename_leads_to_a_name_or_waits_for_one() -> None:
    assert not set(_names.RENAMED) & set(treadle.__all__)
    assert len(set(_names.RENAMED.values())) == len(_names.RENAMED) - 1  # one error for both type check errors


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing_here'"):
        _ = dagster.nothing_here  # pyright: ignore[reportAttributeAccessIssue]


def test_star_import_gives_all_names() -> None:
    space: dict[str, object] = {}
    exec("from dagster import *", space)
    assert space["asset"] is dagster.asset
    assert space["DagsterRun"] is treadle.Run
    assert "deprecated" not in space  # a module; it would hide what others call so
    assert dagster.deprecated.FreshnessPolicy is dagster.LegacyFreshnessPolicy


def test_import_is_light() -> None:
    code = (
        "import sys, dagster; sys.exit(any(m in sys.modules for m in ('sqlalchemy', 'pydantic', 'sqlite3', 'asyncio')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def succeeds(code: str) -> bool:
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_for_declaring_load_nothing_that_runs() -> None:
    declaring = "import sys, dagster as dg; dg.asset, dg.job, dg.op, dg.Definitions, dg.AssetSelection, dg.RetryPolicy"
    assert succeeds(f"{declaring}; assert not any(name.startswith('treadle.host') for name in sys.modules)")
    assert succeeds(f"{declaring}; assert 'dagster._aliases' not in sys.modules")


def test_what_runs_itself_has_the_old_attributes() -> None:
    code = "@dg.job\ndef talk():\n    dg.op(name='say')(lambda: 1)()\n"
    assert succeeds(f"import dagster as dg\n{code}assert talk.execute_in_process().dagster_run.is_success")


def test_the_stub_has_what_the_door_renames() -> None:
    stub = Path(dagster.__file__).with_suffix(".pyi").read_text()
    for old, new in _names.RENAMED.items():
        if new in treadle.__all__:
            assert f"\n{old} = treadle.{new}\n" in stub, old


# --- neighbours ------------------------------------------------------------------------------------------------------


def install(folder: Path, name: str, needs: str = "") -> None:
    metadata = folder / name / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Name: x\nRequires-Dist: click\n{needs}\n")


@pytest.mark.parametrize(
    ("name", "needs", "refused"),
    [
        ("dagster-1.13.27.dist-info", "", "dagster"),
        ("dagster_dbt-0.29.27.dist-info", "Requires-Dist: dagster==1.13.27", "dagster-dbt"),
        ("dagster_dbt-0.29.27.dist-info", "Requires-Dist: dagster (==1.13.27)", "dagster-dbt"),
        ("dagster_dbt-0.29.27.dist-info", "Requires-Dist: Dagster[test]==1.13.27", "dagster-dbt"),
        ("dagster_ours-1.0.dist-info", "Requires-Dist: dagster>=1.5", None),
        ("dagster_ours-1.0.dist-info", 'Requires-Dist: dagster==1.13.27; extra == "dev"', None),
        ("dagster_pipes-1.13.27.dist-info", "", None),
        ("treadle_dagster-0.1.0.dist-info", "Requires-Dist: treadle==0.1.0", None),
    ],
)
def test_the_real_one_and_what_is_pinned_to_it_are_refused(
    tmp_path: Path, name: str, needs: str, refused: str | None
) -> None:
    folder = tmp_path / "site-packages"
    install(folder, name, needs)
    path = [str(tmp_path / "elsewhere"), str(folder), str(tmp_path / "gone" / "dist-packages")]
    if refused is None:
        _neighbours.refuse_the_real_one(path)
    else:
        with pytest.raises(ImportError, match=rf"with {refused}\. .*pip uninstall {refused}, "):
            _neighbours.refuse_the_real_one(path)


def test_beside_the_real_one_nothing_but_treadle_works(tmp_path: Path) -> None:
    folder = tmp_path / "site-packages"
    install(folder, "dagster-1.13.27.dist-info")

    def call(code: str) -> subprocess.CompletedProcess[str]:
        found = f"import sys; sys.path.append({str(folder)!r}); {code}"
        return subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=False)

    for code in (
        "import dagster",
        "from dagster import asset",
        "from dagster.__main__ import main; main(['--version'])",
    ):
        ended = call(code)
        assert ended.returncode == 1
        last = ended.stderr.strip().splitlines()[-1]
        assert last.startswith("ImportError: treadle-dagster provides the import name 'dagster'")
        assert "To run on Treadle: pip uninstall dagster" in last
        assert "To run on Dagster: pip uninstall treadle-dagster" in last
    assert call("import treadle; treadle.asset; from treadle.cli.main import main; main()").returncode == 2
