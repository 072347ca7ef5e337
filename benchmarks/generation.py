"""GPT-2 continuing texts, beside transformers and CTranslate2.

`nox -s bench -- generation` makes both environments and runs it; `--peers PYTHON` uses existing ones.
"""

from decoding_race import DecodingRace
from race import command

GPT2 = DecodingRace(
    title="GPT-2, 124M random weights: new tokens per second, 64 after a prompt of 32",
    model_type="gpt2",
    head="causal-lm",
    config={},
    length=32,
    new_tokens=64,
    settings={"greedy, batch 1": (1, 1), "greedy, batch 8": (8, 1), "beam 4, batch 1": (1, 4)},
)

if __name__ == "__main__":
    command(__doc__, GPT2)
