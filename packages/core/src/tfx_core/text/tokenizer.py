"""`Tokenizer`: texts to model inputs and ids back to text, with the calling conventions of transformers."""

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, overload

from tokenizers import AddedToken

from tfx_core.errors import InputError, TextError
from tfx_core.text.batch import Batch
from tfx_core.text.columns import TensorKind, check_tensor_kind
from tfx_core.text.decoding import Row, clean_up, decode_rows, ids_of, rows_of
from tfx_core.text.encoding import Call, encode
from tfx_core.text.inputs import Texts, read_inputs
from tfx_core.text.lengths import (
    Padding,
    PaddingOption,
    TruncationOption,
    check_multiple,
    check_side,
    plan_padding_length,
    plan_truncation,
    truncation_strategy,
)
from tfx_core.text.padding import pad_columns, read_rows
from tfx_core.text.recipe import SPECIAL_ROLES, Side
from tfx_core.text.roles import RoleId, RoleToken
from tfx_core.text.saving import Origin, write_tokenizer
from tfx_core.text.vocabulary import Vocabulary

_CHANGES = threading.Lock()
"""Held while a tokenizer's vocabulary is exchanged for a changed one, so that no change is lost."""


class Tokenizer:
    """Turns texts into the inputs of a model and ids back into text; made by `tfx_core.load_tokenizer`.

    Calls leave no trace in the tokenizer, so one serves many threads. A text is cut only where the call asks for it:
    one that is longer than the model takes is the model's to refuse. Names and defaults are those of transformers.
    """

    bos_token, bos_token_id = RoleToken(), RoleId()
    eos_token, eos_token_id = RoleToken(), RoleId()
    unk_token, unk_token_id = RoleToken(), RoleId()
    sep_token, sep_token_id = RoleToken(), RoleId()
    pad_token, pad_token_id = RoleToken(), RoleId()
    cls_token, cls_token_id = RoleToken(), RoleId()
    mask_token, mask_token_id = RoleToken(), RoleId()

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        model_max_length: int,
        model_input_names: Sequence[str],
        padding_side: Side = "right",
        truncation_side: Side = "right",
        pad_token_type_id: int = 0,
        clean_up_tokenization_spaces: bool = False,
        split_special_tokens: bool = False,
        origin: "Origin | None" = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.model_max_length = model_max_length
        self.model_input_names = tuple(model_input_names)
        self.padding_side = padding_side
        self.truncation_side = truncation_side
        self.pad_token_type_id = pad_token_type_id
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.split_special_tokens = split_special_tokens
        self.origin = origin

    # -- texts to ids --------------------------------------------------------------------------------------------------

    def __call__(
        self,
        text: Texts | None = None,
        text_pair: Texts | None = None,
        *,
        text_target: Texts | None = None,
        add_special_tokens: bool = True,
        padding: PaddingOption = False,
        truncation: TruncationOption = None,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: Side | None = None,
        return_tensors: TensorKind = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        split_special_tokens: bool | None = None,
    ) -> Batch:
        """The inputs of a model for one text, or for a batch of them.

        ``text_pair`` goes behind ``text`` in the same row; ``text_target`` is what a translation should give: its ids
        are ``labels`` beside those of ``text``, or the whole batch where there is no ``text``. ``max_length`` counts
        special tokens and is the model's where left out; where the model has none, ``truncation`` cuts nothing.
        ``return_overflowing_tokens`` gives what truncation cut off as further rows, each of which repeats ``stride``
        tokens of the one before, and ``overflow_to_sample_mapping`` says which text they are of. Raises `TextError`
        for what is no text, `InputError` for arguments that contradict each other.
        """
        check_tensor_kind(return_tensors)
        vocabulary = self.vocabulary
        split = self.split_special_tokens if split_special_tokens is None else split_special_tokens
        limit = self.model_max_length if max_length is None else max_length
        strategy = truncation_strategy(truncation, padding, max_length)
        filling = self._padding(vocabulary, padding, limit, pad_to_multiple_of, padding_side)
        wanted = {
            "input_ids": True,
            "token_type_ids": return_token_type_ids,
            "attention_mask": return_attention_mask,
            "special_tokens_mask": return_special_tokens_mask,
            "offset_mapping": return_offsets_mapping,
            "length": return_length,
        }
        wanted = {name: name in self.model_input_names if yes is None else yes for name, yes in wanted.items()}

        def encoded(texts: Texts, pair: Texts | None, name: str) -> Batch:
            inputs = read_inputs(texts, pair, is_split_into_words, name)
            special = vocabulary.backend.num_special_tokens_to_add(inputs.paired) if add_special_tokens else 0
            cut = plan_truncation(
                strategy, limit, stride, self.truncation_side, special_tokens=special, paired=inputs.paired
            )
            check_multiple(pad_to_multiple_of, filling is not None, cut)
            call = Call(
                columns=tuple(name for name, yes in wanted.items() if yes),
                truncation=cut,
                padding=filling,
                tensors=return_tensors,
                words=is_split_into_words,
                add_special_tokens=add_special_tokens,
                split_special_tokens=split,
                overflowing=return_overflowing_tokens,
            )
            return encode(vocabulary, inputs, call, name)

        if text_target is None:
            if text is None:
                raise InputError("the tokenizer was given neither text nor text_target")
            return encoded(text, text_pair, "text")
        target = encoded(text_target, None, "text_target")
        if text is None:
            return target
        batch = encoded(text, text_pair, "text")
        batch["labels"] = target["input_ids"]
        return batch

    def encode(
        self,
        text: Texts,
        text_pair: Texts | None = None,
        *,
        add_special_tokens: bool = True,
        padding: PaddingOption = False,
        truncation: TruncationOption = None,
        max_length: int | None = None,
        is_split_into_words: bool = False,
        return_tensors: TensorKind = None,
    ) -> Any:
        """The ``input_ids`` alone of what calling the tokenizer gives."""
        return self(
            text,
            text_pair,
            add_special_tokens=add_special_tokens,
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            is_split_into_words=is_split_into_words,
            return_tensors=return_tensors,
        )["input_ids"]

    def tokenize(self, text: str, pair: str | None = None, *, add_special_tokens: bool = False) -> list[str]:
        """The tokens of a text, as strings."""
        return self(text, pair, add_special_tokens=add_special_tokens).tokens()

    def pad(
        self,
        encoded_inputs: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        padding: PaddingOption = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: Side | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: TensorKind = None,
    ) -> Batch:
        """Fill up what was tokenized earlier: a mapping of columns, or one mapping for each text.

        Columns per token (``input_ids``, ``token_type_ids``, ``attention_mask``, ``special_tokens_mask``,
        ``offset_mapping``) are filled up, others pass. Tensors come back as tensors unless ``return_tensors`` says
        otherwise. Raises `InputError`.
        """
        check_tensor_kind(return_tensors)
        columns, kind, batched = read_rows(encoded_inputs)
        limit = self.model_max_length if max_length is None else max_length
        filling = self._padding(self.vocabulary, padding, limit, pad_to_multiple_of, padding_side)
        check_multiple(pad_to_multiple_of, filling is not None, None)
        mask = "attention_mask" in self.model_input_names if return_attention_mask is None else return_attention_mask
        if mask and "attention_mask" not in columns:
            columns["attention_mask"] = [[1] * len(row) for row in columns["input_ids"]]
        return pad_columns(columns, filling, return_tensors or kind, batched)

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens a text, or a pair, gets."""
        return int(self.vocabulary.backend.num_special_tokens_to_add(pair))

    # -- ids to texts --------------------------------------------------------------------------------------------------

    def decode(
        self,
        token_ids: "int | Row",
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> str:
        """The text of one row of ids; raises `TextError` that names the position of what is no id."""
        return self._decode([ids_of(token_ids)], skip_special_tokens, clean_up_tokenization_spaces)[0]

    def batch_decode(
        self,
        sequences: "Sequence[int | Row] | Row",
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> list[str]:
        """The text of each row of ids."""
        return self._decode(rows_of(sequences), skip_special_tokens, clean_up_tokenization_spaces)

    def _decode(self, rows: list[list[int]], skip_special_tokens: bool, clean: bool | None) -> list[str]:
        texts = decode_rows(self.vocabulary.backend, rows, skip_special_tokens)
        clean = self.clean_up_tokenization_spaces if clean is None else clean
        return [clean_up(text) for text in texts] if clean else texts

    # -- tokens and ids ------------------------------------------------------------------------------------------------

    @overload
    def convert_tokens_to_ids(self, tokens: str) -> int: ...
    @overload
    def convert_tokens_to_ids(self, tokens: list[str] | tuple[str, ...]) -> list[int]: ...
    def convert_tokens_to_ids(self, tokens: str | list[str] | tuple[str, ...]) -> int | list[int]:
        """The ids of tokens, that of ``unk_token`` for unknown ones; raises `TextError` where there is none."""
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        number = self.vocabulary.id(tokens)
        if number is None:
            number = self.unk_token_id
        if number is None:
            raise TextError(f"{tokens!r} is not in the vocabulary, and this tokenizer has no token for unknown ones")
        return number

    @overload
    def convert_ids_to_tokens(self, ids: int, *, skip_special_tokens: bool = False) -> str: ...
    @overload
    def convert_ids_to_tokens(self, ids: Row, *, skip_special_tokens: bool = False) -> list[str]: ...
    def convert_ids_to_tokens(self, ids: "int | Row", *, skip_special_tokens: bool = False) -> str | list[str]:
        """The tokens of ids; raises `TextError` for an id that the vocabulary lacks."""
        numbers = ids_of(ids)
        tokens = [self.vocabulary.token(number) for number in numbers]
        if isinstance(ids, int):
            return tokens[0]
        special = set(self.vocabulary.special_tokens) if skip_special_tokens else ()
        return [token for token in tokens if token not in special]

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text of tokens."""
        decoder = self.vocabulary.backend.decoder
        return " ".join(tokens) if decoder is None else str(decoder.decode(list(tokens)))

    def get_vocab(self) -> dict[str, int]:
        """Every token and its id, added ones included."""
        return dict(self.vocabulary.backend.get_vocab(with_added_tokens=True))

    def get_added_vocab(self) -> dict[str, int]:
        """The added tokens and their ids, special ones included, in the order of ids."""
        return {token.content: number for number, token in self.added_tokens_decoder.items()}

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Id -> added token, special ones included, in the order of ids."""
        return dict(sorted(self.vocabulary.backend.get_added_tokens_decoder().items()))

    @property
    def vocab_size(self) -> int:
        """The number of tokens without added ones; ``len(tokenizer)`` counts those too."""
        return int(self.vocabulary.backend.get_vocab_size(with_added_tokens=False))

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"Tokenizer({len(self)} tokens, {self.special_tokens_map})"

    # -- special and added tokens --------------------------------------------------------------------------------------

    @property
    def special_tokens_map(self) -> dict[str, str | list[str]]:
        """Role -> token; under ``additional_special_tokens`` the special tokens without a role."""
        tokens: dict[str, str | list[str]] = {role: token.content for role, token in self.vocabulary.roles.items()}
        if self.vocabulary.additional:
            tokens["additional_special_tokens"] = self.additional_special_tokens
        return tokens

    @property
    def additional_special_tokens(self) -> list[str]:
        """The special tokens without a role."""
        return [token.content for token in self.vocabulary.additional]

    @property
    def additional_special_tokens_ids(self) -> list[int]:
        """The ids of the special tokens without a role."""
        return self.convert_tokens_to_ids(self.additional_special_tokens)

    @property
    def all_special_tokens(self) -> list[str]:
        """Every special token once."""
        return list(self.vocabulary.special_tokens)

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of `all_special_tokens`."""
        return self.convert_tokens_to_ids(self.all_special_tokens)

    def add_tokens(
        self, new_tokens: "str | AddedToken | Sequence[str | AddedToken]", special_tokens: bool = False
    ) -> int:
        """Add tokens at the end of the vocabulary; gives the number that was not there before.

        The model's embeddings must grow to ``len(tokenizer)`` rows.
        """
        tokens = [new_tokens] if isinstance(new_tokens, str | AddedToken) else new_tokens
        with _CHANGES:
            before = len(self)
            self.vocabulary = self.vocabulary.adding(tokens, special_tokens)
            return len(self) - before

    def add_special_tokens(
        self,
        special_tokens_dict: Mapping[str, "str | AddedToken | Sequence[str | AddedToken]"],
        replace_additional_special_tokens: bool = True,
    ) -> int:
        """Give roles to tokens, ``{"pad_token": "[PAD]"}``, adding those that the vocabulary lacks; gives their number.

        ``additional_special_tokens`` takes a list of tokens, in place of those that are there or beside them.
        """
        roles: dict[str, AddedToken | None] = {}
        additional = list(self.vocabulary.additional)
        new: list[AddedToken] = []  # in the order in which they are given, which is that of their ids
        for role, value in special_tokens_dict.items():
            if role == "additional_special_tokens" and not isinstance(value, str | AddedToken):
                tokens = [_special(token) for token in value]
                kept = [] if replace_additional_special_tokens else additional
                known = {token.content for token in kept}
                additional = kept + [token for token in tokens if token.content not in known]
                new += tokens
            elif role in SPECIAL_ROLES and isinstance(value, str | AddedToken):
                roles[role] = _special(value)
                new.append(_special(value))
            else:
                accepted = ", ".join((*SPECIAL_ROLES, "additional_special_tokens (a list)"))
                raise InputError(f"{role}={value!r} names no role of a special token; roles are {accepted}")
        with _CHANGES:
            before = len(self)
            self.vocabulary = self.vocabulary.adding(new, special=True).assigning(roles, additional)
            return len(self) - before

    def assign_roles(self, roles: Mapping[str, "str | AddedToken | None"]) -> None:
        """Give roles to tokens of the vocabulary, or (None) take them away; raises `TextError` for unknown tokens."""
        tokens = {role: None if token is None else _special(token) for role, token in roles.items()}
        with _CHANGES:
            self.vocabulary = self.vocabulary.assigning(tokens, self.vocabulary.additional)

    # -- saving --------------------------------------------------------------------------------------------------------

    def save_pretrained(self, save_directory: "str | os.PathLike[str]") -> tuple[str, ...]:
        """Write the files that this library and transformers read the tokenizer back from; gives their paths."""
        return write_tokenizer(self, save_directory)

    def _padding(
        self, vocabulary: Vocabulary, option: PaddingOption, limit: int, multiple_of: int | None, side: Side | None
    ) -> Padding | None:
        padded, length = plan_padding_length(option, limit)
        if not padded:
            return None
        token, number = vocabulary.roles.get("pad_token"), vocabulary.role_id("pad_token")
        if token is None or number is None:
            raise InputError(
                "this tokenizer has no pad_token to pad with; set one: tokenizer.pad_token = tokenizer.eos_token"
            )
        side = check_side(self.padding_side if side is None else side, "padding_side")
        return Padding(token.content, number, self.pad_token_type_id, side, length, multiple_of)


def _special(token: str | AddedToken) -> AddedToken:
    return AddedToken(token, special=True, normalized=False) if isinstance(token, str) else token
