"""A student beside its teacher."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.cases import case_of
from tests.pretraining.case import Tried
from tfx_core import Model
from tfx_core.errors import InputError
from tfx_training.objective import generator_of
from tfx_training.objectives.distillation import Distillation, Taught, copy_layers

IGNORED = -100
SIZES = {"hidden_size": 24, "num_attention_heads": 4, "intermediate_size": 40, "max_position_embeddings": 40}


@pytest.fixture
def tried(tmp_path: Path) -> Tried:
    return Tried("distillation", "distilbert", tmp_path)


def model_of(model_type: str, layers: int, seed: int = 0, vocabulary: int = 53, **config: Any) -> Model:
    sizes = {**SIZES, "num_hidden_layers": layers, "vocab_size": vocabulary, **config}
    return tfx_core.new_model(model_type, head="masked-lm", seed=seed, **sizes)


def objective_of(tried: Tried, **options: Any) -> Distillation:
    return Distillation(tried.tokenizer, **{**tried.case.options, **options})


def batch_of(tried: Tried) -> dict[str, Tensor]:
    objective = tried.objective
    rows = objective.rows(tried.corpus, generator_of(0, 0))
    examples = [dict(objective.example(rows[each], generator_of(0, 0, each))) for each in range(4)]
    examples[0] = {name: value[:20] for name, value in examples[0].items()}
    return objective.batch(examples)


def trainee_of(tried: Tried, **options: Any) -> Taught:
    objective = objective_of(tried, **options)
    return objective.trainee(objective.new_models("distilbert", seed=1))


def parameters(model: Model) -> dict[str, Tensor]:
    return dict(model.named_parameters(remove_duplicate=False))


@pytest.mark.parametrize("hidden_only", [False, True])
@torch.no_grad()
def test_losses_are_those_of_the_paper(tried: Tried, hidden_only: bool) -> None:
    batch, trainee = batch_of(tried), trainee_of(tried, hidden_only=hidden_only, temperature=3.0).eval()
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    real, hidden = batch["attention_mask"] == 1, batch["labels"] != IGNORED
    ours, theirs = (model(**inputs, output_hidden_states=True) for model in (trainee.model("student"), trainee.teacher))
    outcome = trainee(batch)

    compared = hidden if hidden_only else real
    q, p = ((each.logits[compared] / 3.0).softmax(-1) for each in (ours, theirs))
    soft = (p * (p / q).log()).sum(-1).mean() * 9
    wanted = batch["labels"][hidden]
    guess = -ours.logits[hidden].log_softmax(-1).gather(1, wanted[:, None]).mean()
    x, y = (each.hidden_states[-1][real] for each in (ours, theirs))
    states = (1 - (x * y).sum(-1) / x.norm(dim=-1) / y.norm(dim=-1)).mean()
    assert float(outcome.losses["soft targets"]) == pytest.approx(float(soft), rel=1e-4)
    assert float(outcome.losses["hidden tokens"]) == pytest.approx(float(guess), rel=1e-4)
    assert float(outcome.losses["states"]) == pytest.approx(float(states), rel=1e-4)
    right = (ours.logits[hidden].argmax(-1) == wanted).float().mean()
    assert float(outcome.right["hidden tokens"]) == pytest.approx(float(right))
    assert not trainee.train()(batch).right


def test_terms_are_the_published_ones_and_without_weight_none(tried: Tried) -> None:
    assert dict(objective_of(tried).terms) == {"soft targets": 5.0, "hidden tokens": 2.0, "states": 1.0}
    objective = objective_of(tried, states_weight=0, soft_weight=1)
    batch = batch_of(tried)
    losses = objective.trainee(objective.new_models("distilbert", seed=1))(batch).losses
    assert losses.keys() == objective.terms.keys() == objective.counts(batch).keys()
    assert list(losses) == ["soft targets", "hidden tokens"]
    assert dict(objective_of(tried).terms)["soft targets"] == 5.0


def test_the_teacher_learns_nothing_and_is_stored_nowhere(tried: Tried) -> None:
    trainee = trainee_of(tried).train()
    assert trainee.model("student").training
    assert not trainee.teacher.training
    students = {id(each) for each in trainee.model("student").parameters()}
    assert {id(each) for each in trainee.parameters()} == students
    assert all(name.startswith("models.student.") for name in trainee.state_dict())
    outcome = trainee(batch_of(tried))
    sum(outcome.losses.values(), torch.zeros(())).backward()
    assert all(each.grad is None and not each.requires_grad for each in trainee.teacher.parameters())
    assert all(each.grad is not None for each in trainee.parameters())


def test_the_teacher_follows_the_batches(tried: Tried) -> None:
    trainee = copy.deepcopy(trainee_of(tried))
    assert trainee._teacher_on(torch.device("cpu")) is trainee.teacher
    assert trainee._teacher_on(torch.device("meta")).device.type == "meta"


def test_another_teacher_has_another_digest(tried: Tried) -> None:
    teacher = copy.deepcopy(tried.case.options["teacher"])
    before = objective_of(tried, teacher=teacher).teacher_digest
    assert before == objective_of(tried).teacher_digest
    with torch.no_grad():
        teacher.get_input_embeddings().weight[0, 0] += 1
    assert objective_of(tried, teacher=teacher).teacher_digest != before


@torch.no_grad()
def test_a_teacher_is_read_from_its_folder(tried: Tried, tmp_path: Path) -> None:
    teacher = tried.case.options["teacher"]
    teacher.save_pretrained(tmp_path / "teacher")
    batch = batch_of(tried)
    one, other = (trainee_of(tried, teacher=each).eval() for each in (teacher, tmp_path / "teacher"))
    assert {name: float(loss) for name, loss in one(batch).losses.items()} == {
        name: float(loss) for name, loss in other(batch).losses.items()
    }


def test_a_new_student_is_half_as_deep_and_begins_as_layers_of_the_teacher(tried: Tried) -> None:
    teacher = model_of("bert", 12, vocabulary=len(tried.tokenizer))
    student = objective_of(tried, teacher=teacher, layers=None).new_models("distilbert", seed=1)["student"]
    assert (student.config.n_layers, student.config.dim, student.config.hidden_dim) == (6, 24, 40)
    own, theirs = parameters(student), parameters(teacher)
    for number, origin in enumerate((0, 2, 4, 7, 9, 11)):
        found = [name for name in own if f".layers.{number}." in name]
        assert len(found) == 12
        for name in found:
            assert torch.equal(own[name], theirs[name.replace(f".{number}.", f".{origin}.")])
    rest = [name for name in own if ".layers." not in name]
    assert any(name.startswith("head.") for name in rest)
    assert all(torch.equal(own[name], theirs[name]) for name in rest)


@pytest.mark.parametrize("model_type", ["roberta", "electra"])
def test_layers_are_copied_within_an_architecture(model_type: str) -> None:
    teacher, student = model_of(model_type, 4), model_of(model_type, 2, seed=1)
    copy_layers(teacher, student, [1, 3])
    own, theirs = parameters(student), parameters(teacher)
    name = "backbone.stack.layers.{}.feed_forward.sublayer.up.weight"
    assert torch.equal(own[name.format(0)], theirs[name.format(1)])
    assert torch.equal(own[name.format(1)], theirs[name.format(3)])


def test_layers_of_causal_models_are_copied_too() -> None:
    sizes = {"vocab_size": 53, "n_embd": 24, "n_head": 4, "n_positions": 40}
    teacher, student = (tfx_core.new_model("gpt2", head="causal-lm", n_layer=layers, **sizes) for layers in (3, 1))
    copy_layers(teacher, student)
    name = "backbone.embeddings.token.weight"
    assert torch.equal(parameters(student)[name], parameters(teacher)[name])


def test_a_student_alone_begins_as_any_new_model(tried: Tried) -> None:
    student = objective_of(tried, layers=()).new_models("distilbert", seed=1)["student"]
    sizes = {"dim": 24, "n_heads": 4, "hidden_dim": 40, "max_position_embeddings": 40, "n_layers": 2}
    alone = tfx_core.new_model("distilbert", head="masked-lm", seed=1, vocab_size=len(tried.tokenizer), **sizes)
    assert all(torch.equal(each, parameters(alone)[name]) for name, each in parameters(student).items())


def test_models_that_do_not_fit_are_refused(tried: Tried) -> None:
    size = len(tried.tokenizer)
    objective = objective_of(tried)
    narrow = model_of("distilbert", 1, vocabulary=size, hidden_size=20)
    with pytest.raises(InputError, match=r"20 wide and the teacher's 24: make .*states_weight=0"):
        objective.trainee({"student": narrow})
    objective_of(tried, states_weight=0).trainee({"student": narrow})
    with pytest.raises(InputError, match=f"make the student with vocab_size={size}"):
        objective.trainee({"student": model_of("distilbert", 1, vocabulary=size + 1)})
    with pytest.raises(InputError, match="give the teacher's own tokenizer"):
        objective_of(tried, teacher=model_of("bert", 1, vocabulary=size - 1))
    with pytest.raises(InputError, match="load it with head='masked-lm'"):
        objective_of(tried, teacher=tfx_core.new_model("bert", **case_of("bert").tiny))
    with pytest.raises(InputError, match="length=24: the teacher has positions for 20 tokens"):
        objective_of(tried, teacher=model_of("bert", 1, vocabulary=size, max_position_embeddings=20))
    with pytest.raises(InputError, match="one of them must be more than 0"):
        objective_of(tried, soft_weight=0, hidden_weight=0, states_weight=0)
    with pytest.raises(InputError, match="temperature=0"):
        objective_of(tried, temperature=0)


def test_layers_that_cannot_be_copied_are_refused() -> None:
    teacher = model_of("bert", 2)
    for student, layers, said in (
        (model_of("distilbert", 3), None, "3 layers and the teacher 2: say with layers"),
        (
            model_of("distilbert", 1),
            [0, 1],
            r"layers=\[0, 1\]: must be 1, one for each layer of the student, from 0 to 1",
        ),
        (model_of("distilbert", 1), [2], r"layers=\[2\]"),
        (model_of("distilbert", 1, hidden_size=20), None, r"begins anew with layers=\(\)"),
    ):
        before = copy.deepcopy(parameters(student))
        with pytest.raises(InputError, match=said):
            copy_layers(teacher, student, layers)
        assert all(torch.equal(each, before[name]) for name, each in parameters(student).items())
    with pytest.raises(InputError, match=r"segment\.weight of the teacher nothing"):
        copy_layers(model_of("distilbert", 2), model_of("bert", 1))
