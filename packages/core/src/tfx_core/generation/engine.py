"""`generate`: from a call's arguments to its result."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.generation.beam import decode_beams
from tfx_core.generation.constrained import decode_constrained
from tfx_core.generation.contrastive import decode_contrastive
from tfx_core.generation.groups import Diversity, decode_groups
from tfx_core.generation.lookup import decode_lookup
from tfx_core.generation.options import OPTION_NAMES, GenerationOptions, Strategy
from tfx_core.generation.output import Found, GenerationOutput, Recorder
from tfx_core.generation.processors import AllowedTokens, Processor, build_processors, normalise
from tfx_core.generation.rows import Prompts, Rows
from tfx_core.generation.sampling import warped
from tfx_core.generation.search import Search
from tfx_core.generation.state import DecodingState, GenerativeModel
from tfx_core.generation.stepwise import decode_stepwise
from tfx_core.generation.stopping import Stopping, StoppingCriterion, StopStrings, TextDecoder
from tfx_core.generation.streaming import Streamer
from tfx_core.nn import for_inference

_NEW_TOKENS = 20


def generate(
    model: GenerativeModel,
    input_ids: Tensor | None = None,
    *,
    generation_config: GenerationOptions | None = None,
    prefix_allowed_tokens_fn: AllowedTokens | None = None,
    logits_processor: Sequence[Processor] = (),
    stopping_criteria: Sequence[StoppingCriterion] = (),
    streamer: Streamer | None = None,
    tokenizer: TextDecoder | None = None,
    **arguments: Any,
) -> Tensor | GenerationOutput:
    """Continue the prompts ``input_ids`` ``(B, P)``, or decode an output for them where the model has an encoder.

    ``arguments`` are fields of `GenerationOptions`, which replace the checkpoint's own (or those of
    ``generation_config``), and inputs of the model such as ``attention_mask``. The result is ``(N, P + T)`` token ids
    with the prompts padded on the left, whichever side they came padded on, and finished texts on the right; of models
    with an encoder it begins with the decoder's start token. ``return_dict_in_generate=True`` returns a
    `GenerationOutput`. Each text is the one that its prompt would give alone, without padding.

    Raises `TypeError` for an unknown name and `InputError` for what cannot be meant.
    """
    given = {name: value for name, value in arguments.items() if name in OPTION_NAMES}
    inputs = {name: value for name, value in arguments.items() if name not in OPTION_NAMES and value is not None}
    unknown = sorted(inputs.keys() - set(model.input_names))
    if unknown:
        raise TypeError(
            f"unknown argument {', '.join(map(repr, unknown))}; this model takes {', '.join(model.input_names)}, "
            f"and the options are {', '.join(sorted(OPTION_NAMES))}"
        )
    if input_ids is not None:
        inputs["input_ids"] = input_ids
    options = (generation_config or model.generation_options).updated(**given)
    for reason in options.without_effect(list(given)):
        warnings.warn(reason, stacklevel=3)
    if model.architecture.decoding is None:
        raise InputError(f"{type(model.config).__name__.removesuffix('Config')} models cannot generate")
    with torch.inference_mode():
        prompts, source = prepare(model, inputs, options)
        limits = greatest_lengths(prompts, options, model.max_positions, given)
        twin = for_inference(model) if isinstance(model, nn.Module) else model
        output = decode(
            model.architecture.decoding(twin, inputs),
            prompts,
            options,
            limits=limits,
            source=source,
            prefix_allowed_tokens_fn=prefix_allowed_tokens_fn,
            logits_processor=logits_processor,
            stopping_criteria=stopping_criteria,
            streamer=streamer,
            tokenizer=tokenizer,
        )
    output = _ordinary(output)
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
) -> GenerationOutput:
    """Decode from a state that was made for these prompts: the engine below `generate`, without a model.

    ``limits`` ``(B,)`` are the greatest lengths, by default from the options; ``source`` is what an encoder read.
    """
    limits = greatest_lengths(prompts, options, None, ()) if limits is None else limits
    strategy = options.strategy
    beams = strategy.beams
    if beams and streamer is not None:
        raise InputError(f"streaming with {strategy.value}: texts are only known at the end; set num_beams=1")
    if options.seeds is not None and len(options.seeds) != len(prompts):
        raise InputError(f"seeds: {len(options.seeds)} given, for a batch of {len(prompts)}")
    criteria = list(stopping_criteria)
    if options.strings:
        if tokenizer is None:
            raise InputError(f"stop_strings={options.stop_strings!r}: pass tokenizer, which the strings are found with")
        criteria.append(StopStrings(options.strings, tokenizer))
    pad = _padding(options, prompts, limits, bool(criteria))
    diversity = Diversity(options.diversity_penalty)
    last = _last_processors(options, beams=beams)
    search = Search(
        options=options,
        prompts=prompts,
        limits=limits,
        processors=build_processors(
            options,
            source or prompts,
            prefix_allowed_tokens_fn,
            (*logits_processor, *last),
            first=(diversity,) if strategy is Strategy.GROUP_BEAM else (),
        ),
        stopping=Stopping(options.eos_ids, options.max_time, criteria),
        recorder=Recorder(
            len(prompts) * max(options.num_beams, options.num_return_sequences),
            pad,
            scores=options.output_scores and options.return_dict_in_generate,
            logits=options.output_logits and options.return_dict_in_generate,
        ),
        pad=pad,
        source=source,
        streamer=streamer,
    )
    found = _found(state, search, strategy, diversity)
    return found.output(prompts, options.num_return_sequences, pad, search.recorder)


def _found(state: DecodingState, search: Search, strategy: Strategy, diversity: Diversity) -> Found:
    match strategy:
        case Strategy.GREEDY | Strategy.SAMPLE:
            return decode_stepwise(state, search)
        case Strategy.LOOKUP:
            return decode_lookup(state, search)
        case Strategy.CONTRASTIVE:
            return decode_contrastive(state, search)
        case Strategy.BEAM:
            return decode_beams(state, search)
        case Strategy.GROUP_BEAM:
            return decode_groups(state, search, diversity)
        case Strategy.CONSTRAINED_BEAM:
            return decode_constrained(state, search)


def prepare(
    model: GenerativeModel, inputs: dict[str, Any], options: GenerationOptions
) -> tuple[Prompts, Prompts | None]:
    """What the texts begin with, and what the encoder reads; fills in the inputs that follow from the options.

    Without a mask, the padding token is taken for padding unless it is also an end token, as in transformers.
    """
    ids, mask = inputs.get("input_ids"), inputs.get("attention_mask")
    pad = options.pad_token_id
    if ids is not None and mask is None and pad is not None and pad not in options.eos_ids and bool((ids == pad).any()):
        mask = inputs["attention_mask"] = (ids != pad).long()
    if not model.config.is_encoder_decoder:
        if ids is None:
            if options.bos_token_id is None:
                raise InputError("input_ids: give a prompt; this model has no bos_token_id to begin with")
            ids = inputs["input_ids"] = torch.tensor([[options.bos_token_id]], device=model.device)
        return Prompts.from_padded(ids, mask), None
    source = None if ids is None else Prompts.from_padded(ids, mask)
    start, start_mask = _decoder_start(inputs, options)
    inputs["decoder_input_ids"] = start
    if start_mask is not None:
        inputs["decoder_attention_mask"] = start_mask
    return Prompts.from_padded(start, start_mask, "decoder_input_ids"), source


def greatest_lengths(
    prompts: Prompts, options: GenerationOptions, positions: int | None, explicit: Sequence[str] | Mapping[str, Any]
) -> Tensor:
    """How long each text ``(B,)`` may become, prompt included; ``explicit`` are the options that the caller set.

    ``positions`` is the most tokens that the model reads. The last new token is not read any more, except in
    contrastive search, which reads all candidates for it.
    """
    lengths = prompts.lengths
    longest = int(lengths.max())
    if positions is not None and longest > positions:
        raise InputError(f"a prompt of {longest} tokens: the model has positions for {positions}; shorten it")
    if options.max_new_tokens is not None:
        limits, asked = lengths + options.max_new_tokens, f"max_new_tokens={options.max_new_tokens}"
    elif options.max_length is not None:
        limits, asked = torch.full_like(lengths, options.max_length), f"max_length={options.max_length}"
    else:
        limits, asked = lengths + _NEW_TOKENS, ""
    room = None if positions is None else positions + (options.strategy is not Strategy.CONTRASTIVE)
    if room is not None and int(limits.max()) > room:
        if asked.split("=")[0] in explicit:
            raise InputError(
                f"{asked} after a prompt of {longest} tokens: the model has positions for {positions}; "
                f"a text of up to {room} tokens is possible"
            )
        # a checkpoint's default, or ours, means as much as there is room for
        limits = limits.clamp(max=room)
    if bool((limits <= lengths).any()):
        row = int((limits <= lengths).nonzero()[0])
        raise InputError(
            f"max_length={int(limits[row])}: the prompt in row {row} has {int(lengths[row])} tokens; shorten it, "
            "or raise max_length or set max_new_tokens, which does not count it"
        )
    return limits


def _decoder_start(inputs: Mapping[str, Any], options: GenerationOptions) -> tuple[Tensor, Tensor | None]:
    """The decoder's input ``(B, P)`` and its mask, beginning with the start token."""
    ids: Tensor | None = inputs.get("decoder_input_ids")
    mask: Tensor | None = inputs.get("decoder_attention_mask")
    token = options.bos_token_id if options.decoder_start_token_id is None else options.decoder_start_token_id
    if token is None:
        if ids is None:
            raise InputError(
                "decoder_start_token_id: the checkpoint names neither it nor bos_token_id; pass it or decoder_input_ids"
            )
        return ids, mask
    batch, device = _batch(inputs)
    start = torch.as_tensor(token, device=device).reshape(-1, 1)
    if len(start) not in (1, batch):
        raise InputError(f"decoder_start_token_id: {len(start)} tokens given, for a batch of {batch}")
    start = start.expand(batch, 1)
    if ids is None:
        return start, None
    if bool((ids[:, :1] == start).any()):
        return ids, mask
    # as in transformers: the start token is put before what does not begin with it
    if mask is not None:
        mask = torch.cat((torch.ones_like(mask[:, :1]), mask), dim=1)
    return torch.cat((start, ids), dim=1), mask


def _batch(inputs: Mapping[str, Any]) -> tuple[int, torch.device]:
    for name in ("decoder_input_ids", "input_ids", *inputs):
        value = inputs.get(name)
        if isinstance(value, tuple | list) and value:  # what an encoder gave, its last state first
            value = value[0]
        value = getattr(value, "last_hidden_state", value)
        if isinstance(value, Tensor) and value.ndim:
            return len(value), value.device
    raise InputError("input_ids: give what the encoder is to read")


def _padding(options: GenerationOptions, prompts: Prompts, limits: Tensor, criteria: bool) -> int:
    """The token that fills up shorter texts; `InputError` where one may be needed and none is known."""
    if options.pad_token_id is not None:
        return options.pad_token_id
    if options.eos_ids:
        return options.eos_ids[0]
    several = len(prompts) * options.num_return_sequences > 1
    differ = bool(((limits - prompts.lengths) != (limits - prompts.lengths)[0]).any())
    if several and (criteria or differ):
        raise InputError("pad_token_id: texts of different lengths are filled up with it; pass one")
    return 0


def _last_processors(options: GenerationOptions, *, beams: bool) -> list[Processor]:
    """Filters and normalisation, where they are not left to the sampler or are of no effect on what is chosen."""
    last: list[Processor] = []
    if options.do_sample and (beams or options.output_scores):
        # beams must be able to go on when the best tokens end a text
        keep = max(2, len(options.eos_ids) + 1) if beams else 1

        def warp(scores: Tensor, rows: Rows) -> Tensor:
            return warped(scores, options, keep)

        last.append(warp)
    if options.renormalize_logits and (beams or options.output_scores):
        last.append(normalise)
    return last


def _ordinary(output: GenerationOutput) -> GenerationOutput:
    """Copies outside of inference mode, which a caller may write into and train with."""

    def copied(value: object) -> Any:
        if isinstance(value, tuple):
            return tuple(copied(each) for each in value)
        return value.clone() if isinstance(value, Tensor) and value.is_inference() else value

    return GenerationOutput(**{name: copied(output[name]) for name in output.__dataclass_fields__})
