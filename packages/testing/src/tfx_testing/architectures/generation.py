"""What `generate` makes of every input: it is honoured as by a call, or refused by name."""

import copy
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tfx_core.errors import ConfigError, InputError
from tfx_core.generation import GenerationOptions
from tfx_core.model import Model
from tfx_core.nn import eager
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.cases import CHOICE_HEADS, ArchitectureCase
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.refusing import refused
from tfx_testing.tiny import random_ids
from tfx_testing.writers import (
    LENGTHS,
    WholeText,
    Writer,
    exact,
    generated,
    noise,
    of_row,
    prompts,
    start,
    uncached,
    width_of,
    writers,
    writing_model,
)

REFUSED = {
    "decoder_inputs_embeds", "decoder_position_ids", "input_mask", "lengths", "logits_to_keep", "mc_labels",
    "mc_token_ids", "perm_mask", "target_mapping",
}  # fmt: skip
"""What generation never has a use for. Others a model may refuse as well."""


def values_of_inputs(case: ArchitectureCase, model: Model) -> Mapping[str, Callable[[Tensor], Any]]:
    """A value for each input that a model may have, given ids; those of one architecture come from its case."""
    config: Any = model.config
    width, mask = width_of(model), prompts(case, model)["attention_mask"]
    of_decoder = ("decoder_attention_heads", "num_decoder_attention_heads", "num_attention_heads")
    heads = next(getattr(config, name) for name in of_decoder if hasattr(config, name))

    def first_off(count: int) -> Tensor:
        return torch.tensor([0.0] + [1.0] * (count - 1))

    return {
        "attention": lambda ids: eager,
        "attention_mask": lambda ids: mask,
        "cross_attn_head_mask": lambda ids: first_off(heads),
        "decoder_attention_mask": lambda ids: torch.ones(len(ids), 1, dtype=torch.long),
        "decoder_head_mask": lambda ids: first_off(heads),
        "decoder_input_ids": lambda ids: torch.cat((torch.full((len(ids), 1), start(model)), ids[:, -2:]), dim=1),
        "decoder_inputs_embeds": lambda ids: noise(len(ids), 1, width),
        "decoder_position_ids": lambda ids: torch.ones(len(ids), 1, dtype=torch.long),
        "encoder_attention_mask": lambda ids: torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]]),
        "encoder_hidden_states": lambda ids: noise(len(ids), 4, width),
        "encoder_outputs": lambda ids: noise(*ids.shape, width),
        "head_mask": lambda ids: first_off(config.num_attention_heads if config.is_encoder_decoder else heads),
        "input_ids": lambda ids: ids,
        "input_mask": lambda ids: 1 - mask,
        "inputs_embeds": lambda ids: model.backbone.embed(ids.roll(1, 0)),
        "labels": lambda ids: ids,
        "langs": lambda ids: ids % 2,
        "lengths": lambda ids: torch.tensor(LENGTHS),
        "logits_to_keep": lambda ids: 1,
        "mc_labels": lambda ids: ids[:, 0],
        "mc_token_ids": lambda ids: ids[:, :1],
        "mems": lambda ids: [noise(3, len(ids), width) for _ in range(config.num_hidden_layers)],
        "num_hashes": lambda ids: 2,
        "output_attentions": lambda ids: True,
        "output_hidden_states": lambda ids: True,
        "past_key_values": lambda ids: model.backbone.new_cache(),
        "perm_mask": lambda ids: torch.zeros(*ids.shape, ids.shape[1]),
        "position_ids": lambda ids: (mask.cumsum(1) + 1).clamp(min=0) * 2,
        "target_mapping": lambda ids: torch.zeros(len(ids), 1, ids.shape[1]),
        "token_type_ids": lambda ids: ids % 2,
        "use_mems": lambda ids: False,
        **case.input_values,
    }


class GenerationChecks(CaseChecks):
    """The inputs and settings of `generate`; a call, which knows no cache, says what is right."""

    @pytest.mark.filterwarnings("ignore:output_.*return_dict_in_generate")
    @each(writer=writers)
    def test_every_input_is_honoured_or_refused_by_name(self, writer: Writer) -> None:
        """What is written with an input is what calls with it write, token by token; or the input is refused by name.

        Where it is not: the decoding state drops the input, gives it to the first call alone, or does not continue it
        for new tokens (``CausalDecoding.continued``), or not for the rows that beams make.
        """
        case, model = self.case, writing_model(self.case, writer)
        plain, values, steps = prompts(case, model), values_of_inputs(case, model), exact(case, model)
        unknown = set(model.input_names) - values.keys() - {"use_cache"}
        assert not unknown, f"ArchitectureCase(input_values=…) must say what {', '.join(sorted(unknown))} may be"
        for name in sorted(set(model.input_names) - {"use_cache"}):
            inputs = {**plain, name: values[name](plain["input_ids"])}
            if name == "encoder_outputs" or (name == "inputs_embeds" and model.config.is_encoder_decoder):
                del inputs["input_ids"]
            try:
                texts = generated(model, inputs)
            except InputError as error:
                assert str(error).startswith(f"{name}: "), f"{name} is refused without its name: {error}"  # noqa: PT017
                of_source = name in ("encoder_hidden_states", "encoder_attention_mask")
                without_source = of_source and not model.config.add_cross_attention
                may_be = name in REFUSED or name in case.input_values or without_source or not steps
                assert may_be, f"{name} is refused, though calls take it: {error}"  # noqa: PT017
                continue
            assert name not in REFUSED, f"{name} is taken, and cannot have an effect"
            if steps:
                for row, text in enumerate(texts):
                    expected = uncached(case, model, row, inputs)
                    assert text == expected, f"row {row} with {name}: generate writes {text}, calls {expected}"
            if name in ("token_type_ids", "position_ids", "langs") and steps:
                self._is_honoured_by_others(model, name, inputs, texts)

    @each(writer=writers)
    def test_an_input_changes_what_is_written(self, writer: Writer) -> None:
        """An input that is honoured has an effect: or the comparison with calls would show nothing.

        Where it has none: neither calls nor `generate` read it.
        """
        case, model = self.case, writing_model(self.case, writer)
        plain, values = prompts(case, model), values_of_inputs(case, model)
        before = generated(model, plain)
        for name in ("token_type_ids", "position_ids", "head_mask", "inputs_embeds", "langs"):
            if name in model.input_names and exact(case, model) and not model.config.is_encoder_decoder:
                given = {**plain, name: values[name](plain["input_ids"])}
                if name not in case.asked(model, given):
                    continue
                try:
                    after = generated(model, given)
                except InputError as error:
                    assert str(error).startswith(f"{name}: ")  # noqa: PT017
                    continue
                assert after != before, f"{name} changes nothing that is written"

    @each(writer=writers)
    def test_switches_that_are_off_ask_for_nothing(self, writer: Writer) -> None:
        """``output_attentions=False`` and ``labels=None`` are as if they were not given.

        Where they are not: the decoding state refuses an input by its name alone, whatever its value is.
        """
        model = writing_model(self.case, writer)
        plain = prompts(self.case, model)
        off = {"output_attentions": False, "output_hidden_states": False, "labels": None}
        assert generated(model, {**plain, **off}) == generated(model, plain)

    @each(writer=writers)
    def test_masks_of_another_shape_are_refused_by_name(self, writer: Writer) -> None:
        """A mask of pairs, which no text that grows has, is refused.

        Where it is not: the decoding state takes any shape that spreads over the prompts.
        """
        model, width = writing_model(self.case, writer), max(LENGTHS)
        with refused(rf"attention_mask of shape \(3, {width}, {width}\)", "a mask of pairs"):
            generated(model, {**prompts(self.case, model), "attention_mask": torch.ones(3, width, width)})

    @each(writer=writers)
    def test_settings_of_ones_own_stand_beside_those_of_the_head(self, writer: Writer) -> None:
        """The head's own settings are not skipped where some are given: every new model of a head that writes does.

        Where they are: ``HeadPlan.adapt`` looks whether settings were given, instead of making those that the
        head needs.
        """
        case = self.case
        config = {**case.tiny, **writer.changes}
        first = tfx_core.new_model(case.model_type, head=writer.head, seed=0, **config)
        for name in (None, "is_decoder", "is_encoder_decoder"):
            own: dict[str, Any] = {} if name is None else {name: getattr(first.config, name)}
            made = tfx_core.new_model(case.model_type, head=writer.head, seed=0, **{**config, **own}).eval()
            assert made.config.is_encoder_decoder == first.config.is_encoder_decoder
            assert len(generated(made, prompts(case, made))) == len(LENGTHS)

    @each(writer=writers)
    @pytest.mark.parametrize("search", [{}, {"num_beams": 3}, {"do_sample": True, "seeds": [3, 4, 5]}], ids=str)
    @pytest.mark.parametrize("given", [True, False])
    def test_guidance_is_worked_out_of_two_calls(self, writer: Writer, search: dict[str, Any], given: bool) -> None:
        """Each new token's scores are those of the prompt, led away from those of the negative prompt.

        Where they are not: the state of the negative prompt is not expanded, reordered or selected with the other.
        """
        case, model = self.case, writing_model(self.case, writer)
        inputs, scale = prompts(case, model), 1.5
        negative: dict[str, Tensor] = _negative_prompts(case) if given else {}
        output = model.generate(
            **inputs, **negative, **search, guidance_scale=scale, max_new_tokens=4, eos_token_id=None, pad_token_id=0,
            decoder_start_token_id=start(model), output_scores=True, return_dict_in_generate=True, top_k=0,
        )  # fmt: skip
        for row, length in enumerate(LENGTHS if exact(case, model) else ()):
            ids = inputs["input_ids"][row : row + 1, -length:]
            other = negative["negative_prompt_ids"][row : row + 1, : (4, 2, 1)[row]] if given else ids[:, -1:]
            own = {name: x for name, x in of_row(inputs, row).items() if name.startswith("encoder_")}
            both = [
                WholeText(case, model, {**own, "input_ids": read, "attention_mask": torch.ones_like(read)}, 0)
                for read in (ids, other)
            ]
            for step in range(4):
                new = output.sequences[row, -4:][:step].tolist()
                wanted, unwanted = (text.logits(new).log_softmax(-1) for text in both)
                expected = (unwanted + scale * (wanted - unwanted)).log_softmax(-1)
                place = row if output.beam_indices is None else output.beam_indices[row, step]
                found = output.scores[step][place].log_softmax(-1)
                close(found, expected, f"scores of token {step} of row {row} with guidance", rtol=1e-3, atol=1e-3)

    @each(writer=writers)
    def test_a_pickled_model_generates_the_same(self, writer: Writer) -> None:
        """A pickle or a copy of a model writes what it writes, before it has written and after.

        Where it does not: something of a generation stays in the model.
        """
        model = writing_model(self.case, writer)
        inputs = prompts(self.case, model)
        again = pickle.loads(pickle.dumps(model))
        expected = generated(model, inputs)
        assert generated(again, inputs) == expected
        for after in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):  # it has written
            assert generated(after, inputs) == expected

    @each(writer=lambda cls: [writer for writer in writers(cls) if writer.head in CHOICE_HEADS])
    def test_choices_are_no_prompts(self, writer: Writer) -> None:
        """Ids with an axis of choices are refused: each prompt is a row of its own.

        Where they are not: the backbone has a ``generate`` of its own that flattens them.
        """
        with refused("input_ids: must be token ids", "a prompt with an axis of choices"):
            writing_model(self.case, writer).generate(torch.ones(1, 2, 3, dtype=torch.long))

    @each(writer=writers)
    def test_defaults_can_be_replaced_and_are_saved(self, writer: Writer, tmp_path: Path) -> None:
        """``model.generation_config`` is what `generate` goes by, and is saved and loaded with the model.

        Where they are not: a config keeps them as keys of its own, which go before what was set.
        """
        model = writing_model(self.case, writer)
        inputs, last = prompts(self.case, model), self.case.tiny["vocab_size"] - 2
        own: dict[str, Any] = {
            "eos_token_id": [last], "pad_token_id": 0, "decoder_start_token_id": start(model), "max_new_tokens": 3,
        }  # fmt: skip
        expected = model.generate(**inputs, **own)
        for given in (own, GenerationOptions(**own)):
            assert torch.equal(model.generate(**inputs, generation_config=given), expected)
            model.generation_config = given
            assert torch.equal(model.generate(**inputs), expected), "model.generation_config is not what is gone by"
            model.save_pretrained(tmp_path)
            again = tfx_core.load_model(tmp_path)
            assert torch.equal(again.generate(**inputs), expected), "generation_config is lost in a saved model"
        again.generation_config.max_new_tokens = 2
        assert again.generate(**inputs).shape[1] == expected.shape[1] - 1
        again.save_pretrained(tmp_path)
        assert tfx_core.load_model(tmp_path).generation_config == again.generation_config
        (tmp_path / "generation_config.json").write_text('{"top_p": 7}')
        said = rf"{tmp_path.name}/generation_config\.json: top_p=7"
        with refused(said, "a saved top_p of 7", ConfigError):
            tfx_core.load_model(tmp_path).generate(**inputs)
        with refused("top_p=7: must be a number from 0 to 1", "top_p=7"):
            model.generation_config = {"top_p": 7}
        with refused("generation_config=3: must be a GenerationConfig", "a number"):
            model.generation_config = 3

    def _is_honoured_by_others(self, model: Model, name: str, inputs: dict[str, Any], greedy: list[list[int]]) -> None:
        """Beams and lookup, too, give with an input what each row gives alone."""
        for options in ({"num_beams": 2}, {"prompt_lookup_num_tokens": 3}):
            together = generated(model, inputs, **options)
            for row in range(len(LENGTHS)):
                alone = generated(model, of_row(inputs, row), **options)
                assert alone == together[row : row + 1], f"row {row} with {name} and {options}, in a batch and alone"
            if "num_beams" not in options:
                assert together == greedy, f"with {name}, {options} writes another text"


def _negative_prompts(case: ArchitectureCase) -> dict[str, Tensor]:
    """Ragged ones, padded on the right."""
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    ids = random_ids(case, len(LENGTHS), 4, seed=8)
    return {"negative_prompt_ids": ids * mask, "negative_prompt_attention_mask": mask}
