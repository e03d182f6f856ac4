"""Bonnaire, Urfin, Biroli, Mezard (2025), arXiv:2505.17638: why diffusion models do not memorise, dynamically."""
