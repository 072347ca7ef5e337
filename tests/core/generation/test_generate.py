"""`generate`: arguments, prompts, lengths and what comes back."""

import warnings
from typing import Any

import pytest
import torch

from tests.core.generation.toys import EOS, PAD, Table, TableState, ToyConfig, found, padded, run, toy_model
from tfx_core.errors import InputError
from tfx_core.generation import GenerationOptions, GenerationOutput, Strategy, generate, transition_scores
from tfx_core.generation.engine import DECODERS

TEXTS = [[3, 4], [5], [6, 7, 8, 2]]


def test_every_strategy_has_its_decoder() -> None:
    assert set(DECODERS) == set(Strategy)


def test_ids_come_back_behind_their_prompts() -> None:
    ids, mask = padded(TEXTS)
    model = toy_model()
    sequences = generate(model, ids, attention_mask=mask, max_new_tokens=5, eos_token_id=None)
    assert isinstance(sequences, torch.Tensor)
    assert torch.equal(sequences[:, :4], ids)
    assert torch.equal(sequences, run(Table(), TEXTS, max_new_tokens=5, eos_token_id=None).sequences)
    assert torch.equal(
        sequences, generate(model, input_ids=ids, attention_mask=mask, max_new_tokens=5, eos_token_id=None)
    )


def test_prompts_padded_right_come_back_padded_left() -> None:
    left, left_mask = padded(TEXTS, "left")
    right, right_mask = padded(TEXTS, "right")
    same = {"max_new_tokens": 5, "num_beams": 2}
    assert torch.equal(
        generate(toy_model(), left, attention_mask=left_mask, **same),
        generate(toy_model(), right, attention_mask=right_mask, **same),
    )


def test_the_state_gets_the_inputs_as_they_are() -> None:
    ids, mask = padded(TEXTS, "right")
    model = toy_model()
    types = torch.ones_like(ids)
    generate(model, ids, attention_mask=mask, token_type_ids=types, decoder_input_ids=None, max_new_tokens=1)
    assert model.architecture.inputs.keys() == {"input_ids", "attention_mask", "token_type_ids"}
    assert torch.equal(model.architecture.inputs["input_ids"], ids)


def test_padding_is_recognised_without_a_mask() -> None:
    ids, mask = padded(TEXTS)
    model = toy_model()
    assert torch.equal(generate(model, ids), generate(model, ids, attention_mask=mask))
    assert torch.equal(model.architecture.inputs["attention_mask"], mask)
    # a padding token that also ends texts is taken for text
    generate(model, ids, pad_token_id=EOS)
    assert "attention_mask" not in model.architecture.inputs


def test_unknown_names_are_type_errors() -> None:
    with pytest.raises(
        TypeError, match=r"no 'max_tokens', 'top_q': did you mean 'max_new_tokens'\?; did you mean 'top_[a-z]'\?"
    ):
        generate(toy_model(), torch.tensor([[3]]), top_q=1, max_tokens=3)
    with pytest.raises(TypeError, match=r"no 'qqqq': it takes .*input_ids.*max_new_tokens.*streamer"):
        generate(toy_model(), torch.tensor([[3]]), qqqq=1)


def test_options_of_the_checkpoint_apply_and_can_be_replaced() -> None:
    defaults = GenerationOptions(eos_token_id=None, max_length=9, num_beams=2, pad_token_id=PAD)
    model = toy_model(generation_options=defaults)
    ids = torch.tensor([[3, 4]])
    assert generate(model, ids).shape == (1, 9)
    assert generate(model, ids, max_new_tokens=3).shape == (1, 5)
    assert generate(model, ids, max_length=6, num_beams=1).shape == (1, 6)
    own = GenerationOptions(max_new_tokens=1)
    assert generate(model, ids, generation_config=own).shape == (1, 3)
    assert generate(model, ids, generation_config=own, max_new_tokens=2).shape == (1, 4)


def test_twenty_new_tokens_by_default_as_far_as_there_are_positions() -> None:
    ids = torch.tensor([[3, 4]])
    defaults = GenerationOptions()
    assert generate(toy_model(generation_options=defaults), ids).shape == (1, 22)
    # the last token is not read, so there is one more than positions
    assert generate(toy_model(generation_options=defaults, most_read=10), ids).shape == (1, 11)
    contrastive = {"penalty_alpha": 0.6, "top_k": 3}
    assert generate(toy_model(generation_options=defaults, most_read=10), ids, **contrastive).shape == (1, 10)
    file_says = GenerationOptions(max_length=50)
    assert generate(toy_model(generation_options=file_says, most_read=10), ids).shape == (1, 11)


def test_a_bound_of_the_call_goes_over_stored_ones() -> None:
    ids, files = torch.tensor([[3, 4]]), GenerationOptions(max_new_tokens=5, min_new_tokens=4, eos_token_id=EOS)
    model = toy_model(generation_options=files)
    assert generate(model, ids, max_length=3).shape == (1, 3)
    assert generate(model, ids, max_new_tokens=2).shape == (1, 4)
    # none of which a stored greatest length cuts
    assert generate(model, ids, min_new_tokens=9, eos_token_id=None).shape == (1, 11)
    assert generate(model, ids, min_length=12, eos_token_id=None).shape == (1, 12)
    assert generate(toy_model(), ids, min_new_tokens=30, eos_token_id=None).shape == (1, 32)
    assert generate(toy_model(generation_options=GenerationOptions(max_length=6)), ids, min_length=9).shape == (1, 9)
    with pytest.raises(InputError, match="min_new_tokens=30 after a prompt of 2 tokens: the model has positions for 9"):
        generate(toy_model(most_read=9), ids, min_new_tokens=30)
    with pytest.raises(InputError, match="min_new_tokens=9 is more than max_new_tokens=3"):
        generate(model, ids, min_new_tokens=9, max_new_tokens=3)


def test_bounds_that_nothing_reaches_cost_nothing() -> None:
    class Rising(Table):
        def after(self, text: list[int]) -> torch.Tensor:
            return torch.nn.functional.one_hot(torch.tensor(EOS if len(text) > 9 else 3), self.size).float() * 9

    ids, most = torch.tensor([[3, 4, 3, 4]]), 10**18
    for options in (
        {"max_new_tokens": most},
        {"max_length": most, "num_beams": 2},
        {"max_new_tokens": most, "prompt_lookup_num_tokens": most, "max_matching_ngram_size": most},
        {"max_new_tokens": most, "penalty_alpha": 0.1, "top_k": most},
        {"max_new_tokens": most, "no_repeat_ngram_size": most, "encoder_no_repeat_ngram_size": most},
        {"max_new_tokens": most, "exponential_decay_length_penalty": (most, 1.5), "do_sample": True, "top_k": most},
        {"max_new_tokens": most, "num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0},
        {"max_new_tokens": most, "num_beams": 4, "force_words_ids": [[3]]},
    ):
        assert generate(toy_model(Rising()), ids, **options).shape[1] <= 11
    with pytest.raises(InputError, match=r"num_return_sequences=1000000000: must be an integer from 1 to 10000"):
        generate(toy_model(), ids, do_sample=True, num_return_sequences=10**9)
    with pytest.raises(InputError, match=r"num_beams=1000000000: must be an integer from 1 to 10000"):
        generate(toy_model(), ids, num_beams=10**9)


def test_prompts_of_vectors_have_no_ids() -> None:
    from tfx_core.generation import Prompts, decode

    vectors, mask = torch.zeros(2, 3, 4), torch.tensor([[0, 1, 1], [1, 1, 1]])
    prompts = Prompts.of_vectors(vectors, mask)
    for options in (
        {"max_length": 6},
        {"max_new_tokens": 3, "repetition_penalty": 1.5, "no_repeat_ngram_size": 2, "sequence_bias": {(3, 4): -9.0}},
        {"max_new_tokens": 3, "num_beams": 2, "min_length": 5},
        {"max_new_tokens": 3, "prompt_lookup_num_tokens": 2},
        {"max_new_tokens": 3, "penalty_alpha": 0.5, "top_k": 2},
    ):
        state = TableState(Table(), [[3], [4]])
        output = decode(state, prompts, GenerationOptions(pad_token_id=PAD, eos_token_id=None, **options))
        # the limit counts the vectors: one row has two of them, the other three
        assert output.sequences.shape == (2, 4 if "max_length" in options else 3)
    with pytest.raises(InputError, match="encoder_repetition_penalty: needs input_ids"):
        decode(TableState(Table(), [[3], [4]]), prompts, GenerationOptions(encoder_repetition_penalty=1.5))
    for wrong, named in (
        (torch.zeros(2, 3), "inputs_embeds: must be vectors"),
        (torch.zeros(0, 3, 4), "inputs_embeds: the batch is empty"),
        (torch.zeros(2, 0, 4), "inputs_embeds: row 0 has no token"),
    ):
        with pytest.raises(InputError, match=named):
            Prompts.of_vectors(wrong, None)
    with pytest.raises(InputError, match=r"attention_mask of shape \(2, 3\): inputs_embeds are \(2, 5\)"):
        Prompts.of_vectors(torch.zeros(2, 5, 4), mask)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"max_new_tokens": 10}, r"max_new_tokens=10 after a prompt of 2 tokens: the model has positions for 10"),
        ({"max_length": 12}, "max_length=12 after a prompt of 2"),
        ({"max_length": 2}, "max_length=2: the prompt in row 0 has 2 tokens"),
        ({"max_new_tokens": 0}, r"max_new_tokens=0: must be an integer from 1 to 1e\+18"),
        ({"seeds": [1, 2], "do_sample": True}, "seeds: 2 given, for a batch of 1"),
        ({"num_beams": 4, "do_sample": True, "num_beam_groups": 2, "diversity_penalty": 1.0}, "do_sample=True"),
        ({"attention_mask": torch.ones(1, 3)}, r"attention_mask of shape \(1, 3\): input_ids are \(1, 2\)"),
        ({"attention_mask": torch.zeros(1, 2)}, "row 0 has no token"),
        ({"stop_strings": "x"}, "tokenizer"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_said(arguments: dict[str, Any], named: str) -> None:
    model = toy_model(most_read=10)
    assert generate(model, torch.tensor([[3, 4]]), max_new_tokens=9).shape[1] <= 11
    with pytest.raises(InputError, match=named):
        generate(model, torch.tensor([[3, 4]]), **arguments)


def test_prompts_that_are_none() -> None:
    with pytest.raises(InputError, match="no bos_token_id"):
        generate(toy_model())
    sequences = generate(toy_model(), bos_token_id=3, max_new_tokens=2)
    assert isinstance(sequences, torch.Tensor)
    assert sequences[0, 0] == 3
    for wrong, named in (
        (torch.zeros(2, 0, dtype=torch.long), "row 0 has no token"),
        (torch.zeros(0, 2, dtype=torch.long), "the batch is empty"),
        (torch.zeros(2, 2), "must be token ids"),
        (torch.zeros(2, dtype=torch.long), "must be token ids"),
    ):
        with pytest.raises(InputError, match=named):
            generate(toy_model(), wrong)
    ids, mask = padded([[3], [4]])
    mask[1] = 0
    with pytest.raises(InputError, match="row 1 has no token"):
        generate(toy_model(), ids, attention_mask=mask)


def test_a_prompt_longer_than_the_model() -> None:
    with pytest.raises(InputError, match="a prompt of 3 tokens: the model has positions for 2"):
        generate(toy_model(most_read=2), torch.tensor([[3, 4, 5]]))


def test_models_that_cannot_generate() -> None:
    model = toy_model()
    model.architecture.decoding = None  # type: ignore[assignment,method-assign]
    with pytest.raises(InputError, match="Toy models cannot generate"):
        generate(model, torch.tensor([[3]]))


def test_texts_of_different_lengths_need_a_padding_token() -> None:
    model = toy_model(generation_options=GenerationOptions())
    ids, mask = padded(TEXTS)
    with pytest.raises(InputError, match="pad_token_id"):
        generate(model, ids, attention_mask=mask, stopping_criteria=[lambda rows: rows.last == 5])
    with pytest.raises(InputError, match="pad_token_id"):
        generate(model, ids, attention_mask=mask, max_length=9)
    assert generate(model, ids, attention_mask=mask, max_new_tokens=3).shape == (3, 7)


def test_options_without_effect_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="top_p=0.5 has no effect without do_sample=True"):
        generate(toy_model(), torch.tensor([[3]]), top_p=0.5)
    with pytest.warns(UserWarning, match="max_length=9 has no effect beside max_new_tokens=3"):
        assert generate(toy_model(), torch.tensor([[3]]), max_new_tokens=3, max_length=9).shape == (1, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generate(toy_model(), torch.tensor([[3]]), use_cache=True, do_sample=False, temperature=1.0)


class TestWithAnEncoder:
    """Models that begin with a start token instead of the prompt."""

    defaults = GenerationOptions(eos_token_id=EOS, pad_token_id=PAD, decoder_start_token_id=7)

    def model(self, **changes: Any) -> Any:
        return toy_model(config=ToyConfig(is_encoder_decoder=True), generation_options=self.defaults, **changes)

    def test_texts_begin_with_the_start_token(self) -> None:
        ids, mask = padded(TEXTS)
        model = self.model()
        sequences = generate(model, ids, attention_mask=mask, max_new_tokens=4)
        assert sequences[:, 0].tolist() == [7, 7, 7]
        assert model.architecture.inputs["decoder_input_ids"].tolist() == [[7], [7], [7]]
        assert sequences[:, 1:].tolist() == found(Table(), [[7]] * 3, max_new_tokens=4)

    def test_a_start_token_for_each_row(self) -> None:
        ids, _ = padded(TEXTS)
        sequences = generate(self.model(), ids, decoder_start_token_id=[3, 4, 5], max_new_tokens=2)
        assert sequences[:, 0].tolist() == [3, 4, 5]
        with pytest.raises(InputError, match="2 tokens given, for a batch of 3"):
            generate(self.model(), ids, decoder_start_token_id=[3, 4])

    def test_a_beginning_of_ones_own(self) -> None:
        ids, _ = padded(TEXTS)
        model = self.model()
        begun = torch.tensor([[7, 3], [7, 4], [7, 5]])
        sequences = generate(model, ids, decoder_input_ids=begun, max_new_tokens=2)
        assert torch.equal(sequences[:, :2], begun)
        # the start token is put before what lacks it
        sequences = generate(
            model, ids, decoder_input_ids=begun[:, 1:], decoder_attention_mask=torch.ones(3, 1), max_new_tokens=2
        )
        assert torch.equal(sequences[:, :2], begun)
        assert model.architecture.inputs["decoder_attention_mask"].tolist() == [[1, 1]] * 3

    def test_no_start_token(self) -> None:
        model = toy_model(config=ToyConfig(is_encoder_decoder=True))
        with pytest.raises(InputError, match="decoder_start_token_id"):
            generate(model, torch.tensor([[3]]))
        assert generate(model, torch.tensor([[3]]), bos_token_id=4, max_new_tokens=1)[0, 0] == 4
        assert generate(model, decoder_input_ids=torch.tensor([[5]]), max_new_tokens=1)[0, 0] == 5
        with pytest.raises(InputError, match="what the encoder is to read"):
            generate(self.model())

    def test_the_source_is_what_encoder_processors_look_at(self) -> None:
        options = {"max_new_tokens": 1, "eos_token_id": None}
        first = int(generate(self.model(), torch.tensor([[4]]), **options)[0, 1])
        source = torch.tensor([[first]])
        assert int(generate(self.model(), source, encoder_no_repeat_ngram_size=1, **options)[0, 1]) != first
        assert int(generate(self.model(), source, encoder_repetition_penalty=1.5, **options)[0, 1]) == first

    def test_prompt_lookup_looks_in_the_source(self) -> None:
        options = {"max_new_tokens": 8, "eos_token_id": None}
        model = self.model()
        plain = generate(model, torch.tensor([[4, 5]]), **options)
        steps = sum(name == "step" for name, _ in model.architecture.last.log)
        # the source is what will be written: three tokens are copied from it at a time
        copied = generate(model, plain, prompt_lookup_num_tokens=3, **options)
        assert torch.equal(plain, copied)
        assert sum(name == "extend" for name, _ in model.architecture.last.log) < steps / 2


def test_a_whole_output() -> None:
    ids, mask = padded(TEXTS)
    output = generate(
        toy_model(), ids, attention_mask=mask, max_new_tokens=5, num_beams=3, num_return_sequences=2,
        return_dict_in_generate=True, output_scores=True, output_logits=True,
    )  # fmt: skip
    assert isinstance(output, GenerationOutput)
    assert output.sequences is output["sequences"]
    assert output.sequences_scores is not None
    assert output.scores is not None
    assert output.logits is not None
    assert output.beam_indices is not None
    length = output.sequences.shape[1] - 4
    assert output.sequences.shape[0] == len(output.sequences_scores) == 6
    assert output.beam_indices.shape == (6, length)
    assert len(output.scores) == len(output.logits)
    assert all(scores.shape == (9, 9) for scores in output.scores + output.logits)
    assert transition_scores(output).shape == (6, length)
    with pytest.raises(KeyError, match="sequences_scores"):
        output["score"]
    with pytest.raises(InputError, match="output_scores=True"):
        transition_scores(GenerationOutput(sequences=output.sequences))


def test_results_can_be_written_into() -> None:
    """They leave inference mode, so that a caller may change them and train with them."""
    ids = torch.tensor([[3, 4]])
    output = generate(toy_model(), ids, max_new_tokens=3, output_scores=True, return_dict_in_generate=True)
    assert isinstance(output, GenerationOutput)
    output.sequences[0, 0] = 1
    assert output.scores is not None
    output.scores[0][0, 0] = 1.0
    assert not output.sequences.is_inference()
    weight = torch.ones(9, requires_grad=True)
    (output.scores[1] * weight).nan_to_num(neginf=0.0).sum().backward()
    assert ids.tolist() == [[3, 4]]
