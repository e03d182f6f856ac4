"""The notebooks run: as scripts from any folder, and as notebooks; what they claim they assert themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.py"))
BUDGET = 60.0  # seconds on two cores


def test_all_notebooks_are_there():
    assert NAMES == ["add_your_own_model", "diffusion", "first_phase_diagram", "monte_carlo"]


@pytest.mark.parametrize("name", NAMES)
def test_runs_as_a_script_within_its_budget(name, tmp_path):
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONWARNINGS": "error"}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(NOTEBOOKS / f"{name}.py")], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout
    assert not done.stderr
    assert time.perf_counter() - began < 2 * BUDGET  # the suite may share the machine
    assert list(tmp_path.iterdir()) == []  # nothing is left in the reader's folder


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_markdown_and_every_cell_is_small(name):
    jupytext = pytest.importorskip("jupytext")
    notebook = jupytext.read(NOTEBOOKS / f"{name}.py")
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds[0] == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    assert kinds.count("code") >= 6
    assert max(cell.source.count("\n") for cell in notebook.cells) < 40


@pytest.mark.slow
@pytest.mark.timeout(600)
# Of Jupyter's own making: its sockets and event loops are closed by the collector.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_runs_as_a_notebook(name, tmp_path, monkeypatch):
    jupytext, nbclient = pytest.importorskip("jupytext"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = jupytext.read(NOTEBOOKS / f"{name}.py")
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    images = [o for o in outputs if o.output_type == "display_data" and "image/png" in o.data]
    assert images
    if name == "first_phase_diagram":
        typeset = [o.data["text/latex"] for o in outputs if "text/latex" in o.get("data", {})]
        assert len(typeset) == 1
        assert r"\begin{aligned}" in typeset[0]
