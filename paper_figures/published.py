"""Reference points typed from published data: a few values per curve, each curve with its source."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Curve"]


@dataclass(frozen=True)
class Curve:
    """Points of one published curve.

    Attributes
    ----------
    source : str
        Paper, and the file of the authors' repository.
    points : tuple of (float, float)
        (alpha_d, alpha) for lines, (alpha, overlap) for magnetisations.
    step : float or None
        Spacing of the scan that found the points: their resolution.
    """

    source: str
    points: tuple[tuple[float, float], ...]
    step: float | None = None

    @property
    def x(self) -> tuple[float, ...]:
        """First coordinates."""
        return tuple(p[0] for p in self.points)

    @property
    def y(self) -> tuple[float, ...]:
        """Second coordinates."""
        return tuple(p[1] for p in self.points)
