"""DPR."""

from typing import Any

from torch import Tensor, nn

from tests.cases.bert import TINY as BERT
from tests.cases.bert import with_position_ids, with_tensorflows_names
from tfx_testing.cases import ArchitectureCase, Variant
from tfx_testing.vocabularies import word_pieces

TINY: dict[str, Any] = dict(BERT)
HEADS = ("question-encoder", "context-encoder", "reader")
ENCODERS = HEADS[:2]
WHOLE = {"question_encoder.bert_model.": "question_model.", "ctx_encoder.bert_model.": "ctx_model."}
READER = {"span_predictor.encoder.bert_model.": "encoder.", "span_predictor.": ""}


def as_the_paper_names_them(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names in the files of the paper's own code."""
    renamed = {}
    for name, tensor in tensors.items():
        start = next((each for each in {**WHOLE, **READER} if name.startswith(each)), "")
        renamed[{**WHOLE, **READER, "": ""}[start] + name.removeprefix(start)] = tensor
    return renamed


def with_pooler(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With BERT's pooler, which every model once had."""
    prefix = next(name for name in tensors if "embeddings." in name).partition("embeddings.")[0]
    layer = nn.Linear(24, 24)
    return {f"{prefix}pooler.dense.weight": layer.weight, f"{prefix}pooler.dense.bias": layer.bias, **tensors}


def with_a_reader_of_states(model: nn.Module) -> None:
    """The reference's reader has layers of the projection's width, which it applies to states of another."""
    states = model.span_predictor.encoder.bert_model.config.hidden_size
    for name in ("qa_outputs", "qa_classifier"):
        wrong = getattr(model.span_predictor, name)
        right = nn.Linear(states, wrong.out_features)
        nn.init.normal_(right.weight)
        setattr(model.span_predictor, name, right)


CASE = ArchitectureCase(
    "dpr",
    TINY,
    (
        Variant("states", heads=HEADS),
        Variant("projected", {"projection_dim": 10}, heads=ENCODERS),
        Variant("relative_key", {"position_embedding_type": "relative_key"}, heads=HEADS),
        Variant("relative_key_query", {"position_embedding_type": "relative_key_query", "projection_dim": 8}, ENCODERS),
    ),
    layouts={
        "gamma and beta": with_tensorflows_names,
        "position_ids (up to 4.30)": with_position_ids,
        "a pooler in every model (up to 4.0)": with_pooler,
        "the paper's own code": as_the_paper_names_them,
    },
    refused=(
        ({"projection_dim": -1}, "projection_dim=-1: must be an integer at least 0"),
        ({"num_attention_heads": 5}, "num_attention_heads=5: must be a divisor of hidden_size=24"),
    ),
    released=lambda: word_pieces(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")),
    unread={"classifier_dropout": "files of BERT have it, and no head here classifies"},
)
