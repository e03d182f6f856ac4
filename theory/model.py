"""What a model file declares, and how the toolkit finds it.

A model is one frozen dataclass in one file.  It declares its parameters, its states and, for every state, the
replica free energy as one SymPy expression; saddle-point equations, Jacobians, folds, stability, command-line
options and the conformance tests follow from that.  Built-in models are found by being in `theory/models`.
"""

from __future__ import annotations

import importlib
import importlib.util
import numbers
import sys
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

from theory.errors import InvalidInput, nearest
from theory.parameters import Parameter

if TYPE_CHECKING:
    from theory.ensembles import (
        IidPatterns,
        IsotropicPatterns,
        RandomFeaturePatterns,
        VectorRandomFeaturePatterns,
    )
    from theory.equations import FreeEnergy
    from theory.spectra import Spectrum

__all__ = [
    "LINES",
    "STATES",
    "Limit",
    "Model",
    "Parameter",
    "checked",
    "from_path",
    "model_named",
    "model_names",
    "models",
    "normalise",
    "register",
]

STATES = ("paramagnet", "spin_glass", "example", "feature", "mixture")
LARGEST_MIXTURE = 99
LINES = ("spinodal", "thermodynamic", "at", "continuous")


@dataclass(frozen=True)
class Limit:
    """A limit in which one model must become another; the conformance suite solves both sides.

    Attributes
    ----------
    claim : str
        The limit in words.
    here, there : Model
        Parameter points on the two sides; `here` is deep in the limit.
    state, other_state : str
    same : tuple of str
        Order parameters (or 'free_energy') that must agree.
    tolerance : float
        Size of the leading correction at `here`.
    """

    claim: str
    here: Any
    state: str
    there: Any
    other_state: str
    same: tuple[str, ...]
    tolerance: float


@runtime_checkable
class Model(Protocol):
    """What the solvers, the command line and the conformance checks ask of a model.

    A model file inherits from this class and writes what has no default: the declarations, `free_energy` and `start`.
    Every symbol of its expressions is a plain ``sympy.Symbol`` (no assumptions) with the name of a parameter, of an
    order parameter in `FreeEnergy.pairs`, or of a constant.  One parameter is called `temperature`.  Numbers on which
    the expressions themselves depend, such as the number of components of a spin, are declared as `structural`: they
    are fields and options too, but nothing is solved for them.  Fields that are words or switches become options as
    well; `option_help` has a line for each, by name.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    states: ClassVar[tuple[str, ...]]
    parameters: ClassVar[tuple[Parameter, ...]]
    option_help: ClassVar[Mapping[str, str]] = {}
    structural: ClassVar[tuple[Parameter, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for p in self.structural:
            value = getattr(self, p.name)
            if value is None:
                raise InvalidInput(f"{p.name} is missing; {self.name} needs it ({p.help}): give {p.name}=...")
            p.check(value)
            object.__setattr__(self, p.name, int(value) if p.whole else float(value))
        for p in self.parameters:
            p.check(getattr(self, p.name))
            if getattr(self, p.name) == 0.0:  # minus zero would be echoed as such
                object.__setattr__(self, p.name, 0.0)

    def free_energy(self, state: str, L: int) -> FreeEnergy:
        """Replica-symmetric free energy per spin at T > 0."""
        ...

    def start(self, state: str, L: int) -> Mapping[str, float]:
        """A starting point: the order parameters of the undisturbed state at this model's parameters."""
        ...

    def ground_state_energy(self, state: str, L: int) -> FreeEnergy:
        """Its T -> 0 limit, as its own expression in the scaled variables; by default T = 0 is refused."""
        raise InvalidInput(
            f"temperature = 0 is not allowed; {self.name} declares no ground-state energy, so give temperature > 0."
        )

    def structure(self) -> Hashable:
        """What distinguishes two instances whose expressions differ; compiled equations are shared below it.

        By default the fields that are no parameters.
        """
        numbers = {p.name for p in self.parameters}
        declared: tuple[Field[Any], ...] = fields(self) if is_dataclass(self) else ()
        return (self.name, *(getattr(self, field.name) for field in declared if field.name not in numbers))

    def constants(self) -> Mapping[str, Any]:
        """Exact values (SymPy numbers or floats) of symbols that are not parameters; by default there are none."""
        return {}

    def temperature_unit(self) -> float:
        """The temperature scale on which the states live, for choosing where to look first; by default 1."""
        return 1.0

    def load_unit(self) -> float:
        """The scale of the loads of interest, for choosing the plane of a diagram; by default 1."""
        return 1.0

    @property
    def even_mixtures(self) -> bool:
        """Whether mixtures of an even number of features make sense; not for Ising spins, whose sums can vanish."""
        return False

    def convention(self) -> str:
        """How its loads and temperature are read, where that can be mistaken; told when a state is not there."""
        return ""

    def derived(self) -> Mapping[str, Any]:
        """Further numbers and remarks to report with every result, such as rescaled loads; by default none."""
        return {}

    def first_step(self, m0: float) -> Mapping[str, float]:
        """One synchronous step at T = 0 from overlap m0: ``m1`` and the loads at which it improves the overlap."""
        raise InvalidInput(_lacks(self, "closed form of a synchronous step", "first_step"))

    def spectrum(self, state: str, *, points: int) -> Spectrum:
        """Density of eigenvalues of the model's matrix in a state, on about so many points (`theory.spectra`)."""
        raise InvalidInput(_lacks(self, "spectrum", "spectrum"))

    def exists_towards(self, state: str) -> Mapping[str, str]:
        """For each parameter, the end ('low' or 'high') of its range at which the state survives.

        By default the low end, except for the temperature of a paramagnet.
        """
        hot = "high" if state == "paramagnet" else "low"
        return {p.name: hot if p.name == "temperature" else "low" for p in self.parameters}

    def spinodal_start(self, state: str, L: int, vary: str) -> Mapping[str, float] | None:
        """Order parameters and the value of `vary` near the spinodal, where a closed form gives them."""
        return None

    def limits(self) -> Sequence[Limit]:
        """Limits in which the model is known; by default none."""
        return ()

    @property
    def couplings(self) -> str | None:
        """Kind of the Hebbian couplings of vector spins: tensor, scalar or phasor; None for Ising spins."""
        return None

    def per_site(self) -> Any:
        """The same point with the loads read as P/N and D/N; a model that reads them otherwise converts."""
        return self

    def pattern_law(
        self, *, coefficients: str = "gaussian", L_train: int = 3
    ) -> IidPatterns | RandomFeaturePatterns | IsotropicPatterns | VectorRandomFeaturePatterns:
        """The law of the stored patterns, for simulations of Hebbian couplings; by default there is none."""
        raise InvalidInput(
            f"{self.name} declares no law of patterns and so cannot be simulated; define pattern_law in its class."
        )


_REGISTRY: dict[str, type[Any]] = {}
M = TypeVar("M", bound=type[Any])


def register(cls: M) -> M:
    """Class decorator: make a model known under its `name`.

    Raises
    ------
    InvalidInput
        If a required declaration is missing, or another class, or a built-in model, already has the name.
    """
    needed = ("name", "summary", "states", "parameters", "free_energy", "start")
    missing = [a for a in needed if getattr(cls, a, None) in (None, getattr(Model, a, None))]
    if missing:
        raise InvalidInput(f"model class '{cls.__name__}' does not declare {', '.join(missing)}; add it to the class.")
    declared = getattr(cls, "__dataclass_fields__", {})
    absent = [p.name for p in cls.parameters if p.name not in declared]
    if absent:
        raise InvalidInput(
            f"model class '{cls.__name__}' declares the parameter '{absent[0]}' but has no such field; add the line "
            f"'{absent[0]}: float | None = None' to the class, and @dataclass(frozen=True) above it."
        )
    known = _REGISTRY.get(cls.name)
    home = f"theory.models.{cls.name.replace('-', '_')}"
    built_in = cls.name in model_names() and cls.__module__ != home
    if built_in or (known is not None and known.__qualname__ != cls.__qualname__):
        owner = home if built_in or known is None else known.__qualname__
        raise InvalidInput(f"the model name '{cls.name}' is taken by {owner}; choose another name.")
    _REGISTRY[cls.name] = cls
    return cls


def _lacks(model: Model, what: str, method: str) -> str:
    """Sentence on what a model has not, with the models that have it."""
    default = getattr(Model, method)
    having = [name for name, cls in models().items() if getattr(cls, method, default) is not default]
    these = f"{' and '.join(having)} {'has' if len(having) == 1 else 'have'} one"
    return f"{model.name} has no {what}; {these} (a model of your own: define {method} in its class)."


def model_names() -> list[str]:
    """Names of the built-in models, without importing them.

    Examples
    --------
    >>> "hopfield" in model_names()
    True
    """
    folder = Path(__file__).with_name("models")
    return sorted(p.stem.replace("_", "-") for p in folder.glob("*.py") if not p.stem.startswith("_"))


def models() -> dict[str, type[Any]]:
    """All registered models by name: built-in ones, entry points `spinodal.models`, and those registered by hand.

    Examples
    --------
    >>> "random-features" in models()
    True
    """
    from importlib.metadata import entry_points

    for name in model_names():
        importlib.import_module(f"theory.models.{name.replace('-', '_')}")
    for point in entry_points(group="spinodal.models"):
        register(point.load())
    return dict(sorted(_REGISTRY.items()))


def model_named(name: str) -> type[Any]:
    """Return the model class called `name`, or the one at ``path/to/file.py:Class``.

    Raises
    ------
    InvalidInput
        If no model has the name; the message gives the nearest one.
    """
    if ".py:" in name:
        return from_path(name)
    wanted = name.replace("_", "-")
    if wanted in _REGISTRY:
        return _REGISTRY[wanted]
    if wanted in model_names():
        importlib.import_module(f"theory.models.{wanted.replace('-', '_')}")
        return _REGISTRY[wanted]
    known = models()
    if wanted in known:
        return known[wanted]
    close = nearest(wanted, known)
    hint = f"did you mean '{close}'?" if close else "or give a file as ./mymodel.py:MyModel."
    raise InvalidInput(f"model '{name}' is unknown; the models are {', '.join(known)}; {hint}")


def from_path(spec: str) -> type[Any]:
    """Load and register a user's model from ``path/to/file.py:ClassName``.

    Raises
    ------
    InvalidInput
        If the file or the class is missing, or the file fails to import.
    """
    path_text, _, class_name = spec.rpartition(":")
    path = Path(path_text).expanduser()
    if not path.is_file():
        raise InvalidInput(f"model file '{path_text}' does not exist; give it as path/to/file.py:ClassName.")
    module_spec = importlib.util.spec_from_file_location(f"spinodal_user_{path.stem}", path.resolve())
    if module_spec is None or module_spec.loader is None:
        raise InvalidInput(f"model file '{path_text}' is not a Python file; give it as path/to/file.py:ClassName.")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    try:
        module_spec.loader.exec_module(module)
    except InvalidInput:
        raise
    except Exception as problem:
        reason = f"{type(problem).__name__}: {problem}"
        raise InvalidInput(f"model file '{path_text}' fails to import: {reason}.") from problem
    cls = getattr(module, class_name, None)
    if not isinstance(cls, type):
        classes = [k for k, v in vars(module).items() if isinstance(v, type) and hasattr(v, "free_energy")]
        raise InvalidInput(
            f"model file '{path_text}' has no class '{class_name}'; it defines {', '.join(classes) or 'no model'}."
        )
    return register(cls)


def normalise(word: str, choices: tuple[str, ...], kind: str) -> str:
    """Return `word` with hyphens as underscores if it is one of `choices`.

    Raises
    ------
    InvalidInput
        Otherwise; the message lists the choices and the nearest match.

    Examples
    --------
    >>> normalise("spin-glass", STATES, "state")
    'spin_glass'
    """
    wanted = str(word).replace("-", "_")
    if wanted in choices:
        return wanted
    close = nearest(wanted, choices)
    hint = f"; did you mean '{close.replace('_', '-')}'?" if close else "."
    listed = ", ".join(c.replace("_", "-") for c in choices)
    raise InvalidInput(f"{kind} '{word}' is unknown; choose one of {listed}{hint}")


def checked(model: Any, state: str, *, vary: str | None = None, L: int | None = None) -> tuple[str, int]:
    """Validate state, L and the completeness of the parameters; return the normalised state and L.

    Raises
    ------
    InvalidInput
        For a state the model lacks, a parameter that is needed and absent, or an L that makes no sense.
    """
    if isinstance(model, (str, type)):
        name = model if isinstance(model, str) else getattr(model, "name", model.__name__)
        raise InvalidInput(
            f"{model!r} is not a model at a parameter point; make one from its class with its parameters, such as "
            f"Hopfield(alpha=0.1) for '{name}'."
        )
    state = normalise(state, model.states, f"state of {model.name}")
    if not hasattr(model, "temperature"):
        raise InvalidInput(
            f"{model.name} has no parameter 'temperature', on which the solvers rely; declare one in its class."
        )
    if state == "mixture":
        L = 3 if L is None else L
        even = bool(getattr(model, "even_mixtures", False))
        least = 2 if even else 3
        if not (isinstance(L, numbers.Integral) and least <= L <= LARGEST_MIXTURE and (even or L % 2 == 1)):
            asked = f"L from 2 to {LARGEST_MIXTURE} vectors" if even else f"an odd L from 3 to {LARGEST_MIXTURE}"
            why = "the rules for their sum are tested up to there"
            if not even:
                why = "for even L the sum vanishes on a finite fraction of sites; the equations have a term per value"
            kind = "vector" if even else "Ising"
            raise InvalidInput(f"L = {L} is not allowed; a mixture of {kind} features needs {asked} ({why}).")
    elif L is not None and L != 1:
        raise InvalidInput(f"L = {L} is given for the state '{state}'; only state 'mixture' has L features.")
    else:
        L = 1
    names = [p.name for p in model.parameters]
    if vary in {p.name for p in getattr(model, "structural", ())}:
        raise InvalidInput(
            f"'{vary}' is a number on which the equations of {model.name} themselves depend and cannot be solved for; "
            f"vary one of {', '.join(names)}."
        )
    if vary is not None and vary not in names:
        close = nearest(vary, names)
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"'{vary}' is not a parameter of {model.name}; vary one of {', '.join(names)}{hint}")
    for p in model.parameters:
        if p.name != vary and getattr(model, p.name) is None:
            raise InvalidInput(
                f"{p.name} is missing; {model.name} needs it ({p.help}): give --{p.name.replace('_', '-')} "
                f"or {p.name}=..."
            )
    return state, L
