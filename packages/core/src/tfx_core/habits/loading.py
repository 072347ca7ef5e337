"""Names of transformers, and keywords of ``from_pretrained``."""

from tfx_core.habits.habit import needless, renamed, told, works

NAMES = (
    told("AutoModel", "a model is loaded with tfx_core.load_model(path, head='backbone')"),
    told("AutoModelForSequenceClassification", "tfx_core.load_model(path, head='sequence-classification')"),
)
"""Of ``from transformers import …``."""

LOAD_MODEL = (
    works("torch_dtype=", "dtype=", renamed("dtype")),
    works(
        "trust_remote_code=",
        "nothing that comes with a checkpoint is executed; install a distribution that provides the architecture",
        needless(False, None),
    ),
)

NEW_MODEL = (works("torch_dtype=", "dtype=", renamed("dtype")),)

LOAD_TOKENIZER = (works("use_fast=", "every tokenizer here is a fast one", needless(True, None)),)
