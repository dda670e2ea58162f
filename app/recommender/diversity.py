"""Diverse lists: the best first, but not all of one kind."""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

# How many points of score a film loses when all chosen so far have its genres. Scores of the best films lie within one.
PENALTY = 2.0


def diverse(items: Sequence[tuple[float, Collection[str]]], limit: int) -> list[int]:
    """Positions of up to `limit` items, each a score and its genres, in order of choice.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): the next item maximizes its score minus
    PENALTY times the share of chosen items that have its genres, averaged over them.
    """
    chosen: list[int] = []
    shown: Counter[str] = Counter()
    left = dict(enumerate(items))
    while left and len(chosen) < limit:

        def worth(position: int) -> float:
            score, genres = items[position]
            repeated = sum(shown[genre] for genre in genres) / len(genres) if genres else 0.0
            return score - PENALTY * repeated / max(len(chosen), 1)

        best = max(left, key=lambda position: (worth(position), -position))
        del left[best]
        chosen.append(best)
        shown.update(set(items[best][1]))
    return chosen


def in_turns(items: Sequence[tuple[Hashable, Mapping[Any, int]]], limit: int) -> list[int]:
    """Positions of up to `limit` items, each a group and labels, in order of choice.

    Groups take turns, starting with the first item's, each with its next allowed item: every label has a maximum number
    of chosen items.
    """
    groups: dict[Hashable, list[int]] = {}
    for position, (group, _) in enumerate(items):
        groups.setdefault(group, []).append(position)
    waiting = [iter(positions) for positions in groups.values()]
    chosen: list[int] = []
    shown: Counter[Hashable] = Counter()
    while waiting and len(chosen) < limit:
        for left in list(waiting):
            # A skipped item stays skipped: the counts of its labels only grow.
            for position in left:
                labels = items[position][1]
                if all(shown[label] < most for label, most in labels.items()):
                    chosen.append(position)
                    shown.update(labels.keys())
                    break
            else:
                waiting.remove(left)
    return chosen[:limit]
