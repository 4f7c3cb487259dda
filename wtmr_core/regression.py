"""Logistic regression on the mean features of a frozen backbone, by scikit-learn: the baseline that takes a minute."""

from __future__ import annotations

import time

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression

from wtmr_core.data import Data, inputs
from wtmr_core.engine import loaded
from wtmr_core.state import State

_STEPS = 2000  # of its solver; a few hundred are enough
_NEVER = -100.0  # the logit of a class without clips


@torch.inference_mode()
def fit(state: State, data: Data) -> dict[str, float]:
    """Fit the network of `state`, a `LinearProbe`, to the clips of train as they are.

    Features are standardised. With weight decay λ and n clips, the regression's C is 1 / (λ n), which makes λ the same
    penalty as elsewhere: mean loss + λ/2 · ‖weights‖².

    Returns:
        What `engine.train_epoch` does: lr, train_loss and train_accuracy (0-1), and clips_per_second.
    """
    began, settings, network = time.perf_counter(), state.settings, state.bare_network.eval()
    features, labels = [], []
    for clips, classes, _, _ in loaded(data, data.parts["train"], settings, state.worker):
        features.append(network.features(inputs(clips, settings, None, augmented=False)).cpu())
        labels.append(classes.cpu())
    x, y = torch.cat(features), torch.cat(labels)
    mean, variance = x.mean(dim=0), x.var(dim=0, correction=0)
    network.norm.running_mean.copy_(mean)
    network.norm.running_var.copy_(variance)
    standard = (x - mean) / (variance + network.norm.eps).sqrt()
    strength = 1 / (max(settings.weight_decay, 1e-12) * len(y))
    model = LogisticRegression(C=strength, max_iter=_STEPS).fit(standard.double().numpy(), y.numpy())
    network.head.weight.zero_()
    network.head.bias.fill_(_NEVER)
    # classes without a clip have no row; of two classes scikit-learn has one
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coefficients, intercepts = np.concatenate([-coefficients, coefficients]) / 2, np.r_[-intercepts, intercepts] / 2
    rows = torch.from_numpy(model.classes_)
    network.head.weight[rows] = torch.from_numpy(coefficients).to(network.head.weight)
    network.head.bias[rows] = torch.from_numpy(intercepts).to(network.head.bias)
    logits = network.head(standard.to(state.worker.device)).cpu()
    return {
        "lr": settings.lr,
        "train_loss": float(F.cross_entropy(logits, y)),
        "train_accuracy": float((logits.argmax(dim=1) == y).double().mean()),
        "clips_per_second": len(y) / (time.perf_counter() - began),
    }
