r"""The passage from memorising to generalising along the number of training points: all trials of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from numerics.diffusion.generalisation import SCORES, Generalisation, Trial
from numerics.diffusion.neural import Training, require_torch
from numerics.diffusion.training_sets import default_loads, describe
from numerics.files import folder
from numerics.store import Store
from theory.errors import InvalidInput, whole_number

__all__ = ["fulfil", "generalise", "planned", "recorded"]

Progress = Callable[[str, int, int], None]


def planned(
    data: str,
    K: Sequence[int] | None = None,
    *,
    scores: Sequence[str] = SCORES,
    repeats: int = 1,
    seed: int = 0,
    key: str | None = None,
    sigma: float | None = None,
    samples: int = 256,
    probes: int = 16,
    delta_m: float | None = None,
    delta_s: float | None = None,
    training: Training | None = None,
) -> list[Trial]:
    """Trials of a run, every one checked: `repeats` training sets of every size, and every score of each.

    Parameters are those of `generalise`.

    Raises
    ------
    InvalidInput
        For data, numbers or thresholds that no trial can have.

    Examples
    --------
    >>> [(t.K, t.score) for t in planned("circle", [2, 9], scores=["exact"])]
    [(2, 'exact'), (9, 'exact')]
    """
    if not scores:
        raise InvalidInput("no score is left to sample from; give 'exact', 'network' or both.")
    source = describe(data, key=key)
    trials = [
        Trial(
            source, k, score, sigma=sigma, seed=whole_number("seed", seed, 0, 2**62) + r, samples=samples,
            probes=probes, delta_m=delta_m, delta_s=delta_s, training=training or Training(),
        )
        for k in sorted(set(K or default_loads(source)))
        for score in dict.fromkeys(scores)  # places that are counted twice would halve variances
        for r in range(whole_number("repeats", repeats, 1, 10**4))
    ]  # fmt: skip
    if delta_m is not None or delta_s is not None:  # what the largest set refuses is found before the first is trained
        for trial in trials:
            trial.thresholds()
    return trials


def generalise(
    data: str,
    K: Sequence[int] | None = None,
    *,
    scores: Sequence[str] = SCORES,
    repeats: int = 1,
    seed: int = 0,
    key: str | None = None,
    sigma: float | None = None,
    samples: int = 256,
    probes: int = 16,
    delta_m: float | None = None,
    delta_s: float | None = None,
    training: Training | None = None,
    place: Path | str | None = None,
    progress: Progress | None = None,
) -> list[Generalisation]:
    """What scores that know K training points generate, for every K.

    Parameters
    ----------
    data : str
        circle, digits, or a file of points (.npy, .npz, .csv).
    K : sequence of int or None
        None: 2, 6, 18, ... all.
    scores : sequence of {'exact', 'network'}
    repeats : int
        Training sets per K, with seeds one after another.
    seed : int
        First seed.
    key : str or None
        Array of a .npz file.
    sigma : float or None
        Noise at which samples end; None: 0.05 of the data's extent.
    samples : int
        Samples per trial, at least.
    probes : int
        Samples of each class whose critical noise, basin volume and curvature are measured.
    delta_m, delta_s : float or None
        Distances within which a sample is memorised, or repeats another; None: from the data.
    training : Training or None
    place : path or None
        Folder of records and networks, where a run that was stopped goes on; None: nothing is kept.
    progress : callable or None

    Returns
    -------
    list of Generalisation
        In the order of K, score and seed.

    Raises
    ------
    InvalidInput
        For data, numbers or thresholds that no trial can have.
    MissingExtra
        If networks are to be trained, without PyTorch.

    Examples
    --------
    >>> few, many = generalise("circle", [2, 200], scores=["exact"], sigma=0.2, samples=64)
    >>> few["memorised"].value, many["generalised"].value > 0.8
    (1.0, True)
    """
    trials = planned(
        data, K, scores=scores, repeats=repeats, seed=seed, key=key, sigma=sigma, samples=samples, probes=probes,
        delta_m=delta_m, delta_s=delta_s, training=training,
    )  # fmt: skip
    if place is not None:
        return fulfil(trials, Path(place), progress=progress)
    _torch_for(trials)
    return [trial.run(progress=_told(progress, trial, k, len(trials))) for k, trial in enumerate(trials)]


def recorded(trials: Sequence[Trial], place: Path) -> list[Generalisation | None]:
    """Records of the trials that a folder holds, None for the others."""
    store = Store(place / "records")

    def known(trial: Trial) -> Generalisation | None:
        data = store.load(trial.key)
        try:
            record = None if data is None else Generalisation.from_json(data)
        except (InvalidInput, KeyError, TypeError):  # whole, but something else
            return None
        return record if record is not None and trial.matches(record) else None

    return [known(trial) for trial in trials]


def fulfil(trials: Sequence[Trial], place: Path, *, progress: Progress | None = None) -> list[Generalisation]:
    """Records of all trials: those in a folder, and the missing ones one by one; runs may share the folder.

    Parameters
    ----------
    trials : sequence of Trial
    place : Path
        Made if need be; every record is there as soon as it is made, and networks every ten seconds.
    progress : callable or None

    Raises
    ------
    InvalidInput
        If the folder cannot be written to.
    MissingExtra
        If networks are to be trained, without PyTorch.
    """
    found = recorded(trials, place)
    if None in found:
        _torch_for([trial for trial, record in zip(trials, found, strict=True) if record is None])
        store, networks = Store(place / "records"), folder(place / "networks")
        for kept in (store, Store(networks)):
            kept.tidy()
    while missing := [k for k, record in enumerate(found) if record is None]:
        for k in missing:
            trial = trials[k]
            with store.claimed(trial.key) as mine:
                (record,) = recorded([trial], place)
                if record is None and mine:
                    checkpoint = networks / f"{trial.key}.npz" if trial.score == "network" else None
                    record = trial.run(checkpoint=checkpoint, progress=_told(progress, trial, k, len(trials)))
                    store.save(trial.key, record.to_json())
            found[k] = record
        busy = sum(record is None for record in found)
        if busy:  # other runs are at the rest
            if progress is not None:
                progress(f"waiting for another run, {busy} trials", len(trials) - busy, len(trials))
            time.sleep(0.5)
    return [record for record in found if record is not None]


def _torch_for(trials: Sequence[Trial]) -> None:
    """Find out now, not after minutes of other trials, whether networks can be trained."""
    if any(trial.score == "network" for trial in trials):
        require_torch()


def _told(progress: Progress | None, trial: Trial, k: int, count: int) -> Progress | None:
    if progress is None:
        return None
    return lambda label, done, total: progress(f"{trial.start} ({k + 1} of {count}): {label}", done, total)
