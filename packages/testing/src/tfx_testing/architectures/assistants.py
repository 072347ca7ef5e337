"""Generation with another model's guesses, with reports, and after what an earlier call left: texts are the same."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from tfx_core.model import Model
from tfx_core.model.heads import LanguageHead
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.architectures.caches import decoders_alone, rememberers
from tfx_testing.cases import ArchitectureCase
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.inputs import ASKED
from tfx_testing.refusing import refused
from tfx_testing.tiny import random_ids
from tfx_testing.writers import LENGTHS, Writer, exact, prompts, start, writers, writing_model

SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampled": {"do_sample": True, "top_k": 9, "seeds": [3, 4, 5]},
    "copies": {"do_sample": True, "top_k": 0, "seeds": [3, 4, 5], "num_return_sequences": 3},
}
REPORTED: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beams": {"num_beams": 3},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.7},
    "forced": {"num_beams": 3, "force_words_ids": [[6, 7]]},
}
CONTINUED: dict[str, dict[str, Any]] = {
    **SEARCHES,
    "lookup": {"prompt_lookup_num_tokens": 3},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "sampled beams": {"num_beams": 3, "do_sample": True, "seeds": [3, 4, 5]},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.7},
    "forced": {"num_beams": 3, "force_words_ids": [[6, 7]]},
}


def assistant_of(case: ArchitectureCase, writer: Writer, **changes: object) -> Model:
    """Another model of a kind whose texts differ, without cross-attention."""
    plain = Writer(writer.head, {key: x for key, x in writer.changes.items() if key != "add_cross_attention"})
    return writing_model(case, plain, seed=3, **changes)


def settings(model: Model, **options: Any) -> dict[str, Any]:
    """Options of a text of nine tokens at most, which the token 9 ends."""
    plain = {"max_new_tokens": 9, "eos_token_id": 9, "pad_token_id": 0, "suppress_tokens": [0]}
    return {**plain, "decoder_start_token_id": start(model), **options}


def tensors_held(remembered: Any) -> list[Tensor]:
    """All that something holds."""
    if isinstance(remembered, Tensor):
        return [remembered]
    parts = remembered.values() if isinstance(remembered, dict) else vars(remembered).values()
    return [
        each
        for part in parts
        if isinstance(part, Tensor | dict) or hasattr(part, "__dict__")
        for each in tensors_held(part)
    ]


def turn(case: ArchitectureCase, model: Model, begun: Tensor, seed: int) -> dict[str, Tensor]:
    """The texts so far, which padding follows, with more said after it."""
    said = random_ids(case, len(begun), 4, seed=seed)
    said[0, :2] = 0
    ids = torch.cat((begun, said), dim=1)
    mask = (ids != 0).long()
    if model.config.is_encoder_decoder and start(model) == 0:
        mask[:, 0] = 1  # the start token is the padding token
    return {"ids": ids, "mask": mask}


def in_words_of(model: Model, text: Mapping[str, Tensor], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inputs that go on with a text."""
    if model.config.is_encoder_decoder:
        return {**inputs, "decoder_input_ids": text["ids"], "decoder_attention_mask": text["mask"]}
    return {**inputs, "input_ids": text["ids"], "attention_mask": text["mask"]}


class AssistedChecks(CaseChecks):
    """Assistants, reports and caches that `generate` is given and gives."""

    @each(writer=writers)
    @pytest.mark.parametrize("name", SEARCHES)
    def test_an_assistant_changes_no_text(self, writer: Writer, name: str) -> None:
        """Another model's guesses change no text, right or wrong ones, or are refused where they cannot be taken back.

        Where they do: ``extend`` reads guessed tokens at other places than ``step`` does, or ``keep`` leaves some of
        those that did not come true.
        """
        case, model, assistant = self.case, writing_model(self.case, writer), assistant_of(self.case, writer)
        inputs, options = prompts(case, model), settings(model, **SEARCHES[name])
        if not exact(case, model):
            with refused("cannot take tokens back", "an assistant"):
                model.generate(**inputs, **options, assistant_model=assistant)
            return
        plain = model.generate(**inputs, **options)
        for helper, threshold in ((assistant, 0.0), (model, 0.0), (assistant, 0.1)):
            if helper.config.add_cross_attention:
                continue
            found = model.generate(
                **inputs, **options, assistant_model=helper, assistant_confidence_threshold=threshold,
                num_assistant_tokens=4,
            )  # fmt: skip
            who = "itself" if helper is model else "another model"
            told = f"assisted by {who}, {name} writes {found.tolist()}, alone {plain.tolist()}"
            assert found.tolist() == plain.tolist(), told

    @each(writer=writers)
    def test_an_assistant_with_another_vocabulary_is_refused(self, writer: Writer) -> None:
        """Its guesses would be other tokens.

        Where it is not: a ``generate`` of the backbone's own does not hand the assistant on to the core's.
        """
        model = writing_model(self.case, writer)
        more = self.case.tiny["vocab_size"] + 7
        other = assistant_of(self.case, writer, vocab_size=more)
        with refused(f"assistant_model with a vocabulary of {more} tokens: the model's has", "another vocabulary"):
            model.generate(**prompts(self.case, model), **settings(model), assistant_model=other)

    @each(writer=writers)
    @pytest.mark.parametrize("name", REPORTED)
    def test_attentions_and_states_are_reported_for_each_new_token(self, writer: Writer, name: str) -> None:
        """With ``return_dict_in_generate`` each new token has its attentions and states, of each beam its own.

        Where it has not: a step asks for nothing of what the call asked for, or reports rows in another order.
        """
        model = writing_model(self.case, writer)
        inputs, options = prompts(self.case, model), {**settings(model), **REPORTED[name], "eos_token_id": None}
        asked: dict[str, Any] = {**ASKED, "return_dict_in_generate": True}
        if not writer.remembers:
            with refused("output_attentions: generation has no use for it", "reports of a text that is read again"):
                model.generate(**inputs, **options, **asked)
            return
        plain = model.generate(**inputs, **options)
        said = "output_attentions=True has no effect without return_dict_in_generate=True"
        with pytest.warns(UserWarning, match=said):
            assert torch.equal(model.generate(**inputs, **options, output_attentions=True), plain)
        output = model.generate(**inputs, **options, **asked, output_logits=True)
        assert torch.equal(output.sequences, plain), f"{name}: with reports another text is written"
        prefix = "decoder_" if model.config.is_encoder_decoder else ""
        rows, layers = len(LENGTHS) * options.get("num_beams", 1), len(output[f"{prefix}attentions"][0])
        for number, weights in enumerate(output[f"{prefix}attentions"]):
            shape = weights[-1].shape
            told = f"attentions of new token {number}: {len(weights)} layers of {tuple(shape)}"
            assert (shape[0], len(weights), shape[2] > 1) == (rows, layers, number == 0 and not prefix), told
            sums = weights[-1][:, :, -1].sum(-1)
            close(sums, torch.ones_like(sums), f"sums of the weights of new token {number}")
        # the newest token's last state gives the logits, where all that heads read is reported
        of_others = type(model.language_head).read is not LanguageHead.read
        for number, (logits, states) in enumerate(zip(output.logits, output[f"{prefix}hidden_states"], strict=True)):
            if not of_others and states[-1].shape[-1] == model.backbone.width:
                found = model.language_head.predictions(states[-1][:, -1])
                close(found, logits, f"logits of the reported state of new token {number}, beside those it was given")
        assert ("encoder_attentions" in output) == model.config.is_encoder_decoder
        assert ("cross_attentions" in output) == (model.config.is_encoder_decoder or model.config.add_cross_attention)
        if not options.get("num_beams"):
            self._are_not_of_guesses(model, {**inputs, **options, **asked}, assistant_of(self.case, writer))

    @each(writer=rememberers)
    @pytest.mark.parametrize("side", ["left", "right"])
    @pytest.mark.parametrize("name", CONTINUED)
    def test_a_text_goes_on_with_the_cache_as_without(self, writer: Writer, name: str, side: str) -> None:
        """After a generation its cache, given beside a longer text, changes nothing of what is written.

        Padding stands between the turns, and the cache stays as it was. Where it does not: ``remembered`` gives a cache
        of other rows, or one that knows other tokens than were written; or it is written to instead of a copy.
        """
        if side == "right" and writer.reads_source:
            return  # a decoder of its own begins with one token, and has no padding on either side
        case, model = self.case, writing_model(self.case, writer)
        inputs, options = prompts(case, model), settings(model, **CONTINUED[name])
        if side == "right":
            inputs = {**inputs, **{each: inputs[each].flip(1) for each in ("input_ids", "attention_mask")}}
        copies = int(options.get("num_return_sequences", 1))
        first = model.generate(**inputs, **options, return_dict_in_generate=True)
        past, rows = first.past_key_values, torch.arange(len(LENGTHS)).repeat_interleave(copies)
        if options.get("num_beams", 1) > 1:  # whose cache is that of the running beams
            assert past is None
            first = model.generate(**inputs, **settings(model), return_dict_in_generate=True)
            past, rows = first.past_key_values, torch.arange(len(LENGTHS))
        else:
            assert torch.equal(first.sequences, model.generate(**inputs, **options))
        held = tensors_held(past.layers[0])
        assert held, "the cache of a generation holds nothing"
        assert not any(each.is_inference() for each in held), "the cache cannot be used where gradients are wanted"
        inputs = {each: value[rows] for each, value in inputs.items()}
        if "seeds" in options:
            options["seeds"] = list(range(len(rows)))
        text = turn(case, model, first.sequences, seed=8)
        given = in_words_of(model, text, inputs)
        expected = model.generate(**given, **options)
        for again in ("first", "second"):  # the cache stays as it was
            found = model.generate(**given, **options, past_key_values=past)
            told = f"{name}: with a cache, the {again} time, {found.tolist()} is written, without {expected.tolist()}"
            assert found.tolist() == expected.tolist(), told
        if "prompt_lookup_num_tokens" not in options:
            # the new tokens alone, which a mask of all tells
            tail = _new_alone(text, past.real.dense_mask)
            shorter = model.generate(**in_words_of(model, tail, inputs), **options, past_key_values=past)
            made = expected.shape[1] - text["ids"].shape[1]
            ours, theirs = shorter[:, -made:].tolist(), expected[:, -made:].tolist()
            assert ours == theirs, f"{name}: given the new tokens alone, another text is written"

    @each(writer=rememberers)
    def test_a_chat_of_turns_is_one_text(self, writer: Writer) -> None:
        """Turn after turn with the cache of the one before writes what the whole chat without a cache does.

        Where it does not: the cache of a second generation knows the tokens of the last one alone, or forgets
        which were padding.
        """
        model = writing_model(self.case, writer)
        inputs = prompts(self.case, model)
        options = {**settings(model), "eos_token_id": None, "return_dict_in_generate": True, "max_new_tokens": 4}
        output = model.generate(**inputs, **options)
        for number in range(3):
            given = in_words_of(model, turn(self.case, model, output.sequences, seed=number), inputs)
            output = model.generate(**given, **options, past_key_values=output.past_key_values)
            whole = model.generate(**given, **options).sequences
            assert output.sequences.tolist() == whole.tolist(), f"turn {number} is another text with the cache"

    @each(writer=decoders_alone)
    def test_a_cache_of_a_call_begins_a_text(self, writer: Writer) -> None:
        """`generate` goes on from the cache of a call, of plain tokens or of some with types, and refuses a wrong one.

        Where it does not: the types of new tokens are taken from the prompt that is left, or from none.
        """
        case, model = self.case, writing_model(self.case, writer)
        inputs, options = prompts(case, model), settings(model)
        ids = inputs["input_ids"].clamp(min=5)
        source = {each: value for each, value in inputs.items() if each.startswith("encoder")}
        asked = case.asked(model, {"input_ids": ids, "token_type_ids": ids % 2})
        types = {"token_type_ids": ids % 2} if {"token_type_ids"} <= asked.keys() & {*model.input_names} else {}
        said = {each: value[:, :4] for each, value in asked.items() if each not in ("input_ids", "token_type_ids")}
        past = model(ids[:, :4], **said, **source, use_cache=True).past_key_values  # with gradients
        said |= {each: value[:, :4] for each, value in types.items()}
        typed = model(ids[:, :4], **said, **source, use_cache=True).past_key_values
        plain = model.generate(ids, **source, **options).tolist()
        with_types = model.generate(ids, **source, **types, **options).tolist()
        for cache, more, expected, what in (
            (past, {}, plain, "four tokens"),
            (typed, types, with_types, "four tokens with types"),
            (model.backbone.new_cache(), {}, plain, "nothing"),
        ):
            found = model.generate(ids, **source, **more, **options, past_key_values=cache).tolist()
            assert found == expected, f"with a cache of {what} {found} is written, without {expected}"
        with refused("row 0 has 3 tokens, of which past_key_values knows 4; give the whole text", "the rest of a text"):
            model.generate(ids[:, 3:], **source, **options, past_key_values=past)
        fewer = {each: value[:2] for each, value in source.items()}
        with refused("past_key_values has 3 rows, input_ids 2; must be alike", "a cache of other rows"):
            model.generate(ids[:2], **fewer, **options, past_key_values=past)
        with refused("past_key_values: contrastive search", "a cache with contrastive search"):
            model.generate(ids, **source, **options, past_key_values=past, penalty_alpha=0.5, top_k=4)
        vectors = model.backbone.embed(ids).detach()
        with refused("past_key_values: give input_ids beside it", "a cache beside vectors"):
            model.generate(inputs_embeds=vectors, **source, **options, past_key_values=past)

    def _are_not_of_guesses(self, model: Model, given: Mapping[str, Any], assistant: Model) -> None:
        """Reports are refused where tokens are guessed, of which some are taken back."""
        for guessed in (
            {"prompt_lookup_num_tokens": 3},
            {"penalty_alpha": 0.5, "top_k": 4},
            {"assistant_model": assistant},
        ):
            with refused("output_attentions: not with", f"reports with {', '.join(guessed)}"):
                model.generate(**given, **guessed)


def _new_alone(text: Mapping[str, Tensor], known: Tensor) -> dict[str, Tensor]:
    """Of a text, given the mask of the tokens that a cache knows, the others, and a mask of all."""
    counts = known.sum(1)
    ends = text["mask"].cumsum(1) * text["mask"]
    new = [ids[end > count] for ids, end, count in zip(text["ids"], ends, counts, strict=True)]
    width = max(map(len, new))
    mask = torch.stack([(torch.arange(width) < len(each)).long() for each in new])
    ids = torch.stack([pad(each, (0, width - len(each))) for each in new])
    return {"ids": ids, "mask": torch.cat((known.long(), mask), dim=1)}
