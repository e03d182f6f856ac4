"""Diffusion models: training dynamics of score networks, dense associative memory, random-energy theory."""
