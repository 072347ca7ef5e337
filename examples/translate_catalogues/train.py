"""Train a small T5 from scratch on the translations of any program, for a quarter of an hour, with a plain torch loop.

With each text it is shown the translation of the most similar known one. Prints the loss as it falls, then BLEU and
chrF on 500 held-out strings, beside copying the source and beside a translation memory. `translate.py` uses the folder
that it writes; ``tfx-core run translation`` and transformers read it as well.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from catalogues import pairs
from near_duplicates import NEAR, Pair, TranslationMemory, split
from pieces import beside, saved, trained
from tokenizers import Tokenizer
from training import (
    LONGEST_SOURCE,
    LONGEST_TARGET,
    Budget,
    Encoded,
    fit,
    options,
    report,
    run,
    translated,
    try_next,
)

import tfx_core

VOCABULARY = 2000
TABLE_FACTOR = 16.0
"""T5's token table begins with a deviation of 1, far larger than any other parameter's, and has further to go."""
ALONE = 0.1
"""Share of the texts that are seen without another's translation, so that the model can do without, too."""
DECODING = {"num_beams": 4, "length_penalty": 1.6, "no_repeat_ngram_size": 2, "max_new_tokens": LONGEST_TARGET}
"""Chosen with the watched strings: a model that has learned little repeats itself, or says too little."""


def main() -> None:
    """Read the options, train, print."""
    parser = options(__doc__)
    parser.add_argument("catalogues", type=Path, nargs="+", help=".mo and .po files, or folders with them")
    run(trained_and_measured, parser.parse_args())


def trained_and_measured(arguments: argparse.Namespace) -> None:
    """Train, measure, print, and say where the results are."""
    found = pairs(arguments.catalogues)
    training, watched, measured = split(found, arguments.held_out)
    length = sum(len(source) for source, _ in found) / len(found)
    print(f"{len(found)} distinct pairs, {length:.0f} characters on average")
    sizes = f"{len(training)} to learn from, {len(watched)} to watch, {len(measured)} to measure"
    print(f"{sizes}; no near-duplicates between them")
    sources, targets = [source for source, _ in measured], [target for _, target in measured]
    memory = TranslationMemory(training)
    report("the source, copied", sources, targets)
    report("translation memory", [memory(source) for source in sources], targets)

    vocabulary = trained([text for pair in training for text in pair], VOCABULARY)
    tokenizer = saved(vocabulary, arguments.folder, LONGEST_SOURCE)
    memory.write(arguments.folder / "memory.jsonl")
    model = new_model(tokenizer, arguments.layers, arguments.width)
    print(f"{model.num_parameters() / 1e6:.1f} M parameters, {len(tokenizer)} pieces")
    fit(
        model,
        optimiser(model),
        epochs(vocabulary, training, memory),
        encoded(vocabulary, [(beside(source, memory.nearest(source)), target) for source, target in watched]),
        Budget(arguments.minutes, arguments.steps),
        arguments.dropout,
    )
    model.generation_config = {
        "decoder_start_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        **DECODING,
    }
    model.save_pretrained(arguments.folder)

    model = tfx_core.load_model(arguments.folder)
    report("the model, text alone", translated(model, tokenizer, sources), targets)
    answers = translated(model, tokenizer, [beside(source, memory.nearest(source)) for source in sources])
    report("the model with the memory", answers, targets)
    for (source, target), answer in zip(measured[:10], answers, strict=False):
        print(f"\n  > {source}\n  memory:   {memory(source)}\n  model:    {answer}\n  program:  {target}")
    try_next(arguments.folder, f'{Path(__file__).with_name("translate.py")} {{}} "Insert a new row."')


def new_model(tokenizer: tfx_core.Tokenizer, layers: int, width: int) -> tfx_core.Model:
    """A small T5 of random weights."""
    return tfx_core.new_model(
        "t5",
        head="conditional-generation",
        seed=0,
        vocab_size=len(tokenizer),
        d_model=width,
        d_kv=32,
        num_heads=width // 32,
        d_ff=2 * width,
        feed_forward_proj="gated-gelu",
        num_layers=layers,
        dropout_rate=0.0,
        decoder_start_token_id=tokenizer.pad_token_id,
    )


def optimiser(model: tfx_core.Model) -> torch.optim.Optimizer:
    """AdamW; the token table goes faster than the others."""
    table = model.get_parameter("backbone.encoder.embeddings.token.weight")
    others = [parameter for parameter in model.parameters() if parameter is not table]
    groups: list[dict[str, Any]] = [{"params": [table], "factor": TABLE_FACTOR}, {"params": others, "factor": 1.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01, fused=True)


def epochs(vocabulary: Tokenizer, training: list[Pair], memory: TranslationMemory) -> Iterator[list[Encoded]]:
    """The pairs, again and again, each text beside the translation of the most similar one that is no near-duplicate.

    A text is never shown its own translation, nor more help than the memory is with texts that were held out. After
    Bulté and Tezcan (2019), "Neural Fuzzy Repair".
    """
    generator = random.Random(0)
    helped = [(beside(source, memory.nearest(source, below=NEAR)), target) for source, target in training]
    ways = list(zip(encoded(vocabulary, helped), encoded(vocabulary, training), strict=True))
    while True:
        yield [alone if generator.random() < ALONE else both for both, alone in ways]


def encoded(vocabulary: Tokenizer, chosen: list[Pair]) -> list[Encoded]:
    """The ids of both texts of each pair."""
    sources, targets = (
        [each.ids for each in vocabulary.encode_batch(list(texts))] for texts in zip(*chosen, strict=True)
    )
    return list(zip(sources, targets, strict=True))


if __name__ == "__main__":
    main()
