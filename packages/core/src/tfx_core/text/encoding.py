"""From the texts of a call to a `Batch`: check, tokenize, cut, fill up, and lay out the columns that it asks for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tokenizers import Encoding, pre_tokenizers

from tfx_core.errors import InputError, TextError
from tfx_core.text.batch import Batch
from tfx_core.text.columns import Grid, TensorKind, TokenRows, as_tensor, padded_lists
from tfx_core.text.guard import guarded
from tfx_core.text.inputs import CheckedTexts, Texts, check_texts, lone_surrogate
from tfx_core.text.languages import Part
from tfx_core.text.lengths import Padding, check_multiple, check_pair, plan_truncation
from tfx_core.text.vocabulary import Truncation, Vocabulary

_PER_TOKEN: dict[str, Callable[[Vocabulary, Encoding], Sequence[Any]]] = {
    "input_ids": lambda vocabulary, encoding: vocabulary.ids(encoding),
    "token_type_ids": lambda _, encoding: encoding.type_ids,
    "attention_mask": lambda _, encoding: encoding.attention_mask,
    "special_tokens_mask": lambda _, encoding: encoding.special_tokens_mask,
    "offset_mapping": lambda _, encoding: encoding.offsets,
}


@dataclass(frozen=True)
class Call:
    """What a call asks for, its arguments resolved."""

    columns: tuple[str, ...]
    """Names of the columns to return, without ``"overflow_to_sample_mapping"``, which comes with ``overflowing``."""

    strategy: str | None
    """How texts are cut to ``max_length`` tokens; None for not at all."""

    max_length: int
    stride: int
    truncation_side: str
    padding: Padding | None
    multiple_of: int | None
    tensors: TensorKind
    words: bool
    add_special_tokens: bool
    split_special_tokens: bool
    overflowing: bool

    def of(self, vocabulary: Vocabulary) -> "Call":
        """The call with the id that padding has in a vocabulary; targets can have one of their own."""
        number = None if self.padding is None else vocabulary.id(self.padding.token)
        if self.padding is None or number is None:
            return self
        return replace(self, padding=replace(self.padding, token_id=number))

    def truncation(self, vocabulary: Vocabulary, paired: bool) -> Truncation | None:
        """How texts, or pairs of them, are cut; raises `InputError` for arguments that contradict each other."""
        special = vocabulary.backend.num_special_tokens_to_add(paired) if self.add_special_tokens else 0
        truncation = plan_truncation(
            self.strategy, self.max_length, self.stride, self.truncation_side, special_tokens=special, paired=paired
        )
        check_multiple(self.multiple_of, self.padding is not None, truncation)
        return truncation


def encode(
    vocabulary: Callable[[Part], Vocabulary],
    call: Call,
    text: Texts | None,
    pair: Texts | None,
    target: Texts | None,
) -> Batch:
    """The rows of a call's texts, with those of its targets as ``labels``; without texts, those of its targets alone.

    ``vocabulary`` gives that of sources or targets, with what stands around them.
    Raises `TextError` for what is no text and `InputError` for what fits no tensor.
    """
    if target is None:
        if text is None:
            raise InputError("the tokenizer was given neither text nor text_target")
        return _encode(vocabulary("source"), call, text, pair, "text")
    targets = _encode(vocabulary("target"), call, target, None, "text_target")
    if text is None:
        return targets
    batch = _encode(vocabulary("source"), call, text, pair, "text")
    _check_targets(batch, targets)
    batch["labels"] = targets["input_ids"]
    return batch


def _check_targets(batch: Batch, targets: Batch) -> None:
    """Raise `InputError` for another number of targets than of texts; what is cut off a text may be rows of its own."""
    if targets.rows != batch.rows and "overflow_to_sample_mapping" not in batch:
        raise InputError(f"text_target has {targets.rows} texts, text has {batch.rows}; give one target for each text")


def _encode(vocabulary: Vocabulary, call: Call, text: Texts, pair: Texts | None, name: str) -> Batch:
    inputs = check_texts(text, pair, call.words, name)
    call = call.of(vocabulary)
    truncation = call.truncation(vocabulary, inputs.paired)
    if call.tensors is not None and not inputs.items:
        raise InputError(f"{name} is an empty batch, which makes no tensor")
    encodings = _tokenize(vocabulary, inputs, call, truncation, name)
    samples = list(range(len(encodings)))
    if call.overflowing:
        samples = [i for i, encoding in enumerate(encodings) for _ in range(1 + len(encoding.overflowing))]
        encodings = [row for encoding in encodings for row in (encoding, *encoding.overflowing)]
    longest = max(map(len, encodings), default=0)
    length = longest if call.padding is None else call.padding.target(longest)
    columns = _columns(vocabulary, encodings, samples, length, call)
    if call.tensors is None and not inputs.batched and not call.overflowing:
        columns = {column: values[0] if column in _PER_TOKEN else values for column, values in columns.items()}
    return Batch(columns, vocabulary.numbered(encodings), call.padding, length)


def _columns(
    vocabulary: Vocabulary, encodings: Sequence[Encoding], samples: list[int], length: int, call: Call
) -> dict[str, Any]:
    """The columns of tokens, (rows, length), and behind them those of rows, (rows,)."""
    lengths = [len(encoding) for encoding in encodings]
    rows: dict[str, TokenRows] = {
        column: [_PER_TOKEN[column](vocabulary, encoding) for encoding in encodings]
        for column in call.columns
        if column in _PER_TOKEN
    }
    per_row: dict[str, list[int]] = {}
    if "length" in call.columns:
        per_row["length"] = lengths if call.padding is None else [max(length, count) for count in lengths]
    if call.overflowing:
        per_row["overflow_to_sample_mapping"] = samples
    if call.tensors is not None:
        return _tensors(rows, per_row, Grid(lengths, length, call.padding), call.tensors)
    return {**(rows if call.padding is None else padded_lists(rows, call.padding, length)), **per_row}


def _tensors(rows: dict[str, TokenRows], per_row: dict[str, list[int]], grid: Grid, kind: TensorKind) -> dict[str, Any]:
    columns = {column: as_tensor(grid.array(column, values), kind) for column, values in rows.items()}
    return columns | {column: as_tensor(np.array(values, dtype=np.int64), kind) for column, values in per_row.items()}


def _tokenize(
    vocabulary: Vocabulary, inputs: CheckedTexts, call: Call, truncation: Truncation | None, name: str
) -> list[Encoding]:
    """The rows of the `tokenizers` library, whose errors say neither which text nor why."""
    backend = vocabulary.configured(truncation, call.split_special_tokens)
    pre_tokenizer = backend.pre_tokenizer
    if call.words and isinstance(pre_tokenizer, pre_tokenizers.ByteLevel) and not pre_tokenizer.add_prefix_space:
        raise TextError(
            "is_split_into_words=True: this tokenizer tells a word in a text from the start of the text by the blank "
            "before it, which words lack; load_tokenizer(…, add_prefix_space=True) gives them one"
        )
    if truncation is not None and truncation.stride and inputs.paired:
        _check_pairs(vocabulary, inputs, call, truncation, name)
    try:
        with guarded(f"{name} cannot be tokenized"):
            rows = list(
                backend.encode_batch(
                    inputs.items, is_pretokenized=call.words, add_special_tokens=call.add_special_tokens
                )
            )
            return vocabulary.spelled(rows, inputs.items)
    except TextError:
        surrogate = lone_surrogate(inputs, name)
        if surrogate is not None:
            raise surrogate from None
        if inputs.paired and truncation is not None:
            _check_pairs(vocabulary, inputs, call, truncation, name)
        raise


def _check_pairs(vocabulary: Vocabulary, inputs: CheckedTexts, call: Call, truncation: Truncation, name: str) -> None:
    """Raise `InputError` for a pair that cannot be cut; a text that is cut itself is tokenized here only if need be."""
    backend = vocabulary.configured(None, call.split_special_tokens)
    special = backend.num_special_tokens_to_add(True) if call.add_special_tokens else 0

    def lengths(side: int) -> list[int]:
        texts = [item[side] for item in inputs.items if isinstance(item, tuple)]
        with guarded(f"{name} cannot be tokenized"):
            encodings = backend.encode_batch(texts, is_pretokenized=call.words, add_special_tokens=False)
        return [len(encoding) for encoding in encodings]

    room = truncation.max_length - special
    intact = {"only_first": 1, "only_second": 0}.get(truncation.strategy)
    if intact is not None and max(lengths(intact), default=0) < room - truncation.stride:
        return
    if intact is None and truncation.stride < room // 2:
        return
    for row, (first, second) in enumerate(zip(lengths(0), lengths(1), strict=True)):
        check_pair(truncation, first, second, special, f"{name}[{row}]" if inputs.batched else name)
