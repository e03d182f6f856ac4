# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Add your own model in one file
#
# A model is a class that writes one free energy. Saddle-point equations, spinodals, stability, certified digits and
# the options of the command line follow from it. First a model of twenty lines, then a complete one in a file, with
# $T = 0$, replica symmetry and a simulation; both are checked against answers known in print.

# %%
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sympy

import spinodal as sp
from numerics.dynamics import quench
from numerics.estimate import mean
from numerics.validate import compare
from theory.checks import limit_checks
from theory.equations import FreeEnergy
from theory.model import Parameter, from_path
from theory.sites import Ising

here = Path(__file__).parent if "__file__" in globals() else Path.cwd()

# %% [markdown]
# ## Twenty lines: a magnet in an opposing field
#
# The Curie-Weiss magnet, magnetised upwards in a field $h > 0$ that points down:
#
# $$f = \frac{m^2}{2} - T \ln 2\cosh\frac{m - h}{T} .$$
#
# `Ising(0, M, R)` is $\mathbb{E}_z \ln 2\cosh(M + \sqrt{R}\, z)$, here without Gaussian noise. The pair `(m, m)` says
# that $m$ is its own conjugate, which makes $m = \tanh\beta(m - h)$ the equation to be iterated; `condensed` names the
# overlap that tells this state from the rest, and the bounds keep it on its side of zero.

# %%
T, h, m = sympy.symbols("temperature field m")


@sp.register
@dataclass(frozen=True)
class CurieWeiss(sp.Model):
    """The Curie-Weiss magnet against a field."""

    field: float | None = None
    temperature: float | None = None

    name = "curie-weiss"
    summary = "Curie-Weiss magnet in an opposing field"
    states = ("magnetised",)
    parameters = (
        Parameter("field", "strength of the opposing field"),
        Parameter("temperature", "temperature in units of the coupling"),
    )

    def free_energy(self, state, L):
        f = m**2 / 2 - T * Ising(0, (m - h) / T, 0)
        return FreeEnergy(f, pairs=((m, m),), condensed=(m,), bounds={m: (0, 1)}, reported={"m": m})

    def start(self, state, L):
        return {"m": 1.0}


print(sp.equations(CurieWeiss(temperature=0.5), "magnetised").latex()["m"])

# %% [markdown]
# The magnetisation turns over at the field
# $h_s(T) = \sqrt{1 - T} - T \operatorname{artanh}\sqrt{1 - T}$, where $\beta(1 - m^2) = 1$:

# %%
temperatures = np.linspace(0.05, 0.95, 19)
line = sp.phase_line(CurieWeiss(), "magnetised", vary="field", along="temperature", values=temperatures)
m_s = np.sqrt(1 - temperatures)
exact = m_s - temperatures * np.arctanh(m_s)
print(f"largest difference from h_s(T): {np.max(np.abs(line.values - exact)):.1e}")
assert np.allclose(line.values, exact, rtol=1e-12)

print(sp.threshold(CurieWeiss(temperature=0.5), "magnetised", vary="field", digits=30).digits, "cut, not rounded")
print(sympy.N(sympy.sqrt(2) / 2 - sympy.atanh(sympy.sqrt(2) / 2) / 2, 32), "by hand")

# %% [markdown]
# A field too strong is answered with the spinodal, and `conformance` puts a model through finite differences: the
# equations are derivatives of the free energy, the entropy is $-\partial f/\partial T$.

# %%
try:
    sp.solve(CurieWeiss(field=0.3, temperature=0.5), "magnetised")
except sp.NotConverged as answer:
    print(answer)

for check in sp.conformance(CurieWeiss(field=0.1, temperature=0.5), "magnetised"):
    print(check)
    assert check.passed

# %% [markdown]
# ## What a model declares
#
# | | | without it |
# |---|---|---|
# | `name`, `summary`, `states`, `parameters` | every parameter is also a field of the dataclass | required |
# | `free_energy(state, L)` | the replica free energy per spin at $T > 0$ | required |
# | `start(state, L)` | where to begin: the state as it is without noise, or a guess | required |
# | `ground_state_energy(state, L)` | its limit at $T = 0$, in variables that stay finite | $T = 0$ is refused |
# | `exists_towards(state)` | for each parameter, the end of its range where the state survives | the low end |
# | `constants()` | values of symbols that are no parameters | none |
# | `temperature_unit()` | the scale of temperature, where it is far from 1 | 1 |
# | `spinodal_start(state, L, vary)` | a point near it, if there is a closed form | the state is followed there |
# | `limits()` | limits in which the model is another one | none to check |
# | `pattern_law()` | the law of the stored patterns | no simulation by `sp.simulate` |
# | `references` | BibTeX, for `spinodal cite` | none |
#
# One parameter is called `temperature`. Symbols are plain, `sympy.symbols("alpha")` without assumptions, and numbers
# in expressions are exact: `m**2 / 2`, not `0.5 * m**2`. A parameter that is to be solved for is positive, so a field
# that may point either way is given as a strength. Three names of states mean something to the solvers: `paramagnet`
# and `spin_glass` are the uncondensed states with which free energies are compared (a spin glass has its reported
# `q` > 0), and `mixture` takes an odd $L$. Every other name is a state with a condensed overlap.
#
# ## A complete model: dilution
#
# Cut a fraction $1 - c$ of the bonds of the Hopfield model and strengthen the rest by $1/c$,
#
# $$J_{ij} = \frac{c_{ij}}{c}\, \frac1N \sum_{\mu=1}^{\alpha N} \xi^\mu_i \xi^\mu_j , \qquad c_{ij} = c_{ji} \in
# \{0, 1\}, \quad \mathbb{E}\, c_{ij} = c .$$
#
# On average over the bonds this is Hebb's rule, and the scatter around it is an independent Gaussian of variance
# $\Delta^2/N$ with $\Delta^2 = \alpha(1 - c)/c$ (Sompolinsky 1986). Averaging over it adds
# $-\tfrac{\beta}{4} \Delta^2 (1 - q^2)$ to the free energy, and $\Delta^2$ to the replicon. That is all the physics;
# this is all the code:

# %%
file = here / "models" / "diluted_hopfield.py"
print(file.read_text())

# %% [markdown]
# The file is used as it is, from Python or from the command line:

# %%
DilutedHopfield = from_path(f"{file}:DilutedHopfield")

half = sp.threshold(DilutedHopfield(connectivity=0.5))
print(f"half of the bonds:  alpha_c = {half.value:.12f} +- {half.error:.0e}")
fewest = sp.threshold(DilutedHopfield(alpha=0.05), vary="connectivity")
print(f"alpha = 0.05 needs a connectivity {fewest.state_exists} {fewest.value:.12f}")

command = ["threshold", f"{file}:DilutedHopfield", "--connectivity", "0.5", "--digits", "30", "--json"]
print("\nspinodal", *command[:1], f"./{file.name}:DilutedHopfield", *command[2:])
done = subprocess.run([sys.executable, "-m", "spinodal", *command], capture_output=True, text=True, check=True)
answer = json.loads(done.stdout)
print(answer["digits"], answer["status"])
assert answer["value"] == half.value

# %% [markdown]
# `sp.register` makes a model known by its name while Python runs; to have `spinodal threshold diluted-hopfield`
# everywhere, declare an entry point of the group `spinodal.models` in your own package.
#
# ## Is it right?
#
# First the checks that need no knowledge of the answer, for all states, cold and warm, and the limit declared in the
# file: with all its bonds the model is the Hopfield model.

# %%
checks = limit_checks(DilutedHopfield())
for temperature, states in ((0.0, ("spin_glass", "example")), (0.2, ("spin_glass", "example")), (1.5, ("paramagnet",))):
    for state in states:
        checks += sp.conformance(DilutedHopfield(0.05, 0.5, temperature), state)
print(f"{sum(check.passed for check in checks)} of {len(checks)} checks passed, the closest to its tolerance:")
print(max(checks, key=lambda check: check.error / check.tolerance))
assert all(check.passed for check in checks)

# %% [markdown]
# Then numbers in print. At $c \to 0$ and fixed $\alpha/c$ the scatter is all that is left of the noise, and the
# uncondensed states are those of Sherrington and Kirkpatrick with $J = \sqrt{\alpha/c}$: at $\alpha = c$ they have
# $T_g = 1$ and the replica-symmetric energy $-\sqrt{2/\pi}$ at $T = 0$. A stored pattern solves
# $m = \operatorname{erf}(m/\sqrt{2\alpha/c})$ there, which ends at $\alpha_c = (2/\pi)\, c$. How slowly that limit is
# reached shows once one looks: the correction is of order $c^{1/3}$.

# %%
sparse = DilutedHopfield(alpha=1e-6, connectivity=1e-6)
T_g = sp.threshold(replace(sparse, temperature=None), "spin_glass", line="continuous", vary="temperature")
print(f"T_g = {T_g.value:.3f}, energy {sp.solve(sparse, 'spin_glass').energy:.5f} (SK: 1, {-np.sqrt(2 / np.pi):.5f})")

c = np.geomspace(1e-6, 1.0, 40)
capacity = sp.phase_line(DilutedHopfield(), along="connectivity", values=c)
per_bond = capacity.values / c
slope = (per_bond[1] - per_bond[0]) / (c[1] ** (1 / 3) - c[0] ** (1 / 3))
limit = per_bond[0] - slope * c[0] ** (1 / 3)
print(f"alpha_c/c -> {limit:.4f} (2/pi = {2 / np.pi:.4f}); alpha_c(1) = {capacity.values[-1]:.12f}")
assert abs(limit - 2 / np.pi) < 1e-3
assert abs(capacity.values[-1] - sp.threshold(sp.Hopfield()).value) < 1e-14

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
left.plot(c ** (1 / 3), per_bond)
left.axhline(2 / np.pi, color="0.5", lw=0.8, ls=":")
left.set(xlabel="$c^{1/3}$", ylabel=r"$\alpha_c / c$", xlim=(0, 1), ylim=(0, 0.7))
for connectivity in (1.0, 0.5, 0.2, 0.1):
    branch = sp.branch(DilutedHopfield(connectivity=connectivity), vary="alpha", span=(1e-3, 0.2))
    turn = int(np.flatnonzero(~branch.stable)[0])
    (drawn,) = right.plot(branch.parameter[:turn], branch.order_parameters["m"][:turn], label=f"$c = {connectivity:g}$")
    right.plot(
        branch.parameter[turn - 1 :], branch.order_parameters["m"][turn - 1 :], "--", lw=1, color=drawn.get_color()
    )
right.set(xlabel=r"$\alpha$", ylabel="$m$", xlim=(0, 0.15), ylim=(0, 1.02))
right.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Does the network agree?
#
# `sp.simulate` draws Hebbian couplings, from a model's `pattern_law`. Other couplings are a few lines: the dynamics
# takes any symmetric matrix, and the rule that judges theory by simulation takes any measurements.

# %%
point = DilutedHopfield(alpha=0.07, connectivity=0.6)
sizes, measured, predicted = (400, 800, 1600), [], []
for N in sizes:
    P = round(point.alpha * N)
    overlaps = []
    for sample in range(20):
        random = np.random.default_rng([N, sample])
        patterns = random.choice(np.array([-1, 1], dtype=np.int32), size=(P, N))
        kept = np.triu(random.random((N, N)) < point.connectivity, 1)
        couplings = (patterns.astype(np.float32).T @ patterns).astype(np.int32) * (kept | kept.T)
        overlaps.append(quench(couplings, patterns[0]).spins @ patterns[0] / N)
    measured.append(mean(overlaps))
    predicted.append(sp.solve(replace(point, alpha=P / N)).order_parameters["m"])
    print(f"N = {N:>4}: m = {measured[-1].value:.5f} +- {measured[-1].error:.5f}, theory {predicted[-1]:.5f}")

verdict = compare("m", sizes, measured, predicted)
print(f"extrapolated: {verdict.value:.5f} +- {verdict.error:.5f}: {verdict.verdict} ({verdict.reason})")
assert verdict.verdict == "agrees"

# %% [markdown]
# To make it your own, copy `models/diluted_hopfield.py`, change the class and its name, and run
# `sp.conformance` on it before believing anything.
