"""Funnel."""

from collections.abc import Iterable
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tests.cases.electra import count_labels, labels
from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import Case, encoder_inputs
from tfx_testing.vocabularies import word_pieces

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "block_sizes": [1, 1, 1],
    "num_decoder_layers": 1,
    "d_model": 24,
    "n_head": 4,
    "d_head": 6,
    "d_inner": 40,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
}
TEXT = ("backbone", "encoder-only", "masked-lm", "sequence-classification")


def inputs(case: Case, generator: torch.Generator) -> Inputs:
    """The usual ones, with a first token of a type of its own."""
    made = encoder_inputs(case, generator)
    made["token_type_ids"][..., 0] = 2
    return made


def read_rows_alone(model: Any) -> None:
    """The reference pools padding with text, and leaves out the last token of a batch, not of each row.

    Alone it can read short texts in one of two ways, which give the same numbers; the other one fails.
    """
    count_labels(model)
    base = model.base_model
    forward = base.forward

    @wraps(forward)
    def of_rows(input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor, **asked: Any) -> Any:
        real = attention_mask.bool()
        if real.all():
            return forward(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids, **asked)
        kind, base.config.attention_type = base.config.attention_type, "factorized"
        rows = [
            forward(ids[None, own], attention_mask=own[None, own].long(), token_type_ids=types[None, own], **asked)
            for ids, types, own in zip(input_ids, token_type_ids, real, strict=True)
        ]
        base.config.attention_type = kind
        joined = {name: together(each[name] for each in rows) for name in rows[0] if name != "attentions"}
        return type(rows[0])(**joined)

    base.forward = of_rows


def together(values: Iterable[Any]) -> Any:
    """The states of single rows as those of a batch, padded on the right."""
    each = list(values)
    if isinstance(each[0], Tensor):
        return pad_sequence([one[0] for one in each], batch_first=True)
    return tuple(map(together, zip(*each, strict=True)))


def variant(name: str, heads: tuple[str, ...] | None = TEXT, **changes: Any) -> Variant:
    return Variant(name, changes, heads, patch=read_rows_alone)


CASE = ArchitectureCase(
    "funnel",
    TINY,
    (
        variant("standard", None),
        variant("maximum", pooling_type="max", hidden_act="relu", layer_norm_eps=1e-5),
        variant("factorised", attention_type="factorized", d_head=5),
        variant("first token pooled", separate_cls=False),
        variant("first token pooled, factorised", separate_cls=False, attention_type="factorized"),
        variant("whole", truncate_seq=False),
        variant("keys pooled, too", pool_q_only=False),
        variant("keys pooled, too, whole, maximum", pool_q_only=False, truncate_seq=False, pooling_type="max"),
        variant("keys pooled, too, first token pooled", pool_q_only=False, separate_cls=False),
        variant("repeats", block_sizes=[2, 1, 2], block_repeats=[1, 2, 2], num_decoder_layers=2),
        variant("repeats from the first block on", block_sizes=[2, 1], block_repeats=[2, 3]),
        variant("one block", block_sizes=[2]),
        variant("more blocks than a text can be pooled for", block_sizes=[1] * 6, attention_type="factorized"),
        variant("up-sampled alone", num_decoder_layers=0, pad_token_id=0),
        variant("untied", ("masked-lm",), tie_word_embeddings=False),
        variant("regression", ("sequence-classification",), num_labels=1),
        variant("several labels", ("sequence-classification",), problem_type="multi_label_classification"),
    ),
    inputs=inputs,
    labels=labels,
    layouts={"no prefix": lambda tensors: {name.removeprefix("funnel."): each for name, each in tensors.items()}},
    refused=(
        ({"block_sizes": []}, r"block_sizes=\(\): must be the number of layers of at least one block"),
        ({"block_sizes": [1] * 33}, r"block_sizes=.*: must be .* at least one block, and of 32 at most"),
        ({"block_sizes": [1, 0]}, r"block_sizes=.*: must be .*at least 1"),
        ({"block_repeats": [1, 2]}, r"block_repeats=.*: must be a number for each of the 3 blocks of block_sizes="),
        ({"block_repeats": [1, 2, 0]}, r"block_repeats=.*: must be .*from 1 to 1000"),
        ({"pooling_type": "median"}, r"pooling_type='median': must be one of 'mean', 'max'"),
        ({"attention_type": "absolute"}, r"attention_type='absolute': must be one of 'relative_shift', 'factorized'"),
        ({"d_model": 25}, "d_model=25: must be even, for sines and cosines"),
        ({"is_decoder": True}, "is_decoder=True: must be false: a pooled state sees the tokens that follow"),
        ({"pad_token_id": 53}, "pad_token_id=53: must be an id below vocab_size=53"),
    ),
    patterns=False,
    holds_pairs=True,
    deepest={"block_sizes": [10**9]},
    released=lambda: word_pieces(("<pad>", "<unk>", "<cls>", "<sep>", "<mask>", "<s>", "</s>")),
)
