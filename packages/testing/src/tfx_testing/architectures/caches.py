"""What a model remembers: it sees no future, reads in parts what it reads at once, and keeps each text's own."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tfx_core.generation import ExtendingState
from tfx_core.model import Model
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.cases import CHOICE_HEADS, ArchitectureCase
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.inputs import backbones
from tfx_testing.refusing import refused
from tfx_testing.tiny import each_stream, random_ids, tiny_model
from tfx_testing.writers import LENGTHS, Writer, decoding, exact, of_row, prompts, writers, writing_model

LENGTH, SOURCE = 7, 5
ROWS = 3
"""Of each source, where they cross."""
_NUMBERS_OF_HEADS = {
    *("num_attention_heads", "num_key_value_heads"),
    *("decoder_attention_heads", "num_decoder_attention_heads"),
}
"""Keys of a config that say how many heads a decoder has."""


def rememberers(cls: type[CaseChecks]) -> Sequence[Writer]:
    """What writes with keys and values of earlier tokens."""
    return [each for each in writers(cls) if each.remembers]


def called_rememberers(cls: type[CaseChecks]) -> Sequence[Writer]:
    """Those whose calls take a text as it is, without choices."""
    return [each for each in rememberers(cls) if each.head not in CHOICE_HEADS]


def decoders_alone(cls: type[CaseChecks]) -> Sequence[Writer]:
    """Those without an encoder, too."""
    return [each for each in called_rememberers(cls) if not each.reads_source]


def text_name(model: Model) -> str:
    """The input that is written on."""
    return "decoder_input_ids" if model.config.is_encoder_decoder else "input_ids"


def source_of(case: ArchitectureCase, model: Model, rows: int) -> dict[str, Tensor]:
    """What a decoder is given beside the text, the same in each row."""
    if model.config.is_encoder_decoder:
        return {"input_ids": random_ids(case, 1, SOURCE, seed=4).expand(rows, -1)}
    given = of_row(prompts(case, model), 0)
    return {name: x.expand(rows, -1, -1) for name, x in given.items() if name == "encoder_hidden_states"}


def results_by_place(output: Any, length: int) -> Iterator[tuple[str, Tensor]]:
    """By name the results ``(B, T, …)`` that there are for each token of the text."""
    for name, value in output.items():
        if not isinstance(value, Tensor) or not value.is_floating_point() or value.dim() < 2:
            continue
        for number, stream in enumerate(each_stream(value, length)):
            if stream.shape[1] == length and not name.startswith("encoder"):
                yield (f"{name} of stream {number}" if number else name), stream


class CacheChecks(CaseChecks):
    """Causality and caches."""

    @each(head=heads)
    def test_no_result_depends_on_a_later_token(self, head: str) -> None:
        """Of a backbone that says it is ``causal``, a token's results are changed by no token after it.

        It is asked of each token in turn, with every head that says something of each token, and of the decoder beside
        an encoder. Where a result is changed: the causal mask is missing, inverted or off by one, or a layer looks at
        the whole row, as a norm or a pooling over tokens does; ``causal=False`` is for a model that is meant to.
        """
        if head in CHOICE_HEADS:
            return
        models = backbones(self.case) if head == "backbone" else [tiny_model(self.case, head)]
        for model in models:
            if not (model.backbone.causal and self.case.stepwise(model.config)):
                continue
            if model.config.is_encoder_decoder and head not in self.case.target_heads:
                continue  # its decoder reads the source again
            self._no_leak(model)

    def _no_leak(self, model: Model) -> None:
        name, ids = text_name(model), random_ids(self.case, 1, LENGTH, seed=7)
        # row i has another token i, and all others alike
        changed = ids.expand(LENGTH, -1).clone()
        places = torch.arange(LENGTH)
        changed[places, places] = torch.where(ids[0] > 6, ids[0] - 1, ids[0] + 1)
        if self.case.end_token is not None:
            changed[LENGTH - 1, LENGTH - 1] = 6
        source = source_of(self.case, model, LENGTH)
        with torch.no_grad():
            plain = model(**{**source, name: ids.expand(LENGTH, -1)})
            other = model(**{**source, name: changed})
        before = dict(results_by_place(plain, LENGTH))
        for result, value in results_by_place(other, LENGTH):
            moved = (value - before[result]).abs().view(LENGTH, LENGTH, -1).amax(-1)  # (changed token, place)
            leaks = [(int(place), int(token)) for token, place in (moved.tril(-1) > 1e-4).nonzero()]
            assert not leaks, (
                f"{result} at place {leaks[0][0]} depends on token {leaks[0][1]}, which comes after it"
                f" ({len(leaks)} such pairs among {LENGTH} tokens)"
            )
            if result == "last_hidden_state":
                assert bool((moved.diagonal() > 0).all()), f"{result} does not depend on the token at its own place"

    @each(writer=called_rememberers)
    def test_neither_what_follows_nor_how_much_changes_earlier_logits(self, writer: Writer) -> None:
        """Of a decoder whose steps are exact: what it predicted it has predicted, beside padding as well.

        Where it has not: see the check that no result depends on a later token; or a text's length changes a scale or
        the place of its first token.
        """
        case, model = self.case, writing_model(self.case, writer)
        if not exact(case, model):
            return
        given, name = prompts(case, model), text_name(model)
        ids = random_ids(case, len(LENGTHS), max(LENGTHS), seed=7)
        mask = name.replace("input_ids", "attention_mask")
        given[mask] = given["attention_mask"]
        real, end = given[mask][:, :-2].bool(), ids.shape[1] - 2
        other = torch.cat((ids[:, :end], ids[:, end:].flip(1) - 1), dim=1)
        with torch.no_grad():
            whole, changed = model(**{**given, name: ids}), model(**{**given, name: other})
            short = model(**{**given, name: ids[:, :end], mask: given[mask][:, :end]})
        for key in (key for key in whole if "logits" in key and isinstance(whole[key], Tensor)):
            expected = [stream[real] for stream in each_stream(short[key], end)]
            for output, what in ((whole, "more tokens follow"), (changed, "other tokens follow")):
                for found, wanted in zip(each_stream(output[key], ids.shape[1]), expected, strict=True):
                    close(found[:, :end][real], wanted, f"{key} where {what}, beside those where none do")

    @each(writer=called_rememberers)
    @pytest.mark.parametrize("parts", [(1,) * 7, (3, 3, 1), (2, 4, 1)], ids=str)
    @pytest.mark.parametrize("padded", [True, False])
    def test_a_text_that_is_read_in_parts_gives_what_it_gives_at_once(
        self, writer: Writer, parts: tuple[int, ...], padded: bool
    ) -> None:
        """With the cache of earlier calls, one token at a time or several, a text's logits are those of one call.

        With padding before it as well. Where they are not: new tokens stand at other positions, see no more than
        themselves, see padding, or see the tokens after them in their part; or the cache loses one of its parts.
        """
        case, model = self.case, writing_model(self.case, writer)
        if not case.stepwise(model.config) or not model.backbone.causal:
            return
        name, ids, rows = text_name(model), random_ids(case, 3, LENGTH, seed=7), 3
        source = source_of(case, model, rows)
        mask = torch.ones_like(ids)
        if padded and not model.config.is_encoder_decoder:  # whose decoder begins with one token
            mask[1, :1], mask[2, : parts[0]] = 0, torch.arange(parts[0]) >= parts[0] - 1
        masks = name.replace("input_ids", "attention_mask")
        with torch.no_grad():
            whole = model(**source, **{name: ids, masks: mask}).logits
            found, cache, begin = [], model.backbone.new_cache(), 0
            for size in parts:
                part = {name: ids[:, begin : begin + size], masks: mask[:, begin : begin + size]}
                output = model(**source, **part, past_key_values=cache, use_cache=True)
                cache, begin = output.past_key_values, begin + size
                found.append(output.logits)
        together, real = torch.cat(found, dim=-2), mask.bool()
        for logits, expected in zip(each_stream(together, LENGTH), each_stream(whole, whole.shape[1]), strict=True):
            for place in range(LENGTH):
                here = real[:, place]
                what = f"logits at place {place} of a text that is read in parts of {parts}, beside those of one call"
                close(logits[here, place], expected[here, place], what, rtol=1e-3, atol=1e-4)

    @each(writer=writers)
    def test_beams_that_cross_go_on_with_their_own_texts(self, writer: Writer) -> None:
        """After ``expand``, ``reorder`` and ``select`` each row of a decoding state goes on with the text that it took.

        Rows of a source are crossed, doubled and forgotten, after texts that differ. Where one does not: ``reorder``
        does nothing, moves keys and not values, some layers and not all, leaves a mask or the lengths of rows behind,
        or moves rows between sources.
        """
        case, model = self.case, writing_model(self.case, writer)
        inputs = prompts(case, model)
        sources = len(inputs["attention_mask"])
        texts: list[list[int]] = [[] for _ in range(sources * ROWS)]
        of_source = [row // ROWS for row in range(len(texts))]
        with torch.inference_mode():
            state = decoding(model, inputs)
            state.prefill()
            state.expand(ROWS)
            done = "expand"
            for step, orders in enumerate(([2, 0, 1], [1, 1, 0], [0, 2, 1], None)):
                new = torch.tensor([5 + (3 * row + 2 * step) % 7 for row in range(len(texts))])
                logits: Tensor | None = state.step(new).float().clone()
                texts = [[*text, int(token)] for text, token in zip(texts, new, strict=True)]
                if isinstance(state, ExtendingState) and step == 1:  # rows of different lengths
                    guessed = torch.tensor([[6, 8]]).expand(len(texts), 2)
                    kept = torch.tensor([row % 3 for row in range(len(texts))])
                    state.extend(guessed, torch.full((len(texts),), 2))
                    state.keep(kept)
                    texts = [[*text, *[6, 8][: int(count)]] for text, count in zip(texts, kept, strict=True)]
                    logits = None
                if logits is not None:
                    self._are_of(model, inputs, texts, of_source, logits, done)
                if orders is None:
                    break
                rows = torch.cat([torch.tensor(orders) + ROWS * source for source in range(len(texts) // ROWS)])
                state.reorder(rows)
                texts, done = [texts[int(row)] for row in rows], f"reorder to {orders} in each source"
                if step == 2:
                    state.select(torch.tensor([2, 0]))
                    texts = texts[2 * ROWS : 3 * ROWS] + texts[:ROWS]
                    of_source, done = [2] * ROWS + [0] * ROWS, "select of sources 2 and 0"

    def _are_of(
        self,
        model: Model,
        inputs: dict[str, Tensor],
        texts: Sequence[Sequence[int]],
        sources: Sequence[int],
        logits: Tensor,
        done: str,
    ) -> None:
        """Logits are those that a state gives which reads each text alone."""
        for row, (text, source) in enumerate(zip(texts, sources, strict=True)):
            alone = decoding(model, of_row(inputs, source))
            expected = alone.prefill()
            for token in text:
                expected = alone.step(torch.tensor([token]))
            what = f"logits of row {row} of source {source} after {done}, beside those of its text {text} alone"
            close(logits[row], expected[0].float(), what, rtol=1e-3, atol=1e-4)

    @each(writer=decoders_alone)
    def test_a_copy_of_a_cache_goes_on_by_itself(self, writer: Writer) -> None:
        """What a copy of a cache reads changes nothing of the cache.

        Where it does: keys and values are written in place, into tensors that copies share.
        """
        model = writing_model(self.case, writer)
        ids = random_ids(self.case, 2, 7)
        source = source_of(self.case, model, 2)
        with torch.no_grad():
            cache = model(ids[:, :5], **source, use_cache=True).past_key_values
            expected = model(ids[:, 5:], **source, past_key_values=copy.copy(cache)).logits
            model(ids[:, :2], **source, past_key_values=copy.copy(cache))
            found = model(ids[:, 5:], **source, past_key_values=cache).logits
            close(found, expected, "logits with a cache whose copy read another text, beside those with it before")

    @each(writer=decoders_alone)
    def test_a_cache_that_does_not_fit_is_told(self, writer: Writer) -> None:
        """A cache of other rows, layers or heads is refused, with what does not fit.

        Where it is not: a cache of your own has no ``check_fits``, or a layer appends to keys of another shape.
        """
        case, model = self.case, writing_model(self.case, writer)
        ids = prompts(case, model)["input_ids"].clamp(min=5)
        source = {each: value for each, value in prompts(case, model).items() if each.startswith("encoder")}
        past = model(ids, **source, use_cache=True).past_key_values
        with refused("past_key_values has 3 rows, this call 2; must be alike", "a cache of other rows"):
            model(ids[:2], **{each: value[:2] for each, value in source.items()}, past_key_values=past)
        past.layers = [*past.layers, past.layers[-1]]
        with refused(rf"past_key_values of {len(past.layers)} layers: this model has", "a cache of one layer more"):
            model.generate(torch.cat((ids, ids), dim=1), **source, past_key_values=past)
        heads = _NUMBERS_OF_HEADS & {*model.config.field_names(), *model.config.aliases}
        fewer = model.config.replace(**dict.fromkeys(heads, 1), **case.goes_with("num_attention_heads", 1))
        values = {key: getattr(fewer, key) for key in fewer.field_names() if key != "extra"}
        other = tfx_core.new_model(fewer.model_type, head=model.head_name, seed=1, **values).eval()
        past = other(ids, **source, use_cache=True).past_key_values
        said = r"past_key_values of 1 heads of width \d+: not this model's; a cache goes on"
        with refused(said, "a cache of one head"):
            model(ids, **source, past_key_values=past)
