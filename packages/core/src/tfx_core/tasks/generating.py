"""What tasks that generate text share: their options, whose defaults they are, and batches that are generated."""

import copy
import re
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Self, TypeVar, get_type_hints

from tfx_core.errors import ConfigError, InputError, in_one_line, shown
from tfx_core.fields import Help, forms
from tfx_core.generation.options import OPTION_NAMES, GenerationOptions, Strategy, outdone, over
from tfx_core.habits import hint
from tfx_core.tasks.base import Result, Task
from tfx_core.tasks.options import TaskOptions
from tfx_core.tasks.windows import TextWindow

if TYPE_CHECKING:
    from torch import Tensor

    from tfx_core.model.config import ModelConfig
    from tfx_core.model.model import Model

ClassT = TypeVar("ClassT", bound=type)

_SHOWN = tuple(name for name, wanted in forms(GenerationOptions).items() if wanted.help)
_OUTPUTS = ("output_scores", "output_logits", "return_dict_in_generate", "seeds")
"""Of a call of `generate` alone."""
_HELP = {
    "max_new_tokens": "most tokens to generate (default: as the checkpoint says, else 256)",
    "do_sample": "draw tokens at random (text-generation's default) or take the most probable",
    "num_beams": "texts followed at once; 1 for no beam search (default: 4 where a text is made of a text)",
}
"""Of the options whose default is the task's."""


def _with_generation_options(options_type: ClassT) -> ClassT:
    """Adds the options of `GenerationOptions` that have a `Help`, each as it is there or None."""
    hints = get_type_hints(GenerationOptions, include_extras=True)
    for name in _SHOWN:
        hint = hints[name] | None
        options_type.__annotations__[name] = Annotated[hint, Help(_HELP[name])] if name in _HELP else hint
        setattr(options_type, name, None)
    return options_type


@dataclass(frozen=True, kw_only=True)
@_with_generation_options
class GeneratingOptions(TaskOptions):
    """Options of `tfx_core.generation.GenerationOptions`, by their names there.

    None stands for what the checkpoint's files say, and where they say nothing for the task's own default.
    """

    further: ClassVar[frozenset[str]] = (OPTION_NAMES | {"generation_config"}) - {*_SHOWN, *_OUTPUTS}

    rest: Mapping[str, Any] = field(init=False, repr=False, default_factory=dict)
    """Options of generation that are no fields here, such as ``pad_token_id``."""

    resolved: GenerationOptions = field(init=False, repr=False, compare=False)
    """What a call decodes by; options have it from `GeneratingTask.settled` on."""

    def given(self) -> dict[str, Any]:
        """The options of generation that are set."""
        values = {name: getattr(self, name) for name in _SHOWN}
        return {name: value for name, value in (values | {**self.rest}).items() if value is not None}

    def replaced(self, **values: Any) -> Self:
        """A copy with these values, before which its own give way as stored ones do in `GenerationOptions.updated`."""
        own = _given_by(values.pop("generation_config", None))
        for reason in outdone(values):
            warnings.warn(reason, stacklevel=5)  # to whoever calls the task
        changed = over(self.given(), {**own, **over(own, values)})
        rest = {name: changed.pop(name) for name in self.further & changed.keys()}
        options = replace(self, **changed)
        object.__setattr__(options, "rest", {**self.rest, **rest})
        return options

    def with_resolved(self, resolved: GenerationOptions) -> Self:
        """A copy with what a call decodes by."""
        options = copy.copy(self)
        object.__setattr__(options, "resolved", resolved)
        return options

    @property
    def chooses_search(self) -> bool:
        """Whether the call asks for a way of searching, so that a task's default of another one is not meant."""
        given = self.given()
        return given.get("num_beams", 1) > 1 or "penalty_alpha" in given or "prompt_lookup_num_tokens" in given


GeneratingT = TypeVar("GeneratingT", bound=GeneratingOptions)
ItemT = TypeVar("ItemT")

_TOKENS_BY_STEPS = 4
"""A row that is generated takes as much of the budget as it has tokens at the end, divided by this: they come one by
one, and of earlier ones only keys and values stay."""

NewTokens = list[list[int]]
"""The new tokens of each text of one row."""


class GeneratingTask(Task[GeneratingT, ItemT, NewTokens], Generic[GeneratingT, ItemT]):
    """A task whose model continues rows, or decodes an output for them.

    An option counts in this order, which `settled` and `defaults` follow and ``docs/generation-settings.md`` tells:

    1. the call's, over those of the task itself,
    2. the one by which the model is asked for a language (`asked_for`),
    3. ``task_specific_params`` in ``config.json``, under `settings_name`,
    4. ``generation_config.json``,
    5. ``config.json``: without that file its older keys, beside it special tokens that it does not name,
    6. the task's `fallback`.

    With ``seed``, an input's text depends on the seed and the input alone, not on its batch.
    """

    listed = True
    fallback: ClassVar[Mapping[str, Any]]
    """Values of options that neither caller nor checkpoint sets."""

    @abstractmethod
    def settings_name(self, options: GeneratingT) -> str:
        """The key of ``task_specific_params`` whose settings apply."""

    def check_model(self, model: "Model") -> None:
        """Refuse what cannot generate."""
        super().check_model(model)
        if model.architecture.decoding is None:
            raise InputError(f"{self.name}: {model.config.model_type} models cannot generate")

    def settled(self, options: GeneratingT) -> GeneratingT:
        """The options with what the call decodes by; combinations that cannot be meant are refused."""
        try:
            return options.with_resolved(
                self.defaults(options).updated(**{**self.asked_for(options), **options.given()})
            )
        except ConfigError:
            raise
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from None

    def asked_for(self, options: GeneratingT) -> Mapping[str, Any]:
        """The options of generation that follow from what else a call asks for, such as a language."""
        return {}

    def task_settings(self, options: GeneratingT) -> Mapping[str, Any]:
        """What the checkpoint's ``config.json`` says for this task."""
        return named_settings(self.model).get(self.settings_name(options), {})

    def defaults(self, options: GeneratingT) -> GenerationOptions:
        """What applies where the call says nothing; raises `ConfigError` for settings that cannot be meant."""
        own = {name: value for name, value in self.task_settings(options).items() if name in OPTION_NAMES}
        try:
            base = self.model.generation_options.updated(**own)
        except InputError as error:
            key = f"task_specific_params.{self.settings_name(options)}"
            raise ConfigError(f"{self.model.file_label('config.json')}: {key}: {error}") from None
        changes = {name: value for name, value in self.fallback.items() if name not in own.keys() | base.given().keys()}
        if options.chooses_search or base.strategy not in (Strategy.GREEDY, Strategy.SAMPLE):
            changes = {name: value for name, value in changes.items() if name not in ("do_sample", "num_beams")}
        if base.pad_token_id is None and self.tokenizer.pad_token_id is not None:
            changes["pad_token_id"] = self.tokenizer.pad_token_id
        return GenerationOptions(**changes).updated(**base.given())

    def row_tokens(self, windows: Sequence[TextWindow], options: GeneratingT) -> list[int]:
        """A row's own tokens, or those that it becomes, whichever weighs more."""
        resolved = options.resolved
        copies = max(resolved.num_beams, resolved.num_return_sequences)
        new = resolved.max_new_tokens or resolved.max_length or 0
        return [max(len(window), copies * (len(window) + new) // _TOKENS_BY_STEPS) for window in windows]

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: GeneratingT
    ) -> list[NewTokens]:
        """The new tokens of each row, its end token and what fills up the batch left out."""
        with self._told_where(options):
            return self.generated(batch, options)

    @contextmanager
    def _told_where(self, options: GeneratingT) -> Iterator[None]:
        """Let an error that only generation finds in an option name the file that says it, and the key."""
        try:
            yield
        except ConfigError:
            raise
        except InputError as error:
            found = re.match(r"\w+", str(error))
            place = None if found is None else self._place_of(found[0], options)
            if place is None:
                raise
            raise ConfigError(f"{place}: {error}") from None

    def _place_of(self, option: str, options: GeneratingT) -> str | None:
        """What errors call the place in the checkpoint's files that counts for an option; None where none does."""
        stored = self.model.generation_config
        if option in {**self.asked_for(options), **options.given()}:
            return None
        if option in self.task_settings(options):
            return f"{self.model.file_label('config.json')}: task_specific_params.{self.settings_name(options)}"
        if option in (stored.contents() or {}):
            return self.model.file_label("generation_config.json")
        return self.model.file_label("config.json") if stored.set_values().get(option) is not None else None

    def generated(self, batch: "Mapping[str, Tensor]", options: GeneratingT, streamer: Any = None) -> list[NewTokens]:
        """Generate for a batch; ``streamer`` follows a batch of one."""
        # by their names as well: `generate` warns where one has no effect, and refuses lengths that it would else cut
        given = options.given()
        if "seed" in given:
            inputs = next(iter(batch.values()))  # the first of which has a row for each text
            given["seeds"] = [given.pop("seed")] * len(inputs)
        sequences = self.model.generate(
            **batch,
            generation_config=options.resolved,
            use_model_defaults=False,
            tokenizer=self.tokenizer,
            streamer=streamer,
            return_dict_in_generate=False,
            **self.further_arguments(options),
            **given,
        )
        start = 1 if self.model.config.is_encoder_decoder else batch["input_ids"].shape[1]
        ends, pad = set(options.resolved.eos_ids), options.resolved.pad_token_id
        new = [_without_end(row, ends, pad) for row in sequences[:, start:].tolist()]
        copies = options.resolved.num_return_sequences
        return [new[first : first + copies] for first in range(0, len(new), copies)]

    def further_arguments(self, options: GeneratingT) -> Mapping[str, Any]:
        """What `generate` is given besides its options."""
        return {}

    def results(self, texts: Sequence[object], key: str, **further: Sequence[object]) -> Result:
        """A dict for one text, a list of dicts where the options ask for several.

        ``further`` values of each text, of which there may be none, go by their names.
        """
        columns = {name: values for name, values in {key: texts, **further}.items() if values}
        records = [Record(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return records[0] if len(records) == 1 else records


def _given_by(generation_config: object) -> dict[str, Any]:
    """What an object like a model's ``generation_config`` sets of a task's options."""
    if generation_config is None:
        return {}
    from tfx_core.generation.generation_config import given_options  # whom it serves has torch

    return {name: value for name, value in given_options(generation_config).items() if name not in _OUTPUTS}


class Record(dict[str, Any]):
    """One text that was generated, by its name; a number asks for what the reference library has there, a list."""

    def __missing__(self, key: object) -> Any:
        raise KeyError(f"{key!r}: {hint('pipeline(…)', 'generator(prompts)[0][0]')}" if key == 0 else key)


def named_settings(model: "Model") -> dict[str, dict[str, Any]]:
    """``task_specific_params`` of the checkpoint's ``config.json``: name -> settings."""
    return settings_in(model.config, model.file_label("config.json"))


def settings_in(config: "ModelConfig", where: str) -> dict[str, dict[str, Any]]:
    """The same of a config, which errors call ``where``."""
    stored = config.extra.get("task_specific_params") or {}
    if not isinstance(stored, dict) or not all(isinstance(each, dict) for each in stored.values()):
        raise ConfigError(f"{where}: task_specific_params={shown(stored)}: must map names of tasks to settings")
    for name, settings in stored.items():
        if not isinstance(settings.get("prefix", ""), str):
            key = f"task_specific_params.{in_one_line(name, 80)}.prefix"
            raise ConfigError(f"{where}: {key}={shown(settings['prefix'])}: must be a string")
    return stored


def stored_prefix(model: "Model", settings: Mapping[str, Any]) -> str:
    """What the checkpoint says every input begins with: for a task, else for all."""
    prefix = settings.get("prefix", model.config.extra.get("prefix"))
    if prefix is not None and not isinstance(prefix, str):
        raise ConfigError(f"{model.file_label('config.json')}: prefix={shown(prefix)}: must be a string")
    return prefix or ""


def row_of(ids: Sequence[int]) -> TextWindow:
    """A row of model input of which only the tokens count."""
    return TextWindow({"input_ids": ids, "attention_mask": [1] * len(ids)})


def _without_end(tokens: list[int], ends: set[int], pad: int | None) -> list[int]:
    """Tokens up to the first end token, or without the padding behind them."""
    end = next((place for place, token in enumerate(tokens) if token in ends), len(tokens))
    tokens = tokens[:end]
    while tokens and tokens[-1] == pad:
        tokens.pop()
    return tokens
