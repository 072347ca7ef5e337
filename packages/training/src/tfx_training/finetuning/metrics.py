"""How good answers are, by the libraries that published numbers are made with; SQuAD's measure is here itself.

All shares are between 0 and 1, BLEU and chrF between 0 and 100 as everybody writes them. What needs a library that is
not installed is left out: `missing` says so.
"""

import math
import re
import string
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec

LIBRARIES = ("rouge_score", "sacrebleu", "sklearn", "seqeval")

Measures = Mapping[str, float]


def missing() -> str:
    """What to say where a library of the extra is not installed; empty where all are."""
    lacking = [name for name in LIBRARIES if find_spec(name) is None]
    return (
        f"without {', '.join(lacking)} only losses and accuracy are told: pip install 'tfx-training[metrics]'"
        * bool(lacking)
    )


def has(library: str) -> bool:
    """Whether a library of the extra is installed."""
    return find_spec(library) is not None


def accuracy(right: Sequence[object], given: Sequence[object]) -> float:
    """The share of answers that are the right ones."""
    return sum(one == other for one, other in zip(right, given, strict=True)) / len(right)


def of_classes(right: Sequence[int], given: Sequence[int]) -> Measures:
    """Accuracy, F1 (the mean over classes; of two classes that of the second) and Matthews' correlation.

    As GLUE has them (Wang et al. 2018), computed by scikit-learn.
    """
    measures = {"accuracy": accuracy(right, given)}
    if not has("sklearn"):
        return measures
    from sklearn.metrics import f1_score, matthews_corrcoef

    if {*right, *given} <= {0, 1}:
        measures["F1"] = float(f1_score(right, given, zero_division=0.0))
    measures["macro F1"] = float(f1_score(right, given, average="macro", zero_division=0.0))
    return {**measures, "Matthews": float(matthews_corrcoef(right, given))}


def of_sets(right: Sequence[Sequence[int]], given: Sequence[Sequence[int]], classes: int) -> Measures:
    """Of texts with several classes each: how often all are right, and F1 over all decisions and by class."""
    measures = {"accuracy": accuracy([{*each} for each in right], [{*each} for each in given])}
    if not has("sklearn"):
        return measures
    from sklearn.metrics import f1_score

    tables = [[[number in each for number in range(classes)] for each in rows] for rows in (right, given)]
    scores = {f"{how} F1": float(f1_score(*tables, average=how, zero_division=0.0)) for how in ("micro", "macro")}
    return {**measures, **scores}


def of_values(right: Sequence[float], given: Sequence[float]) -> Measures:
    """The mean squared error, and Pearson's and Spearman's correlation, which are 0 where all values are alike."""
    measures = {"squared error": sum((one - other) ** 2 for one, other in zip(right, given, strict=True)) / len(right)}
    if not has("scipy"):
        return measures
    from scipy.stats import pearsonr, spearmanr

    with warnings.catch_warnings(action="ignore"):  # of values that are all alike
        both = {"Pearson": pearsonr(right, given)[0], "Spearman": spearmanr(right, given)[0]}
    return {**measures, **{name: 0.0 if math.isnan(value) else float(value) for name, value in both.items()}}


def of_tags(right: Sequence[Sequence[str]], given: Sequence[Sequence[str]]) -> Measures:
    """Accuracy of words; where labels begin with B- and I-, precision, recall and F1 of entities, by seqeval.

    An entity counts when its kind and both ends are right, as conlleval has it (Tjong Kim Sang & De Meulder 2003). Of
    labels that name no entities F1 is the mean over labels.
    """
    words, guesses = [word for row in right for word in row], [word for row in given for word in row]
    measures = {"accuracy": accuracy(words, guesses)}
    if any(label.startswith(("B-", "I-")) for label in words):
        if has("seqeval"):
            from seqeval.metrics import f1_score, precision_score, recall_score

            both = ([*map(list, right)], [*map(list, given)])
            scores = {"precision": precision_score, "recall": recall_score, "F1": f1_score}
            with warnings.catch_warnings(action="ignore"):  # where nothing was found
                measures |= {name: float(score(*both, zero_division=0)) for name, score in scores.items()}
    elif has("sklearn"):
        from sklearn.metrics import f1_score as f1_of_labels

        measures["F1"] = float(f1_of_labels(words, guesses, average="macro", zero_division=0.0))
    return measures


def of_answers(right: Sequence[Sequence[str]], given: Sequence[str]) -> Measures:
    """Exact matches and F1 of words, of each question the best over its answers; none is the empty answer.

    After the evaluation of SQuAD (Rajpurkar et al. 2016, 2018): case, punctuation, articles and blanks do not count.
    """
    pairs = [(answers or [""], answer) for answers, answer in zip(right, given, strict=True)]
    exact = [max(float(_bare(each) == _bare(answer)) for each in answers) for answers, answer in pairs]
    shared = [max(_overlap(_bare(each), _bare(answer)) for each in answers) for answers, answer in pairs]
    return {"exact match": sum(exact) / len(exact), "F1": sum(shared) / len(shared)}


def _bare(answer: str) -> list[str]:
    """The words of an answer that count."""
    kept = "".join(sign for sign in answer.lower() if sign not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def _overlap(right: Sequence[str], given: Sequence[str]) -> float:
    if not right or not given:
        return float(right == given)
    common = sum((Counter(right) & Counter(given)).values())
    return 2 * common / (len(right) + len(given))


def of_translations(right: Sequence[str], given: Sequence[str], language: str | None = None) -> Measures:
    """BLEU and chrF, by sacrebleu (Post 2018); of Chinese and Japanese BLEU counts characters."""
    if not has("sacrebleu"):
        return {}
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    own = {"zh": "zh", "ja": "char"}.get((language or "")[:2])
    bleu = BLEU() if own is None else BLEU(tokenize=own)
    return {
        "BLEU": float(bleu.corpus_score(given, [right]).score),
        "chrF": float(CHRF().corpus_score(given, [right]).score),
    }


def of_summaries(right: Sequence[str], given: Sequence[str]) -> Measures:
    """ROUGE-1, -2, -L and -Lsum (F1 of stems), by rouge-score; the words of scripts other than Latin count too."""
    if not has("rouge_score"):
        return {}
    from rouge_score.rouge_scorer import RougeScorer

    kinds = {"ROUGE-1": "rouge1", "ROUGE-2": "rouge2", "ROUGE-L": "rougeL", "ROUGE-Lsum": "rougeLsum"}
    scorer = RougeScorer([*kinds.values()], tokenizer=_Words())
    scores = [scorer.score(one, other) for one, other in zip(right, given, strict=True)]
    return {name: sum(each[kind].fmeasure for each in scores) / len(scores) for name, kind in kinds.items()}


class _Words:
    """Words as rouge-score has them, of every script: its own rule drops what is neither a to z nor a digit."""

    _WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self._stem: Callable[[str], str] = PorterStemmer().stem

    def tokenize(self, text: str) -> list[str]:
        """Stems in lower case; of words of three letters or less the words."""
        words = self._WORD.findall(text.lower())
        return [self._stem(word) if len(word) > 3 and word.isascii() else word for word in words]
