"""Generation with other models, caches and vectors; the sides of a model."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.integration.habits.calling_deeds import check
from tests.integration.habits.world import World


def generator(world: World, model_type: str = "gpt2") -> Any:
    return world.model(model_type, "conditional-generation" if model_type in ("t5", "bart") else "causal-lm")


def ids_of(world: World, model_type: str = "gpt2") -> Tensor:
    ids: Tensor = world.batch(model_type, ("one text",))["input_ids"]
    return ids


def generated(world: World, model_type: str = "gpt2", **options: Any) -> Any:
    plain = {"max_new_tokens": 6, "eos_token_id": None}
    return generator(world, model_type).generate(ids_of(world, model_type), **{**plain, **options})


def output(world: World, model_type: str = "gpt2", **options: Any) -> Any:
    return generated(world, model_type, return_dict_in_generate=True, **options)


def same(world: World, **options: Any) -> None:
    assert torch.equal(generated(world, **options), generated(world))


def assisted(world: World, **options: Any) -> None:
    same(world, assistant_model=world.model("gpt2", "causal-lm", n_layer=1), **options)


def a_chat(world: World) -> None:
    model, first = generator(world), output(world)
    ids = torch.cat((first.sequences, ids_of(world)), dim=1)
    options = {"max_new_tokens": 6, "eos_token_id": None}
    goes_on = model.generate(ids, past_key_values=first.past_key_values, **options)
    assert torch.equal(goes_on, model.generate(ids, **options))


def with_vectors(world: World) -> None:
    model, ids = generator(world), ids_of(world)
    new = model.generate(inputs_embeds=model.backbone.embed(ids), max_new_tokens=6, eos_token_id=None)
    assert torch.equal(new, generated(world)[:, ids.shape[1] :])


def with_encoder_outputs(world: World) -> None:
    model, ids = generator(world, "t5"), ids_of(world, "t5")
    encoded = model.get_encoder()(input_ids=ids, attention_mask=torch.ones_like(ids))
    for given in (encoded, encoded[0], (encoded[0],)):
        new = model.generate(encoder_outputs=given, max_new_tokens=6, eos_token_id=None)
        assert torch.equal(new, generated(world, "t5"))


def with_decoder_vectors(world: World) -> None:
    generated(world, "t5", decoder_inputs_embeds=torch.zeros(1, 1, generator(world, "t5").config.hidden_size))


def with_memory(world: World) -> None:
    model = generator(world, "transfo-xl")
    memory = model(ids_of(world, "transfo-xl")).mems
    assert generated(world, "transfo-xl", mems=memory).shape == generated(world, "transfo-xl").shape


def attentions(world: World) -> None:
    found, length = output(world, output_attentions=True).attentions, ids_of(world).shape[1]
    assert [each[0].shape[2] for each in found] == [length] + [1] * 5


def hidden_states(world: World) -> None:
    assert len(output(world, output_hidden_states=True).hidden_states) == 6


def as_a_mapping(world: World) -> None:
    found = output(world, output_scores=True)
    assert list(found.keys()) == ["sequences", "scores", "past_key_values"]
    assert found[0] is found["sequences"]


def scores(world: World) -> None:
    assert len(output(world, output_scores=True).scores) == 6
    assert output(world).scores is None


def of_beams(world: World) -> None:
    found = output(world, num_beams=2)
    assert (found.sequences_scores.shape, found.beam_indices.shape) == ((1,), (1, 6))


def of_both_sides(world: World) -> None:
    found = output(world, "t5", output_attentions=True, output_hidden_states=True)
    assert (len(found.decoder_attentions), len(found.cross_attentions)) == (6, 6)
    assert found.encoder_hidden_states[-1].shape[1] == ids_of(world, "t5").shape[1]


def packed(world: World) -> None:
    model, ids = generator(world).eval(), ids_of(world)[:, :5]
    found = model(ids, position_ids=torch.tensor([[0, 1, 2, 0, 1]])).logits
    alone = torch.cat((model(ids[:, :3]).logits, model(ids[:, 3:]).logits), dim=1)
    torch.testing.assert_close(found, alone)


def encoder_output_of_a_call(world: World) -> None:
    model, ids = generator(world, "bart").eval(), ids_of(world, "bart")
    encoded = model.get_encoder()(input_ids=ids, attention_mask=torch.ones_like(ids))
    with_it = model(encoder_outputs=encoded, decoder_input_ids=ids)
    torch.testing.assert_close(with_it.logits, model(ids, decoder_input_ids=ids).logits)


def encoders(world: World) -> None:
    model, bert = generator(world, "t5"), world.model("bert", "masked-lm")
    assert model.get_encoder() is model.backbone.encoder
    assert bert.get_encoder() is bert.backbone


def encoder_alone(world: World) -> None:
    model, ids = generator(world, "t5"), ids_of(world, "t5")
    encoded = model.get_encoder()(ids, attention_mask=torch.ones_like(ids), return_dict=True)
    as_tuple = model.get_encoder()(input_ids=ids, return_dict=False)
    assert torch.equal(as_tuple[0], encoded.last_hidden_state)


def decoders(world: World) -> None:
    model, gpt2 = generator(world, "bart"), generator(world)
    assert model.get_decoder() is model.backbone.decoder
    assert gpt2.get_decoder() is gpt2.backbone


def shifted(world: World) -> None:
    model, labels = generator(world, "t5").eval(), ids_of(world, "t5")
    ids = model.prepare_decoder_input_ids_from_labels(labels=labels)
    with_them = model(labels, decoder_input_ids=ids)
    torch.testing.assert_close(with_them.logits, model(labels, labels=labels).logits)
    assert not hasattr(generator(world), "prepare_decoder_input_ids_from_labels")
    with pytest.raises(AttributeError, match="GPT2LMHeadModel has no 'prepare_decoder_input_ids_from_labels'"):
        _ = generator(world).prepare_decoder_input_ids_from_labels


class DynamicCache:
    """As of transformers."""


REPORTS = "output_{}=True, return_dict_in_generate=True"

DEEDS = {
    ("generate", "assistant_model="): assisted,
    ("generate", "num_assistant_tokens="): lambda world: assisted(world, num_assistant_tokens=3),
    ("generate", "num_assistant_tokens_schedule="): lambda world: assisted(
        world, num_assistant_tokens_schedule="heuristic"
    ),
    ("generate", "assistant_confidence_threshold="): lambda world: assisted(world, assistant_confidence_threshold=0),
    ("generate", "assistant_model=folder"): lambda world: generated(world, assistant_model=str(world.folder())),
    ("generate", "assistant_tokenizer="): lambda world: assisted(world, assistant_tokenizer=world.tokenizer()),
    ("generate", "past_key_values="): a_chat,
    ("generate", "past_key_values=DynamicCache()"): lambda world: generated(world, past_key_values=DynamicCache()),
    ("generate", "cache_position="): lambda world: generated(world, cache_position=torch.arange(3)),
    ("generate", "output.past_key_values"): a_chat,
    ("generate", "inputs_embeds="): with_vectors,
    ("generate", "inputs_embeds= beside input_ids"): lambda world: same(
        world, inputs_embeds=generator(world).backbone.embed(ids_of(world))
    ),
    ("generate", "encoder_outputs="): with_encoder_outputs,
    ("generate", "generate(decoder_inputs_embeds=…)"): with_decoder_vectors,
    ("generate", "generate(labels=…)"): lambda world: generated(world, labels=ids_of(world)),
    ("generate", "mems="): with_memory,
    ("generate", REPORTS.format("attentions")): attentions,
    ("generate", REPORTS.format("hidden_states")): hidden_states,
    ("generate", "output_attentions=True, prompt_lookup_num_tokens=3"): lambda world: output(
        world, output_attentions=True, prompt_lookup_num_tokens=3
    ),
    ("generate", "output[0], output.keys(), output['sequences']"): as_a_mapping,
    ("generate", "output.scores"): scores,
    ("generate", "output.sequences_scores, output.beam_indices"): of_beams,
    ("generate", "output.encoder_hidden_states, output.decoder_attentions, output.cross_attentions"): of_both_sides,
    ("model(…)", "position_ids=[[0, 1, 2, 0, 1]]"): packed,
    ("model(…)", "cu_seq_lens_q="): lambda world: generator(world)(ids_of(world), cu_seq_lens_q=torch.arange(3)),
    ("model(…)", "cu_seq_lens_k="): lambda world: generator(world)(ids_of(world), cu_seq_lens_k=torch.arange(3)),
    ("model(…)", "encoder_outputs=encoder(…)"): encoder_output_of_a_call,
    ("model(…)", "past_key_values.get_seq_length()"): lambda world: check(
        output(world).past_key_values.get_seq_length() == ids_of(world).shape[1] + 5
    ),
    ("model", "get_encoder()"): encoders,
    ("model", "get_encoder()(ids, return_dict=True)"): encoder_alone,
    ("model", "get_decoder()"): decoders,
    ("model", "get_encoder(), where there is none"): lambda world: generator(world).get_encoder(),
    ("model", "get_decoder(), where there is none"): lambda world: world.model().get_decoder(),
    ("model", "prepare_decoder_input_ids_from_labels(labels)"): shifted,
}
