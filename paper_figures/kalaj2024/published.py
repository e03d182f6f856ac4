"""Points of arXiv:2407.05658, from the data files of the authors' repository."""

from __future__ import annotations

from paper_figures.published import Curve

__all__ = ["MIXTURES", "OVERLAPS"]

_ALPHA = (30.0, 13.0, 5.0, 2.0, 0.9, 0.4, 0.15, 0.065, 0.03, 0.01, 0.005, 0.002)
_ALPHA_D = {
    3: (
        *(0.02887301, 0.02759401, 0.02456101, 0.01946501, 0.01378601, 0.00835901),
        *(0.00385901, 0.00181901, 0.00087201, 0.00029701, 0.00015001, 6.001e-05),
    ),
    5: (
        *(0.015741, 0.015091, 0.013531, 0.010851, 0.00776201, 0.00474201),
        *(0.00219801, 0.00111101, 0.00049701, 0.00017001, 8.601e-05, 3.501e-05),
    ),
    7: (
        *(0.01076701, 0.01033901, 0.00930301, 0.00749301, 0.00538801, 0.00330301),
        *(0.00153401, 0.00072501, 0.00034801, 0.00011901, 6.001e-05, 2.401e-05),
    ),
    9: (
        *(0.00817401, 0.00785601, 0.00708101, 0.00571901, 0.00412301, 0.00253301),
        *(0.00117801, 0.00055701, 0.00026701, 9.101e-05, 4.601e-05, 1.901e-05),
    ),
}

# (alpha_d, alpha) by the number L of features; the scan is in alpha_d, and ten times coarser for L = 5 at alpha > 1.
MIXTURES = {
    L: Curve(
        f"arXiv:2407.05658, authors' repository, zero-temperature spinodal of mixtures of L = {L}",
        # The table for L = 5 has 0.07 where the others have 0.065.
        tuple(zip(values, (0.07 if L == 5 and a == 0.065 else a for a in _ALPHA), strict=True)),
        step=1e-6,
    )
    for L, values in _ALPHA_D.items()
}

_RUNS = "arXiv:2407.05658, authors' repository, output_sparse_gen_manyL.txt: N = 8000, alpha_d = 0.005, mean of 10 runs"
_LOADS = (0.01995, 0.03981, 0.07943, 0.1, 0.1259, 0.1585, 0.1995, 0.2512, 0.3162, 0.5012, 0.7943, 1.0)
_MEANS = {
    "feature": (0.3007, 0.6968, 0.9998, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "stored": (0.1787, 0.3244, 0.4992, 0.4499, 0.5996, 0.9473, 0.9981, 0.9997, 0.9999, 1.0, 1.0, 1.0),
    "unseen 3": (0.2074, 0.1799, 0.3538, 0.495, 0.5521, 0.8041, 0.9963, 0.9494, 0.9997, 1.0, 1.0, 1.0),
    "unseen 5": (0.0832, 0.1923, 0.3049, 0.2292, 0.3034, 0.2862, 0.4042, 0.5608, 0.614, 0.8163, 0.9997, 1.0),
    "unseen 7": (0.1535, 0.1417, 0.2123, 0.21, 0.2509, 0.1838, 0.2561, 0.2863, 0.2564, 0.5599, 0.8327, 0.933),
}

# (alpha, overlap of the final state with the start).
OVERLAPS = {name: Curve(_RUNS, tuple(zip(_LOADS, means, strict=True))) for name, means in _MEANS.items()}
