"""Masks are filled as the reference fills them, by every architecture with the files of its family."""

from typing import Any

import pytest
import transformers

import tfx_core
from tests.cases import cases
from tests.models.test_tokenizers import released_with
from tests.models.test_words import with_head
from tests.models.tiny import perturbed, tiny_config
from tests.parity.test_tasks import same


@pytest.fixture(scope="module", params=with_head("masked-lm"))
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """The task and the reference's, with one random model and the files of one tokenizer."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    tokenizer = tfx_core.load_tokenizer(released_with("mask_token", "<mask>", name, folder / "text"))
    sizes = {**tiny_config(name), "vocab_size": len(tokenizer)}
    perturbed(tfx_core.new_model(name, head="masked-lm", seed=1, **sizes), 2, 0.1).save_pretrained(folder)
    # cleaning up, which is for text that was generated, can be asked for here
    reads = transformers.AutoTokenizer.from_pretrained(folder / "text", clean_up_tokenization_spaces=False)
    theirs = transformers.pipeline("fill-mask", str(folder), tokenizer=reads, device="cpu")
    patch = next(case.variant.patch for case in cases((name,)) if case.head == "masked-lm")
    if patch is not None:
        patch(theirs.model)
    return tfx_core.pipeline("fill-mask", folder, tokenizer=folder / "text", batch_tokens=40), theirs


def readable(tokenizer: Any, found: Any) -> Any:
    """Without texts of signs of a model file that have no role, which the reference's fast tokenizers leave out."""
    if isinstance(found, list):
        return [readable(tokenizer, each) for each in found]
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    without_role = found["token"] in special.difference(tokenizer.all_special_ids)
    return {key: value for key, value in found.items() if key != "sequence" or not without_role}


@pytest.mark.parametrize("options", [{}, {"top_k": 1}, {"top_k": 90}, {"targets": ["a", "x", "1"]}], ids=str)
def test_candidates_and_their_texts(both: tuple[Any, Any], options: dict[str, Any]) -> None:
    ours, theirs = both
    mask = ours.tokenizer.mask_token
    texts = [f"hello {mask} world", f"hello{mask} world", f"{mask}, abc", f"a b{mask}", f"1 + {mask}. ({mask})"]
    if ours.model.config.model_type != "funnel":  # the reference cannot pool so short a text
        texts.append(mask)
    found, expected = ours(texts, **options), theirs(texts, **options)
    for each in (each for several in (found[4], expected[4]) for candidates in several for each in candidates):
        del each["sequence"]  # in which the reference leaves the tokens around the text
    for mine, its in ((found, expected), (ours(texts[0], **options), theirs(texts[0], **options))):
        same(*(readable(theirs.tokenizer, each) for each in (mine, its)))
