"""Encoders of sentences, of an architecture with a state of each token: what folders say is what is computed."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tfx_core
from tfx_core.embedding import POOLINGS, Dense, Normalize, pool
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.architectures.text import with_tokenizer
from tfx_testing.checks import each
from tfx_testing.released import model_with_tokenizer, released
from tfx_testing.tiny import perturbed

SENTENCES = ["hello abc", "ab world hello 3 ", "a", "abc " * 60, "Hello, world"]
OLD, NEW = "sentence_transformers.models", "sentence_transformers.base.modules"
PROMPTS = {"query": "ab: ", "passage": "abc hello: "}


def encodes_sentences(cls: type[CaseChecks]) -> Sequence[str]:
    """The head that has a state of each token, where texts can be pooled of them: ``"backbone"``, or an encoder's."""
    if "token-states" not in cls.case.spec.capabilities or cls.case.reads != "text":
        return []
    return with_tokenizer("encoder-only", "backbone")(cls)[:1]


@each(head=encodes_sentences)
class SentenceChecks(CaseChecks):
    """Vectors of sentences, and the folders that say how they are made."""

    @pytest.fixture
    def checkpoint(self, head: str, tmp_path: Path) -> Path:
        """A tiny model with every parameter perturbed, and its family's tokenizer."""
        folder = tmp_path / "checkpoint"
        tokenizer = tfx_core.load_tokenizer(released(self.case, tmp_path / "released"))
        perturbed(model_with_tokenizer(self.case, head, tokenizer), 2, 0.1).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    def test_vectors_are_the_first_or_the_mean_state_and_what_follows(
        self, head: str, checkpoint: Path, tmp_path: Path
    ) -> None:
        """An encoder's vectors are its states pooled, and then scaled or projected, with the prompts that it has.

        Where they are not: the first token is not in the first real place, or special tokens are left out of a mean.
        """
        plain = tfx_core.load_encoder(checkpoint, pooling="mean", max_length=20)
        torch.manual_seed(0)
        linear = nn.Linear(2 * plain.dimension, 5)
        encoders: tuple[tuple[Any, nn.Module, Callable[[Tensor], Tensor]], ...] = (
            ("cls", Normalize(), lambda x: F.normalize(x[0], dim=0)),
            ("mean", Normalize(), lambda x: F.normalize(x.mean(0), dim=0)),
            (["cls", "mean"], Dense(linear, nn.GELU()), lambda x: F.gelu(linear(torch.cat([x[0], x.mean(0)])))),
        )
        for number, (pooling, stage, by_hand) in enumerate(encoders):
            folder = tmp_path / str(number)
            options: Any = {"pooling": pooling, "stages": [stage], "prompts": PROMPTS, "max_length": 20}
            tfx_core.TextEncoder(plain.model, plain.tokenizer, **options).save_pretrained(folder)
            encoder = tfx_core.load_encoder(folder)
            asked = (
                (encoder.encode, ""),
                (encoder.encode_query, PROMPTS["query"]),
                (encoder.encode_document, PROMPTS["passage"]),
            )
            with torch.no_grad():
                for encode, prompt in asked:
                    expected = [by_hand(states(plain, prompt + text)) for text in SENTENCES]
                    _same(encode(SENTENCES), expected, f"{encode.__name__} with pooling {pooling}")

    def test_every_pooling_is_of_a_text_whatever_its_batch(self, head: str, checkpoint: Path) -> None:
        """Every way of pooling gives in a batch what it gives of the states of a text alone.

        Where it does not: states of padding are pooled, or states depend on it.
        """
        for how in POOLINGS:
            encoder = tfx_core.load_encoder(checkpoint, pooling=how, max_length=20)
            alone = [states(encoder, text) for text in SENTENCES]
            expected = [pool(each[None], torch.ones(1, len(each)), how)[0] for each in alone]
            _same(encoder.encode(SENTENCES), expected, f"pooling {how}")

    def test_folders_of_every_release_are_one_encoder(self, head: str, checkpoint: Path, tmp_path: Path) -> None:
        """Folders of sentence-transformers of every release, old and new, are read as the same encoder.

        Where they are not: the model's folder is saved in a form that cannot lie within another, or its number of
        positions is not what ``max_position_embeddings`` says.
        """
        plain = tfx_core.load_encoder(checkpoint, pooling="cls")
        expected = [
            torch.from_numpy(each) for each in plain.encode([each.lower() for each in SENTENCES], normalize=True)
        ]
        # folders name as many tokens as the table of positions has, some of which no text uses
        config: Any = plain.model.config
        length = config.max_position_embeddings or 512
        for number, write in enumerate((as_of_old, as_until_five, as_in_six)):
            write(tmp_path / str(number), checkpoint, length, plain.dimension)
            encoder = tfx_core.load_encoder(tmp_path / str(number))
            assert encoder.max_length == (plain.max_length or (length if write is not as_in_six else None))
            lowered = SENTENCES if encoder.lower_case else [text.lower() for text in SENTENCES]
            _same(encoder.encode(lowered), expected, f"a folder {write.__name__.replace('_', ' ')}")


def states(encoder: tfx_core.TextEncoder, text: str) -> Tensor:
    """Of the tokens of one text (S, D), as many as the encoder reads."""
    batch = encoder.tokenizer(text, truncation=True, max_length=encoder.max_length, return_tensors="pt")
    with torch.no_grad():
        found: Tensor = encoder.model(**batch).last_hidden_state[0]
    return found


def _same(vectors: Any, expected: Sequence[Tensor], what: str) -> None:
    np.testing.assert_allclose(vectors, torch.stack(list(expected)), rtol=1e-4, atol=1e-5, err_msg=what)


def as_of_old(folder: Path, checkpoint: Path, length: int, dimension: int) -> None:
    """Until release 2.0: the encoder in a folder of its own."""
    shutil.copytree(checkpoint, folder / "0_Transformer")
    settings = {"max_seq_length": length, "do_lower_case": True}
    (folder / "0_Transformer/sentence_bert_config.json").write_text(json.dumps(settings))
    flags = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": False}
    steps(folder, OLD, "0_Transformer", {"word_embedding_dimension": dimension, **flags})


def as_until_five(folder: Path, checkpoint: Path, length: int, dimension: int) -> None:
    """From 2.0 until 5: the encoder in the folder itself."""
    shutil.copytree(checkpoint, folder)
    settings = {"max_seq_length": length, "do_lower_case": True}
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    pooling = {"word_embedding_dimension": dimension, "pooling_mode_cls_token": True, "include_prompt": True}
    steps(folder, OLD, "", pooling)


def as_in_six(folder: Path, checkpoint: Path, length: int, dimension: int) -> None:
    """Which writes no length and no case: the tokenizer has them."""
    shutil.copytree(checkpoint, folder)
    settings = {
        "transformer_task": "feature-extraction",
        "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
        "module_output_name": "token_embeddings",
    }
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    steps(folder, NEW, "", {"embedding_dimension": dimension, "pooling_mode": "cls", "include_prompt": True})


def steps(folder: Path, package: str, transformer: str, pooling: dict[str, Any]) -> None:
    """Write what follows the encoder: its pooling, and vectors scaled to length 1."""
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    named = {transformer: "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    made = [{"path": path, "type": f"{package}.{kind}"} for path, kind in named.items()]
    (folder / "modules.json").write_text(json.dumps(made))
