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
from spinodal.face import HOMES

# `python -m spinodal` imports this package before it can answer in a sentence; the command line checks for itself.
if sys.argv[:1] != ["-m"]:
    neighbours.check()

if TYPE_CHECKING:
    from numerics.basins import Basin, Basins, basin, basins
    from numerics.diffusion.attractors import Attractors, attractors
    from numerics.diffusion.barriers import Barriers, barriers
    from numerics.diffusion.census import Census, census
    from numerics.diffusion.classify import Labels, Thresholds, by_barrier, by_distance, propose_thresholds
    from numerics.diffusion.collapse_times import counted_collapse_time, drawn_collapse_times
    from numerics.diffusion.critical import Critical, Volume, critical_noise, flow_back, log_basin_volume
    from numerics.diffusion.curvature import curvatures, divergence, hessian, softest, softmax_covariance
    from numerics.diffusion.data import read_data
    from numerics.diffusion.energy import Softmax, energies, participation, scores, softmax
    from numerics.diffusion.flow import (
        denoised,
        exact_score,
        noise_levels,
        probability_flow,
        reverse_sde,
        vp_score,
        vp_sigma,
    )
    from numerics.diffusion.generalisation import Generalisation, Trial
    from numerics.diffusion.levels import Loads, collapse_loads, retrieval_loads
    from numerics.diffusion.manifold import tilted_overlap
    from numerics.diffusion.memories import Memories, circle, memories, nearest_distances
    from numerics.diffusion.neural import Network, Training, least_loss, load_network, train
    from numerics.diffusion.order import Order, Peak, orders, peaks
    from numerics.diffusion.probes import Probes, probe, score_curvatures
    from numerics.diffusion.score_simulate import ScoreTask, simulate_score
    from numerics.diffusion.training_sets import Source, describe
    from numerics.diffusion.transition import generalise
    from numerics.diffusion.valleys import Valleys, valleys
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
    from theory.diffusion.information import gaussian_information, linear_manifold_information, sign_information
    from theory.diffusion.losses import Losses, losses
    from theory.diffusion.manifold_information import manifold_information
    from theory.diffusion.overlap_laws import Ensemble, ensemble
    from theory.diffusion.population import Population
    from theory.diffusion.rem import Capacity, Condensation, capacity, condensation, smallest_overlap
    from theory.diffusion.resolvent import ScoreModel
    from theory.diffusion.ring import (
        Barrier,
        Ring,
        crossover_load,
        equispaced_barrier,
        modulation,
        rice_minima,
        ring,
        ring_energy,
        ring_forms,
    )
    from theory.diffusion.speciation import Speciation, speciation
    from theory.diffusion.spectrum import score_spectrum
    from theory.diffusion.times import (
        PhaseDiagram,
        TimeScales,
        exponent,
        phase_diagram,
        region,
        samples_needed,
        time_scales,
    )
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

_MODULE_OF = {name: module for module, names in HOMES.items() for name in names.split()}

__all__ = [
    "Agreement",
    "Anderson",
    "Attractors",
    "Barrier",
    "Barriers",
    "Basin",
    "Basins",
    "Boundary",
    "Bulks",
    "Capacity",
    "Census",
    "Check",
    "Collapse",
    "Condensation",
    "Critical",
    "Diagram",
    "Ensemble",
    "Equilibration",
    "FixedPoint",
    "Generalisation",
    "Hopfield",
    "InvalidInput",
    "Labels",
    "Loads",
    "LocalFields",
    "Losses",
    "Measurement",
    "Memories",
    "MissingExtra",
    "Model",
    "Network",
    "Newton",
    "Nonlinearity",
    "NotConverged",
    "Order",
    "Parameter",
    "Peak",
    "PhaseDiagram",
    "Population",
    "Probes",
    "RandomFeatures",
    "Record",
    "Ring",
    "ScoreModel",
    "ScoreTask",
    "Softmax",
    "Solution",
    "Source",
    "Speciation",
    "Spectrum",
    "SpinodalError",
    "StateBranch",
    "Status",
    "SweepStatus",
    "Threshold",
    "Thresholds",
    "TimeScales",
    "Training",
    "Trial",
    "Validation",
    "Valleys",
    "VectorHopfield",
    "VectorRandomFeatures",
    "Volume",
    "__version__",
    "agreement",
    "attractors",
    "barriers",
    "basin",
    "basins",
    "branch",
    "bulks",
    "by_barrier",
    "by_distance",
    "capacity",
    "census",
    "circle",
    "collapse",
    "collapse_loads",
    "condensation",
    "conformance",
    "counted_collapse_time",
    "critical_noise",
    "crossover_load",
    "curvatures",
    "denoised",
    "describe",
    "diagram",
    "divergence",
    "drawn_collapse_times",
    "energies",
    "ensemble",
    "equations",
    "equilibration",
    "equispaced_barrier",
    "exact_score",
    "exponent",
    "flow_back",
    "gaussian_constants",
    "gaussian_information",
    "generalise",
    "hessian",
    "hidden_manifold",
    "least_loss",
    "linear_manifold_information",
    "load",
    "load_network",
    "local_fields",
    "log_basin_volume",
    "losses",
    "manifold_information",
    "memories",
    "mixture_collapse",
    "models",
    "modulation",
    "nearest_distances",
    "noise_levels",
    "nonlinearity",
    "orders",
    "participation",
    "peaks",
    "phase_diagram",
    "phase_line",
    "probability_flow",
    "probe",
    "propose_thresholds",
    "read_data",
    "region",
    "register",
    "retrieval_loads",
    "reverse_sde",
    "rice_minima",
    "ring",
    "ring_energy",
    "ring_forms",
    "samples_needed",
    "save",
    "score_curvatures",
    "score_spectrum",
    "scores",
    "sign_information",
    "simulate",
    "simulate_score",
    "smallest_overlap",
    "softest",
    "softmax",
    "softmax_covariance",
    "solve",
    "speciation",
    "spectrum",
    "sweep",
    "sweep_status",
    "threshold",
    "tilted_overlap",
    "time_scales",
    "train",
    "validate",
    "valleys",
    "vp_score",
    "vp_sigma",
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
