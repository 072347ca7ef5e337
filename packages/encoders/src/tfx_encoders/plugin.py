"""What this distribution gives to tfx; imports neither torch nor the architectures."""

from typing import TYPE_CHECKING

from tfx_core.plugins import ArchitectureSpec, hookimpl

if TYPE_CHECKING:
    import click

TFX_API = 1


@hookimpl
def tfx_architectures() -> list[ArchitectureSpec]:
    """The encoders."""
    return [
        ArchitectureSpec(
            "albert",
            target="tfx_encoders.albert:ARCHITECTURE",
            hf_classes={
                "AlbertModel": "backbone",
                "AlbertForMaskedLM": "masked-lm",
                "AlbertForPreTraining": "pretraining",
                "AlbertForSequenceClassification": "sequence-classification",
                "AlbertForTokenClassification": "token-classification",
                "AlbertForQuestionAnswering": "question-answering",
                "AlbertForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states", "pooled-state"),
            tokenizer_classes=("AlbertTokenizer", "AlbertTokenizerFast"),
            summary="BERT with a factorised embedding and shared layers, pretrained by masked tokens and their order",
            paper="https://arxiv.org/abs/1909.11942",
        ),
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
            "roberta",
            target="tfx_encoders.roberta:ARCHITECTURE",
            hf_classes={
                "RobertaModel": "backbone",
                "RobertaForMaskedLM": "masked-lm",
                "RobertaForCausalLM": "causal-lm",
                "RobertaForSequenceClassification": "sequence-classification",
                "RobertaForTokenClassification": "token-classification",
                "RobertaForQuestionAnswering": "question-answering",
                "RobertaForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states", "pooled-state"),
            tokenizer_classes=("RobertaTokenizer", "RobertaTokenizerFast"),
            summary="BERT trained longer, on masked tokens alone, with a byte-level vocabulary; also a decoder",
            paper="https://arxiv.org/abs/1907.11692",
        ),
        ArchitectureSpec(
            "xlm-roberta",
            target="tfx_encoders.xlm_roberta:ARCHITECTURE",
            hf_classes={
                "XLMRobertaModel": "backbone",
                "XLMRobertaForMaskedLM": "masked-lm",
                "XLMRobertaForCausalLM": "causal-lm",
                "XLMRobertaForSequenceClassification": "sequence-classification",
                "XLMRobertaForTokenClassification": "token-classification",
                "XLMRobertaForQuestionAnswering": "question-answering",
                "XLMRobertaForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states", "pooled-state"),
            tokenizer_classes=("XLMRobertaTokenizer", "XLMRobertaTokenizerFast"),
            summary="RoBERTa trained on texts in a hundred languages",
            paper="https://arxiv.org/abs/1911.02116",
        ),
        ArchitectureSpec(
            "distilbert",
            target="tfx_encoders.distilbert:ARCHITECTURE",
            hf_classes={
                "DistilBertModel": "backbone",
                "DistilBertForMaskedLM": "masked-lm",
                "DistilBertForSequenceClassification": "sequence-classification",
                "DistilBertForTokenClassification": "token-classification",
                "DistilBertForQuestionAnswering": "question-answering",
                "DistilBertForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states",),
            tokenizer_classes=("DistilBertTokenizer", "DistilBertTokenizerFast", "BertTokenizer", "BertTokenizerFast"),
            summary="Half of BERT's layers, distilled from it; no token types, no pooler",
            paper="https://arxiv.org/abs/1910.01108",
        ),
        ArchitectureSpec(
            "electra",
            target="tfx_encoders.electra:ARCHITECTURE",
            hf_classes={
                "ElectraModel": "backbone",
                "ElectraForMaskedLM": "masked-lm",
                "ElectraForCausalLM": "causal-lm",
                "ElectraForPreTraining": "pretraining",
                "ElectraForSequenceClassification": "sequence-classification",
                "ElectraForTokenClassification": "token-classification",
                "ElectraForQuestionAnswering": "question-answering",
                "ElectraForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states",),
            tokenizer_classes=("ElectraTokenizer", "ElectraTokenizerFast", "BertTokenizer", "BertTokenizerFast"),
            summary="Discriminator pretrained to find replaced tokens, and the generator that replaces them",
            paper="https://arxiv.org/abs/2003.10555",
        ),
        ArchitectureSpec(
            "convbert",
            target="tfx_encoders.convbert:ARCHITECTURE",
            heads=(
                *("pretraining", "masked-lm", "sequence-classification", "token-classification"),
                *("question-answering", "multiple-choice"),
            ),
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
        ArchitectureSpec(
            "longformer",
            target="tfx_encoders.longformer:ARCHITECTURE",
            hf_classes={
                "LongformerModel": "backbone",
                "LongformerForMaskedLM": "masked-lm",
                "LongformerForSequenceClassification": "sequence-classification",
                "LongformerForTokenClassification": "token-classification",
                "LongformerForQuestionAnswering": "question-answering",
                "LongformerForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states", "pooled-state"),
            tokenizer_classes=(
                *("LongformerTokenizer", "LongformerTokenizerFast"),
                *("RobertaTokenizer", "RobertaTokenizerFast"),
            ),
            summary="RoBERTa for long texts, whose tokens see a window and a few that see everything",
            paper="https://arxiv.org/abs/2004.05150",
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
        ArchitectureSpec(
            "funnel",
            target="tfx_encoders.funnel:ARCHITECTURE",
            hf_classes={
                "FunnelModel": "backbone",
                "FunnelBaseModel": "encoder-only",
                "FunnelForPreTraining": "pretraining",
                "FunnelForMaskedLM": "masked-lm",
                "FunnelForSequenceClassification": "sequence-classification",
                "FunnelForTokenClassification": "token-classification",
                "FunnelForQuestionAnswering": "question-answering",
                "FunnelForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states",),
            tokenizer_classes=("FunnelTokenizer", "FunnelTokenizerFast"),
            summary="Encoder whose blocks pool states of neighbours, with a decoder that has one for every token again",
            paper="https://arxiv.org/abs/2006.03236",
        ),
    ]


@hookimpl
def tfx_commands(cli: "click.Group") -> None:
    """``tfx-core convert longformer``."""
    from tfx_encoders.commands import convert

    cli.add_command(convert)
