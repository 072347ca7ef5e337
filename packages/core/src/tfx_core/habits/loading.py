"""Names of transformers, and keywords of ``from_pretrained``."""

from collections.abc import Mapping
from typing import Any

from tfx_core.errors import InputError, shown
from tfx_core.habits.habit import Habit, needless, renamed, told, unless_none, works

_LOAD = "tfx_core.load_model(path, head={!r})"
_HEADS = {
    "AutoModel": "backbone",
    "AutoModelForCausalLM": "causal-lm",
    "AutoModelForMaskedLM": "masked-lm",
    "AutoModelForMultipleChoice": "multiple-choice",
    "AutoModelForNextSentencePrediction": "next-sentence",
    "AutoModelForPreTraining": "pretraining",
    "AutoModelForQuestionAnswering": "question-answering",
    "AutoModelForSeq2SeqLM": "conditional-generation",
    "AutoModelForSequenceClassification": "sequence-classification",
    "AutoModelForTextEncoding": "encoder-only",
    "AutoModelForTokenClassification": "token-classification",
}

NAMES = (
    *(told(name, _LOAD.format(head)) for name, head in _HEADS.items()),
    told("AutoModelWithLMHead", "tfx_core.load_model(path, head='causal-lm'), or another head that predicts tokens"),
    told("AutoTokenizer", "tfx_core.load_tokenizer(path)"),
    told("AutoConfig", "tfx_core.load_model(path).config, or of a new model tfx_core.new_model(name, …).config"),
    told("AutoProcessor", "tfx_core.load_tokenizer(path); models are of text"),
    told("AutoImageProcessor", "models here are of text; there is none for images"),
    told("AutoFeatureExtractor", "models here are of text; there is none for sound or images"),
    told("AutoModelForSpeechSeq2Seq", "models here are of text; there is none for sound"),
    told("AutoModelForImageClassification", "models here are of text; there is none for images"),
    told("PreTrainedModel", "tfx_core.Model, which tfx_core.load_model and tfx_core.new_model make"),
    told("PreTrainedTokenizerFast", "tfx_core.Tokenizer, which tfx_core.load_tokenizer makes"),
    told("PretrainedConfig", "tfx_core.ModelConfig"),
    told("Trainer", "a model trains in the Trainer of transformers itself, in accelerate or in a plain loop"),
    told("TrainingArguments", "a model trains in the Trainer of transformers itself, with its arguments"),
    told("Seq2SeqTrainer", "a model trains in the Seq2SeqTrainer of transformers itself"),
    told("Seq2SeqTrainingArguments", "a model trains in the Seq2SeqTrainer of transformers itself, with its arguments"),
    told("DataCollatorWithPadding", "tfx_core.collators.Padding(tokenizer), or that of transformers itself"),
    told("DataCollatorForTokenClassification", "tfx_core.collators.Padding(tokenizer), or that of transformers itself"),
    told("DataCollatorForSeq2Seq", "tfx_core.collators.Padding(tokenizer), or that of transformers itself"),
    told(
        "DataCollatorForLanguageModeling",
        "tfx_core.collators.MaskedTokens(tokenizer), or NextTokens(tokenizer) for causal text",
    ),
    told("BitsAndBytesConfig", "dtype='int8' packs weights of 8 bits for a CPU"),
    told("set_seed", "torch.manual_seed(seed), or the seed= of tfx_core.new_model"),
    told("SentenceTransformer", "tfx_core.load_encoder(path)"),
    told("CrossEncoder", "tfx_core.pipeline('text-classification', model=path), whose inputs may be pairs"),
    told("util", "encoder.similarity(a, b) for cos_sim; tfx-retrieval for semantic_search"),
)
"""Of ``from transformers import …`` and ``from sentence_transformers import …``; class names: `class_hint`."""

_ONE_DEVICE = "a model is on one device: device='cuda:0'; parts of models are spread by torch, FSDP2 for one"
NO_CODE = "nothing that comes with a checkpoint is executed; install a distribution that provides the architecture"
_OF_8_BITS = "dtype='int8' packs weights of 8 bits for a CPU"
_NO_QUANTISATION = f"{_OF_8_BITS}; there are none of fewer, and none on a GPU, where dtype='bfloat16' is for"
_CONVERTED = "weights of other libraries are not read; save them with transformers, as safetensors"


def _placed(value: Any) -> Mapping[str, Any]:
    """``device_map`` as ours: the one device that it names."""
    devices = {str(each): each for each in (value.values() if isinstance(value, Mapping) else (value,))}
    if len(devices) != 1:
        raise InputError(f"device_map={shown(value)}: {_ONE_DEVICE}")
    (device,) = devices.values()
    automatic = device in ("balanced", "balanced_low_0", "sequential")
    return {} if device is None else {"device": "auto" if automatic else device}


def _kernel(name: Any) -> Mapping[str, Any]:
    if name in ("flash_attention_2", "flash_attention_3", "flex_attention"):
        raise InputError(f"attn_implementation={name!r}: leave it out, the kernel 'sdpa' is torch's flash attention")
    return {} if name is None else {"attention": name}


def _fields(config: Any) -> Mapping[str, Any]:
    """The fields of a config of ours, or of the contents of its file."""
    if isinstance(config, Mapping):
        return {name: value for name, value in config.items() if name not in ("model_type", "label2id")}
    return {name: getattr(config, name) for name in config.field_names() if name != "extra"}


_ANYWHERE = (
    works("torch_dtype=", "dtype=", unless_none("dtype")),
    works("dtype=", "also 'auto', 'float16', 'torch.float16', and 'int8' for a frozen model", unless_none("dtype")),
    works("device_map=", f"device=, 'auto' for an accelerator where there is one; {_ONE_DEVICE}", _placed),
    works(
        "attn_implementation=",
        "attention=: 'sdpa', which is torch's flash attention where it can be, 'eager', or a pattern: 'window(128)'",
        _kernel,
    ),
    works("trust_remote_code=", NO_CODE, needless(False, None)),
)
"""Keywords of whatever makes a model."""

FROM_HUB = (
    works("revision="),
    works("subfolder="),
    works("cache_dir="),
    works("local_files_only="),
    works("force_download="),
    works("token="),
    works("use_auth_token=", "token=", renamed("token")),
    works("resume_download=", "huggingface_hub always goes on where a download was cut", needless(None, True, False)),
    told("proxies=", "set HTTPS_PROXY in the environment, which huggingface_hub reads"),
    told("mirror=", "set HF_ENDPOINT in the environment, which huggingface_hub reads"),
    told("code_revision=", NO_CODE, needless(None)),
)
"""Keywords of whatever is loaded by name."""

LOAD_MODEL = (
    *_ANYWHERE,
    *FROM_HUB,
    works("config=", "a config, or the contents of its file"),
    works("num_labels="),
    told(
        "num_labels=2 where nothing has classes", "name the head that shall have them, head='sequence-classification'"
    ),
    works("id2label="),
    works("label2id="),
    works("output_hidden_states="),
    works("return_dict="),
    works("ignore_mismatched_sizes="),
    works("variant="),
    works("use_safetensors=", "it goes before a pickle, of which nothing is executed", needless(True, None)),
    works("weights_only=", "nothing of a pickle is executed", needless(True, False)),
    works("low_cpu_mem_usage=", "weights are mapped from their file in any case", needless(True, False, None)),
    told("from_tf=", _CONVERTED, needless(False)),
    told("from_flax=", _CONVERTED, needless(False)),
    told("output_loading_info=", "what is initialised afresh is a warning, what misfits an error", needless(False)),
    told("load_in_8bit=", _OF_8_BITS, needless(False, None)),
    told("load_in_4bit=", _NO_QUANTISATION, needless(False, None)),
    told("quantization_config=", _NO_QUANTISATION, needless(None)),
    told("use_kernels=", "kernels are those of attention=", needless(False, None)),
    told("gguf_file=", _CONVERTED),
    told("state_dict=", "make the model with tfx_core.new_model, then model.load_state_dict(state_dict)"),
    told("key_mapping=", "the weight rules of an architecture name the tensors of its checkpoints"),
    told("generation_config=", "set model.generation_config of the loaded model"),
    told("adapter_name=", "peft.PeftModel.from_pretrained(model, adapter) adds an adapter to a loaded model"),
    told("adapter_kwargs=", "peft.PeftModel.from_pretrained(model, adapter) adds an adapter to a loaded model"),
    *(
        told(f"{name}=", _ONE_DEVICE, needless(None, False))
        for name in (
            *("max_memory", "offload_folder", "offload_state_dict", "offload_buffers"),
            *("tp_plan", "tp_size", "device_mesh"),
        )
    ),
)

NEW_MODEL = (
    *_ANYWHERE,
    told("new_model(config)", "write new_model(config.model_type, config=config), and head= for a head"),
    works("config=", "its fields", _fields),
    works("num_labels="),
    works("id2label="),
)

LOAD_TOKENIZER = (
    *FROM_HUB,
    works("trust_remote_code=", NO_CODE, needless(False, None)),
    works("use_fast=", "every tokenizer here is a fast one", needless(True, None)),
    told("from_slow=", "every tokenizer here is a fast one", needless(False, None)),
    works("padding_side="),
    works("truncation_side="),
    works("model_max_length="),
    works("pad_token="),
    works("additional_special_tokens="),
    works("clean_up_tokenization_spaces="),
    told("lang=", "language='fr', where a family's tokenizer cuts words as its language does"),
    told("config=", "a folder's config.json says whose its tokenizer is"),
    told("tokenizer_type=", "a folder's config.json says whose its tokenizer is"),
    told("gguf_file=", _CONVERTED),
)

MODEL: tuple[Habit, ...] = (
    works("Model.from_pretrained(path)", "tfx_core.load_model(path)"),
    told("push_to_hub", "save_pretrained(folder), then huggingface_hub.upload_folder(repo_id=…, folder_path=folder)"),
)
"""Of a model."""

SAVE = (
    works("max_shard_size="),
    works("safe_serialization=", "weights are saved as safetensors, not as pickles", needless(True, None)),
    works("is_main_process=", "False writes nothing"),
    works("save_function=", "not called: files are written whole or not at all", lambda function: {}),
    works("save_peft_format=", "of adapters, which peft saves", lambda value: {}),
    told("push_to_hub=", "huggingface_hub.upload_folder(repo_id=…, folder_path=folder) does it", needless(False)),
    told("variant=", "save into a folder of its own", needless(None)),
    told("state_dict=", "load it with model.load_state_dict, then save the model"),
)
"""Keywords of ``save_pretrained``."""
