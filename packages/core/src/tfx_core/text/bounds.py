"""What a tokenizer out of a stranger's file may cost: the length of its pieces, and the work of its steps.

The `tokenizers` library bounds neither: it reads a piece of 160,000 bytes into a tree so deep that freeing it ends the
process, looks for a long added token in quadratic time, and runs forty steps that each double the text.
"""

import json
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any, TypeVar

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from tfx_core.errors import TextError, shown
from tfx_core.text.guard import guarded

LONGEST_PIECE = 10_000
"""Characters of a piece of a vocabulary; the longest known ones have 128 (blanks, in vocabularies made for code)."""

LONGEST_ADDED_TOKEN = 500
"""Characters of an added token: all of them together become one automaton."""

LONGEST_WORD = 1_000
"""Characters up to which WordPiece may look for a word's pieces, which takes time that grows with their square."""

_MOST_STEPS = 4_000
_MOST_GROWTH = 20
"""Times that a text may become as long as it was; Unicode's longest decomposition makes 18 characters of one."""

_ORDINARY = (
    'The quick brown fox (aged 12.5 years) jumps over THE LAZY DOG\'S back -- "why?", asked Zoë & Jürgen;\n'
    "ça coûte 1,000 €/mois @home #1 50% [a+b]*c=d {x} <y> ~ `z` $5 ^ _ | \\ \t Привет мир 東京 مرحبا ▁Ġ##xvq 3678"
)

PartT = TypeVar("PartT")


def check_piece(piece: str, where: str, longest: int = LONGEST_PIECE) -> None:
    """Raise `TextError` for a piece that is too long; ``where`` is the file and the place in it."""
    if len(piece) > longest:
        raise TextError(
            f"{where}: the token {shown(piece, 30)} has {len(piece)} characters, more than the {longest} that a token "
            "may have; fetch the file again"
        )


def check_pieces(pieces: Collection[str], where: str) -> None:
    """Raise `TextError` for the first piece that is too long, or that holds half of a surrogate pair."""
    check_piece(max(pieces, key=len, default=""), where)
    try:
        "".join(pieces).encode()
    except UnicodeEncodeError as error:
        raise TextError(
            f"{where}: a token holds {shown(error.object[error.start])}, half of a surrogate pair, which is no "
            "character; fetch the file again"
        ) from None


def check_work(backend: Tokenizer, label: str) -> None:
    """Raise `TextError` for a tokenizer whose steps make much more of a text than it was, or that end in a panic.

    Each step is tried on an ordinary text, and on one that holds what the steps themselves look for and put there.
    """
    with guarded(f"{label}: the tokenizer fails on an ordinary text", "fetch the file again"):
        _check_template(backend.post_processor, label)
        if isinstance(backend.model, models.WordPiece) and backend.model.max_input_chars_per_word > LONGEST_WORD:
            raise TextError(
                f"{label}: max_input_chars_per_word is {backend.model.max_input_chars_per_word}; it may be "
                f"{LONGEST_WORD} at most, for the time that a word takes grows with its square"
            )
        _check_steps(backend.normalizer, normalizers.Sequence, lambda step, text: step.normalize_str(text), label)
        _check_steps(
            backend.pre_tokenizer,
            pre_tokenizers.Sequence,
            lambda step, text: "".join(piece for piece, _ in step.pre_tokenize_str(text)),
            label,
        )
        _check_steps(backend.decoder, decoders.Sequence, lambda step, text: step.decode([text]), label)


def _check_steps(
    part: PartT | None, sequence: Callable[[list[PartT]], Any], run: Callable[[Any, str], str], label: str
) -> None:
    """Run the steps of a part one after the other; ``sequence`` makes an empty part, which any step can be put into."""
    stored = [] if part is None else list(_steps(_state(part)))
    if len(stored) > _MOST_STEPS:
        raise TextError(f"{label}: a text goes through {len(stored)} steps; more than {_MOST_STEPS} cannot be meant")
    steps = []
    for state in stored:
        step = sequence([])
        step.__setstate__(json.dumps(state).encode())
        steps.append(partial(run, step))
    own = " ".join(text for state in stored for text in _texts(state))[:1000]
    for start in (_ORDINARY, f"{_ORDINARY} {own}"):
        text = start
        for step in steps:
            text = step(text)
            if len(text) > _MOST_GROWTH * len(start):
                raise TextError(
                    f"{label}: its steps make {len(text)} characters of a text of {len(start)}; the file is damaged or "
                    "hostile; fetch it again"
                )


def _state(part: Any) -> Any:
    """A part as ``tokenizer.json`` has it; nothing for one that is written in Python, which no file can hold."""
    try:
        return json.loads(part.__getstate__())
    except Exception:  # the library has no narrower one
        return {"type": "Sequence"}


def _steps(state: Any) -> Iterator[Any]:
    """The steps of a part, sequences within sequences taken apart."""
    if state["type"] != "Sequence":
        yield state
        return
    for values in state.values():
        if isinstance(values, list):
            for each in values:
                yield from _steps(each)


def _texts(state: Any) -> Iterator[str]:
    """What a step looks for and what it puts there."""
    pattern = state.get("pattern")
    for text in (pattern.get("String") if isinstance(pattern, dict) else None, state.get("content")):
        if isinstance(text, str):
            yield text


def _check_template(processor: Any, label: str) -> None:
    """Raise `TextError` for special tokens around a text that are nowhere defined, or texts that come twice."""
    for state in [] if processor is None else _steps(_state(processor)):
        if state["type"] != "TemplateProcessing":
            continue
        for name in ("single", "pair"):
            parts = state[name]
            absent = [
                part["SpecialToken"]["id"]
                for part in parts
                if "SpecialToken" in part and part["SpecialToken"]["id"] not in state["special_tokens"]
            ]
            if absent:
                raise TextError(
                    f"{label}: post_processor: {name}: the special token {shown(absent[0])} is not among its "
                    "special_tokens; fetch the file again"
                )
            texts = [part["Sequence"]["id"] for part in parts if "Sequence" in part]
            if len(set(texts)) != len(texts):
                raise TextError(f"{label}: post_processor: {name}: puts a text twice; fetch the file again")
