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
            "convbert",
            target="tfx_encoders.convbert:ARCHITECTURE",
            hf_classes={
                "ConvBertModel": "backbone",
                "ConvBertForMaskedLM": "masked-lm",
                "ConvBertForSequenceClassification": "sequence-classification",
                "ConvBertForTokenClassification": "token-classification",
                "ConvBertForQuestionAnswering": "question-answering",
                "ConvBertForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states",),
            tokenizer_classes=("ConvBertTokenizer", "ConvBertTokenizerFast"),
            summary="Bidirectional encoder, half of whose heads are convolutions with kernels made of the text",
            paper="https://arxiv.org/abs/2008.02496",
        ),
    ]
