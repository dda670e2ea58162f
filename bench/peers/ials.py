"""Matrix factorization for implicit feedback (iALS), by the package implicit.

Hu, Koren and Volinsky, ICDM 2008. It needs tuning (Rendle et al., RecSys 2022): the grid is below.
Run in the peers' environment: ials.py TASK RESULT. TASK is an .npz with `likes` (users x films, 0 or 1), each
user's `fold`, and for each question its `question_fold` and the numbers of the films `given` (padded with -1). RESULT
is an .npz with `top`: settings x questions x 3 films. The settings' names are printed as JSON.
"""

from __future__ import annotations

import itertools
import json
import sys

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # in the peers' environment only

FACTORS = (8, 16, 32, 64)
REGULARIZATION = (1.0, 10.0, 50.0)
ALPHA = (1.0, 5.0)
ITERATIONS = 15
TOP = 3


def recommend(train: np.ndarray, given: np.ndarray, factors: int, regularization: float, alpha: float) -> np.ndarray:
    model = AlternatingLeastSquares(
        factors=factors,
        regularization=regularization,
        alpha=alpha,
        iterations=ITERATIONS,
        random_state=1,
        num_threads=1,
    )
    model.fit(csr_matrix(train), show_progress=False)
    users = model.recalculate_user(np.arange(len(given)), csr_matrix(given))
    scores = np.where(given > 0, -np.inf, users @ model.item_factors.T)
    return np.argsort(-scores, axis=1, kind="stable")[:, :TOP]


def main(task_path: str, result_path: str) -> None:
    task = np.load(task_path)
    likes = task["likes"].astype(np.float32)
    given = np.zeros((len(task["given"]), likes.shape[1] + 1), np.float32)
    np.put_along_axis(given, task["given"], 1, axis=1)
    given = given[:, :-1]  # without the last column, where -1 goes
    settings = list(itertools.product(FACTORS, REGULARIZATION, ALPHA))
    top = np.zeros((len(settings), len(given), TOP), np.int32)
    for fold in np.unique(task["question_fold"]):
        asked = np.flatnonzero(task["question_fold"] == fold)
        train = likes[task["fold"] != fold]
        for number, (factors, regularization, alpha) in enumerate(settings):
            top[number, asked] = recommend(train, given[asked], factors, regularization, alpha)
    np.savez(result_path, top=top)
    print(json.dumps([f"factors {f}, regularization {r:g}, alpha {a:g}" for f, r, a in settings]))


if __name__ == "__main__":
    main(*sys.argv[1:3])
