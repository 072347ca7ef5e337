"""Stand-ins for translators that are told languages: tiny BARTs of bytes, with a tokenizer that tells them.

A ``spoken`` one is told by a token before the source and by an option of generation; ``tagged`` by the source alone,
which begins with the target's token; ``one-way`` has a pair that its files state.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from tokenizers import AddedToken, Tokenizer, processors

import tfx_core
from tests.models.tiny import perturbed, tiny_config
from tfx_core import ArchitectureSpec, hookimpl
from tfx_core.text import Direction, Languages, Recipe, Settings, TextFacts
from tfx_seq2seq.bart import ARCHITECTURE, BartConfig
from tfx_testing.byte_tokenizer import byte_ids, save_byte_tokenizer

NAMES = ("en_XX", "de_DE", "fr_XX", "zh_CN", "zh_TW")
TAGS = ("de", "fr")
SPECIAL = ("<pad>", "</s>", "<s>", *NAMES, *(f">>{name}<<" for name in TAGS))
IDS = byte_ids(SPECIAL)


def names(backend: Tokenizer, settings: Settings) -> Mapping[str, str]:
    return {name: name for name in NAMES}


def tags(backend: Tokenizer, settings: Settings) -> Mapping[str, str]:
    return {name: f">>{name}<<" for name in TAGS}


def around(backend: Tokenizer, settings: Settings, part: str, direction: Direction) -> Any:
    language = direction.source if part == "source" else direction.target
    return framed(f"{language} $A </s>" if language else "$A </s>")


def tagged(backend: Tokenizer, settings: Settings, part: str, direction: Direction) -> Any:
    before = f">>{direction.target}<<" if part == "source" and direction.target else ""
    return framed(f"{before} $A </s>")


def framed(template: str) -> Any:
    special = [(token, IDS[token]) for token in template.split() if token in IDS]
    return processors.TemplateProcessing(single=template.split(), special_tokens=special)


FACTS = TextFacts(
    "SpokenTokenizer",
    {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>"},
    additional_special_tokens=tuple(AddedToken(token, special=True) for token in SPECIAL[3:]),
)
OPTIONS = {"src_lang": None, "tgt_lang": None}
RECIPES = {
    "spoken": Recipe(FACTS, options=OPTIONS, languages=Languages(names, around, "forced_bos_token_id")),
    "tagged": Recipe(
        replace(FACTS, tokenizer_class="TaggedTokenizer"),
        options={**OPTIONS, "source_lang": None, "target_lang": None},
        languages=Languages(tags, tagged),
    ),
    "one-way": Recipe(
        replace(FACTS, tokenizer_class="OneWayTokenizer"), options={"source_lang": None, "target_lang": None}
    ),
}


@dataclass(kw_only=True)
class SpokenConfig(BartConfig):
    model_type: ClassVar[str] = "spoken"


@dataclass(kw_only=True)
class TaggedConfig(BartConfig):
    model_type: ClassVar[str] = "tagged"


@dataclass(kw_only=True)
class OneWayConfig(BartConfig):
    model_type: ClassVar[str] = "one-way"


SPOKEN, TAGGED, ONE_WAY = (
    replace(ARCHITECTURE, config=config, text=RECIPES[config.model_type])
    for config in (SpokenConfig, TaggedConfig, OneWayConfig)
)


class Plugin:
    """Provides them."""

    @hookimpl
    def tfx_architectures(self) -> list[ArchitectureSpec]:
        return [
            ArchitectureSpec(
                model_type,
                target=f"{__name__}:{target}",
                hf_classes={
                    f"{target}{head}": name
                    for head, name in {
                        "Model": "backbone",
                        "ForConditionalGeneration": "conditional-generation",
                        "ForSequenceClassification": "sequence-classification",
                        "ForQuestionAnswering": "question-answering",
                        "ForCausalLM": "causal-lm",
                    }.items()
                },
                capabilities=("token-states",),
                tokenizer_classes=(RECIPES[model_type].facts.tokenizer_class,),
            )
            for model_type, target in (("spoken", "SPOKEN"), ("tagged", "TAGGED"), ("one-way", "ONE_WAY"))
        ]


def save(
    folder: Path,
    model_type: str,
    *,
    tokenizer: Mapping[str, Any] | None = None,
    task_settings: dict[str, Any] | None = None,
    generation: dict[str, Any] | None = None,
    legacy: dict[str, Any] | None = None,
    **config: Any,
) -> str:
    """Save a random one, with keys for ``tokenizer_config.json``, ``config.json`` and ``generation_config.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "decoder_start_token_id": 1}
    settings = {**tiny_config("bart"), "vocab_size": len(IDS), **special, **config}
    model = tfx_core.new_model(model_type, head="conditional-generation", seed=4, **settings).eval()
    model = perturbed(model, 5, 0.3)
    with torch.no_grad():  # what is written can be read: no special token but the end
        model.language_head.predictions.logits_bias[0, 2 : len(SPECIAL)] = -1e4
    model.save_pretrained(folder)
    further = {**(legacy or {}), **({} if task_settings is None else {"task_specific_params": task_settings})}
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, **further}))
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    roles = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>", "model_max_length": 30}
    named = {"tokenizer_class": RECIPES[model_type].facts.tokenizer_class, **(tokenizer or {})}
    save_byte_tokenizer(folder, SPECIAL, {**roles, **named}, "$A </s>")
    return str(folder)
