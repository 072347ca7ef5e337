"""Train a small T5 from scratch on the translations of any program, for about ten minutes, with a plain torch loop.

Prints the loss as it falls, then BLEU and chrF on 500 held-out strings, beside copying the source and beside a
translation memory. The folder that it writes works with ``tfx-core run translation`` and with transformers.
"""

import argparse
import importlib.util
import math
import random
import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from catalogues import CatalogueError, pairs
from near_duplicates import Pair, TranslationMemory, split
from pieces import PAD, saved, trained
from tokenizers import Tokenizer
from torch import Tensor, nn

import tfx_core
from tfx_core.cli import ProgressBar

VOCABULARY, HELD_OUT = 2000, 500
LENGTHS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Lengths in tokens: few different ones, because each shape of a matrix product costs time when it comes first."""
LONGEST = LENGTHS[-1]
SAID_AGAIN = 12.0
"""Seconds after which the loss is printed again, if nothing else was."""
TOKENS = 768
"""Tokens of the targets of a batch."""
RATE, WARM_UP, SMOOTHING = 1.2e-3, 50, 0.1
TABLE_FACTOR = 16.0
"""T5's token table begins with a deviation of 1, far larger than any other parameter's, and has further to go."""
Encoded: TypeAlias = tuple[list[int], list[int]]
"""Ids of a source and of its target."""
DECODING = {"num_beams": 4, "length_penalty": 1.6, "no_repeat_ngram_size": 2, "max_new_tokens": LONGEST}
"""Chosen with the watched strings: a model that has learned little repeats itself, or says too little."""


def main() -> None:
    """Read the options, train, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the model goes")
    parser.add_argument("catalogues", type=Path, nargs="+", help=".mo and .po files, or folders with them")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to train (default: 10)")
    parser.add_argument("--layers", type=int, default=2, help="of encoder and decoder each (default: 2)")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--dropout", type=float, default=0.1, help="in the second half (default: 0.1)")
    arguments = parser.parse_args()
    if importlib.util.find_spec("sacrebleu") is None:
        sys.exit("Error: sacrebleu measures the translations; install it: pip install sacrebleu")
    try:
        trained_and_measured(arguments)
    except KeyboardInterrupt:
        print("\nInterrupted; a run that is to be whole begins anew.", file=sys.stderr)
        sys.exit(130)


def trained_and_measured(arguments: argparse.Namespace) -> None:
    """Train, measure, print, and say where the results are."""
    try:
        found = pairs(arguments.catalogues)
        training, watched, measured = split(found, HELD_OUT)
    except (CatalogueError, ValueError) as error:
        sys.exit(f"Error: {error}")
    length = sum(len(source) for source, _ in found) / len(found)
    print(f"{len(found)} distinct pairs, {length:.0f} characters on average")
    sizes = f"{len(training)} to learn from, {len(watched)} to watch, {len(measured)} to measure"
    print(f"{sizes}; no near-duplicates between them")
    targets = [target for _, target in measured]
    memory = TranslationMemory(training)
    report("the source, copied", [source for source, _ in measured], targets)
    report("translation memory", [memory(source) for source, _ in measured], targets)

    vocabulary = trained([text for pair in training for text in pair], VOCABULARY)
    tokenizer = saved(vocabulary, arguments.folder, LONGEST)
    model = tfx_core.new_model(
        "t5",
        head="conditional-generation",
        seed=0,
        vocab_size=len(tokenizer),
        d_model=arguments.width,
        d_kv=32,
        num_heads=arguments.width // 32,
        d_ff=2 * arguments.width,
        feed_forward_proj="gated-gelu",
        num_layers=arguments.layers,
        dropout_rate=0.0,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    print(f"{model.num_parameters() / 1e6:.1f} M parameters, {len(tokenizer)} pieces")
    fit(model, vocabulary, training, watched, arguments.minutes * 60, arguments.dropout)
    model.generation_config = {
        "decoder_start_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        **DECODING,
    }
    model.save_pretrained(arguments.folder)

    model = tfx_core.load_model(arguments.folder)
    answers = translated(model, tokenizer, [source for source, _ in measured])
    report("the trained model", answers, targets)
    for (source, target), answer in zip(measured[:10], answers, strict=False):
        print(f"\n  > {source}\n  model:    {answer}\n  program:  {target}")
    folder = shlex.quote(str(arguments.folder))
    print(f"\nThe model is in {arguments.folder}. To try next:")
    print(f'  {shlex.quote(sys.executable)} -m tfx_core run translation --model {folder} "Insert a new row."')


def report(name: str, answers: list[str], targets: list[str]) -> None:
    """Print BLEU and chrF as sacrebleu has them by default."""
    import sacrebleu

    bleu, chrf = sacrebleu.corpus_bleu(answers, [targets]).score, sacrebleu.corpus_chrf(answers, [targets]).score
    print(f"{name:20}  BLEU {bleu:5.1f}  chrF {chrf:5.1f}", flush=True)


def fit(
    model: tfx_core.Model,
    vocabulary: Tokenizer,
    training: list[Pair],
    watched: list[Pair],
    seconds: float,
    dropout: float,
) -> None:
    """AdamW with warm-up and a rate that ends with the time, and dropout in the second half."""
    table = model.get_parameter("backbone.encoder.embeddings.token.weight")
    others = [parameter for parameter in model.parameters() if parameter is not table]
    groups: list[dict[str, Any]] = [{"params": [table], "factor": TABLE_FACTOR}, {"params": others, "factor": 1.0}]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    pad = vocabulary.token_to_id(PAD)
    held_out = list(batches(encoded(vocabulary, watched), pad, random.Random(0)))
    begin, told, said, mean = time.monotonic(), 0.0, time.monotonic(), math.nan
    for step, (epoch, batch) in enumerate(endless(encoded(vocabulary, training), pad)):
        done = (time.monotonic() - begin) / seconds
        if done >= told or done >= 1:
            told += 0.1
            loss = watched_loss(model, held_out)
            print(f"{done:4.0%}  epoch {epoch:3d}  step {step:5d}  loss {mean:.3f}  held out {loss:.3f}", flush=True)
            said = time.monotonic()
        elif time.monotonic() - said >= SAID_AGAIN:
            print(f"{done:4.0%}  epoch {epoch:3d}  step {step:5d}  loss {mean:.3f}", flush=True)
            said = time.monotonic()
        if done >= 1:
            return
        if done >= 0.5:  # sooner it would only be slower, and without it the model learns the strings by heart
            for module in dropouts:
                module.p = dropout
        rate = RATE * min(1.0, (step + 1) / WARM_UP) * (1 - done)
        loss_now = learn(model, batch)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        mean = loss_now if math.isnan(mean) else 0.98 * mean + 0.02 * loss_now


def learn(model: tfx_core.Model, batch: dict[str, Tensor]) -> float:
    """Gradients of the smoothed loss."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(**batch).logits
    loss = F.cross_entropy(logits.float().flatten(0, 1), batch["labels"].flatten(), label_smoothing=SMOOTHING)
    torch.autograd.backward(loss)
    return loss.item()


@torch.no_grad()
def watched_loss(model: tfx_core.Model, held_out: Sequence[dict[str, Tensor]]) -> float:
    """Mean loss of a token, in nats, without smoothing."""
    model.eval()
    total, tokens = 0.0, 0
    for batch in held_out:
        count = int((batch["labels"] != -100).sum())
        total += float(model(**batch).loss) * count
        tokens += count
    model.train()
    return total / tokens


def encoded(vocabulary: Tokenizer, chosen: list[Pair]) -> list[Encoded]:
    """The ids of both texts of each pair, without pairs in which one has more than `LONGEST`."""
    sources, targets = (
        [each.ids for each in vocabulary.encode_batch(list(texts))] for texts in zip(*chosen, strict=True)
    )
    return [pair for pair in zip(sources, targets, strict=True) if max(map(len, pair)) <= LONGEST]


def endless(training: list[Encoded], pad: int) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Batches of one epoch after the other."""
    generator, epoch = random.Random(0), 0
    while True:
        for batch in batches(training, pad, generator):
            yield epoch, batch
        epoch += 1


def batches(chosen: list[Encoded], pad: int, generator: random.Random) -> Iterator[dict[str, Tensor]]:
    """Pairs of like length, `TOKENS` in the targets with their padding; in random order."""
    alike: dict[int, list[Encoded]] = defaultdict(list)
    for source, target in generator.sample(chosen, len(chosen)):
        alike[rounded(len(target))].append((source, target))
    found: list[list[Encoded]] = []
    for length, same in alike.items():
        same.sort(key=lambda pair: len(pair[0]))
        rows = TOKENS // length
        found.extend(same[start : start + rows] for start in range(0, len(same), rows))
    generator.shuffle(found)
    for together in found:
        ids = padded([source for source, _ in together], pad)
        labels = padded([target for _, target in together], -100)
        yield {"input_ids": ids, "attention_mask": (ids != pad).long(), "labels": labels}


def rounded(length: int) -> int:
    """The least of `LENGTHS` that is enough."""
    return next(each for each in LENGTHS if each >= length)


def padded(rows: list[list[int]], fill: int) -> Tensor:
    """One tensor ``(B, L)``, filled up on the right to one of `LENGTHS`."""
    longest = rounded(max(map(len, rows)))
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])


def translated(model: tfx_core.Model, tokenizer: tfx_core.Tokenizer, sources: list[str]) -> list[str]:
    """Translations, decoded with the folder's own options; texts of like length go together."""
    answers = dict.fromkeys(sources, "")
    with ProgressBar("translating", len(answers)) as bar:
        ordered = sorted(answers, key=len)
        for start in range(0, len(ordered), 50):
            texts = ordered[start : start + 50]
            batch = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
            ids = model.generate(**batch)
            answers.update(zip(texts, tokenizer.batch_decode(ids, skip_special_tokens=True), strict=True))
            bar.advance(len(texts))
    return [answers[source] for source in sources]


if __name__ == "__main__":
    main()
