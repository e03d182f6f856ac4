"""Every public name says what it is, functions with an example that the doctests run, and a type checker sees them."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import spinodal
from spinodal.face import HOMES

FUNCTIONS = sorted(name for name in spinodal.__all__ if inspect.isfunction(getattr(spinodal, name)))
# Shown whole in notebooks/monte_carlo.py and notebooks/add_your_own_model.py.
ELSEWHERE = {"basins", "register"}


@pytest.mark.parametrize("name", [name for name in spinodal.__all__ if name != "__version__"])
def test_every_name_is_documented(name: str) -> None:
    found = getattr(spinodal, name)
    assert found.__doc__
    assert len(found.__doc__.strip().splitlines()[0]) > 15
    assert not found.__doc__.startswith(f"{name}(")  # what dataclasses write by themselves


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_an_example(name: str) -> None:
    documentation = getattr(spinodal, name).__doc__
    if name in ELSEWHERE:
        assert any(f"sp.{name}(" in p.read_text() or f"sp.{name}\n" in p.read_text() for p in notebooks())
    else:
        assert "\n    Examples\n    --------\n" in documentation
        assert ">>>" in documentation


def test_names_live_where_the_table_says() -> None:
    for module, names in HOMES.items():
        for name in names.split():
            assert getattr(spinodal, name) is getattr(import_module(module), name)
            assert name in import_module(module).__all__ or name in ("Status", "InvalidInput")


def test_a_type_checker_sees_what_is_loaded_at_run_time() -> None:
    text = Path(spinodal.__file__).read_text()
    block = text[text.index("if TYPE_CHECKING:") : text.index("__version__: str")]
    found = re.findall(r"from (\S+) import \(?([^()]*?)\)?\n(?=    from|\n)", block)
    assert {module: set(re.split(r"[,\s]+", names.strip().rstrip(","))) for module, names in found} == {
        module: set(names.split()) for module, names in HOMES.items()
    }


def notebooks() -> list[Path]:
    return sorted((Path(spinodal.__file__).parents[1] / "notebooks").glob("*.py"))
