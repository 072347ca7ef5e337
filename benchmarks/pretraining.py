"""Tokens per second of pretraining beside transformers' Trainer, and the memory that a large corpus takes.

`nox -s bench -- pretraining` makes both environments and runs it; `--peers PYTHON` uses an existing one. BERT-base and
GPT-2 (124M), the same weights and rows on both sides, AdamW, in one process and in turns. `--tiny` tries it with small
models, `--memory` measures the corpora alone.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from encoders import run_with
from measure import print_rows

SIZES = {"bert": 30522, "gpt2": 50257}
TINY = {
    "bert": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 2},
}
OBJECTIVES = {"bert": ("masked-words", "masked-lm"), "gpt2": ("causal", "causal-lm")}
RATE, SEED = 1e-4, 0
MEGABYTES = (20, 200)
"""Of the corpora whose memory is measured."""


@dataclass(frozen=True)
class Figure:
    """Typical tokens per second, and the typical ratio of ours to theirs in a round."""

    model: str
    precision: str
    rows: int
    length: int
    ours: float
    theirs: float
    ratio: float


def main() -> None:
    """Measure here, or in the environment of ``--peers`` with our packages on its path; print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="Python of the environment of benchmarks/requirements.txt")
    parser.add_argument("--wheels", help="not needed here")
    parser.add_argument("--models", nargs="+", choices=tuple(SIZES), default=tuple(SIZES))
    parser.add_argument("--precision", nargs="+", choices=("no", "bf16"), default=("no", "bf16"))
    parser.add_argument("--rows", type=int, default=8, help="of an update")
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=6, help="of each training; the first is not counted")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tiny", action="store_true", help="with two small layers")
    parser.add_argument("--memory", action="store_true", help="only the memory that corpora take")
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="file to write the figures into")
    arguments = parser.parse_args()
    if arguments.prepare is not None:
        print(prepared(arguments.prepare))
        return
    if arguments.peers is not None:
        run_with(arguments.peers, "tfx-encoders", "tfx-decoders", "tfx-training")
        return
    print_memory()  # first, for a process begins with the peak of the one that starts it
    if not arguments.memory:
        measure(arguments)


# -- speed -------------------------------------------------------------------------------------------------------------


def measure(arguments: argparse.Namespace) -> None:
    """Print the table of speeds."""
    import torch

    torch.set_num_threads(arguments.threads)
    figures = [figure for model in arguments.models for figure in figures_of(model, arguments)]
    rows = [
        (each.model, each.precision, f"{each.rows} × {each.length}", f"{each.ours:,.0f}", f"{each.theirs:,.0f}",
         f"{each.ratio:.2f}") for each in figures
    ]  # fmt: skip
    print_rows([("model", "precision", "rows", "tokens/s", "transformers", "ratio"), *rows])
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(each) for each in figures], indent=1), encoding="utf-8")


def figures_of(name: str, arguments: argparse.Namespace) -> Iterator[Figure]:
    """What is asked of one model."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_tokenizer(name, place)
        objective, corpus = task(name, place, arguments)
        write_model(name, objective, place, arguments.tiny)
        for precision in arguments.precision:
            speeds: list[tuple[float, float]] = []
            for round_ in range(arguments.rounds):
                order = (ours, theirs) if round_ % 2 else (theirs, ours)
                found = {each: each(name, place, objective, corpus, precision, arguments) for each in order}
                speeds.append((found[ours], found[theirs]))
                print(".", end="", file=sys.stderr, flush=True)
            own, other = (median(each) for each in zip(*speeds, strict=True))
            ratio = median(one / two for one, two in speeds)
            print(f" {name} {precision}: {own:,.0f}, theirs {other:,.0f}, {ratio:.2f}", file=sys.stderr)
            yield Figure(name, precision, arguments.rows, arguments.length, own, other, ratio)


def write_tokenizer(name: str, folder: Path) -> None:
    """The files of a tokenizer with as many tokens as the released one; what they stand for does not matter."""
    filler = [f"t{number}" for number in range(SIZES[name])]
    if name == "bert":
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        (folder / "vocab.txt").write_text("\n".join([*special, *filler[len(special) :]]), encoding="utf-8")
        return
    tokens = [*filler[:-1], "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")


def task(name: str, folder: Path, arguments: argparse.Namespace) -> tuple[Any, Any]:
    """The objective, and a corpus of random ids in documents of a few rows each."""
    import numpy as np

    import tfx_core
    from tfx_training import TokenCorpus, load_objective

    (folder / "config.json").write_text(json.dumps({"model_type": name}), encoding="utf-8")
    tokenizer = tfx_core.load_tokenizer(folder)
    documents, words = 40, arguments.rows * arguments.length // 4
    ends = np.arange(1, documents + 1, dtype=np.int64) * words
    ids = np.random.default_rng(SEED).integers(10, SIZES[name] - 10, documents * words)
    corpus = TokenCorpus(
        ids=ids.astype(np.uint16),
        word_starts=np.ones(len(ids), dtype=np.bool_),
        sentence_ends=ends,
        document_ends=np.arange(1, documents + 1, dtype=np.int64),
        groups=np.zeros(documents, dtype=np.uint16),
        group_names=("",),
        size=len(ids),
    )
    kind: Any = load_objective(OBJECTIVES[name][0])
    return kind(tokenizer, length=arguments.length), corpus


def write_model(name: str, objective: Any, folder: Path, tiny: bool) -> None:
    """Random weights, for both."""
    (model,) = objective.new_models(name, seed=SEED, **(TINY[name] if tiny else {})).values()
    model.save_pretrained(folder)


def ours(name: str, folder: Path, objective: Any, corpus: Any, precision: Any, arguments: argparse.Namespace) -> float:
    """Tokens per second of ``tfx_training.train``."""
    import tfx_core
    from tfx_training import TrainingSettings, train

    model = tfx_core.load_model(folder, head=OBJECTIVES[name][1])
    settings = TrainingSettings(
        steps=arguments.steps, batch_size=arguments.rows, rate=RATE, precision=precision, log_every=1
    )
    with tempfile.TemporaryDirectory() as out:
        train(objective, {"model": model}, corpus, out, settings=settings, progress=False)
        lines = [json.loads(line) for line in (Path(out) / "speed.jsonl").open(encoding="utf-8")]
    seconds = lines[-1]["seconds"] - lines[0]["seconds"]
    return (len(lines) - 1) * int(arguments.rows * arguments.length) / float(seconds)


def theirs(
    name: str, folder: Path, objective: Any, corpus: Any, precision: Any, arguments: argparse.Namespace
) -> float:
    """Tokens per second of transformers' Trainer."""
    import torch
    import transformers

    from tfx_training.objective import generator_of

    kind = transformers.AutoModelForMaskedLM if name == "bert" else transformers.AutoModelForCausalLM
    rows = objective.rows(corpus, generator_of(SEED))
    data = [{"input_ids": whole_row(objective, rows[number])} for number in range(len(rows))]
    if name == "bert":
        tokenizer = transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt"))
        collator: Any = transformers.DataCollatorForLanguageModeling(tokenizer)
    else:

        def collator(examples: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
            ids = torch.tensor([example["input_ids"] for example in examples])
            return {"input_ids": ids, "labels": ids}

    ends: list[float] = []

    class Clock(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *given: Any, **others: Any) -> None:
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as out:
        settings = transformers.TrainingArguments(
            output_dir=out,
            max_steps=arguments.steps,
            per_device_train_batch_size=arguments.rows,
            learning_rate=RATE,
            bf16=precision == "bf16",
            use_cpu=True,
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=SEED,
        )
        transformers.Trainer(
            model=kind.from_pretrained(folder), args=settings, train_dataset=data, data_collator=collator,
            callbacks=[Clock()],
        ).train()  # fmt: skip
    return (len(ends) - 1) * int(arguments.rows * arguments.length) / (ends[-1] - ends[0])


def whole_row(objective: Any, row: Any) -> list[int]:
    """The ids of a row with nothing hidden."""
    from tfx_training.objective import generator_of

    example = objective.example(row, generator_of(SEED))
    ids, labels = example["input_ids"], example.get("labels")
    if labels is None:
        return [int(each) for each in ids]
    return [int(label if label >= 0 else number) for number, label in zip(ids, labels, strict=True)]


# -- memory ------------------------------------------------------------------------------------------------------------


def print_memory() -> None:
    """Print what a corpus takes while it is tokenized and read, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for size in MEGABYTES:
            file = write_corpus(Path(folder) / f"{size}.jsonl", size * 1_000_000)
            command = (sys.executable, __file__, "--prepare", str(file))
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append((f"{size} MB", *done.stdout.split()))
        print_rows([("corpus", "peak MB", "tokens/s"), *rows])


def write_corpus(file: Path, size: int) -> Path:
    """Documents as JSON lines: Python's topics again and again."""
    from pydoc_data.topics import topics

    with file.open("w", encoding="utf-8") as out:
        written = 0
        while written < size:
            for text in topics.values():
                written += out.write(json.dumps({"text": f"{written} {text}"}) + "\n")
    return file


def prepared(file: Path) -> str:
    """The peak of the memory of tokenizing a corpus and reading an epoch's first rows, and tokens per second."""
    from tfx_training import load_objective, prepared_corpus, read_documents, train_tokenizer
    from tfx_training.objective import generator_of

    tokenizer = train_tokenizer(read_documents(["pydoc:topics"]), "bert", vocab_size=2000)
    started = time.perf_counter()
    corpus = prepared_corpus([file], tokenizer, file.with_suffix(""))[0]
    speed = len(corpus.ids) / (time.perf_counter() - started)
    kind: Any = load_objective("masked-words")
    objective = kind(tokenizer, length=128)
    rows = objective.rows(corpus, generator_of(0))
    objective.batch([objective.example(rows[number], generator_of(0, 0, number)) for number in range(32)])
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} {speed:,.0f}"


if __name__ == "__main__":
    main()
