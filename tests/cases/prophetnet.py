"""ProphetNet."""

from typing import Any

import torch
from torch import Tensor

from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import Case, encoder_inputs, seq2seq_inputs
from tfx_testing.vocabularies import word_pieces

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "max_position_embeddings": 40,
    "hidden_size": 24,
    "num_encoder_layers": 2,
    "num_encoder_attention_heads": 4,
    "encoder_ffn_dim": 40,
    "num_decoder_layers": 3,
    "num_decoder_attention_heads": 2,
    "decoder_ffn_dim": 32,
    "num_buckets": 8,
    "relative_max_distance": 10,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
}
SIDES = ("causal-lm", "encoder-only", "decoder-only")


def _inputs(case: Case, generator: torch.Generator) -> Inputs:
    return encoder_inputs(case, generator) if case.head in SIDES else seq2seq_inputs(case, generator)


def _source_of_decoder(head: str, ids: Tensor) -> Inputs:
    """What the decoder attends to when it stands alone."""
    if head not in ("causal-lm", "decoder-only"):
        return {}
    width = TINY["hidden_size"]
    return {"encoder_hidden_states": torch.randn(len(ids), 3, width, generator=torch.Generator().manual_seed(0))}


def mended(model: Any) -> None:
    """The reference since 4.21 mixes heads and places in the bias of predicting streams, and reports scores as weights.

    Its bias is here that of 4.20.1, with which the released models were trained: by the mixed one earlier logits depend
    on how long the target is. What it calls attentions of encoder and cross-attention are the scores before softmax;
    without a source they are tuples of nothing.
    """
    for module in model.modules():
        if type(module).__name__.endswith("ProphetNetDecoder"):
            module.register_forward_hook(_without_nothing)
        if hasattr(module, "get_predict_relative_pos_embeddings"):
            module.get_predict_relative_pos_embeddings = _bias_of_predictions.__get__(module)
        if type(module).__name__.endswith("ProphetNetAttention"):
            module.register_forward_hook(_weights_of_scores)


def _bias_of_predictions(self: Any, states: Tensor, scores: Tensor, positions: Any, buckets: Tensor | None) -> Tensor:
    if buckets is None:  # a cache's step, of one place, which cannot be mixed with others
        bias: Tensor = type(self).get_predict_relative_pos_embeddings(self, states, scores, positions, buckets)
        return bias
    numbers = self.relative_pos_embeddings(states)  # (B, T, n, buckets·H)
    numbers = numbers.unflatten(-1, (self.num_buckets, self.num_attn_heads)).permute(0, 2, 4, 1, 3)
    return numbers.gather(-1, buckets[:, None, None].long().expand(*numbers.shape[:4], -1))


def _weights_of_scores(module: Any, inputs: Any, output: tuple[Any, ...]) -> tuple[Any, ...]:
    context, scores, *others = output
    return context, None if scores is None else scores.softmax(-1), *others


def _without_nothing(module: Any, inputs: Any, output: Any) -> Any:
    given = {name: value for name, value in output.items() if value != (None,) * len(module.layers)}
    return type(output)(**given)


def _variant(
    name: str, heads: tuple[str, ...] | None = None, source_width: int | None = None, **changes: Any
) -> Variant:
    return Variant(name, changes, heads, source_width, patch=mended)


def with_every_name(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The token table under the names that each side and the output layer have for it, too."""
    (name,) = (name for name in tensors if name.endswith("word_embeddings.weight"))
    prefix = name.removesuffix("word_embeddings.weight")
    names = [f"{prefix}{side}.word_embeddings.weight" for side in ("encoder", "decoder")]
    others = [each for each in names if any(own.startswith(each.partition("word_")[0]) for own in tensors)]
    output_layer = ["lm_head.weight"] if prefix else []
    return {**{each: tensors[name].clone() for each in (*others, *output_layer)}, **tensors}


CASE = ArchitectureCase(
    "prophetnet",
    TINY,
    (
        _variant("standard"),
        _variant("one stream", ngram=1, activation_function="relu"),
        _variant("three streams", ngram=3, relative_max_distance=7),
        _variant("loss of one stream", ("conditional-generation", "causal-lm"), disable_ngram_loss=True),
        _variant("smoothed loss", ("conditional-generation", "causal-lm"), eps=0.1),
        _variant("smoothed loss of one", ("conditional-generation",), eps=0.2, disable_ngram_loss=True),
        _variant("another padding id", pad_token_id=3),
        _variant("untied", ("conditional-generation", "causal-lm"), tie_word_embeddings=False),
        _variant("decoder with source", ("causal-lm", "decoder-only"), 24),
        _variant("decoder without cross-attention", ("causal-lm", "decoder-only"), add_cross_attention=False),
    ),
    inputs=_inputs,
    target_heads=("backbone", "conditional-generation"),
    optional_inputs=_source_of_decoder,
    holds_pairs=True,
    layouts={"one table under all of its names (the released files)": with_every_name},
    released=lambda: word_pieces(("[PAD]", "[UNK]", "[SEP]", "[X_SEP]", "[MASK]"), file="prophetnet.tokenizer"),
    refused=(
        ({"ngram": 0}, "ngram=0: must be "),
        ({"num_buckets": 0}, "num_buckets=0: must be "),
        ({"num_buckets": 7}, "num_buckets=7: must be even"),
        ({"relative_max_distance": 4}, "relative_max_distance=4: must be more than .*num_buckets / 2 = 4"),
        ({"num_decoder_attention_heads": 5}, "num_decoder_attention_heads=5: must be a divisor of hidden_size=24"),
        ({"pad_token_id": None}, "pad_token_id=None: must be an id below vocab_size=53"),
        ({"max_position_embeddings": 2}, "max_position_embeddings=2: must be at least 3"),
    ),
)
