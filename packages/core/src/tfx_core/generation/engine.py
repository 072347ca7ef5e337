"""`generate` and `decode`: from a call's arguments to its result, by the strategy that the options ask for."""

import inspect
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.generation.assisted import Assistant, decode_assisted
from tfx_core.generation.beam import decode_beams
from tfx_core.generation.constrained import decode_constrained
from tfx_core.generation.contrastive import decode_contrastive
from tfx_core.generation.defaults import SPECIAL_TOKENS
from tfx_core.generation.generation_config import GenerationConfig, given_options
from tfx_core.generation.groups import decode_groups
from tfx_core.generation.guidance import check_room, guided, negative_inputs
from tfx_core.generation.lookup import decode_lookup
from tfx_core.generation.openings import check_openings
from tfx_core.generation.options import OPTION_NAMES, GenerationOptions, Strategy, outdone, over
from tfx_core.generation.output import Decoded, GenerationOutput, ScoreRecorder, outside_inference
from tfx_core.generation.processors import AllowedTokens, Processor, build_processors, first_processors
from tfx_core.generation.prompts import Prompts, greatest_lengths, padding_token, prepare
from tfx_core.generation.search import Search
from tfx_core.generation.shortlist import Shortlist, narrow
from tfx_core.generation.sides import Sides
from tfx_core.generation.state import REPORTS, DecodingState, GenerativeModel, ReservingState
from tfx_core.generation.stepwise import decode_stepwise
from tfx_core.generation.stopping import Stopping, StoppingCriterion, StopStrings, TextDecoder
from tfx_core.generation.streaming import Streamer, check_streamer, told_of_errors
from tfx_core.generation.theirs import WholeBatch, criteria_of, processors_of
from tfx_core.habits import hint, translated, unknown
from tfx_core.nn import for_inference


def generate(
    model: GenerativeModel,
    input_ids: Tensor | None = None,
    *,
    generation_config: GenerationConfig | GenerationOptions | Mapping[str, Any] | None = None,
    use_model_defaults: bool | None = None,
    prefix_allowed_tokens_fn: AllowedTokens | None = None,
    logits_processor: Sequence[Processor] | None = None,
    stopping_criteria: Sequence[StoppingCriterion] | None = None,
    streamer: Streamer | None = None,
    tokenizer: TextDecoder | None = None,
    negative_prompt_ids: Tensor | None = None,
    negative_prompt_attention_mask: Tensor | None = None,
    assistant_model: GenerativeModel | None = None,
    shortlist: Shortlist | None = None,
    **arguments: Any,
) -> Tensor | GenerationOutput:
    """Continue the prompts ``input_ids`` ``(B, P)``, or decode an output for them where the model has an encoder.

    ``arguments`` are fields of `GenerationOptions` and inputs of the model such as ``attention_mask``; each is honoured
    or refused. Options go over those of ``generation_config``, in any form that `GenerationConfig.of` takes, and these
    over the checkpoint's own, of which ``use_model_defaults=False`` leaves the special tokens alone. ``tokenizer`` is
    what ``stop_strings`` are found with; where it has ``control_codes``, a warning tells of a prompt that begins with
    none. The result is ``(N, P + T)`` token ids with the prompts padded on the left, whichever side they came padded
    on, and finished texts on the right; of models with an encoder it begins with the decoder's start token, of prompts
    given as ``inputs_embeds`` alone it has the new tokens only.
    ``return_dict_in_generate=True`` returns a `GenerationOutput`. Each text is the one that its prompt would give
    alone, without padding.

    ``logits_processor`` and ``stopping_criteria`` may be written for transformers. With ``guidance_scale``, texts are
    led away from ``negative_prompt_ids`` ``(B, N)``, which an encoder reads where there is one; by default from the
    last token of each prompt. ``assistant_model``, a smaller one of the same vocabulary, guesses tokens for greedy
    search and sampling, which saves time and changes none.

    ``shortlist`` bounds each text to the `Shortlist` of its source, of which alone the output layer is computed. Greedy
    search gives what it would give without, wherever the shortlist has that; so do beams where the tokens outside have
    no probability. Else beams and samples go by the probabilities among the candidates, as in Marian.

    Raises `TypeError` for an unknown name and `InputError` for what cannot be meant.
    """
    check_streamer(streamer)
    if model.architecture.decoding is None:
        raise InputError(f"{type(model.config).__name__.removesuffix('Config')} models cannot generate")
    with told_of_errors(streamer), torch.inference_mode():
        given, inputs = _options_and_inputs({"input_ids": input_ids, **arguments}, model.input_names)
        _check_prompt(inputs.get("input_ids"))
        model.check_types(inputs)
        own = given_options(generation_config)
        options = _stored(model, use_model_defaults).updated(**{**own, **over(own, given)})
        for reason in (*outdone(given), *options.without_effect(list(given))):
            warnings.warn(reason, stacklevel=4)  # to whoever calls Model.generate
        strategy = options.strategy if assistant_model is None else options.assisted
        sides = Sides.of(model)
        sides.check(options)
        _check_reports(inputs, options, strategy)
        negative = negative_prompt_ids, negative_prompt_attention_mask
        begun = _begin(model, inputs, options, given, negative, assistant_model)
        if shortlist is not None:
            narrow(model, begun.state, shortlist, begun.source, options)
        check_openings(begun.prompts, tokenizer, stacklevel=5)
    with torch.inference_mode():
        output = decode(
            begun.state,
            begun.prompts,
            options,
            limits=begun.limits,
            source=begun.source if sides.alike else None,
            prefix_allowed_tokens_fn=prefix_allowed_tokens_fn,
            logits_processor=logits_processor,
            stopping_criteria=stopping_criteria,
            streamer=streamer,
            tokenizer=tokenizer,
            assistant=begun.assistant,
        )
    output = outside_inference(output)
    return output if options.return_dict_in_generate else output.sequences


class _Begun(NamedTuple):
    """What a model makes of a call's inputs."""

    state: DecodingState
    prompts: Prompts
    source: Prompts | None
    limits: Tensor
    assistant: Assistant | None


def _begin(
    model: GenerativeModel,
    inputs: dict[str, Any],
    options: GenerationOptions,
    given: Collection[str],
    negative: tuple[Tensor | None, Tensor | None],
    by: GenerativeModel | None,
) -> _Begun:
    prompts, source = prepare(model, inputs, options)
    limits = greatest_lengths(prompts, options, model.most_read, given)
    twin = for_inference(model) if isinstance(model, nn.Module) else model
    state = model.architecture.decoding(twin, inputs)
    if isinstance(state, ReservingState):
        state.reserve(int(limits.max()))
    if options.guidance_scale != 1:
        read = source if model.config.is_encoder_decoder else prompts
        others = negative_inputs(inputs, read, *negative, rows=len(prompts))
        if not model.config.is_encoder_decoder:
            check_room(others["input_ids"], int((limits - prompts.lengths).max()), model.most_read)
        state = guided(state, model.architecture.decoding(twin, others), options.guidance_scale)
    elif negative[0] is not None:
        warnings.warn("negative_prompt_ids has no effect without guidance_scale", stacklevel=5)
    assistant = None if by is None else Assistant.of(by, prompts, source, model)
    return _Begun(state, prompts, source, limits, assistant)


def decode(
    state: DecodingState,
    prompts: Prompts,
    options: GenerationOptions,
    *,
    limits: Tensor | None = None,
    source: Prompts | None = None,
    prefix_allowed_tokens_fn: AllowedTokens | None = None,
    logits_processor: Sequence[Processor] | None = None,
    stopping_criteria: Sequence[StoppingCriterion] | None = None,
    streamer: Streamer | None = None,
    tokenizer: TextDecoder | None = None,
    assistant: Assistant | None = None,
) -> GenerationOutput:
    """Decode from a state that was made for these prompts: the engine below `generate`, without a model.

    ``limits`` ``(B,)`` are the greatest lengths, by default from the options; ``source`` is what an encoder read.
    """
    with told_of_errors(streamer):
        limits = greatest_lengths(prompts, options, None) if limits is None else limits
        strategy = options.strategy if assistant is None else options.assisted
        if strategy.is_beam and streamer is not None:
            raise InputError(f"streaming with {strategy.value}: texts are only known at the end; set num_beams=1")
        if options.seeds is not None and len(options.seeds) != len(prompts):
            raise InputError(f"seeds: {len(options.seeds)} given, for a batch of {len(prompts)}")
        strings = _stop_strings(options, tokenizer)
        pad = padding_token(options, prompts, limits, bool(stopping_criteria or strings))
        batch = WholeBatch(prompts, options, pad)
        processors = processors_of(logits_processor, batch)
        recorder = ScoreRecorder.of(options, len(prompts), pad, state)
        criteria = (*criteria_of(stopping_criteria, batch, processors, recorder, beams=strategy.is_beam), *strings)
        search = Search(
            options=options,
            prompts=prompts,
            limits=limits,
            processors=build_processors(options, _read(prompts, source), prefix_allowed_tokens_fn, processors),
            stopping=Stopping(options.eos_ids, options.max_time, criteria),
            recorder=recorder,
            pad=pad,
            first=first_processors(options),
            source=source,
            streamer=streamer,
            assistant=assistant,
        )
        decoded = DECODERS[strategy](state, search)
    return decoded.output(prompts, options.num_return_sequences, pad, search.recorder)


DECODERS: Mapping[Strategy, Callable[[DecodingState, Search], Decoded]] = {
    Strategy.GREEDY: decode_stepwise,
    Strategy.SAMPLE: decode_stepwise,
    Strategy.LOOKUP: decode_lookup,
    Strategy.ASSISTED: decode_assisted,
    Strategy.CONTRASTIVE: decode_contrastive,
    Strategy.BEAM: decode_beams,
    Strategy.GROUP_BEAM: decode_groups,
    Strategy.CONSTRAINED_BEAM: decode_constrained,
}


def _read(prompts: Prompts, source: Prompts | None) -> Prompts | None:
    """What was read before the new tokens, as far as its ids are known."""
    return prompts if source is None and prompts.vectors is None else source


def _options_and_inputs(
    arguments: Mapping[str, object], input_names: Collection[str]
) -> tuple[dict[str, object], dict[str, Any]]:
    """The arguments that are options, and those that are inputs of the model."""
    asked = {
        name: value
        for name, value in arguments.items()
        if name in OPTION_NAMES or not (value is None or (name in REPORTS and value is False))
    }
    asked = translated("generate", asked)
    options = {name: value for name, value in asked.items() if name in OPTION_NAMES}
    inputs = {name: value for name, value in asked.items() if name not in options}
    if wrong := inputs.keys() - set(input_names):
        raise TypeError(unknown("generate", wrong, OPTION_NAMES.union(input_names, _ARGUMENTS)))
    return options, inputs


_ARGUMENTS = frozenset(
    name for name, each in inspect.signature(generate).parameters.items() if each.kind is each.KEYWORD_ONLY
)


def _check_reports(inputs: dict[str, Any], options: GenerationOptions, strategy: Strategy) -> None:
    """Leave out of the ``inputs`` the reports that nothing would hold; raises `InputError` where there are none."""
    for name in [each for each in REPORTS if each in inputs]:
        if not options.return_dict_in_generate:
            warnings.warn(f"{name}=True has no effect without return_dict_in_generate=True", stacklevel=5)
            del inputs[name]
        elif options.guidance_scale != 1 or not (strategy.is_beam or strategy in (Strategy.GREEDY, Strategy.SAMPLE)):
            what = "classifier-free guidance" if options.guidance_scale != 1 else strategy.value
            cure = hint("generate", "output_attentions=True, prompt_lookup_num_tokens=3")
            raise InputError(f"{name}: not with {what}, {cure}")


def _check_prompt(ids: object) -> None:
    """Raise `InputError` for what a tokenizer gives, or is given, in the place of ids."""
    if isinstance(ids, Mapping):
        raise InputError(f"input_ids is a batch: {hint('generate', 'model.generate(batch)')}")
    if isinstance(ids, str) or (isinstance(ids, Sequence) and ids and isinstance(ids[0], str)):
        raise InputError(f"input_ids is text: {hint('generate', 'model.generate(text)')}")
    if isinstance(ids, Sequence):
        raise InputError(f"input_ids is a list: {hint('generate', 'model.generate([[1, 2]])')}")


def _stored(model: GenerativeModel, use_model_defaults: bool | None) -> GenerationOptions:
    """The checkpoint's own options, or its special tokens alone."""
    stored = model.generation_options
    if use_model_defaults is not False:
        return stored
    return GenerationOptions(**{name: getattr(stored, name) for name in SPECIAL_TOKENS})


def _stop_strings(options: GenerationOptions, tokenizer: TextDecoder | None) -> list[StoppingCriterion]:
    if not options.strings:
        return []
    if tokenizer is None:
        raise InputError(f"stop_strings={options.stop_strings!r}: pass tokenizer, which the strings are found with")
    return [StopStrings(options.strings, tokenizer)]
