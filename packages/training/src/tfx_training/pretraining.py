"""``tfx-core pretrain`` and ``tfx-core objectives``."""

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfx_core import ObjectiveSpec
from tfx_core.cli import Command, OutputPath, json_text, print_table, say
from tfx_core.errors import ConfigError, InputError, UnknownNameError
from tfx_core.habits import nearest
from tfx_core.plugins import registry
from tfx_training.flags import NamedValue, by_name, settings_of, training_flags
from tfx_training.reading_flags import HELD_OUT, corpora_of, reading_flags

if TYPE_CHECKING:
    from tfx_core import Model, Tokenizer
    from tfx_training.loop import Trained
    from tfx_training.objective import Objective

_NAMED = NamedValue()

USUAL_NAMES = {
    **dict.fromkeys(("mlm", "masked-lm"), "masked-words"),
    **dict.fromkeys(("clm", "causal-lm", "lm"), "causal"),
    "nsp": "next-sentence",
    "sop": "sentence-order",
    "tlm": "translation-pairs",
    "plm": "permutation",
    "rtd": "replaced-tokens",
    "gsg": "gap-sentences",
    "infilling": "denoising",
    "seq2seq": "text-to-text",
}
"""What objectives are often called."""


@click.command(cls=Command)
@click.option("--objective", "objective_name", required=True, metavar="NAME", help="One of tfx-core objectives.")
@click.option("--config", metavar="FILE|TYPE", help="A new model: its config.json, or the type of the model alone.")
@click.option("--config-key", type=_NAMED, multiple=True, help="A key of the config of a new model.")
@click.option("--model", "-m", metavar="MODEL", help="A trained model to go on with, in place of --config.")
@click.option("--role", type=_NAMED, multiple=True, help="A trained model for one role, NAME=FOLDER.")
@click.option("--tokenizer", metavar="FOLDER|ID", help="The tokenizer. [default: that of --model]")
@reading_flags
@HELD_OUT
@click.option("--option", type=_NAMED, multiple=True, help="An option of the objective, such as length=128.")
@click.option("--out", required=True, type=OutputPath(path_type=Path), metavar="FOLDER", help="Where the model goes.")
@click.option(
    "--resume/--anew",
    default=None,
    help="Go on from a checkpoint in --out, or begin anew. [default: go on if there is one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one object of JSON.")
@training_flags
def pretrain(
    objective_name: str,
    config: str | None,
    config_key: Sequence[tuple[str, Any]],
    model: str | None,
    role: Sequence[tuple[str, Any]],
    tokenizer: str | None,
    corpus: Sequence[str],
    held_out: Sequence[str],
    option: Sequence[tuple[str, Any]],
    out: Path,
    resume: bool | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Train a model on texts by an objective.

    Interrupted, or killed, the same command goes on from the latest checkpoint in --out as if it had not stopped. With
    torchrun or accelerate launch -m tfx_core pretrain … several processes train together.
    """
    from tfx_core import load_tokenizer
    from tfx_training.loop import train

    settings = settings_of(flags)
    if (config is None) == (model is None):
        raise click.UsageError("give either --config, for a new model, or --model, for a trained one")
    where = tokenizer or model
    if where is None:
        raise click.UsageError("--config needs --tokenizer")
    if model is not None and config_key:
        raise click.UsageError("--config-key is of a new model; --model has its config already")
    words = load_tokenizer(where)
    if tokenizer is not None and model is not None:
        _tell_other_tokens(words, model)
    objective = objective_of(objective_name, words, by_name(option, "--option"))
    roles = by_name(role, "--role")
    models = (
        _trained(objective, model, roles)
        if model is not None
        else _new(objective, str(config), by_name(config_key, "--config-key"), roles, settings.seed)
    )
    texts, held = corpora_of(words, corpus, held_out, out, flags)
    try:
        result = train(objective, models, texts, out, settings=settings, held_out=held, resume=resume)
    except KeyboardInterrupt:
        say(f"Interrupted; the same command goes on from the latest checkpoint in {out}.", error=True)
        raise
    report(result, as_json=as_json)


@click.command(cls=Command)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, one for each objective.")
def objectives(name: str | None, as_json: bool) -> None:
    """List what models can be pretrained by; of one NAME, what it does and the options that it has."""
    specs = sorted((entry.spec for entry in registry.specs(ObjectiveSpec)), key=lambda spec: spec.name)
    if name is not None:
        _describe(name)
        return
    if as_json:
        for spec in specs:
            click.echo(
                json_text({"name": spec.name, "architectures": list(spec.architectures), "summary": spec.summary})
            )
        return
    rows = [(spec.name, spec.summary, ", ".join(spec.architectures)) for spec in specs]
    print_table(("OBJECTIVE", "LEARNS", "ARCHITECTURES"), rows)


def _describe(name: str) -> None:
    """Print the documentation of an objective, and its options with their defaults."""
    kind = _kind_of(name)
    say(inspect.cleandoc(kind.__doc__ or ""))
    rows = [
        (each, "" if option.default is option.empty else json.dumps(option.default, default=str))
        for each, option in _options_of(kind).items()
    ]
    say("")
    print_table(("OPTION", "DEFAULT"), rows)


def _kind_of(name: str) -> "type[Objective[Any, Any]]":
    """The class of an objective; raises `UnknownNameError` that says what may have been meant."""
    from tfx_training.objective import load_objective

    try:
        return load_objective(name)
    except UnknownNameError as error:
        specs = [entry.spec for entry in registry.specs(ObjectiveSpec)]
        of_model = [spec.name for spec in specs if name in spec.architectures]
        meant = " or ".join(map(repr, [USUAL_NAMES[name]] if name in USUAL_NAMES else of_model))
        raise UnknownNameError(f"{error}; {name} is {meant} here" if meant else str(error)) from None


def _options_of(kind: "type[Objective[Any, Any]]") -> Mapping[str, inspect.Parameter]:
    return {each: value for each, value in inspect.signature(kind).parameters.items() if each != "tokenizer"}


def _tell_other_tokens(words: "Tokenizer", folder: str | Path) -> None:
    """Warn where a trained model's own tokenizer is another one."""
    from tfx_core import load_tokenizer
    from tfx_core.errors import TfxError

    try:
        own = load_tokenizer(folder)
    except TfxError:  # a folder without one
        return
    if own.get_vocab() != words.get_vocab():
        say(f"Warning: the tokens of --tokenizer are others than those that {folder} was trained with", error=True)


def objective_of(name: str, tokenizer: "Tokenizer", options: Mapping[str, Any]) -> "Objective[Any, Any]":
    """An objective by name; raises `InputError` for an option that it does not have."""
    kind = _kind_of(name)
    parameters = _options_of(kind)
    known = list(parameters)
    for option in options:
        if option not in known:
            close = nearest(option, known)
            meant = f"did you mean {close!r}? " if close else ""
            raise InputError(f"--option {option}=…: {meant}{name} has: {', '.join(known) or 'none'}")
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and option not in options:
            raise InputError(f"{name} needs its {option}: --option {option}=…")
    return kind(tokenizer, **options)


def _trained(objective: "Objective[Any, Any]", folder: str, roles: Mapping[str, Any]) -> "Mapping[str, Model]":
    """The models of a folder that a training wrote; of some roles those of other folders."""
    from tfx_core import load_model

    _check_roles(objective, roles)
    places = {role: f"{folder}/{role}" if number else folder for number, role in enumerate(objective.roles)}
    return {role: load_model(roles.get(role, places[role]), head=head) for role, head in objective.roles.items()}


def _new(
    objective: "Objective[Any, Any]", config: str, keys: Mapping[str, Any], roles: Mapping[str, Any], seed: int
) -> "Mapping[str, Model]":
    """New models for all roles but those that have a folder."""
    from tfx_core import load_model

    _check_roles(objective, roles)
    if roles.keys() == objective.roles.keys():
        raise InputError(
            f"--role gives a folder for each of: {', '.join(roles)}; none is left to make with --config {config}; go "
            "on with a trained one by --model"
        )
    model_type, values = _config_of(config)
    try:
        made = objective.new_models(model_type, seed=seed, **{**values, **keys})
    except TypeError as error:  # a key that the config does not have
        raise ConfigError(f"{config}: {error}") from error
    given = {role: load_model(folder, head=objective.roles[role]) for role, folder in roles.items()}
    return {**made, **given}


def _check_roles(objective: "Objective[Any, Any]", roles: Mapping[str, Any]) -> None:
    for role in roles:
        if role not in objective.roles:
            raise InputError(f"--role {role}=…: this objective trains {', '.join(objective.roles)}")


def _config_of(config: str) -> tuple[str, dict[str, Any]]:
    """The type of the model, and the other keys of its config."""
    path = Path(config).expanduser()
    path = path / "config.json" if path.is_dir() else path
    if not path.is_file():
        return config, {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: is no JSON: {error}") from error
    if not isinstance(values, dict) or not isinstance(values.get("model_type"), str):
        raise ConfigError(f"{path}: has no model_type, which says what is to be made, such as 'bert'")
    unwanted = {"model_type", "architectures", "tfx_head", "transformers_version", "torch_dtype", "dtype"}
    return values["model_type"], {name: value for name, value in values.items() if name not in unwanted}


def report(result: "Trained", *, as_json: bool) -> None:
    """Print what a training came to, in the first of its processes."""
    from tfx_training.loop.processes import processes

    state = processes()
    first = state.is_main_process
    state.destroy_process_group()
    if not first:
        return
    numbers = {"steps": result.steps, "tokens": result.tokens, "seconds": result.seconds}
    if as_json:
        click.echo(json_text({"folder": str(result.folder), **numbers, "measures": dict(result.measures)}))
        return
    for name, value in result.measures.items():
        say(f"held out: {name} {value:.4g}")
    say(f"{result.steps} updates, {result.tokens:,} tokens, {result.seconds:.0f} s: {result.folder}")
    if result.curves is None:
        say('for a picture of the curves: pip install "tfx-training[curves]"', error=True)
