"""RAG of tiny models: what a text and its loss depend on, what both modes write, what is refused."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.cases.rag import BART, QUESTION_ENCODER, T5
from tests.models.released import released
from tests.models.tiny import perturbed
from tfx_core import Model
from tfx_core.attention import attention_maps
from tfx_core.errors import ConfigError, InputError, UnknownNameError

HEADS = ("rag-sequence", "rag-token")
GENERATORS = {"bart": BART, "t5": {**T5, "pad_token_id": 4}}
SEARCHES: list[dict[str, Any]] = [{}, {"num_beams": 3, "num_return_sequences": 2}, {"do_sample": True, "seeds": [1, 2]}]


def rag(head: str, generator: str = "bart", **changes: Any) -> Model:
    parts = {"question_encoder": QUESTION_ENCODER, "generator": GENERATORS[generator]}
    return perturbed(tfx_core.new_model("rag", head=head, seed=1, **parts, **changes).eval(), 2, 0.5)


def _sizes(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in ("model_type", "forced_eos_token_id")}


def given(model: Model, lengths: tuple[int, ...] = (9, 4, 6, 8, 9, 3), side: str = "right") -> dict[str, Tensor]:
    """Two questions with three documents each, padded on one side."""
    generator = torch.Generator().manual_seed(3)
    rows = [torch.randint(5, 53, (length,), generator=generator) for length in lengths]
    ids = torch.full((len(rows), 9), model.config.generator.pad_token_id)
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(rows):
        place = slice(0, len(tokens)) if side == "right" else slice(9 - len(tokens), 9)
        ids[row, place], mask[row, place] = tokens, 1
    scores = torch.randn(len(rows) // 3, 3, generator=generator)
    return {"context_input_ids": ids, "context_attention_mask": mask, "doc_scores": scores}


def labels(model: Model) -> Tensor:
    start = model.config.generator.decoder_start_token_id
    return torch.tensor([[start, 8, 7, 30, 12, 9], [start, 9, 11, -100, -100, -100]])


def of_question(inputs: dict[str, Tensor], number: int, documents: list[int]) -> dict[str, Tensor]:
    """One question with these of its documents, without columns of nothing but padding."""
    rows = [number * 3 + each for each in documents]
    ids, mask = inputs["context_input_ids"][rows], inputs["context_attention_mask"][rows]
    real = mask.bool().any(0)
    scores = inputs["doc_scores"][number : number + 1, documents]
    return {"context_input_ids": ids[:, real], "context_attention_mask": mask[:, real], "doc_scores": scores}


@pytest.fixture(params=[(head, name) for head in HEADS for name in GENERATORS], ids="-".join)
def model(request: pytest.FixtureRequest) -> Model:
    return rag(*request.param)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_loss_is_the_same_alone_in_any_order_and_without_documents_that_are_none(model: Model, side: str) -> None:
    inputs, targets = given(model, side=side), labels(model)
    losses = model(**inputs, labels=targets).loss
    assert losses.shape == (2,)
    for number in range(2):
        alone = model(**of_question(inputs, number, [2, 0, 1]), labels=targets[number : number + 1]).loss
        torch.testing.assert_close(alone[0], losses[number], rtol=1e-4, atol=1e-5)
    fewer = model(**of_question(inputs, 1, [0, 2]), labels=targets[1:, :3]).loss[0]
    inputs["context_attention_mask"][4] = 0
    torch.testing.assert_close(model(**inputs, labels=targets).loss[1], fewer, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("search", SEARCHES, ids=str)
def test_a_question_is_answered_in_a_batch_as_alone(model: Model, search: dict[str, Any]) -> None:
    inputs, options = given(model), {"max_new_tokens": 6, **search}
    together = model.generate(**inputs, **options)
    count = options.get("num_return_sequences", 1)
    for number in range(2):
        own = {**options, "seeds": options["seeds"][number : number + 1]} if "seeds" in options else options
        alone = model.generate(**of_question(inputs, number, [0, 1, 2]), **own)
        found = together[number * count : (number + 1) * count, : alone.shape[1]]
        assert found.tolist() == alone.tolist()


def test_documents_that_are_none_write_nothing(model: Model) -> None:
    inputs = given(model)
    inputs["context_attention_mask"][4] = 0
    written = model.generate(**inputs, max_new_tokens=6, num_beams=2)[1]
    alone = model.generate(**of_question(inputs, 1, [0, 2]), max_new_tokens=6, num_beams=2)[0]
    assert written[: len(alone)].tolist() == alone.tolist()


def test_the_score_of_a_written_text_is_its_probability(model: Model) -> None:
    inputs = given(model)
    output = model.generate(**inputs, max_new_tokens=6, num_beams=3, length_penalty=0.0, return_dict_in_generate=True)
    texts, pad = output.sequences, model.config.generator.pad_token_id
    texts = torch.cat((texts[:, :1], texts[:, 1:].masked_fill(texts[:, 1:] == pad, -100)), 1)
    excluded = {"exclude_bos_score": True} if model.head_name == "rag-sequence" else {}
    loss = model(**inputs, labels=texts, **excluded).loss
    torch.testing.assert_close(-loss, output.sequences_scores, rtol=1e-4, atol=1e-4)


def test_a_text_of_one_document_is_that_of_the_generator() -> None:
    sequence, token = rag("rag-sequence"), rag("rag-token")
    token.load_state_dict(sequence.state_dict())
    inputs = of_question(given(sequence), 0, [1])
    options = {"max_new_tokens": 6, "num_beams": 3, "length_penalty": 0.0}
    sources = {"input_ids": inputs["context_input_ids"], "attention_mask": inputs["context_attention_mask"]}
    alone = sequence.get_submodule("backbone.generator").generate(**sources, **options)
    assert sequence.generate(**inputs, **options).tolist() == alone.tolist()
    assert token.generate(**inputs, **options).tolist() == alone.tolist()


def test_fast_decoding_counts_no_document_that_did_not_write_the_text() -> None:
    model = rag("rag-sequence")
    inputs = given(model)
    options = {"max_new_tokens": 6, "num_beams": 2, "num_return_sequences": 3, "return_dict_in_generate": True}
    fast, thorough = (
        {
            (place // 3, *row): score
            for place, (row, score) in enumerate(zip(each.sequences.tolist(), each.sequences_scores, strict=True))
        }
        for each in (model.generate(**inputs, **options, fast_decoding=fast) for fast in (True, False))
    )
    compared = [(score, thorough[text]) for text, score in fast.items() if text in thorough]
    assert all(score <= whole + 1e-5 for score, whole in compared)
    assert any(score < whole - 1e-5 for score, whole in compared)


def test_guessed_tokens_change_no_text() -> None:
    model = rag("rag-token", "t5")
    inputs = of_question(given(model), 0, [0, 1, 2])
    written = model.generate(**inputs, max_new_tokens=8)
    assert model.generate(**inputs, max_new_tokens=8, prompt_lookup_num_tokens=2).tolist() == written.tolist()


@pytest.mark.parametrize("head", HEADS)
def test_scores_made_of_vectors_teach_the_question_encoder(head: str) -> None:
    model = rag(head, ctx_encoder=QUESTION_ENCODER, output_retrieved=True)
    inputs, ids = given(model), torch.randint(5, 47, (2, 5))
    del inputs["doc_scores"]
    passages = torch.randint(5, 47, (6, 7))
    embeds = torch.randn(2, 3, 24)
    output = model(input_ids=ids, **inputs, retrieved_doc_embeds=embeds, labels=labels(model), reduce_loss=True)
    vectors = model.get_submodule("backbone.question_encoder")(ids).pooler_output
    torch.testing.assert_close(output.doc_scores, (vectors[:, None] * embeds).sum(-1))
    assert torch.equal(output.retrieved_doc_embeds, embeds)
    output.loss.backward()
    assert model.get_submodule("backbone.question_encoder").get_input_embeddings().weight.grad.any()
    output = model(input_ids=ids, **inputs, retrieved_doc_input_ids=passages, labels=labels(model), reduce_loss=True)
    output.loss.backward()
    assert all(parameter.grad is not None for parameter in model.backbone.ctx_encoder.parameters())
    assert model.generate(ids, **inputs, retrieved_doc_embeds=embeds, max_new_tokens=3).shape[0] == 2


def test_saved_pickled_and_made_of_folders_it_is_the_same(tmp_path: Path) -> None:
    encoder = perturbed(tfx_core.new_model("bert", seed=1, **_sizes(QUESTION_ENCODER)), 2, 0.1)
    encoder.save_pretrained(tmp_path / "encoder")
    writer = perturbed(tfx_core.new_model("bart", head="conditional-generation", seed=1, **_sizes(BART)), 2, 0.3)
    writer.generation_config.num_beams = 4
    writer.save_pretrained(tmp_path / "writer")
    parts = {"question_encoder": tmp_path / "encoder", "generator": tmp_path / "writer"}
    model = tfx_core.new_model("rag", head="rag-token", parts=parts).eval()
    assert model.generation_config.num_beams == 4
    assert model.generation_config.decoder_start_token_id == 2
    inputs = given(model)
    model.save_pretrained(tmp_path / "rag")
    for again in (tfx_core.load_model(tmp_path / "rag"), pickle.loads(pickle.dumps(model))):
        assert again.head_name == "rag-token"
        assert again.generate(**inputs).tolist() == model.generate(**inputs).tolist()
    with pytest.raises(InputError, match="parts: nothing given; must be question_encoder and generator"):
        tfx_core.new_model("rag", parts={"generator": tmp_path / "writer"})


def test_half_precision_gives_a_loss_near_the_whole(model: Model) -> None:
    inputs, targets = given(model), labels(model)
    whole = model(**inputs, labels=targets).loss
    half = model.bfloat16()(**inputs, labels=targets).loss
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, whole, rtol=0.1, atol=0.5)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"doc_scores": torch.zeros(2, 2)}, r"context_input_ids of shape \(6, 9\): must be \(4, tokens\)"),
    ({"n_docs": 5}, "n_docs=5: doc_scores are of 3 documents for each question"),
    ({"doc_scores": torch.full((2, 3), float("-inf"))}, "doc_scores: row 0 is .* each question needs one"),
    ({"doc_scores": None}, "doc_scores: give them, or input_ids of the question and retrieved_doc_embeds"),
    ({"context_input_ids": None}, "context_input_ids: give the documents with the question"),
    ({"doc_scores": torch.zeros(6)}, r"doc_scores of shape \(6,\)"),
]


@pytest.mark.parametrize(("changes", "said"), WRONG, ids=str)
def test_documents_that_do_not_fit_are_told(changes: dict[str, Any], said: str) -> None:
    model = rag("rag-token")
    inputs = {**given(model), **changes}
    with pytest.raises(InputError, match=said):
        model(**inputs, labels=labels(model))
    with pytest.raises(InputError, match=said):
        model.generate(**inputs)


def test_a_writer_that_does_not_know_how_to_begin_says_what_is_missing() -> None:
    parts = {"question_encoder": QUESTION_ENCODER, "generator": {**T5, "decoder_start_token_id": None}}
    for head in HEADS:
        model = tfx_core.new_model("rag", head=head, **parts)
        with pytest.raises(InputError, match="decoder_start_token_id: the checkpoint names neither it nor bos"):
            model.generate(**given(model))


def test_what_cannot_be_meant_is_refused() -> None:
    sequence, token = rag("rag-sequence"), rag("rag-token")
    inputs = given(sequence)
    refused: list[tuple[Model, dict[str, Any], str]] = [
        (token, {"fast_decoding": True}, "fast_decoding=True: is for whole texts; load .* head='rag-sequence'"),
        (token, {"do_deduplication": False}, "do_deduplication=False: is for whole texts"),
        (
            token,
            {"output_attentions": True, "return_dict_in_generate": True},
            "output_attentions: generation has no use",
        ),
        (sequence, {"num_beams": 2, "num_return_sequences": 7}, "num_return_sequences=7: 6 candidates of a question"),
        (sequence, {"do_sample": True, "seeds": [1]}, "seeds: 1 given, for 2 questions"),
        (sequence, {"output_scores": True}, "output_scores: whole texts are ranked"),
        (sequence, {"decoder_input_ids": torch.tensor([[2], [2]])}, "decoder_input_ids: generation has no use for it"),
    ]
    for model, options, said in refused:
        with pytest.raises(InputError, match=said):
            model.generate(**inputs, **options)
    with pytest.raises(InputError, match="head 'backbone' cannot generate"):
        rag("backbone").generate(**inputs)


@pytest.mark.parametrize("head", ["backbone", *HEADS])
def test_attention_to_documents_is_not_shown_as_that_to_a_text(head: str, tmp_path: Path) -> None:
    tokenizer = tfx_core.load_tokenizer(released("bert", tmp_path))
    size = len(tokenizer)
    parts = {"question_encoder": {**QUESTION_ENCODER, "vocab_size": size}, "generator": {**BART, "vocab_size": size}}
    model = tfx_core.new_model("rag", head=head, seed=1, **parts)
    for target in (None, "abc"):
        with pytest.raises(InputError, match=rf"^the head '{head}' of a rag model reads no target for its text$"):
            attention_maps(model, tokenizer, "hello abc", target=target)


def test_parts_that_there_are_not_are_named() -> None:
    with pytest.raises(ConfigError, match="generator: is missing; must be the config of a model"):
        tfx_core.new_model("rag", question_encoder=QUESTION_ENCODER)
    with pytest.raises(UnknownNameError, match="no head 'conditional-generation' for bert"):
        tfx_core.new_model("rag", question_encoder=QUESTION_ENCODER, generator=QUESTION_ENCODER)
    with pytest.raises(UnknownNameError, match="'unheard'"):
        tfx_core.new_model("rag", question_encoder={"model_type": "unheard"}, generator=BART)
