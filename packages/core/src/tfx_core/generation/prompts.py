"""What a call begins with: its prompts, what its encoder reads, how long its texts may become, what fills them up."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.generation.options import GenerationOptions, Strategy
from tfx_core.generation.state import GenerativeModel
from tfx_core.nn import DecoderCache

_MASKS = {"decoder_input_ids": "decoder_attention_mask", "negative_prompt_ids": "negative_prompt_attention_mask"}
_NEW_TOKENS = 20
"""Of texts whose length nobody limits."""


@dataclass(frozen=True)
class Prompts:
    """What every text of a batch begins with: a prompt, or the decoder's start."""

    ids: Tensor
    """``(B, P)``, each row's tokens from column 0 on; what follows them means nothing."""
    lengths: Tensor
    """``(B,)``."""
    padded: Tensor
    """``(B, P)``, each row's tokens up to the last column, as they begin the result."""
    vectors: Tensor | None = None
    """``(B,)``: how many tokens stand before these of which no id is known, vectors or a cache; ``None`` for none."""

    @classmethod
    def from_padded(cls, ids: Tensor, mask: Tensor | None, what: str = "input_ids") -> Self:
        """Take off the padding: ``mask`` is 0 there, on either side.

        Raises `InputError` naming the row for a prompt without a token; ``what`` is the name of the ids.
        """
        if ids.ndim != 2 or ids.dtype not in (torch.int64, torch.int32):
            raise InputError(f"{what}: must be token ids of shape (batch, length), got {ids.dtype} {tuple(ids.shape)}")
        ids = ids.long()
        if mask is None:
            lengths = torch.full((len(ids),), ids.shape[1], device=ids.device)
            prompts = cls(ids, lengths, ids)
        else:
            _check_mask(mask, ids, what)
            real = mask.to(ids.device) != 0
            # stable sorts keep the order among tokens and among padding
            first = ids.gather(1, torch.argsort((~real).to(torch.uint8), dim=1, stable=True))
            last = ids.gather(1, torch.argsort(real.to(torch.uint8), dim=1, stable=True))
            prompts = cls(first, real.sum(1), last)
        _check_rows(prompts.lengths, what)
        return prompts

    @classmethod
    def of_vectors(cls, vectors: Tensor, mask: Tensor | None) -> Self:
        """Prompts given as ``inputs_embeds`` ``(B, P, D)``: no token of them is known; raises as `from_padded` does."""
        if vectors.ndim != 3 or not vectors.is_floating_point():
            raise InputError(
                f"inputs_embeds: must be vectors of shape (batch, length, width), got {vectors.dtype} "
                f"{tuple(vectors.shape)}"
            )
        if mask is not None:
            _check_mask(mask, vectors, "inputs_embeds")
        lengths = torch.full((len(vectors),), vectors.shape[1], device=vectors.device)
        lengths = lengths if mask is None else (mask.to(vectors.device) != 0).sum(1)
        _check_rows(lengths, "inputs_embeds")
        none = lengths[:, None][:, :0]
        return cls(none, torch.zeros_like(lengths), none, lengths)

    @property
    def text_lengths(self) -> Tensor:
        """``(B,)``, vectors included."""
        return self.lengths if self.vectors is None else self.lengths + self.vectors

    def __len__(self) -> int:
        return len(self.ids)


def prepare(
    model: GenerativeModel, inputs: dict[str, Any], options: GenerationOptions
) -> tuple[Prompts, Prompts | None]:
    """What the texts begin with, and what the encoder reads; fills in the inputs that follow from the options.

    Without a mask, the padding token is taken for padding unless it is also an end token, as in transformers.
    """
    ids = inputs.get("input_ids")
    if ids is not None and inputs.get("attention_mask") is None and _has_padding(ids, options):
        inputs["attention_mask"] = (ids != options.pad_token_id).long()
    mask = inputs.get("attention_mask")
    past = _past(inputs, options)
    if not model.config.is_encoder_decoder:
        if past is not None:
            return _after(past, inputs, ""), None
        if inputs.get("inputs_embeds") is not None:
            return _with_vectors(inputs), None
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
    if past is not None:
        return _after(past, inputs, "decoder_"), source
    return Prompts.from_padded(start, start_mask, "decoder_input_ids"), source


def greatest_lengths(
    prompts: Prompts, options: GenerationOptions, positions: int | None, explicit: Collection[str] = ()
) -> Tensor:
    """How many ids each text ``(B,)`` may have, prompt included; ``explicit`` are the options that the caller set.

    ``positions`` is the most tokens that the model reads. The last new token is not read any more, except in
    contrastive search, which reads all candidates for it.
    """
    lengths = prompts.text_lengths
    longest = int(lengths.max())
    if positions is not None and longest > positions:
        raise InputError(f"a prompt of {longest} tokens: the model has positions for {positions}; shorten it")
    limits, option = _wanted_lengths(lengths, options, explicit)
    room = None if positions is None else positions + (options.strategy is not Strategy.CONTRASTIVE)
    if room is not None and int(limits.max()) > room:
        if option in explicit:
            raise InputError(
                f"{option}={getattr(options, option)} after a prompt of {longest} tokens: the model has positions "
                f"for {positions}; a text of up to {room} tokens is possible"
            )
        # a checkpoint's default, or ours, means as much as there is room for
        limits = limits.clamp(max=room)
    if bool((limits <= lengths).any()):
        row = int((limits <= lengths).nonzero()[0])
        raise InputError(
            f"max_length={int(limits[row])}: the prompt in row {row} has {int(lengths[row])} tokens; shorten it, "
            "or raise max_length or set max_new_tokens, which does not count it"
        )
    return limits if prompts.vectors is None else limits - prompts.vectors


def padding_token(options: GenerationOptions, prompts: Prompts, limits: Tensor, criteria: bool) -> int:
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


def _with_vectors(inputs: dict[str, Any]) -> Prompts:
    """Prompts of a decoder that reads vectors; ids beside them are their names in the result and for processors."""
    vectors, ids, mask = inputs["inputs_embeds"], inputs.pop("input_ids", None), inputs.get("attention_mask")
    if ids is None or (ids.ndim == 2 and ids.shape[1] == 0):
        return Prompts.of_vectors(vectors, mask)
    if vectors.shape[:2] != ids.shape:
        raise InputError(
            f"inputs_embeds of shape {tuple(vectors.shape)}: input_ids have {tuple(ids.shape)}; give vectors of these "
            "tokens, or only vectors"
        )
    return Prompts.from_padded(ids, mask)


def _past(inputs: dict[str, Any], options: GenerationOptions) -> DecoderCache | None:
    """The cache of an earlier call, if it has read anything; raises `InputError` where nothing can go on with it."""
    past: DecoderCache | None = inputs.get("past_key_values")
    if past is None or past.real is None:
        inputs.pop("past_key_values", None)
        return None
    if options.strategy is Strategy.CONTRASTIVE:
        raise InputError("past_key_values: contrastive search compares with states of the whole text, which it has not")
    if options.guidance_scale != 1:
        raise InputError("past_key_values: not with guidance_scale; it has nothing of the negative prompt's text")
    return past


def _after(past: DecoderCache, inputs: dict[str, Any], prefix: str) -> Prompts:
    """Prompts of which ``past`` has the beginning; leaves in the ``inputs`` what it has not.

    The ids are the whole texts, told by their real tokens, wherever the padding is; or only the new tokens, if the
    mask is ``(B, S + P)``, of the remembered ones too.
    """
    what, masked = f"{prefix}input_ids", f"{prefix}attention_mask"
    ids, mask, real = inputs.get(what), inputs.get(masked), past.real
    assert real is not None
    if ids is None or inputs.get(f"{prefix}inputs_embeds") is not None:
        raise InputError(f"past_key_values: give {what} beside it, of the whole text, and no vectors")
    if ids.ndim == 2 and len(ids) != real.batch:
        raise InputError(f"past_key_values has {real.batch} rows, {what} {len(ids)}; must be alike")
    known = real.dense_mask.sum(1)
    if mask is not None and ids.ndim == 2 and mask.shape == (len(ids), real.length + ids.shape[1]):
        inputs[masked] = mask = mask[:, real.length :]
        return replace(Prompts.from_padded(ids, mask, what), vectors=known)
    prompts = Prompts.from_padded(ids, mask, what)
    wrong = (prompts.lengths <= known).nonzero().flatten().tolist()
    if wrong:
        raise InputError(
            f"{what}: row {wrong[0]} has {int(prompts.lengths[wrong[0]])} tokens, of which past_key_values knows "
            f"{int(known[wrong[0]])}; give the whole text, which must be longer, or only the new tokens with {masked} "
            f"of shape ({len(ids)}, {real.length} + new)"
        )
    _cut(inputs, prefix, known, prompts.lengths - known)
    return prompts


def _cut(inputs: dict[str, Any], prefix: str, known: Tensor, new: Tensor) -> None:
    """Leave of each row in the ``inputs`` the ``new`` ``(B,)`` real tokens after as many as are ``known``."""
    ids, mask = inputs[f"{prefix}input_ids"], inputs.get(f"{prefix}attention_mask")
    columns = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    if mask is not None:
        columns = (mask.to(ids.device) == 0).to(torch.uint8).argsort(dim=1, stable=True)
    added = torch.arange(int(new.max()), device=ids.device)
    columns = columns.gather(1, (known[:, None] + added).clamp(max=ids.shape[1] - 1))
    for name in (f"{prefix}input_ids", "token_type_ids", "position_ids", "langs"):
        given = inputs.get(name)
        if given is not None and given.shape[-1] == ids.shape[1]:
            inputs[name] = given.expand(len(ids), -1).gather(1, columns)
    inputs[f"{prefix}attention_mask"] = (added < new[:, None]).long()


def _check_mask(mask: Tensor, tokens: Tensor, what: str) -> None:
    if mask.shape != tokens.shape[:2]:
        name = _MASKS.get(what, "attention_mask")
        raise InputError(f"{name} of shape {tuple(mask.shape)}: {what} are {tuple(tokens.shape[:2])}; must be alike")


def _check_rows(lengths: Tensor, what: str) -> None:
    """Raise `InputError` for a batch of nothing, and for a row of nothing."""
    if len(lengths) == 0:
        raise InputError(f"{what}: the batch is empty")
    empty = (lengths == 0).nonzero().flatten().tolist()
    if empty:
        raise InputError(
            f"{what}: row {empty[0]} has no token; every text needs one to begin with, for example the tokenizer's "
            "bos token"
        )


def _has_padding(ids: Tensor, options: GenerationOptions) -> bool:
    pad = options.pad_token_id
    return pad is not None and pad not in options.eos_ids and bool((ids == pad).any())


def _wanted_lengths(lengths: Tensor, options: GenerationOptions, explicit: Collection[str]) -> tuple[Tensor, str]:
    """The greatest lengths as if there were room for all, and the option that says so.

    A least length goes over a greatest one that the caller did not set, and over a stored one if the caller set it.
    """
    if options.max_new_tokens is not None:
        limits, option = lengths + options.max_new_tokens, "max_new_tokens"
    elif options.max_length is not None:
        limits, option = torch.full_like(lengths, options.max_length), "max_length"
    else:
        limits, option = lengths + _NEW_TOKENS, ""
    least = {"min_new_tokens": lengths + options.min_new_tokens, "min_length": torch.tensor(options.min_length)}
    for name, wanted in least.items():
        if option not in explicit and (name in explicit or not option) and bool((wanted > limits).any()):
            limits, option = limits.maximum(wanted.to(limits.device)), name
    return limits, option


def _decoder_start(inputs: Mapping[str, Any], options: GenerationOptions) -> tuple[Tensor, Tensor | None]:
    """The decoder's input ``(B, P)`` and its mask, beginning with the start token."""
    ids: Tensor | None = inputs.get("decoder_input_ids")
    mask: Tensor | None = inputs.get("decoder_attention_mask")
    token = options.start_ids
    if not token:
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
        return start, mask
    if "past_key_values" in inputs or bool((_first(ids, mask) == start).any()):
        return ids, mask
    # as in transformers: the start token is put before what does not begin with it
    if mask is not None:
        mask = torch.cat((torch.ones_like(mask[:, :1]), mask), dim=1)
    return torch.cat((start, ids), dim=1), mask


def _first(ids: Tensor, mask: Tensor | None) -> Tensor:
    """The first token ``(B, 1)`` of each row that is no padding, wherever that is."""
    if mask is None or mask.shape != ids.shape:
        return ids[:, :1]
    return ids.gather(1, (mask.to(ids.device) != 0).to(torch.uint8).argmax(dim=1, keepdim=True))


def _batch(inputs: Mapping[str, Any]) -> tuple[int, torch.device]:
    """How many rows are given, and where they are."""
    for name in ("decoder_input_ids", "input_ids", *inputs):
        value = inputs.get(name)
        if isinstance(value, tuple | list) and value:  # what an encoder gave, its last state first
            value = value[0]
        value = getattr(value, "last_hidden_state", value)
        if isinstance(value, Tensor) and value.ndim:
            return len(value), value.device
    raise InputError("input_ids: give what the encoder is to read")
