"""Zero-shot classification gives the reference's results, for every kind of model that takes pairs of texts."""

from typing import Any

import pytest
import transformers

import tfx_core
from tests.cases import cases
from tests.models.test_tokenizers import released_with
from tests.models.test_words import with_head
from tests.models.tiny import perturbed, tiny_config
from tests.parity.test_tasks import same

TEXTS = ["hello abc world", "a", "abc ab hello, hello world! 1,000", "Anna lives in NEW York", " x abc" * 15]
LABELS = ["abc", "hello world", "x", "new york"]
CLASSES = {0: "contradiction", 1: "neutral", 2: "ENTAILMENT"}


@pytest.fixture(scope="module", params=with_head("sequence-classification"))
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """The task and the reference's, with one random model and the files of one tokenizer."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    tokenizer = tfx_core.load_tokenizer(released_with("pad_token", "<pad>", name, folder / "text"))
    sizes = {**tiny_config(name), "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    model = tfx_core.new_model(name, head="sequence-classification", seed=1, **sizes, id2label=CLASSES)
    perturbed(model, 2, 0.1).save_pretrained(folder)
    reads = transformers.AutoTokenizer.from_pretrained(folder / "text", model_max_length=model.max_positions)
    reads.model_input_names = [*tokenizer.model_input_names]  # some of ours leave types out, see their text.py
    if reads.pad_token is None and reads.eos_token is None:
        reads.pad_token = reads.unk_token  # without one the reference refuses even a single text
    theirs = transformers.pipeline("zero-shot-classification", str(folder), tokenizer=reads, device="cpu")
    patch = next(case.variant.patch for case in cases((name,)) if case.head == "sequence-classification")
    if patch is not None:
        patch(theirs.model)
    return tfx_core.pipeline("zero-shot-classification", folder, tokenizer=folder / "text", batch_tokens=60), theirs


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"multi_label": True},
        {"hypothesis_template": "hello {}"},
        {"candidate_labels": "abc"},
        {"candidate_labels": "abc , x,hello"},
    ],
    ids=str,
)
def test_labels_and_scores(both: tuple[Any, Any], options: dict[str, Any]) -> None:
    ours, theirs = both
    given = {"candidate_labels": LABELS, **options}
    for texts in (TEXTS, TEXTS[0], TEXTS[:1]):
        found, expected = ours(texts, **given), theirs(texts, **given)
        same(found, expected)
        for one, other in zip(*([each] if isinstance(each, dict) else each for each in (found, expected)), strict=True):
            assert one["scores"] == pytest.approx(other["scores"], rel=0, abs=1e-6)
