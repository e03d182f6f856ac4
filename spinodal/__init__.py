"""Statistical physics of associative memories: solve, trace phase lines, simulate, and compare.

The whole interface is one import away, and nothing heavy is loaded before it is used:

>>> import spinodal as sp
>>> sp.RandomFeatures(alpha_d=0.05).name
'random-features'

Results of theory are `Solution`, `Threshold`, `StateBranch` and `Boundary`; simulations give a `Record` of
`Measurement`; the comparison of the two is an `Agreement`.  Every number carries a status and an error estimate.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from spinodal import neighbours

# `python -m spinodal` imports this package before it can answer in a sentence; the command line checks for itself.
if sys.argv[:1] != ["-m"]:
    neighbours.check()

if TYPE_CHECKING:
    from numerics.basins import Basin, Basins, basin, basins
    from numerics.equilibration import Equilibration, equilibration
    from numerics.estimate import Measurement
    from numerics.records import Record
    from numerics.simulate import simulate
    from numerics.sweep import sweep
    from numerics.sweep_folder import SweepStatus, sweep_status
    from numerics.validate import Agreement, agreement
    from spinodal.diagrams import Diagram, diagram
    from spinodal.results import load, save
    from spinodal.validation import Validation, validate
    from theory.branches import StateBranch, branch
    from theory.checks import Check, conformance
    from theory.diffusion.bulks import Bulks, bulks
    from theory.diffusion.collapse import Collapse, collapse, mixture_collapse
    from theory.diffusion.constants import gaussian_constants
    from theory.diffusion.hidden_manifold import hidden_manifold
    from theory.diffusion.information import (
        gaussian_information,
        linear_manifold_information,
        sign_information,
    )
    from theory.diffusion.losses import Losses, losses
    from theory.diffusion.manifold_information import manifold_information
    from theory.diffusion.overlap_laws import Ensemble, ensemble
    from theory.diffusion.population import Population
    from theory.diffusion.rem import Capacity, Condensation, capacity, condensation, smallest_overlap
    from theory.diffusion.resolvent import ScoreModel
    from theory.diffusion.speciation import Speciation, speciation
    from theory.diffusion.spectrum import score_spectrum
    from theory.diffusion.times import PhaseDiagram, TimeScales, phase_diagram, region, samples_needed, time_scales
    from theory.ensembles import Nonlinearity, nonlinearity
    from theory.errors import InvalidInput, MissingExtra, NotConverged, SpinodalError
    from theory.lines import Boundary, phase_line
    from theory.local_fields import LocalFields
    from theory.minima import local_fields
    from theory.model import Model, Parameter, models, register
    from theory.models.hopfield import Hopfield
    from theory.models.random_features import RandomFeatures
    from theory.models.vector_hopfield import VectorHopfield
    from theory.models.vector_random_features import VectorRandomFeatures
    from theory.phase import Threshold, threshold
    from theory.points import equations
    from theory.saddle import Anderson, FixedPoint, Newton, Status
    from theory.spectra import Spectrum, spectrum
    from theory.states import Solution, solve

    __version__: str

_HOME = {
    "numerics.basins": ("Basin", "Basins", "basin", "basins"),
    "numerics.equilibration": ("Equilibration", "equilibration"),
    "numerics.estimate": ("Measurement",),
    "numerics.records": ("Record",),
    "numerics.simulate": ("simulate",),
    "numerics.sweep": ("sweep",),
    "numerics.sweep_folder": ("SweepStatus", "sweep_status"),
    "numerics.validate": ("Agreement", "agreement"),
    "spinodal.diagrams": ("Diagram", "diagram"),
    "spinodal.results": ("load", "save"),
    "spinodal.validation": ("Validation", "validate"),
    "theory.checks": ("Check", "conformance"),
    "theory.diffusion.bulks": ("Bulks", "bulks"),
    "theory.diffusion.collapse": ("Collapse", "collapse", "mixture_collapse"),
    "theory.diffusion.constants": ("gaussian_constants",),
    "theory.diffusion.hidden_manifold": ("hidden_manifold",),
    "theory.diffusion.information": ("gaussian_information", "linear_manifold_information", "sign_information"),
    "theory.diffusion.losses": ("Losses", "losses"),
    "theory.diffusion.manifold_information": ("manifold_information",),
    "theory.diffusion.overlap_laws": ("Ensemble", "ensemble"),
    "theory.diffusion.population": ("Population",),
    "theory.diffusion.rem": ("Capacity", "Condensation", "capacity", "condensation", "smallest_overlap"),
    "theory.diffusion.resolvent": ("ScoreModel",),
    "theory.diffusion.speciation": ("Speciation", "speciation"),
    "theory.diffusion.spectrum": ("score_spectrum",),
    "theory.diffusion.times": (
        *("PhaseDiagram", "TimeScales"),
        *("phase_diagram", "region", "samples_needed", "time_scales"),
    ),
    "theory.ensembles": ("Nonlinearity", "nonlinearity"),
    "theory.errors": ("InvalidInput", "MissingExtra", "NotConverged", "SpinodalError"),
    "theory.branches": ("StateBranch", "branch"),
    "theory.lines": ("Boundary", "phase_line"),
    "theory.local_fields": ("LocalFields",),
    "theory.minima": ("local_fields",),
    "theory.model": ("Model", "Parameter", "models", "register"),
    "theory.models.hopfield": ("Hopfield",),
    "theory.models.random_features": ("RandomFeatures",),
    "theory.models.vector_hopfield": ("VectorHopfield",),
    "theory.models.vector_random_features": ("VectorRandomFeatures",),
    "theory.phase": ("Threshold", "threshold"),
    "theory.points": ("equations",),
    "theory.saddle": ("Anderson", "FixedPoint", "Newton", "Status"),
    "theory.spectra": ("Spectrum", "spectrum"),
    "theory.states": ("Solution", "solve"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Agreement",
    "Anderson",
    "Basin",
    "Basins",
    "Boundary",
    "Bulks",
    "Capacity",
    "Check",
    "Collapse",
    "Condensation",
    "Diagram",
    "Ensemble",
    "Equilibration",
    "FixedPoint",
    "Hopfield",
    "InvalidInput",
    "LocalFields",
    "Losses",
    "Measurement",
    "MissingExtra",
    "Model",
    "Newton",
    "Nonlinearity",
    "NotConverged",
    "Parameter",
    "PhaseDiagram",
    "Population",
    "RandomFeatures",
    "Record",
    "ScoreModel",
    "Solution",
    "Speciation",
    "Spectrum",
    "SpinodalError",
    "StateBranch",
    "Status",
    "SweepStatus",
    "Threshold",
    "TimeScales",
    "Validation",
    "VectorHopfield",
    "VectorRandomFeatures",
    "__version__",
    "agreement",
    "basin",
    "basins",
    "branch",
    "bulks",
    "capacity",
    "collapse",
    "condensation",
    "conformance",
    "diagram",
    "ensemble",
    "equations",
    "equilibration",
    "gaussian_constants",
    "gaussian_information",
    "hidden_manifold",
    "linear_manifold_information",
    "load",
    "local_fields",
    "losses",
    "manifold_information",
    "mixture_collapse",
    "models",
    "nonlinearity",
    "phase_diagram",
    "phase_line",
    "region",
    "register",
    "samples_needed",
    "save",
    "score_spectrum",
    "sign_information",
    "simulate",
    "smallest_overlap",
    "solve",
    "speciation",
    "spectrum",
    "sweep",
    "sweep_status",
    "threshold",
    "time_scales",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("spinodal")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'spinodal' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
