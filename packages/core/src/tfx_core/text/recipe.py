"""What a family says about its text: the facts of its tokenizer and how to build it from the released legacy files.

`tokenizer.json` is used when a folder has one, and then `Recipe.adapt` applies what `tokenizer_config.json` says over
it; otherwise `Recipe.build` makes the same tokenizer. Both get one `Settings`: the folder's files, merged and checked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tokenizers import AddedToken, Tokenizer

from tfx_core.errors import TextError
from tfx_core.fields import checked

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder
    from tfx_core.text.languages import Languages
    from tfx_core.text.numbering import Numbered

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
Side = Literal["left", "right"]

SPECIAL_ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""The roles that a special token can have, named as in ``special_tokens_map.json``."""


@dataclass(frozen=True)
class TextFacts:
    """What is true of a family's tokenizer unless a folder's ``tokenizer_config.json`` says otherwise."""

    tokenizer_class: str
    """Written to ``tokenizer_config.json``, so that transformers reads a saved folder back."""

    special_tokens: Mapping[str, str | AddedToken] = field(default_factory=dict)
    """Role (one of `SPECIAL_ROLES`) -> token; an `AddedToken` where it takes the blanks beside it (``lstrip``).

    A folder that gives the role to another token, without flags, gives it these flags.
    """

    additional_special_tokens: tuple[str | AddedToken, ...] = ()
    """Special tokens without a role, such as T5's sentinels and mBART's language codes."""

    model_input_names: tuple[str, ...] = ("input_ids", "attention_mask")
    """What a call returns by default; with ``"token_type_ids"`` for models that have token types."""

    padding_side: Side = "right"
    truncation_side: Side = "right"
    pad_token_type_id: int = 0
    clean_up_tokenization: bool = False
    """Whether `decode` removes the blanks before English punctuation and contractions by default."""

    strips_decoded: bool = False
    """Whether what `decode` gives neither begins nor ends with blanks."""

    control_codes: tuple[str, ...] = ()
    """Tokens with one of which every text of the models' training begins, for models that were trained so (CTRL)."""

    question_first: bool | None = None
    """Whether the models answer questions that stand before their text; None: where rows are padded on the right.

    So takes it the reference library, for every tokenizer.
    """

    def serving(self, model: "TextFacts") -> "TextFacts":
        """The facts of this tokenizer in front of a model of another family, which tells what it takes and how."""
        return replace(
            self,
            model_input_names=model.model_input_names,
            padding_side=model.padding_side,
            pad_token_type_id=model.pad_token_type_id,
            control_codes=model.control_codes,
            question_first=model.question_first,
        )


NO_FAMILY = TextFacts(
    tokenizer_class="PreTrainedTokenizerFast", model_input_names=("input_ids", "token_type_ids", "attention_mask")
)
"""What holds for a ``tokenizer.json`` that is of no known family."""


@dataclass(frozen=True)
class Settings:
    """A folder's ``tokenizer_config.json``, ``special_tokens_map.json`` and ``added_tokens.json``, merged and checked.

    What the folder does not say comes from the recipe's facts and options; what the caller asked for goes over both.
    """

    values: Mapping[str, JSON]
    """``tokenizer_config.json`` without tokens; every name in the recipe's ``options`` is there."""

    special_tokens: Mapping[str, AddedToken]
    """Role -> token; a role that the tokenizer does not have is absent."""

    additional_special_tokens: tuple[AddedToken, ...]

    added_tokens: Mapping[int, AddedToken]
    """Id -> token added to the vocabulary, special ones included (``added_tokens_decoder``, ``added_tokens.json``)."""

    declared: frozenset[str]
    """The keys and roles that the folder's files or the caller gave; the rest are the family's own defaults.

    A token that one of these roles has and the vocabulary lacks is added to it.
    """

    flagged: frozenset[str]
    """Tokens whose matching flags were stated, by the folder's files or the family; they go over ``tokenizer.json``."""

    label: str
    """The file that error messages about a value name."""

    tokenizer_class: str | None = None
    """The class of the reference that the folder names, without ``Fast``; None where it says nothing of the family."""

    def flag(self, key: str) -> bool:
        """A value that must be true or false; raises `TextError` for anything else."""
        value: bool = self._checked(key, bool)
        return value

    def optional_flag(self, key: str) -> bool | None:
        """A value that must be true, false or null; raises `TextError` for anything else."""
        value: bool | None = self._checked(key, bool | None)
        return value

    def integer(self, key: str) -> int:
        """A value that must be a whole number; raises `TextError` for anything else."""
        value: int = self._checked(key, int)
        return value

    def text(self, key: str) -> str:
        """A value that must be a string; raises `TextError` for anything else."""
        value: str = self._checked(key, str)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A value that must be a list of strings, or null for none; raises `TextError` for anything else."""
        value: tuple[str, ...] | None = self._checked(key, tuple[str, ...] | None)
        return value or ()

    def special(self, role: str) -> str:
        """The text of a special token that the tokenizer cannot do without; raises `TextError` when it has none."""
        if role not in self.special_tokens:
            raise TextError(f"{self.label}: {role} is null or absent, and this tokenizer cannot do without one")
        return str(self.special_tokens[role].content)

    def _checked(self, key: str, hint: Any) -> Any:
        return checked(self.values.get(key), hint, key, TextError, where=self.label)


def _no_build(folder: "Folder", settings: Settings) -> Tokenizer:
    raise TextError(f"{folder.label}: the recipe of its family names files, but no build that reads them")


def as_stated(settings: Settings) -> Settings:
    """The settings themselves: nothing in them stands for more."""
    return settings


def _as_it_is(tokenizer: Tokenizer, settings: Settings) -> None:
    pass


def _no_files(tokenizer: Tokenizer, settings: Settings) -> Mapping[str, bytes]:
    return {}


@dataclass(frozen=True)
class Recipe:
    """How a family's tokenizer is made: ``Recipe(TextFacts(…))`` where all its folders have a ``tokenizer.json``.

    For the kinds of files that families released, `tfx_core.text.recipes` has functions that make one. A tokenizer
    keeps its recipe and is pickled with it, so the functions in it must be named ones of a module.
    """

    facts: TextFacts
    """What is true of the tokenizer unless the folder says otherwise."""

    files: tuple[tuple[str, ...], ...] = ()
    """Sets of released legacy files, the preferred first: ``(("vocab.json", "merges.txt"),)``.

    ``build`` is called only when a folder has every file of one of them.
    """

    build: "Callable[[Folder, Settings], Tokenizer | Numbered]" = _no_build
    """Makes the tokenizer from the legacy files: model, normalizer, pre-tokenizer, post-processor and decoder.

    Two tokenizers where one file cuts texts and another numbers the tokens; no ``tokenizer.json`` can hold that.

    The caller then registers the special and added tokens of the settings, in the order of their ids; this adds only
    those whose ids depend on the family. A role whose token came from the family's facts, not from a file, and that the
    vocabulary lacks is dropped. Raises `TextError` that names the file and the cure.
    """

    options: Mapping[str, JSON] = field(default_factory=dict)
    """The family's own keys of ``tokenizer_config.json`` with their defaults: ``{"do_lower_case": True}``.

    These are also the keywords, beside those of every tokenizer, that `tfx_core.load_tokenizer` takes.
    """

    build_target: "Callable[[Folder, Settings], Tokenizer | Numbered] | None" = None
    """Makes the tokenizer of targets, as ``build`` makes that of sources, where both are not one.

    The legacy files go over a ``tokenizer.json`` then, which holds one side: alone, it is that of both.
    """

    languages: "Languages | None" = None
    """How texts of several languages are told apart; ``src_lang`` and ``tgt_lang`` are among the ``options`` then."""

    complete: Callable[[Settings], Settings] = as_stated
    """Fills in what the settings say without saying it: the sentinels that T5's ``extra_ids`` counts.

    Raises `TextError` for settings that contradict each other.
    """

    adapt: Callable[[Tokenizer, Settings], None] = _as_it_is
    """Applies to a tokenizer read from ``tokenizer.json`` what ``tokenizer_config.json`` says over it.

    Only keys in ``settings.declared`` count: a default that nobody wrote down overrules no file.
    """

    copied: tuple[str, ...] = ()
    """Legacy files that cannot be made but only copied (``spiece.model``), where the tokenizer came with them.

    They are read with the tokenizer: when it is saved, its folder may have those of another one.
    """

    legacy_files: Callable[[Tokenizer, Settings], Mapping[str, bytes]] = _no_files
    """The legacy files to write beside ``tokenizer.json``, name -> contents; empty when it cannot make them.

    These and the copied ones are all that is written where the tokenizer has parts in Python, which ``tokenizer.json``
    cannot hold.
    """
