"""Names of BERT's tensors in a checkpoint."""

from tfx_core.checkpoint import Drop, Fuse, Legacy, Rename, Rule, Same, WeightTable
from tfx_encoders.bert.config import BertConfig

_THEIRS = "bert.encoder.layer.{i}."
_OURS = "backbone.stack.layers.{i}."

_LAYERS = (
    Fuse(
        (
            _THEIRS + "attention.self.query.{p}",
            _THEIRS + "attention.self.key.{p}",
            _THEIRS + "attention.self.value.{p}",
        ),
        _OURS + "self_attention.sublayer.projections.qkv.{p}",
    ),
    Rename(_THEIRS + "attention.output.dense.{p}", _OURS + "self_attention.sublayer.out.{p}"),
    Rename(_THEIRS + "attention.output.LayerNorm.{p}", _OURS + "self_attention.norm.{p}"),
    Rename(_THEIRS + "intermediate.dense.{p}", _OURS + "feed_forward.sublayer.up.{p}"),
    Rename(_THEIRS + "output.dense.{p}", _OURS + "feed_forward.sublayer.down.{p}"),
    Rename(_THEIRS + "output.LayerNorm.{p}", _OURS + "feed_forward.norm.{p}"),
)
_RELATIVE_POSITIONS = (
    Rename(
        _THEIRS + "attention.self.distance_embedding.weight",
        _OURS + "self_attention.sublayer.position.distances.weight",
    ),
)
_CROSS_ATTENTION = (
    Rename(_THEIRS + "crossattention.self.query.{p}", _OURS + "cross_attention.sublayer.projections.q.{p}"),
    Fuse(
        (_THEIRS + "crossattention.self.key.{p}", _THEIRS + "crossattention.self.value.{p}"),
        _OURS + "cross_attention.sublayer.projections.kv.{p}",
    ),
    Rename(_THEIRS + "crossattention.output.dense.{p}", _OURS + "cross_attention.sublayer.out.{p}"),
    Rename(_THEIRS + "crossattention.output.LayerNorm.{p}", _OURS + "cross_attention.norm.{p}"),
)
_EMBEDDINGS = (
    Legacy("{x}.LayerNorm.gamma", "{x}.LayerNorm.weight"),  # TensorFlow's names, in the first conversions
    Legacy("{x}.LayerNorm.beta", "{x}.LayerNorm.bias"),
    Drop("bert.embeddings.position_ids"),  # 0, 1, 2, …, stored by older versions of the reference
    Rename("bert.embeddings.word_embeddings.weight", "backbone.embeddings.token.weight"),
    Rename("bert.embeddings.token_type_embeddings.weight", "backbone.embeddings.segment.weight"),
    Rename("bert.embeddings.position_embeddings.weight", "backbone.embeddings.position.weight"),
    Rename("bert.embeddings.LayerNorm.{p}", "backbone.embeddings.norm.{p}"),
)
_PREDICTIONS = (
    Rename("cls.predictions.transform.dense.{p}", "head.predictions.transform.0.{p}"),
    Rename("cls.predictions.transform.LayerNorm.{p}", "head.predictions.transform.2.{p}"),
    Rename("cls.predictions.decoder.weight", "head.predictions.decoder.weight"),
    Same("cls.predictions.decoder.bias", "cls.predictions.bias"),
    Rename("cls.predictions.bias", "head.predictions.decoder.bias"),
)
_RELATIONSHIP = (Rename("cls.seq_relationship.{p}", "head.relationship.{p}"),)
# one name for three classifiers
_CLASSIFIER = (Rename("classifier.{p}", "head.classifier.1.{p}"),)

TIES = (("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),)


def weight_table(config: BertConfig) -> WeightTable:
    """The rules, by the parts that heads have in common."""
    core: tuple[Rule, ...] = _EMBEDDINGS + _LAYERS
    if config.position_embedding_type != "absolute":
        core += _RELATIVE_POSITIONS
    if config.is_decoder and config.add_cross_attention:
        core += _CROSS_ATTENTION
    return WeightTable(
        parts={
            "core": core,
            "pooler": (Rename("bert.pooler.dense.{p}", "backbone.pooler.dense.{p}"),),
            "predictions": _PREDICTIONS,
            "relationship": _RELATIONSHIP,
            "sequence-classifier": _CLASSIFIER,
            "token-classifier": _CLASSIFIER,
            "choice-classifier": _CLASSIFIER,
            "spans": (Rename("qa_outputs.{p}", "head.classifier.{p}"),),
        },
        heads={
            "backbone": ("core", "pooler"),
            "masked-lm": ("core", "predictions"),
            "causal-lm": ("core", "predictions"),
            "next-sentence": ("core", "pooler", "relationship"),
            "pretraining": ("core", "pooler", "predictions", "relationship"),
            "sequence-classification": ("core", "pooler", "sequence-classifier"),
            "token-classification": ("core", "token-classifier"),
            "question-answering": ("core", "spans"),
            "multiple-choice": ("core", "pooler", "choice-classifier"),
            "token-states": ("core",),
            "pooled-state": ("core", "pooler"),
        },
        prefix="bert.",
        optional=("pooler",),
        exclusive=("sequence-classifier", "token-classifier", "choice-classifier"),
    )
