"""What a simulation will measure, known before it runs."""

from __future__ import annotations

from numerics.task import Task

__all__ = ["OBSERVABLES", "measured"]

# Everything that numerics.simulate.run_sample can return, and what it means.
OBSERVABLES = {
    "overlap": "overlap with the start configuration",
    "m": "order parameter of the start's state",
    "t": "overlap with the latent field of the example",
    "p_d": "power on the features",
    "u2": "power on the uncondensed examples",
    "energy": "energy per spin",
    "retrieved_fraction": "fraction of samples that stay at the start",
    "sweeps": "sweeps until no spin is unstable",
    "converged": "fraction of samples whose vectors have come to rest",
    "period": "period of the final state",
    "q": "overlap of replicas, in absolute value",
    "q2": "squared overlap of replicas",
    "q_ea": "Edwards-Anderson parameter",
    "acceptance": "fraction of accepted proposals",
    "equilibrated": "fraction of samples judged equilibrated",
    "redrawn": "unseen examples rejected because they are stored",
}


def measured(task: Task) -> set[str]:
    """Return the names of what every sample of a task will have.

    Examples
    --------
    >>> from numerics.task import task
    >>> from theory.models.hopfield import Hopfield
    >>> sorted(measured(task(Hopfield(alpha=0.1), 100)))
    ['energy', 'm', 'overlap', 'retrieved_fraction', 'sweeps', 'u2']
    """
    warm, named = task.temperature > 0.0, task.start != "random"
    stored = 1 if task.start == "example" else task.L or 0 if task.start == "mixture" and not task.D else 0
    # Couplings without a frame of their own, and features mixed by matrices, leave replicas free to turn.
    mixed = getattr(task.law, "mixing", "scalar") == "matrix" and task.start in ("feature", "mixture", "unseen")
    applies = {
        "overlap": named or not warm,
        "m": named or warm,
        "t": task.start == "example" and task.D > 0,
        "p_d": task.D > 0,
        "u2": task.P > stored,
        "energy": True,
        "retrieved_fraction": named,
        "sweeps": not warm,
        "converged": not warm and task.couplings is not None,
        "period": task.order == "synchronous" and task.couplings is None,
        "q": warm,
        "q2": warm,
        "q_ea": warm and task.couplings in (None, "tensor") and not mixed,
        "acceptance": warm and task.couplings is None,
        "equilibrated": warm,
        "redrawn": task.start == "unseen",
    }
    return {name for name, here in applies.items() if here}
