"""Equilibrium theory: a free energy written once, and everything that is derived from it.  Imports nothing of ours."""
