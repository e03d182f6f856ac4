"""Records: results on disk that are whole or absent, with a checksum that notices damage."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from numerics.estimate import Measurement
from numerics.files import reserved
from theory.errors import InvalidInput

__all__ = ["Record", "read", "write"]

_FORMAT = 1


@dataclass(frozen=True)
class Record:
    """Measurements of one simulation, and what is needed to repeat it.

    Attributes
    ----------
    model : str
    parameters : dict
        Parameters of the model as asked for.
    N, P, D : int
        Spins, stored patterns, features (D = 0 without features).
    loads : dict
        Realised loads: alpha = P/N and, with features, alpha_d = D/N.  Comparisons use these.
    start : {'example', 'feature', 'mixture', 'unseen', 'random'}
    L : int or None
        Features (or patterns) in the start; None for an example, and for an unseen one with dense
        coefficients.
    coefficients : str or None
        None for patterns without features.
    L_train : int or None
        Active features per stored example; None unless coefficients are sparse.
    overlap : float
        Overlap of the initial state with the start configuration.
    seed, samples : int
    tie, order : str or None
        Rules of the quench, see :func:`numerics.dynamics.quench`; None at temperature > 0.
    backend : str
    retrieved_above : float
        A sample counts as retrieved when its final overlap exceeds this fraction of the initial one.
    redrawn_fraction : float or None
        Of all fresh patterns drawn for unseen starts, the fraction rejected because they are stored.
    measurements : dict of Measurement
        m, overlap, t, p_d, u2, energy, retrieved_fraction; at temperature 0 sweeps (and the period of synchronous
        updates, or for vectors converged, the fraction of samples that came to rest), at temperature > 0 q, q2, q_ea,
        acceptance (not of vectors) and equilibrated, the fraction of samples that are; what does not apply is absent.
    values : dict of list of float
        The same per sample.
    provenance : dict
        Versions, wall time in seconds, the rule for sigma(0) and the form of the couplings (`engine`).
    sampling : dict or None
        At temperature > 0, see :func:`numerics.sampling.summary`; None, and absent from the JSON form, at
        temperature 0.
    kind : str
    """

    model: str
    parameters: dict[str, Any]
    N: int
    P: int
    D: int
    loads: dict[str, float]
    start: str
    L: int | None
    coefficients: str | None
    L_train: int | None
    overlap: float
    seed: int
    samples: int
    tie: str | None
    order: str | None
    backend: str
    retrieved_above: float
    redrawn_fraction: float | None
    measurements: dict[str, Measurement]
    values: dict[str, list[float]] = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)
    sampling: dict[str, Any] | None = field(default=None, repr=False)
    kind: str = "simulation"

    @property
    def equilibrated(self) -> bool | None:
        """Whether all samples are equilibrated; None at temperature 0, where a run ends by itself."""
        return None if self.sampling is None else bool(self.sampling["equilibrated"])

    def __getitem__(self, name: str) -> Measurement:
        if name not in self.measurements:
            raise InvalidInput(f"'{name}' was not measured; the record has {', '.join(self.measurements)}.")
        return self.measurements[name]

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of JSON types, without NaN or infinity."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        data["measurements"] = {name: m.to_json() for name, m in self.measurements.items()}
        if self.sampling is None:
            del data["sampling"]
        return dict(_finite(data))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """Inverse of :meth:`to_json`.

        Raises
        ------
        InvalidInput
            If entries are missing or unknown.
        """
        names = {f.name for f in fields(cls)}
        if set(data) | {"sampling"} != names:
            odd = sorted(names.symmetric_difference({*data, "sampling"}))
            raise InvalidInput(f"this is no simulation record (wrong entries: {', '.join(odd)}); simulate again.")
        entries = dict(data)
        entries["measurements"] = {n: Measurement.from_json(m) for n, m in data["measurements"].items()}
        return cls(**entries)

    def save(self, path: str | Path) -> None:
        """Write the record to `path`; see :func:`write`."""
        write(path, self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> Record:
        """Read a record from `path`; see :func:`read`."""
        return cls.from_json(read(path))


def write(path: str | Path, data: Mapping[str, Any]) -> None:
    """Write a dictionary of JSON types with a checksum, atomically: readers see the old file or the whole new
    one.

    Raises
    ------
    InvalidInput
        If the folder does not exist or cannot be written.
    """
    body = _canonical(data)
    text = json.dumps({"format": _FORMAT, "sha256": _digest(body), "data": data}, indent=1, allow_nan=False)
    with reserved(path) as draft, draft.open("w", encoding="utf-8") as stream:
        stream.write(text + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def read(path: str | Path) -> dict[str, Any]:
    """Read a dictionary written by :func:`write`.

    Raises
    ------
    InvalidInput
        If the file is absent, truncated or altered.
    """
    target = Path(path)
    try:
        text = target.read_text(encoding="utf-8")
    except OSError as problem:
        raise InvalidInput(f"'{target}' cannot be read ({problem.strerror}); give an existing record.") from problem
    except UnicodeDecodeError as problem:
        raise InvalidInput(f"record '{target}' is damaged (not text); delete it and simulate again.") from problem
    try:
        envelope = json.loads(text)
        data, expected, version = envelope["data"], envelope["sha256"], envelope["format"]
    except (ValueError, KeyError, TypeError) as problem:
        raise InvalidInput(
            f"record '{target}' is damaged or no record (not the expected JSON); delete it and simulate again."
        ) from problem
    if version != _FORMAT:
        raise InvalidInput(f"record '{target}' has format {version}, this version reads {_FORMAT}; simulate again.")
    if not isinstance(data, dict) or _digest(_canonical(data)) != expected:
        raise InvalidInput(f"record '{target}' is damaged (checksum differs); delete it and simulate again.")
    return data


def _canonical(data: Mapping[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
