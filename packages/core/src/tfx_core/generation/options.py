"""The options of `generate`: names, defaults and meaning are those of transformers' ``GenerationConfig``."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from tfx_core.errors import InputError

if TYPE_CHECKING:
    from tfx_core.generation.constraints import Constraint

TokenIds: TypeAlias = Sequence[int]


class Strategy(Enum):
    """How the next tokens are chosen; the options decide it."""

    GREEDY = "greedy search"
    SAMPLE = "sampling"
    LOOKUP = "prompt lookup"
    CONTRASTIVE = "contrastive search"
    BEAM = "beam search"
    GROUP_BEAM = "group beam search"
    CONSTRAINED_BEAM = "constrained beam search"

    @property
    def is_beam(self) -> bool:
        """Whether several texts compete, so that the best is only known at the end."""
        return self in (Strategy.BEAM, Strategy.GROUP_BEAM, Strategy.CONSTRAINED_BEAM)


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """How to decode; values are checked when an instance is made, and so are combinations that cannot be meant.

    ``None`` always stands for "as if not given". Lengths count the tokens of each text itself, never padding.
    """

    max_new_tokens: int | None = None
    """Most tokens after the prompt; 20 when neither this nor ``max_length`` is given."""
    max_length: int | None = None
    """Most tokens, prompt included."""
    min_new_tokens: int = 0
    """No end token before that many new tokens."""
    min_length: int = 0
    """No end token before that many tokens, prompt included."""
    early_stopping: bool | str = False
    """Beams: ``True`` stops at ``num_beams`` finished texts, ``False`` when improving on them is unlikely, ``"never"``
    when it is impossible."""
    max_time: float | None = None
    """Seconds after which no further token is begun."""
    stop_strings: str | Sequence[str] | None = None
    """A text ends with the token that completes one of these; needs ``tokenizer``."""

    num_beams: int = 1
    num_beam_groups: int = 1
    """Groups that the beams are divided into; a group avoids the tokens that earlier groups chose in the same step."""
    diversity_penalty: float = 0.0
    """What a token loses for each choice by an earlier group."""
    do_sample: bool = False
    penalty_alpha: float | None = None
    """Contrastive search: weight of the degeneration penalty, with ``top_k`` candidates (arXiv 2202.06417)."""
    prompt_lookup_num_tokens: int | None = None
    """Most tokens copied from an earlier occurrence of the last ones and verified in one step."""
    max_matching_ngram_size: int = 2
    """Prompt lookup: most last tokens to look for."""
    force_words_ids: Sequence[Sequence[int] | Sequence[Sequence[int]]] | None = None
    """Token sequences that the output must contain; where one is a list of sequences, any of them will do."""
    constraints: "Sequence[Constraint] | None" = None
    """The same, and conditions of one's own."""

    temperature: float = 1.0
    top_k: int = 50
    """Sample among the most probable tokens; 0 for all. Contrastive search: number of candidates."""
    top_p: float = 1.0
    """Sample among the most probable tokens that together reach this mass (arXiv 1904.09751)."""
    min_p: float | None = None
    """Sample among tokens at least this probable, relative to the most probable one (arXiv 2407.01082)."""
    typical_p: float = 1.0
    """Sample among the tokens of that mass whose information is closest to the expected one (arXiv 2202.00666)."""
    epsilon_cutoff: float = 0.0
    """Sample among tokens at least this probable (arXiv 2210.15191)."""
    eta_cutoff: float = 0.0
    """As ``epsilon_cutoff``, lowered where the entropy is high (arXiv 2210.15191)."""
    seed: int | None = None
    """Row ``i`` is sampled with `row_seed(seed, i)`; by default torch's own generator gives the seed."""
    seeds: Sequence[int] | None = None
    """A seed for each row of the batch: the row's sample is the same in any batch."""

    repetition_penalty: float = 1.0
    """Divides (multiplies, if negative) the scores of tokens that occur in the text (arXiv 1909.05858)."""
    encoder_repetition_penalty: float = 1.0
    """The opposite for tokens of the encoder's input, or of the prompt where there is no encoder."""
    no_repeat_ngram_size: int = 0
    """No sequence of that many tokens occurs twice."""
    encoder_no_repeat_ngram_size: int = 0
    """No sequence of that many tokens of the encoder's input (or the prompt) occurs in the output."""
    bad_words_ids: Sequence[Sequence[int]] | None = None
    """Token sequences that never occur."""
    sequence_bias: Mapping[tuple[int, ...], float] | Sequence[Sequence[Any]] | None = None
    """Token sequence -> what is added to the score of its last token; also as a list of pairs."""
    suppress_tokens: TokenIds | None = None
    begin_suppress_tokens: TokenIds | None = None
    """Tokens that are never the first new one."""
    forced_bos_token_id: int | None = None
    """The second token of every text, after the decoder's start token."""
    forced_eos_token_id: int | TokenIds | None = None
    """The last token of a text that reaches its greatest length."""
    exponential_decay_length_penalty: tuple[int, float] | None = None
    """``(start, factor)``: from ``start`` new tokens on, the end token's score rises exponentially."""
    length_penalty: float = 1.0
    """Beams: a text's score is divided by its number of new tokens to this power."""
    renormalize_logits: bool = False
    """Make log-probabilities of the scores once more after all processors."""
    remove_invalid_values: bool = False
    """Replace NaN and infinite logits instead of raising."""

    num_return_sequences: int = 1
    """Texts for each row of the batch: samples, or the best beams."""
    output_scores: bool = False
    """Return the scores that each token was chosen by."""
    output_logits: bool = False
    """Return the model's own logits."""
    return_dict_in_generate: bool = False
    """Return a `GenerationOutput` instead of only its ``sequences``."""

    pad_token_id: int | None = None
    """Fills up shorter texts; by default the first end token."""
    bos_token_id: int | None = None
    """The prompt when none is given."""
    eos_token_id: int | TokenIds | None = None
    """Token or tokens that end a text."""
    decoder_start_token_id: int | TokenIds | None = None
    """First token of a decoder with an encoder, one for all rows or one each; by default ``bos_token_id``."""
    use_cache: bool = True
    """Always true: decoding never reads the past again."""

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            if getattr(self, each.name) is None and each.default is not None:
                object.__setattr__(self, each.name, _OFF.get(each.name, each.default))
        self._check_values()
        self._check_combinations()

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """The end tokens, none if there are none."""
        return _ids(self.eos_token_id)

    @property
    def forced_eos_ids(self) -> tuple[int, ...]:
        """The tokens of which one is forced at the greatest length."""
        return _ids(self.forced_eos_token_id)

    @property
    def strings(self) -> tuple[str, ...]:
        """The stop strings."""
        return (self.stop_strings,) if isinstance(self.stop_strings, str) else tuple(self.stop_strings or ())

    @property
    def biases(self) -> dict[tuple[int, ...], float]:
        """``sequence_bias`` as a mapping."""
        given = self.sequence_bias or {}
        pairs = given.items() if isinstance(given, Mapping) else given
        return {tuple(ids): float(bias) for ids, bias in pairs}

    @property
    def strategy(self) -> Strategy:
        """What these options ask for."""
        if self.force_words_ids is not None or self.constraints:
            return Strategy.CONSTRAINED_BEAM
        if self.num_beams > 1:
            return Strategy.GROUP_BEAM if self.num_beam_groups > 1 else Strategy.BEAM
        if self.penalty_alpha and self.top_k > 1:
            return Strategy.CONTRASTIVE
        if self.prompt_lookup_num_tokens is not None:
            return Strategy.LOOKUP
        return Strategy.SAMPLE if self.do_sample else Strategy.GREEDY

    def updated(self, **changes: Any) -> Self:
        """A copy with other values. A new bound replaces its counterpart: ``max_new_tokens`` ends ``max_length``.

        Raises `TypeError` for an unknown name and `InputError` where a value or the combination cannot be meant.
        """
        for name in changes:
            if name not in OPTION_NAMES:
                raise TypeError(f"unknown generation option {name!r}; there are {', '.join(sorted(OPTION_NAMES))}")
        given = {name for name, value in changes.items() if value is not None}
        for one, other in _COUNTERPARTS:
            if len(given & {one, other}) == 1:
                changes[other if one in given else one] = None
        return dataclasses.replace(self, **changes)

    def without_effect(self, names: Sequence[str]) -> list[str]:
        """Which of the options named change nothing, with the reason."""
        idle = []
        for name in names:
            value = getattr(self, name)
            if value == _OFF.get(name, _DEFAULTS[name]) or value == _DEFAULTS[name]:
                continue
            if name in _SAMPLING and not self.do_sample and not (name == "top_k" and self.penalty_alpha):
                idle.append(f"{name}={value!r} has no effect without do_sample=True")
            elif name in _BEAMS and self.num_beams == 1:
                idle.append(f"{name}={value!r} has no effect with num_beams=1")
            elif name in ("output_scores", "output_logits") and not self.return_dict_in_generate:
                idle.append(f"{name}=True has no effect without return_dict_in_generate=True")
        return idle

    def _check_values(self) -> None:
        for name, least in _WHOLE.items():
            value = getattr(self, name)
            if value is not None and not (_is_whole(value) and value >= least):
                raise InputError(f"{name}={value!r}: must be a whole number of at least {least}")
        for name, (low, high, open_low) in _REAL.items():
            value = getattr(self, name)
            if value is None:
                continue
            if not _is_real(value) or not low <= value <= high or (open_low and value == low):
                bound = f"above {low:g}" if open_low else f"at least {low:g}"
                raise InputError(
                    f"{name}={value!r}: must be a number {bound}" + (f" and at most {high:g}" if high < _INF else "")
                )
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name}={getattr(self, name)!r}: must be True or False")
        if not any(self.early_stopping is each for each in (True, False)) and self.early_stopping != "never":
            raise InputError(f"early_stopping={self.early_stopping!r}: must be True, False or 'never'")
        for name in ("eos_token_id", "forced_eos_token_id", "decoder_start_token_id"):
            _check_ids(name, getattr(self, name), _ids_or_value(getattr(self, name)))
        for name in ("suppress_tokens", "begin_suppress_tokens", "seeds"):
            _check_ids(name, getattr(self, name), getattr(self, name))
        for name in ("bad_words_ids", "force_words_ids"):
            _check_words(name, getattr(self, name), nested=name == "force_words_ids")
        _check_biases(self.sequence_bias)
        strings: tuple[object, ...] = self.strings
        if any(not isinstance(each, str) or not each for each in strings):
            raise InputError(f"stop_strings={self.stop_strings!r}: must be one or more strings that are not empty")
        decay: Any = self.exponential_decay_length_penalty
        if decay is not None and (len(decay) != 2 or not _is_whole(decay[0]) or not _is_real(decay[1])):
            raise InputError(f"exponential_decay_length_penalty={decay!r}: must be (number of tokens, factor)")
        if not self.use_cache:
            raise InputError("use_cache=False: decoding always caches, with the same result; leave it out")

    def _check_combinations(self) -> None:
        for one, other in _COUNTERPARTS:
            if getattr(self, one) != _DEFAULTS[one] and getattr(self, other) != _DEFAULTS[other]:
                raise InputError(
                    f"{one}={getattr(self, one)!r} and {other}={getattr(self, other)!r}: give one of the two"
                )
        if self.do_sample and self.temperature == 0:
            raise InputError("temperature=0: must be above 0; for the most probable token each time, do_sample=False")
        most = self.max_new_tokens
        if most is not None and self.min_new_tokens > most:
            raise InputError(f"min_new_tokens={self.min_new_tokens} is more than max_new_tokens={most}")
        if self.num_beams % self.num_beam_groups:
            raise InputError(
                f"num_beam_groups={self.num_beam_groups}: must divide num_beams={self.num_beams} into equal groups"
            )
        if self.num_beam_groups > 1 and not self.diversity_penalty:
            raise InputError(
                f"num_beam_groups={self.num_beam_groups} with diversity_penalty=0: all groups would find the same "
                "texts; set diversity_penalty above 0"
            )
        if self.num_beam_groups == 1 and self.diversity_penalty:
            raise InputError(f"diversity_penalty={self.diversity_penalty:g}: needs num_beam_groups of at least 2")
        self._check_strategy()

    def _check_strategy(self) -> None:
        strategy = self.strategy
        if strategy is Strategy.CONSTRAINED_BEAM and self.num_beams == 1:
            raise InputError("num_beams=1: forced words are found by beam search; set num_beams to at least 2")
        refused = {
            "do_sample": self.do_sample
            and strategy in (Strategy.GROUP_BEAM, Strategy.CONSTRAINED_BEAM, Strategy.CONTRASTIVE),
            "num_beam_groups": self.num_beam_groups > 1 and strategy is Strategy.CONSTRAINED_BEAM,
            "penalty_alpha": bool(self.penalty_alpha) and strategy is not Strategy.CONTRASTIVE,
            "prompt_lookup_num_tokens": self.prompt_lookup_num_tokens is not None and strategy is not Strategy.LOOKUP,
        }
        for name, contradicts in refused.items():
            if contradicts:
                value, cause = getattr(self, name), self._cause(strategy)
                raise InputError(f"{name}={value!r} contradicts {strategy.value}, which {cause} asks for")
        most = self.num_beams if strategy.is_beam else None if self.do_sample else 1
        if most is not None and self.num_return_sequences > most:
            raise InputError(
                f"num_return_sequences={self.num_return_sequences}: {strategy.value} with num_beams={self.num_beams} "
                f"finds at most {most}" + ("" if strategy.is_beam else "; set do_sample=True or more beams")
            )

    def _cause(self, strategy: Strategy) -> str:
        return {
            Strategy.CONSTRAINED_BEAM: "force_words_ids" if self.force_words_ids else "constraints",
            Strategy.GROUP_BEAM: f"num_beam_groups={self.num_beam_groups}",
            Strategy.BEAM: f"num_beams={self.num_beams}",
            Strategy.CONTRASTIVE: f"penalty_alpha={self.penalty_alpha} with top_k={self.top_k}",
        }.get(strategy, f"do_sample={self.do_sample} with top_k={self.top_k}")


OPTION_NAMES = frozenset(each.name for each in dataclasses.fields(GenerationOptions))
_DEFAULTS = {each.name: each.default for each in dataclasses.fields(GenerationOptions)}
_INF = float("inf")
# None switches these off although their default is on
_OFF: dict[str, Any] = {"top_k": 0}
_WHOLE = {
    "max_new_tokens": 1, "max_length": 1, "min_new_tokens": 0, "min_length": 0, "num_beams": 1, "num_beam_groups": 1,
    "prompt_lookup_num_tokens": 1, "max_matching_ngram_size": 1, "top_k": 0, "seed": 0, "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0, "forced_bos_token_id": 0, "num_return_sequences": 1, "pad_token_id": 0,
    "bos_token_id": 0,
}  # fmt: skip
# lowest, highest, whether the lowest itself is refused
_REAL = {
    "max_time": (0.0, _INF, True), "diversity_penalty": (0.0, _INF, False), "penalty_alpha": (0.0, 1.0, False),
    "temperature": (0.0, _INF, False), "top_p": (0.0, 1.0, False), "min_p": (0.0, 1.0, False),
    "typical_p": (0.0, 1.0, True), "epsilon_cutoff": (0.0, 1.0, False), "eta_cutoff": (0.0, 1.0, False),
    "repetition_penalty": (0.0, _INF, True), "encoder_repetition_penalty": (0.0, _INF, True),
    "length_penalty": (-_INF, _INF, False),
}  # fmt: skip
_COUNTERPARTS = (("max_new_tokens", "max_length"), ("min_new_tokens", "min_length"), ("seed", "seeds"))
_SWITCHES = (
    "do_sample", "renormalize_logits", "remove_invalid_values", "output_scores", "output_logits",
    "return_dict_in_generate", "use_cache",
)  # fmt: skip
_SAMPLING = (
    "temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "seed", "seeds",
)  # fmt: skip
_BEAMS = ("early_stopping", "length_penalty")


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_real(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _ids(value: int | TokenIds | None) -> tuple[int, ...]:
    if value is None:
        return ()
    return (int(value),) if isinstance(value, int | Integral) else tuple(int(each) for each in value)


def _ids_or_value(value: object) -> object:
    return (value,) if _is_whole(value) else value


def _check_ids(name: str, value: object, ids: object) -> None:
    if ids is None:
        return
    if isinstance(ids, str) or not isinstance(ids, Sequence) or any(not _is_whole(each) or each < 0 for each in ids):
        raise InputError(f"{name}={value!r}: must be whole numbers of at least 0")


def _check_words(name: str, words: object, *, nested: bool) -> None:
    if words is None:
        return
    if not isinstance(words, Sequence) or isinstance(words, str) or not words:
        raise InputError(f"{name}={words!r}: must be a list of lists of token ids that is not empty")
    for word in words:
        if not isinstance(word, Sequence) or isinstance(word, str) or not word:
            raise InputError(f"{name}: {word!r} must be a list of token ids that is not empty")
        if nested and isinstance(word[0], Sequence):
            _check_words(name, word, nested=False)
        else:
            _check_ids(f"an entry of {name}", word, word)


def _check_biases(biases: object) -> None:
    if biases is None:
        return
    pairs: Any = list(biases.items()) if isinstance(biases, Mapping) else biases
    if not isinstance(pairs, Sequence) or not pairs or any(len(pair) != 2 for pair in pairs):
        raise InputError(f"sequence_bias={biases!r}: must map token sequences to numbers, and not be empty")
    for ids, bias in pairs:
        _check_words("sequence_bias", [ids], nested=False)
        if not _is_real(bias):
            raise InputError(f"sequence_bias: {bias!r} for {tuple(ids)} must be a number")
