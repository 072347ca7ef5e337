"""From a question to a text with an index folder, and joint training, with small models that know nothing."""

import json
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import tfx_core
from tests.retrieval.conftest import save_tiny_bert
from tfx_core.cli import cli
from tfx_core.embedding import TextEncoder
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval import Passage, build_index, open_index, write_index
from tfx_retrieval.hits import Hit
from tfx_retrieval.rag.assembly import searched_by
from tfx_retrieval.rag.contexts import ContextForm, ContextReader
from tfx_retrieval.rag.refreshing import RefreshedIndex
from tfx_retrieval.rag.tokenizers import RagTokenizer
from tfx_retrieval.rag.training import JointTraining
from tfx_retrieval.rag.vectors import QuestionEncoder, TextVectors
from tfx_retrieval.rag.watch import RetrievalWatch

TASK = "retrieval-augmented-generation"
PASSAGES = [
    Passage("the cat sat on the mat", "cat", "1"),
    Passage("bread is baked in the oven", "bread", "2"),
    Passage("the boat sails on the sea", "boat", "3"),
    Passage("the sea is in the boat", "sea", "4"),
]
QUESTIONS = ["the cat", "bread is baked in the oven on the sea", "the boat sails"]
SHORT = {"max_new_tokens": 6, "n_docs": 2, "num_beams": 2}
BART = (
    {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "dropout": 0.0}
    | {"decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64}
    | {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 3, "init_std": 0.5}
)
T5 = {"d_model": 32, "d_kv": 16, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2} | {
    "pad_token_id": 0,
    "eos_token_id": 3,
    "decoder_start_token_id": 0,
    "dropout_rate": 0.0,
}
SIZES: dict[str, dict[str, Any]] = {"bart": BART, "t5": T5}


@dataclass(frozen=True)
class Place:
    """Folders of models that fit each other."""

    root: Path

    @property
    def encoder(self) -> Path:
        return self.root / "encoder"

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def of_rag(self) -> Path:
        """The index of the RAG's own encoder."""
        return self.root / "index-of-rag"

    @property
    def rag(self) -> Path:
        return self.root / "rag"

    def generator(self, kind: str) -> Path:
        return self.root / kind


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An encoder by first token, its index, generators with the same words, and a RAG of these."""
    place = Place(tmp_path_factory.mktemp("rag"))
    place.encoder.mkdir()
    save_tiny_bert(place.encoder, seed=0)
    for name in ("modules.json", "1_Pooling"):  # the vector is that of the first token, as a RAG's is
        file = place.encoder / name
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    encoder = tfx_core.load_encoder(place.encoder, pooling="cls")
    encoder.save_pretrained(place.encoder)
    build_index(PASSAGES, encoder, place.index, topic_prefix=True)
    for kind, sizes in SIZES.items():
        model = tfx_core.new_model(
            kind, head="conditional-generation", seed=1, vocab_size=len(encoder.tokenizer), **sizes
        )
        model.save_pretrained(place.generator(kind))
        encoder.tokenizer.save_pretrained(place.generator(kind))
    rag = tfx_core.new_model(
        "rag", head="rag-sequence", parts={"question_encoder": place.encoder, "generator": place.generator("bart")}
    )
    rag.save_pretrained(place.rag)
    RagTokenizer(encoder.tokenizer, encoder.tokenizer).save_pretrained(place.rag)
    part = tfx_core.load_model(place.rag).backbone.get_submodule("question_encoder")
    build_index(PASSAGES, BothSides(QuestionEncoder(part, encoder.tokenizer)), place.of_rag)
    return place


class BothSides:
    """Passages are encoded as questions are."""

    def __init__(self, encoder: QuestionEncoder) -> None:
        self.dimension = encoder.dimension
        self.encode_query = encoder.encode_query

    def encode_document(self, texts: Sequence[str], **_: object) -> Any:
        return self.encode_query(texts)


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("mode", ["rag-token", "rag-sequence"])
def test_any_generator_answers_from_any_index(place: Place, kind: str, mode: str) -> None:
    task = tfx_core.pipeline(TASK, model=place.generator(kind), index=place.index, mode=mode, **SHORT)
    (answer,) = task("the cat")
    assert isinstance(answer["generated_text"], str)
    assert [passage["id"] for passage in answer["passages"]] == [
        hit.passage.id
        for hit in open_index(place.index, tfx_core.load_encoder(place.encoder)).search(["the cat"], 2)[0]
    ]
    assert sum(passage["weight"] for passage in answer["passages"]) == pytest.approx(1)
    assert {"score", "weight", "id", "topic", "text"} == answer["passages"][0].keys()


@pytest.mark.parametrize("mode", ["rag-token", "rag-sequence"])
@pytest.mark.parametrize("options", [{}, {"num_beams": 1}, {"do_sample": True, "num_beams": 1, "seed": 3}])
def test_questions_are_answered_together_as_they_are_alone(place: Place, mode: str, options: dict[str, Any]) -> None:
    task = tfx_core.pipeline(TASK, model=place.rag, index=place.of_rag, mode=mode, **{**SHORT, **options})
    texts = [answer["generated_text"] for answer in task(QUESTIONS)]
    assert texts == [task(question)[0]["generated_text"] for question in QUESTIONS]


def test_a_rag_searches_with_its_own_question_encoder(place: Place) -> None:
    task = tfx_core.pipeline(TASK, model=place.rag, index=place.of_rag, **SHORT)
    assert isinstance(task.search.encoder._encoder, QuestionEncoder)
    assert [each["id"] for each in task("the cat")[0]["passages"]] == [
        hit.passage.id for hit in task.search.search(["the cat"], 2)[0]
    ]


def test_a_passage_that_counts_alone_is_all_that_the_generator_reads(place: Place) -> None:
    task = tfx_core.pipeline(TASK, model=place.generator("t5"), index=place.index, score_scale=1e6, **SHORT)
    (answer,) = task("the boat")
    reader = ContextReader(task.tokenizer, ContextForm())
    (row,) = reader.rows("the boat", [Passage(answer["passages"][0]["text"], answer["passages"][0]["topic"])])
    generator = tfx_core.load_model(place.generator("t5"))
    ids = generator.generate(torch.tensor([row]), max_new_tokens=6, num_beams=2)
    assert answer["generated_text"] == task.tokenizer.decode(ids[0, 1:], skip_special_tokens=True).strip()


def test_whatever_searches_serves(place: Place) -> None:
    class Words:
        def search(self, questions: Sequence[str], k: int = 5, *, where: object = None) -> list[list[Hit]]:
            found = [[each for each in PASSAGES if each.topic in question.split()] for question in questions]
            return [[Hit(rank, 1.0, 0, each) for rank, each in enumerate(own[:k], 1)] for own in found]

    task = tfx_core.pipeline(TASK, model=place.generator("bart"), index=Words(), **{**SHORT, "n_docs": 9})
    answers = task(["the cat on the boat", "the sea"])
    assert [[each["topic"] for each in answer["passages"]] for answer in answers] == [["cat", "boat"], ["sea"]]
    assert answers == [task("the cat on the boat")[0], task("the sea")[0]]
    with pytest.raises(InputError, match=r"inputs\[0\]: the search finds no passage for this question"):
        task(["oven"])


@pytest.mark.parametrize(
    ("making", "call", "told"),
    [
        ({}, {"n_docs": 5}, "n_docs=5: the index holds 4 passages; ask for 1 to 4 of them"),
        ({}, {"mode": "rag-token"}, "mode is chosen when a pipeline is made"),
        ({"index": None}, {}, "index: give the folder of an index"),
        ({"mode": "rag-both"}, {}, "mode"),
    ],
)
def test_options_that_cannot_be_meant_are_told(
    place: Place, making: dict[str, Any], call: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        tfx_core.pipeline(TASK, **{"model": place.rag, "index": place.of_rag, **making})("the cat", **call)


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_told(place: Place, question: str) -> None:
    task = tfx_core.pipeline(TASK, model=place.rag, index=place.of_rag, **SHORT)
    with pytest.raises(InputError, match=r"inputs\[1\]: an empty question"):
        task(["the cat", question])


def test_an_index_of_another_encoder_dimension_or_normalisation_is_told(place: Place, tmp_path: Path) -> None:
    (tmp_path / "bert").mkdir()
    save_tiny_bert(tmp_path / "bert", seed=5)
    other = tfx_core.load_encoder(tmp_path / "bert")
    own = tfx_core.load_encoder(place.encoder)
    normalised = TextEncoder(own.model, own.tokenizer, pooling="cls", stages=[Normalise()])
    build_index(PASSAGES, other, tmp_path / "other")
    build_index(PASSAGES, normalised, tmp_path / "normalised")
    write_index([(PASSAGES, np.zeros((4, 8), np.float32))], tmp_path / "narrow", dimension=8)
    for name, told in (("other", "elsewhere"), ("normalised", "scales them otherwise"), ("narrow", "have 8 numbers")):
        with pytest.raises(PassageIndexError, match=told):
            tfx_core.pipeline(TASK, model=place.rag, index=tmp_path / name)
    with pytest.raises(PassageIndexError, match="puts the same texts elsewhere"):
        tfx_core.pipeline(TASK, model=place.generator("t5"), index=place.index, question_encoder=tmp_path / "bert")
    with pytest.raises(InputError, match="does not say which model it was made with; give question_encoder"):
        tfx_core.pipeline(TASK, model=place.generator("t5"), index=tmp_path / "narrow")


class Normalise(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(x, dim=-1)


def test_a_generator_without_a_start_token_is_told(place: Place, tmp_path: Path) -> None:
    shutil.copytree(place.generator("t5"), tmp_path / "t5")
    file = tmp_path / "t5" / "config.json"
    config = {**json.loads(file.read_text()), "decoder_start_token_id": None, "bos_token_id": None}
    file.write_text(json.dumps(config))
    (tmp_path / "t5" / "generation_config.json").unlink(missing_ok=True)
    with pytest.raises(InputError, match="decoder_start_token_id"):
        tfx_core.pipeline(TASK, model=tmp_path / "t5", index=place.index, **SHORT)("the cat")


def test_a_loaded_rag_needs_both_tokenizers(place: Place) -> None:
    model, tokenizer = tfx_core.load_model(place.rag), RagTokenizer.from_pretrained(place.rag)
    task = tfx_core.pipeline(TASK, model=model, tokenizer=tokenizer, index=place.of_rag, **SHORT)
    assert task("the cat")[0]["passages"][0]["text"]
    with pytest.raises(InputError, match="give a RagTokenizer"):
        tfx_core.pipeline(TASK, model=model, tokenizer=tokenizer.generator, index=place.of_rag)


def test_the_command_line_answers(place: Place) -> None:
    short = ("--max-new-tokens", "4", "--n-docs", "2")
    arguments = ["run", TASK, "--model", str(place.rag), "--index", str(place.of_rag), *short, "--json"]
    done = CliRunner().invoke(cli, [*arguments, *QUESTIONS], prog_name="tfx-core")
    assert done.exit_code == 0, done.output
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [len(answer["passages"]) for answer in answers] == [2, 2, 2]


# joint training


@pytest.fixture
def training(place: Place, tmp_path: Path) -> JointTraining:
    """A generator, an encoder and an index of their own."""
    shutil.copytree(place.index, tmp_path / "index")
    encoder = tfx_core.load_encoder(place.encoder)
    index = RefreshedIndex(tmp_path / "index", encoder)
    generator = tfx_core.load_model(place.generator("bart"))
    return JointTraining(generator, encoder.tokenizer, TextVectors(encoder), index, n_docs=3).train()


ASKED, ANSWERS = ["the cat", "the sea"], ["mat", "the boat sails"]


@pytest.mark.parametrize("mode", ["rag-token", "rag-sequence"])
def test_the_loss_is_that_of_the_text_by_all_passages(training: JointTraining, mode: Any) -> None:
    training.mode = mode
    training.eval()
    output = training(ASKED, ANSWERS)
    hits = training.index.search(ASKED, 3)
    assert output["doc_scores"].tolist() == [pytest.approx([hit.score for hit in own], abs=1e-3) for own in hits]
    by_hand = [_by_hand(training, mode, *each) for each in zip(ASKED, ANSWERS, hits, strict=True)]
    assert output["loss"].item() == pytest.approx(-np.mean(by_hand), rel=1e-4)


def _by_hand(training: JointTraining, mode: str, question: str, answer: str, hits: Sequence[Hit]) -> float:
    """Log p(answer | question), one passage after another."""
    tokenizer = training._tokenizer
    labels = torch.tensor([tokenizer(answer)["input_ids"]])
    tokens = []
    for hit in hits:
        (row,) = ContextReader(tokenizer, ContextForm()).rows(question, [hit.passage])
        logits = training.generator(torch.tensor([row]), labels=labels).logits
        tokens.append(logits.log_softmax(-1)[0].gather(-1, labels[0, :, None])[:, 0])
    of_tokens, of_passages = (
        torch.stack(tokens),
        torch.tensor([hit.score for hit in hits]).log_softmax(0),
    )  # (n, T), (n,)
    if mode == "rag-token":
        return float((of_tokens + of_passages[:, None]).logsumexp(0).sum().detach())
    return float((of_tokens.sum(1) + of_passages).logsumexp(0).detach())


@pytest.mark.parametrize("trains_passages", [False, True])
def test_gradients_reach_generator_and_encoder(training: JointTraining, trains_passages: bool) -> None:
    training.trains_passages = trains_passages
    training(ASKED, ANSWERS)["loss"].backward()
    for part in (training.generator, training.encoder):
        assert any(each.grad is not None and each.grad.abs().max() > 0 for each in part.parameters())


def test_what_passages_learn_is_there_beside_what_questions_learn(place: Place, tmp_path: Path) -> None:
    shutil.copytree(place.index, tmp_path / "index")
    questions, passages = (tfx_core.load_encoder(place.encoder) for _ in range(2))
    index = RefreshedIndex(tmp_path / "index", questions)
    generator = tfx_core.load_model(place.generator("bart"))
    encoder = TextVectors(questions, passages)
    training = JointTraining(generator, questions.tokenizer, encoder, index, n_docs=2, trains_passages=True).train()
    training(ASKED, ANSWERS)["loss"].backward()
    assert all(any(each.grad is not None for each in side.model.parameters()) for side in (questions, passages))


def test_the_index_is_made_anew_before_every_so_many_batches(training: JointTraining) -> None:
    training.refresh_every = 2
    optimiser = torch.optim.SGD(training.parameters(), lr=1.0)
    refreshes, before = [], training.index.vectors([0, 1, 2, 3])
    for _ in range(5):
        training(ASKED, ANSWERS)["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
        refreshes.append(training.index.refreshes)
    assert refreshes == [0, 0, 1, 1, 2]
    assert not np.allclose(before, training.index.vectors([0, 1, 2, 3]))
    training.index.refresh()
    encoder = training.index.encoder
    assert np.allclose(training.index.vectors([0]), encoder.encode_document(["cat: the cat sat on the mat"]), atol=1e-5)
    assert open_index(training.index.folder, encoder).search(["the cat"], 1)  # which the folder belongs to now


def test_searches_go_on_while_the_index_is_made_anew(training: JointTraining) -> None:
    index, found, failed = training.index, [], []
    old, done = index.current.search_vectors(np.ones((1, 32), np.float32), 4), threading.Event()

    def search() -> None:
        while not done.is_set():
            try:
                found.append(index.search_vectors(np.ones((1, 32), np.float32), 4)[0].tolist())
            except Exception as error:
                failed.append(error)

    thread = threading.Thread(target=search)
    with torch.no_grad():
        next(training.encoder.parameters()).add_(1.0)
    thread.start()
    index.refresh()
    done.set()
    thread.join()
    new = index.search_vectors(np.ones((1, 32), np.float32), 4)[0].tolist()
    assert not failed
    assert all(each in (old[0].tolist(), new) for each in found)
    assert new != old[0].tolist()


def test_a_refresh_that_fails_leaves_the_index_as_it_was(
    training: JointTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = training.index.vectors([0, 1])

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training.index.encoder, "encode_document", fail)
    with pytest.raises(KeyboardInterrupt):
        training.index.refresh()
    assert np.array_equal(training.index.vectors([0, 1]), before)
    assert np.array_equal(open_index(training.index.folder).vectors([0, 1]), before)


def test_training_is_watched(training: JointTraining) -> None:
    training.watch = RetrievalWatch(window=20)
    training(ASKED, ANSWERS)
    report = training.watch.report()
    assert report.questions == 2
    training.eval()
    training(["the boat"], ["sea"])
    assert training.watch.report().questions == 2  # what is only measured is no training


def test_joint_training_lowers_the_loss(training: JointTraining) -> None:
    optimiser = torch.optim.AdamW(training.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        loss = training(ASKED, ANSWERS)["loss"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_the_parts_of_a_rag_learn_in_place(place: Place) -> None:
    rag, tokenizer = tfx_core.load_model(place.rag), RagTokenizer.from_pretrained(place.rag)
    encoder = QuestionEncoder(rag.backbone.question_encoder, tokenizer.question_encoder)
    index = searched_by(encoder, place.of_rag)
    training = JointTraining(rag.backbone.generator, tokenizer.generator, encoder, index, n_docs=2).train()
    training(ASKED, ANSWERS)["loss"].backward()
    for part in (rag.backbone.question_encoder, rag.backbone.generator):
        assert any(each.grad is not None for each in part.parameters())
    training.trains_passages = True
    with pytest.raises(InputError, match="encodes questions alone"):
        training(ASKED, ANSWERS)
    with pytest.raises(InputError, match="refresh_every: needs a RefreshedIndex"):
        JointTraining(rag.backbone.generator, tokenizer.generator, encoder, index, n_docs=2, refresh_every=5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"n_docs": 5}, "n_docs=5: the index holds 4 passages"),
        ({"mode": "rag"}, "mode='rag': must be one of rag-sequence, rag-token"),
        ({"refresh_every": 0}, "refresh_every=0"),
    ],
)
def test_training_that_cannot_be_meant_is_told(training: JointTraining, options: dict[str, Any], told: str) -> None:
    tokenizer = training._tokenizer
    with pytest.raises(InputError, match=told):
        JointTraining(training.generator, tokenizer, training.encoder, training.index, **options)
