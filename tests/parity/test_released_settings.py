"""What released folders say of generation is honoured, by tasks too: values as released, models tiny, tokens theirs."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import tfx_core
from tests.cases import case_of
from tfx_core.plugins import ArchitectureSpec, registry
from tfx_testing.cases import Variant
from tfx_testing.parity.case import Case
from tfx_testing.parity.reference import reference_model

PAD = 52
"""Of Marian, whose padding token stands behind all others; ids beyond the tiny vocabularies are those of here."""
SUMMARIES = {
    "early_stopping": True,
    "length_penalty": 2.0,
    "max_length": 142,
    "min_length": 56,
    "no_repeat_ngram_size": 3,
    "num_beams": 4,
}
BART = {"bos_token_id": 0, "decoder_start_token_id": 2, "eos_token_id": 2, "forced_eos_token_id": 2, "pad_token_id": 1}
PEGASUS = {
    "bos_token_id": 0,
    "decoder_start_token_id": 0,
    "eos_token_id": 1,
    "forced_eos_token_id": 1,
    "pad_token_id": 0,
}
MARIAN = {
    "bad_words_ids": [[PAD]],
    "bos_token_id": 0,
    "decoder_start_token_id": PAD,
    "eos_token_id": 0,
    "forced_eos_token_id": 0,
    "pad_token_id": PAD,
    "max_length": 512,
    "num_beams": 6,
}
T5 = {"decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
PROPHETNET = {"bos_token_id": 4, "decoder_start_token_id": 4, "eos_token_id": 4, "pad_token_id": 0}


@dataclass(frozen=True)
class Released:
    """A folder, as far as it speaks of generation."""

    model_type: str
    task: str
    special: dict[str, int]
    """Ids of special tokens that ``config.json`` has."""
    generation: dict[str, Any] | None = None
    """``generation_config.json``; None where there is none."""
    legacy: dict[str, Any] = field(default_factory=dict)
    """Further keys of ``config.json``."""
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """``task_specific_params``."""
    counts: dict[str, Any] = field(default_factory=dict)
    """Options by which the task decodes, of all that the files say."""
    prefix: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    """What the task has to be told."""


def special(values: dict[str, Any]) -> dict[str, int]:
    return {name: x for name, x in values.items() if name in (*BART, "pad_token_id") and name != "forced_eos_token_id"}


FOLDERS = {
    "facebook/bart-large-cnn": Released(
        "bart", "summarization", special(BART), {**BART, "forced_bos_token_id": 0, **SUMMARIES},
        {"num_beams": 9, "max_length": 9},
        counts={**SUMMARIES, "forced_bos_token_id": 0, "forced_eos_token_id": 2},
    ),
    "facebook/bart-large-cnn, its first files": Released(
        "bart", "summarization", special(BART), None, {**BART, "num_beams": 9, "max_length": 9},
        {"summarization": SUMMARIES}, {**SUMMARIES, "forced_eos_token_id": 2},
    ),
    "google/pegasus-xsum": Released(
        "pegasus", "summarization", special(PEGASUS),
        {**PEGASUS, "length_penalty": 0.6, "max_length": 64, "num_beams": 8},
        tasks={"summarization_aeslc": {"length_penalty": 0.6, "max_length": 32, "max_position_embeddings": 512}},
        counts={"length_penalty": 0.6, "max_length": 64, "num_beams": 8, "forced_eos_token_id": 1},
    ),
    "facebook/mbart-large-50-many-to-one-mmt": Released(
        "mbart", "translation", special(BART),
        {**BART, "early_stopping": True, "forced_bos_token_id": 4, "max_length": 200, "num_beams": 5},
        counts={"early_stopping": True, "forced_bos_token_id": 4, "max_length": 200, "num_beams": 5},
    ),
    "facebook/mbart-large-en-ro": Released(
        "mbart", "translation", {**special(BART), "decoder_start_token_id": 5}, None,
        {**BART, "decoder_start_token_id": 5, "num_beams": 5, "max_length": 200},
        {"translation_en_to_ro": {"decoder_start_token_id": 20}},
        {"decoder_start_token_id": 20, "num_beams": 5, "max_length": 200},
    ),
    "Helsinki-NLP/opus-mt-en-de": Released(
        "marian", "translation", special(MARIAN), {**MARIAN, "renormalize_logits": True},
        counts={"bad_words_ids": [[PAD]], "num_beams": 6, "max_length": 512, "forced_eos_token_id": 0,
                "renormalize_logits": True},
    ),
    "Helsinki-NLP/opus-mt-en-de, its first files": Released(
        "marian", "translation", special(MARIAN), None, MARIAN,
        counts={"bad_words_ids": [[PAD]], "num_beams": 6, "max_length": 512},
    ),
    "microsoft/prophetnet-large-uncased-cnndm": Released(
        "prophetnet", "summarization", special(PROPHETNET), None,
        {"length_penalty": 1.2, "max_length": 110, "min_length": 45, "no_repeat_ngram_size": 3, "num_beams": 5},
        counts={"length_penalty": 1.2, "max_length": 110, "min_length": 45, "no_repeat_ngram_size": 3, "num_beams": 5},
    ),
    **{
        f"{name}, {task}": Released(
            model_type, task.partition("_")[0], special(T5), generation, {"num_beams": 7} if generation is None else {},
            {
                "summarization": {**SUMMARIES, "max_length": 200, "min_length": 30, "prefix": "summarize: "},
                "translation_en_to_de": {
                    "early_stopping": True, "max_length": 300, "num_beams": 4, "prefix": "translate English to German: "
                },
            },
            counts, prefix, {"tgt_lang": "de"} if task.startswith("translation") else {},
        )
        for name, model_type in (("google-t5/t5-base", "t5"), ("a tuned google/mt5-small", "mt5"))
        for generation in (T5,)
        for task, prefix, counts in (
            ("summarization", "summarize: ", {**SUMMARIES, "max_length": 200, "min_length": 30}),
            (
                "translation_en_to_de", "translate English to German: ",
                {"early_stopping": True, "max_length": 300, "num_beams": 4},
            ),
        )
    },
}  # fmt: skip
INSTALLED = {entry.spec.name for entry in registry.specs(ArchitectureSpec)}
HERE = [name for name, each in FOLDERS.items() if each.model_type in INSTALLED]
TEXTS = ["w9 w8 w7 w21 w30", "w11 w12"]


def save_words(folder: Path, end: int, pad: int) -> None:
    """A tokenizer with the word ``w7`` for the id 7, which puts the end token behind a text."""
    folder.mkdir()
    words = {{end: "</s>", pad: "<pad>"}.get(number, f"w{number}"): number for number in range(PAD + 1)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w3"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["</s>", "<pad>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", end)])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>", "pad_token": "<pad>"}))


def save_model(folder: Path, released: Released) -> Any:
    """The reference's model, its folder speaking of generation as the released one does."""
    tiny, patch = case_of(released.model_type).tiny, case_of(released.model_type).variants[0].patch
    positions = {"max_position_embeddings": 600} if "max_position_embeddings" in tiny else {}
    layers = tiny.get("num_layers", tiny.get("num_encoder_layers"))  # theirs makes a cache of as many for the decoder
    same = {} if layers is None else {"num_decoder_layers": layers}
    sizes = {"vocab_size": PAD + 1, **positions, **same, **released.special}
    model = reference_model(
        Case(case_of(released.model_type), Variant("released", sizes, patch=patch), "conditional-generation")
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:  # positions that are computed are not
                parameter.mul_(1.5)  # texts that end at different steps
    model.save_pretrained(folder)
    config = {**json.loads((folder / "config.json").read_text()), **released.legacy}
    (folder / "config.json").write_text(json.dumps({**config, "task_specific_params": released.tasks}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    if released.generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(released.generation))
    return model


@pytest.mark.parametrize("name", HERE)
def test_a_task_decodes_as_the_files_say(name: str, tmp_path: Path) -> None:
    released = FOLDERS[name]
    model = save_model(tmp_path / "model", released)
    save_words(tmp_path / "words", released.special["eos_token_id"], released.special["pad_token_id"])
    run = tfx_core.pipeline(released.task, str(tmp_path / "model"), tokenizer=str(tmp_path / "words"), **released.given)
    found = [next(iter(each.values())) for each in run(TEXTS)]
    expected = []
    for text in TEXTS:
        ids = run.tokenizer(released.prefix + text, return_tensors="pt")["input_ids"]
        written = model.generate(ids, **{**released.special, **released.counts})[0, 1:].tolist()
        expected.append(run.tokenizer.decode(written, skip_special_tokens=True))
    assert found == expected
    assert all(len(text.split()) < released.counts["max_length"] for text in found)
