"""BART and T5 rewriting texts, beside transformers and CTranslate2.

`nox -s bench -- seq2seq` makes both environments and runs it; `--peers PYTHON` uses existing ones.
"""

from typing import Any

from race import Race, command

SETTINGS = {"greedy, batch 1": (1, 1), "beam 4, batch 8": (8, 4)}


def race(title: str, model_type: str, **config: Any) -> Race:
    """Both models have the same work."""
    return Race(
        title=f"{title}, random weights, fp32: new tokens per second, 32 from a source of 32",
        model_type=model_type,
        head="conditional-generation",
        config=config,
        length=32,
        new_tokens=32,
        settings=SETTINGS,
    )


BART_BASE = race(
    "BART-base",
    "bart",
    d_model=768,
    encoder_layers=6,
    decoder_layers=6,
    encoder_attention_heads=12,
    decoder_attention_heads=12,
    encoder_ffn_dim=3072,
    decoder_ffn_dim=3072,
    extra={"normalize_before": False},  # in the released file, and asked for by CTranslate2
)
T5_SMALL = race("T5-small", "t5", decoder_start_token_id=0)

if __name__ == "__main__":
    command(__doc__, BART_BASE, T5_SMALL)
