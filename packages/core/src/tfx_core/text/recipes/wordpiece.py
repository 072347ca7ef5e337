"""WordPiece (`vocab.txt`) as released with BERT: Devlin et al. 2019, https://arxiv.org/abs/1810.04805.

Follows ``tokenization.py`` of google-research/bert in the form that the `tokenizers` library gives it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from tfx_core.errors import TextError, shown
from tfx_core.text.recipe import JSON, Recipe, Settings, TextFacts
from tfx_core.text.recipes.template import template
from tfx_core.text.vocabulary_files import read_vocabulary_lines

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder

LONGEST_WORD = 100
"""Characters of a word beyond which it is unknown, without a look at its pieces."""

_OPTIONS: dict[str, JSON] = {
    "do_lower_case": True,
    "do_basic_tokenize": True,
    "never_split": None,
    "tokenize_chinese_chars": True,
    "strip_accents": None,
}


def wordpiece_recipe(
    facts: TextFacts,
    vocabulary_file: str = "vocab.txt",
    *,
    single: str = "cls_token $A sep_token",
    pair: str = "cls_token $A sep_token $B:1 sep_token:1",
    options: Mapping[str, JSON] | None = None,
) -> Recipe:
    """The recipe of the families that released a vocabulary file of word pieces.

    ``single`` and ``pair`` are templates as `template` fills them in: Funnel's ``<cls>`` is of type 2, ProphetNet has
    no ``cls_token``. ``options`` go over those of BERT.
    """
    files = _WordPiece(vocabulary_file, single, pair)
    return Recipe(
        facts,
        files=((vocabulary_file,),),
        build=files.build,
        options={**_OPTIONS, **(options or {})},
        adapt=files.adapt,
        legacy_files=files.legacy_files,
    )


@dataclass(frozen=True)
class _WordPiece:
    vocabulary_file: str
    single: str
    pair: str

    def build(self, folder: "Folder", settings: Settings) -> Tokenizer:
        """The tokenizer of a vocabulary file.

        Raises `TextError` for a file that is no vocabulary, or that lacks a special token which the template or the
        folder's settings name.
        """
        label = f"{folder.label}/{self.vocabulary_file}"
        vocabulary = read_vocabulary_lines(folder.require(self.vocabulary_file).read_bytes(), label)
        self._check_special_tokens(vocabulary, settings, label)
        unknown = settings.special("unk_token")
        tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown, max_input_chars_per_word=LONGEST_WORD))
        if settings.flag("do_basic_tokenize"):
            tokenizer.normalizer = normalizers.BertNormalizer(
                clean_text=True,
                handle_chinese_chars=settings.flag("tokenize_chinese_chars"),
                strip_accents=settings.optional_flag("strip_accents"),
                lowercase=settings.flag("do_lower_case"),
            )
            tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        else:
            # Text that was split before: pieces are looked up in what blanks separate. Regular expressions do not count
            # the separators U+001C to U+001F as blanks, the original's `str.split` does.
            tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\x1c-\x1f]+"), "removed")
        tokenizer.decoder = decoders.WordPiece(prefix="##")
        tokenizer.post_processor = template(self.single, self.pair, tokenizer, settings)
        self._keep_whole(tokenizer, settings, label)
        return tokenizer

    def adapt(self, tokenizer: Tokenizer, settings: Settings) -> None:
        """Lower-casing, accents and Chinese characters as ``tokenizer_config.json`` states them."""
        normalizer = tokenizer.normalizer
        if not isinstance(normalizer, normalizers.BertNormalizer):
            return
        if "do_lower_case" in settings.declared:
            normalizer.lowercase = settings.flag("do_lower_case")
        if "strip_accents" in settings.declared:
            normalizer.strip_accents = settings.optional_flag("strip_accents")
        if "tokenize_chinese_chars" in settings.declared:
            normalizer.handle_chinese_chars = settings.flag("tokenize_chinese_chars")
        tokenizer.normalizer = normalizer

    def legacy_files(self, tokenizer: Tokenizer, settings: Settings) -> Mapping[str, bytes]:
        """The vocabulary file, a token a line in the order of ids; none of another model in ``tokenizer.json``."""
        if not isinstance(tokenizer.model, models.WordPiece):
            return {}
        vocabulary = tokenizer.get_vocab(with_added_tokens=False)
        lines = sorted(vocabulary, key=vocabulary.__getitem__)
        if [vocabulary[token] for token in lines] != list(range(len(lines))) or any("\n" in token for token in lines):
            return {}
        return {self.vocabulary_file: "".join(f"{token}\n" for token in lines).encode("utf-8")}

    def _roles(self) -> set[str]:
        """The roles that the templates use."""
        words = f"{self.single} {self.pair}".split()
        return {word.partition(":")[0] for word in words if not word.startswith("$")}

    def _check_special_tokens(self, vocabulary: Mapping[str, int], settings: Settings, label: str) -> None:
        added = {token.content for token in settings.added_tokens.values()}
        for role in sorted({"unk_token"} | self._roles()):
            token = settings.special(role)
            # What the folder adds or declares will come; that for unknown words must be the model's own.
            comes = role != "unk_token" and (token in added or role in settings.declared)
            if token not in vocabulary and not comes:
                raise TextError(
                    f"{label}: lacks {shown(token)}, the {role}; use the vocabulary that belongs to the model, or "
                    f"name the token that is its {role} in tokenizer_config.json"
                )

    def _keep_whole(self, tokenizer: Tokenizer, settings: Settings, label: str) -> None:
        """Have the words of ``never_split`` taken out of a text before it is lower-cased and split."""
        special = {token.content for token in settings.special_tokens.values()}
        for word in settings.texts("never_split"):
            if word in special:
                continue
            if tokenizer.token_to_id(word) is None:
                raise TextError(f"{label}: lacks {shown(word)}, which never_split in tokenizer_config.json names")
            tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=False)])
