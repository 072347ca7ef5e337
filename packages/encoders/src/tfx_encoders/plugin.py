"""What this distribution gives to tfx; imports neither torch nor the architectures."""

from tfx_core.plugins import ArchitectureSpec, hookimpl

TFX_API = 1


@hookimpl
def tfx_architectures() -> list[ArchitectureSpec]:
    """The encoders."""
    return [
        ArchitectureSpec(
            "bert",
            target="tfx_encoders.bert:ARCHITECTURE",
            hf_classes={
                "BertModel": "backbone",
                "BertForMaskedLM": "masked-lm",
                "BertLMHeadModel": "causal-lm",
                "BertForNextSentencePrediction": "next-sentence",
                "BertForPreTraining": "pretraining",
                "BertForSequenceClassification": "sequence-classification",
                "BertForTokenClassification": "token-classification",
                "BertForQuestionAnswering": "question-answering",
                "BertForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states", "pooled-state"),
            tokenizer_classes=("BertTokenizer", "BertTokenizerFast"),
            summary="Bidirectional encoder pretrained by masked tokens and next sentences; also a decoder",
            paper="https://arxiv.org/abs/1810.04805",
        ),
        ArchitectureSpec(
            "xlm",
            target="tfx_encoders.xlm:ARCHITECTURE",
            heads=(
                *("masked-lm", "causal-lm", "sequence-classification", "token-classification"),
                *("question-answering", "question-answering-beam", "multiple-choice"),
            ),
            hf_classes={
                "XLMModel": "backbone",
                "XLMWithLMHeadModel": "masked-lm",
                "XLMForSequenceClassification": "sequence-classification",
                "XLMForTokenClassification": "token-classification",
                "XLMForQuestionAnsweringSimple": "question-answering",
                "XLMForQuestionAnswering": "question-answering-beam",
                "XLMForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states",),
            tokenizer_classes=("XLMTokenizer",),
            summary="Post-norm encoder of many languages, told each token's; also causal",
            paper="https://arxiv.org/abs/1901.07291",
        ),
        ArchitectureSpec(
            "flaubert",
            target="tfx_encoders.flaubert:ARCHITECTURE",
            heads=(
                *("masked-lm", "causal-lm", "sequence-classification", "token-classification"),
                *("question-answering", "question-answering-beam", "multiple-choice"),
            ),
            hf_classes={
                "FlaubertModel": "backbone",
                "FlaubertWithLMHeadModel": "masked-lm",
                "FlaubertForSequenceClassification": "sequence-classification",
                "FlaubertForTokenClassification": "token-classification",
                "FlaubertForQuestionAnsweringSimple": "question-answering",
                "FlaubertForQuestionAnswering": "question-answering-beam",
                "FlaubertForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states",),
            tokenizer_classes=("FlaubertTokenizer",),
            summary="French encoder built as XLM, large with norms before the sublayers",
            paper="https://arxiv.org/abs/1912.05372",
        ),
    ]
