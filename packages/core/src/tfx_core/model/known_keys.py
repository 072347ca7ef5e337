"""Keys of ``config.json`` that are no fields of a config, as the reference library writes them for every architecture.

An architecture adds its own as `ModelConfig.inert_keys` and `ModelConfig.neutral_values`.
"""

from collections.abc import Collection, Mapping
from typing import Any

GENERATION_KEYS = (
    "max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty",
    "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "output_scores",
    "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
    "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens",
)  # fmt: skip
"""Generation defaults of files from before ``generation_config.json``: `generate` reads them where that is missing."""

INERT_KEYS: Collection[str] = frozenset({
    # derived from other keys, or about where the file came from
    "model_type", "label2id", "transformers_version", "name_or_path", "finetuning_task", "auto_map",
    # for the tokenizer and for tasks, which read them
    "tokenizer_class", "prefix", "task_specific_params", "sep_token_id", "cls_token_id", "mask_token_id",
    "unk_token_id",
    # how the reference computes or stores, not what; ours has its own way, or the caller says it
    "dtype", "torch_dtype", "use_cache", "chunk_size_feed_forward", "gradient_checkpointing", "torchscript",
    "use_bfloat16", "xla_device", "attn_implementation", "experts_implementation",
    # of other frameworks, and of models made of two
    "tf_legacy_loss", "cross_attention_hidden_size", "output_past",
})  # fmt: skip
"""Keys that change no result; so are all that begin with ``_``, the reference's notes to itself."""

READ_WHERE_ABSENT: Mapping[str, Any] = {
    "use_cache": True, "chunk_size_feed_forward": 0, "torchscript": False, "gradient_checkpointing": False,
    "dtype": None, "torch_dtype": None, "transformers_version": None, "finetuning_task": None, "prefix": None,
    "task_specific_params": None, "tokenizer_class": None, "sep_token_id": None,
}  # fmt: skip
"""Those that the reference's users read of any config -> what they find where the file says nothing."""

NEUTRAL_VALUES: Mapping[str, Collection[Any]] = {
    "tie_encoder_decoder": (False,),  # one set of weights for both stacks
    "per_layer_config": ({},),  # layers that differ from each other
    "tie_last_hidden_states": (),  # another last one of the hidden states
    "quantization_config": ({},),  # weights in another number format
}
"""Keys that change results and that nothing here can honour -> the values, beside null, with which they do not."""
