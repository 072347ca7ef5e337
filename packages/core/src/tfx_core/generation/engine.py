"""`generate` and `decode`: from a call's arguments to its result, by the strategy that the options ask for."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.generation.assisted import Assistant, decode_assisted
from tfx_core.generation.beam import decode_beams
from tfx_core.generation.constrained import decode_constrained
from tfx_core.generation.contrastive import decode_contrastive
from tfx_core.generation.defaults import options_from_files
from tfx_core.generation.groups import decode_groups
from tfx_core.generation.lookup import decode_lookup
from tfx_core.generation.options import OPTION_NAMES, GenerationOptions, Strategy
from tfx_core.generation.output import Decoded, GenerationOutput, ScoreRecorder, outside_inference
from tfx_core.generation.processors import AllowedTokens, Processor, build_processors
from tfx_core.generation.prompts import Prompts, greatest_lengths, padding_token, prepare
from tfx_core.generation.search import Search
from tfx_core.generation.state import DecodingState, GenerativeModel
from tfx_core.generation.stepwise import decode_stepwise
from tfx_core.generation.stopping import Stopping, StoppingCriterion, StopStrings, TextDecoder
from tfx_core.generation.streaming import Streamer, told_of_errors
from tfx_core.nn import for_inference


def generate(
    model: GenerativeModel,
    input_ids: Tensor | None = None,
    *,
    generation_config: GenerationOptions | Mapping[str, Any] | None = None,
    prefix_allowed_tokens_fn: AllowedTokens | None = None,
    logits_processor: Sequence[Processor] = (),
    stopping_criteria: Sequence[StoppingCriterion] = (),
    streamer: Streamer | None = None,
    tokenizer: TextDecoder | None = None,
    assistant_model: GenerativeModel | None = None,
    **arguments: Any,
) -> Tensor | GenerationOutput:
    """Continue the prompts ``input_ids`` ``(B, P)``, or decode an output for them where the model has an encoder.

    ``arguments`` are fields of `GenerationOptions`, which replace the checkpoint's own (or those of
    ``generation_config``, which may also be the contents of such a file), and inputs of the model such as
    ``attention_mask``; each is honoured or refused. The result is ``(N, P + T)`` token ids with the prompts padded on
    the left, whichever side they came padded on, and finished texts on the right; of models with an encoder it begins
    with the decoder's start token, of prompts given as ``inputs_embeds`` alone it has the new tokens only.
    ``return_dict_in_generate=True`` returns a `GenerationOutput`. Each text is the one that its prompt would give
    alone, without padding.

    Raises `TypeError` for an unknown name and `InputError` for what cannot be meant.
    """
    with told_of_errors(streamer), torch.inference_mode():
        given, inputs = _options_and_inputs(arguments, model.input_names)
        if input_ids is not None:
            inputs["input_ids"] = input_ids
        model.check_types(inputs)
        options = model.generation_options if generation_config is None else options_from_files(generation_config, None)
        options = options.updated(**given)
        for reason in options.without_effect(list(given)):
            warnings.warn(reason, stacklevel=4)  # to whoever calls Model.generate
        if model.architecture.decoding is None:
            raise InputError(f"{type(model.config).__name__.removesuffix('Config')} models cannot generate")
        prompts, source = prepare(model, inputs, options)
        limits = greatest_lengths(prompts, options, model.max_positions, given)
        twin = for_inference(model) if isinstance(model, nn.Module) else model
        state = model.architecture.decoding(twin, inputs)
        size = getattr(model.config, "vocab_size", None)
        assistant = None if assistant_model is None else Assistant.of(assistant_model, prompts, source, size)
    with torch.inference_mode():
        output = decode(
            state,
            prompts,
            options,
            limits=limits,
            source=source,
            prefix_allowed_tokens_fn=prefix_allowed_tokens_fn,
            logits_processor=logits_processor,
            stopping_criteria=stopping_criteria,
            streamer=streamer,
            tokenizer=tokenizer,
            assistant=assistant,
        )
    output = outside_inference(output)
    return output if options.return_dict_in_generate else output.sequences


def decode(
    state: DecodingState,
    prompts: Prompts,
    options: GenerationOptions,
    *,
    limits: Tensor | None = None,
    source: Prompts | None = None,
    prefix_allowed_tokens_fn: AllowedTokens | None = None,
    logits_processor: Sequence[Processor] = (),
    stopping_criteria: Sequence[StoppingCriterion] = (),
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
        criteria = (*stopping_criteria, *_stop_strings(options, tokenizer))
        pad = padding_token(options, prompts, limits, bool(criteria))
        search = Search(
            options=options,
            prompts=prompts,
            limits=limits,
            processors=build_processors(options, _read(prompts, source), prefix_allowed_tokens_fn, logits_processor),
            stopping=Stopping(options.eos_ids, options.max_time, criteria),
            recorder=ScoreRecorder.of(options, len(prompts), pad),
            pad=pad,
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


_REPORTS = ("output_attentions", "output_hidden_states")
"""Switches of a call that ask for nothing where they are off, as files of the reference library have them."""


def _read(prompts: Prompts, source: Prompts | None) -> Prompts | None:
    """What was read before the new tokens, as far as its ids are known."""
    return prompts if source is None and prompts.vectors is None else source


def _options_and_inputs(
    arguments: Mapping[str, object], input_names: Collection[str]
) -> tuple[dict[str, object], dict[str, Any]]:
    """The arguments that are options, and those that are inputs of the model."""
    options = {name: value for name, value in arguments.items() if name in OPTION_NAMES}
    idle = {name for name, value in arguments.items() if value is None or (name in _REPORTS and value is False)}
    inputs = {name: value for name, value in arguments.items() if name not in options.keys() | idle}
    unknown = sorted(inputs.keys() - set(input_names))
    if unknown:
        raise TypeError(
            f"unknown argument {', '.join(map(repr, unknown))}; this model takes {', '.join(input_names)}, "
            f"and the options are {', '.join(sorted(OPTION_NAMES))}"
        )
    return options, inputs


def _stop_strings(options: GenerationOptions, tokenizer: TextDecoder | None) -> list[StoppingCriterion]:
    if not options.strings:
        return []
    if tokenizer is None:
        raise InputError(f"stop_strings={options.stop_strings!r}: pass tokenizer, which the strings are found with")
    return [StopStrings(options.strings, tokenizer)]
