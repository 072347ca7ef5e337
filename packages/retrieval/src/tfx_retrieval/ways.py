"""The ways in which the command line searches an index: by vectors, by words, by both; and for variety."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from tfx_retrieval.hits import PassageSearch
    from tfx_retrieval.search import SearchIndex

Command = TypeVar("Command", bound=Callable[..., Any])

VECTORS, WORDS, HYBRID = "vectors", "words", "hybrid"


def searching(command: Command) -> Command:
    """Add the options that say how an index is searched: ``hybrid``, ``lexical_only``, ``diverse``."""
    for option in (
        click.option(
            "--diverse",
            type=click.FloatRange(0, 1),
            metavar="NUMBER",
            help="Choose passages unlike each other: 1 counts relevance alone, 0 variety.",
        ),
        click.option("--lexical-only", is_flag=True, help="By words alone, BM25, without a model."),
        click.option("--hybrid", is_flag=True, help="By vectors and by words, their ranks fused."),
    ):
        command = option(command)
    return command


def way_of(*, hybrid: bool, lexical_only: bool) -> str | None:
    """The way that the options ask for, if they do."""
    if hybrid and lexical_only:
        raise click.UsageError("--hybrid and --lexical-only contradict each other; give one of them")
    return HYBRID if hybrid else WORDS if lexical_only else None


def search_by(way: str, index: "SearchIndex", diverse: float | None = None) -> "PassageSearch":
    """The search of an index in this way, for variety where ``diverse`` is a trade-off."""
    from tfx_retrieval import fusion

    found: PassageSearch = index
    if way == WORDS:
        found = index.by_words
    elif way == HYBRID:
        found = index.hybrid()
    return found if diverse is None else fusion.diverse(found, index, trade_off=diverse)
