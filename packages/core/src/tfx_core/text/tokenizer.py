"""`Tokenizer`: texts to model inputs and ids back to text, with the calling conventions of transformers."""

import os
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from tfx_core.errors import InputError, shown
from tfx_core.habits import hint, understands
from tfx_core.text.batch import Batch
from tfx_core.text.chats import Chats, ChatTemplate
from tfx_core.text.columns import TensorKind, check_tensor_kind
from tfx_core.text.decoding import Row, ids_of, rows_of, unsettled_tokens
from tfx_core.text.encoding import Call, encode
from tfx_core.text.framing import Framing
from tfx_core.text.inputs import Texts
from tfx_core.text.known_tokens import Elsewhere
from tfx_core.text.languages import ONE_WAY, UNDIRECTED, Direction, KnownLanguages, Part
from tfx_core.text.lengths import (
    Padding,
    PaddingOption,
    SideSetting,
    TruncationOption,
    check_multiple,
    check_side,
    plan_padding_length,
    truncation_strategy,
)
from tfx_core.text.padding import pad_columns, read_rows
from tfx_core.text.recipe import JSON, Side
from tfx_core.text.tokenizer_writing import Origin, write_tokenizer
from tfx_core.text.vocabulary import Vocabulary


class LanguageSetting:
    """The language of a part of a translation, where a call names none; ``None`` for a tokenizer that tells none."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.option = name
        self.part = {"src_lang": "source", "tgt_lang": "target"}[name]

    def __get__(self, tokenizer: "Tokenizer | None", owner: type) -> Any:
        return self if tokenizer is None else getattr(tokenizer.direction, self.part)

    def __set__(self, tokenizer: "Tokenizer", name: str | None) -> None:
        directed = tokenizer.default_direction if name is None else tokenizer.directed(**{self.option: name})
        tokenizer.direction = tokenizer.direction._replace(**{self.part: getattr(directed, self.part)})


class Tokenizer(Chats, Framing):
    """Turns texts into the inputs of a model and ids back into text; made by `tfx_core.load_tokenizer`.

    Calls leave no trace in the tokenizer, so one serves many threads. A text is cut only where the call asks for it:
    one that is longer than the model takes is the model's to refuse. Names and defaults are those of transformers.
    """

    padding_side, truncation_side = SideSetting(), SideSetting()
    src_lang, tgt_lang = LanguageSetting(), LanguageSetting()
    _texts: Part = "source"
    from_pretrained = Elsewhere()

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
        question_first: bool | None = None,
        chat_template: ChatTemplate = None,
        origin: Origin | None = None,
        target: Vocabulary | None = None,
        languages: KnownLanguages | None = None,
        direction: Direction = UNDIRECTED,
    ) -> None:
        super().__init__(vocabulary, chat_template)
        self._target = target
        self._languages = languages
        self.direction = direction
        self.model_max_length = model_max_length
        self.model_input_names = tuple(model_input_names)
        self.padding_side = padding_side
        self.truncation_side = truncation_side
        self.pad_token_type_id = pad_token_type_id
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.split_special_tokens = split_special_tokens
        self._question_first = question_first
        self.origin = origin

    def __getattr__(self, name: str) -> Any:
        """The family's own keys of ``tokenizer_config.json``, by their names: XLM's ``lang2id``."""
        origin: Origin | None = vars(self).get("origin")
        if origin is not None and origin.recipe is not None and name in origin.recipe.options:
            return origin.settings.values[name]
        return super().__getattr__(name)

    @property
    def question_first(self) -> bool:
        """Whether the models of this tokenizer answer questions that stand before their text, and not behind it."""
        return self.padding_side == "right" if self._question_first is None else self._question_first

    @property
    def control_codes(self) -> dict[str, int]:
        """Tokens with one of which a text begins, and their ids, where the models were trained so; else empty.

        Those of the family that this vocabulary has.
        """
        codes = () if self.origin is None else self.origin.facts.control_codes
        numbers = {code: self.vocabulary.id(code) for code in codes}
        return {code: number for code, number in numbers.items() if number is not None}

    @property
    def name_or_path(self) -> str:
        """The folder or hub id that it came from; empty for one that was made here."""
        return "" if self.origin is None else self.origin.settings.label.rpartition("/")[0]

    # -- two sides -----------------------------------------------------------------------------------------------------

    @property
    def languages(self) -> tuple[str, ...]:
        """The names of the languages that it tells, for ``src_lang`` and ``tgt_lang``; empty where it tells none."""
        return () if self._languages is None else tuple(self._languages.tokens(self.vocabulary))

    @property
    def lang_code_to_id(self) -> dict[str, int]:
        """The id of each language's token."""
        tokens = {} if self._languages is None else self._languages.tokens(self.vocabulary)
        return {name: self.convert_tokens_to_ids(token) for name, token in tokens.items()}

    @property
    def default_direction(self) -> Direction:
        """From which language to which, where neither a folder nor a caller says it."""
        return UNDIRECTED if self._languages is None else self._languages.default_direction(self.vocabulary)

    @property
    def framed(self) -> Vocabulary:
        """The tokens of sources, with what stands around one of the tokenizer's direction."""
        return self._side("source", self.direction)

    def as_target(self) -> "Tokenizer":
        """The tokenizer of targets: texts, tokens and ids are theirs; it and this one change apart from each other."""
        targets = copy(self)
        targets.vocabulary, targets._target, targets._texts = self.target_vocabulary, None, "target"
        return targets

    def directed(self, src_lang: str | None = None, tgt_lang: str | None = None) -> Direction:
        """From which language to which, by these names or else the tokenizer's own; `InputError` for unknown ones."""
        source, target = self.direction
        if src_lang is not None:
            source = self._checked_language("source", src_lang)
        if tgt_lang is not None:
            target = self._checked_language("target", tgt_lang)
        return Direction(source, target)

    def asking_for(self, tgt_lang: str) -> dict[str, int]:
        """The options of generation with which a model writes this language: ``{"forced_bos_token_id": 250001}``.

        Empty for models that are told by the source. Raises `InputError` for an unknown language.
        """
        name = self._checked_language("target", tgt_lang)
        assert self._languages is not None
        return self._languages.asking_for(self.vocabulary, self.target_vocabulary, name)

    def _checked_language(self, part: Part, name: str) -> str:
        option = "src_lang" if part == "source" else "tgt_lang"
        if self._languages is None:
            raise InputError(f"{option}={shown(name)}: {ONE_WAY}")
        return self._languages.checked(self.vocabulary, part, name, option)

    def _side(self, part: Part, direction: Direction) -> Vocabulary:
        vocabulary = self.vocabulary if part == "source" else self.target_vocabulary
        part = self._texts if part == "source" else part
        if self._languages is None or not self.languages:
            return vocabulary
        return self._languages.framed(vocabulary, part, direction)

    # -- texts to ids --------------------------------------------------------------------------------------------------

    @understands("tokenizer(…)")
    def __call__(
        self,
        text: Texts | None = None,
        text_pair: Texts | None = None,
        *,
        text_target: Texts | None = None,
        src_lang: str | None = None,
        tgt_lang: str | None = None,
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
        are ``labels`` beside those of ``text``, or the whole batch where there is no ``text``. ``src_lang`` and
        ``tgt_lang`` are of the `languages`, by default those that the tokenizer has. ``max_length`` counts
        special tokens and is the model's where left out; where the model has none, ``truncation`` cuts nothing.
        ``return_overflowing_tokens`` gives what truncation cut off as further rows, each of which repeats ``stride``
        tokens of the one before, and ``overflow_to_sample_mapping`` says which text they are of. Raises `TextError`
        for what is no text, `InputError` for arguments that contradict each other.
        """
        check_tensor_kind(return_tensors)
        vocabulary = self.vocabulary
        limit = self.model_max_length if max_length is None else max_length
        call = Call(
            columns=self._columns(
                input_ids=True,
                token_type_ids=return_token_type_ids,
                attention_mask=return_attention_mask,
                special_tokens_mask=return_special_tokens_mask,
                offset_mapping=return_offsets_mapping,
                length=return_length,
            ),
            strategy=truncation_strategy(truncation, padding, max_length),
            max_length=limit,
            stride=stride,
            truncation_side=self.truncation_side,
            padding=self._padding(vocabulary, padding, limit, pad_to_multiple_of, padding_side),
            multiple_of=pad_to_multiple_of,
            tensors=return_tensors,
            words=is_split_into_words,
            add_special_tokens=add_special_tokens,
            split_special_tokens=self.split_special_tokens if split_special_tokens is None else split_special_tokens,
            overflowing=return_overflowing_tokens,
        )
        direction = self.directed(src_lang, tgt_lang)
        return encode(lambda part: self._side(part, direction), call, text, text_pair, text_target)

    def encode(self, text: Texts, text_pair: Texts | None = None, **options: Any) -> Any:
        """The ``input_ids`` alone of what calling the tokenizer gives."""
        return self(text, text_pair, **options)["input_ids"]

    def encode_plus(self, text: Texts, text_pair: Texts | None = None, **options: Any) -> Batch:
        """What calling the tokenizer gives, by an older name."""
        return self(text, text_pair, **options)

    def batch_encode_plus(self, batch_text_or_text_pairs: Texts, **options: Any) -> Batch:
        """What calling the tokenizer gives for several texts, by an older name."""
        return self(batch_text_or_text_pairs, **options)

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

    @property
    def max_len_single_sentence(self) -> int:
        """Tokens of a text that fit beside the special ones."""
        return self.model_max_length - self.num_special_tokens_to_add()

    @property
    def max_len_sentences_pair(self) -> int:
        """Tokens of a text and its pair that fit beside the special ones."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=True)

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens a text, or a pair, gets."""
        return int(self.framed.backend.num_special_tokens_to_add(pair))

    # -- ids to texts --------------------------------------------------------------------------------------------------

    def decode(
        self,
        token_ids: "int | Row",
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        use_source_tokenizer: bool = False,
    ) -> str:
        """The text of one row of ids, a target's unless ``use_source_tokenizer``.

        Raises `TextError` that names the position of what is no id.
        """
        rows = [ids_of(token_ids)]
        return self._decode(rows, skip_special_tokens, clean_up_tokenization_spaces, use_source_tokenizer)[0]

    def batch_decode(
        self,
        sequences: "Sequence[int | Row] | Row",
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        use_source_tokenizer: bool = False,
    ) -> list[str]:
        """The text of each row of ids, as `decode` gives it."""
        rows = rows_of(sequences)
        return self._decode(rows, skip_special_tokens, clean_up_tokenization_spaces, use_source_tokenizer)

    @property
    def unsettled_tokens(self) -> int:
        """How many tokens at the end of a text may look different once others follow."""
        return unsettled_tokens(self.target_vocabulary.backend)

    def _decode(
        self, rows: list[list[int]], skip_special_tokens: bool, clean: bool | None, of_source: bool
    ) -> list[str]:
        clean = self.clean_up_tokenization_spaces if clean is None else clean
        vocabulary = self.vocabulary if of_source else self.target_vocabulary
        texts = vocabulary.decoder.rows(rows, skip_special_tokens, clean)
        strips = self.origin is not None and self.origin.facts.strips_decoded
        return [text.strip() for text in texts] if strips else texts

    def __repr__(self) -> str:
        direction = f"{self.src_lang} -> {self.tgt_lang}, " if self.languages else ""
        return f"Tokenizer({len(self)} tokens, {direction}{self.special_tokens_map})"

    # -- saving --------------------------------------------------------------------------------------------------------

    def save_pretrained(self, save_directory: "str | os.PathLike[str]") -> tuple[str, ...]:
        """Write the files that this library and transformers read the tokenizer back from; gives their paths."""
        if self._texts == "target":
            raise InputError("this is one side of a tokenizer, as_target(); save the tokenizer that it was made of")
        conventions: dict[str, JSON] = {
            "clean_up_tokenization_spaces": self.clean_up_tokenization_spaces,
            "model_input_names": list(self.model_input_names),
            "model_max_length": self.model_max_length,
            "padding_side": self.padding_side,
            "truncation_side": self.truncation_side,
            **({} if self._languages is None else {"src_lang": self.src_lang, "tgt_lang": self.tgt_lang}),
        }
        return write_tokenizer(save_directory, self, conventions, self.chat_template, self.origin)

    # -- what a call asks for ------------------------------------------------------------------------------------------

    def _columns(self, **asked: bool | None) -> tuple[str, ...]:
        """The columns that a call returns; None leaves one to ``model_input_names``."""
        return tuple(name for name, yes in asked.items() if (name in self.model_input_names if yes is None else yes))

    def _padding(
        self, vocabulary: Vocabulary, option: PaddingOption, limit: int, multiple_of: int | None, side: Side | None
    ) -> Padding | None:
        side = check_side(self.padding_side if side is None else side, "padding_side")
        padded, length = plan_padding_length(option, limit)
        if not padded:
            return None
        token, number = vocabulary.roles.get("pad_token"), vocabulary.role_id("pad_token")
        if token is None or number is None:
            raise InputError(f"this tokenizer has no pad_token to pad with; {hint('tokenizer(…)', 'padding=True')}")
        return Padding(token.content, number, self.pad_token_type_id, side, length, multiple_of)
