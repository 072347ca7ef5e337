"""The names that tfx's own distributions provide, so that a missing one is answered with what to install."""

import re
from collections.abc import Mapping

ARCHITECTURES: Mapping[str, Mapping[str, str]] = {
    "tfx-decoders": {
        "openai-gpt": "OpenAIGPT",
        "gpt2": "GPT2",
        "ctrl": "CTRL",
        "transfo-xl": "TransfoXL",
        "reformer": "Reformer",
        "xlnet": "XLNet",
    },
    "tfx-encoders": {
        "bert": "Bert",
        "albert": "Albert",
        "roberta": "Roberta",
        "distilbert": "DistilBert",
        "convbert": "ConvBert",
        "xlm": "XLM",
        "xlm-roberta": "XLMRoberta",
        "flaubert": "Flaubert",
        "electra": "Electra",
        "funnel": "Funnel",
        "longformer": "Longformer",
    },
    "tfx-seq2seq": {
        "bart": "Bart",
        "pegasus": "Pegasus",
        "marian": "Marian",
        "t5": "T5",
        "mt5": "MT5",
        "mbart": "MBart",
        "prophetnet": "ProphetNet",
        "xlm-prophetnet": "XLMProphetNet",
    },
    "tfx-multimodal": {"mmbt": "MMBT"},
    "tfx-retrieval": {"dpr": "DPR", "rag": "Rag"},
}
"""Distribution -> model type -> how the class names of its checkpoints begin."""

_ELSEWHERE: Mapping[str, Mapping[str, str]] = {
    "task": {"open-domain-question-answering": "tfx-retrieval", "multimodal-classification": "tfx-multimodal"},
    "index": {"flat": "tfx-retrieval", "milvus": "tfx-retrieval"},
    "command": {"index": "tfx-retrieval"},
}
"""Kind -> name -> distribution, for everything else that does not come with the core."""

# What may follow the prefix, so that classes of others (BertGeneration…, T5Gemma…, PegasusX…) are not taken for ours.
_CLASS_ENDINGS = (
    r"(For[A-Z]\w*|(Base)?Model|(With)?LMHeadModel|DoubleHeadsModel|MTModel|EncoderModel|(Question|Context)?Encoder"
    r"|Decoder|Reader|(Token|Sequence)ForGeneration)"
)


def names(kind: str) -> list[str]:
    """All official names of a kind of thing, installed or not."""
    if kind == "architecture":
        return [name for family in ARCHITECTURES.values() for name in family]
    return list(_ELSEWHERE.get(kind, ()))


def distribution_of(kind: str, name: str) -> str | None:
    """The tfx distribution that provides a name, or ``None`` when none does."""
    if kind == "architecture":
        return next((distribution for distribution, family in ARCHITECTURES.items() if name in family), None)
    return _ELSEWHERE.get(kind, {}).get(name)


def architecture_of_class(class_name: str) -> str | None:
    """The official model type to which a class name in ``config.json`` belongs."""
    for family in ARCHITECTURES.values():
        for model_type, prefix in family.items():
            if re.fullmatch(prefix + _CLASS_ENDINGS, class_name):
                return model_type
    return None
