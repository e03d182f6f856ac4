"""What the task of a vector model allows, where it differs from that of Ising spins."""

from __future__ import annotations

from typing import Any

from numerics.alignment import BACKENDS, ORDERS
from numerics.arguments import check_count, refuse
from numerics.dynamics import chosen
from numerics.engine_choice import available_memory
from numerics.interactions import ENGINES as ISING_ENGINES
from numerics.vector_chains import VECTOR_ALGORITHMS
from numerics.vector_interactions import ENGINES
from theory.errors import InvalidInput

__all__ = ["check_memory", "check_words", "rules"]

REPLICAS, SWEEPS = 4, 2000  # at T > 0, unless said otherwise


def check_words(engine: str, backend: str) -> None:
    """Refuse forms of the couplings and backends that vector spins have not.

    Raises
    ------
    InvalidInput
        The sentence says which there are.
    """
    if engine in ISING_ENGINES:
        raise InvalidInput(
            f"engine '{engine}' is one of Ising spins; vector spins have {' and '.join(ENGINES)} (or leave the choice "
            "to 'auto')."
        )
    chosen(engine, ("auto", *ENGINES), "engine")
    if backend == "gpu":
        raise InvalidInput("backend 'gpu' has no vector spins; use 'cpu' (or 'reference', slow and simple).")
    chosen(backend, BACKENDS, "backend")


def rules(
    temperature: float,
    *,
    d: int,
    tie: str | None,
    order: str | None,
    algorithm: str | None,
    sweeps: int | None,
    replicas: int | None,
) -> dict[str, Any]:
    """Choose the rules of the dynamics, refusing those of Ising spins and of the other side of T = 0.

    Raises
    ------
    InvalidInput
    """
    refuse({"tie": tie}, "is a rule for Ising spins, while a vector in no field stays as it is; leave {name} out.")
    if temperature == 0.0:
        refuse(
            {"algorithm": algorithm, "sweeps": sweeps, "replicas": replicas},
            "belongs to the sampling at temperature > 0, while spins at temperature 0 turn into their fields until "
            "none moves; leave {name} out or give a temperature.",
        )
        if order == "greedy":
            raise InvalidInput(
                f"order 'greedy' is one of Ising spins; vector spins are visited in the order {', '.join(ORDERS)}."
            )
        order = chosen(order or "random", ORDERS, "order")
        return {"tie": None, "order": order, "algorithm": None, "sweeps": None, "replicas": None}
    refuse(
        {"order": order},
        "belongs to temperature 0, while sampling at temperature > 0 visits sites in their sequence; leave {name} out.",
    )
    algorithms = VECTOR_ALGORITHMS if d > 1 else ("heat-bath",)
    if d == 1 and algorithm == "heat-bath+over-relaxation":
        raise InvalidInput(
            f"algorithm '{algorithm}' reflects vectors about their fields, which leaves spins of d = 1 as they are; "
            "use 'heat-bath'."
        )
    if algorithm in ("metropolis", "tempering"):
        raise InvalidInput(
            f"algorithm '{algorithm}' is one of Ising spins; vector spins of d = {d} are sampled by "
            f"{' or '.join(algorithms)}."
        )
    replicas = REPLICAS if replicas is None else replicas
    sweeps = SWEEPS if sweeps is None else sweeps
    check_count("replicas", replicas, 2)
    check_count("sweeps", sweeps, 16)
    algorithm = chosen(algorithm or "heat-bath", algorithms, "algorithm")
    return {
        "tie": None,
        "order": None,
        "algorithm": algorithm,
        "sweeps": int(sweeps),
        "replicas": int(replicas),
    }


def check_memory(N: int, P: int, D: int, d: int, *, kind: str, engine: str) -> None:
    """Refuse a run whose sample and couplings do not fit.

    Raises
    ------
    InvalidInput
        With the bytes it would take.
    """
    sample = 4.0 * d * N * (P + D)
    couplings = {
        "overlap": 4.0 * d * N * P * (2 if kind == "phasor" else 1),
        "dense": 4.0 * float(N) * N * {"tensor": d * d, "scalar": 1, "phasor": 2}[kind],
    }
    need = sample + (min(couplings.values()) if engine == "auto" else couplings[engine])
    have = available_memory()
    if need > have:
        form = "" if engine == "auto" else f" in the engine '{engine}'"
        remedy = "lower N or the load" + ("" if engine == "auto" else ", or leave the engine to the program")
        raise InvalidInput(
            f"N = {N}, d = {d} with P = {P} needs {need / 1e9:.1f} GB of memory{form} and this machine has "
            f"{have / 1e9:.1f} GB; {remedy}."
        )
