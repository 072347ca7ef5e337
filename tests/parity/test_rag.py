"""RAG beside the reference: losses of each text, scores of questions and documents, and what both modes write."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import tfx_core
from tests.cases import case_of
from tests.cases.rag import BART, DOCUMENTS, T5, mended
from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_testing.cases import Variant
from tfx_testing.parity.case import Case
from tfx_testing.parity.reference import reference_model

SEED = 10
HEADS = ("rag-sequence", "rag-token")
# in place of a padding 0 the reference's beams are filled up with ends
GENERATORS = {"bart": BART, "t5": {**T5, "pad_token_id": 4}}
CASES = [(head, name) for head in HEADS for name in GENERATORS]
SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beams": {"num_beams": 3},
    "several": {"num_beams": 4, "num_return_sequences": 4},
    "short": {"num_beams": 3, "length_penalty": -1.0},
    "processed": {"num_beams": 3, "no_repeat_ngram_size": 2, "min_length": 4},
}


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Model]:
    """The reference's model, of larger parameters, so that documents differ in what follows, and ours of it."""
    head, name = request.param
    changes = {"generator": GENERATORS[name], "reduce_loss": False}
    case = Case(case_of("rag"), Variant(name, changes, patch=mended), head)
    reference = reference_model(case, seed=SEED)
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.mul_(1.6)
    folder = tmp_path_factory.mktemp("reference")
    reference.save_pretrained(folder)
    return reference, tfx_core.load_model(folder)


def documents(model: Model, *, padded: bool = True) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(7)
    ids = torch.randint(5, 53, (3 * DOCUMENTS, 9), generator=generator)
    mask = torch.ones_like(ids)
    if padded:
        for row, length in enumerate((9, 4, 6, 9, 2, 7, 3, 9, 9)):
            mask[row, length:] = 0
    pad = model.config.generator.pad_token_id
    scores = torch.randn(3, DOCUMENTS, generator=generator)
    return {
        "context_input_ids": ids.masked_fill(mask == 0, pad),
        "context_attention_mask": mask,
        "doc_scores": scores,
    }


def labels(model: Model) -> Tensor:
    generator = model.config.generator
    made = torch.randint(5, 53, (3, 7), generator=torch.Generator().manual_seed(8))
    made[:, 0] = generator.decoder_start_token_id
    made[:, 1] = 7 if generator.bos_token_id is None else generator.bos_token_id
    made[1, 4:] = made[2, 6:] = generator.pad_token_id
    return made


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_each_text(pair: tuple[Any, Model], smoothing: float) -> None:
    reference, model = pair
    asked = {"exclude_bos_score": True} if model.head_name == "rag-sequence" else {}
    reference.config.label_smoothing = model.config.label_smoothing = smoothing
    inputs = {**documents(model), "labels": labels(model)}
    for changes in ({}, asked, {"reduce_loss": True}):
        theirs, ours = reference(**inputs, **changes).loss, model(**inputs, **changes).loss
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-5)
    reference.config.label_smoothing = model.config.label_smoothing = 0.0


@pytest.mark.parametrize("search", SEARCHES)
def test_texts_are_the_references(pair: tuple[Any, Model], search: str) -> None:
    reference, model = pair
    for padded in (False, True):
        inputs = documents(model, padded=padded)
        pad = model.config.generator.pad_token_id
        options = {"max_length": 9, **SEARCHES[search], "suppress_tokens": [pad], "pad_token_id": pad}
        with torch.no_grad():
            theirs = reference.generate(**inputs, **options)
        assert without_padding(model.generate(**inputs, **options), pad) == without_padding(theirs, pad)


def test_every_key_that_the_reference_writes_is_honoured_or_declared(pair: tuple[Any, Model]) -> None:
    reference, model = pair
    assert model.config.unknown_keys == ()
    theirs, ours = reference.config.to_dict(), model.config.to_dict()
    assert {key: ours[key] for key in theirs if key in model.config.field_names() and key in ours} == {
        **{key: theirs[key] for key in theirs if key in model.config.field_names() and key in ours},
        **{key: ours[key] for key in ("question_encoder", "generator", "architectures", "id2label")},
    }


def without_padding(texts: Tensor, pad: int) -> list[list[int]]:
    """The reference fills a text up to the longest candidate of its question, also where that is not among the best."""
    return [row[:1] + [token for token in row[1:] if token != pad] for row in texts.tolist()]


def test_one_text_of_each_may_come_from_any_document(pair: tuple[Any, Model]) -> None:
    reference, model = pair
    inputs, pad = documents(model), model.config.generator.pad_token_id
    options = {"max_length": 7, "num_beams": 2, "num_return_sequences": 3, "suppress_tokens": [pad]}
    if model.head_name == "rag-token":
        with pytest.raises(InputError, match="num_return_sequences=3: beam search with num_beams=2 finds at most 2"):
            model.generate(**inputs, **options)
        return
    for unique in (True, False):
        with torch.no_grad():
            theirs = reference.generate(**inputs, **options, do_deduplication=unique)
        ours = model.generate(**inputs, **options, do_deduplication=unique)
        assert without_padding(ours, pad) == without_padding(theirs, pad)


def test_defaults_of_the_checkpoint_can_be_left_out(pair: tuple[Any, Model]) -> None:
    _, model = pair
    inputs, options = documents(model), {"max_new_tokens": 6, "num_beams": 2}
    written, kept = model.generate(**inputs, **options), model.generation_config
    model.generation_config = {**kept.to_dict(), "num_beams": 2, "no_repeat_ngram_size": 1}
    assert model.generate(**inputs, **options).tolist() != written.tolist()
    for asked in (options, {"generation_config": options}):
        assert model.generate(**inputs, **asked, use_model_defaults=False).tolist() == written.tolist()
    model.generation_config = kept


def test_what_stands_for_no_text_is_no_candidate(pair: tuple[Any, Model]) -> None:
    _, model = pair
    if model.head_name == "rag-token":
        for name, value in (("encoder_no_repeat_ngram_size", 2), ("encoder_repetition_penalty", 1.3)):
            with pytest.raises(InputError, match=f"{name}: a text has several sources here"):
                model.generate(**documents(model), **{name: value})
        return
    inputs, options = documents(model), {"max_new_tokens": 1, "num_beams": 3, "eos_token_id": None}
    with pytest.warns(UserWarning, match="row 0: there are only"):
        output = model.generate(
            **inputs, **options, suppress_tokens=[each for each in range(53) if each not in (7, 8)],
            num_return_sequences=5, return_dict_in_generate=True,
        )  # fmt: skip
    assert set(output.sequences[::5, 1].tolist()) <= {7, 8}
    assert output.sequences_scores.view(3, 5)[:, -1].tolist() == [float("-inf")] * 3


def test_a_cache_goes_on_with_the_documents_as_they_were(pair: tuple[Any, Model]) -> None:
    _, model = pair
    inputs, ids = documents(model), labels(model)[:, :4]
    whole = model(**inputs, decoder_input_ids=ids).logits
    begun = model(**inputs, decoder_input_ids=ids[:, :2], use_cache=True)
    del inputs["context_input_ids"]
    read = {"encoder_outputs": begun.generator_enc_last_hidden_state, "past_key_values": begun.past_key_values}
    rest = model(**inputs, **read, decoder_input_ids=ids[:, 2:], use_cache=True)
    torch.testing.assert_close(rest.logits, whole[:, 2:], rtol=1e-4, atol=1e-5)


def test_a_context_encoder_that_training_left_in_a_file_is_none_of_the_model(
    pair: tuple[Any, Model], tmp_path: Path
) -> None:
    reference, model = pair
    reference.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    encoder = {f"rag.ctx_encoder.{name}": x for name, x in reference.question_encoder.state_dict().items()}
    save_file({**tensors, **encoder}, tmp_path / "model.safetensors", {"format": "pt"})
    again = tfx_core.load_model(tmp_path)
    assert all(torch.equal(x, again.state_dict()[name]) for name, x in model.state_dict().items())
