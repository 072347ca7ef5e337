"""What ``generate`` is given, and what is set in a model's ``generation_config``."""

from collections.abc import Mapping
from typing import Any

from tfx_core.habits.habit import Becomes, Habit, needless, renamed, told, works


def anything(value: object) -> Mapping[str, Any]:
    """Nothing, whatever the value: the result does not depend on it."""
    return {}


def only(*values: object) -> Becomes:
    """Nothing, with one of these values or None."""
    return needless(None, *values)


_CACHE = "keys and values of every token are kept as they come, there is no other cache"
_COMPUTED = "how it is computed is decided here, with the same result"

COMPUTING = (
    works("cache_implementation=", _CACHE, only("dynamic")),
    works("cache_config=", _CACHE, anything),
    works("max_cache_len=", _CACHE, anything),
    works("return_legacy_cache=", "the cache is an object, not a tuple of tensors", only(False)),
    works("low_memory=", _COMPUTED, anything),
    works("prefill_chunk_size=", _COMPUTED, anything),
    works("compile_config=", _COMPUTED, anything),
    works("disable_compile=", _COMPUTED, anything),
    works("continuous_batching_config=", _COMPUTED, anything),
    works("synced_gpus=", "each process decodes by itself; gather the parameters first", only(False)),
    works("is_assistant=", "a model is an assistant where it is passed as one", anything),
    works("assistant_lookbehind=", "vocabularies of model and assistant are the same", anything),
    works("target_lookbehind=", "vocabularies of model and assistant are the same", anything),
    works("transformers_version=", "who wrote a file is no option", anything),
)
"""How transformers computes, not what: a file may say it with any value."""

HABITS: tuple[Habit, ...] = (
    works("generate(ids, max_new_tokens=5)"),
    works("inputs=", "input_ids=, which the encoder reads where there is one", renamed("input_ids")),
    told("model.generate(batch)", "write model.generate(**batch), which passes each by its name"),
    told("model.generate(text)", "write model.generate(**tokenizer(text, return_tensors='pt'))"),
    told("model.generate([[1, 2]])", "write torch.tensor(…), or let the tokenizer make tensors: return_tensors='pt'"),
    works("generation_config=", "a GenerationConfig, ours or theirs, or a dict: over the model's own"),
    works("model.generate(ids, generation_config)"),
    works("use_model_defaults=", "False leaves only the special tokens of the model's own"),
    works("max_length=", "the prompt counts, its padding does not"),
    works("max_new_tokens="),
    works("max_new_tokens=, max_length=", "the number of new tokens counts, with a warning"),
    works('forced_bos_token_id=tokenizer.convert_tokens_to_ids("de_DE")', "or **tokenizer.asking_for('de_DE')"),
    works("use_cache=", "both values, with the same result; decoding always caches"),
    works("temperature=", "above 0 where tokens are drawn"),
    told("do_sample=True, temperature=0", "for the most probable token each time, do_sample=False"),
    works("num_return_sequences=", "samples, or the best beams"),
    works("num_beams="),
    works("renormalize_logits="),
    works("bad_words_ids="),
    works("force_words_ids=", "with num_beams of at least 2"),
    works("prompt_lookup_num_tokens=", "in batches, and for samples, as well"),
    works("max_matching_ngram_size="),
    works("return_dict_in_generate=True, output_scores=True, output_logits=True"),
    works("model.compute_transition_scores(…)", "transition_scores(output) of tfx_core.generation as well"),
    works("top_h="),
    works("guidance_scale="),
    works("negative_prompt_ids=", "of a model with an encoder, what that reads"),
    works("negative_prompt_attention_mask="),
    told("prompt_ignore_length=", "repetition_penalty_ignores_prompt=True, whatever the prompts' lengths"),
    works("logits_processor=", "a list, or None; called with (input_ids, scores) as there, or (scores, rows) as ours"),
    works("stopping_criteria=", "a list, or None; called with (input_ids, scores) as there, or (rows) as ours"),
    works("prefix_allowed_tokens_fn="),
    works("streamer=", "theirs, or TextStreamer and TextIteratorStreamer of tfx_core.generation"),
    told("streamer=print", "a streamer has put(tokens) and end(); for text, TextStreamer(tokenizer, write=print)"),
    works("TextStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)"),
    works("TextStreamer.on_finalized_text", "to be overridden as there"),
    works("stop_strings=", "with tokenizer="),
    works("model.train().generate(…)", "with dropout, as there"),
    told("watermarking_config=", "there are no watermarks; pass their processor in logits_processor"),
    told("dola_layers=", "decoding by contrasting layers is not done here"),
    works("token_healing=", "prompts are not changed; leave off their last token", only(False)),
    told("assistant_early_exit=", "a model does not draft with its own first layers; give assistant_model"),
    told("assistant_ensemble_weight=", "speculative decoding keeps the model's own distribution"),
    told("speculation_type=", "assistant_model or prompt_lookup_num_tokens says it"),
    works("use_mtp=", "there are no models with layers that predict several tokens", only(False)),
    told("custom_generate=", "no code of a checkpoint is executed; write a loop of your own on tfx_core.generation"),
    *COMPUTING,
)

CONFIG = (
    works("model.generation_config.max_new_tokens = 5"),
    works("model.generation_config.eos_token_id", "where its file does not say, that of config.json"),
    works("GenerationConfig(max_new_tokens=5)", "tfx_core.GenerationConfig"),
    works("GenerationConfig.from_pretrained(folder)"),
    works("generation_config.update(num_beams=2)"),
    works("GenerationConfig.from_dict(values)"),
    works("generation_config.to_dict()"),
    works("generation_config.to_diff_dict()", "what is not the default"),
    works("generation_config.to_json_string()"),
    works("generation_config.validate()", "values are checked when they are set, combinations here"),
    works("generation_config.save_pretrained(folder)"),
)
"""Of the object ``model.generation_config``."""

NAMES = (
    works("GenerationConfig"),
    works("TextStreamer", "tfx_core.generation.TextStreamer as well"),
    works("TextIteratorStreamer"),
    told("LogitsProcessorList", "a plain list does, of processors (input_ids, scores) or (scores, rows)"),
    told("LogitsProcessor", "any callable does, of (input_ids, scores), or of (scores, rows)"),
    told("StoppingCriteriaList", "a plain list does, of criteria (input_ids, scores) or (rows)"),
    told("StoppingCriteria", "any callable does, of (input_ids, scores), or of (rows)"),
)
"""Of ``from transformers import …``."""
