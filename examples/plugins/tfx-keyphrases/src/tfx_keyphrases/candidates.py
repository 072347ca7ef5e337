"""Which phrases a text has: neighbouring words, between punctuation, that neither begin nor end with a stop word."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

STOP_WORDS = (
    *("a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can"),
    *("could", "did", "do", "does", "each", "for", "from", "had", "has", "have", "he", "her", "his", "how", "i", "if"),
    *("in", "into", "is", "it", "its", "may", "more", "most", "must", "no", "not", "of", "on", "one", "only", "or"),
    *("other", "our", "she", "should", "so", "some", "such", "than", "that", "the", "their", "them", "then", "there"),
    *("these", "they", "this", "to", "was", "we", "were", "what", "when", "where", "which", "who", "will", "with"),
    *("would", "you", "your"),
)
"""English words that say nothing of a text; those of other languages are an option of the task."""

_STRETCH = re.compile(r"[^.,;:!?()\[\]{}\"«»“”…\n\r\t|/]+")
_WORD = re.compile(r"\w+(?:[-'’]\w+)*")


def candidates(text: str, *, most_words: int, stop_words: Collection[str], most: int) -> Sequence[str]:
    """The phrases of up to ``most_words`` words, each once, whatever its case; at most ``most``, the commonest."""
    found = list(_phrases(text, most_words, {word.casefold() for word in stop_words}))
    spelled = {phrase.casefold(): phrase for phrase in reversed(found)}  # as it stands first
    counts = Counter(phrase.casefold() for phrase in found)
    return [spelled[phrase] for phrase, _ in counts.most_common(most)]


def _phrases(text: str, most_words: int, stop_words: Collection[str]) -> Iterator[str]:
    for stretch in _STRETCH.findall(text):
        words = [*_WORD.finditer(stretch)]
        says = [word[0].casefold() not in stop_words and not word[0].isdigit() for word in words]
        for first in range(len(words)):
            for last in range(first, min(first + most_words, len(words))):
                if says[first] and says[last]:
                    yield " ".join(word[0] for word in words[first : last + 1])
