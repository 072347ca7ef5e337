"""Alignments of texts with translations that anybody made, or that a task has just made."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import torch

from tfx_core.alignment.attention import AlignmentRule, Tokens, attended, sides, word_mass
from tfx_core.alignment.words import Alignment, aligned, spans_of_ids, within
from tfx_core.errors import InputError
from tfx_core.tasks.splitting import places
from tfx_core.tasks.windows import TextWindow, check_text, window_of

if TYPE_CHECKING:
    from tfx_core.model.model import Model
    from tfx_core.text import Tokenizer
    from tfx_core.text.vocabulary import Vocabulary


def word_alignments(
    model: "Model",
    tokenizer: "Tokenizer",
    sources: Sequence[str],
    targets: Sequence[str],
    *,
    src_lang: str | None = None,
    tgt_lang: str | None = None,
    prefix: str = "",
    rule: AlignmentRule | None = None,
    batch_tokens: int | None = None,
) -> list[Alignment]:
    """Which word of each source each word of its target comes from, whoever translated it: ``"0-0 1-2"``.

    Words are what blanks separate, also in languages that write none, where a text is one word unless its blanks are
    put in. Each target word belongs to the source word that its tokens attend to, by the ``rule``, more than those of
    other words do; so every target word has one pair, a source word any number. What two models of opposite directions
    agree on is ``set(one.pairs) & {(i, j) for j, i in other.pairs}``. Special tokens, language codes and the ``prefix``
    before every source take no part, though they are read. Raises `InputError` for a model without cross-attention,
    texts that are longer than it reads, and lists of different lengths.
    """
    if isinstance(sources, str) or isinstance(targets, str) or len(sources) != len(targets):
        raise InputError("sources and targets: must be two lists of as many texts")
    _, writer = sides(model)
    if model.head.targets is None:
        raise InputError(f"word alignments: the head {model.head_name!r} of this model predicts no target")
    given = [prefix + check_text(text, f"sources[{place}]") for place, text in enumerate(sources)]
    asked = [check_text(text, f"targets[{place}]") for place, text in enumerate(targets)]
    languages = {"src_lang": src_lang, "tgt_lang": tgt_lang}
    read = zip(
        _rows(model, tokenizer, given, "text", model.max_positions, **languages),
        _rows(model, tokenizer, asked, "text_target", writer.max_positions, **languages),
        strict=True,
    )
    of_source, of_target = (_apart(each) for each in (tokenizer.vocabulary, tokenizer.target_vocabulary))
    parts = [
        (tokens_of(source.behind(len(prefix)), of_source), _decoder_input(model, tokens_of(target, of_target)))
        for source, target in read
    ]
    weights = attended(model, parts, rule or AlignmentRule(), batch_tokens)
    return [
        aligned(word_mass(source, target, [part], [each]))
        for source, target, part, each in zip(sources, targets, parts, weights, strict=True)
    ]


def best_rule(
    model: "Model", tokenizer: "Tokenizer", sources: Sequence[str], targets: Sequence[str], **options: Any
) -> AlignmentRule:
    """The layer and step whose alignments of these pairs leave the fewest source words without a target word.

    That can be counted without knowing what is right; some hundred pairs will do. ``options`` are those of
    `word_alignments`, which is asked for every layer and both steps.
    """
    _, writer = sides(model)
    layers = range(len(writer.new_cache().layers))
    rules = [AlignmentRule(layer=layer, step=step) for layer in layers for step in ("read", "written")]

    def covered(rule: AlignmentRule) -> int:
        found = word_alignments(model, tokenizer, sources, targets, rule=rule, **options)
        return sum(len({source for source, _ in each.pairs}) for each in found)

    return max(rules, key=covered)


def alignment_of_generated(
    model: "Model",
    tokenizer: "Tokenizer",
    source: str,
    windows: Sequence[TextWindow],
    target: str,
    written: Sequence[Sequence[int]],
    *,
    start: Sequence[int],
    decode: Callable[[list[list[int]]], list[str]],
    rule: AlignmentRule,
) -> Alignment:
    """That of a ``source``, read in ``windows``, and the ``target`` that was written for it, new ids for each window.

    The offsets of the windows are places in the source; ``start`` is what the decoder began with, and ``decode`` made
    texts of ids.
    """
    skipped, apart = special_ids(tokenizer.target_vocabulary), _apart(tokenizer.vocabulary)
    texts = decode([list(new) for new in written])
    begins = places(map(str.strip, texts), target)
    parts = []
    for window, new, text, begin in zip(windows, written, texts, begins, strict=True):
        first = [None] * len(start)
        spans = within(text, begin, spans_of_ids(new, skipped, decode))
        parts.append((tokens_of(window, apart), Tokens([*start, *new], [*first, *spans])))
    return aligned(word_mass(source, target, parts, attended(model, parts, rule)))


def tokens_of(window: TextWindow, apart: Collection[int]) -> Tokens:
    """The tokens of a window; without characters are those that the tokenizer added and those with ids ``apart``."""
    ids = window.features["input_ids"]
    rows = zip(ids, window.special, window.offsets, strict=True)
    return Tokens(ids, [None if special or number in apart else offsets for number, special, offsets in rows])


def special_ids(vocabulary: "Vocabulary") -> frozenset[int]:
    """Ids of the tokens that are no text: those with a role, and what was added as special."""
    added = {number for number, token in vocabulary.backend.get_added_tokens_decoder().items() if token.special}
    return frozenset(added | {number for number in map(vocabulary.id, vocabulary.special_tokens) if number is not None})


def _apart(vocabulary: "Vocabulary") -> frozenset[int]:
    """The same without the one that stands for words of the text."""
    return special_ids(vocabulary) - {vocabulary.role_id("unk_token")}


def _rows(
    model: "Model", tokenizer: "Tokenizer", texts: Sequence[str], part: str, most: int | None, **languages: str | None
) -> list[TextWindow]:
    """The tokens of each text, of a target as its labels are; raises `InputError` for one that is too long."""
    given: dict[str, Any] = {part: list(texts), **languages}
    batch = tokenizer(**given, return_offsets_mapping=True, return_special_tokens_mask=True)
    rows = [window_of(model, batch, row, True, (text,)) for row, text in enumerate(texts)]
    name = {"text": "sources", "text_target": "targets"}[part]
    for place, row in enumerate(rows):
        if not len(row) or (most is not None and len(row) > most):
            raise InputError(f"{name}[{place}]: {len(row)} tokens; the model reads at least one and at most {most}")
    return rows


def _decoder_input(model: "Model", labels: Tokens) -> Tokens:
    """What the decoder reads of a target: its labels, shifted, and the last of them, which is else only predicted."""
    assert model.head.targets is not None
    shifted = model.head.targets(torch.tensor([list(labels.ids)], device=model.device))[0].tolist()
    return Tokens([*shifted, labels.ids[-1]], [None, *labels.spans])
