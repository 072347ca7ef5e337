"""The options of `generate`: names, defaults and meaning are those of transformers' ``GenerationConfig``."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from tfx_core.errors import InputError
from tfx_core.fields import Above, Between, Checked, Help, InWords, NotEmpty, Positive, Rate
from tfx_core.fields import Count as AnyCount
from tfx_core.generation.constraints import Constraint, ForcedWords
from tfx_core.habits import hint, unknown

_MOST = 10**18
"""Of what tensors count: twice as much still fits their integers."""
_MOST_TEXTS = 10_000
"""Of texts that are decoded together for one row of the batch: there is memory for each from the beginning."""

Count: TypeAlias = Annotated[int, Between(0, _MOST)]
Size: TypeAlias = Annotated[int, Between(1, _MOST)]
Texts: TypeAlias = Annotated[int, Between(1, _MOST_TEXTS)]
TokenIds: TypeAlias = Sequence[Count]
Word: TypeAlias = Annotated[TokenIds, NotEmpty()]
Text: TypeAlias = Annotated[str, NotEmpty()]
Share: TypeAlias = Annotated[float, Above(0, 1)]
Factor: TypeAlias = Annotated[float, Above(0)]


class Strategy(Enum):
    """How the next tokens are chosen; the options decide it."""

    GREEDY = "greedy search"
    SAMPLE = "sampling"
    LOOKUP = "prompt lookup"
    ASSISTED = "assisted generation"
    CONTRASTIVE = "contrastive search"
    BEAM = "beam search"
    GROUP_BEAM = "group beam search"
    CONSTRAINED_BEAM = "constrained beam search"

    @property
    def is_beam(self) -> bool:
        """Whether several texts compete, so that the best is only known at the end."""
        return self in (Strategy.BEAM, Strategy.GROUP_BEAM, Strategy.CONSTRAINED_BEAM)


@dataclass(frozen=True, kw_only=True)
class GenerationOptions(Checked):
    """How to decode; values are checked when an instance is made, and so are combinations that cannot be meant.

    ``None`` always stands for "as if not given". Lengths count the tokens of each text itself, never padding. What has
    a `Help` is an option of tasks as well, shown in these words; what stands below it goes on where they end.
    """

    error: ClassVar[type[InputError]] = InputError

    max_new_tokens: Annotated[Size | None, Help("most tokens to generate")] = None
    """20 when neither this nor ``max_length`` is given."""
    min_new_tokens: Annotated[Count, Help("no end before that many new tokens")] = 0
    max_length: Annotated[Size | None, Help("the same, and a prompt counts as well")] = None
    min_length: Annotated[Count, Help("no end before that many tokens of the output")] = 0
    """A prompt counts as well."""
    max_time: Annotated[Factor | None, Help("seconds after which no further token is begun")] = None
    stop_strings: Annotated[
        Text | Sequence[Text] | None,
        Help("end a text with the token that completes this string"),
        InWords("one or more strings that are not empty"),
    ] = None
    """Needs ``tokenizer``."""

    do_sample: Annotated[bool, Help("draw tokens at random or take the most probable")] = False
    temperature: Annotated[Positive, Help("sampling: above 1 more varied, below 1 less")] = 1.0
    top_k: Annotated[Count, Help("sampling: among that many of the most probable; 0 for all")] = 50
    """Contrastive search: number of candidates."""
    top_p: Annotated[Rate, Help("sampling: among the most probable of this mass")] = 1.0
    """Together they reach this mass (arXiv 1904.09751)."""
    min_p: Annotated[Rate | None, Help("sampling: among those this probable, beside the best")] = None
    """Relative to the most probable token (arXiv 2407.01082)."""
    top_h: Annotated[Share | None, Help("sampling: among the most probable of this share of the entropy")] = None
    """Of the most probable 100, as many as their terms of the entropy reach (arXiv 2509.02510)."""
    typical_p: Annotated[Share, Help("sampling: among the most typical of this mass")] = 1.0
    """Those whose information is closest to the expected one (arXiv 2202.00666)."""
    epsilon_cutoff: Annotated[Rate, Help("sampling: among those this probable")] = 0.0
    """arXiv 2210.15191."""
    eta_cutoff: Annotated[Rate, Help("sampling: the same, lowered where much is open")] = 0.0
    """Where the entropy is high (arXiv 2210.15191)."""
    seed: Annotated[AnyCount | None, Help("sampling: the same seed and input give the same text")] = None
    """Row ``i`` is sampled with `row_seed(seed, i)`; by default torch's own generator gives the seed."""
    seeds: Sequence[AnyCount] | None = None
    """A seed for each row of the batch: the row's sample is the same in any batch."""

    num_beams: Annotated[Texts, Help("texts followed at once; 1 for no beam search")] = 1
    num_beam_groups: Annotated[Texts, Help("groups of beams that avoid each other's tokens")] = 1
    """A group avoids the tokens that earlier groups chose in the same step."""
    diversity_penalty: Annotated[Positive, Help("what a token of an earlier group loses")] = 0.0
    """For each choice by an earlier group."""
    length_penalty: Annotated[
        float, Between(-50, 50), Help("beams: above 0 prefers longer texts, below 0 shorter ones")
    ] = 1.0
    """A text's score is divided by its number of new tokens to this power."""
    early_stopping: Annotated[
        bool | Literal["never"], Help("beams: stop at num_beams texts, when better ones are unlikely, or never")
    ] = False
    """``True`` stops at ``num_beams`` finished texts, ``False`` when improving on them is unlikely, ``"never"`` when it
    is impossible."""
    num_return_sequences: Annotated[Texts, Help("texts for each input")] = 1
    """Texts for each row of the batch: samples, or the best beams."""
    force_words_ids: Annotated[
        Sequence[Word | Annotated[Sequence[Word], NotEmpty()]] | None,
        NotEmpty(),
        InWords("a list of lists of token ids, or of lists of such lists, none of them empty"),
    ] = None
    """Token sequences that the output must contain; where one is a list of sequences, any of them will do."""
    constraints: Annotated[Sequence[Constraint] | None, InWords("a list of constraints")] = None
    """The same, and conditions of one's own."""

    repetition_penalty: Annotated[Factor, Help("above 1 avoids tokens that occurred")] = 1.0
    """Divides (multiplies, if negative) the scores of tokens that occur in the text: the reference's rule."""
    penalized_sampling: Annotated[Factor, Help("above 1 divides the logits of tokens that occurred, once each")] = 1.0
    """The rule of CTRL's paper (arXiv 1909.05858, equation 3), where 1.2 is usual: whatever its sign, the model's own
    logit of a token that occurs in the text is divided, before beams make log-probabilities of it. So a negative logit
    gains, which ``repetition_penalty`` prevents. The prompt counts, as in the authors' code."""
    repetition_penalty_ignores_prompt: Annotated[bool, Help("tokens of the prompt are not penalised")] = False
    """By either rule; only new tokens are."""
    encoder_repetition_penalty: Factor = 1.0
    """The opposite for tokens of the encoder's input, or of the prompt where there is no encoder."""
    no_repeat_ngram_size: Annotated[Count, Help("no sequence of that many tokens twice")] = 0
    encoder_no_repeat_ngram_size: Annotated[Count, Help("no sequence of that many tokens of the input")] = 0
    """None of the encoder's input, or of the prompt, occurs in the output."""
    penalty_alpha: Annotated[Rate | None, Help("contrastive search: weight of its penalty")] = None
    """The degeneration penalty, with ``top_k`` candidates (arXiv 2202.06417)."""
    prompt_lookup_num_tokens: Annotated[
        Size | None, Help("prompt lookup: most tokens copied from earlier text and verified in one step")
    ] = None
    """Copied from an earlier occurrence of the last tokens."""
    max_matching_ngram_size: Annotated[Size, Help("prompt lookup: most tokens to look for")] = 2
    num_assistant_tokens: Size = 20
    """With an ``assistant_model``: the most tokens that it guesses before they are verified in one step."""
    num_assistant_tokens_schedule: Literal["constant", "heuristic", "heuristic_transient"] = "constant"
    """Both heuristics: two more after guesses that all came true, else one fewer; each call begins anew."""
    assistant_confidence_threshold: Rate = 0.4
    """It guesses no further after a token of a lower probability."""

    bad_words_ids: Annotated[
        Sequence[Word] | None, NotEmpty(), InWords("a list of lists of token ids, none of them empty")
    ] = None
    """Token sequences that never occur."""
    sequence_bias: Annotated[
        Mapping[Word, float] | Sequence[tuple[Word, float]] | None,
        NotEmpty(),
        InWords("a mapping of token sequences to numbers, none of them empty"),
    ] = None
    """Token sequence -> what is added to the score of its last token; also as a list of pairs."""
    suppress_tokens: TokenIds | None = None
    begin_suppress_tokens: TokenIds | None = None
    """Tokens that are never the first new one."""
    forced_bos_token_id: Count | None = None
    """The second token of every text, after the decoder's start token."""
    forced_eos_token_id: Count | TokenIds | None = None
    """The last token of a text that reaches its greatest length."""
    exponential_decay_length_penalty: Annotated[
        tuple[Annotated[int, Between(-_MOST, _MOST)], float] | None, InWords("(number of tokens, factor)")
    ] = None
    """``(start, factor)``: from ``start`` new tokens on, the end token's score rises exponentially."""
    guidance_scale: Annotated[float, Between(-1e4, 1e4)] = 1.0
    """Classifier-free guidance: how many times the difference to the negative prompt's log-probabilities counts; 1 for
    none (arXiv 2306.17806)."""
    renormalize_logits: bool = False
    """Make log-probabilities of the scores once more after all processors."""
    remove_invalid_values: bool = False
    """Replace NaN and infinite logits instead of raising."""

    output_scores: bool = False
    """Return the scores that each token was chosen by."""
    output_logits: bool = False
    """Return the model's own logits."""
    return_dict_in_generate: bool = False
    """Return a `GenerationOutput` instead of only its ``sequences``."""

    pad_token_id: Count | None = None
    """Fills up shorter texts; by default the first end token."""
    bos_token_id: Count | None = None
    """The prompt when none is given."""
    eos_token_id: Count | TokenIds | None = None
    """Token or tokens that end a text."""
    decoder_start_token_id: Count | TokenIds | None = None
    """First token of a decoder with an encoder, one for all rows or one each; by default ``bos_token_id``."""
    use_cache: bool = True
    """Without effect: decoding never reads the past again."""

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            if getattr(self, each.name) is None and each.default is not None:
                object.__setattr__(self, each.name, OFF.get(each.name, each.default))
        super().__post_init__()
        self._check_combinations()

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """The end tokens, none if there are none."""
        return _ids(self.eos_token_id)

    @property
    def start_ids(self) -> tuple[int, ...]:
        """What a decoder beside an encoder begins with: one token for all texts or one for each, none if unnamed."""
        return _ids(self.bos_token_id if self.decoder_start_token_id is None else self.decoder_start_token_id)

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
        return {tuple(ids): bias for ids, bias in (given.items() if isinstance(given, Mapping) else given)}

    @property
    def conditions(self) -> tuple[Constraint, ...]:
        """``constraints`` and, as such, ``force_words_ids``."""
        words: Sequence[Any] = self.force_words_ids or ()
        forced = [ForcedWords(word if isinstance(word[0], Sequence) else (word,)) for word in words]
        return (*(self.constraints or ()), *forced)

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

    @property
    def assisted(self) -> Strategy:
        """What they ask for with an ``assistant_model``; raises `InputError` where it contradicts them."""
        if self.strategy not in (Strategy.GREEDY, Strategy.SAMPLE):
            raise InputError(
                f"assistant_model contradicts {self.strategy.value}: it guesses for greedy search and sampling"
            )
        return Strategy.ASSISTED

    def updated(self, **changes: Any) -> Self:
        """A copy with other values, before which stored ones give way as `over` says.

        Raises `TypeError` for an unknown name and `InputError` where a value or the combination cannot be meant.
        """
        if wrong := changes.keys() - OPTION_NAMES:
            raise TypeError(unknown("generate", wrong, OPTION_NAMES, "GenerationOptions"))
        return dataclasses.replace(self, **over({name: getattr(self, name) for name in OPTION_NAMES}, changes))

    def given(self) -> dict[str, Any]:
        """The options whose value is not the default."""
        return {name: getattr(self, name) for name in DEFAULTS if getattr(self, name) != DEFAULTS[name]}

    def without_effect(self, names: Sequence[str]) -> list[str]:
        """Which of the options named change nothing, with the reason."""
        idle = []
        for name in names:
            value = getattr(self, name)
            if value == OFF.get(name, DEFAULTS[name]) or value == DEFAULTS[name]:
                continue
            if name in _SAMPLING and not self.do_sample and not (name == "top_k" and self.penalty_alpha):
                idle.append(f"{name}={value!r} has no effect without do_sample=True")
            elif name in _BEAMS and self.num_beams == 1:
                idle.append(f"{name}={value!r} has no effect with num_beams=1")
            elif name in ("output_scores", "output_logits") and not self.return_dict_in_generate:
                idle.append(f"{name}=True has no effect without return_dict_in_generate=True")
        return idle

    def _check_combinations(self) -> None:
        for one, other in _COUNTERPARTS:
            if getattr(self, one) != DEFAULTS[one] and getattr(self, other) != DEFAULTS[other]:
                raise InputError(
                    f"{one}={getattr(self, one)!r} and {other}={getattr(self, other)!r}: give one of the two"
                )
        if self.do_sample and self.temperature == 0:
            raise InputError(f"temperature=0: must be above 0; {hint('generate', 'do_sample=True, temperature=0')}")
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
        if self.penalized_sampling != 1:
            self._check_penalty()
        self._check_strategy()

    def _check_penalty(self) -> None:
        given = f"penalized_sampling={self.penalized_sampling:g}"
        if self.repetition_penalty != 1:
            raise InputError(f"{given} and repetition_penalty={self.repetition_penalty:g}: give one of the two")
        if self.guidance_scale != 1:
            raise InputError(
                f"{given} contradicts guidance_scale={self.guidance_scale:g}: it divides logits, of which guidance "
                "makes log-probabilities; use repetition_penalty"
            )

    def _check_strategy(self) -> None:
        strategy = self.strategy
        if strategy is Strategy.CONSTRAINED_BEAM and self.num_beams == 1:
            raise InputError("num_beams=1: forced words are found by beam search; set num_beams to at least 2")
        refused = {
            "do_sample": self.do_sample
            and strategy in (Strategy.GROUP_BEAM, Strategy.CONSTRAINED_BEAM, Strategy.CONTRASTIVE),
            "num_beam_groups": self.num_beam_groups > 1 and strategy is Strategy.CONSTRAINED_BEAM,
            "penalty_alpha": bool(self.penalty_alpha) and strategy is not Strategy.CONTRASTIVE,
            "guidance_scale": self.guidance_scale != 1 and strategy is Strategy.CONTRASTIVE,
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
DEFAULTS = {each.name: each.default for each in dataclasses.fields(GenerationOptions)}
# None switches these off although their default is on
OFF: dict[str, Any] = {"top_k": 0}
_LENGTHS = (("max_new_tokens", "max_length"), ("min_new_tokens", "min_length"))
"""Of these the first counts where a call gives both, as in the reference; it is told so by `outdone`."""
_COUNTERPARTS = (*_LENGTHS, ("seed", "seeds"))
_BOUNDS = (("min_new_tokens", "max_new_tokens"), ("min_length", "max_length"))
_SAMPLING = (
    "temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff", "seed", "seeds",
)  # fmt: skip
_BEAMS = ("early_stopping", "length_penalty")


def _ids(value: int | TokenIds | None) -> tuple[int, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, int) else tuple(value)


def over(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options ``given``, and how ``stored`` ones give way to them.

    A bound ends its counterpart, ``max_new_tokens`` for one ``max_length`` even where both are given, and moves the
    opposite one that it contradicts to itself: with ``max_new_tokens=5`` a stored ``min_new_tokens`` of 9 becomes 5.
    """
    changes, meant = dict(given), {name for name, value in given.items() if value is not None}
    for one, other in _COUNTERPARTS:
        both = meant & {one, other}
        if len(both) == 1 or (both and (one, other) in _LENGTHS):
            changes[other if one in meant else one] = None
    for least, most in _BOUNDS:
        low, high = ({**stored, **changes}.get(name) for name in (least, most))
        if len(meant & {least, most}) == 1 and isinstance(low, int) and isinstance(high, int) and low > high:
            changes.update({most: low} if least in meant else {least: high})
    return {name: value for name, value in changes.items() if name in stored or name in given}


def outdone(given: Mapping[str, Any]) -> list[str]:
    """Which of the options given to one call change nothing beside others, with the reason."""
    return [
        f"{other}={given[other]!r} has no effect beside {one}={given[one]!r}"
        for one, other in _LENGTHS
        if given.get(one) is not None and given.get(other) is not None
    ]
