"""Simulation of diffusion models: exact empirical scores, their energy and its attractors."""
