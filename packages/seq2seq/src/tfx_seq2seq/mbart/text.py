"""mBART's tokenizer: a SentencePiece model whose pieces have fairseq's ids, and a token for each language.

The first models (Liu et al. 2020) have the language behind the text, the others (mBART-50, Tang et al. 2020) before it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tokenizers import Tokenizer

from tfx_core.errors import InputError
from tfx_core.text import Direction, LanguageOption, Languages, Part, Settings, TextFacts
from tfx_core.text.recipes import FAIRSEQ_TOKENS, Piece, PieceKind, fairseq_order, sentencepiece_recipe, template

FIRST = (
    *("ar_AR", "cs_CZ", "de_DE", "en_XX", "es_XX", "et_EE", "fi_FI", "fr_XX", "gu_IN", "hi_IN", "it_IT", "ja_XX"),
    *("kk_KZ", "ko_KR", "lt_LT", "lv_LV", "my_MM", "ne_NP", "nl_XX", "ro_RO", "ru_RU", "si_LK", "tr_TR", "vi_VN"),
    "zh_CN",
)
"""The languages of the first models, in the order of their ids."""

FURTHER = (
    *("af_ZA", "az_AZ", "bn_IN", "fa_IR", "he_IL", "hr_HR", "id_ID", "ka_GE", "km_KH", "mk_MK", "ml_IN", "mn_MN"),
    *("mr_IN", "pl_PL", "ps_AF", "pt_XX", "sv_SE", "sw_KE", "ta_IN", "te_IN", "th_TH", "tl_XX", "uk_UA", "ur_PK"),
    *("xh_ZA", "gl_ES", "sl_SI"),
)
"""Those that mBART-50 has behind them."""

_CODE = re.compile(r"[a-z]{2,3}_[A-Z]{2}")


def _pieces(pieces: Sequence[Piece], settings: Settings) -> Sequence[Piece]:
    *ordered, mask = fairseq_order(pieces, settings)
    codes = (*FIRST, *FURTHER) if settings.tokenizer_class == "MBart50Tokenizer" else FIRST
    return [*ordered, *(Piece(code, kind=PieceKind.CONTROL) for code in codes), mask]


def _tokens(tokenizer: Tokenizer, settings: Settings) -> Mapping[str, str]:
    """The released languages, and those whose tokens were added."""
    added = (token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special)
    codes = dict.fromkeys((*FIRST, *FURTHER, *(token for token in added if _CODE.fullmatch(token))))
    return {code: code for code in codes if tokenizer.token_to_id(code) is not None}


def _code_first(tokenizer: Tokenizer, settings: Settings) -> bool:
    """Whether the language is told before the text; where no class says it, by the languages there are."""
    if settings.tokenizer_class is None:
        return all(tokenizer.token_to_id(code) is not None for code in FURTHER)
    return settings.tokenizer_class == "MBart50Tokenizer"


def _frame(tokenizer: Tokenizer, settings: Settings, part: Part, direction: Direction) -> Any:
    code = direction.source if part == "source" else direction.target
    if code is None:
        raise InputError("text_target: its language is not told; give tgt_lang=, one of tokenizer.languages")
    around = "language {} eos_token" if _code_first(tokenizer, settings) else "{} eos_token language"
    single, pair = around.format("$A"), around.format("$A $B")
    return template(single, pair, tokenizer, settings, language=code)


def _option(tokenizer: Tokenizer, settings: Settings) -> LanguageOption:
    return "forced_bos_token_id" if _code_first(tokenizer, settings) else "decoder_start_token_id"


RECIPE = replace(
    sentencepiece_recipe(
        TextFacts("MBartTokenizer", FAIRSEQ_TOKENS),
        single="$A eos_token",
        pair="$A $B eos_token",
        model_file="sentencepiece.bpe.model",
        options={"src_lang": None, "tgt_lang": None},
        arrange=_pieces,
    ),
    languages=Languages(_tokens, _frame, option=_option, source="en_XX", special=True),
)
