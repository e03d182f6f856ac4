"""The compiled engine on a model that names its variables as the generated code names its arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
import sympy

from theory.equations import FreeEnergy
from theory.lines import phase_line
from theory.model import Model, Parameter
from theory.sites import IsingZero

p, x, v, H = sympy.symbols("p x v H")


@dataclass(frozen=True)
class Renamed(Model):
    """Hopfield model at T = 0 with load p; the parameter H is a field unit that drops out."""

    p: float | None = None
    H: float | None = 1.0
    temperature: float | None = 0.0

    name = "renamed"
    summary = "Hopfield model at T = 0 in other letters"
    states = ("example",)
    parameters = (Parameter("p", "load"), Parameter("H", "unit"), Parameter("temperature", "T", low_open=False))

    def ground_state_energy(self, state: str, L: int) -> FreeEnergy:
        """AGS, with ``chi = x / H``."""
        chi, r = x / H, sympy.Symbol("F")
        f = p / 2 + v**2 / 2 - p / 2 / (1 - chi) + p / 2 * r * chi - IsingZero(0, v, p * r)
        return FreeEnergy(f, ((v, v), (x, r)), (v,), {v: (-1.0, 1.0), x: (0.0, np.inf)}, (1 - chi,), {"m": v})

    def free_energy(self, state: str, L: int) -> FreeEnergy:
        """Only T = 0 is asked for here."""
        return self.ground_state_energy(state, L)

    def start(self, state: str, L: int) -> Mapping[str, float]:
        """The pattern itself."""
        return {"v": 1.0, "x": 0.0, "F": 1.0}


def test_any_name_will_do():
    values = [1.0, 1.5, 2.0]
    line = phase_line(Renamed(), "example", vary="p", along="H", values=values, engine="compiled")
    assert line.values == pytest.approx(3 * [0.13790556649493171], rel=1e-12)
    assert np.all(line.errors < 1e-12)
