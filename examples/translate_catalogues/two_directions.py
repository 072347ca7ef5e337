"""Train one small Marian from scratch that translates a program's texts to several languages, as ``>>xxx<<`` asks.

Prints the loss as it falls, then BLEU and chrF on 500 held-out strings in each language, beside copying the source and
beside a translation memory. ``tfx-core run translation --tgt-lang`` uses the folder that it writes, and so does
transformers.
"""

import argparse
from pathlib import Path
from typing import Any, TypeAlias

import torch
from catalogues import pairs
from near_duplicates import TranslationMemory, split
from pieces import END, UNKNOWN, saved_marian, trained
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

SOURCE_PIECES, TARGET_PIECES = 2000, 3000
DECODING = {"num_beams": 4, "length_penalty": 1.6, "no_repeat_ngram_size": 2, "max_new_tokens": LONGEST_TARGET}
"""As of the T5."""
Translations: TypeAlias = dict[str, str]
"""Language -> the text in it."""


def main() -> None:
    """Read the options, train, print."""
    parser = options(__doc__)
    parser.add_argument(
        "directions",
        type=direction,
        nargs="+",
        metavar="LANGUAGE=CATALOGUES",
        help="a language's code in three letters, and a .mo or .po file or a folder with some: fra=french",
    )
    run(trained_and_measured, parser.parse_args())


def direction(text: str) -> tuple[str, Path]:
    """A language and where its catalogues are."""
    language, equals, path = text.partition("=")
    if not (language.isalpha() and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r}: must be LANGUAGE=CATALOGUES, as in fra=french")
    return language, Path(path)


def trained_and_measured(arguments: argparse.Namespace) -> None:
    """Train, measure, print, and say where the results are."""
    languages = [language for language, _ in arguments.directions]
    training, watched, measured = split(in_all_languages(arguments.directions), arguments.held_out)
    sizes = f"{len(training)} strings to learn from, {len(watched)} to watch, {len(measured)} to measure"
    print(f"{sizes}, each in {' and '.join(languages)}; no near-duplicates between them")
    sources = [source for source, _ in measured]
    targets = {language: [each[language] for _, each in measured] for language in languages}
    for language in languages:
        memory = TranslationMemory([(source, each[language]) for source, each in training])
        report(f"{language}: the source, copied", sources, targets[language])
        report(f"{language}: translation memory", [memory.nearest(source)[0] for source in sources], targets[language])

    special = (END, UNKNOWN)
    tokenizer = saved_marian(
        trained((source for source, _ in training), SOURCE_PIECES, special),
        trained((text for _, each in training for text in each.values()), TARGET_PIECES, special),
        languages,
        arguments.folder,
        LONGEST_SOURCE,
    )
    model = new_model(tokenizer, arguments.layers, arguments.width)
    print(f"{model.num_parameters() / 1e6:.1f} M parameters, {len(tokenizer)} pieces")
    fit(
        model,
        torch.optim.AdamW([{"params": [*model.parameters()], "factor": 1.0}], betas=(0.9, 0.98), fused=True),
        encoded(tokenizer, training, languages),
        encoded(tokenizer, watched, languages),
        Budget(arguments.minutes, arguments.steps),
        arguments.dropout,
    )
    model.generation_config = {
        "decoder_start_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bad_words_ids": [[tokenizer.pad_token_id]],
        **DECODING,
    }
    model.save_pretrained(arguments.folder)

    model = tfx_core.load_model(arguments.folder)
    answers = {language: translated(model, tokenizer, sources, language) for language in languages}
    for language in languages:
        report(f"{language}: the model", answers[language], targets[language])
    for place, source in enumerate(sources[:10]):
        print(f"\n  > {source}")
        for language in languages:
            print(f"  {language}: {answers[language][place]}\n  program: {targets[language][place]}")
    command = '-m tfx_core run translation --model {} --tgt-lang %s "Insert a new row."'
    try_next(arguments.folder, *(command % language for language in languages))


def in_all_languages(directions: list[tuple[str, Path]]) -> list[tuple[str, Translations]]:
    """The sources that every language's catalogues have a translation of."""
    known = {language: dict(pairs([path])) for language, path in directions}
    first, *others = known.values()
    shared = [source for source in first if all(source in other for other in others)]
    return [(source, {language: known[language][source] for language in known}) for source in shared]


def new_model(tokenizer: tfx_core.Tokenizer, layers: int, width: int) -> tfx_core.Model:
    """A small Marian of random weights."""
    sides: dict[str, Any] = {
        f"{side}_{key}": value
        for side in ("encoder", "decoder")
        for key, value in (("layers", layers), ("attention_heads", width // 32), ("ffn_dim", 2 * width))
    }
    return tfx_core.new_model(
        "marian",
        head="conditional-generation",
        seed=0,
        vocab_size=len(tokenizer),
        d_model=width,
        activation_function="swish",
        scale_embedding=True,
        max_position_embeddings=LONGEST_SOURCE,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
        **sides,
    )


def encoded(
    tokenizer: tfx_core.Tokenizer, chosen: list[tuple[str, Translations]], languages: list[str]
) -> list[Encoded]:
    """The ids of the texts in each direction."""
    found: list[Encoded] = []
    for language in languages:
        batch = tokenizer(
            [source for source, _ in chosen],
            text_target=[each[language] for _, each in chosen],
            tgt_lang=language,
        )
        found.extend(zip(batch["input_ids"], batch["labels"], strict=True))
    return found


if __name__ == "__main__":
    main()
