"""XLM's tokenizer: BPE of words that the Moses scripts set apart.

Lample and Conneau 2019, https://arxiv.org/abs/1901.07291. One tokenizer reads one language, the option ``language``:
its text is cut into words as that of the language in the corpus was. ``lang2id`` gives the numbers that a model knows
languages by. Like the reference, and unlike the scripts that read the corpus, letters become small before words are
told apart, so that a full stop before a letter ends no sentence.
"""

from dataclasses import replace

from tokenizers import Regex, normalizers

from tfx_core.errors import TextError, shown
from tfx_core.text import JSON, Settings, TextFacts
from tfx_core.text.recipes import Steps, moses_corpus_steps, moses_word_steps, replacements, word_bpe_recipe
from tfx_encoders.xlm.languages import language
from tfx_encoders.xlm.segmenters import PACKAGES, Segmenter

_CODES = (
    "af als am an ang ar arz ast az bar be bg bn br bs ca ceb ckb cs cy da de el en eo es et eu fa fi fr fy ga gan gl "
    "gu he hi hr hu hy ia id is it ja jv ka kk kn ko ku la lb lt lv mk ml mn mr ms my nds ne nl nn no oc pl pt ro ru "
    "scn sco sh si simple sk sl sq sr sv sw ta te th tl tr tt uk ur uz vi war wuu yi zh zh_classical zh_min_nan zh_yue"
)
LANGUAGES = frozenset(_CODES.split())
"""What the released models were trained on."""

FACTS = TextFacts(
    tokenizer_class="XLMTokenizer",
    special_tokens={
        "bos_token": "<s>",
        "sep_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "cls_token": "</s>",
        "mask_token": "<special1>",
    },
    additional_special_tokens=tuple(f"<special{number}>" for number in range(10)),
    model_input_names=("input_ids", "token_type_ids", "attention_mask"),
)

SINGLE, PAIR = "bos_token $A sep_token", "bos_token $A sep_token $B:1 sep_token:1"

OPTIONS: dict[str, JSON] = {"lang2id": None, "id2lang": None}

_ROMANIAN = [
    ("[ŞȘ]", "S"),
    ("[şș]", "s"),
    ("[ŢȚ]", "T"),
    ("[ţț]", "t"),
    ("[ĂÂ]", "A"),
    ("[ăâ]", "a"),
    ("Î", "I"),
    ("î", "i"),
]
"""Letters without their marks, a comma or a cedilla below among them, as in Sennrich's scripts for WMT 2016."""


def numbering_languages(settings: Settings) -> Settings:
    """The settings with ``lang2id`` and ``id2lang``, each made of the other where the folder has one.

    Raises `TextError` where they are no numbering of languages, or contradict each other.
    """
    numbers, names = settings.values["lang2id"], settings.values["id2lang"]
    if numbers is None and names is None:
        return settings
    lang2id = _numbers(numbers, "lang2id", settings) if numbers is not None else None
    turned = _numbers(_turned(names), "id2lang", settings) if names is not None else None
    if None not in (lang2id, turned) and lang2id != turned:
        raise TextError(f"{settings.label}: lang2id and id2lang number the languages in two ways; take one of them out")
    lang2id = lang2id or turned or {}
    id2lang: JSON = {str(number): name for name, number in lang2id.items()}
    return replace(settings, values={**settings.values, "lang2id": {**lang2id}, "id2lang": id2lang})


def _turned(names: JSON) -> JSON:
    """Number -> name as name -> number; null where that is no such object."""
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        return None
    return {
        str(name): int(number) if number.isdecimal() and len(number) < 10 else number for number, name in names.items()
    }


def _numbers(value: JSON, key: str, settings: Settings) -> dict[str, int]:
    """A checked object of language -> number."""
    numbers = dict(value) if isinstance(value, dict) else {"": None}
    taken = [number for number in numbers.values() if isinstance(number, int) and not isinstance(number, bool)]
    if len(numbers) != len({*taken}) or min(taken, default=0) < 0:
        raise TextError(
            f"{settings.label}: {key} is {shown(settings.values[key])}; it must give every language a number of its own"
        )
    return {name: taken[place] for place, name in enumerate(numbers)}


def splitting(settings: Settings) -> Steps:
    """What sets the words of the language apart by blanks; raises `TextError` for a language that is none of XLM's."""
    code = settings.text("language")
    numbers = settings.values["lang2id"]
    known = numbers if isinstance(numbers, dict) else LANGUAGES
    if code not in known and "language" in settings.declared:
        raise TextError(f"{settings.label}: language is {shown(code)}; this model knows {', '.join(sorted(known))}")
    rules = language(code)
    corpus, words = replacements(moses_corpus_steps(rules)), replacements(moses_word_steps(rules))
    small = settings.flag("do_lowercase_and_remove_accent")
    if code in PACKAGES:
        segmenter = Segmenter(code, settings.label)
        split: Steps = [segmenter, *corpus] if code == "zh" else [*corpus, segmenter]
    else:
        split = [*corpus, *replacements(_ROMANIAN if code == "ro" else []), *words]
    if not small:
        return split
    accents = [normalizers.NFD(), normalizers.Replace(Regex(r"\p{Mn}"), ""), normalizers.Lowercase()]
    return [normalizers.Lowercase(), *split, *accents]


RECIPE = word_bpe_recipe(
    FACTS,
    single=SINGLE,
    pair=PAIR,
    clean=splitting,
    options={"do_lowercase_and_remove_accent": True, "language": "en", **OPTIONS},
    complete=numbering_languages,
)
