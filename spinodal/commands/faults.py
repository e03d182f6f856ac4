"""From an exception to an exit code and one sentence."""

from __future__ import annotations

from typing import Any

import typer

from spinodal.commands.answers import FAULT, MISUSE, NOT_CONVERGED
from theory.errors import InvalidInput, MissingExtra, NotConverged, nearest

__all__ = ["code_and_sentence"]

INTERRUPTED = 130


def code_and_sentence(problem: BaseException) -> tuple[int, str]:
    """Return the exit code and the sentence for stderr.

    Examples
    --------
    >>> code_and_sentence(InvalidInput("alpha = -1 is not allowed; give a value with 0 < alpha."))
    (2, 'alpha = -1 is not allowed; give a value with 0 < alpha.')
    """
    if isinstance(problem, (InvalidInput, MissingExtra)):
        return MISUSE, str(problem)
    if isinstance(problem, typer.Abort):
        told = str(problem.__cause__) if isinstance(problem.__cause__, KeyboardInterrupt) else ""
        return INTERRUPTED, told or "Interrupted; nothing half-written is left, and finished records are kept."
    if hasattr(problem, "format_message"):  # typer's own usage errors
        return MISUSE, _usage(problem)
    if isinstance(problem, NotConverged):
        return NOT_CONVERGED, str(problem)
    if isinstance(problem, MemoryError):
        return FAULT, "The computer ran out of memory; give a smaller N or fewer workers."
    if isinstance(problem, OSError) and problem.strerror:
        place = f" '{problem.filename}'" if problem.filename else ""
        return FAULT, f"The operating system refused{place}: {problem.strerror}."
    detail = " ".join(str(problem).split())[:200]
    return FAULT, (
        f"A fault of spinodal, not of your input: {type(problem).__name__}: {detail}; please report it with the "
        "command and the output of 'spinodal env' (SPINODAL_DEBUG=1 shows the traceback)."
    )


def _usage(problem: Any) -> str:
    """One sentence for a usage error found by the parser."""
    context = getattr(problem, "ctx", None)
    place = f"'{context.command_path}'" if context is not None else "'spinodal'"
    if hasattr(problem, "possibilities") and hasattr(problem, "option_name"):
        return f"{place} has no option '{problem.option_name}'; {_options_hint(str(problem.option_name), context)}"
    rejected = _rejected(problem)
    if rejected is not None:
        return f"{place}: {rejected}"
    sentence = " ".join(str(problem.format_message()).split()).replace(". Did you", "; did you")
    if sentence.startswith("No such command") and "did you" not in sentence and context is not None:
        sentence = f"{sentence.removesuffix('.')}; choose one of {', '.join(context.command.list_commands(context))}."
    if not sentence.endswith((".", "?", "!")):
        sentence += "."
    return f"{place}: {sentence[:1].lower()}{sentence[1:]}"


def _rejected(problem: Any) -> str | None:
    """What is wrong with a value that is no number; None for other errors."""
    options = getattr(getattr(problem, "param", None), "opts", None)
    errors = getattr(problem.__cause__, "errors", None)
    if not options or not callable(errors):
        return None
    first = errors()[0]
    for kind, meant in (("int", "a whole number, as 1000"), ("float", "a number, as 0.1")):
        if str(first.get("type", "")).startswith(kind):
            return f"{options[0]} = '{first.get('input')}' is not allowed; give {meant}."
    return None


def _options_hint(wrong: str, context: Any) -> str:
    """What to write instead of an option that does not exist."""
    if context is None:
        return "see --help."
    if hasattr(context.command, "commands"):  # a group: its options, bar --help, belong to what it holds
        return "options go after the model." if hasattr(context.command, "verb") else "options go after the command."
    reason = getattr(context.command, "reasons", {}).get(wrong.removeprefix("--").replace("-", "_"))
    if reason:
        return f"{reason}."
    options = [name for p in context.command.params for name in p.opts if name.startswith("--")]
    close = nearest(wrong, options)
    return (f"did you mean '{close}'; " if close else "") + f"it takes {', '.join(options) or 'none'}."
