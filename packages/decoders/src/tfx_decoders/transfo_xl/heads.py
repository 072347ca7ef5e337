"""Transformer-XL's heads: what they compute, and the names of their tensors."""

import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.errors import InputError
from tfx_core.model import Backbone, HeadPlan, ModelOutput
from tfx_core.model.heads import (
    IGNORED,
    LanguageHead,
    last_token_classification,
    mean_of_counted,
    next_labels,
    whole_labels,
)
from tfx_decoders.transfo_xl.adaptive import AdaptiveSoftmax, NoClusters, Reduction
from tfx_decoders.transfo_xl.config import TransfoXLConfig


class AdaptiveLMHead(LanguageHead):
    """Predicts the word after each position."""

    predictions: AdaptiveSoftmax

    @property
    def output_layer(self) -> tuple[nn.Module, str]:
        """That of the rarest words."""
        decoders = self.predictions.decoders
        return decoders, str(len(decoders) - 1)

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None, logits_to_keep: int = 0) -> ModelOutput:
        """Logits ``(B, T, V)`` are log-probabilities; with labels there are none, but ``losses`` and their mean.

        ``labels`` ``(B, T)`` are the inputs themselves, shifted here, and ``losses`` ``(B, T - 1)``, 0 where nothing
        real follows a token, or a label of `IGNORED`. With the word that follows the segment as one more label, they
        are ``(B, T)``: so segments in order leave none out. ``logits_to_keep`` computes only that many of the last
        positions, all by default.
        """
        x = states.last_hidden_state
        if labels is None:
            return states.updated(logits=self.predictions(x[:, -logits_to_keep:]))
        if logits_to_keep:
            raise InputError(f"logits_to_keep={logits_to_keep}: a loss needs all positions")
        batch, length = x.shape[:2]
        labels = whole_labels(labels, (batch, length + (labels.shape == (batch, length + 1))))
        mask = states.token_mask
        if mask is not None and labels.shape != mask.shape:  # the word after the segment is real
            mask = F.pad(mask, (0, 1), value=True)
        targets = next_labels(labels, mask)[:, :-1]  # (B, T - 1) or (B, T)
        counted = targets != IGNORED
        of_counted = self.predictions.losses(x[:, : targets.shape[1]][counted], targets[counted])
        losses = of_counted.new_zeros(targets.shape).masked_scatter(counted, of_counted)
        return states.updated(losses=losses, loss=mean_of_counted(of_counted.sum(), counted))


def _causal_lm(config: TransfoXLConfig, backbone: Backbone) -> AdaptiveLMHead:
    ends = (*config.cutoffs, config.vocab_size)
    widths = cluster_widths(config)
    if config.div_val == 1:
        decoders = [nn.Linear(config.d_embed, config.vocab_size)]
    else:
        sizes = (end - begin for begin, end in zip((0, *ends), ends, strict=False))
        decoders = [nn.Linear(width, size) for width, size in zip(widths, sizes, strict=True)]
    return AdaptiveLMHead(
        AdaptiveSoftmax(
            ends,
            [Reduction(config.d_model, width) if projects(config) else nn.Identity() for width in widths],
            decoders,
            nn.Linear(config.d_embed, len(config.cutoffs)) if config.cutoffs else NoClusters(),
        )
    )


def cluster_widths(config: TransfoXLConfig) -> list[int]:
    """Width of each cluster's vectors."""
    return [config.d_embed // config.div_val**cluster for cluster in range(len(config.cutoffs) + 1)]


def projects(config: TransfoXLConfig) -> bool:
    """Whether vectors are projected; where each cluster has a table they always are."""
    return config.div_val > 1 or config.d_embed != config.d_model


def _ties(config: TransfoXLConfig) -> list[tuple[str, str]]:
    """Tables and projections of the output that may be those of the input."""
    clusters = range(len(config.cutoffs) + 1)
    split = config.div_val > 1
    pairs = [
        (f"head.predictions.decoders.{each}.weight", f"backbone.embeddings.tables.{each}.weight")
        for each in (clusters if split else range(1))
    ]
    if projects(config):
        pairs += [
            (
                f"head.predictions.reductions.{each}.weight",
                f"backbone.embeddings.projections.{each if split else 0}.weight",
            )
            for each in clusters
        ]
    return pairs


PREDICTIONS = (
    Rename("crit.out_layers.{i}.{p}", "head.predictions.decoders.{i}.{p}"),
    Rename("crit.out_projs.{i}", "head.predictions.reductions.{i}.weight"),
    Rename("crit.cluster_{p:weight|bias}", "head.predictions.clusters.{p}"),
)

HEADS: dict[str, HeadPlan[TransfoXLConfig]] = {
    "causal-lm": HeadPlan(_causal_lm, rules={"predictions": PREDICTIONS}, ties=_ties),
    "sequence-classification": last_token_classification(),
}
