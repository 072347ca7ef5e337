"""Encoding with a model that takes padded batches, as those of tfx, transformers and ONNX Runtime do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from encoding import Encode
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

Model = Callable[[Tensor, Tensor], Tensor]
"""Ids and mask ``(B, S)`` -> states ``(B, S, D)``."""

BATCH = 32
MAX_TOKENS = 256  # what the model's sentence-transformers settings say


def states_of(model: Any) -> Model:
    """As a torch model is called."""

    def call(ids: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = model(input_ids=ids, attention_mask=mask).last_hidden_state
        return states

    return call


def encode_ids_with(model: Model) -> Encode:
    """All texts in one call; how padding is passed over is the model's own affair."""

    def encode(texts: list[list[int]]) -> np.ndarray:
        with torch.inference_mode():
            ids = pad_sequence([torch.tensor(text) for text in texts], batch_first=True)
            lengths = torch.tensor([len(text) for text in texts])
            mask = torch.arange(ids.shape[1]) < lengths[:, None]
            states = model(ids, mask.long())[mask]
        array: np.ndarray = states.float().numpy()
        return array

    return encode


def encode_texts_with(model: Model, folder: str) -> Encode:
    """The way a sentence encoder's model card says: padded batches, the mean of real tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)

    def vectors_of(batch: list[str]) -> Tensor:
        inputs = tokenizer(batch, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        mask = inputs["attention_mask"][:, :, None].float()  # (B, S, 1)
        states = model(inputs["input_ids"], inputs["attention_mask"]).float()  # (B, S, D)
        means = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(means, dim=-1)

    def encode(texts: list[str]) -> np.ndarray:
        with torch.inference_mode():
            parts = [vectors_of(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
            array: np.ndarray = torch.cat(parts).numpy()
        return array

    return encode
