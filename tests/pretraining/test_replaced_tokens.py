"""A generator and a discriminator that learn together."""

import copy
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import tfx_core
from tests.cases import case_of
from tests.pretraining.case import Tried
from tfx_core.errors import InputError
from tfx_core.model import load_architecture
from tfx_training import Document, Part, TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.objectives.replaced_tokens import Detection, ReplacedTokens, drawn, generator_sizes, second_segment

IGNORED = -100
TYPES = ("electra", "funnel", "convbert")


@pytest.fixture(params=TYPES)
def tried(request: pytest.FixtureRequest, tmp_path: Path) -> Tried:
    return Tried("replaced-tokens", request.param, tmp_path)


def batch_of(tried: Tried) -> dict[str, Tensor]:
    objective = tried.objective
    rows = objective.rows(tried.corpus, generator_of(0, 0))
    examples = [objective.example(rows[each], generator_of(0, 0, each)) for each in range(4)]
    short = {name: value[:-3] for name, value in examples[0].items()}
    if (short["labels"] == IGNORED).all():
        short["labels"][1] = short["input_ids"][1]
    return objective.batch([short, *examples[1:]])


def trainee_of(tried: Tried, **options: Any) -> Detection:
    objective = ReplacedTokens(tried.tokenizer, **{**tried.case.options, **options})
    return objective.trainee(objective.new_models(tried.model_type, seed=0, **tiny(tried)))


def tiny(tried: Tried) -> Mapping[str, Any]:
    return {name: value for name, value in case_of(tried.model_type).tiny.items() if name != "vocab_size"}


def shared(trainee: Detection) -> set[str]:
    """The discriminator's names of what is the generator's, too."""
    own = {id(each) for each in trainee.model("generator").parameters()}
    return {name for name, each in trainee.model("discriminator").named_parameters() if id(each) in own}


@torch.no_grad()
def test_losses_are_those_of_the_paper(tried: Tried) -> None:
    batch, trainee = batch_of(tried), trainee_of(tried).eval()
    ids, mask, labels = batch["input_ids"], batch["attention_mask"], batch["labels"]
    others = {name: batch[name] for name in ("attention_mask", "token_type_ids") if name in batch}
    generator, discriminator = trainee.model("generator"), trainee.model("discriminator")
    torch.manual_seed(0)
    outcome = trainee(batch)

    torch.manual_seed(0)
    hidden = labels != IGNORED
    logits = generator(input_ids=ids, **others).logits[hidden]
    wanted = labels[hidden]
    guess = -logits.log_softmax(-1)[torch.arange(len(wanted)), wanted].mean()
    assert list(outcome.losses) == ["discriminator", "generator"]
    assert float(outcome.losses["generator"]) == pytest.approx(float(guess), rel=1e-4)
    original = torch.where(hidden, labels, ids)
    given = ids.clone()
    given[hidden] = drawn(logits)
    fake = (given != original).float()
    scores = discriminator(input_ids=given, **others).logits
    each = functional.binary_cross_entropy_with_logits(scores, fake, reduction="none")
    judged = (each * mask).sum() / mask.sum()
    assert float(outcome.losses["discriminator"]) == pytest.approx(float(judged), rel=1e-4)

    assert float(outcome.right["generator"]) == pytest.approx(float((logits.argmax(-1) == wanted).float().mean()))
    right = ((scores > 0) == (fake == 1))[mask == 1].float().mean()
    assert float(outcome.right["discriminator"]) == pytest.approx(float(right))
    assert not trainee.train()(batch).right


def test_no_gradient_goes_through_what_was_drawn(tried: Tried) -> None:
    trainee = trainee_of(tried)
    trainee(batch_of(tried)).losses["discriminator"].backward()
    theirs = {id(each) for each in trainee.model("discriminator").parameters()}
    own = [each for each in trainee.model("generator").parameters() if id(each) not in theirs]
    assert own
    assert all(each.grad is None for each in own)
    assert all(each.grad is not None for each in trainee.model("discriminator").parameters())


def test_embeddings_are_one_and_stay_so(tried: Tried) -> None:
    trainee = trainee_of(tried)
    names = shared(trainee)
    assert "backbone.embeddings.token.weight" in names
    assert all(name.startswith("backbone.embeddings.") and "project" not in name for name in names)
    parameters = list(trainee.parameters())
    assert len({id(each) for each in parameters}) == len(parameters)
    optimizer = torch.optim.AdamW(parameters, 1e-2)
    losses = trainee(batch_of(tried)).losses
    (losses["generator"] + 50 * losses["discriminator"]).backward()
    optimizer.step()
    for after in (trainee, trainee.to(torch.float64), copy.deepcopy(trainee)):
        assert shared(after) == names
        for model in (after.model("generator"), after.model("discriminator")):
            table = model.get_input_embeddings().get_parameter("weight")
            assert table is after.model("discriminator").get_parameter("backbone.embeddings.token.weight")
    output = trainee.model("generator").get_output_embeddings()
    assert output is not None
    assert output.weight is trainee.model("generator").get_input_embeddings().weight


def test_a_state_has_each_tensor_once_and_fills_another(tried: Tried) -> None:
    trainee, other = trainee_of(tried), trainee_of(tried)
    with torch.no_grad():
        for parameter in trainee.parameters():
            parameter.add_(torch.randn_like(parameter))
    state = trainee.state_dict()
    places = [each.data_ptr() for each in state.values() if each.numel()]
    assert len(set(places)) == len(places)
    other.load_state_dict(state)
    assert all(torch.equal(each, state[name]) for name, each in other.state_dict().items())
    assert shared(other) == shared(trainee)


def test_both_halves_are_written_whole(tried: Tried, tmp_path: Path) -> None:
    trainee = trainee_of(tried)
    for role in ("generator", "discriminator"):
        trainee.model(role).save_pretrained(tmp_path / role)
        again = tfx_core.load_model(tmp_path / role)
        assert again.head_name == tried.objective.roles[role]
        before = trainee.model(role).state_dict()
        assert again.state_dict().keys() == before.keys()
        assert all(torch.equal(each, before[name]) for name, each in again.state_dict().items() if "extra" not in name)


def test_what_was_torn_apart_is_tied_again(tried: Tried) -> None:
    trainee = trainee_of(tried)
    first, table = (trainee.model(role).get_input_embeddings() for role in ("discriminator", "generator"))
    table.weight = torch.nn.Parameter(torch.zeros(table.get_parameter("weight").shape))
    trainee.tie_weights()
    assert table.weight is first.weight


def test_untied_models_share_nothing(tried: Tried) -> None:
    trainee = trainee_of(tried, tied=False)
    assert not shared(trainee)
    assert trainee.load_state_dict(trainee.state_dict()).missing_keys == []


def test_tables_of_different_widths_cannot_be_one(tmp_path: Path) -> None:
    tried = Tried("replaced-tokens", "electra", tmp_path)
    models = dict(tried.models())
    models["generator"] = tried.objective.new_models("electra", seed=0, **{**tiny(tried), "embedding_size": 8})[
        "generator"
    ]
    with pytest.raises(InputError, match=r"embedding_size, or hidden_size .*; or train them with tied=False"):
        tried.objective.trainee(models)
    ReplacedTokens(tried.tokenizer, length=24, tied=False).trainee(models)


@pytest.mark.parametrize(
    ("sizes", "size", "wanted"),
    [
        ((256, 4, 1024), 0.25, (64, 1, 256)),
        ((768, 12, 3072), 1 / 3, (256, 4, 1024)),
        ((1024, 16, 4096), 0.25, (256, 4, 1024)),
    ],
    ids=["small", "base", "large"],
)
def test_generators_are_as_wide_as_the_released_ones(
    sizes: tuple[int, int, int], size: float, wanted: tuple[int, int, int]
) -> None:
    names = ("hidden_size", "num_attention_heads", "intermediate_size")
    config = load_architecture("electra").config.of(**dict(zip(names, sizes, strict=True)))
    assert generator_sizes(config, size) == dict(zip(names, wanted, strict=True))


def test_without_projected_embeddings_a_generator_is_as_wide_as_the_discriminator() -> None:
    sizes = generator_sizes(load_architecture("funnel").config.of(), 0.25)
    assert sizes == {"num_attention_heads": 3, "intermediate_size": 768}


def test_masks_are_as_published(tmp_path: Path) -> None:
    tried = Tried("replaced-tokens", "electra", tmp_path)
    objective = ReplacedTokens(tried.tokenizer, length=400, packing="blocks")
    rows = objective.rows(tried.corpus, generator_of(0, 0))
    made = [objective.example(rows[number % len(rows)], generator_of(0, 0, number)) for number in range(260)]
    ids, labels = (np.concatenate([each[name] for each in made]) for name in ("input_ids", "labels"))
    hidden, mask = labels != IGNORED, tried.tokenizer.mask_token_id
    assert len(ids) > 100_000
    assert hidden.mean() == pytest.approx(0.15, abs=0.005)
    assert (ids[hidden] == mask).mean() == pytest.approx(0.85, abs=0.01)
    assert (ids[hidden & (ids != mask)] == labels[hidden & (ids != mask)]).all()
    assert not (ids[~hidden] == mask).any()
    assert not np.isin(labels[hidden], tried.tokenizer.all_special_ids).any()


def test_rows_are_two_segments_of_whole_sentences(tmp_path: Path) -> None:
    tokenizer = Tried("replaced-tokens", "electra", tmp_path).tokenizer
    text = "a b c d e f g h i j"
    corpus = TokenCorpus.of(tokenizer, [Document((Part(text, [4, 8, 14]),))])  # of 2, 2, 3 and 3 tokens
    counts: Counter[int] = Counter()
    objective = ReplacedTokens(tokenizer, length=13)
    (row,) = objective.rows(corpus, generator_of(0, 0))
    for number in range(2000):
        example = objective.example(row, generator_of(0, 0, number))
        types = example["token_type_ids"].tolist()
        assert types == sorted(types)
        text_ids = np.where(example["labels"] == IGNORED, example["input_ids"], example["labels"])
        parts = tokenizer.decode(text_ids).split("[SEP]")
        assert "".join(parts).replace(" ", "") == "[CLS]abcdefghij"
        counts[types.count(0)] += 1
    # half of the room is 5 tokens: two sentences and [CLS] [SEP], or three; or all is one segment
    assert sorted(counts) == [6, 9, 12]
    assert counts[12] / 2000 == pytest.approx(0.1, abs=0.03)
    assert counts[6] / 2000 == pytest.approx(0.45, abs=0.04)


@pytest.mark.parametrize(
    ("ends", "length", "places"),
    [
        ([], 9, {0}),
        ([7], 9, {7}),
        ([4], 9, {4, 0}),
        ([4], 5, {4, 0}),
        ([2, 5, 9], 12, {2, 5}),
        ([2, 4, 9], 12, {4, 9}),
        ([2, 3], 4, {0}),  # the last sentence does not fill the first segment either
    ],
)
def test_where_a_second_segment_begins(ends: list[int], length: int, places: set[int]) -> None:
    places_of_ends = np.asarray(ends, dtype=np.int64)
    found = {second_segment(places_of_ends, length, 5, generator_of(0, seed)) for seed in range(30)}
    assert found == places


def test_rows_shorter_than_a_first_segment_are_one(tmp_path: Path) -> None:
    tokenizer = Tried("replaced-tokens", "electra", tmp_path).tokenizer
    text = "a b c d e f g h i j"
    corpus = TokenCorpus.of(tokenizer, [Document((Part(text, [4, 8, 14]),))])
    objective = ReplacedTokens(tokenizer, length=32)
    (row,) = objective.rows(corpus, generator_of(0, 0))
    for number in range(50):
        assert not objective.example(row, generator_of(0, 0, number))["token_type_ids"].any()


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    tokenizer = Tried("replaced-tokens", "electra", tmp_path).tokenizer
    for options, said in (
        ({"length": 2}, "length=2"),
        ({"length": 4}, "length=4: must be at least 5"),
        ({"share": 2}, "share=2"),
        ({"masked": 1.5}, "masked=1.5"),
        ({"alone": -1}, "alone=-1"),
        ({"temperature": 0}, "temperature=0"),
        ({"generator_size": 2}, "generator_size=2"),
    ):
        with pytest.raises(InputError, match=said):
            ReplacedTokens(tokenizer, **options)
    tokenizer.mask_token = None
    with pytest.raises(InputError, match="no mask_token"):
        ReplacedTokens(tokenizer)
