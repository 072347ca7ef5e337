"""What a call takes and gives: inputs by their names, positions for its length, states of the width that it tells."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tfx_core
from tfx_core import HeadSpec, ModelConfig, ModelOutput, hookimpl
from tfx_core.checkpoint import Rename
from tfx_core.errors import InputError
from tfx_core.model import Backbone, HeadPlan
from tfx_core.model.heads import Head
from tfx_core.nn import DecoderCache, initialise_normal
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.cases import CHOICE_HEADS
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.results import padded_texts, results_of_rows
from tfx_testing.tiny import new_model, random_ids, target_ids, tiny_model


class CallChecks(CaseChecks):
    """Calls of a model and of its backbone."""

    @each(head=heads)
    def test_unknown_inputs_are_refused_by_name(self, head: str) -> None:
        """A misspelled input is an error that says what was meant.

        Where it is not: a ``forward`` takes ``**kwargs``; it has to name every input.
        """
        model = tiny_model(self.case, head)
        with pytest.raises(TypeError, match=r"takes no 'attention_maks': did you mean 'attention_mask'"):
            model(random_ids(self.case, 1, 3), attention_maks=torch.ones(1, 3))

    @each(head=heads)
    def test_a_text_beyond_the_positions_is_an_error_that_says_so(self, head: str) -> None:
        """The longest text is read with finite results, one token more is an error, and without a limit any is read.

        Where not: a table of positions has another size than ``Backbone(width, max_positions=…)`` was told.
        """
        model = tiny_model(self.case, head)
        limit = model.max_positions
        length = limit or 80
        longest = results_of_rows(
            self.case, model, random_ids(self.case, 1, length), torch.ones(1, length, dtype=torch.long)
        )
        strange = [name for name, value in longest[0].items() if not value.isfinite().all()]
        assert not strange, f"not finite with {length} tokens: {strange}"
        if limit is None:
            return
        shape = (1, 1, limit + 1) if head in CHOICE_HEADS else (1, limit + 1)
        with pytest.raises(InputError, match=f"{limit + 1} tokens.*positions for {limit}"):
            model(torch.ones(shape, dtype=torch.long))

    @each(head=heads)
    def test_a_backbone_tells_the_width_of_its_states_and_embeds_its_tokens(self, head: str) -> None:
        """States are as wide as ``backbone.width``, and ``inputs_embeds=backbone.embed(ids)`` gives what the ids give.

        Where not: ``embed`` scales, or adds positions, and so does ``forward``; or ``__init__`` was told another width.
        """
        backbone: Any = tiny_model(self.case, head).backbone
        ids, mask = padded_texts(self.case, "right")
        of = "backbone" if "decoder_input_ids" in backbone.input_names else ""
        target = target_ids(self.case, of, len(ids))
        with torch.no_grad():
            states = backbone(input_ids=ids, attention_mask=mask, **target).last_hidden_state
            embedded = backbone(inputs_embeds=backbone.embed(ids), attention_mask=mask, **target).last_hidden_state
        assert states.shape[-1] == backbone.width, "the last axis of last_hidden_state is not backbone.width"
        close(embedded, states, "states of inputs_embeds=backbone.embed(ids), beside those of the ids")

    @each(head=heads)
    def test_a_backbone_that_takes_a_cache_makes_one(self, head: str) -> None:
        """``backbone.new_cache()`` is what ``past_key_values`` takes; without one it is refused.

        Where it is missing: a backbone with an input ``past_key_values`` has to say how an empty cache is made.
        """
        model = tiny_model(self.case, head)
        if "past_key_values" in model.input_names:
            cache = model.backbone.new_cache()
            assert isinstance(cache, DecoderCache), f"new_cache() gives a {type(cache).__name__}, not a DecoderCache"
        elif "mems" in model.input_names:
            with pytest.raises(InputError, match="keeps no key-value cache"):
                model.backbone.new_cache()

    def test_a_head_of_somebody_else_reads_a_state_of_every_token(self) -> None:
        """An architecture with the capability ``token-states`` serves a head that it has never heard of.

        Where it does not: ``capabilities`` promises states for each token, and ``last_hidden_state`` has others.
        """
        if "token-states" not in self.case.spec.capabilities:
            return
        with tfx_core.register(_Plugin(), name="tfx-testing-head"):
            made = new_model(self.case, "tfx-testing-labels", num_labels=3)
        ids, mask = padded_texts(self.case, "right")
        assert made(input_ids=ids, attention_mask=mask).logits.shape == (*ids.shape, 3)


class _Labels(Head):
    """A number for each token and class."""

    def __init__(self, classifier: nn.Linear) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, states: ModelOutput) -> ModelOutput:
        scores: Tensor = self.classifier(states.last_hidden_state)
        return states.updated(logits=scores)


def _build(config: ModelConfig, backbone: Backbone) -> _Labels:
    return _Labels(nn.Linear(backbone.width, config.num_labels))


def _initialise(path: str, module: nn.Module, config: ModelConfig, generator: torch.Generator | None) -> None:
    initialise_normal(module, 0.02, generator)


LABELS: HeadPlan[ModelConfig] = HeadPlan(
    _build, rules={"labels": (Rename("labels.{p}", "head.classifier.{p}"),)}, initialise=_initialise
)


class _Plugin:
    @hookimpl
    def tfx_heads(self) -> list[HeadSpec]:
        return [HeadSpec("tfx-testing-labels", target=f"{__name__}:LABELS")]
