"""`spinodal bench` runs the scripts that stand beside the source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spinodal.cli import main
from spinodal.commands import bench

SCRIPT = 'import sys\nprint("| way | ratio |")\nprint(f"| {sys.argv[1:]} | 3 |")\nsys.exit("slow" in __file__)\n'


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("quick", "slow", "harness"):
        (tmp_path / f"{name}.py").write_text(SCRIPT)
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    return tmp_path


def test_named_benchmark_is_run_with_its_options(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "quick", "--repeats", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["benchmarks"] == {"quick": ["| way | ratio |", "| ['--repeats', '2'] | 3 |"]}


def test_failed_benchmark_is_told_and_the_others_are_kept(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--json"]) == 1
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["failed"] == ["slow"]
    assert sorted(found["benchmarks"]) == ["quick", "slow"]
    assert "slow" in printed.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["quik"], "benchmark 'quik' is unknown; choose one of quick, slow; did you mean 'quick'?"),
        (["quick", "--repeats", "0"], "repeats = 0 is not allowed; give repeats >= 1."),
    ],
)
def test_misuse_is_one_sentence(
    scripts: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(["bench", *arguments]) == 2
    assert capsys.readouterr() == ("", sentence + "\n")


def test_an_installation_without_benchmarks_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "FOLDER", tmp_path / "absent")
    assert main(["bench"]) == 2
    assert "run this command in a source checkout" in capsys.readouterr().err
