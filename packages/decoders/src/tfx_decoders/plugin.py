"""What this distribution gives to tfx; imports neither torch nor the architectures."""

from tfx_core.plugins import ArchitectureSpec, hookimpl

TFX_API = 1


@hookimpl
def tfx_architectures() -> list[ArchitectureSpec]:
    """The decoders."""
    return [
        ArchitectureSpec(
            "gpt2",
            target="tfx_decoders.gpt2:ARCHITECTURE",
            hf_classes={
                "GPT2Model": "backbone",
                "GPT2LMHeadModel": "causal-lm",
                "GPT2DoubleHeadsModel": "double-heads",
                "GPT2ForSequenceClassification": "sequence-classification",
                "GPT2ForTokenClassification": "token-classification",
                "GPT2ForQuestionAnswering": "question-answering",
            },
            capabilities=("token-states",),
            tokenizer_classes=("GPT2Tokenizer", "GPT2TokenizerFast"),
            summary="Pre-norm decoder with learned positions, byte-level BPE",
            paper="https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf",
        ),
        ArchitectureSpec(
            "reformer",
            target="tfx_decoders.reformer:ARCHITECTURE",
            hf_classes={
                "ReformerModel": "backbone",
                "ReformerModelWithLMHead": "causal-lm",
                "ReformerForMaskedLM": "masked-lm",
                "ReformerForSequenceClassification": "sequence-classification",
                "ReformerForQuestionAnswering": "question-answering",
            },
            capabilities=("token-states",),
            tokenizer_classes=("ReformerTokenizer", "ReformerTokenizerFast"),
            summary="Decoder of long texts with hashed and local attention, reversible layers, axial positions",
            paper="https://arxiv.org/abs/2001.04451",
        ),
        ArchitectureSpec(
            "transfo-xl",
            target="tfx_decoders.transfo_xl:ARCHITECTURE",
            hf_classes={
                "TransfoXLModel": "backbone",
                "TransfoXLLMHeadModel": "causal-lm",
                "TransfoXLForSequenceClassification": "sequence-classification",
            },
            capabilities=("token-states",),
            tokenizer_classes=("TransfoXLTokenizer",),
            summary="Decoder with segment memory, relative positions, adaptive embedding and softmax, words",
            paper="https://arxiv.org/abs/1901.02860",
        ),
        ArchitectureSpec(
            "xlnet",
            target="tfx_decoders.xlnet:ARCHITECTURE",
            hf_classes={
                "XLNetModel": "backbone",
                "XLNetLMHeadModel": "causal-lm",
                "XLNetForSequenceClassification": "sequence-classification",
                "XLNetForTokenClassification": "token-classification",
                "XLNetForMultipleChoice": "multiple-choice",
                "XLNetForQuestionAnsweringSimple": "question-answering",
                "XLNetForQuestionAnswering": "question-answering-beam",
            },
            capabilities=("token-states",),
            tokenizer_classes=("XLNetTokenizer", "XLNetTokenizerFast"),
            summary="Transformer-XL read in any order, with a query stream, memory and relative segments",
            paper="https://arxiv.org/abs/1906.08237",
        ),
    ]
