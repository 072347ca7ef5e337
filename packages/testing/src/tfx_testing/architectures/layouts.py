"""How released files lay tensors out: what the case lists is read, anything else is refused in words."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import tfx_core
from tfx_core.errors import CheckpointError, ConfigError
from tfx_testing.architectures.base import CaseChecks, heads, tied_heads
from tfx_testing.checks import each
from tfx_testing.comparing import equal
from tfx_testing.folders import WEIGHTS, rewritten, saved
from tfx_testing.refusing import refused
from tfx_testing.tiny import new_model, parameters, tiny_model

STRANGE = ("strange.weight", "embeddings.strange")


class LayoutChecks(CaseChecks):
    """Files as others wrote them."""

    @each(head=heads)
    @pytest.mark.parametrize("file", [WEIGHTS, "pytorch_model.bin"])
    def test_every_layout_gives_the_same_model(self, head: str, file: str, tmp_path: Path) -> None:
        """Each of the layouts that the case lists, and the present one, is read to the same weights, in either format.

        Where one is not: the weight table lacks a `Legacy`, `Same` or `Drop` for the names that it has.
        """
        model = tiny_model(self.case, head)
        tensors = saved(model, tmp_path)
        (tmp_path / WEIGHTS).unlink()
        for layout, lay_out in {"the present one": dict, **self.case.layouts}.items():
            _write(lay_out(tensors), tmp_path / file)
            read = tfx_core.load_model(tmp_path)
            assert read.head_name == head, f"layout {layout!r} is read as of head {read.head_name!r}"
            equal(parameters(read), parameters(model), f"parameters from layout {layout!r}")

    @each(head=tied_heads)
    def test_a_tensor_of_two_names_may_have_either_or_both(self, head: str, tmp_path: Path) -> None:
        """A file may have a tied tensor under each of its names or under one of them.

        Where it may not: the pair is not among the head's ``ties``, or a `Same` rule is missing.
        """
        model = tiny_model(self.case, head, tie_word_embeddings=True)
        tensors = model.state_dict_for_files()
        saved(model, tmp_path)
        names: dict[int, list[str]] = {}
        for name, tensor in tensors.items():
            names.setdefault(tensor.data_ptr(), []).append(name)
        several = [group for group in names.values() if len(group) > 1]
        assert several, f"state_dict_for_files() has no tensor of head {head!r} under two names"
        for without in ((), *(tuple({*group} - {name}) for group in several for name in group)):
            held = {name: tensor for name, tensor in tensors.items() if name not in without}
            _write(
                {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in held.items()},
                tmp_path / WEIGHTS,
            )
            read = tfx_core.load_model(tmp_path)
            assert [*read.state_dict()] == [*model.state_dict()]
            equal(parameters(read), parameters(model), f"parameters of a file without {without or 'none of the names'}")

    def test_one_error_lists_all_tensors_that_are_of_no_layout(self, tmp_path: Path) -> None:
        """A tensor that no rule is about is an error, not left out in silence; all are listed.

        Where it is not: a `Drop` or a pattern with ``{x}`` takes whatever there is.
        """
        tensors = saved(tiny_model(self.case, "backbone"), tmp_path)
        _write({**tensors, **{name: torch.zeros(2) for name in STRANGE}}, tmp_path / WEIGHTS)
        with pytest.raises(CheckpointError) as caught:
            tfx_core.load_model(tmp_path)
        untold = [name for name in STRANGE if f"unexpected {name}" not in str(caught.value)]
        assert not untold, f"not told as unexpected: {untold}"

    @pytest.mark.parametrize("more", [8, -8])
    def test_a_table_of_another_size_than_the_config_says_is_one_error_with_both(
        self, more: int, tmp_path: Path
    ) -> None:
        """Where file and config have other numbers of tokens the error has both, and the key.

        Where it has not: the size of a table is not read from ``vocab_size``.
        """
        model: Any = tiny_model(self.case, "backbone")
        model.resize_token_embeddings(model.config.vocab_size + more)
        saved(model, tmp_path)
        rows = rewritten(tmp_path)["vocab_size"]
        said = rows - more
        rewritten(tmp_path, vocab_size=said)
        begin = rf"^{re.escape(str(tmp_path))}: its tensors do not fit its config\.json"
        with pytest.raises(CheckpointError, match=begin) as caught:
            tfx_core.load_model(tmp_path)
        if isinstance(model.get_input_embeddings(), nn.Embedding):
            both = rf"is \({rows}, \d+\), .* needs \({said}, \d+\), for vocab_size={said}\n?"
            assert re.search(both, str(caught.value)), f"the sizes are not in this error: {caught.value}"

    def test_a_config_that_no_model_can_have_is_refused(self) -> None:
        """What the case lists as ``refused`` is, with what it lists to be said, and so is a model without tokens.

        Where it is not: ``validate`` of the config does not check what concerns several keys.
        """
        for values, said in (*self.case.refused, ({"vocab_size": 0}, "vocab_size=0: must be an integer at least 1")):
            with refused(said, f"a config with {values}", ConfigError):
                new_model(self.case, **values)

    def test_a_config_that_says_decoder_makes_one_or_is_refused(self) -> None:
        """``is_decoder=True`` makes a model whose tokens see none that follow, or is refused as the case lists it.

        Where it is not: the key is left unread; an encoder without a causal form has to refuse it in ``validate``.
        """
        if any("is_decoder" in values and "must be false" in said for values, said in self.case.refused):
            with pytest.raises(ConfigError, match=r"^is_decoder=True: must be false: "):
                new_model(self.case, is_decoder=True)
        else:
            backbone = new_model(self.case, is_decoder=True).backbone
            assert backbone.causal, "is_decoder=True makes a backbone that is not causal"


def _write(tensors: dict[str, Tensor], file: Path) -> None:
    (save_file if file.suffix == ".safetensors" else torch.save)(tensors, file)
