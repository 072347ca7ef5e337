"""Pipelines: making and calling them."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

import tfx_core
from tests.integration.habits.text_deeds import TEMPLATE, check
from tests.integration.habits.world import World
from tests.seq2seq import tongues
from tfx_core import Task

Pipe = Task[Any, Any, Any]

MODELS = {
    "fill-mask": ("bert", "masked-lm"),
    "text-classification": ("bert", "sequence-classification"),
    "token-classification": ("bert", "token-classification"),
    "question-answering": ("bert", "question-answering"),
    "feature-extraction": ("bert", "backbone"),
    "zero-shot-classification": ("bert", "sequence-classification"),
    "text-generation": ("gpt2", "causal-lm"),
    "summarization": ("t5", "conditional-generation"),
    "text2text": ("t5", "conditional-generation"),
}
ALIASES = {"sentiment-analysis": "text-classification", "ner": "token-classification"}
CHAT = [{"role": "user", "content": "Hi"}]
SHORT = {"max_new_tokens": 3, "do_sample": False}
ASKED = {"question": "Who?", "context": "Ann and Bob"}


def pipe(world: World, task: str = "text-classification", **options: Any) -> Pipe:
    model_type, head = MODELS[ALIASES.get(task, task)]
    return tfx_core.pipeline(task, world.folder(model_type, head), **options)


def made(test: Callable[[Pipe], object], task: str = "text-classification", **options: Any) -> Callable[[World], None]:
    """A deed that makes a pipeline which passes."""
    return lambda world: check(test(pipe(world, task, **options)))


def called(
    test: Callable[[Any], object], inputs: Any, task: str = "text-classification", **options: Any
) -> Callable[[World], None]:
    """A deed that calls one, whose result passes."""
    return lambda world: check(test(pipe(world, task)(inputs, **options)))


def refused(task: str = "text-classification", **options: Any) -> Callable[[World], object]:
    return lambda world: pipe(world, task, **options)


def of_a_subfolder(world: World) -> None:
    folder = world.folder("bert", "sequence-classification")
    classify = tfx_core.pipeline("text-classification", folder.parent, subfolder=folder.name)
    assert classify("a") == pipe(world)("a")
    of_its_head = tfx_core.pipeline(model=folder.parent, subfolder=world.folder("bert", "masked-lm").name)
    assert of_its_head.task == "fill-mask"


def of_the_head(world: World) -> None:
    assert tfx_core.pipeline(model=world.folder("bert", "masked-lm")).task == "fill-mask"
    assert tfx_core.pipeline(model=world.model(), tokenizer=world.tokenizer()).task == "feature-extraction"


def languages(world: World) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "model"
        shutil.copytree(world.folder("t5", "conditional-generation"), folder)
        config = json.loads((folder / "config.json").read_text())
        config["task_specific_params"] = {"translation_en_to_de": {"prefix": "translate: "}}
        (folder / "config.json").write_text(json.dumps(config))
        translate = tfx_core.pipeline("translation_en_to_de", str(folder), max_new_tokens=2)
        assert translate.options.src_lang == "en"
        assert translate("a")[0]["translation_text"] == translate("a", src_lang="en")[0]["translation_text"]


def by_codes(world: World) -> None:
    with tempfile.TemporaryDirectory() as parent, tfx_core.register(tongues.Plugin(), name="tongues"):
        folder = tongues.save(Path(parent) / "model", "spoken")
        asked = {"src_lang": "en_XX", "tgt_lang": "de_DE"}
        translate = tfx_core.pipeline("translation", folder, **asked, max_new_tokens=4)
        expected = translate("a dog")
        assert translate.settled(translate.options).given() == {"max_new_tokens": 4}
        german = tongues.IDS["de_DE"]
        ((window,),) = translate.encode([translate.parse("a dog", translate.options)], translate.options)
        assert window.options.resolved.forced_bos_token_id == german
        assert window.features["input_ids"][0] == tongues.IDS["en_XX"]
        plain = tfx_core.pipeline("translation", folder, max_new_tokens=4)
        assert plain("a dog", **asked) == expected
        assert plain({"text": "a dog", **asked}) == expected[0]
        assert tfx_core.pipeline("translation_en_to_de", folder, max_new_tokens=4)("a dog") == expected


def cleaned_up(world: World) -> None:
    called(anything, "a", **generation, clean_up_tokenization_spaces=False)(world)
    summarise = pipe(world, "summarization", max_new_tokens=2)
    summarise.tokenizer.batch_decode = lambda rows, **options: [str(options["clean_up_tokenization_spaces"])]
    for clean in (True, False):
        assert summarise("a", clean_up_tokenization_spaces=clean) == [{"summary_text": str(clean)}]


def saved(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        classify = pipe(world)
        classify.save_pretrained(folder)
        assert tfx_core.pipeline("text-classification", folder)("a") == classify("a")


def a_chat(world: World) -> None:
    generate = pipe(world, "text-generation", **SHORT)
    generate.tokenizer.chat_template = TEMPLATE
    ((record,),) = (generate(CHAT),)
    assert record["generated_text"][:1] == CHAT
    assert record["generated_text"][1]["role"] == "assistant"
    assert generate(CHAT, return_full_text=False) == [{"generated_text": record["generated_text"][1]["content"]}]


def chats(world: World) -> None:
    generate = pipe(world, "text-generation", **SHORT)
    generate.tokenizer.chat_template = TEMPLATE
    assert generate([CHAT, CHAT]) == generate(CHAT) * 2


def going_on(world: World) -> None:
    generate = pipe(world, "text-generation", **SHORT)
    generate.tokenizer.chat_template = TEMPLATE
    chat = [*CHAT, {"role": "assistant", "content": "An"}]
    (record,) = generate(chat, continue_final_message=True)
    assert record == generate(chat)[0]
    assert [each["role"] for each in record["generated_text"]] == ["user", "assistant"]


def from_a_generator(world: World) -> None:
    def texts() -> Iterator[str]:
        yield from ("a", "b")

    classify = pipe(world)
    results = classify(texts())
    assert next(results) == classify(["a"])[0]
    assert list(results) == classify(["b"])


class KeyDataset:
    """As transformers' own: items by number, and a length."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> str:
        return "ab"[number]


def from_a_dataset(world: World) -> None:
    assert list(pipe(world)(KeyDataset())) == pipe(world)(["a", "b"])


def together(world: World) -> None:
    ask = pipe(world, "question-answering")
    assert ask(**ASKED) == ask(ASKED)
    assert ask(question=["Who?", "What?"], context="Ann") == ask(["Who?", "What?"], context="Ann")
    assert ask(question=["Who?"], context=["Ann"]) == ask([{"question": "Who?", "context": "Ann"}])


def entailing(world: World, **options: Any) -> Pipe:
    return pipe(world, "zero-shot-classification", id2label={0: "ENTAILMENT", 1: "NOT"}, **options)


def among_labels(**options: Any) -> Callable[[World], None]:
    """A deed that has labels chosen among, with the same result as under our keywords."""

    def deed(world: World) -> None:
        classify = entailing(world)
        found = classify("a", ["b", "c"], **options)
        assert sorted(found["labels"]) == ["b", "c"]
        ours = {"multi_label": True} if "multi_class" in options else options
        assert found == classify(["a"], candidate_labels="b, c", **ours)[0]

    return deed


def by_name(world: World) -> None:
    classify = entailing(world)
    assert classify(sequences=["a"], candidate_labels="b, c") == classify(["a"], ["b", "c"])


def compared(world: World) -> None:
    compare = tfx_core.pipeline("sentence-similarity", world.folder())
    found = compare({"source_sentence": "a", "sentences": ["a", "b"]})
    assert found == compare([("a", "a"), ("a", "b")])
    assert compare((["a"], ["a", "b"])).tolist() == [found]


def in_rows(world: World) -> None:
    classify = pipe(world)
    sizes: list[int] = []
    classify.model.register_forward_hook(lambda model, args, output: sizes.append(len(output.logits)))
    classify(["a"] * 5, batch_size=2)
    assert sizes == [2, 2, 1]


def loaded_with(**options: Any) -> Callable[[World], None]:
    return made(lambda classify: classify.dtype is torch.bfloat16, **options)


anything = bool
generation = {"task": "text-generation", "max_new_tokens": 2}

MAKING: dict[str, Callable[[World], object]] = {
    'pipeline("fill-mask", "model")': made(lambda fill: fill.task == "fill-mask", "fill-mask"),
    "pipeline(model=…)": of_the_head,
    "language=": lambda world: tfx_core.pipeline("fill-mask", world.folder("bert", "masked-lm"), language="fr"),
    "pipeline(task)": lambda world: tfx_core.pipeline("fill-mask"),
    **{
        f'"{alias}"': made(lambda each, task=task: each.task == task, alias)  # type: ignore[misc]
        for alias, task in ALIASES.items()
    },
    '"embeddings"': lambda world: check(tfx_core.pipeline("embeddings", world.folder()).task == "feature-extraction"),
    '"zero-shot-classification"': lambda world: check(entailing(world).task == "zero-shot-classification"),
    '"sentence-similarity"': compared,
    '"text2text"': made(lambda each: each.task == "text2text-generation", "text2text"),
    '"translation_en_to_de"': languages,
    'pipeline("translation", model, src_lang="en_XX", tgt_lang="de_DE")': by_codes,
    **{
        f'"{task}"': lambda world, task=task: tfx_core.pipeline(task, world.folder())  # type: ignore[misc]
        for task in (
            *("table-question-answering", "automatic-speech-recognition", "audio-classification"),
            *("text-to-speech", "image-classification", "image-to-text", "object-detection"),
            *("visual-question-answering", "document-question-answering", "image-text-to-text"),
            "zero-shot-image-classification",
        )
    },
    "tokenizer=": lambda world: check(
        tfx_core.pipeline("feature-extraction", world.model(), tokenizer=world.folder())("a")
    ),
    "device=": made(lambda classify: classify.device.type == "cpu", device=-1),
    "torch_dtype=": loaded_with(torch_dtype=torch.bfloat16),
    "model_kwargs=": loaded_with(model_kwargs={"torch_dtype": "bfloat16"}),
    "revision=": made(anything, revision=None),
    "device_map=": made(lambda classify: classify.device.type == "cpu", device_map="cpu"),
    "attn_implementation=": made(anything, attn_implementation="eager"),
    "token=": made(anything, token=False),
    "subfolder=": of_a_subfolder,
    "trust_remote_code=": made(anything, trust_remote_code=False),
    "framework=": made(anything, framework="pt"),
    "use_fast=": made(anything, use_fast=True),
    "binary_output=": made(anything, binary_output=False),
    **{f"{name}=": refused(**{name: "x"}) for name in ("feature_extractor", "image_processor", "processor")},
    "pipeline_class=": refused(pipeline_class=Task),
    "pipe.model": made(lambda each: isinstance(each.model, tfx_core.Model)),
    "pipe.tokenizer": made(lambda each: isinstance(each.tokenizer, tfx_core.Tokenizer)),
    "task": made(lambda each: each.task == "text-classification"),
    "device": made(lambda each: each.device == torch.device("cpu")),
    "dtype": made(lambda each: each.dtype is torch.float32),
    "pipe.save_pretrained(folder)": saved,
    "pipe.predict(texts)": made(lambda each: each.predict(["a"]) == each(["a"])),
    **{
        name: lambda world, name=name: getattr(pipe(world), name)  # type: ignore[misc]
        for name in ("transform", "preprocess", "forward", "postprocess", "push_to_hub")
    },
}


def configured(world: World) -> None:
    generator = tfx_core.pipeline("text-generation", model=str(world.folder("gpt2", "causal-lm")))
    config = tfx_core.GenerationConfig(do_sample=False, max_new_tokens=3, pad_token_id=0)
    assert generator("ab", generation_config=config) == generator("ab", do_sample=False, max_new_tokens=3)
    assert generator("ab", generation_config=config, max_new_tokens=5) != generator("ab", generation_config=config)
    made = tfx_core.pipeline(
        "text-generation", model=str(world.folder("gpt2", "causal-lm")), generation_config={"num_beams": 2}
    )
    assert made("ab") == generator("ab", num_beams=2)


CALL: dict[str, Callable[[World], object]] = {
    'classifier("text")': called(lambda found: list(found[0]) == ["label", "score"], "a"),
    'classifier({"text": …, "text_pair": …})': called(lambda found: found["score"], {"text": "a", "text_pair": "b"}),
    "classifier(texts, top_k=None)": called(lambda found: len(found[0]) == 2, ["a"], top_k=None),
    'extractor("text")': called(lambda found: found[0].shape[0] == 3, "a", "feature-extraction"),
    'fill("… [MASK]")': called(lambda found: len(found) == 5, "[MASK]", "fill-mask"),
    'tagger("text")': called(lambda found: isinstance(found, list), "a b", "token-classification"),
    'generator("prompt")[0]["generated_text"]': called(lambda found: found[0]["generated_text"], "a", **generation),
    "generator(prompts)[0][0]": called(lambda found: found[0][0], ["a"], **generation),
    "generator([{'role': …}])": a_chat,
    "generator(chats)": chats,
    'translator("text")[0]["translation_text"]': languages,
    "question=": together,
    "context=": together,
    "pipe(generator)": from_a_generator,
    "pipe(dataset)": from_a_dataset,
    "pipe(texts, progress=True)": called(lambda found: len(found) == 1, ["a"], progress=True),
    "batch_size=": in_rows,
    "num_workers=": called(anything, ["a"], num_workers=2),
    "top_k=": called(lambda found: len(found) == 2, "a", top_k=2),
    "topk=": called(lambda found: len(found) == 2, "a", topk=2),
    "return_all_scores=": called(lambda found: len(found[0]) == 2, "a", return_all_scores=True),
    "function_to_apply=": called(anything, "a", function_to_apply="none"),
    "aggregation_strategy=": called(
        lambda found: "entity_group" in found[0], "a", "token-classification", aggregation_strategy="simple"
    ),
    "grouped_entities=": called(
        lambda found: "entity_group" in found[0], "a", "token-classification", grouped_entities=True
    ),
    "ignore_subwords=": refused("token-classification", ignore_subwords=True),
    "offset_mapping=": refused("token-classification", offset_mapping=[]),
    "ignore_labels=": called(anything, "a", "token-classification", ignore_labels=["X"]),
    "stride=": called(anything, "a", "token-classification", stride=2, aggregation_strategy="simple"),
    "targets=": called(lambda found: len(found) == 1, "[MASK]", "fill-mask", targets=["a"]),
    "candidate_labels=": among_labels(),
    "hypothesis_template=": among_labels(hypothesis_template="It is {}."),
    "multi_label=": among_labels(multi_label=True),
    "multi_class=": among_labels(multi_class=True),
    "sequences=": by_name,
    '{"source_sentence": …, "sentences": […]}': compared,
    "truncation=": called(anything, "a", truncation=True),
    "max_length=": called(anything, "abcdef", max_length=4),
    "padding=": called(anything, "a", padding=True),
    "tokenizer_kwargs=": called(anything, "a [MASK]", "fill-mask", tokenizer_kwargs={"truncation": True}),
    "tokenize_kwargs=": called(anything, "abcdef", "feature-extraction", tokenize_kwargs={"max_length": 4}),
    "doc_stride=": called(anything, ASKED, "question-answering", doc_stride=2),
    "max_answer_len=": called(anything, ASKED, "question-answering", max_answer_len=2),
    "handle_impossible_answer=": called(anything, ASKED, "question-answering", handle_impossible_answer=True),
    "max_new_tokens=": called(anything, "a", "summarization", max_new_tokens=2),
    "min_length=": called(anything, "a", "summarization", min_length=2, max_length=4),
    "do_sample=": called(anything, "a", **generation, do_sample=False),
    "num_return_sequences=": called(lambda found: len(found) == 2, "a", **generation, num_return_sequences=2),
    "pad_token_id=": called(anything, "a", **generation, pad_token_id=0),
    "return_full_text=": called(lambda found: found, "a", **generation, return_full_text=False),
    "continue_final_message=": going_on,
    "prefix=": called(anything, "a", "summarization", prefix="sum: ", max_new_tokens=2),
    "src_lang=": by_codes,
    "tgt_lang=": by_codes,
    'translator({"text": …, "tgt_lang": …})': by_codes,
    "handle_long_generation=": called(anything, "a", **generation, handle_long_generation="hole"),
    "stop_sequence=": called(anything, "a", **generation, stop_sequence="x"),
    "return_text=": called(anything, "a", **generation, return_text=True),
    "skip_special_tokens=": called(anything, "a", **generation, skip_special_tokens=True),
    "clean_up_tokenization_spaces=": cleaned_up,
    "return_tensors=": called(anything, "a", **generation, return_tensors=False),
    "return_type=": refused("text-generation", return_type=1),
    "streamer=": refused("text-generation", streamer=None),
    "logits_processor=": refused("text-generation", logits_processor=[]),
    "stopping_criteria=": refused("text-generation", stopping_criteria=[]),
    "prefix_allowed_tokens_fn=": refused("text-generation", prefix_allowed_tokens_fn=len),
    "negative_prompt_ids=": refused("text-generation", negative_prompt_ids=[3]),
    "assistant_model=": refused("text-generation", assistant_model="folder"),
    "generation_config=": configured,
}

DEEDS = {
    **{("pipeline", theirs): deed for theirs, deed in MAKING.items()},
    **{("pipeline(…)", theirs): deed for theirs, deed in CALL.items()},
}
