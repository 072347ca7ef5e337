"""Words of languages that write none apart, by the packages that the reference takes for them.

``pip install 'tfx-encoders[segmenters]'`` installs all three: rjieba for Chinese, KyTea for Japanese and PyThaiNLP for
Thai. They are asked for when a tokenizer of the language is loaded. KyTea's model, which its package leaves out, is
looked for where the reference looks, and where KyTea itself installs it.
"""

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import Any

from tokenizers import NormalizedString

from tfx_core.errors import TextError
from tfx_core.text.recipes import set_apart

PACKAGES = {
    "zh": ("Chinese", "rjieba", "rjieba"),
    "ja": ("Japanese", "Mykytea", "kytea"),
    "th": ("Thai", "pythainlp", "pythainlp"),
}
"""Language -> its name, the module that cuts its texts into words, and the package that has the module."""

KYTEA_MODELS = ("~/local/share/kytea/model.bin", "/usr/local/share/kytea/model.bin", "/usr/share/kytea/model.bin")


class Segmenter:
    """A step of a tokenizer that puts blanks between the words of a language.

    Raises `TextError` that names language, package and cure where the package is not there.
    """

    def __init__(self, language: str, label: str) -> None:
        self.language = language
        try:
            _cutter(language)
        except TextError as error:
            raise TextError(f"{label}: language is {language!r}, {error}") from error

    def normalize(self, text: NormalizedString) -> None:
        """Put a blank before every word but the first."""
        set_apart(text, lambda written: accumulate(map(len, _cutter(self.language)(written))))


@cache
def _cutter(language: str) -> Callable[[str], Iterable[str]]:
    """What cuts a text of a language into words, which together are the text."""
    name, module, package = PACKAGES[language]
    try:
        found: Any = import_module(module)
    except ImportError as error:
        raise TextError(
            f"but {name} is written without blanks, and {package}, which finds its words, cannot be imported "
            f"({error}): pip install 'tfx-encoders[segmenters]'"
        ) from error
    if language == "ja":
        kytea: Callable[[str], Iterable[str]] = found.Mykytea(f"-model {_kytea_model()}").getWS
        return kytea
    cut: Callable[[str], Iterable[str]] = found.cut if language == "zh" else found.word_tokenize
    return cut


def _kytea_model() -> Path:
    model = next((path for path in (Path(name).expanduser() for name in KYTEA_MODELS) if path.exists()), None)
    if model is None:
        raise TextError(
            f"but KyTea's model is in none of {', '.join(KYTEA_MODELS)}: get it from http://www.phontron.com/kytea"
        )
    return model
