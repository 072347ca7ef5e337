"""Models of two sides rewriting texts, beside transformers and CTranslate2.

`nox -s bench -- seq2seq` makes both environments and runs it; `--peers PYTHON` uses existing ones, and `--only` takes
some of the models.
"""

from typing import Any

from decoding_race import THEIRS, DecodingRace
from race import command

SETTINGS = {"greedy, batch 1": (1, 1), "beam 4, batch 8": (8, 4)}


def race(
    title: str,
    model_type: str,
    *,
    generation: dict[str, Any] | None = None,
    theirs: tuple[str, ...] = THEIRS,
    **config: Any,
) -> DecodingRace:
    """All models have the same work."""
    return DecodingRace(
        title=f"{title}, random weights: new tokens per second, 32 from a source of 32",
        model_type=model_type,
        head="conditional-generation",
        config=config,
        length=32,
        new_tokens=32,
        settings=SETTINGS,
        generation=generation or {},
        theirs=theirs,
    )


def sides(layers: int, heads: int, feed_forward: int) -> dict[str, Any]:
    """Encoder and decoder alike, in the words of BART and its relatives."""
    sizes = {"layers": layers, "attention_heads": heads, "ffn_dim": feed_forward}
    return {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in sizes.items()}


BART_BASE = race(
    "BART-base",
    "bart",
    d_model=768,
    **sides(6, 12, 3072),
    extra={"normalize_before": False},  # in the released file, and asked for by CTranslate2
)
MARIAN_BASE = race(
    "Marian-base",
    "marian",
    vocab_size=58101,
    d_model=512,
    **sides(6, 8, 2048),
    activation_function="swish",
    scale_embedding=True,
    max_position_embeddings=512,
    generation={"bad_words_ids": [[58100]]},  # padding, with which the decoder begins
)
MBART_LARGE = race(
    "mBART-large with 2 layers",
    "mbart",
    vocab_size=250027,
    d_model=1024,
    **sides(2, 16, 4096),
    scale_embedding=True,
    decoder_start_token_id=2,
    extra={"normalize_before": True, "tokenizer_class": "MBart50Tokenizer"},  # as of the released files
)
PROPHETNET_LARGE = race("ProphetNet-large", "prophetnet", theirs=("transformers",))
T5_SMALL = race("T5-small", "t5", decoder_start_token_id=0)

if __name__ == "__main__":
    command(__doc__, BART_BASE, MARIAN_BASE, MBART_LARGE, PROPHETNET_LARGE, T5_SMALL)
