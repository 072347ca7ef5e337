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
        Tokens,
        open_corpus,
        prepared_corpus,
        read_documents,
        write_corpus,
    )
    from tfx_training.framing import Framing
    from tfx_training.loop import Trained, train
    from tfx_training.objective import (
        Batch,
        Example,
        Objective,
        Outcome,
        Trainee,
        generator_of,
        load_objective,
        padded,
        share_right,
    )
    from tfx_training.rows import Blocks, Rows
    from tfx_training.settings import TrainingSettings
    from tfx_training.special_tokens import role_id
    from tfx_training.vocabularies import train_tokenizer
    from tfx_training.word_starts import WordStarts

_HOMES = {
    "Batch": "objective",
    "Blocks": "rows",
    "Document": "corpus",
    "Example": "objective",
    "Framing": "framing",
    "Objective": "objective",
    "Outcome": "objective",
    "Part": "corpus",
    "Reading": "corpus",
    "Rows": "rows",
    "TokenCorpus": "corpus",
    "Tokens": "corpus",
    "Trained": "loop",
    "Trainee": "objective",
    "TrainingSettings": "settings",
    "WordStarts": "word_starts",
    "generator_of": "objective",
    "load_objective": "objective",
    "open_corpus": "corpus",
    "padded": "objective",
    "prepared_corpus": "corpus",
    "read_documents": "corpus",
    "role_id": "special_tokens",
    "share_right": "objective",
    "train": "loop",
    "train_tokenizer": "vocabularies",
    "write_corpus": "corpus",
}

__all__ = [
    "Batch",
    "Blocks",
    "Document",
    "Example",
    "Framing",
    "Objective",
    "Outcome",
    "Part",
    "Reading",
    "Rows",
    "TokenCorpus",
    "Tokens",
    "Trained",
    "Trainee",
    "TrainingSettings",
    "WordStarts",
    "__version__",
    "generator_of",
    "load_objective",
    "open_corpus",
    "padded",
    "prepared_corpus",
    "read_documents",
    "role_id",
    "share_right",
    "train",
    "train_tokenizer",
    "write_corpus",
]

__getattr__, __dir__ = on_first_use(__name__, _HOMES, __all__)
