"""One simulation, validated before any work: what a sample depends on besides its index."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

from numerics import vector_task
from numerics.arguments import check_count, check_model, refuse
from numerics.backends import backend_named
from numerics.chains import LOWEST
from numerics.disorder import Law
from numerics.dynamics import ORDERS, TIES, chosen
from numerics.engine_choice import available_memory, quickest
from numerics.interactions import ENGINES
from numerics.vector_disorder import VectorLaw
from numerics.vector_interactions import ENGINES as VECTOR_ENGINES
from theory.ensembles import IidPatterns, IsotropicPatterns, RandomFeaturePatterns, VectorRandomFeaturePatterns
from theory.errors import InvalidInput

__all__ = ["ALGORITHMS", "STARTS", "Task", "task"]

STARTS = ("example", "feature", "mixture", "unseen", "random")
ALGORITHMS = ("metropolis", "heat-bath", "tempering")
REPLICAS, SWEEPS = 4, 2000  # at T > 0, unless said otherwise


@dataclass(frozen=True)
class Task:
    """A validated simulation; :func:`numerics.simulate.run_sample` runs one sample of it.

    Attributes
    ----------
    law : IidPatterns, RandomFeaturePatterns, IsotropicPatterns or VectorRandomFeaturePatterns
    N, P, D : int
    start : str
    L : int or None
    overlap : float
    seed : int
    retrieved_above : float
    tie, order : str or None
        Rules of the quench; None at T > 0.
    engine, backend : str
    temperature : float
    algorithm : str or None
    sweeps, replicas : int or None
        None at T = 0.
    threads : int
        Threads inside one sample.
    couplings : str or None
        Kind of the couplings of vector spins (tensor, scalar, phasor), of which `temperature` is tau = d T; None for
        Ising spins.
    """

    law: Law | VectorLaw
    N: int
    P: int
    D: int
    start: str
    L: int | None
    overlap: float
    seed: int
    retrieved_above: float
    tie: str | None
    order: str | None
    engine: str
    backend: str
    temperature: float
    algorithm: str | None
    sweeps: int | None
    replicas: int | None
    threads: int
    couplings: str | None = None


def task(
    model: Any,
    N: int,
    *,
    start: str = "example",
    L: int | None = None,
    coefficients: str | None = None,
    L_train: int | None = None,
    overlap: float = 1.0,
    seed: int = 0,
    retrieved_above: float = 0.8,
    engine: str = "auto",
    backend: str = "cpu",
    tie: str | None = None,
    order: str | None = None,
    algorithm: str | None = None,
    sweeps: int | None = None,
    replicas: int | None = None,
    threads: int = 1,
) -> Task:
    """Validate the arguments of :func:`numerics.simulate.simulate`, without drawing anything.

    Raises
    ------
    InvalidInput
        For values out of range, options that make no sense together, and runs that do not fit into memory.
    MissingExtra
        If the backend 'gpu' has no CuPy or no device.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> plan = task(Hopfield(alpha=0.1, temperature=0.5), 1000, start="random")
    >>> plan.P, plan.algorithm, plan.replicas
    (100, 'metropolis', 4)
    """
    check_model(model)
    check_count("N", N, 2)
    check_count("threads", threads, 1)
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
        raise InvalidInput(f"seed = {seed!r} is not an integer; give any integer, for example 0.")
    temperature = _temperature(model)
    law, kind = _law(model, coefficients, L_train), getattr(model, "couplings", None)
    features = isinstance(law, RandomFeaturePatterns | VectorRandomFeaturePatterns)
    P = _size("alpha", model, N, "P", "stored patterns")
    D = _size("alpha_d", model, N, "D", "features") if features else 0
    chosen(start, STARTS, "start")
    if start == "feature" and not features:
        raise InvalidInput(
            f"start 'feature' needs a model with features, which {model.name} has not; start from an example."
        )
    if not (isinstance(overlap, numbers.Real) and 0.0 <= overlap <= 1.0):
        raise InvalidInput(f"overlap = {overlap} is not allowed; give 0 <= overlap <= 1 (1 starts undisturbed).")
    if start == "random" and overlap != 1.0:
        raise InvalidInput(
            f"overlap = {float(overlap):g} is given for the start 'random', which is a random configuration already; "
            "leave overlap out, or start from an example."
        )
    if not (isinstance(retrieved_above, numbers.Real) and 0.0 < retrieved_above < 1.0):
        raise InvalidInput(f"retrieved_above = {retrieved_above} is not allowed; give 0 < retrieved_above < 1.")
    given: dict[str, Any] = {"tie": tie, "order": order, "algorithm": algorithm, "sweeps": sweeps, "replicas": replicas}
    if isinstance(law, IsotropicPatterns | VectorRandomFeaturePatterns):
        assert kind is not None
        vector_task.check_words(engine, backend)
        rules = vector_task.rules(temperature, d=law.d, **given)
        vector_task.check_memory(N, P, D, law.d, kind=kind, engine=engine)
    else:
        rules = _rules(temperature, **given)
        _check_engine(law, engine)
        _check_memory(N, P, D, law, engine)
        backend_named(backend)
    return Task(
        law=law,
        N=int(N),
        P=P,
        D=D,
        start=start,
        L=_members(start, L, law, P, D),
        overlap=float(overlap),
        seed=int(seed),
        retrieved_above=float(retrieved_above),
        engine=engine,
        backend=backend,
        temperature=temperature,
        threads=int(threads),
        couplings=kind,
        **rules,
    )


def _check_engine(law: Law, engine: str) -> None:
    if engine in VECTOR_ENGINES:
        raise InvalidInput(
            f"engine '{engine}' is one of vector spins; Ising spins have {', '.join(ENGINES)} (or leave the choice to "
            "'auto')."
        )
    chosen(engine, ("auto", *ENGINES), "engine")
    if not _signs(law) and engine not in ("auto", "dense-float64"):
        raise InvalidInput(
            f"engine '{engine}' needs +-1 patterns, which these are not; use 'dense-float64' (or 'auto')."
        )


def _law(model: Any, coefficients: str | None, L_train: int | None) -> Law | VectorLaw:
    """Return the law of the examples; what it does not have is refused rather than ignored."""
    if L_train is not None:
        check_count("L_train", L_train, 1)
    law: Law | VectorLaw = model.pattern_law(
        coefficients="gaussian" if coefficients is None else coefficients,
        L_train=3 if L_train is None else int(L_train),
    )
    if not isinstance(law, RandomFeaturePatterns | VectorRandomFeaturePatterns):
        refuse(
            {"coefficients": coefficients, "L_train": L_train},
            f"belongs to examples made of features, which {model.name} has not; leave {{name}} out.",
        )
    elif law.coefficients != "sparse":
        refuse(
            {"L_train": L_train},
            f"belongs to sparse coefficients, and these are {law.coefficients}; leave {{name}} out, or give "
            "coefficients 'sparse'.",
        )
    return law


def _temperature(model: Any) -> float:
    value = getattr(model, "temperature", 0.0)
    number = float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
    if not 0.0 <= number < math.inf:
        raise InvalidInput(
            f"temperature = {value} is not simulated; give 0 <= temperature < infinity (0 runs the quench)."
        )
    if 0.0 < number < LOWEST:
        raise InvalidInput(
            f"temperature = {value} is too small for double precision; give {LOWEST:g} or more, or 0 for the quench."
        )
    return number


def _rules(
    temperature: float,
    *,
    tie: str | None,
    order: str | None,
    algorithm: str | None,
    sweeps: int | None,
    replicas: int | None,
) -> dict[str, Any]:
    """Choose the rules of the dynamics, refusing those that belong to the other side of T = 0."""
    if temperature == 0.0:
        refuse(
            {"algorithm": algorithm, "sweeps": sweeps, "replicas": replicas},
            "belongs to the sampling at temperature > 0, while a quench at temperature 0 ends by itself; "
            "leave {name} out or give a temperature.",
        )
        order = chosen(order or "random", ORDERS, "order")
        return {
            "tie": chosen(tie or "keep", TIES, "tie rule"),
            "order": order,
            "algorithm": None,
            "sweeps": None,
            "replicas": None,
        }
    refuse(
        {"tie": tie, "order": order},
        "belongs to the quench at temperature 0, while sampling at temperature > 0 visits sites in their "
        "sequence and decides by chance; leave {name} out.",
    )
    replicas = REPLICAS if replicas is None else replicas
    sweeps = SWEEPS if sweeps is None else sweeps
    check_count("replicas", replicas, 2)
    check_count("sweeps", sweeps, 16)
    if algorithm == "heat-bath+over-relaxation":
        raise InvalidInput(
            f"algorithm '{algorithm}' turns vectors, which Ising spins are not; choose one of {', '.join(ALGORITHMS)}."
        )
    algorithm = chosen(algorithm or "metropolis", ALGORITHMS, "algorithm")
    return {
        "tie": None,
        "order": None,
        "algorithm": algorithm,
        "sweeps": int(sweeps),
        "replicas": int(replicas),
    }


def _members(start: str, L: int | None, law: Law | VectorLaw, P: int, D: int) -> int | None:
    """Validate L for this start and return the number of members or active features, None where it has none."""
    if L is not None and start != "mixture":
        check_count("L", L, 1)
        L = int(L)
    made = law if isinstance(law, RandomFeaturePatterns | VectorRandomFeaturePatterns) else None
    sparse = made if made is not None and made.coefficients == "sparse" else None
    if sparse and sparse.L_train > D:
        raise InvalidInput(f"L_train = {sparse.L_train} active features are more than D = {D}; raise alpha_d or N.")
    if start == "mixture":
        L = 3 if L is None else L
        signs = getattr(law, "d", 1) == 1
        whole = isinstance(L, numbers.Integral) and not isinstance(L, bool)
        if not whole or L < 2 or (signs and L % 2 == 0):
            needs = "an odd L >= 3 (an even sum vanishes on some sites)" if signs else "an integer L >= 2"
            raise InvalidInput(f"L = {L!r} is not allowed; a mixture needs {needs}.")
        L = int(L)
        count, kind = (D, "D features") if D else (P, "P stored patterns")
        if count < L:
            raise InvalidInput(f"L = {L} is more than the {count} {kind}; lower L, or raise N or the load.")
        return L
    if start == "unseen" and sparse:
        active = sparse.L_train if L is None else L
        if active > D:
            raise InvalidInput(f"L = {active} active features are more than D = {D}; lower L, or raise alpha_d.")
        return active
    if L is not None and L != 1:
        raise InvalidInput(
            f"L = {L} is given for the start '{start}', which has no L features; leave L out, or start from a "
            "mixture (or an unseen example with sparse coefficients)."
        )
    return 1 if start == "feature" else None


def _size(name: str, model: Any, N: int, symbol: str, what: str) -> int:
    option, asked = "--" + name.replace("_", "-"), getattr(model, name, None)
    if asked is None:
        raise InvalidInput(
            f"{name} is missing; the simulation needs the load {name} = {symbol}/N: give {option} or {name}=..."
        )
    if not (math.isfinite(asked) and asked > 0):
        raise InvalidInput(f"{name} = {asked} is not allowed; give 0 < {name} < infinity ({symbol} = {name} N {what}).")
    load = float(getattr(model.per_site() if hasattr(model, "per_site") else model, name))
    count = round(load * N)
    if count < 1:
        read = "" if load == asked else f" (the effective load {asked:g} as {symbol}/N)"
        raise InvalidInput(
            f"{symbol} = round({name} N) = {count} {what} at {name} = {load:g}{read}, N = {N}; at least 1 is needed, "
            f"so raise N to {math.floor(0.5 / load) + 1} or more, or raise {name}."
        )
    return count


def _signs(law: Law) -> bool:
    return isinstance(law, IidPatterns) or law.nonlinearity.binary


_BYTES = {"dense-int8": 1, "dense-int16": 2, "dense-int32": 4, "dense-float32": 4, "dense-float64": 8}


def _check_memory(N: int, P: int, D: int, law: Law, engine: str) -> None:
    """Refuse a run whose sample and couplings do not fit, in the leanest form where the form is free."""
    signs = _signs(law)
    bits = float(N) * P / 8
    sizes: dict[str, float] = {name: width * float(N) * N + bits for name, width in _BYTES.items()}
    sizes |= {"overlap-bits": bits, "overlap-int8": float(N) * P, "dense-float64": 8.0 * N * N}
    leanest = "overlap-bits" if signs else "dense-float64"
    need = sizes[leanest if engine == "auto" else engine] + (bits if signs else 4.0 * P * N) + float(N) * D
    have = available_memory()
    if need > have:
        form = "" if engine == "auto" else f" in the engine '{engine}'"
        remedy = "lower N or the load" + ("" if engine == "auto" else ", or leave the engine to the program")
        raise InvalidInput(
            f"N = {N} with P = {P} needs {need / 1e9:.1f} GB of memory{form} and this machine has "
            f"{have / 1e9:.1f} GB; {remedy}."
        )
    if signs and engine == "auto":
        quickest(N, P, work="quench", starts=1)  # which refuses what leaves no room for anything else
