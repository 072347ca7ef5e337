"""A batch of the reference's collator for training without padding gives the reference's loss."""

from pathlib import Path

import torch
from transformers import DataCollatorWithFlattening

import tfx_core
from tests.parity.generation_reference import causal_model, prompts


def test_a_flattened_batch_has_the_references_loss(tmp_path: Path) -> None:
    reference = causal_model(seed=3)
    reference.save_pretrained(tmp_path)
    texts = [{"input_ids": row[:length].tolist()} for row, length in zip(prompts(1, 3), (6, 2, 4), strict=True)]
    batch = DataCollatorWithFlattening(return_tensors="pt")(texts)
    with torch.no_grad():
        theirs = reference(**batch, use_cache=False)
        ours = tfx_core.load_model(tmp_path)(**batch)
    torch.testing.assert_close(ours.logits, theirs.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.loss, theirs.loss)
