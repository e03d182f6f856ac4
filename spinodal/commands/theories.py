"""Theories without a replica free energy: what `spinodal models` and `spinodal cite` say of them."""

from __future__ import annotations

from dataclasses import dataclass

from spinodal.commands.answers import Answer

__all__ = ["THEORIES", "Theory", "cite_dense_memory", "cite_generalise", "cite_rem", "cite_score"]

BONNAIRE = """@article{bonnaire2025,
  author = {Bonnaire, Tony and Urfin, Rapha{\\"e}l and Biroli, Giulio and M{\\'e}zard, Marc},
  title = {Why diffusion models don't memorize: The role of implicit dynamical regularization in training},
  journal = {arXiv preprint arXiv:2505.17638},
  year = {2025},
  eprint = {2505.17638},
  archiveprefix = {arXiv}
}"""
PHAM = """@article{pham2025,
  author = {Pham, Bao and Raya, Gabriel and Negri, Matteo and Zaki, Mohammed J. and Ambrogioni, Luca and
    Krotov, Dmitry},
  title = {Memorization to generalization: Emergence of diffusion models from associative memory},
  journal = {arXiv preprint arXiv:2505.21777},
  year = {2025},
  eprint = {2505.21777},
  archiveprefix = {arXiv}
}"""
LUCIBELLO = """@article{lucibello2024,
  author = {Lucibello, Carlo and M{\\'e}zard, Marc},
  title = {Exponential capacity of dense associative memories},
  journal = {Physical Review Letters},
  volume = {132},
  pages = {077301},
  year = {2024},
  eprint = {2304.14964},
  archiveprefix = {arXiv}
}"""
BIROLI = """@article{biroli2024,
  author = {Biroli, Giulio and Bonnaire, Tony and de Bortoli, Valentin and M{\\'e}zard, Marc},
  title = {Dynamical regimes of diffusion models},
  journal = {Nature Communications},
  volume = {15},
  pages = {9957},
  year = {2024},
  eprint = {2402.18491},
  archiveprefix = {arXiv}
}"""
ACHILLI = """@article{achilli2025,
  author = {Achilli, Beatrice and Ambrogioni, Luca and Lucibello, Carlo and M{\\'e}zard, Marc and Ventura, Enrico},
  title = {The capacity of modern {H}opfield networks under the data manifold hypothesis},
  journal = {arXiv preprint arXiv:2503.09518},
  year = {2025},
  eprint = {2503.09518},
  archiveprefix = {arXiv}
}"""


SONG = """@inproceedings{song2021,
  author = {Song, Yang and Sohl-Dickstein, Jascha and Kingma, Diederik P. and Kumar, Abhishek and Ermon, Stefano and
    Poole, Ben},
  title = {Score-based generative modeling through stochastic differential equations},
  booktitle = {International Conference on Learning Representations},
  year = {2021},
  eprint = {2011.13456},
  archiveprefix = {arXiv}
}"""
KARRAS = """@inproceedings{karras2022,
  author = {Karras, Tero and Aittala, Miika and Aila, Timo and Laine, Samuli},
  title = {Elucidating the design space of diffusion-based generative models},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {35},
  year = {2022},
  eprint = {2206.00364},
  archiveprefix = {arXiv}
}"""


@dataclass(frozen=True)
class Theory:
    """A theory and the commands that take it.

    Attributes
    ----------
    name, summary : str
    commands : tuple of str
        As typed after `spinodal`.
    references : tuple of str
        BibTeX.
    """

    name: str
    summary: str
    commands: tuple[str, ...]
    references: tuple[str, ...]


THEORIES = {
    theory.name: theory
    for theory in (
        Theory(
            "score",
            "Random-feature score model in training (Bonnaire-Urfin-Biroli-Mezard)",
            (
                "spectrum score",
                "losses score",
                "times score",
                "simulate score",
                "validate score",
                "figure bonnaire2025",
            ),
            (BONNAIRE,),
        ),
        Theory(
            "dense-memory",
            "Dense associative memory whose energy is that of a diffusion model's noisy data",
            ("attractors", "figure pham2025"),
            (PHAM,),
        ),
        Theory(
            "generalise",
            "Trained networks beside the exact score: from memorising to generalising with the number of points",
            ("generalise",),
            (PHAM, SONG, KARRAS),
        ),
        Theory(
            "rem",
            "Exponentially many patterns: capacity of the exponential Hopfield network, collapse and speciation",
            ("threshold rem", "collapse"),
            (LUCIBELLO, ACHILLI, BIROLI),
        ),
    )
}


def _cite(name: str) -> Answer:
    entries = list(THEORIES[name].references)
    return Answer({"model": name, "references": entries}, lambda out: print("\n\n".join(entries)))


def cite_score() -> Answer:
    """Print the papers behind the score model, as BibTeX."""
    return _cite("score")


def cite_dense_memory() -> Answer:
    """Print the papers behind dense associative memory, as BibTeX."""
    return _cite("dense-memory")


def cite_generalise() -> Answer:
    """Print the papers behind samplers and trained score networks, as BibTeX."""
    return _cite("generalise")


def cite_rem() -> Answer:
    """Print the papers behind the random-energy theory, as BibTeX."""
    return _cite("rem")
