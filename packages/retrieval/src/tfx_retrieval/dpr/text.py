"""DPR's tokenizers: those of BERT under three names."""

from dataclasses import replace

from tfx_core.model import load_architecture

_OF_BERT = load_architecture("bert").text
assert _OF_BERT is not None

RECIPE = replace(_OF_BERT, facts=replace(_OF_BERT.facts, tokenizer_class="DPRQuestionEncoderTokenizer"))
