"""What holds for every model whose number of tokens is changed, and for one whose tables are exchanged."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tfx_core
from tests.cases import cases
from tests.models.test_configs import TIED_HEADS
from tests.models.test_settings import ARCHITECTURES, batch, made
from tests.models.tiny import perturbed, random_ids
from tfx_core.errors import ConfigError, InputError
from tfx_core.model import Model
from tfx_core.model.resizing import check_shapes
from tfx_testing.parity.case import Case

CASES = [*((name, "backbone") for name in ARCHITECTURES), *TIED_HEADS]
"""To the number of tokens the other heads are as none is."""
VARIANTS = [case for case in cases() if case.head in ("masked-lm", "causal-lm")]
"""What a config says of the layers that are resized."""


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def model(request: pytest.FixtureRequest) -> Any:
    return perturbed(made(*request.param), 2, 0.1)


def parameters(model: Model) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.named_parameters(remove_duplicate=False)}


def tied(model: Model) -> list[bool]:
    return [model.get_parameter(name) is model.get_parameter(to) for name, to in model.ties]


def results(model: Model) -> dict[str, Tensor]:
    with torch.no_grad():
        return {name: value for name, value in model(**batch(model)).items() if isinstance(value, Tensor)}


def test_old_rows_stay_and_new_ones_are_near_to_their_mean(model: Any) -> None:
    before, size, ties, expected = parameters(model), model.config.vocab_size, tied(model), results(model)
    table = model.resize_token_embeddings(size + 3)
    assert table is model.get_input_embeddings()
    assert model.config.vocab_size == size + 3
    assert getattr(model.head, "config", model.config) is model.config
    changed = {name: tensor for name, tensor in parameters(model).items() if tensor.shape != before[name].shape}
    assert changed
    for name, tensor in parameters(model).items():
        common = tensor[tuple(map(slice, before[name].shape))]
        assert torch.equal(common, before[name]), name
        if name in changed and tensor.dim() == 2 and len(tensor) > len(before[name]):
            new, mean = tensor[-3:], before[name].mean(0)
            torch.testing.assert_close(new, mean.expand_as(new), rtol=0, atol=1e-3)
            assert not torch.equal(new[0], new[1])
    assert tied(model) == ties
    for name, value in results(model).items():
        # a softmax over all tokens is another with more of them
        if value.shape == expected[name].shape:
            torch.testing.assert_close(value, expected[name])
        else:
            assert (value.shape[:-1], value.shape[-1]) == (expected[name].shape[:-1], size + 3)


def test_sizes_of_modules_are_as_of_a_model_made_so(model: Any) -> None:
    size = model.config.vocab_size
    model.resize_token_embeddings(size + 5)
    like = made(model.config.model_type, model.head_name, vocab_size=size + 5)
    assert str(model) == str(like)
    model.resize_token_embeddings(size + 1)
    assert model.config.vocab_size == size + 1
    assert str(model) != str(like)


def test_a_resized_model_is_saved_loaded_and_trained(model: Any, tmp_path: Path) -> None:
    size = model.config.vocab_size
    model.resize_token_embeddings(size + 2, mean_resizing=False)
    model.resize_token_embeddings(pad_to_multiple_of=8)
    assert model.config.vocab_size == -(-(size + 2) // 8) * 8
    first, second = tmp_path / "first", tmp_path / "second"
    model.save_pretrained(first)
    again = tfx_core.load_model(first)
    again.save_pretrained(second)
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()
    ids = batch(model)
    ids["input_ids"][..., 0] = model.config.vocab_size - 1
    with torch.no_grad():
        for name, value in model(**ids).items():
            if isinstance(value, Tensor):
                torch.testing.assert_close(again(**ids)[name], value)
    values = [value for value in model(**ids).values() if isinstance(value, Tensor) and value.requires_grad]
    torch.stack([value.square().mean() for value in values]).sum().backward()
    owner, name = model.backbone.token_tables[0]
    grown = [each.grad for each in owner.get_submodule(name).parameters() if each.shape[0] > 1]
    assert any(each is not None and bool(each[-1].any()) for each in grown)


@pytest.mark.parametrize("case", VARIANTS, ids=str)
def test_every_variant_is_resized_as_one_that_is_made_so(case: Case, tmp_path: Path) -> None:
    model: Any = tfx_core.new_model(case.model_type, head=case.head, seed=1, **case.config).eval()
    model.resize_token_embeddings(model.config.vocab_size + 5)
    ids = random_ids(case.model_type, 2, 7)
    ids[:, 0] = model.config.vocab_size - 1
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(model(ids).logits, tfx_core.load_model(tmp_path)(ids).logits)


def test_the_same_generator_gives_the_same_rows(model: Any) -> None:
    size, made_of = model.config.vocab_size, []
    for mean_resizing in (True, False):
        for seed in (1, 1, 2):
            model.resize_token_embeddings(size)
            torch.manual_seed(seed)
            model.resize_token_embeddings(size + 4, mean_resizing=mean_resizing)
            made_of.append(parameters(model))
    for one, two, three in (made_of[:3], made_of[3:]):
        assert all(torch.equal(one[name], two[name]) for name in one)
        assert not all(torch.equal(one[name], three[name]) for name in one)


def test_what_cannot_be_is_refused_before_anything_changes(model: Any) -> None:
    before = parameters(model)
    for arguments, said in (
        ({"new_num_tokens": 0}, r"^new_num_tokens=0: must be an integer at least 1, or None$"),
        ({"new_num_tokens": "9"}, "^new_num_tokens='9': must be an integer"),
        ({"pad_to_multiple_of": 2.5}, r"^pad_to_multiple_of=2\.5: must be an integer"),
    ):
        with pytest.raises(InputError, match=said):
            model.resize_token_embeddings(**arguments)
    with pytest.raises(ConfigError, match="vocab_size"):
        model.resize_token_embeddings(10**10)
    assert model.resize_token_embeddings() is model.get_input_embeddings()
    assert model.resize_token_embeddings(model.config.vocab_size) is model.get_input_embeddings()
    assert all(torch.equal(tensor, before[name]) for name, tensor in parameters(model).items())


def test_another_table_of_the_same_sizes_is_read_and_saved(model: Any, tmp_path: Path) -> None:
    other: Any = made(model.config.model_type, model.head_name).get_input_embeddings()
    before = results(model)
    model.set_input_embeddings(other)
    assert model.get_input_embeddings() is other
    model.tie_weights()
    assert all(tied(model)) or not model.config.tie_word_embeddings or len(model.ties) > 1
    after = results(model)
    assert any(not torch.equal(after[name], before[name]) for name in after)
    model.save_pretrained(tmp_path)
    for name, value in results(tfx_core.load_model(tmp_path)).items():
        torch.testing.assert_close(value, after[name])


def test_an_output_layer_can_be_exchanged_where_there_is_one(model: Any) -> None:
    layer = model.get_output_embeddings()
    if layer is None:
        with pytest.raises(InputError, match=f"head '{model.head_name}' has no output layer"):
            model.set_output_embeddings(nn.Linear(1, 1))
        return
    new = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)
    before = results(model)
    model.set_output_embeddings(new)
    assert model.get_output_embeddings() is new
    assert any(not torch.equal(value, before[name]) for name, value in results(model).items())


def test_a_model_that_could_not_be_loaded_is_not_saved(model: Any, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    name, parameter = next(model.named_parameters())
    owner = model.get_submodule(name.rpartition(".")[0])
    for wrong in (nn.Parameter(torch.zeros(3, 3)), nn.Parameter(torch.zeros(parameter.shape).int(), False), None):
        setattr(owner, name.rpartition(".")[2], wrong)
        for refused in (lambda: model.save_pretrained(folder), lambda: model.resize_token_embeddings(60)):
            with pytest.raises(InputError, match=f"^{name} is .* load_model would refuse it; .*resize_token_embedd"):
                refused()
        assert not folder.exists()
    setattr(owner, name.rpartition(".")[2], parameter)
    check_shapes(model)


def test_an_id_beyond_the_model_is_told_with_the_cure(model: Any) -> None:
    size = model.config.vocab_size
    ids = batch(model)
    for wrong in (size, -1):
        given = {**ids, "input_ids": torch.full_like(ids["input_ids"], wrong)}
        with pytest.raises(
            InputError, match=rf"id {wrong} is not one of this model's, 0 to {size - 1}; .*resize_token"
        ):
            model(**given)
