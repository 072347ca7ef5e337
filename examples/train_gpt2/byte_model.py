"""A byte model with back-off, to compare with: what counting alone knows of the next byte."""

import numpy as np


class ByteModel:
    """Counts of bytes after up to ``order`` bytes, interpolated after Witten and Bell (1991).

    ``P_k = (count + distinct · P_{k-1}) / (total + distinct)``, from the uniform distribution up to the longest
    context that occurred in training. At most seven bytes of context.
    """

    def __init__(self, training: bytes, order: int) -> None:
        if not 0 <= order <= 7:
            raise ValueError(f"order={order}: must be from 0 to 7")
        self.order = order
        self._tables = [self._table(training, length) for length in range(order + 1)]

    def bits_per_byte(self, text: bytes) -> float:
        """Mean of ``-log2 P`` over the bytes that have a whole context before them."""
        probability = np.full(len(text) - self.order, 1 / 256)
        for length, (keys, counts, contexts, totals, distinct) in enumerate(self._tables):
            grams = _grams(text, length)[self.order - length :]
            count = _looked_up(keys, counts, grams)
            total = _looked_up(contexts, totals, grams >> np.uint64(8))
            kinds = _looked_up(contexts, distinct, grams >> np.uint64(8))
            known = total > 0
            mixed = (count + kinds * probability) / np.maximum(total + kinds, 1)
            probability = np.where(known, mixed, probability)
        return float(-np.log2(probability).mean())

    @staticmethod
    def _table(text: bytes, length: int) -> tuple[np.ndarray, ...]:
        keys, counts = np.unique(_grams(text, length), return_counts=True)
        contexts, first, distinct = np.unique(keys >> np.uint64(8), return_index=True, return_counts=True)
        return keys, counts, contexts, np.add.reduceat(counts, first), distinct


def _grams(text: bytes, length: int) -> np.ndarray:
    """Every byte with the ``length`` bytes before it, as one number each."""
    values = np.frombuffer(text, dtype=np.uint8).astype(np.uint64)
    grams = np.zeros(len(values) - length, dtype=np.uint64)
    for place in range(length + 1):
        grams = (grams << np.uint64(8)) | values[place : len(values) - length + place]
    return grams


def _looked_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    places = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)
