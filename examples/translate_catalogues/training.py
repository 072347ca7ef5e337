"""What both trainings share: batches of texts of like length, a plain loop that ends with its budget, and measuring."""

import argparse
import importlib.util
import itertools
import math
import random
import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
import torch.nn.functional as F
from catalogues import CatalogueError
from near_duplicates import TooFewError
from torch import Tensor, nn

import tfx_core
from tfx_core.cli import ProgressBar

LENGTHS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Lengths in tokens: few different ones, because each shape of a matrix product costs time when it comes first."""
LONGEST_SOURCE, LONGEST_TARGET = 256, 128
TOKENS = 768
"""Tokens of the targets of a batch."""
RATE, WARM_UP, SMOOTHING = 1.2e-3, 50, 0.1
SAID_AGAIN = 12.0
"""Seconds after which the loss is printed again, if nothing else was."""
Encoded: TypeAlias = tuple[list[int], list[int]]
"""Ids of a source and of its target."""
Batch: TypeAlias = dict[str, Tensor]


# -- the command -------------------------------------------------------------------------------------------------------


def options(description: str | None) -> argparse.ArgumentParser:
    """The options of both."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path, help="where the model goes")
    parser.add_argument("--minutes", type=float, default=15.0, help="how long to train (default: 15)")
    parser.add_argument("--steps", type=int, help="train so many steps instead, however long they take")
    parser.add_argument("--held-out", type=int, default=500, help="strings to measure with (default: 500)")
    parser.add_argument("--layers", type=int, default=2, help="of encoder and decoder each (default: 2)")
    parser.add_argument("--width", type=int, default=256, help="a multiple of 32 (default: 256)")
    parser.add_argument("--dropout", type=float, default=0.1, help="in the second half (default: 0.1)")
    return parser


def run(work: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> None:
    """Do the work; what the user can mend, and an interrupt, end it in one line."""
    if importlib.util.find_spec("sacrebleu") is None:
        sys.exit("Error: sacrebleu measures the translations; install it: pip install sacrebleu")
    try:
        work(arguments)
    except (CatalogueError, TooFewError) as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        print("\nInterrupted; a run that is to be whole begins anew.", file=sys.stderr)
        sys.exit(130)


def scores(answers: list[str], targets: list[str]) -> tuple[float, float]:
    """BLEU and chrF as sacrebleu has them by default."""
    import sacrebleu

    return sacrebleu.corpus_bleu(answers, [targets]).score, sacrebleu.corpus_chrf(answers, [targets]).score


def report(name: str, answers: list[str], targets: list[str]) -> None:
    """Print BLEU and chrF."""
    bleu, chrf = scores(answers, targets)
    print(f"{name:24}  BLEU {bleu:5.1f}  chrF {chrf:5.1f}", flush=True)


def try_next(folder: Path, *commands: str) -> None:
    """Say where the model is, and commands that use it."""
    print(f"\nThe model is in {folder}. To try next:")
    for command in commands:
        print(f"  {shlex.quote(sys.executable)} {command.format(shlex.quote(str(folder)))}")


# -- training ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Budget:
    """How long to train: so many steps, or minutes where no steps are given."""

    minutes: float
    steps: int | None

    def spent(self, step: int, begin: float) -> float:
        """The share of it that is gone, from 0 to 1."""
        return step / self.steps if self.steps else (time.monotonic() - begin) / (60 * self.minutes)


def fit(
    model: tfx_core.Model,
    optimiser: torch.optim.Optimizer,
    training: list[Encoded],
    watched: list[Encoded],
    budget: Budget,
    dropout: float,
) -> None:
    """Warm up, then let the rate fall to nothing with the budget; dropout in the second half.

    The optimiser's groups name the ``factor`` by which their rate is `RATE`.
    """
    dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    held_out = list(batches(watched, random.Random(0)))
    progress = Progress()
    begin, mean = time.monotonic(), math.nan
    for step, (epoch, batch) in enumerate(endless(training)):
        done = budget.spent(step, begin)
        if progress.due(done):
            loss = f"  held out {watched_loss(model, held_out):.3f}" if progress.tenth(done) else ""
            print(f"{done:4.0%}  epoch {epoch:3d}  step {step:5d}  loss {mean:.3f}{loss}", flush=True)
        if done >= 1:
            return
        for module in dropouts:  # sooner it would only be slower; without it the model learns the strings by heart
            module.p = dropout if done >= 0.5 else 0.0
        loss_now = learn(model, batch)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = RATE * group["factor"] * min(1.0, (step + 1) / WARM_UP) * (1 - done)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        mean = loss_now if math.isnan(mean) else 0.98 * mean + 0.02 * loss_now


class Progress:
    """When to say something: at every tenth, with the loss on the watched strings, and after `SAID_AGAIN`."""

    def __init__(self) -> None:
        self._tenths, self._said = 0, time.monotonic()

    def due(self, done: float) -> bool:
        """Whether it is time to say something."""
        return done >= self._tenths / 10 or time.monotonic() - self._said >= SAID_AGAIN

    def tenth(self, done: float) -> bool:
        """Whether a tenth is full, now that something is said."""
        self._said = time.monotonic()
        full = done >= self._tenths / 10
        self._tenths += full
        return full


def learn(model: tfx_core.Model, batch: Batch) -> float:
    """Gradients of the smoothed loss."""
    # a processor without AVX-512 takes many times as long for bfloat16
    quick = "AVX512" in torch.backends.cpu.get_cpu_capability()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=quick):
        logits = model(**batch).logits
    loss = F.cross_entropy(logits.float().flatten(0, 1), batch["labels"].flatten(), label_smoothing=SMOOTHING)
    torch.autograd.backward(loss)
    return loss.item()


@torch.no_grad()
def watched_loss(model: tfx_core.Model, held_out: Sequence[Batch]) -> float:
    """Mean loss of a token, in nats, without smoothing."""
    model.eval()
    total, tokens = 0.0, 0
    for batch in held_out:
        count = int((batch["labels"] != -100).sum())
        total += float(model(**batch).loss) * count
        tokens += count
    model.train()
    return total / tokens


# -- batches -----------------------------------------------------------------------------------------------------------


def endless(chosen: list[Encoded]) -> Iterator[tuple[int, Batch]]:
    """Batches of one epoch after the other, with the epoch's number."""
    generator = random.Random(0)
    for epoch in itertools.count():
        for batch in batches(chosen, generator):
            yield epoch, batch


def batches(chosen: list[Encoded], generator: random.Random) -> Iterator[Batch]:
    """Pairs of like length, `TOKENS` in the targets with their padding, in random order; none with too long a text."""
    alike: dict[int, list[Encoded]] = defaultdict(list)
    for source, target in generator.sample(chosen, len(chosen)):
        if len(source) <= LONGEST_SOURCE and len(target) <= LONGEST_TARGET:
            alike[rounded(len(target))].append((source, target))
    found: list[list[Encoded]] = []
    for length, same in alike.items():
        same.sort(key=lambda pair: len(pair[0]))
        rows = TOKENS // length
        found.extend(same[start : start + rows] for start in range(0, len(same), rows))
    generator.shuffle(found)
    for together in found:
        ids, mask = padded([source for source, _ in together], 0)
        labels, _ = padded([target for _, target in together], -100)
        yield {"input_ids": ids, "attention_mask": mask, "labels": labels}


def rounded(length: int) -> int:
    """The least of `LENGTHS` that is enough."""
    return next(each for each in LENGTHS if each >= length)


def padded(rows: list[list[int]], fill: int) -> tuple[Tensor, Tensor]:
    """Ids ``(B, L)``, filled up on the right to one of `LENGTHS`, and which of them are real."""
    longest = rounded(max(map(len, rows)))
    ids = torch.tensor([row + [fill] * (longest - len(row)) for row in rows])
    return ids, torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])


# -- use ---------------------------------------------------------------------------------------------------------------


def translated(
    model: tfx_core.Model, tokenizer: tfx_core.Tokenizer, sources: list[str], tgt_lang: str | None = None
) -> list[str]:
    """Translations, decoded with the folder's own options; texts of like length go together."""
    answers = dict.fromkeys(sources, "")
    with ProgressBar("translating", len(answers)) as bar:
        ordered = sorted(answers, key=len)
        for start in range(0, len(ordered), 50):
            texts = ordered[start : start + 50]
            batch = tokenizer(texts, tgt_lang=tgt_lang, padding=True, truncation=True, return_tensors="pt")
            ids = model.generate(**batch)
            answers.update(zip(texts, tokenizer.batch_decode(ids, skip_special_tokens=True), strict=True))
            bar.advance(len(texts))
    return [answers[source] for source in sources]
