"""transformers calls a model once: takes a call and a file for its states."""

from forward import compete
from transformers import AutoModel

compete(AutoModel.from_pretrained)
