"""What sentence-transformers calls these: the model, making it, ``encode``."""

from collections.abc import Mapping
from typing import Any

from tfx_core.habits.habit import needless, renamed, told, unless_none, works
from tfx_core.habits.loading import FROM_HUB, NO_CODE

_TRAINED = "an encoder is trained as a model is: encoder.model, in a loop or in the Trainer of transformers"
_MODULE = "the module is encoder.model; to encode is always evaluation"
_PROCESSES = "torch uses all cores in one process; give each process of your own an encoder"

ENCODER = (
    works("encode('a text')", "a vector (D,); of a list (N, D)"),
    works("encode_query(texts)"),
    works("encode_document(texts)"),
    works("similarity(a, b)"),
    works("similarity_pairwise(a, b)"),
    works("similarity_fn_name"),
    works("to(device)"),
    works("device"),
    works("save(folder)", "sentence-transformers reads it"),
    works("save_pretrained(folder)", "sentence-transformers reads it"),
    works("tokenizer"),
    works("tokenize(texts)"),
    works("max_seq_length", "may be set"),
    works("get_max_seq_length()"),
    works("get_sentence_embedding_dimension()", "dimension"),
    works("get_embedding_dimension()", "dimension"),
    works("truncate_dim", "may be set"),
    works("prompts"),
    told("encoder[0]", "its parts are encoder.model, encoder.tokenizer and encoder.pooling"),
    told("_first_module", "the transformer is encoder.model"),
    told("auto_model", "the transformer is encoder.model"),
    told("preprocess", "encoder.tokenize(texts)"),
    told("half", "encoder.to(torch.float16), or load_encoder(path, dtype='float16')"),
    told("cuda", "encoder.to('cuda')"),
    told("cpu", "encoder.to('cpu')"),
    *(told(name, _MODULE) for name in ("eval", "train", "parameters", "named_parameters", "state_dict", "forward")),
    told("fit", _TRAINED),
    told("evaluate", "encode the texts of a set and compare them with encoder.similarity"),
    told("start_multi_process_pool", _PROCESSES),
    told("encode_multi_process", _PROCESSES),
    told("push_to_hub", "save(folder), then huggingface_hub.upload_folder(repo_id=…, folder_path=folder)"),
)


def _translated(kwargs: Any) -> Mapping[str, Any]:
    """``model_kwargs`` in our words, to go over ours."""
    from tfx_core.habits.telling import translated

    return {"model_kwargs": translated("load_model", kwargs or {})}


LOAD_ENCODER = (
    *FROM_HUB,
    works("torch_dtype=", "dtype=", unless_none("dtype")),
    works("device=", "'cpu' unless one is given; 'auto' is an accelerator where there is one", unless_none("device")),
    works("cache_folder=", "cache_dir=", renamed("cache_dir")),
    works("prompts="),
    works("default_prompt_name="),
    works("similarity_fn_name="),
    works("truncate_dim="),
    works("model_kwargs=", "keywords of load_model", _translated),
    works("tokenizer_kwargs=", "keywords of load_tokenizer"),
    works("processor_kwargs=", "tokenizer_kwargs=", renamed("tokenizer_kwargs")),
    told("config_kwargs=", "fields of the config go into model_kwargs=", needless(None)),
    works("trust_remote_code=", NO_CODE, needless(False, None)),
    told("backend=", "torch alone computes here", needless("torch")),
    told("model_card_data=", "no model card is written", needless(None)),
    told("modules=", "tfx_core.TextEncoder(model, tokenizer, pooling=…, stages=…) is made of parts"),
)

ENCODE = (
    works("batch_size=", "fewer tokens in a forward pass; batch_tokens= says them themselves"),
    works("show_progress_bar=", "progress=True", lambda shown: {"progress": bool(shown)}),
    works("output_value=", "'sentence_embedding' or 'token_embeddings'"),
    works("convert_to_numpy="),
    works("convert_to_tensor="),
    works("device="),
    works("normalize_embeddings=", "normalize=", lambda scaled: {"normalize": True if scaled else None}),
    works("prompt="),
    works("prompt_name="),
    works("truncate_dim="),
    works("precision=", "'int8', 'uint8', 'binary' and 'ubinary' as there"),
    told("pool=", _PROCESSES, needless(None)),
    told("chunk_size=", _PROCESSES, needless(None)),
    told("encode([(a, b)])", "encode the two apart; pairs are read by tfx_core.pipeline('text-classification')"),
)
