"""`make bench-recommend`: our recommendations beside popularity, cosine, EASE and iALS, all tuned, on MovieLens.

P@3 is the share of the three recommended films that a new user is known to like; hit@3 is the share of users who like
at least one of them. A fold's settings are chosen on the other folds' users. Peers get the best setting for each k and
order; ours gets one setting for all, as deployed.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from app.recommender import scoring
from app.recommender.neighbours import GENRES, SHRINKAGE
from bench import recommenders
from bench.newcomers import FOLDS, GIVEN, ORDERS, Questions, questions
from bench.recommenders import TOP, Answers
from ops.progress import table

ERRORS = 2.0  # differences of fewer standard errors don't count
Array = NDArray[Any]


@dataclass(frozen=True)
class Result:
    """Films found (0 to 3) by question, and the settings chosen, by fold."""

    found: Array
    chosen: list[str]


def kinds(asked: Questions) -> list[Array]:
    """A mask of questions for each k and order."""
    return [(asked.k == k) & (asked.order == order) for k in GIVEN for order in range(len(ORDERS))]


def each_chosen(asked: Questions, answers: Answers) -> Result:
    """For each fold, k and order, the answers with the setting that is best for the other folds' users."""
    found = {setting: asked.found(top) for setting, top in answers.items()}
    result, chosen = np.zeros(len(asked.user)), []
    for fold, kind in itertools.product(range(FOLDS), kinds(asked)):
        own = asked.question_fold == fold
        setting = max(found, key=lambda name: found[name][kind & ~own].mean())
        result[kind & own] = found[setting][kind & own]
        chosen.append(setting)
    return Result(result, chosen)


def once_chosen(asked: Questions, answers: Answers) -> Result:
    """For each fold, the answers with the setting that is on average best for the other folds' users."""
    found = {setting: asked.found(top) for setting, top in answers.items()}
    result, chosen = np.zeros(len(asked.user)), []
    for fold in range(FOLDS):
        own = asked.question_fold == fold
        others = [kind & ~own for kind in kinds(asked)]
        means = {name: float(np.mean([values[kind].mean() for kind in others])) for name, values in found.items()}
        setting = max(means, key=lambda name: means[name])
        result[own] = found[setting][own]
        chosen.append(setting)
    return Result(result, chosen)


def by_user(asked: Questions, values: Array, k: int, order: int) -> Array:
    """Means over each user's questions of one kind: users are independent, questions aren't."""
    kind = (asked.k == k) & (asked.order == order)
    sums, counts = (np.bincount(asked.user[kind], weights) for weights in (values[kind], np.ones(kind.sum())))
    return np.asarray(sums[counts > 0] / counts[counts > 0])


def standard_error(values: Array) -> float:
    """The standard error of the mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def show(asked: Questions, results: dict[str, Result]) -> bool:
    """Print the tables. Returns whether ours is nowhere more than ERRORS standard errors behind the best peer."""
    names = list(results)
    met = True
    for order, title in enumerate(ORDERS):
        rows = []
        for k in GIVEN:
            found = {name: by_user(asked, result.found, k, order) / TOP for name, result in results.items()}
            hits = {name: by_user(asked, result.found > 0, k, order).mean() for name, result in results.items()}
            best = max((name for name in names if name != "ours"), key=lambda name: found[name].mean())
            ahead = found["ours"] - found[best]
            behind = -ahead.mean() / standard_error(ahead)
            met = met and bool(behind <= ERRORS)
            rows.append(
                [
                    str(k),
                    *(f"{found[name].mean():.3f}/{hits[name]:.3f}" for name in names),
                    f"{standard_error(found['ours']):.3f}",
                    f"{ahead.mean():+.3f} +- {standard_error(ahead):.3f} to {best}",
                    "met" if behind <= 0 else "equal within the error" if behind <= ERRORS else "MISSED",
                ]
            )
        print(f"\nP@3/hit@3, likes given {title}")
        for line in table(["k", *names, "s.e.", "ours beside the best", ""], rows):
            print(f"  {line}", flush=True)
    return met


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Evaluate the recommendations on MovieLens. Takes minutes. A missed target is reported but isn't a failure."""
    began = time.monotonic()
    asked = questions()
    users = len(np.unique(asked.user))
    print(
        f"MovieLens: {asked.likes.sum():,.0f} likes of {asked.likes.shape[1]:,} films; {users} new users, {FOLDS} folds"
    )
    answers = {
        "popularity": recommenders.answers(recommenders.popularity, asked),
        "cosine": recommenders.answers(recommenders.cosine, asked),
        "EASE": recommenders.answers(recommenders.ease, asked),
        "iALS": recommenders.ials_answers(asked),
        "ours": recommenders.answers(recommenders.ours(asked.genres), asked),
    }
    peers = {name: found for name, found in answers.items() if name != "ours"}
    results = {name: each_chosen(asked, found) for name, found in peers.items()}
    results["ours"] = once_chosen(asked, answers["ours"])
    met = show(asked, results)
    print(f"\nAs good as the best at every k, within the error: {'met' if met else 'MISSED'}")
    print(f"Chosen for ours, by fold: {'; '.join(results['ours'].chosen)}")
    by_likes = {name: answers["ours"][name] for name in recommenders.our_settings_without_genres()}
    print(f"Without genres: {_summary(asked, once_chosen(asked, by_likes).found)}")
    deployed = recommenders.our_setting(SHRINKAGE, scoring.PRIOR, GENRES)
    print(f"Deployed: {deployed}: {_summary(asked, asked.found(answers['ours'][deployed]))}")
    print(f"{time.monotonic() - began:.0f} s")


def _summary(asked: Questions, found: Array) -> str:
    """P@3 by order and k."""
    return "; ".join(
        f"{title} " + " ".join(f"{by_user(asked, found, k, order).mean() / TOP:.3f}" for k in GIVEN)
        for order, title in enumerate(ORDERS)
    )


if __name__ == "__main__":
    main()
