"""A model whose number of tokens is changed, and one whose tables are exchanged."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tfx_core
from tfx_core.errors import ConfigError, InputError
from tfx_core.model import Model
from tfx_testing.architectures.base import CaseChecks, resized_heads
from tfx_testing.architectures.checkpoints import tied
from tfx_testing.checks import each
from tfx_testing.comparing import all_close, equal
from tfx_testing.folders import same_files
from tfx_testing.parity.case import Case, cases_of
from tfx_testing.refusing import refused
from tfx_testing.tiny import (
    new_model,
    parameters,
    perturbed,
    plain_inputs,
    plain_results,
    random_ids,
)


def language_variants(cls: type[CaseChecks]) -> Sequence[Case]:
    """The case's variants with the heads whose layers are resized, as their configs say it of these."""
    return [one for one in cases_of(cls.case) if one.head in ("masked-lm", "causal-lm")]


class VariantResizingChecks(CaseChecks):
    """Another number of tokens in every variant of the case."""

    @each(variant=language_variants, ids=str)
    def test_every_variant_is_resized_as_one_that_is_made_so(self, variant: Case, tmp_path: Path) -> None:
        """A resized model is saved, loaded and reads its new tokens, whatever its config says of layers and ties.

        Where it does not: a layer or a bias has the number of tokens in another form than ``config.vocab_size``.
        """
        model: Any = tfx_core.new_model(variant.model_type, head=variant.head, seed=1, **variant.config).eval()
        model.resize_token_embeddings(model.config.vocab_size + 5)
        ids = random_ids(self.case, 2, 7)
        ids[:, 0] = model.config.vocab_size - 1
        model.save_pretrained(tmp_path)
        with torch.no_grad():
            found, expected = tfx_core.load_model(tmp_path)(ids).logits, model(ids).logits
        assert torch.equal(found, expected), f"{variant}: loaded, it gives something else"


@each(head=resized_heads)
class ResizingChecks(CaseChecks):
    """`tfx_core.Model.resize_token_embeddings`, and tables set by hand."""

    def test_old_rows_stay_and_new_ones_are_near_to_their_mean(self, head: str) -> None:
        """With three tokens more nothing else changes, and the new rows are near to the mean, each another.

        Where not: what has a number for each token is not shaped by ``vocab_size``, or a module keeps the size itself.
        """
        model = _noisy(self, head)
        before, size, ties, expected = (
            parameters(model),
            model.config.vocab_size,
            tied(model),
            plain_results(self.case, model),
        )
        table = model.resize_token_embeddings(size + 3)
        assert table is model.get_input_embeddings()
        assert model.config.vocab_size == size + 3
        assert getattr(model.head, "config", model.config) is model.config, "the head has another config"
        after = parameters(model)
        changed = [name for name, tensor in after.items() if tensor.shape != before[name].shape]
        assert changed, "no parameter has another shape"
        for name, tensor in after.items():
            common = tensor[tuple(map(slice, before[name].shape))]
            assert torch.equal(common, before[name]), f"old rows of {name} are not what they were"
            if name in changed and tensor.dim() == 2 and len(tensor) > len(before[name]):
                new, mean = tensor[-3:], before[name].mean(0)
                off = float((new - mean).abs().max())
                assert off <= 1e-3, f"new rows of {name} are {off:.2g} from the mean of the old ones"
                assert not torch.equal(new[0], new[1]), f"new rows of {name} are equal"
        assert tied(model) == ties, f"whether these share a tensor: {model.ties}"
        for name, value in plain_results(self.case, model).items():
            # a softmax over all tokens is another with more of them
            if value.shape == expected[name].shape:
                all_close({name: value}, {name: expected[name]}, "with more tokens", rtol=1.3e-6)
            else:
                assert (value.shape[:-1], value.shape[-1]) == (expected[name].shape[:-1], size + 3), f"shape of {name}"

    def test_sizes_of_modules_are_as_of_a_model_made_so(self, head: str) -> None:
        """A resized model prints as one that was made with that number of tokens.

        Where it does not: a module of the architecture's own keeps the number in an attribute.
        """
        model = _noisy(self, head)
        size = model.config.vocab_size
        model.resize_token_embeddings(size + 5)
        like = new_model(self.case, head, vocab_size=size + 5)
        assert str(model) == str(like)
        model.resize_token_embeddings(size + 1)
        assert model.config.vocab_size == size + 1
        assert str(model) != str(like)

    def test_a_resized_model_is_saved_loaded_and_trained(self, head: str, tmp_path: Path) -> None:
        """A resized model is saved and loaded to the byte, reads its new tokens, and learns them.

        Where it is not: the weight table has a shape, or the grown table is not the one that a call reads.
        """
        model = _noisy(self, head)
        size = model.config.vocab_size
        model.resize_token_embeddings(size + 2, mean_resizing=False)
        model.resize_token_embeddings(pad_to_multiple_of=8)
        assert model.config.vocab_size == -(-(size + 2) // 8) * 8
        first, second = tmp_path / "first", tmp_path / "second"
        model.save_pretrained(first)
        again = tfx_core.load_model(first)
        again.save_pretrained(second)
        same_files(first, second, "a resized model, loaded and saved again")
        given = plain_inputs(self.case, head)
        given["input_ids"][..., 0] = model.config.vocab_size - 1
        output = model(**given)
        with torch.no_grad():
            found, expected = (
                {name: value.detach() for name, value in each.items() if isinstance(value, Tensor)}
                for each in (again(**given), output)
            )
        all_close(found, expected, "a resized model, loaded", rtol=1.3e-6)
        values = [value for value in output.values() if isinstance(value, Tensor) and value.requires_grad]
        torch.autograd.backward([value.square().mean() for value in values])
        owner, name = model.backbone.token_tables[0]
        grown = [one.grad for one in owner.get_submodule(name).parameters() if one.shape[0] > 1]
        assert any(one is not None and bool(one[-1].any()) for one in grown), "the last token's row gets no gradient"

    def test_the_same_generator_gives_the_same_rows(self, head: str) -> None:
        """New rows are drawn from torch's generator alone, around the mean or as the architecture fills a new model.

        Where they are not: ``initialise`` draws from something else than the generator that it is given.
        """
        model, made_of = _noisy(self, head), []
        for mean_resizing in (True, False):
            for seed in (1, 1, 2):
                again = copy.deepcopy(model)
                torch.manual_seed(seed)
                again.resize_token_embeddings(model.config.vocab_size + 4, mean_resizing=mean_resizing)
                made_of.append(parameters(again))
        for one, two, three in (made_of[:3], made_of[3:]):
            equal(two, one, "rows of the same seed")
            assert not all(torch.equal(one[name], three[name]) for name in one), "another seed gives the same rows"

    def test_what_cannot_be_is_refused_before_anything_changes(self, head: str) -> None:
        """No token, a number that is none, and more than memory holds are errors; nothing is changed then.

        Where they are not: the config's ``vocab_size`` has no bound.
        """
        model = _noisy(self, head)
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
        equal(parameters(model), before, "parameters after what was refused")

    def test_another_table_of_the_same_sizes_is_read_and_saved(self, head: str, tmp_path: Path) -> None:
        """``set_input_embeddings`` puts a table in the place that calls read, and it is saved.

        Where it does not: the backbone's ``token_tables`` does not say all places where the table is.
        """
        model = _noisy(self, head)
        other = new_model(self.case, head).get_input_embeddings()
        before = plain_results(self.case, model)
        model.set_input_embeddings(other)
        assert model.get_input_embeddings() is other
        model.tie_weights()
        assert all(tied(model)) or not model.config.tie_word_embeddings or len(model.ties) > 1, "tie_weights ties not"
        after = plain_results(self.case, model)
        assert any(not torch.equal(after[name], before[name]) for name in after), "another table changes no result"
        model.save_pretrained(tmp_path)
        all_close(plain_results(self.case, tfx_core.load_model(tmp_path)), after, "loaded", rtol=1.3e-6)

    def test_an_output_layer_can_be_exchanged_where_there_is_one(self, head: str) -> None:
        """``set_output_embeddings`` puts a layer in the place that calls read; a head without one says so.

        Where it does not: the head's ``output_layer`` names another layer than its ``forward`` calls.
        """
        model = _noisy(self, head)
        layer = model.get_output_embeddings()
        if layer is None:
            with pytest.raises(InputError, match=f"head '{head}' has no output layer"):
                model.set_output_embeddings(nn.Linear(1, 1))
            return
        new = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)
        before = plain_results(self.case, model)
        model.set_output_embeddings(new)
        assert model.get_output_embeddings() is new
        after = plain_results(self.case, model)
        assert any(not torch.equal(value, before[name]) for name, value in after.items()), (
            "another layer changes no result"
        )

    def test_a_model_that_could_not_be_loaded_is_not_saved(self, head: str, tmp_path: Path) -> None:
        """A parameter that is missing, or of another shape or kind than the config says, is an error before saving.

        Where it is none: the model builds modules that depend on more than its config.
        """
        model = _noisy(self, head)
        folder = tmp_path / "new"
        name, parameter = next(iter(model.named_parameters()))
        owner, size = model.get_submodule(name.rpartition(".")[0]), model.config.vocab_size
        said = f"^{name} is .* load_model would refuse it; .*resize_token_embedd"
        for wrong in (nn.Parameter(torch.zeros(3, 3)), nn.Parameter(torch.zeros(parameter.shape).int(), False), None):
            setattr(owner, name.rpartition(".")[2], wrong)
            what = f"a model with {'no' if wrong is None else 'another'} {name}"
            with refused(said, f"saving {what}"):
                model.save_pretrained(folder)
            with refused(said, f"resizing {what}"):
                model.resize_token_embeddings(size + 7)
            assert not folder.exists(), "what is refused has written a folder"
        setattr(owner, name.rpartition(".")[2], parameter)
        model.save_pretrained(folder)

    def test_an_id_beyond_the_model_is_told_with_the_cure(self, head: str) -> None:
        """An id that is no token of the model is an error that says which there are.

        Where it is not: the table is read without `tfx_core.nn.Embeddings` or `tfx_core.nn.look_up`.
        """
        model = _noisy(self, head)
        size, given = model.config.vocab_size, plain_inputs(self.case, head)
        for wrong in (size, -1):
            said = rf"id {wrong} is not one of this model's, 0 to {size - 1}; .*resize_token"
            with pytest.raises(InputError, match=said):
                model(**{**given, "input_ids": torch.full_like(given["input_ids"], wrong)})


def _noisy(checks: CaseChecks, head: str) -> Any:
    made: Model = new_model(checks.case, head)
    return perturbed(made, 2, 0.1)
