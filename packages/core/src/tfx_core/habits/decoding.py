"""Generation with other models, with caches and with vectors, what it reports; and the sides of a model."""

from tfx_core.habits import calling
from tfx_core.habits.habit import told, works

_OF_CALLS = {each.theirs: each.ours for each in calling.INPUTS}

GENERATE = (
    works("assistant_model=", "any model of the same vocabulary; in batches too, and samples of a seed stay the same"),
    works("num_assistant_tokens="),
    works("num_assistant_tokens_schedule=", "'heuristic' begins anew in each call"),
    works("assistant_confidence_threshold="),
    told("assistant_model=folder", "must be a model; load it with tfx_core.load_model"),
    told("assistant_tokenizer=", "an assistant has the model's own vocabulary"),
    works("past_key_values=", "ids of the whole text, or new ones with a mask of all; the cache stays as it was"),
    told("past_key_values=DynamicCache()", _OF_CALLS["past_key_values=((keys, values), …)"]),
    told("cache_position=", _OF_CALLS["cache_position="]),
    works("output.past_key_values", "to go on with a chat; not of beams, whose texts change places"),
    works("inputs_embeds=", "the result has the new tokens alone"),
    works("inputs_embeds= beside input_ids", "of decoders: ids are what the result shows, and processors see"),
    works("encoder_outputs=", "an encoder's output, its last state, or a tuple with that first"),
    told("generate(decoder_inputs_embeds=…)", "give decoder_input_ids, which the result begins with"),
    works("generate(labels=…)", "not read"),
    works("mems=", "of models with segment recurrence"),
    works(
        "output_attentions=True, return_dict_in_generate=True",
        "a tuple of layers for each new token; of models that keep a key-value cache, not of those with mems",
    ),
    works("output_hidden_states=True, return_dict_in_generate=True", "of the same models"),
    told("output_attentions=True, prompt_lookup_num_tokens=3", "its steps are not one token of one text each"),
    works("output[0], output.keys(), output['sequences']"),
    works("output.scores", "None where they were not asked for"),
    works("output.sequences_scores, output.beam_indices"),
    works("output.encoder_hidden_states, output.decoder_attentions, output.cross_attentions"),
)
"""Of ``generate``."""

INPUTS = (
    works("position_ids=[[0, 1, 2, 0, 1]]", "texts packed into a row without a mask do not see each other"),
    told("cu_seq_lens_q=", "packed texts are told by position_ids alone"),
    told("cu_seq_lens_k=", "packed texts are told by position_ids alone"),
    works("encoder_outputs=encoder(…)"),
    works("past_key_values.get_seq_length()"),
)
"""Of a call."""

MODEL = (
    works("get_encoder()(ids, return_dict=True)"),
    works("get_encoder()", "model.backbone.encoder; of a model that only encodes, model.backbone"),
    works("get_decoder()", "model.backbone.decoder; of a model that only decodes, model.backbone"),
    told("get_encoder(), where there is none", "has no encoder; its network is model.backbone"),
    told("get_decoder(), where there is none", "has no decoder; its network is model.backbone"),
    works("prepare_decoder_input_ids_from_labels(labels)", "of models whose calls make the decoder's input of labels"),
)
"""Of a model."""
