"""What a model is given to show its attention: a text, and for a decoder beside an encoder a target."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tfx_core.errors import InputError, TextError
from tfx_core.nn import AttentionKernel
from tfx_core.tasks.vocabularies import check_vocabulary
from tfx_core.tasks.windows import check_text, length_limit

if TYPE_CHECKING:
    from tfx_core.model.model import Model
    from tfx_core.text import Tokenizer

MOST = 256
"""Tokens that are read where nobody says how many: there is a weight for every pair, layer and head."""

WRITTEN = 24
"""Tokens that a model writes where it is given no target."""


@dataclass(frozen=True)
class Read:
    """The inputs of a call of one row, and what its tokens are called."""

    inputs: dict[str, Tensor]
    source: tuple[str, ...]
    target: tuple[str, ...] | None = None
    """Of a decoder beside an encoder."""
    written: bool = False
    """Whether the target is what the model writes."""


@dataclass(frozen=True)
class Reading:
    """How a model reads texts: cut to ``max_tokens`` where that is given, in languages where it knows several."""

    model: "Model"
    tokenizer: "Tokenizer"
    max_tokens: int | None = None
    src_lang: str | None = None
    tgt_lang: str | None = None

    def read(self, text: str, pair: str | None, target: str | None, kernel: AttentionKernel) -> Read:
        """A text and perhaps its pair, and the target, or what the model writes with this kernel.

        Raises `InputError` for texts that it cannot read, and for a target that nothing reads.
        """
        model = self.model
        check_vocabulary(model, self.tokenizer)
        inputs = self._source(text, pair)
        source = self._labels(inputs["input_ids"], of_source=True)
        reader, writer = model.backbone.source_reader, model.backbone.text_writer
        if reader is None or writer is None or reader is writer:
            if target is not None:
                raise InputError(
                    f"target: a {model.config.model_type} model with the head {model.head_name!r} has no decoder that "
                    "attends to an encoder's tokens; give the text alone"
                )
            return Read(inputs, source)
        if model.head.targets is None:
            instead = "conditional-generation"
            cure = f"; load it with one that does: head={instead!r}" if instead in model.architecture.heads else ""
            raise InputError(
                f"the head {model.head_name!r} of a {model.config.model_type} model reads no target for its text{cure}"
            )
        if target is None:
            ids = self._written(inputs, kernel)
        else:
            ids = model.head.targets(self._target(target, writer.max_positions))
        labels = self._labels(ids, of_source=False)
        return Read({**inputs, "decoder_input_ids": ids}, source, labels, target is None)

    def _source(self, text: str, pair: str | None) -> dict[str, Tensor]:
        """What a call is given of the text, ``(1, S)`` each."""
        for name, each in (("text", text), ("pair", pair)):
            if each is not None and not check_text(each, name).strip():
                raise InputError(f"{name}: there is nothing in it to attend to")
        special = self.tokenizer.num_special_tokens_to_add(pair is not None)
        if self.max_tokens is not None and self.max_tokens <= special:
            raise InputError(
                f"max_tokens={self.max_tokens}: leaves no room beside the {special} special tokens of a row"
            )
        limit = length_limit(self.model, self.tokenizer, self.max_tokens, "max_tokens")
        batch = self.tokenizer(
            text,
            pair,
            truncation=self.max_tokens is not None,
            max_length=self.max_tokens,
            src_lang=self.src_lang,
            tgt_lang=self.tgt_lang,
        )
        self._check_length("text", batch["input_ids"], limit)
        given = {name: values for name, values in batch.items() if name in self.model.input_names}
        return {name: torch.tensor([values], device=self.model.device) for name, values in given.items()}

    def _target(self, target: str, positions: int | None) -> Tensor:
        """The labels ``(1, T)`` of a target."""
        most = None if self.max_tokens is None else min(self.max_tokens, positions or self.max_tokens)
        batch = self.tokenizer(
            text_target=check_text(target, "target"),
            truncation=most is not None,
            max_length=most,
            src_lang=self.src_lang,
            tgt_lang=self.tgt_lang,
        )
        self._check_length("target", batch["input_ids"], positions)
        return torch.tensor([batch["input_ids"]], device=self.model.device)

    def _check_length(self, name: str, ids: Sequence[int], limit: int | None) -> None:
        if not ids:
            raise InputError(f"{name}: the tokenizer makes no tokens of it")
        if self.max_tokens is not None:
            return
        if limit is not None and len(ids) > limit:
            raise InputError(f"{name}: {len(ids)} tokens, but the model takes at most {limit}; max_tokens={limit} cuts")
        if len(ids) > MOST:
            raise InputError(
                f"{name}: {len(ids)} tokens; more than {MOST} are shown where max_tokens={len(ids)} asks for them, and "
                "a lower number cuts"
            )

    def _written(self, inputs: dict[str, Tensor], kernel: AttentionKernel) -> Tensor:
        """What the decoder reads ``(1, T)`` while it writes greedily; the last token it does not read."""
        new = WRITTEN if self.max_tokens is None else min(self.max_tokens, WRITTEN)
        options: dict[str, Any] = {"max_new_tokens": new, "min_new_tokens": 0, "do_sample": False, "num_beams": 1}
        options |= {} if self.tgt_lang is None else self.tokenizer.asking_for(self.tgt_lang)
        ids: Tensor = self.model.generate(**inputs, attention=kernel, **options)
        return ids[:, :-1]

    def _labels(self, ids: Tensor, *, of_source: bool) -> tuple[str, ...]:
        """What to call tokens ``(1, T)``: their text, or their name in the vocabulary where only that can be read."""
        return tuple(self._label(number, of_source=of_source) for number in ids[0].tolist())

    def _label(self, number: int, *, of_source: bool) -> str:
        vocabulary = self.tokenizer.vocabulary if of_source else self.tokenizer.target_vocabulary
        try:
            token = vocabulary.token(number)
        except TextError:  # a model may have more tokens than its tokenizer
            return f"#{number}"
        text = self.tokenizer.decode([number], use_source_tokenizer=of_source).strip()
        return text if text and text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text else token
