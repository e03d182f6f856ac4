"""Options come from what a model declares: read from source, or from a user's own file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import theory.model
from spinodal.commands import declarations
from spinodal.commands.declarations import declaration, from_class, known_models

OWN = """
from dataclasses import dataclass
from typing import ClassVar
from theory.model import Parameter


@dataclass(frozen=True)
class Toy:
    alpha: float | None = None
    skew: float = 0.5
    flavour: str = "plain"
    name: ClassVar[str] = "toy-{suffix}"
    summary: ClassVar[str] = "A model of one's own."
    states: ClassVar[tuple[str, ...]] = ("paramagnet", "example")
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("alpha", "load"), Parameter("{parameter}", "skewness of the couplings", high=1.0)
    )
    references: ClassVar[tuple[str, ...]] = ("@misc{{toy}}",)

    def free_energy(self, state, L): ...
    def ground_state_energy(self, state, L): ...
    def start(self, state, L): ...
"""


@pytest.mark.parametrize("name", theory.model.model_names())
def test_the_source_says_what_the_class_says(name: str) -> None:
    from_source = declarations._from_source(name)
    assert from_source is not None, "the model's declarations are not literal: --help would import it"
    assert from_source == from_class(theory.model.model_named(name))


def test_built_in_models_are_known_with_their_summaries() -> None:
    assert {"hopfield", "random-features"} <= set(known_models())
    assert all(known_models().values())


def test_underscores_are_accepted() -> None:
    assert declaration("random_features").name == "random-features"


def test_a_model_from_a_file_brings_its_own_options(tmp_path: Path, spinodal: Callable) -> None:
    path = tmp_path / "mymodel.py"
    path.write_text(OWN.format(suffix="options", parameter="skew"))
    done = spinodal("solve", f"{path}:Toy", "--help")
    assert done.code == 0
    for part in ("--skew", "skewness of the couplings", "--flavour", "plain"):
        assert part in done.out
    for absent in ("--temperature", "--L "):
        assert absent not in done.out
    done = spinodal("cite", f"{path}:Toy", "--json")
    assert done.data == {"model": "toy-options", "references": ["@misc{toy}"]}


def test_a_file_is_run_once_and_what_it_prints_is_talk(tmp_path: Path, spinodal: Callable) -> None:
    path = tmp_path / "mymodel.py"
    path.write_text(OWN.format(suffix="once", parameter="skew") + "\nprint('ran')\n")
    done = spinodal("cite", f"{path}:Toy", "--json")
    assert done.err == "ran\n"
    assert done.data["model"] == "toy-once"


def test_a_parameter_that_clashes_with_an_option_is_named(tmp_path: Path, spinodal: Callable) -> None:
    path = tmp_path / "mymodel.py"
    path.write_text(OWN.format(suffix="clash", parameter="state"))
    done = spinodal("solve", f"{path}:Toy", "--alpha", "1")
    assert (done.code, done.out) == (2, "")
    assert "'state'" in done.err


@pytest.mark.parametrize(
    ("content", "part"),
    [("x = 1", "no class 'Toy'"), ("import", "SyntaxError"), ("1/0", "ZeroDivisionError"), ("class Toy: ...", "name")],
)
def test_a_broken_model_file_is_one_sentence(tmp_path: Path, spinodal: Callable, content: str, part: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(content)
    done = spinodal("solve", f"{path}:Toy", "--alpha", "1")
    assert (done.code, done.out) == (2, "")
    assert part in done.err
    assert len(done.err.splitlines()) == 1
