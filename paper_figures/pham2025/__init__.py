"""Pham, Raya, Negri, Zaki, Ambrogioni, Krotov 2025, arXiv:2505.21777: diffusion models as associative memories."""
