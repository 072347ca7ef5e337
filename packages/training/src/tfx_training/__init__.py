"""Pretraining: how a corpus becomes batches, what is to be learnt from them, and the training itself.

Importing this package does not import torch; each public name is imported on first use (PEP 562).
"""

from typing import TYPE_CHECKING

from tfx_core.first_use import on_first_use

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tfx_training.corpus import (
        Document,
        Part,
        Reading,
        TokenCorpus,
        open_corpus,
        prepared_corpus,
        read_documents,
        write_corpus,
    )
    from tfx_training.objective import Objective, Outcome, Trainee, load_objective
    from tfx_training.vocabularies.training import train_tokenizer

_HOMES = {
    "Document": "corpus",
    "Objective": "objective",
    "Outcome": "objective",
    "Part": "corpus",
    "Reading": "corpus",
    "TokenCorpus": "corpus",
    "Trainee": "objective",
    "load_objective": "objective",
    "open_corpus": "corpus",
    "prepared_corpus": "corpus",
    "read_documents": "corpus",
    "train_tokenizer": "vocabularies.training",
    "write_corpus": "corpus",
}

__all__ = [
    "Document",
    "Objective",
    "Outcome",
    "Part",
    "Reading",
    "TokenCorpus",
    "Trainee",
    "__version__",
    "load_objective",
    "open_corpus",
    "prepared_corpus",
    "read_documents",
    "train_tokenizer",
    "write_corpus",
]

__getattr__, __dir__ = on_first_use(__name__, _HOMES, __all__)
