"""Points of arXiv:2303.16880, from the data files of the authors' repository."""

from __future__ import annotations

from paper_figures.published import Curve

__all__ = ["EXAMPLE_OVERLAP", "FEATURE_OVERLAP", "LEARNING", "STORAGE"]

# (alpha_d, alpha); these points solve the equations at t = 0.
STORAGE = Curve(
    "arXiv:2303.16880, authors' repository, alphac_pattern.txt",
    (
        (0.001, 0.013),
        (0.047, 0.0666),
        (0.092, 0.0822),
        (0.137, 0.0913),
        (0.227, 0.103),
        (0.407, 0.114),
        (0.73, 0.122),
        (1.18, 0.127),
        (2.08, 0.132),
        (4.34, 0.135),
        (7.94, 0.137),
        (30.0, 0.138),
    ),
    step=1e-3,  # in alpha
)

# (alpha_d, alpha); these points solve the equations with Delta_1 in place of Delta_1^2.
LEARNING = Curve(
    "arXiv:2303.16880, authors' repository, alphac_factor.txt",
    (
        (0.0013, 0.01),
        (0.0064, 0.056),
        (0.0108, 0.101),
        (0.0149, 0.147),
        (0.019, 0.196),
        (0.0257, 0.29),
        (0.0389, 0.5201),
        (0.0606, 1.1061),
        (0.0795, 2.0201),
        (0.0941, 3.298),
        (0.1078, 5.67),
        (0.12688, 19.0),
    ),
    step=1e-4,  # in alpha_d
)

_MAGNETISATIONS = "arXiv:2303.16880, authors' repository, magnetisations_aD0.01.txt: alpha_d = 0.01, N = 10000"
_ALPHA = (0.001, 0.01123, 0.03169, 0.05215, 0.07262, 0.08285, 0.09308, 0.1033, 0.1135, 0.1442, 0.2056, 0.3079)

# (alpha, overlap), one simulation run a point.
EXAMPLE_OVERLAP = Curve(
    _MAGNETISATIONS,
    tuple(
        zip(
            _ALPHA,
            (1.0, 0.0676, 0.093, 0.0304, 0.0884, 0.1902, 0.0548, 0.1532, 0.1084, 0.1636, 0.1706, 0.1016),
            strict=True,
        )
    ),
)
FEATURE_OVERLAP = Curve(
    _MAGNETISATIONS,
    tuple(
        zip(
            _ALPHA,
            (0.1078, 0.0778, 0.0502, 0.0976, 0.1876, 0.9756, 0.9844, 0.18, 0.9406, 0.9958, 0.9988, 1.0),
            strict=True,
        )
    ),
)
