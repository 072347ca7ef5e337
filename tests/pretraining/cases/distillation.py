"""Distillation, by a teacher that has learnt the texts."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from tests.cases import case_of
from tests.core.text.folders import write
from tests.pretraining.texts import COUNTED
from tfx_core import Model, Tokenizer, load_tokenizer, new_model
from tfx_core.collators import MaskedTokens
from tfx_testing import ObjectiveCase
from tfx_training import Document


def _tokenizer() -> Tokenizer:
    with TemporaryDirectory() as folder:
        files = {**case_of("bert").released(), "config.json": {"model_type": "bert"}}
        return load_tokenizer(write(Path(folder), files))


def _teacher() -> Model:
    tokenizer = _tokenizer()
    teacher = new_model("bert", head="masked-lm", seed=0, **{**case_of("bert").tiny, "vocab_size": len(tokenizer)})
    collate = MaskedTokens(tokenizer, seed=0)
    rows = [dict(tokenizer(text, truncation=True, max_length=24)) for text in COUNTED]
    optimizer = torch.optim.AdamW(teacher.parameters(), 5e-3)
    for step in range(100):
        batch = collate([rows[(8 * step + place) % len(rows)] for place in range(8)])
        loss = teacher(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    return teacher


CASE = ObjectiveCase(
    [Document.of(text) for text in COUNTED],
    {"length": 24, "teacher": _teacher(), "layers": ()},
)
