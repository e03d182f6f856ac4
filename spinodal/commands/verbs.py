"""Commands that act on a model: a group with one subcommand per model, made from the parameters it declares.

So `spinodal threshold hopfield --alpha-d 1` is refused by name, and a new model file brings its own options.
A model is imported when there is something to compute, not for `--help` or for misuse.

Theories without a replica free energy have subcommands too (`Other`): ordinary functions, imported when called.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import redirect_stdout
from copy import copy
from dataclasses import dataclass, field
from importlib import import_module
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command as command_from

import theory.model
from spinodal.commands.answers import NOT_CONVERGED, OK, Answer, deliver
from spinodal.commands.declarations import Declaration, declaration, known_models
from spinodal.commands.theories import THEORIES
from theory.errors import InvalidInput, NotConverged, nearest

__all__ = ["Json", "Other", "Point", "Verb", "answering", "group"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout; talk goes to stderr.")]


@dataclass(frozen=True)
class Point:
    """A model by name and the parameter values that were given for it.

    Attributes
    ----------
    declared : Declaration
        What the model declares.
    given : dict
        Values by field name; what was not given is absent.
    """

    declared: Declaration
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def cls(self) -> type[Any]:
        """The model class; imports it, unless reading its declaration has done so."""
        return theory.model.model_named(self.declared.name)

    def model(self, *, vary: str | None = None) -> Any:
        """Return the model at this point.

        Raises
        ------
        InvalidInput
            If the parameter `vary` is fixed here as well, or a value is outside its range.
        """
        if vary is not None and vary.replace("-", "_") in self.given:
            flag = "--" + vary.replace("_", "-")
            raise InvalidInput(f"{vary} is both fixed ({flag}) and varied (--vary {vary}); leave out one of the two.")
        return self.cls(**self.given)

    def described(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Return a result of theory with words spelled as on the command line and all parameters of the model."""
        data = dict(result)
        if "state" in data:
            data["state"] = str(data["state"]).replace("_", "-")
        if "parameters" in data:
            texts = {name: self.given.get(name, default) for name, default in self.declared.texts.items()}
            data["parameters"] = {**data["parameters"], **texts}
        return data


@dataclass(frozen=True)
class Other:
    """A subcommand for a theory that is no replica model.

    Attributes
    ----------
    name, help : str
        Name and the line shown in the list of subcommands.
    home : str
        ``module:function``; the function takes the options, annotated for typer, and returns an Answer.
    """

    name: str
    help: str
    home: str

    def command(self) -> Any:
        """The command itself; imports its module."""
        module, _, function = self.home.partition(":")
        app = typer.Typer(add_completion=False)
        app.command(name=self.name)(answering(getattr(import_module(module), function)))
        return command_from(app)


@dataclass(frozen=True)
class Verb:
    """One command of the command line that takes a model.

    Attributes
    ----------
    name, help : str
        Name and the line shown by `--help`.
    run : callable
        ``run(point, *, option=..., ...) -> Answer``; the keyword parameters, annotated for typer, are the options.
    omitted : callable
        Maps the declaration of a model to the names of options and parameters that make no sense for it.
    reasons : dict
        Why some of them do not, by name.
    others : tuple of Other
        Theories without a replica free energy that have a subcommand as well.
    method : str
        What a model must define to be listed; others, when asked for, say themselves what they lack.

    `run` is None for verbs that only they have.
    """

    name: str
    help: str
    run: Callable[..., Answer] | None
    omitted: Callable[[Declaration], Collection[str]] = lambda declared: ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    others: tuple[Other, ...] = ()
    method: str = ""

    def subcommands(self) -> dict[str, str]:
        """Names and summaries of what the verb takes, without importing any of it."""
        replica = known_models(self.method) if self.run is not None else {}
        return {**replica, **{other.name: other.help for other in self.others}}


class _ModelCommand(TyperCommand):
    """Stands for one model in a group; becomes the real command when it is called."""

    verb: Verb

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        spec = info_name or ""
        others = {other.name: other for other in self.verb.others}
        if spec not in others and ".py:" not in spec:
            self._refuse_theories(spec, others)
        command = others[spec].command() if spec in others else _command(self.verb, spec)
        return command.make_context(info_name, args, parent=parent, **extra)

    def _refuse_theories(self, spec: str, others: Collection[str]) -> None:
        """Say what takes a theory that this verb does not take, and what the verb takes beside replica models."""
        if spec in THEORIES:
            commands = ", ".join(f"'spinodal {command}'" for command in THEORIES[spec].commands)
            raise InvalidInput(f"'spinodal {self.verb.name}' does not take '{spec}'; give it to one of {commands}.")
        known = self.verb.subcommands()
        close = nearest(spec, known)
        if close in others:
            raise InvalidInput(f"'spinodal {self.verb.name}' takes no model '{spec}'; did you mean '{close}'?")
        if others and close is None and spec.replace("_", "-") not in theory.model.models():
            raise InvalidInput(
                f"'spinodal {self.verb.name}' takes no model '{spec}'; give one of {', '.join(known)}, "
                "or a file as ./mymodel.py:MyModel."
            )


class _ModelGroup(TyperGroup):
    """Group whose subcommands are the models."""

    verb: ClassVar[Verb]

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.verb.subcommands())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        known = self.verb.subcommands()
        if self.verb.run is None and cmd_name not in known:
            return None
        command = _ModelCommand(name=cmd_name, help=known.get(cmd_name, ""))
        command.verb = self.verb
        return command

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not set(args) - {"--json"} and not ctx.resilient_parsing:
            file = "" if self.verb.run is None else " or a file as ./mymodel.py:MyModel"
            raise InvalidInput(
                f"'spinodal {self.verb.name}' needs a model; give one of {', '.join(self.verb.subcommands())}{file}."
            )
        return super().parse_args(ctx, args)


def group(verb: Verb) -> typer.Typer:
    """Return the typer application of one verb."""
    cls = type(f"{verb.name.capitalize()}Group", (_ModelGroup,), {"verb": verb})
    app = typer.Typer(
        name=verb.name, cls=cls, help=verb.help, subcommand_metavar="MODEL [OPTIONS]", add_completion=False
    )
    # Typer takes an application without commands for a mistake; the callback makes it a group.
    app.callback()(lambda: None)
    return app


def _command(verb: Verb, spec: str) -> Any:
    """Command of `verb` for one model, with the model's parameters as options."""
    verb_run = verb.run
    assert verb_run is not None
    with redirect_stdout(sys.stderr):
        declared = declaration(spec)
    omitted = frozenset(verb.omitted(declared))
    own = _model_options(declared, omitted)
    _, *rest = inspect.signature(verb_run, eval_str=True).parameters.values()
    clash = sorted({p.name for p in own} & {p.name for p in rest})
    if clash:
        raise InvalidInput(
            f"model '{declared.name}' calls a parameter '{clash[0]}', which is an option of 'spinodal {verb.name}'; "
            "rename the parameter."
        )

    def run(**values: Any) -> None:
        given = {p.name: value for p in own if (value := values.pop(p.name)) is not None}
        as_json = values.pop("json")
        point = Point(declared, given)
        _finish(lambda: verb_run(point, **values), as_json=as_json, described=point.described)

    options = [_spoken(p, declared) for p in rest if p.name not in omitted]
    json_option = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)
    run.__signature__ = inspect.Signature([*own, *options, json_option])  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False)
    app.command(name=declared.name, help=f"{verb.help}\n\n{declared.name}: {declared.summary}")(run)
    command: Any = command_from(app)
    command.reasons = verb.reasons
    return command


def _spoken(option: inspect.Parameter, declared: Declaration) -> inspect.Parameter:
    """The option, with a help text that does not offer states which the model has not."""
    info = copy(option.annotation.__metadata__[0])
    for state in ("feature", "mixture"):
        if option.name in ("start", "state") and state not in declared.states:
            info.help = info.help.replace(f"{state}, ", "")
    return option.replace(annotation=Annotated[option.annotation.__origin__, info])


def _model_options(declared: Declaration, omitted: Collection[str]) -> list[inspect.Parameter]:
    """Options for the declared numbers and the text fields of a model."""
    options = [
        _option(p.name, int if p.whole else float, p.help, declared.defaults.get(p.name))
        for p in (*declared.structural, *declared.parameters)
    ]
    spoken = {name: declared.option_help.get(name, name.replace("_", " ")) for name in declared.defaults}
    options += [_option(name, str, spoken[name], default) for name, default in declared.texts.items()]
    options += [_option(name, bool, spoken[name], None) for name in declared.flags]
    return [option for option in options if option.name not in omitted]


def _option(name: str, kind: type[Any], text: str, default: Any) -> inspect.Parameter:
    """Option whose absence is visible (None); the model's own default is only shown."""
    has_default = isinstance(default, (int, float, str))
    info = typer.Option("--" + name.replace("_", "-"), help=text, show_default=str(default) if has_default else False)
    annotation = Annotated[kind | None, info]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def answering(run: Callable[..., Answer]) -> Callable[..., None]:
    """Turn a function that returns an Answer into a typer command with the option `--json`."""
    signature = inspect.signature(run, eval_str=True)
    json_option = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)

    def command(**values: Any) -> None:
        as_json = values.pop("json")
        _finish(lambda: run(**values), as_json=as_json)

    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), json_option], return_annotation=None
    )
    command.__doc__ = run.__doc__
    return command


def _finish(
    run: Callable[[], Answer], *, as_json: bool, described: Callable[[Mapping[str, Any]], dict[str, Any]] = dict
) -> None:
    """Run, print the answer, and leave with its code; a calculation that did not converge is an answer too."""
    try:
        with redirect_stdout(sys.stderr):  # stdout is for the answer, whatever a user's model prints
            answer = run()
    except KeyboardInterrupt as problem:
        raise typer.Abort from problem  # typer would leave without a word
    except NotConverged as problem:
        reached = problem.solution.to_json() if hasattr(problem.solution, "to_json") else {"status": None}
        data = {**described(reached), "message": str(problem)}
        answer = Answer(data, lambda out: None, NOT_CONVERGED, remark=str(problem))
    code = deliver(answer, as_json=as_json)
    if code != OK:
        raise typer.Exit(code)
