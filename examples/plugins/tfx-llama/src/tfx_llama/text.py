"""Llama's tokenizer: ``tokenizer.json`` where there is one, else the SentencePiece model ``tokenizer.model``."""

from dataclasses import replace
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, processors

from tfx_core.text import Settings, TextFacts
from tfx_core.text.recipes import sentencepiece_recipe, template

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder

_OPTIONS = {"add_bos_token": True, "add_eos_token": False}

_OF_PIECES = sentencepiece_recipe(
    TextFacts(
        tokenizer_class="LlamaTokenizer",
        special_tokens={"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    ),
    single="$A",
    pair="$A $B",
    model_file="tokenizer.model",
    options={**_OPTIONS, "legacy": True},
)


def _build(folder: "Folder", settings: Settings) -> Tokenizer:
    tokenizer = _OF_PIECES.build(folder, settings)
    assert isinstance(tokenizer, Tokenizer)
    tokenizer.post_processor = _around(tokenizer, settings)
    return tokenizer


def _adapt(tokenizer: Tokenizer, settings: Settings) -> None:
    """What stands around a text is in ``tokenizer.json``, unless ``tokenizer_config.json`` says otherwise."""
    if settings.tokenizer_class == "LlamaTokenizer" and settings.declared & _OPTIONS.keys():
        tokenizer.post_processor = _around(tokenizer, settings)


def _around(tokenizer: Tokenizer, settings: Settings) -> processors.TemplateProcessing:
    """A token before each text, or after it, or both."""
    before = ["bos_token"] if settings.flag("add_bos_token") else []
    after = ["eos_token"] if settings.flag("add_eos_token") else []
    first, second = [*before, "$A", *after], [*before, "$B", *after]
    pair = [*first, *(f"{each}:1" for each in second)]
    return template(" ".join(first), " ".join(pair), tokenizer, settings)


RECIPE = replace(_OF_PIECES, build=_build, adapt=_adapt)
