"""Train a small T5 from scratch on the translations of any program, for a quarter of an hour, with a plain torch loop.

Prints the loss as it falls, then BLEU and chrF on 500 held-out strings: of copying the source, of a translation memory,
of the model, and of both together, where the memory answers if a known text is alike enough. `translate.py` does the
same with the folder that it writes; ``tfx-core run translation`` and transformers use the model alone.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from catalogues import pairs
from near_duplicates import NEAR, Pair, TranslationMemory, split, together
from pieces import saved, trained
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
    scores,
    translated,
    try_next,
)

import tfx_core

VOCABULARY = 2000
TABLE_FACTOR = 16.0
"""T5's token table begins with a deviation of 1, far larger than any other parameter's, and has further to go."""
LIKENESSES = (NEAR, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3)
"""From which on the memory may answer; with the first it answers no held-out string, as none is so near a known one."""
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
    remembered = list(map(memory.nearest, sources))
    report("translation memory", [target for target, _ in remembered], targets)

    vocabulary = trained([text for pair in training for text in pair], VOCABULARY)
    tokenizer = saved(vocabulary, arguments.folder, LONGEST_SOURCE)
    model = new_model(tokenizer, arguments.layers, arguments.width)
    print(f"{model.num_parameters() / 1e6:.1f} M parameters, {len(tokenizer)} pieces")
    fit(
        model,
        optimiser(model),
        encoded(vocabulary, training),
        encoded(vocabulary, watched),
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
    likeness = chosen_likeness(memory, translated(model, tokenizer, [source for source, _ in watched]), watched)
    memory.write(arguments.folder / "memory.jsonl", likeness)
    answers = translated(model, tokenizer, sources)
    report("the model", answers, targets)
    print(f"the memory answers from a likeness of {likeness:.2f} on, as was best for the watched strings")
    report("the model and the memory", together(remembered, answers, likeness), targets)
    for (source, target), (near, alike), answer in list(zip(measured, remembered, answers, strict=True))[:10]:
        print(f"\n  > {source}\n  memory:   {near} ({alike:.2f})\n  model:    {answer}\n  program:  {target}")
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


def chosen_likeness(memory: TranslationMemory, answers: list[str], watched: list[Pair]) -> float:
    """The likeness from which on the memory's answers, instead of the model's, make the best sum of BLEU and chrF."""
    remembered = [memory.nearest(source) for source, _ in watched]
    targets = [target for _, target in watched]
    return max(LIKENESSES, key=lambda likeness: sum(scores(together(remembered, answers, likeness), targets)))


def encoded(vocabulary: Tokenizer, chosen: list[Pair]) -> list[Encoded]:
    """The ids of both texts of each pair."""
    sources, targets = (
        [each.ids for each in vocabulary.encode_batch(list(texts))] for texts in zip(*chosen, strict=True)
    )
    return list(zip(sources, targets, strict=True))


if __name__ == "__main__":
    main()
