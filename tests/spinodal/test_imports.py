"""The face is lazy, complete, and notices strangers that hide its packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import spinodal

HEAVY = ("numpy", "scipy", "sympy", "numba", "xarray", "matplotlib", "pandas", "h5netcdf")


def python(code: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, timeout=120)


def loaded(code: str, names: tuple[str, ...]) -> list[str]:
    done = python(f"import sys\n{code}\nprint(*[n for n in {names!r} if n in sys.modules])")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


@pytest.mark.parametrize(
    "code",
    [
        "import spinodal",
        "import spinodal.cli; spinodal.cli.application()",
        "from spinodal.cli import main; main(['--help'])",
        "from spinodal.cli import main; main(['threshold', '--help'])",
        "from spinodal.cli import main; main(['threshold', 'hopfield', '--help'])",
        "from spinodal.cli import main; main(['solve', 'hopfield', '--alpha-d', '1']); print()",
    ],
)
def test_command_line_loads_nothing_heavy_before_it_computes(code: str) -> None:
    assert loaded(code, HEAVY) == []


def test_the_probe_for_loaded_modules_sees_them() -> None:
    assert loaded("import numpy", HEAVY) == ["numpy"]


def test_threshold_loads_no_plotting_arrays_or_compiler() -> None:
    code = "import spinodal as sp; sp.threshold(sp.Hopfield(), state='example')"
    assert loaded(code, ("xarray", "matplotlib", "numba", "pandas")) == []


def test_records_of_figures_load_no_diffusion_where_there_is_none() -> None:
    assert loaded("import paper_figures.store", ("numerics.diffusion.generalisation", "numerics.diffusion.flow")) == []


def test_every_public_name_is_there() -> None:
    assert set(spinodal.__all__) == set(spinodal._MODULE_OF) | {"__version__"}
    for name in spinodal.__all__:
        assert getattr(spinodal, name) is not None
    assert dir(spinodal) == sorted(spinodal.__all__)


def test_public_functions_are_not_hidden_by_modules_of_the_same_name() -> None:
    import spinodal.diagrams
    import spinodal.validation

    for name in ("solve", "threshold", "branch", "phase_line", "diagram", "simulate", "validate", "load", "save"):
        assert callable(getattr(spinodal, name))


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'thresold'"):
        spinodal.thresold  # noqa: B018


@pytest.mark.parametrize("stranger", ["theory.py", "numerics.py"])
def test_a_file_that_hides_a_package_is_named(tmp_path: Path, stranger: str) -> None:
    (tmp_path / stranger).write_text("")
    done = python("import spinodal", tmp_path)
    assert done.returncode != 0
    assert str(tmp_path / stranger) in done.stderr.splitlines()[-1]
    assert "rename or move it" in done.stderr.splitlines()[-1]


def test_a_package_already_imported_from_elsewhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "theory").mkdir()
    (tmp_path / "theory" / "__init__.py").write_text("")
    done = python("import theory\nimport spinodal", tmp_path)
    assert done.returncode != 0
    assert str(tmp_path / "theory") in done.stderr.splitlines()[-1]


def test_the_command_says_it_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "theory.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "spinodal", "models"], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "hides the package 'theory'" in done.stderr


def test_packages_are_typed_and_regular() -> None:
    home = Path(spinodal.__file__).parent.parent
    for name in ("theory", "numerics", "paper_figures", "spinodal"):
        assert (home / name / "py.typed").is_file()
        assert (home / name / "__init__.py").is_file()


def test_no_module_shadows_a_test_package() -> None:
    here = Path(__file__).parent.parent
    assert list(here.rglob("__init__.py")) == []
