"""Negri, Lauditi, Perugini, Lucibello, Malatesta, PRL 131, 257301 (2023), arXiv:2303.16880: storage and learning."""
