"""`spinodal threshold rem`: how many patterns an exponential Hopfield network retrieves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from spinodal.commands.answers import Answer, table

if TYPE_CHECKING:
    from rich.console import Console

    from theory.diffusion.overlap_laws import Ensemble

__all__ = ["threshold"]

Named = Annotated[
    str | None,
    typer.Option("--ensemble", show_default="sphere", help="Patterns: gaussian, sphere, binary or hidden-manifold."),
]
Lambda = Annotated[float, typer.Option("--lambda", help="lambda > 0 of E = -(1/lambda) log sum exp(lambda x.xi) + ...")]
Overlap = Annotated[
    float, typer.Option("--overlap", help="Overlap x.xi/N of the query with the pattern, 0 < m <= 1 (a basin's edge).")
]
Alpha = Annotated[
    float | None,
    typer.Option("--alpha", show_default=False, help="Also say what holds at this load log(P)/N: lambda_*, m_min."),
]
Gamma = Annotated[
    float | None,
    typer.Option("--gamma", show_default=False, help="hidden-manifold: latent dimensions per component, D/N."),
]
Act = Annotated[
    str | None,
    typer.Option(
        "--activation", show_default="tanh", help="hidden-manifold: tanh, relu, erf, ... or FILE.py:function."
    ),
]
Table = Annotated[
    str | None,
    typer.Option("--table", show_default=False, help="Instead of --ensemble: a file with columns lambda, zeta."),
]


def threshold(
    *,
    ensemble: Named = None,
    lam: Lambda = 1.0,
    overlap: Overlap = 1.0,
    alpha: Alpha = None,
    gamma: Gamma = None,
    activation: Act = None,
    table_file: Table = None,
) -> Answer:
    """Loads alpha = log(P)/N up to which an exponential Hopfield network retrieves its patterns, for N -> infinity.

    Patterns have squared norm N; alpha_1 is for one typical pattern, alpha_c for all of them.  Numbers are in nats.  A
    hidden manifold, xi = act(F z/sqrt(D)) with E act^2 = 1, is replica-symmetric (rs_stable says whether that is
    locally stable); its alpha_c is for odd activations, and a lower bound where the answer says that weak patterns
    overlap.
    """
    from numerics.progress import reporting
    from theory.diffusion import rem

    law = _law(ensemble, gamma, activation, table_file)
    with reporting("threshold rem") as report:
        report("capacities", 0, 2)
        found = rem.capacity(law, lam, overlap=overlap)
        data: dict[str, Any] = found.to_json()
        if alpha is not None:
            at = rem.condensation(law, alpha)
            basin = rem.smallest_overlap(law, lam, alpha, tell=lambda m: report(f"basin, overlap {m:.4g}", 1, 2))
    if alpha is not None:
        data["at_load"] = {
            "alpha": alpha,
            "retrieved": alpha < found.alpha_1,
            "lambda_star": at.lambda_star,
            "lambda_star_error": at.lambda_star_error,
            "eps_star": at.eps_star,
            "m_min": basin.value,
            "m_min_error": basin.error,
            "m_min_status": basin.status.value,
        }

    def show(out: Console) -> None:
        rows: list[tuple[str, object]] = [
            ("alpha_1 (one typical pattern)", found.alpha_1),
            ("error", f"{found.error:.1e}"),
            ("alpha_c (all patterns)", found.alpha_c),
            ("condensed there", found.condensed),
            ("lambda_*", found.lambda_star),
            ("saturates at lambda", found.lambda_sat),
            ("to alpha", found.alpha_sat),
        ]
        if found.alpha_c_remark:
            rows.insert(3, ("", found.alpha_c_remark))
        rows += list(data.get("order_parameters", {}).items())
        if "replicon" in data:
            rows.append(("replicon", data["replicon"]))
        for part, words in (("weakest_pattern", "weakest pattern"), ("at_load", "at the load")):
            rows += [(f"{words}: {key.replace('_', ' ')}", value) for key, value in data.get(part, {}).items()]
        rows += [("", ""), ("status", found.status), ("convention", data["convention"])]
        table(out, f"capacity for {found.ensemble} patterns at lambda = {lam:g}, overlap {overlap:g}", ("", ""), rows)

    return Answer(data, show)


def _law(ensemble: str | None, gamma: float | None, activation: str | None, table_file: str | None) -> Ensemble:
    """The ensemble that the options name."""
    from theory.diffusion.hidden_manifold import hidden_manifold
    from theory.diffusion.overlap_laws import Ensemble
    from theory.diffusion.overlap_laws import ensemble as named
    from theory.errors import InvalidInput

    if table_file is not None and ensemble is not None:
        raise InvalidInput("--table and --ensemble both say what the patterns are; leave out one of the two.")
    ensemble = "sphere" if ensemble is None else ensemble
    manifold = ensemble.replace("_", "-") == "hidden-manifold" and table_file is None
    if not manifold:
        for flag, value in (("--gamma", gamma), ("--activation", activation)):
            if value is not None:
                raise InvalidInput(f"{flag} is for --ensemble hidden-manifold; leave it out, or name that ensemble.")
    if table_file is not None:
        from theory.arrays import read_array

        columns = read_array(table_file, "the table")
        if columns.ndim != 2 or columns.shape[1] != 2:
            raise InvalidInput(
                f"the table '{table_file}' has shape {columns.shape}; give two columns, lambda and zeta."
            )
        return Ensemble.from_table(columns[:, 0], columns[:, 1])
    if not manifold:
        return named(ensemble)
    if gamma is None:
        raise InvalidInput("gamma is missing; a hidden manifold needs D/N > 0: give --gamma.")
    return hidden_manifold(gamma, activation or "tanh")
