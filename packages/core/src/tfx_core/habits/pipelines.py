"""Making a pipeline, and calling it."""

from collections.abc import Mapping
from typing import Any

from tfx_core.errors import InputError, shown
from tfx_core.habits.habit import needless, renamed, told, works
from tfx_core.habits.text import NO_UPLOAD

_NO_DEFAULTS = (
    "there are no default models, for a program's results must not change with somebody's choice; name one: "
    "pipeline(task, 'folder or hub id')"
)
_TEXT_ONLY = "the tasks here read and write text"
_GENERATE = "call generator.model.generate, with the ids that generator.tokenizer makes"
_ROWS = "the rows of a batch are padded as need be, which changes no result"


def _spread(value: Any) -> Mapping[str, Any]:
    """The keywords that a dict holds."""
    if value is not None and not isinstance(value, Mapping):
        raise InputError(f"{shown(value)}: a dict of keywords is needed")
    return dict(value or {})


def _anything(value: object) -> Mapping[str, Any]:
    return {}


HABITS = (
    works('pipeline("fill-mask", "model")'),
    works(
        "pipeline(model=…)", "the task is the one that the model's head serves; an error names them where several do"
    ),
    told("pipeline(task)", _NO_DEFAULTS),
    told("language=", "a tokenizer reads one language: tokenizer=load_tokenizer(path, language='fr')"),
    works('"sentiment-analysis"'),
    works('"ner"'),
    works('"embeddings"'),
    works('"text2text"'),
    works('"translation_en_to_de"', "also where the languages are called en_XX and de_DE"),
    works('pipeline("translation", model, src_lang="en_XX", tgt_lang="de_DE")'),
    works('"zero-shot-classification"', "a model needs a class whose name begins with entail"),
    works('"sentence-similarity"', "of a sentence-transformers folder, or any encoder with pooling="),
    *(
        told(f'"{task}"', _TEXT_ONLY)
        for task in (
            *("automatic-speech-recognition", "audio-classification", "text-to-speech", "image-classification"),
            *("image-to-text", "object-detection", "visual-question-answering", "document-question-answering"),
            *("image-text-to-text", "zero-shot-image-classification"),
        )
    ),
    told('"table-question-answering"', "no architecture here reads tables"),
    works("tokenizer="),
    works("device=", "a name, a torch.device, a number, -1 for the CPU; a loaded model is moved"),
    works("torch_dtype=", "dtype=", renamed("dtype")),
    works("model_kwargs=", "further keywords of load_model, also by their names there"),
    works("revision="),
    *(works(f"{name}=", "as of load_model") for name in ("device_map", "attn_implementation", "token", "subfolder")),
    works(
        "trust_remote_code=",
        "nothing that comes with a checkpoint is executed; install a distribution that provides the architecture",
    ),
    works("framework=", "it is always torch", needless("pt", None)),
    works("use_fast=", "every tokenizer here is a fast one", needless(True, None)),
    works("binary_output=", "results are plain dicts and lists", needless(False, None)),
    told("feature_extractor=", _TEXT_ONLY),
    told("image_processor=", _TEXT_ONLY),
    told("processor=", "give tokenizer="),
    told("pipeline_class=", "a task of your own is a plugin: a subclass of tfx_core.Task, named by a TaskSpec"),
    works("pipe.model"),
    works("pipe.tokenizer"),
    works("task"),
    works("device"),
    works("dtype"),
    works("pipe.save_pretrained(folder)"),
    works("pipe.predict(texts)"),
    told("transform", "call the pipeline"),
    told("preprocess", "a task's steps are parse, encode, compute and decode"),
    told("forward", "a task's steps are parse, encode, compute and decode"),
    told("postprocess", "a task's steps are parse, encode, compute and decode"),
    told("push_to_hub", NO_UPLOAD),
)

CALL = (
    works('classifier("text")', "a list with one dict; in a list of texts each has its dict"),
    works('classifier({"text": …, "text_pair": …})'),
    works("classifier(texts, top_k=None)"),
    works('extractor("text")', "a list with one array, (tokens, D); in a list of texts each has its array"),
    works('fill("… [MASK]")'),
    works('tagger("text")'),
    works('generator("prompt")[0]["generated_text"]'),
    told("generator(prompts)[0][0]", "each prompt of a list has one dict here, out['generated_text']"),
    works("generator([{'role': …}])", "the chat with the answer as its last message"),
    works("generator(chats)"),
    works('translator("text")[0]["translation_text"]'),
    works("question=", "with context=: texts or lists of them"),
    works("context="),
    works("pipe(generator)", "an iterator of results"),
    works("pipe(dataset)", "an iterator of results, also for KeyDataset"),
    works("pipe(texts, progress=True)", "a bar on a terminal"),
    works("batch_size=", "most rows of a batch, which batch_tokens bounds as well"),
    works("num_workers=", "nothing: texts are tokenized by threads of the tokenizers library", _anything),
    works("top_k="),
    works("topk=", "top_k=", renamed("top_k")),
    works("return_all_scores=", "in the order of the classes' numbers; with top_k=None the best comes first"),
    works("function_to_apply="),
    works("aggregation_strategy="),
    works(
        "grouped_entities=",
        'aggregation_strategy="simple"',
        lambda value: {"aggregation_strategy": "simple" if value else "none"},
    ),
    told("ignore_subwords=", "aggregation_strategy='first', 'average' or 'max' joins the parts of words"),
    told("offset_mapping=", "offsets are those of the tokenizer"),
    works("ignore_labels="),
    works("stride="),
    works("targets="),
    works("candidate_labels=", "a list, or a text with commas; also the second argument"),
    works("hypothesis_template="),
    works("multi_label="),
    works("multi_class=", "multi_label=", renamed("multi_label")),
    works("sequences=", "the texts of zero-shot-classification; or they come first"),
    works('{"source_sentence": …, "sentences": […]}', "a list of numbers; of a pair a number, of two lists a matrix"),
    works("truncation="),
    works("max_length="),
    works("padding=", _ROWS, _anything),
    works("tokenizer_kwargs=", "its items as keywords", _spread),
    works("tokenize_kwargs=", "its items as keywords", _spread),
    works("doc_stride="),
    works("max_answer_len="),
    works("handle_impossible_answer="),
    works("max_new_tokens="),
    works("min_length="),
    works("do_sample="),
    works("num_return_sequences="),
    works("pad_token_id=", "and every other option of generate"),
    works("return_full_text="),
    works("continue_final_message="),
    works("prefix="),
    works(
        "src_lang=", "as the checkpoint names it, which translator.directions lists; or its first part, en for en_XX"
    ),
    works("tgt_lang=", "the same; it asks the model for the language, over what its files say"),
    works('translator({"text": …, "tgt_lang": …})', "each input may have languages of its own"),
    works("handle_long_generation=", "truncation=True", lambda value: {"truncation": True} if value == "hole" else {}),
    works("stop_sequence=", "stop_strings=", renamed("stop_strings")),
    works("return_text=", "a text is what is returned", needless(True, None)),
    works("skip_special_tokens=", "special tokens are no part of a text", needless(True, None)),
    works(
        "clean_up_tokenization_spaces=",
        "False by default; True of the tasks that make a text of a text, elsewhere tokenizer.decode can clean up",
        needless(False, None),
    ),
    works(
        "return_tensors=",
        "results are texts and arrays, of which torch.from_numpy makes tensors; for ids call model.generate",
        needless(False, None),
    ),
    told("return_type=", "results are texts; for ids call model.generate"),
    told("streamer=", "follow a text with generator.follow(prompt, write)"),
    told("logits_processor=", _GENERATE),
    told("stopping_criteria=", _GENERATE),
    told("prefix_allowed_tokens_fn=", _GENERATE),
    told("negative_prompt_ids=", _GENERATE),
    told("assistant_model=", _GENERATE),
    works("generation_config=", "a GenerationConfig, ours or theirs, or a dict; its fields may be keywords as well"),
)
