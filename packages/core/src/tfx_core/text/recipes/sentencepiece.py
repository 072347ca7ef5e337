"""SentencePiece models (Unigram and BPE) as tokenizers: Kudo and Richardson 2018, https://arxiv.org/abs/1808.06226.

The ids are SentencePiece's own: its normaliser table is applied as it applies it (`tfx_core.text.recipes.charsmap`);
pieces that have an id but stand for no text (control, unknown, unused, byte) are not found in one; user-defined pieces
count as much as there; every stretch of text between special tokens is a text of its own, with its own dummy prefix.

Where two cuts of a text have the same score (runs of one sign, mostly), SentencePiece decides by the rounding of its
32-bit sums; here, where sums have 64 bits, the same pieces can come in another order.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from tfx_core.errors import TextError, shown
from tfx_core.text.recipe import JSON, Recipe, Settings, TextFacts, as_stated
from tfx_core.text.recipes.charsmap import charsmap_normalizers, literal_pattern
from tfx_core.text.recipes.template import template
from tfx_core.text.sentencepiece_model import Algorithm, Piece, PieceKind, SentencePieceModel, read_sentencepiece

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder

SPACE = "▁"
"""What SentencePiece writes for a blank, U+2581."""

NEVER = -1e5
"""Score of what must not be found in text: any other way to spell it is better."""


def _in_their_order(pieces: Sequence[Piece], settings: Settings) -> Sequence[Piece]:
    return pieces


def _no_cleaning(settings: Settings) -> list[normalizers.Normalizer]:
    return []


def _no_piece(piece: str) -> bool:
    return False


def sentencepiece_recipe(
    facts: TextFacts,
    *,
    single: str,
    pair: str,
    model_file: str = "spiece.model",
    options: Mapping[str, JSON] | None = None,
    complete: Callable[[Settings], Settings] = as_stated,
    arrange: Callable[[Sequence[Piece], Settings], Sequence[Piece]] = _in_their_order,
    clean: Callable[[Settings], list[normalizers.Normalizer]] = _no_cleaning,
    avoid: Callable[[str], bool] = _no_piece,
) -> Recipe:
    """The recipe of the families that released a SentencePiece model.

    A family says what it does around the model: ``single`` and ``pair`` are templates as `template` fills them in;
    ``complete`` is that of `Recipe`; ``arrange`` gives the vocabulary in the order of ids, where that is not the
    model's own; ``clean`` gives what happens to a text before the model sees it; ``avoid`` names pieces that the family
    never produces. Where ``options`` have ``legacy``, false gives the dummy prefix to the beginning of a text alone.
    """
    options = dict(options or {})
    files = _SentencePiece(single, pair, model_file, "legacy" in options, arrange, clean, avoid)
    return Recipe(
        facts,
        files=((model_file,),),
        build=files.build,
        options=options,
        complete=complete,
        copied=(model_file,),
    )


@dataclass(frozen=True)
class _SentencePiece:
    single: str
    pair: str
    model_file: str
    has_legacy: bool
    arrange: Callable[[Sequence[Piece], Settings], Sequence[Piece]]
    clean: Callable[[Settings], list[normalizers.Normalizer]]
    avoid: Callable[[str], bool]

    def build(self, folder: "Folder", settings: Settings) -> Tokenizer:
        """The tokenizer of a model file; raises `TextError` that names file, place and cure."""
        path = folder.require(self.model_file)
        model = read_sentencepiece(path.read_bytes(), f"{folder.label}/{self.model_file}")
        prefix_once = self.has_legacy and settings.optional_flag("legacy") is False
        pieces = self.arrange(model.pieces, settings)
        tokenizer = sentencepiece_tokenizer(model, pieces, self.clean(settings), prefix_once, self.avoid)
        tokenizer.post_processor = template(self.single, self.pair, tokenizer, settings)
        return tokenizer


def sentencepiece_tokenizer(
    model: SentencePieceModel,
    pieces: Sequence[Piece],
    clean: Sequence[normalizers.Normalizer] = (),
    prefix_once: bool = False,
    avoid: Callable[[str], bool] = _no_piece,
) -> Tokenizer:
    """A tokenizer that cuts as a model does, into ``pieces``, whose places are the ids; nothing stands around a text.

    ``clean`` is what happens to a text before; for the others see `pre_tokenizer` and `sentencepiece_recipe`.
    """
    tokenizer = Tokenizer(segmenter(model, pieces, avoid))
    tokenizer.normalizer = normalizers.Sequence([*clean, *normalizer_steps(model, prefix_once)])
    tokenizer.pre_tokenizer = pre_tokenizer(model, pieces, prefix_once)
    tokenizer.decoder = decoder(model)
    return tokenizer


def segmenter(
    model: SentencePieceModel, pieces: Sequence[Piece], avoid: Callable[[str], bool] = _no_piece
) -> models.Model:
    """What cuts a normalized text into ``pieces``, whose places are the ids.

    Raises `TextError` for the algorithms that no family uses.
    """
    unknown = next(place for place, piece in enumerate(pieces) if piece.kind is PieceKind.UNKNOWN)
    if model.algorithm is Algorithm.UNIGRAM:
        scores = unigram_scores(pieces, avoid)
        return models.Unigram(scores, unk_id=unknown, byte_fallback=model.byte_fallback)
    if model.algorithm is Algorithm.BPE:
        problem = _beyond_bpe(pieces)
        if problem:
            raise TextError(f"{model.label}: a BPE model with {problem} cannot be expressed here")
        return models.BPE(
            {piece.text: place for place, piece in enumerate(pieces)},
            bpe_merges(
                [piece for piece in pieces if piece.kind is PieceKind.NORMAL and not avoid(piece.text)], model.label
            ),
            unk_token=pieces[unknown].text,
            fuse_unk=True,
            byte_fallback=model.byte_fallback,
        )
    raise TextError(
        f"{model.label}: model_type is {model.algorithm.name}; only UNIGRAM and BPE can be read, which all families use"
    )


def _beyond_bpe(pieces: Sequence[Piece]) -> str | None:
    """What keeps the tokenizers library's BPE from giving SentencePiece's ids; None for models as they are trained."""
    texts = {kind: [piece.text for piece in pieces if piece.kind is kind] for kind in PieceKind}
    normal = texts[PieceKind.NORMAL]
    long = [text for text in texts[PieceKind.USER_DEFINED] if len(text) > 1]
    apart = sorted(set("".join(normal)).difference(normal, texts[PieceKind.USER_DEFINED]))
    if long:
        return f"user-defined pieces of several characters ({shown(long[0])})"
    if texts[PieceKind.UNUSED]:
        return f"pieces of the type UNUSED ({shown(texts[PieceKind.UNUSED][0])})"
    if apart:
        return f"a character in pieces that is no piece ({apart[0]!r})"
    return None


def unigram_scores(pieces: Sequence[Piece], avoid: Callable[[str], bool]) -> list[tuple[str, float]]:
    """Pieces with scores under which the library finds what SentencePiece finds.

    The library takes an unknown character to be worse than the worst piece, so a score of `NEVER` makes it worse than
    in SentencePiece. That decides nothing where every character of a piece is a piece, as in all models that were
    trained; in others no piece gets it, and a control piece can be found in a text.
    """
    normal = [piece for piece in pieces if piece.kind is PieceKind.NORMAL]
    lowest = min((piece.score for piece in normal), default=0.0)
    known = {piece.text for piece in pieces if piece.kind in (PieceKind.NORMAL, PieceKind.USER_DEFINED)}
    never = NEVER if known.issuperset("".join(piece.text for piece in normal)) else lowest

    def score(piece: Piece) -> float:
        if avoid(piece.text):
            return never
        if piece.kind is PieceKind.NORMAL:
            return piece.score
        if piece.kind is PieceKind.USER_DEFINED:  # what SentencePiece 0.2 gives it, whatever the file says
            return 0.1 * (len(piece.text.encode("utf-8")) - 1)
        return never

    return [(piece.text, score(piece)) for piece in pieces]


def bpe_merges(pieces: Sequence[Piece], label: str) -> list[tuple[str, str]]:
    """All pairs of pieces that make a piece, the best first.

    SentencePiece joins the neighbours whose union has the highest score, the leftmost of equal ones; it stores no
    merges. Of the ways to make one piece the one with the longest beginning goes first. Raises `TextError` for pieces
    so long, and of so many lengths, that their merges would be many times as large as they are.
    """
    known = {piece.text for piece in pieces}
    lengths = sorted({len(text) for text in known}, reverse=True)
    left = 20_000_000 + 100 * sum(map(len, known))
    merges = []
    for piece in sorted(pieces, key=lambda piece: -piece.score):
        size = len(piece.text)
        cuts = [cut for cut in lengths if cut < size]
        left -= len(cuts) * size
        if left < 0:
            raise TextError(
                f"{label}: a BPE model with a piece of {size} characters ({shown(piece.text, 30)}) among {len(known)} "
                "has more ways to join them than can be listed; fetch the file again"
            )
        merges += [
            (piece.text[:cut], piece.text[cut:])
            for cut in cuts
            if piece.text[:cut] in known and piece.text[cut:] in known
        ]
    return merges


def normalizer_steps(model: SentencePieceModel, prefix_once: bool = False) -> list[normalizers.Normalizer]:
    """What SentencePiece does to a text before it cuts it.

    ``prefix_once`` leaves the dummy prefix to `pre_tokenizer` and keeps the blank that a special token is followed by.
    """
    symbols = [piece.text for piece in model.pieces if piece.kind is PieceKind.USER_DEFINED]
    steps = charsmap_normalizers(model.precompiled_charsmap, symbols, model.label)
    replace = normalizers.Replace
    space = SPACE if model.escape_whitespaces else " "
    prefixed = model.add_dummy_prefix and not model.treat_whitespace_as_suffix
    if model.remove_extra_whitespaces:
        steps += [replace(Regex(" {2,}"), " "), replace(Regex(rf"(?<![ {space}])[ {space}]+\z"), "")]
        if not prefixed:
            steps.append(replace(Regex(r"\A "), ""))
    if model.add_dummy_prefix and model.treat_whitespace_as_suffix:
        steps.append(replace(Regex(r"(?<=(?m:.))\z"), " "))
    if prefixed and not prefix_once:
        steps.append(normalizers.Prepend(" "))
        if model.remove_extra_whitespaces:  # the blank that is there stays, for its offsets
            steps.append(replace(Regex(r"\A (?= )"), ""))
    if model.escape_whitespaces:
        steps.append(replace(" ", SPACE))
    return steps


def pre_tokenizer(
    model: SentencePieceModel, pieces: Sequence[Piece], prefix_once: bool = False
) -> pre_tokenizers.PreTokenizer | None:
    """Cuts before every blank, where that cuts no piece: none has a blank further on, and blanks are pieces.

    ``prefix_once`` puts the dummy prefix before the beginning of the whole text, and before no later stretch of it.
    """
    texts = [piece.text for piece in model.pieces]
    split = model.escape_whitespaces and SPACE in texts and not any(SPACE in text[1:] for text in texts)
    steps: list[pre_tokenizers.PreTokenizer] = []
    if split or prefix_once:
        scheme = "first" if prefix_once else "never"
        steps.append(pre_tokenizers.Metaspace(SPACE, prepend_scheme=scheme, split=split))
    apart = cuts_within(pieces) if model.algorithm is Algorithm.UNIGRAM else ""
    if apart:
        steps.append(pre_tokenizers.Split(Regex(apart), "isolated"))
    return pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0] if steps else None


def cuts_within(pieces: Sequence[Piece]) -> str:
    """Regular expression of places to cut at, so that pieces which stand for no text are not found in one.

    A score of `NEVER` does not help where a character of such a piece is unknown, as ``<`` is to T5: to spell ``</s>``
    out is then no better. No piece reaches over the place beside an unknown character, so a cut there harms nothing.
    """
    known = {piece.text for piece in pieces if piece.kind in (PieceKind.NORMAL, PieceKind.USER_DEFINED)}
    tails: defaultdict[str, list[str]] = defaultdict(list)
    for text in (
        piece.text for piece in pieces if piece.kind in (PieceKind.CONTROL, PieceKind.UNKNOWN, PieceKind.BYTE)
    ):
        borders = (cut for cut in range(1, len(text)) if (text[cut - 1] in known) != (text[cut] in known))
        cut = next(borders, None)
        if cut is not None:
            tails[text[:cut]].append(text[cut:])
    return "|".join(
        rf"{literal_pattern(head)}\K(?={'|'.join(map(literal_pattern, ends))})" for head, ends in tails.items()
    )


def decoder(model: SentencePieceModel) -> decoders.Decoder:
    """Joins pieces, spells bytes out, and turns ▁ into blanks, but for the dummy prefix."""
    prefixed = model.add_dummy_prefix and not model.treat_whitespace_as_suffix
    if not model.byte_fallback:
        return decoders.Metaspace(SPACE, prepend_scheme="always" if prefixed else "never")
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*steps, *([decoders.Strip(" ", 1, 0)] if prefixed else [])])
