"""What the relabeller is compared with: each learns from some judgements and predicts others' distributions."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold, cross_val_predict
from torch import Tensor

from hml.relabel.acquisition.curves import curve_values, fit_curves
from hml.relabel.answers import Answers
from hml.relabel.encoding import ImageTable, encode, swap
from hml.relabel.folds import group_by_pair
from hml.relabel.slider import ATOMS, POSITIONS, Mixture
from hml.statistics.estimates import Array, Index

Baseline = Callable[[pd.DataFrame, pd.DataFrame, ImageTable], Array]
"""Takes judgements to learn from, those to predict and the images; returns masses, shape (N, 101)."""

_STEPS = 150
_STRENGTHS = (5.0, 20.0, 60.0, 200.0, 600.0, 2000.0, 6000.0, 20000.0)


def lambda_f_with_noise(learn: pd.DataFrame, predict: pd.DataFrame, table: ImageTable) -> Array:
    """Mixup's own lambda_f, and noise around it as people scatter."""
    return _with_noise(learn, learn["lambda_f"].to_numpy(float), predict["lambda_f"].to_numpy(float))


def pair_curves(learn: pd.DataFrame, predict: pd.DataFrame, table: ImageTable) -> Array:
    """Class pairs' curves (`hml.judgements.curves`), and noise around them."""
    curves = fit_curves(learn)
    return _with_noise(learn, curve_values(curves, learn), curve_values(curves, predict))


def boosting(learn: pd.DataFrame, predict: pd.DataFrame, table: ImageTable) -> Array:
    """Gradient-boosted trees that are told all that the relabeller is, and noise around their predictions.

    The noise is fitted to predictions for image pairs that the trees weren't fitted to.
    """
    answers = Answers.of(learn, table.num_classes)
    inputs = np.concatenate([encode(side, table).numpy() for side in (answers.batch, swap(answers.batch))])
    target = np.concatenate([learn["lambda_h"], 1 - learn["lambda_h"]]).astype(float)
    groups = np.tile(group_by_pair(learn), 2)
    trees = HistGradientBoostingRegressor(
        max_iter=120, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=40, l2_regularization=5.0, random_state=0
    )
    inner = min(3, len(np.unique(groups)))
    unseen = cross_val_predict(trees, inputs, target, groups=groups, cv=GroupKFold(inner))
    trees.fit(inputs, target)
    batch = Answers.of(predict, table.num_classes).batch
    sides = [trees.predict(encode(side, table).numpy()) for side in (batch, swap(batch))]
    half = len(learn)
    return _with_noise(learn, (unseen[:half] + 1 - unseen[half:]) / 2, (sides[0] + 1 - sides[1]) / 2)


def histogram(learn: pd.DataFrame, predict: pd.DataFrame, table: ImageTable) -> Array:
    """The histogram of answers at the same lambda_f, drawn to that of all answers, mirrored answers counted too."""
    return level_histogram(learn, predict, "lambda_h", mirrored=True)


def level_histogram(learn: pd.DataFrame, predict: pd.DataFrame, column: str, mirrored: bool) -> Array:
    """Count answers at each lambda_f: masses of "lambda_h" or "omega", shape (N, 101).

    How strongly counts are drawn to the overall histogram is what predicts each judgement best from the others.
    `mirrored` columns are the first endpoint's: they turn round where the endpoints are swapped.
    """
    level, answer = _whole(learn, "lambda_f"), _whole(learn, column)
    turned = 100 - answer if mirrored else answer
    counts = np.zeros((POSITIONS, POSITIONS))
    for levels, answers in ((level, answer), (100 - level, turned)):  # each judgement counts from either side
        np.add.at(counts, (levels, answers), 1)
    total, everywhere = counts.sum(1), counts.sum(0)
    # A judgement is left out with its mirror copy, which may stand in the same row, or be the same answer.
    twice, same = level == 50, answer == turned

    def unseen_bits(strength: float) -> float:
        overall = (everywhere[answer] - 1 - same + 1) / (everywhere.sum() - 2 + POSITIONS)
        without = counts[level, answer] - 1 - (twice & same) + strength * overall
        return float(-np.log2(without / (total[level] - 1 - twice + strength)).mean())

    best = min(_STRENGTHS, key=unseen_bits)
    overall = (everywhere + 1) / (everywhere.sum() + POSITIONS)
    masses: Array = (counts + best * overall) / (total + best)[:, None]
    return masses[_whole(predict, "lambda_f")]


BASELINES: dict[str, Baseline] = {
    "lambda_f": lambda_f_with_noise,
    "histogram": histogram,
    "pair_curves": pair_curves,
    "boosting": boosting,
}


def _with_noise(learn: pd.DataFrame, seen: Array, unseen: Array) -> Array:
    """Fit how answers scatter around predictions, shape (n,), and put that around others, (N,); masses (N, 101)."""
    position = torch.from_numpy(np.concatenate([_whole(learn, "lambda_h"), 100 - _whole(learn, "lambda_h")])).float()
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
    """Put atoms, a uniform part and one logistic around predictions, shape (N,)."""
    reach = 2 * around - 1
    raw = torch.stack([torch.ones_like(reach), reach, reach.square()], dim=1) @ weight  # (N, 6)
    return Mixture(
        torch.log_softmax(raw[:, :-1], dim=1),
        100 * torch.sigmoid(steepness * torch.logit(around)).unsqueeze(1),
        1 + torch.nn.functional.softplus(raw[:, -1:] + 8),
    )


def _whole(table: pd.DataFrame, name: str) -> Index:
    return (100 * table[name].to_numpy(float)).round().astype(np.int64)
