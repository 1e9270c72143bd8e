"""Baselines: each learns from judgements, and predicts the distributions of others."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold, cross_val_predict
from torch import Tensor

from hml.relabel.acquisition.curves import curve_values, fit_curves
from hml.relabel.answers import Answers, per_cent
from hml.relabel.encoding import ImageTable, encode, swap
from hml.relabel.folds import group_by_pair
from hml.relabel.slider import ATOMS, POSITIONS, Mixture
from hml.statistics.estimates import Array

Baseline = Callable[[pd.DataFrame, pd.DataFrame, ImageTable], Array]
"""Maps judgements to learn from, judgements to predict, and the images to masses, shape (N, 101)."""

_STEPS = 150
_TREES = 120
_STRENGTHS = (5.0, 20.0, 60.0, 200.0, 600.0, 2000.0, 6000.0, 20000.0)


def lambda_f_with_noise(learn: pd.DataFrame, predict: pd.DataFrame, table: ImageTable) -> Array:
    """Predict lambda_f, as mixup does, with noise fitted to people's answers."""
    return _with_noise(learn, learn["lambda_f"].to_numpy(float), predict["lambda_f"].to_numpy(float))


def pair_curves(learn: pd.DataFrame, predict: pd.DataFrame, table: ImageTable) -> Array:
    """Predict by class pairs' curves (`hml.judgements.curves`), with fitted noise."""
    curves = fit_curves(learn)
    return _with_noise(learn, curve_values(curves, learn), curve_values(curves, predict))


def boosting(learn: pd.DataFrame, predict: pd.DataFrame, table: ImageTable) -> Array:
    """Predict by gradient-boosted trees on the relabeller's inputs, with fitted noise.

    The noise is fitted to predictions for image pairs that the trees were not fitted to.
    """
    answers = Answers.of(learn, table.num_classes)
    inputs = np.concatenate([encode(side, table).numpy() for side in (answers.batch, swap(answers.batch))])
    target = np.concatenate([learn["lambda_h"], 1 - learn["lambda_h"]]).astype(float)
    groups = np.tile(group_by_pair(learn), 2)
    trees = HistGradientBoostingRegressor(
        max_iter=_TREES,
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=40,
        l2_regularization=5.0,
        random_state=0,
    )
    inner = min(3, len(np.unique(groups)))
    unseen = cross_val_predict(trees, inputs, target, groups=groups, cv=GroupKFold(inner))
    trees.fit(inputs, target)
    batch = Answers.of(predict, table.num_classes).batch
    sides = [trees.predict(encode(side, table).numpy()) for side in (batch, swap(batch))]
    half = len(learn)
    return _with_noise(learn, (unseen[:half] + 1 - unseen[half:]) / 2, (sides[0] + 1 - sides[1]) / 2)


def histogram(learn: pd.DataFrame, predict: pd.DataFrame, table: ImageTable) -> Array:
    """Predict the histogram of answers, and mirrored answers, at the same lambda_f, shrunk to that of all answers."""
    return level_histogram(learn, predict, "lambda_h", mirrored=True)


def level_histogram(learn: pd.DataFrame, predict: pd.DataFrame, column: str, mirrored: bool) -> Array:
    """Predict the histogram of a column at the same lambda_f, shape (N, 101).

    Args:
        learn: Judgements to learn from.
        predict: N judgements to predict.
        column: "lambda_h" or "omega".
        mirrored: Whether swapping the endpoints mirrors the column.

    The strength of the shrinkage to the overall histogram is the one that predicts each judgement best from the others.
    """
    level, answer = per_cent(learn["lambda_f"]), per_cent(learn[column])
    turned = 100 - answer if mirrored else answer
    counts = np.zeros((POSITIONS, POSITIONS))
    for levels, answers in ((level, answer), (100 - level, turned)):  # each judgement counts from both sides
        np.add.at(counts, (levels, answers), 1)
    total, everywhere = counts.sum(1), counts.sum(0)
    # A judgement is left out with its mirror copy, which may be in the same row, or be the same answer.
    twice, same = level == 50, answer == turned

    def unseen_bits(strength: float) -> float:
        overall = (everywhere[answer] - 1 - same + 1) / (everywhere.sum() - 2 + POSITIONS)
        without = counts[level, answer] - 1 - (twice & same) + strength * overall
        return float(-np.log2(without / (total[level] - 1 - twice + strength)).mean())

    best = min(_STRENGTHS, key=unseen_bits)
    overall = (everywhere + 1) / (everywhere.sum() + POSITIONS)
    masses: Array = (counts + best * overall) / (total + best)[:, None]
    return masses[per_cent(predict["lambda_f"])]


BASELINES: dict[str, Baseline] = {
    "lambda_f": lambda_f_with_noise,
    "histogram": histogram,
    "pair_curves": pair_curves,
    "boosting": boosting,
}


def _with_noise(learn: pd.DataFrame, seen: Array, unseen: Array) -> Array:
    """Fit noise around predictions of answers, shape (n,), and return it around others, (N,), as masses, (N, 101)."""
    answer = per_cent(learn["lambda_h"])
    position = torch.from_numpy(np.concatenate([answer, 100 - answer])).float()
    around = torch.from_numpy(np.concatenate([seen, 1 - seen])).float().clamp(0.01, 0.99)
    weight = torch.zeros(3, len(ATOMS) + 1 + 1 + 1, requires_grad=True)  # parts' weights and the scale, by basis
    steepness = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight, steepness], lr=0.1)
    for _ in range(_STEPS):
        loss = -_scatter(around, weight, steepness).log_mass(position.unsqueeze(1)).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        of = torch.from_numpy(np.array(unseen)).float().clamp(0.01, 0.99)
        masses: Array = _scatter(of, weight, steepness).mass().double().numpy()
    masses /= masses.sum(1, keepdims=True)
    return masses


def _scatter(around: Tensor, weight: Tensor, steepness: Tensor) -> Mixture:
    """Return mixtures of atoms, a uniform part and one logistic at predictions, shape (N,)."""
    reach = 2 * around - 1
    raw = torch.stack([torch.ones_like(reach), reach, reach.square()], dim=1) @ weight  # (N, 6)
    return Mixture(
        torch.log_softmax(raw[:, :-1], dim=1),
        100 * torch.sigmoid(steepness * torch.logit(around)).unsqueeze(1),
        1 + torch.nn.functional.softplus(raw[:, -1:] + 8),
    )
