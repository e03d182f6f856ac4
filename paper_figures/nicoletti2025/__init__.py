"""Nicoletti, D'Amico, Negri, arXiv:2507.02586: vector Hopfield networks near and above saturation."""
