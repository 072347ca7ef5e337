"""Training of encoders and readers for passage search (Karpukhin et al. 2020): losses, batches, hard negatives."""

from tfx_retrieval.training.answers import has_answer, words
from tfx_retrieval.training.batches import RankingBatches
from tfx_retrieval.training.gathering import gathered
from tfx_retrieval.training.losses import Ranked, rank_loss, reader_loss
from tfx_retrieval.training.mining import mined
from tfx_retrieval.training.questions import QuestionFile, TrainingQuestion, write_questions
from tfx_retrieval.training.ranker import PassageRanker
from tfx_retrieval.training.sides import FixedSide, SentenceSide

__all__ = [
    "FixedSide",
    "PassageRanker",
    "QuestionFile",
    "Ranked",
    "RankingBatches",
    "SentenceSide",
    "TrainingQuestion",
    "gathered",
    "has_answer",
    "mined",
    "rank_loss",
    "reader_loss",
    "words",
    "write_questions",
]
