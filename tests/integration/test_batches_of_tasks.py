"""Every task forms its batches by length under a budget of tokens, and gives results in the order of the inputs."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from torch import Tensor

import tfx_core
from tests.core.tasks.results import same
from tests.core.text.folders import write
from tests.decoders import texts as decoders
from tests.multimodal.test_mmbt import with_pixels
from tests.retrieval.conftest import WORDS
from tests.retrieval.test_dpr import SIZES
from tests.retrieval.test_open_domain import Found
from tests.seq2seq import texts as seq2seq
from tfx_core.plugins import TaskSpec, registry
from tfx_core.tasks import ItemError, Task, TextWindow, batching
from tfx_multimodal import ImageReader
from tfx_testing import toy
from tfx_testing.vocabularies import word_pieces

AnyTask = Task[Any, Any, Any]
Made = tuple[AnyTask, list[Any]]

COUNT = 13
NLI = {0: "contradiction", 1: "neutral", 2: "entailment"}
GREEDY: dict[str, Any] = {"max_new_tokens": 4, "num_beams": 1, "do_sample": False}
BEAMS: dict[str, Any] = {"max_new_tokens": 4, "num_beams": 2}


def texts(words: Sequence[str] = toy.VOCABULARY[5:17], longest: int = 12) -> list[str]:
    """As many as are asked, of many lengths."""
    draw = random.Random(7)
    return [" ".join(draw.choices(words, k=draw.randint(1, longest))) for _ in range(COUNT)]


def of_toy(task: str, head: str, inputs: list[Any], config: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """Makes a task of the toy."""
    return lambda folder: (
        tfx_core.pipeline(task, toy.save(folder, head, **(config or {})), **options),
        inputs,
    )


def of_pictures(folder: Path) -> Made:
    files = word_pieces(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))
    with_pixels(vocab_size=len(files["vocab.txt"]), num_labels=3).save_pretrained(folder)  # type: ignore[arg-type]
    write(folder, {**files, "tokenizer_config.json": {"tokenizer_class": "BertTokenizer"}})
    ImageReader(shortest_edge=40, crop_size=(36, 32)).save_pretrained(folder)
    images = [Image.new("RGB", (50, 60), (200, 9 * number, 0)) for number in range(COUNT)]
    pairs = [
        (text, image if number % 3 else None)
        for number, (text, image) in enumerate(zip(texts(longest=5), images, strict=True))
    ]
    return tfx_core.pipeline("multimodal-classification", folder), pairs


def of_passages(folder: Path) -> Made:
    model = tfx_core.new_model("dpr", head="reader", seed=3, **SIZES)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    task = tfx_core.pipeline("open-domain-question-answering", folder, index=Found(), passages=3)
    return task, texts(WORDS[6:])


def of_contexts(folder: Path) -> Made:
    saved = seq2seq.save(folder, "bart", max_position_embeddings=128)
    task = tfx_core.pipeline("retrieval-augmented-generation", saved, index=Found(), n_docs=2, **BEAMS)
    return task, texts(WORDS[6:], 6)


def writing(task: str) -> Callable[[Path], Made]:
    return lambda folder: (tfx_core.pipeline(task, seq2seq.save(folder, "t5"), **BEAMS), texts(longest=5))


def going_on(task: str, **options: Any) -> Callable[[Path], Made]:
    return lambda folder: (tfx_core.pipeline(task, decoders.save(folder, "gpt2"), **options), texts(longest=4))


MAKERS: dict[str, Callable[[Path], Made]] = {
    "fill-mask": of_toy("fill-mask", "masked-lm", [f"{text} [MASK]" for text in texts()]),
    "text-classification": of_toy("text-classification", "sequence-classification", texts()),
    "zero-shot-classification": of_toy(
        "zero-shot-classification",
        "sequence-classification",
        texts(),
        {"num_labels": 3, "id2label": NLI},
        candidate_labels=("good", "bad"),
    ),
    "token-classification": of_toy("token-classification", "token-classification", texts()),
    "question-answering": of_toy(
        "question-answering", "question-answering", [{"question": "who ?", "context": text} for text in texts()]
    ),
    "feature-extraction": of_toy("feature-extraction", "backbone", texts()),
    "sentence-similarity": of_toy(
        "sentence-similarity", "backbone", [*zip(texts(), reversed(texts()), strict=True)]
    ),
    "text-generation": going_on("text-generation", **GREEDY),
    "perplexity": going_on("perplexity"),
    "summarization": writing("summarization"),
    "translation": writing("translation"),
    "text2text-generation": writing("text2text-generation"),
    "multimodal-classification": of_pictures,
    "open-domain-question-answering": of_passages,
    "retrieval-augmented-generation": of_contexts,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _toy() -> Iterator[None]:
    with tfx_core.register(toy.Plugin(), name="tfx-toy"):
        yield


@pytest.fixture(params=[entry.spec.name for entry in registry.specs(TaskSpec)])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """Each installed task, and inputs of it."""
    return MAKERS[request.param](tmp_path / "model")


def watched(run: AnyTask, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """Of each batch from now on its rows, the tokens of its tensor, and those that it takes of the budget."""
    seen: list[tuple[int, int, int]] = []
    compute = run.compute

    def noted(batch: Mapping[str, Tensor], windows: Sequence[TextWindow], options: Any) -> Any:
        taken = len(windows) * max(run.row_tokens(windows, options))
        ids = next(each for name, each in batch.items() if name.endswith("input_ids"))
        seen.append((len(windows), ids.numel(), taken))
        return compute(batch, windows, options)

    monkeypatch.setattr(run, "compute", noted)
    return seen


def test_batches_stay_within_the_budget_and_results_in_order(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    run, inputs = made
    seen = watched(run, monkeypatch)
    alone = [run([each])[0] for each in inputs]
    assert len({str(each) for each in alone}) > 1
    largest = max(taken // rows for rows, _, taken in seen)
    for budget in (largest // 2, 3 * largest):
        seen.clear()
        same(run(inputs, batch_tokens=budget), alone)
        assert all(rows == 1 or max(tokens, taken) <= budget for rows, tokens, taken in seen)
    assert max(rows for rows, _, _ in seen) > 1
    seen.clear()
    same(run(inputs, batch_size=2), alone)
    assert max(rows for rows, _, _ in seen) == 2
    seen.clear()
    same(run(inputs), alone)
    assert max(taken for _, _, taken in seen) <= run.token_budget(run.options)


def test_an_iterator_is_read_a_chunk_ahead_and_one_error_names_its_input(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, inputs = made
    monkeypatch.setattr(batching, "CHUNK_INPUTS", 6)
    read: list[int] = []

    def source() -> Iterator[Any]:
        for number, each in enumerate(inputs):
            read.append(number)
            yield each

    results = run(source())
    got = [next(results)]
    assert 1 <= len(read) <= 6
    same([*got, *results], run(inputs))
    with pytest.raises(ItemError) as caught:
        run([*inputs[:8], 3, *inputs[8:]])
    assert caught.value.index == 8
