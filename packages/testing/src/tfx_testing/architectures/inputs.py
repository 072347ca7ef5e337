"""Every input of a model is used as it is meant, or refused by name."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tfx_core.model import TransformerBackbone
from tfx_core.nn import Embeddings
from tfx_testing.architectures.base import CaseChecks, learning_heads
from tfx_testing.cases import ArchitectureCase
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.inputs import backbones
from tfx_testing.labelled import SIDES, padded_batch, texts_of
from tfx_testing.refusing import refused
from tfx_testing.tiny import random_ids, target_ids, tiny_model
from tfx_testing.writers import Writer, one_writer, width_of, writing_model

ANYWHERE = ("start_positions", "end_positions")
"""Labels that may lie outside of the text, and then do not count."""
MASKS = (None, torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1], [1] * 6]))
NAMES_IN_ERRORS = {
    "decoder_inputs_embeds": "^(input|inputs_embeds) of shape",
    "encoder_outputs": "^(encoder_outputs of shape|attention_mask of shape|decoder_input_ids has 4 rows)",
    "head_mask": "^head mask of",
    "inputs_embeds": "^(input|inputs_embeds|attention_mask) of shape",
}
"""What an error says, where it does not begin with the name of the input."""


def stacks(case: ArchitectureCase, *, stepwise: bool = False) -> list[Any]:
    """The parts of every variant that take positions, each as a backbone of its own; or of those that step exactly."""
    models = [each for each in backbones(case) if not stepwise or case.stepwise(each.config)]
    found = [part for model in models for part in model.modules() if isinstance(part, TransformerBackbone)]
    return found or [each.backbone for each in models if "position_ids" in each.input_names]


def learners_by_place(cls: type[CaseChecks]) -> Sequence[str]:
    """The heads that look for an answer in a text."""
    return [head for head in cls.heads() if head == "question-answering"]


class InputChecks(CaseChecks):
    """What a call is given."""

    def test_tokens_in_another_order_at_their_own_positions_are_the_same(self) -> None:
        """Permuted, with positions and what may be seen permuted alike, each token's state is what it was.

        Where it is not: ``position_ids`` are not read everywhere that places count, or something reads the order of the
        columns itself; a model with convolutions says ``convolves=True`` in its case.
        """
        if self.case.convolves:
            return
        order, ids = torch.tensor([3, 0, 5, 1, 4, 2]), random_ids(self.case, 2, 6)
        for stack in stacks(self.case):
            if not isinstance(stack, TransformerBackbone):
                continue  # which need not read who sees whom
            seen = torch.ones(6, 6).tril() if stack.causal else torch.ones(6, 6)
            pairs = seen[order][:, order].expand(2, -1, -1)
            moved = stack(ids[:, order], pairs, position_ids=order[None] + stack.first_position).last_hidden_state
            close(moved, stack(ids).last_hidden_state[:, order], "states of permuted tokens, beside those in order")

    @pytest.mark.parametrize("side", SIDES)
    def test_positions_are_those_of_real_tokens_in_any_batch(self, side: str) -> None:
        """Positions that are given count for each token, and those of padding for nothing.

        Where they do not: positions are ignored, are looked up for padding, or lose their places when the tokens of a
        padded batch are packed.
        """
        texts = texts_of(self.case, "sequence-classification")
        batch = padded_batch(texts, side)
        for stack in stacks(self.case):
            given = torch.full(batch["input_ids"].shape, 10**9)  # padding stands nowhere
            for row, text in enumerate(texts):
                given[row, text.columns(side)] = 2 * torch.arange(text.length) + stack.first_position
            together = stack(batch["input_ids"], batch["attention_mask"], position_ids=given).last_hidden_state
            for row, text in enumerate(texts):
                ids, own = text.inputs["input_ids"], given[row, text.columns(side)]
                apart = stack(ids, position_ids=own).last_hidden_state
                plain = stack(ids).last_hidden_state
                assert not torch.allclose(apart, plain, atol=1e-3), "position_ids change nothing: they are not read"
                ours = together[row : row + 1, text.columns(side)]
                close(ours, apart, f"states of row {row} with positions of its own, beside what it gives alone")

    def test_a_cache_goes_on_from_the_positions_that_were_given(self) -> None:
        """After a call with ``position_ids``, tokens read with its cache stand after the last one of their row.

        Where they do not: the cache counts columns, keeps no positions, or does not move them with its rows.
        """
        ids, swapped = random_ids(self.case, 2, 7), torch.tensor([1, 0])
        for stack in stacks(self.case, stepwise=True):
            if not stack.causal or "past_key_values" not in stack.input_names:
                continue
            given = torch.tensor([[2, 3, 7, 8, 9, 10, 11], [0, 5, 6, 7, 8, 9, 10]]) + stack.first_position
            whole = stack(ids, position_ids=given).last_hidden_state
            first = stack(ids[:, :4], position_ids=given[:, :4], use_cache=True)
            cache = first.past_key_values
            cache.reorder(swapped)
            then = [stack(ids[swapped, 4:6], past_key_values=cache), stack(ids[swapped, 6:], past_key_values=cache)]
            parts = torch.cat([first.last_hidden_state, *(each.last_hidden_state[swapped] for each in then)], dim=1)
            close(parts, whole, "states of a text that is read in three parts, its rows swapped after the first")

    @each(writer=one_writer)
    def test_so_does_generation(self, writer: Writer) -> None:
        """New tokens stand after the last position that was given.

        Where they do not: the decoding state counts positions from the mask although ``position_ids`` were given.
        """
        if writer.head != "causal-lm" or "position_ids" not in tiny_model(self.case, "backbone").input_names:
            return
        for changes in {str(variant.changes): variant.changes for variant in self.case.variants}.values():
            model = tiny_model(self.case, "causal-lm", **{**changes, "eos_token_id": None})
            if not self.case.stepwise(model.config) or not model.can_generate():
                continue
            ids = random_ids(self.case, 2, 4)
            given = torch.tensor([[3, 4, 6, 7], [0, 1, 2, 9]]) + model.backbone.first_position
            made = model.generate(ids, position_ids=given, max_new_tokens=4)
            for _ in range(4):
                asked = self.case.asked(model, {"input_ids": ids, "position_ids": given})
                following = model(**asked).logits[:, -1].argmax(-1, keepdim=True)
                ids, given = torch.cat((ids, following), dim=1), torch.cat((given, given[:, -1:] + 1), dim=1)
            assert made.tolist() == ids.tolist(), "generate(position_ids=…) writes other texts than calls do"

    def test_positions_are_refused_where_they_are_not_read(self) -> None:
        """Positions of another shape, beyond the table, or of a model that takes none are an error that says so.

        Where they are not: check them with `tfx_core.nn.check_range` before they are looked up.
        """
        model, ids = tiny_model(self.case, "backbone"), random_ids(self.case, 2, 6)
        target = target_ids(self.case, "backbone", 2)
        if "position_ids" not in model.input_names:
            said = r"takes no 'position_ids': (it takes|did you mean 'decoder_)"
            with refused(said, "position_ids of a model that takes none", TypeError):
                model(ids, position_ids=torch.arange(6), **target)
            return
        for wrong in (torch.arange(5), torch.arange(18).view(3, 6)):
            with refused(
                r"position_ids of shape \(.*\): these tokens ask for \(2, 6\)", f"positions {tuple(wrong.shape)}"
            ):
                model(ids, position_ids=wrong)
        first, limit, config = model.backbone.first_position, model.max_positions, dict(model.config.to_dict())
        if limit is None:  # they are computed, and go on
            far = torch.tensor([0, 1, 2, config.get("max_position_embeddings") or 100, 4, 5])
            near = model(ids, position_ids=far.clamp(max=9))[0]
            assert not torch.equal(model(ids, position_ids=far)[0], near), "a far position is as good as a near one"
            return
        for beside in (-1, limit):
            said = f"position_ids: {first + beside} is none of this model's; .* for {limit}, from {first} on"
            with refused(said, f"position {first + beside}"):
                model(ids, position_ids=torch.tensor([0, 1, 2, beside, 4, 5]) + first)

    @pytest.mark.parametrize("mask", MASKS, ids=["whole", "padded"])
    def test_an_input_of_another_shape_or_type_is_refused_by_name(self, mask: Tensor | None) -> None:
        """None is spread over the tokens, rows, heads or numbers that it is not of.

        Where it is: compare its shape with that of the ids before it is added, multiplied or looked up.
        """
        for model in backbones(self.case):
            width, ids = width_of(model), random_ids(self.case, 4, 6)
            for name, wrong in _wrong_shapes(width).items():
                if name not in model.input_names:
                    continue
                target = {} if name.startswith("decoder_") else target_ids(self.case, "backbone", 4)
                inputs = {"input_ids": ids, "attention_mask": mask, **target}
                if name == "inputs_embeds":
                    del inputs["input_ids"]
                if name == "encoder_attention_mask" and model.config.add_cross_attention:
                    inputs["encoder_hidden_states"] = torch.zeros(4, 4, width)
                for shape in wrong:
                    value = torch.zeros(shape, dtype=torch.long if name.endswith("_ids") else torch.float)
                    with refused(
                        NAMES_IN_ERRORS.get(name, rf"^{name}\b"), f"{name} of shape {shape} beside (4, 6) ids"
                    ):
                        model(**{**inputs, name: value})
            for name in ("input_ids", "attention_mask", "head_mask", "past_key_values"):
                if name in model.input_names:
                    with refused(f"^{name} of type list: must be a ", f"a list as {name}"):
                        model(**{"input_ids": ids, name: [[1, 2, 3]]}, **target_ids(self.case, "backbone", 4))

    @each(head=learning_heads)
    def test_a_number_that_is_none_of_the_models_is_told_with_its_input(self, head: str) -> None:
        """An id, a type or a label beyond what the model has is an error that begins with the name of its input.

        Where it is not: it indexes a table unchecked; `tfx_core.nn.check_ids` and `check_range` tell the name. Numbers
        that are only compared with each other are named in ``compared_inputs`` of the case.
        """
        model, text = tiny_model(self.case, head), texts_of(self.case, head)[0]
        inputs = dict(text.inputs)
        inputs.pop("is_impossible", None)
        extra = {
            "token_type_ids": inputs["input_ids"] * 0,
            "langs": inputs["input_ids"] * 0,
            "decoder_input_ids": inputs["input_ids"],
        }
        inputs |= {name: x for name, x in extra.items() if name in model.input_names}
        if type(getattr(model.backbone, "embeddings", None)) is Embeddings:
            inputs.pop("token_type_ids", None)  # there are none, which is told without a number
        if "logits_positions" in model.input_names:
            places = torch.tensor([[0, 1], [0, 2]])
            for wrong in (99, -1):
                with refused(f"logits_positions: {wrong} is none of 0 to", f"a logit at place {wrong}"):
                    model(inputs["input_ids"], logits_positions=places.clone().index_fill(1, torch.tensor(1), wrong))
            with refused("logits_positions: a loss needs the logits of all positions", "a loss of some places"):
                model(inputs["input_ids"], labels=inputs["input_ids"], logits_positions=places)
        for name, value in inputs.items():
            if name.endswith("mask") or name in ANYWHERE or name in self.case.compared_inputs:
                continue
            if value.is_floating_point():
                continue
            for wrong in (10**6, -7):
                changed = value.clone()
                changed.view(-1)[-1] = wrong
                with refused(rf"^{name}\b.*: (id )?{wrong} is (not|none)\b.* 0 to \d+", f"{wrong} in {name}"):
                    model(**{**inputs, name: changed})

    @each(writer=one_writer)
    def test_so_is_an_id_in_generation(self, writer: Writer) -> None:
        """`generate` refuses ids that are none of the model's, and what is no tensor, by name.

        Where it does not: a decoding state looks ids up itself, unchecked; `tfx_core.nn.check_ids` tells.
        """
        model = writing_model(self.case, writer)
        with refused(r"^input_ids is a list: write torch.tensor", "a list of ids"):
            model.generate([[7, 8]])  # type: ignore[arg-type]
        with refused(r"^attention_mask of type list: must be a torch.Tensor", "a list as mask"):
            model.generate(torch.tensor([[7, 8]]), attention_mask=[[1, 1]])
        for wrong in (10**6, -7):
            last = self.case.tiny["vocab_size"] - 1
            with refused(f"^input_ids: id {wrong} is not one of this model's, 0 to {last}", f"id {wrong}"):
                model.generate(torch.tensor([[7, 8, wrong]]), max_new_tokens=2)
            if "decoder_input_ids" in model.input_names:
                begun = torch.tensor([[7, wrong]])
                with refused(f"^decoder_input_ids .*: id {wrong} is not one", f"id {wrong} of the decoder"):
                    model.generate(torch.tensor([[7, 8]]), decoder_input_ids=begun, max_new_tokens=2)

    @each(head=lambda cls: [head for head in cls.heads() if head == "conditional-generation"])
    def test_an_id_as_label_of_a_decoder_is_told(self, head: str) -> None:
        """Labels that a decoder reads shifted are checked as ids before they are looked up.

        Where they are not: the decoder shifts labels without ``arrange`` of the backbone, so that their name is
        lost.
        """
        model, ids = tiny_model(self.case, head), random_ids(self.case, 1, 4)
        wrong = self.case.tiny["vocab_size"] + 24
        with refused(rf"^decoder_input_ids \(labels, .*\): id {wrong} is not one of this model's", f"label {wrong}"):
            model(ids, labels=torch.tensor([[5, wrong, 6]]))

    @each(head=learners_by_place)
    def test_an_answer_is_looked_for_in_what_the_decoder_reads(self, head: str) -> None:
        """Places of padding are no answer: of what the decoder reads, where there is one, and not of the source.

        Where they are: the head masks its logits with ``attention_mask`` instead of ``token_mask`` of the output.
        """
        model = tiny_model(self.case, head)
        if "decoder_input_ids" not in model.input_names:
            return
        ids, target = random_ids(self.case, 2, 6), random_ids(self.case, 2, 4, seed=3)
        source = {"input_ids": ids, "attention_mask": torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])}
        expected = model(**source, decoder_input_ids=target[:, :3]).start_logits
        mask = torch.tensor([[1, 1, 1, 0]] * 2)
        masked = model(**source, decoder_input_ids=target, decoder_attention_mask=mask).start_logits
        close(masked[:, :3], expected, "start_logits of three tokens, beside which padding stands")
        barred = torch.finfo(masked.dtype).min
        assert (masked[:, 3] == barred).all(), "an answer may begin in the decoder's padding"
        own = torch.tensor([[1, 1, 1, 1, 0, 0]] * 2)  # for the source as the decoder reads it
        shorter = model(**source, decoder_attention_mask=own).start_logits
        assert (shorter > barred).tolist() == own.bool().tolist(), "answers are masked as the source, not as the target"

    def test_vectors_in_the_place_of_ids_are_what_the_ids_stand_for(self) -> None:
        """``inputs_embeds=model.backbone.embed(ids)`` gives what the ids give.

        Where it does not: ``embed`` leaves out a factor or a projection that the ids' way has, or does it twice.
        """
        ids, target = random_ids(self.case, 2, 6), target_ids(self.case, "backbone", 2)
        for model in backbones(self.case):
            if "inputs_embeds" not in model.input_names:
                continue
            expected = model(ids, **target).last_hidden_state
            vectors = model(inputs_embeds=model.backbone.embed(ids), **target).last_hidden_state
            close(vectors, expected, "states of embed(ids) given as inputs_embeds, beside those of the ids")

    @pytest.mark.parametrize("packed", [True, False])
    def test_a_batch_may_be_padding_alone(self, packed: bool) -> None:
        """A row of it among others is computed, and so is a batch: its states are numbers.

        Where they are not: a mean divides by no tokens, or a softmax has nothing to look at.
        """
        ids, target = random_ids(self.case, 2, 6), target_ids(self.case, "backbone", 2)
        for model in backbones(self.case):
            model.packed = packed
            with torch.no_grad():
                states = model(ids, attention_mask=torch.zeros_like(ids), **target).last_hidden_state
            assert bool(states.isfinite().all()), "states of a batch of padding alone are not finite"

    @each(head=learning_heads)
    def test_types_of_numbers_are_taken_or_told(self, head: str) -> None:
        """Ids and labels may be of 32 bits; ids that are no whole numbers are refused by name.

        Where they are not: ids are indices of a tensor, or are compared, before a table has looked them up.
        """
        model, text = tiny_model(self.case, head), texts_of(self.case, head)[0]
        whole = {name: value for name, value in text.inputs.items() if not value.is_floating_point()}
        expected = model(**text.inputs).loss
        small = {name: value.int() if name.endswith(("_ids", "labels")) else value for name, value in whole.items()}
        close(model(**{**text.inputs, **small}).loss, expected, "the loss of inputs of 32 bits, beside that of 64")
        for name in (name for name in whole if name.endswith("_ids")):
            for kind in (torch.float32, torch.bool, torch.int16):
                with refused(f"^{name} of type {kind}: must be whole numbers", f"{name} of {kind}"):
                    model(**{**text.inputs, name: whole[name].to(kind)})

    @each(head=learning_heads)
    def test_a_mask_says_of_each_token_that_it_is_one_or_is_none(self, head: str) -> None:
        """Masks of numbers, integers and booleans are alike, and anything but 1 and 0 is refused.

        An additive mask, 0 and -10000, would be read the wrong way round.

        Where it is not: the mask is multiplied or added as it is, instead of made `tfx_core.nn.RealTokens`
        first.
        """
        model, text = tiny_model(self.case, head), texts_of(self.case, head)[0]
        mask = torch.ones(text.inputs["input_ids"].shape)
        expected = model(**text.inputs).loss
        for kind in (torch.float32, torch.int64, torch.bool):
            found = model(**{**text.inputs, "attention_mask": mask.to(kind)}).loss
            close(found, expected, f"the loss with a mask of {kind} that is 1 everywhere")
        for wrong in (-1e4, 2, 0.5):
            masks = {"attention_mask": mask.flatten().index_fill(0, torch.tensor(1), wrong).view(mask.shape)}
            with refused(f"^attention_mask: {wrong:g} is neither 1 nor 0", f"a mask with {wrong:g}"):
                model(**{**text.inputs, **masks})

    def test_what_is_no_batch_of_ids_is_told_with_its_cure(self) -> None:
        """What users give first in the place of ids, a text, a list, an array, is an error that says what to write.

        Where it is not: the backbone's forward does not declare ``input_ids: Tensor``, by which the core checks
        it.
        """
        ids, target = random_ids(self.case, 2, 6), target_ids(self.case, "backbone", 2)
        model = tiny_model(self.case, "backbone")
        for given, cure in _no_ids(ids):
            with refused(cure, f"{type(given).__name__} as ids"):
                model(given, **target)
        with refused(
            r"only the ids may come without their name; write model\(ids, attention_mask", "a mask", TypeError
        ):
            model(ids, torch.ones_like(ids), **target)
        with refused(
            r"takes no 'labels': no loss of this model has them; .* load it with a head", "labels of none", TypeError
        ):
            model(ids, labels=ids, **target)

    @each(head=learning_heads)
    def test_labels_that_are_no_tensor_are_told_with_their_cure(self, head: str) -> None:
        """A list as labels is an error that says what makes a tensor of it.

        Where it is not: the head's forward does not declare its labels as a ``Tensor | None``, by which the
        core checks them.
        """
        model, text = tiny_model(self.case, head), texts_of(self.case, head)[0]
        for name in (name for name in text.inputs if name == "labels" or name.endswith("_positions")):
            said = rf"^{name} of type list: must be a torch.Tensor; torch.tensor makes one"
            with refused(said, f"a list as {name}"):
                model(**{**text.inputs, name: text.inputs[name].tolist()})


def _wrong_shapes(width: int) -> dict[str, list[tuple[int, ...]]]:
    """Of each input, shapes that are not those of four rows of six tokens."""
    per_token: list[tuple[int, ...]] = [(4, 2), (4, 7), (2, 6), (4, 6, 1), (4, 1), (1,)]
    return {
        "attention_mask": [(), (6,), (1, 6), (4, 5), (4, 1, 6), (4, 1, 1, 6)],
        "decoder_inputs_embeds": [(4, 4, width - 1), (4, width), (4, 4, 1)],
        "encoder_attention_mask": [(6,), (4, 5), (1, 4), (4, 1)],
        "encoder_outputs": [(4, 6, width - 1), (4, 5), (2, 6, width)],
        "head_mask": [(), (1,), (7,), (1, 1, 1), (9, 4)],
        "langs": per_token,
        "lengths": [(), (3,), (1,), (4, 6), (4, 1)],
        "inputs_embeds": [(4, 6, width - 1), (4, 6, 1), (4, width), (4, 6, 1, width)],
        "encoder_hidden_states": [(4, 5, width + 1), (4, width)],
        "mems": [(4, 5), (6,), (4, 2, width)],
        "perm_mask": [(6, 6), (1, 6, 6), (4, 6)],
        "target_mapping": [(4, 6), (1, 2, 6)],
        "token_type_ids": per_token,
    }


def _no_ids(ids: Tensor) -> list[tuple[Any, str]]:
    """What is no batch of ids, and what is said of it."""
    return [
        ("a text", r"^input_ids of type str: .*; a model reads ids, which a tokenizer makes"),
        (["a text", "another"], r"^input_ids of type list: .*; a model reads ids, which a tokenizer makes"),
        ([[7, 8]], r"^input_ids of type list: must be a torch.Tensor; torch.tensor makes one"),
        (ids.numpy(), r"^input_ids of type ndarray: must be a torch.Tensor; .* torch.from_numpy"),
        ({"input_ids": ids}, r"^input_ids is a batch: write model\(\*\*batch\)"),
        (ids[0], r"^input of shape \(6,\): .*; one text is a batch of one, ids\[None\]"),
        (ids.to("meta"), r"^input_ids on meta: the model is on cpu; .*: input_ids.to\(model.device\)"),
    ]
