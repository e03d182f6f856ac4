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
# # Your first phase diagram
#
# From one state of the Hopfield model to the phase diagram of the random-features Hopfield model, theory next to
# simulation, in less than a minute on a laptop. Symbols are those of the field in ASCII: `alpha` is $\alpha = P/N$,
# `q_hat` is $\hat q$, temperatures are in units of the coupling. `CONVENTIONS.md` has them all.

# %%
import matplotlib.pyplot as plt
import numpy as np

import spinodal as sp

# %% [markdown]
# ## A state
#
# The Hopfield model stores $P = \alpha N$ random patterns $\xi^\mu_i = \pm 1$ by Hebb's rule,
#
# $$H = -\tfrac12 \sum_{i \neq j} J_{ij} s_i s_j, \qquad J_{ij} = \frac1N \sum_{\mu=1}^{P} \xi^\mu_i \xi^\mu_j .$$
#
# A model with its parameters is a point; a state at that point is solved for. `example` is the state in which the
# spins remember one stored pattern.

# %%
solution = sp.solve(sp.Hopfield(alpha=0.1, temperature=0.2), state="example")

print(solution.status.value, f"with residual {solution.residual:.0e} on a finer quadrature")
for name, value in solution.order_parameters.items():
    print(f"{name:>6} = {value:.12f}")
print(f"     f = {solution.free_energy:.12f} per spin, entropy {solution.entropy:.3e}")
print(f"replicon {solution.replicon:.3f}: replica symmetry is {'stable' if solution.rs_stable else 'unstable'} here")

# %% [markdown]
# Nothing in the code spells out saddle-point equations. The free energy is written once, and the equations are
# derived from it. Here $\chi = \beta(1-q)$, and $F_n(M, R) = \mathbb{E}_z\, g^{(n)}(M + \sqrt{R}\, z)$ with
# $g(h) = \ln 2\cosh h$ and $z$ a standard Gaussian, so that $F_1$ averages a $\tanh$ and $F_2$ a $1/\cosh^2$:

# %%
equations = sp.equations(sp.Hopfield(temperature=0.2), state="example")
print(equations.latex()["m"])
equations  # noqa: B018 - a notebook shows them typeset

# %% [markdown]
# ## A threshold, with its error
#
# Load the network, and the state ends at a *spinodal*. It is not scanned for: together with the null vector of the
# Jacobian it is the root of a system of equations, so it comes with the digits of the arithmetic.

# %%
capacity = sp.threshold(sp.Hopfield(), state="example")
print(f"alpha_c = {capacity.value:.15f} +- {capacity.error:.0e}; the state exists {capacity.state_exists}")
print(f"    m_c = {capacity.order_parameters['m']:.12f}; replica symmetry stable: {capacity.rs_stable}")

# %% [markdown]
# The `False` is part of the answer. At $T = 0$ replica symmetry is broken in this model, as in every Ising model of
# its kind; $\alpha_c \simeq 0.138$ is the replica-symmetric value, and all digits are digits of *that* number. Thirty
# of them, and a proof that they are right (it needs the extra `certify`):

# %%
print(sp.threshold(sp.Hopfield(), digits=30).digits)
try:
    print(sp.threshold(sp.Hopfield(), digits=30, certify=True).certificate["method"])
except sp.MissingExtra as advice:
    print(advice)

# %% [markdown]
# Any parameter can be the unknown, and there are other lines than spinodals: where the state becomes the lowest in
# free energy, where replica symmetry becomes unstable, where the spin glass appears.

# %%
for options in (
    {"vary": "alpha", "line": "thermodynamic", "model": sp.Hopfield()},
    {"vary": "temperature", "line": "spinodal", "model": sp.Hopfield(alpha=0.05)},
    {"vary": "temperature", "line": "at", "model": sp.Hopfield(alpha=0.1)},
    {"vary": "temperature", "line": "continuous", "model": sp.Hopfield(alpha=0.1), "state": "spin-glass"},
):
    found = sp.threshold(**options)
    fixed = ", ".join(f"{k} = {v:g}" for k, v in found.parameters.items())
    print(f"{found.state:>10} {found.line:<13} at {fixed:<15}: {found.vary} = {found.value:.10f} +- {found.error:.0e}")

assert np.isclose(found.value, 1 + np.sqrt(0.1))  # T_g = 1 + sqrt(alpha)

# %% [markdown]
# Beyond the spinodal there is no such state, and no number is made up:

# %%
try:
    sp.solve(sp.Hopfield(alpha=0.14), state="example")
except sp.NotConverged as answer:
    print(answer)

# %% [markdown]
# ## A branch through its spinodal
#
# Followed in $\alpha$, the state turns round at the spinodal and comes back as the unstable branch (dashed), the
# barrier between the pattern and the spin glass.

# %%
figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
for temperature, colour in ((0.0, "#0072B2"), (0.2, "#009E73"), (0.4, "#E69F00"), (0.6, "#D55E00")):
    branch = sp.branch(sp.Hopfield(temperature=temperature), "example", vary="alpha", span=(1e-3, 0.2))
    m = branch.order_parameters["m"]
    turn = int(np.flatnonzero(~branch.stable)[0])  # first point after the fold
    axes.plot(branch.parameter[:turn], m[:turn], color=colour, label=f"$T = {temperature:g}$")
    axes.plot(branch.parameter[turn - 1 :], m[turn - 1 :], "--", lw=1, color=colour)
    for fold in branch.folds:
        axes.axvline(fold, color=colour, lw=0.6, ls=":")
axes.set(xlabel=r"$\alpha$", ylabel="$m$", xlim=(0, 0.15), ylim=(0, 1.02))
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Lines
#
# `phase_line` solves a threshold along a second parameter, all values at once where it can. Below the dashed line the
# stored patterns are the lowest states, between the lines they are metastable.

# %%
temperatures = np.linspace(0.0, 0.95, 40)
spinodal = sp.phase_line(sp.Hopfield(), "example", along="temperature", values=temperatures)
first_order = sp.phase_line(
    sp.Hopfield(), "example", line="thermodynamic", along="temperature", values=temperatures[::2]
)
print(f"largest error on {len(spinodal.values)} + {len(first_order.values)} points:", end=" ")
print(f"{np.nanmax(spinodal.errors):.0e}, {np.nanmax(first_order.errors):.0e}")

alpha = 0.15 * np.linspace(0.0, 1.0, 50) ** 2
figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
axes.plot(spinodal.values, spinodal.along_values, label="spinodal of the patterns")
axes.plot(first_order.values, first_order.along_values, "--", label="patterns become the lowest states")
axes.plot(alpha, 1 + np.sqrt(alpha), "k-.", label=r"$T_g = 1 + \sqrt{\alpha}$")
axes.set(xlabel=r"$\alpha$", ylabel="$T$", xlim=(0, 0.15), ylim=(0, 1.5))
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# ## Examples made of features
#
# Now the stored examples share $D = \alpha_D N$ random features $f_k$:
#
# $$\xi^\mu_i = \operatorname{sign}\Big(D^{-1/2} \sum_{k=1}^{D} c^\mu_k f_{ki}\Big), \qquad c^\mu_k \sim N(0, 1),
# \qquad J_{ij} = \frac1N \sum_{\mu=1}^{\alpha N} \xi^\mu_i \xi^\mu_j .$$
#
# With few examples the network stores them. With very many it forgets them and learns the *features*, which it was
# never shown. Both states end at spinodals; the overlap with an example has a companion, $t = N^{-1} \sum_i x^1_i s_i$
# with the example's latent field $x^1$, without which the storage line comes out too high.

# %%
storage = sp.threshold(sp.RandomFeatures(alpha_d=1.0), state="example")
learning = sp.threshold(sp.RandomFeatures(alpha_d=0.05), state="feature")
print(f"storage,  alpha_d = 1:    examples are stored {storage.state_exists} alpha = {storage.value:.10f}")
print(f"          m = {storage.order_parameters['m']:.6f}, t = {storage.order_parameters['t']:.6f}")
print(f"learning, alpha_d = 0.05: features are learnt {learning.state_exists} alpha = {learning.value:.10f}")

# %% [markdown]
# ## Theory against simulation
#
# `validate` runs the zero-temperature dynamics from a stored example at growing $N$, with theory taken at the loads
# that were realised, extrapolates the difference in $1/N$, and gives a verdict by a declared rule. *Underpowered* is
# a verdict too: the errors are too large to have seen a difference of five percent.

# %%
point = sp.RandomFeatures(alpha=0.06, alpha_d=0.5)
validation = sp.validate(point, state="example", N=(500, 1000, 2000), samples=24, seed=1, workers=2)

print(f"{'':>8} {'N':>9} {'theory':>10} {'simulation':>22} {'pull':>6}")
for name, c in validation.agreement.comparisons.items():
    for size, theory, value, error, pull in zip(c.N, c.theory, c.measured, c.errors, c.pulls, strict=True):
        print(f"{name:>8} {size:>9} {theory:>10.5f} {value:>12.5f} +- {error:.5f} {pull:>+6.1f}")
    last = f"{c.theory[-1]:>10.5f} {c.value:>12.5f} +- {c.error:.5f} {c.pull:>+6.1f}"
    print(f"{'':>8} {'infinite':>9} {last}  {c.verdict}")
print(f"verdict: {validation.verdict} ({validation.agreement.message})")

# %% [markdown]
# Here $\langle u^2\rangle$ (`u2`) is the mean squared field of the *other* examples, $(\xi^\mu \cdot s)^2/N$, and
# `p_d` is that of the features: what drives a stored example out of its place.
#
# ## The phase diagram
#
# All lines at once, with the mixtures of $L$ features: examples never shown to the network, which it has
# nevertheless made attractors.

# %%
diagram = sp.diagram(sp.RandomFeatures(), points=40)

colours = {"example": "#0072B2", "feature": "#D55E00"}
mixtures = {3: "#009E73", 5: "#56B4E9", 7: "#CC79A7", 9: "#E69F00"}
figure, axes = plt.subplots(figsize=(6, 4.2), layout="constrained")
for curve in diagram.lines:
    x, y = curve.along_values, curve.values
    if curve.along == "alpha":
        x, y = y, x
    style = "--" if curve.line == "thermodynamic" else "-"
    axes.loglog(x, y, style, color=mixtures.get(curve.L) or colours[curve.state], label=curve.label)
axes.text(0.05, 0.002, "examples stored", color=colours["example"])
axes.text(0.0012, 5, "features\nlearnt,\nmixtures\nstable", color=colours["feature"])
axes.text(0.15, 0.7, "spin glass", color="0.3")
axes.set(xlabel=r"$\alpha_D$", ylabel=r"$\alpha$", xlim=(1e-3, 1), ylim=(1e-3, 30))
figure.legend(loc="outside right upper", frameon=False, fontsize=8)
plt.show()

assert sum(curve.failures for curve in diagram.lines) == 0

# %% [markdown]
# The same from a shell: `spinodal diagram random-features --figure diagram.pdf`. Every command there and every call
# here has `--json` or `.to_json()`. Where to go next: `add_your_own_model.py`, beside this file.
