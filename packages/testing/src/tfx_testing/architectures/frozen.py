"""Frozen models, with each type of packed weights: they give what plain ones do, and refuse to learn."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tfx_core.errors import InputError
from tfx_core.nn import packed_layers
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.architectures.dtypes import near
from tfx_testing.checks import each
from tfx_testing.folders import frozen, same_files
from tfx_testing.inputs import results, unlabelled_texts
from tfx_testing.tiny import tiny_model
from tfx_testing.writers import Writer, prompts, start, writers, writing_model

TOLERANCE = {"float32": 1e-5, "bfloat16": 0.06, "int8": 0.15}
"""Of the largest number of a result, or of 1: the layers of tiny models are noise, which rounding changes most."""


class FrozenChecks(CaseChecks):
    """``load_model(…, frozen=True)``."""

    @each(head=heads)
    def test_it_gives_what_a_plain_model_gives(self, head: str, tmp_path: Path) -> None:
        """With weights packed in each type the results are those of plain ones, within the type's tolerance.

        Where they are not: a layer is read by its ``weight``, which a packed one has not, or its input has a type of
        its own.
        """
        plain, given = tiny_model(self.case, head), unlabelled_texts(self.case, head)
        with torch.no_grad():
            expected = [results(self.case, plain, text.inputs) for text in given]
            for name, tolerance in TOLERANCE.items():
                model = frozen(plain, name, tmp_path)
                assert model.frozen, f"loaded with frozen=True, dtype={name!r}, it is not frozen"
                for text, wide in zip(given, expected, strict=True):
                    for key, found in results(self.case, model, text.inputs).items():
                        near(f"{key} with weights packed as {name}", found, wide[key], tolerance)

    @each(head=heads)
    def test_it_is_saved_as_what_it_was_and_refuses_to_learn(self, head: str, tmp_path: Path) -> None:
        """A frozen model has the state and files of the plain one, unless they were rounded, and none that changes it.

        Where it has not: the model's class, or a module's, has a way of its own to load or to save.
        """
        plain = tiny_model(self.case, head)
        model: Any = frozen(plain, "float32", tmp_path / "one")
        plain.load_state_dict(model.state_dict())
        plain.load_state_dict(model.state_dict_for_files())
        model.save_pretrained(tmp_path / "two")
        same_files(tmp_path / "one", tmp_path / "two", "a frozen model, saved")
        learning = [name for name, one in model.named_parameters() if one.requires_grad]
        assert not learning, f"these parameters of a frozen model can learn: {learning}"
        changes = {
            "train": model.train,
            "requires_grad_": model.requires_grad_,
            "load_state_dict": lambda: model.load_state_dict({}),
            "tie_weights": model.tie_weights,
            "split_layers": model.split_layers,
            "prune_heads": lambda: model.prune_heads({0: [0]}),
            "another number of tokens": lambda: model.resize_token_embeddings(model.config.vocab_size + 1),
        }
        for name, change in changes.items():
            said = f"^{name}: the weights of this model are packed for inference; load it"
            with pytest.raises(InputError, match=said):
                change()
        with pytest.raises(InputError, match=r"to\(torch\.float16, cpu\): the weights of this model are packed for"):
            model.half()
        assert model.to("cpu").eval() is model
        rounded = frozen(plain, "int8", tmp_path / "three")
        assert next(packed_layers(rounded), None) is not None, "with dtype='int8' no layer is packed"
        with pytest.raises(InputError, match="load it with frozen=False and dtype='float32'"):
            rounded.train()
        four = tmp_path / "four"
        for told in (lambda: rounded.save_pretrained(four), rounded.state_dict, rounded.state_dict_for_files):
            with pytest.raises(InputError, match="were rounded when they were packed; save, or train, what it was"):
                told()

    @each(writer=writers)
    @pytest.mark.parametrize("search", [{}, {"num_beams": 3}], ids=["greedy", "beams"])
    def test_it_writes_what_a_plain_model_writes(self, writer: Writer, search: dict[str, Any], tmp_path: Path) -> None:
        """With weights packed unrounded the same texts are written, and with rounded ones some.

        Where they are not: the cache or the output layer reads weights, not layers.
        """
        plain: Any = writing_model(self.case, writer)
        options = {"max_new_tokens": 7, "pad_token_id": 0, "decoder_start_token_id": start(plain), **search}
        given = prompts(self.case, plain)
        expected = plain.generate(**given, **options)
        written = frozen(plain, "float32", tmp_path).generate(**given, **options)
        assert torch.equal(written, expected), f"packed it writes {written.tolist()}, plain {expected.tolist()}"
        assert frozen(plain, "int8", tmp_path).generate(**given, **options).shape[0] == len(expected)
