"""The head adapted to a person: what is fitted, what stays, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, logsumexp
from sklearn.linear_model import LogisticRegression

from wtmr_core.tracking import adaptation
from wtmr_core.tracking.adaptation import Example, Head, Refused, adapt, check, fit, held_back

K, D = 4, 10
CENTRES = 2.5 * np.eye(K, D)  # of the classes, for people in general
#: linear discriminant analysis of normal classes around these centres
HEAD = Head(CENTRES, -0.5 * (CENTRES**2).sum(axis=1))


def episodes(counts, style=0.0, seed=0, steps=8):
    """Episodes of a person, of whom all features lie `style` off; each episode has a manner of its own."""
    rng = np.random.default_rng(seed)
    return [
        Example(k, CENTRES[k] + style + rng.normal(0, 0.6, D) + rng.normal(0, 0.6, (steps, D)))
        for k, count in enumerate(counts)
        for _ in range(count)
    ]


#: of a person at whom activities 0 and 1 look like each other
STYLE = 1.6 * (CENTRES[1] - CENTRES[0]) / 2


def mean_share(head, examples):
    return np.mean([example.share(head) for example in examples])


def assert_same(a, b, **tolerance):
    np.testing.assert_allclose(a.weights, b.weights, **tolerance)
    np.testing.assert_allclose(a.bias, b.bias, **tolerance)


# -- the fit


def test_without_a_penalty_the_head_moves_until_the_examples_are_right():
    examples = episodes([3, 3, 3, 3], STYLE)
    assert mean_share(HEAD, examples) < 0.9
    assert mean_share(fit(HEAD, examples, 1e-6), examples) == 1


def test_with_an_endless_penalty_it_is_the_old_head():
    assert_same(fit(HEAD, episodes([3, 3, 3, 3], STYLE), 1e12), HEAD, atol=1e-9)


def test_the_stronger_the_penalty_the_smaller_the_change():
    examples = episodes([3, 3, 3, 3], STYLE)
    changes = [np.linalg.norm(fit(HEAD, examples, strength).weights - HEAD.weights) for strength in (0.01, 0.1, 1, 10)]
    assert changes == sorted(changes, reverse=True)


def test_from_a_head_of_zeros_it_is_logistic_regression():
    examples = episodes([3, 2, 4, 3], steps=adaptation.STEPS)
    x, y = np.concatenate([e.features for e in examples]), np.repeat([e.activity for e in examples], adaptation.STEPS)
    scale = np.sqrt((x**2).sum(axis=1).mean())
    model = LogisticRegression(C=1 / 0.3, fit_intercept=False, tol=1e-10, max_iter=5000)  # the bias is penalised too
    model.fit(np.column_stack([x / scale, np.ones(len(x))]), y, np.full(len(y), 1 / adaptation.STEPS))
    found = fit(Head(np.zeros((K, D)), np.zeros(K)), examples, 0.3)
    np.testing.assert_allclose(found.weights * scale, model.coef_[:, :-1], atol=2e-3)
    expected = x @ model.coef_[:, :-1].T / scale + model.coef_[:, -1]
    np.testing.assert_allclose(log_softmax(found(x), axis=1), log_softmax(expected, axis=1), atol=5e-3)


def test_activities_without_an_episode_keep_their_weights_and_their_odds():
    examples = episodes([4, 4, 4, 0], STYLE)
    found = fit(HEAD, examples, 0.03)
    np.testing.assert_array_equal(found.weights[3], HEAD.weights[3])
    assert found.bias[3] == HEAD.bias[3]
    assert np.abs(found.weights[:3] - HEAD.weights[:3]).max() > 0.1

    def odds(head):
        chosen = np.linspace(0, len(examples[0].features) - 1, adaptation.STEPS).round().astype(int)
        logits = head(np.concatenate([e.features[chosen] for e in examples]))
        return (logsumexp(logits[:, :3], axis=1) - logits[:, 3]).mean()

    assert odds(found) == pytest.approx(odds(HEAD))


def test_an_activity_without_an_episode_is_found_as_often_as_before():
    """Fitted by the plain softmax over all activities, four in ten of those found would be lost."""
    absent = [e for seed in range(20) for e in episodes([0, 0, 0, 5], STYLE, seed=100 + seed)]
    found = fit(HEAD, episodes([10, 10, 10, 0], STYLE), 0.01)
    assert mean_share(found, absent) >= mean_share(HEAD, absent) - 0.01


def test_of_one_activity_nothing_is_learnt():
    assert_same(fit(HEAD, episodes([5, 0, 0, 0], STYLE), 0.01), HEAD)


@settings(max_examples=20)
@given(st.permutations(range(K)), st.permutations(range(10)))
def test_the_order_of_classes_and_episodes_does_not_matter(classes, order):
    examples = episodes([3, 3, 2, 2], STYLE)
    found = fit(HEAD, examples, 0.1)
    number = {old: new for new, old in enumerate(classes)}
    turned = [replace(examples[n], activity=number[examples[n].activity]) for n in order]
    again = fit(Head(HEAD.weights[classes], HEAD.bias[classes]), turned, 0.1)
    assert_same(again, Head(found.weights[classes], found.bias[classes]), atol=2e-3)


def test_an_episode_counts_as_one_however_long_it_is():
    still = [Example(e.activity, np.repeat(e.features[:1], 3, axis=0)) for e in episodes([3, 3, 3, 3], STYLE)]
    longer = [Example(e.activity, np.repeat(e.features, 40, axis=0)) for e in still]
    assert_same(fit(HEAD, longer, 0.1), fit(HEAD, still, 0.1), atol=1e-9)


@settings(max_examples=20)
@given(arrays(float, (5, 3, D), elements=st.floats(-1e3, 1e3)), st.floats(0.01, 100))
def test_features_of_any_size_give_a_finite_head(features, strength):
    found = fit(HEAD, [Example(n % 2, f + 1e-3) for n, f in enumerate(features)], strength)
    assert np.isfinite(found.weights).all()
    assert np.isfinite(found.bias).all()


# -- judged by episodes held back


def test_a_person_whose_style_is_shifted_gains_on_days_not_seen():
    adapted = adapt(HEAD, episodes([6, 6, 4, 4], STYLE))
    assert adapted.gain > 0.03
    later = [e for seed in range(10) for e in episodes([5, 5, 5, 5], STYLE, seed=50 + seed)]
    assert mean_share(adapted.head, later) > mean_share(HEAD, later) + 0.05


def test_a_person_like_all_others_is_refused():
    with pytest.raises(Refused, match=r"right 9\d\.. % of the time, the old one 9\d\.. %.*keep the old one"):
        adapt(HEAD, episodes([5, 5, 5, 5]))


@pytest.mark.parametrize("seed", range(6))
def test_labels_at_random_are_refused(seed):
    examples = episodes([4, 4, 4, 4], STYLE, seed=seed)
    mixed = np.random.default_rng(seed).permutation([e.activity for e in examples])
    with pytest.raises(Refused, match="no gain beyond chance"):
        adapt(HEAD, [replace(e, activity=int(k)) for e, k in zip(examples, mixed, strict=True)])


def test_what_is_held_back_chooses_nothing(monkeypatch):
    """The same by plain loops: of each episode, a head and its penalty from the others alone."""
    monkeypatch.setattr(adaptation, "STRENGTHS", (1.0, 0.01))
    monkeypatch.setattr(adaptation, "FOLDS", 10)
    examples = episodes([3, 4], STYLE, seed=3)  # fewer than `FOLDS`: each is a part
    judged = held_back(HEAD, examples)

    def chosen(among):
        def loss(strength):
            return sum(e.loss(fit(HEAD, [o for o in among if o is not e], strength)) for e in among)

        return min(adaptation.STRENGTHS, key=loss)

    for n, example in enumerate(examples):
        others = examples[:n] + examples[n + 1 :]
        assert judged.after[n] == example.share(fit(HEAD, others, chosen(others)))
    assert judged.strength == chosen(examples)
    assert_same(judged.head, fit(HEAD, examples, judged.strength))
    np.testing.assert_array_equal(judged.before, [e.share(HEAD) for e in examples])


def test_each_activity_is_spread_over_the_parts(monkeypatch):
    """An activity of two episodes is never held back as a whole."""
    fitted = []
    monkeypatch.setattr(adaptation, "fit", lambda head, examples, strength: fitted.append(examples) or head)
    held_back(HEAD, episodes([2, 9, 2, 12]))
    one_part = [examples for examples in fitted if len(examples) >= 25 * 0.8]
    assert one_part
    assert all({e.activity for e in examples} == set(range(K)) for examples in one_part)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([3, 2, 0, 0], "there are 5 episodes, and 2 or more of 2 activities: at least 6 are needed"),
        ([9, 1, 1, 1], "there are 12 episodes, and 2 or more of 1 activity: at least"),
        ([1, 1, 1, 1], "there are 4 episodes, and 2 or more of no activity"),
        ([0, 0, 0, 0], "there are 0 episodes"),
    ],
)
def test_too_few_episodes_are_refused(counts, said):
    with pytest.raises(Refused, match=said):
        check(episodes(counts))


def test_just_enough_episodes_are_judged():
    check(episodes([4, 2, 0, 0]))


@pytest.mark.parametrize(
    ("gains", "chance"),
    [
        ([0.1, 0.2, 0.3, 0.0], 1 / 8),  # of eight signs one reaches it; what changes nothing says nothing
        ([0.3, 0.3, 0.3, 0.3, -0.1], 2 / 32),
        ([-0.1, -0.2], 1.0),
        ([0.0, 0.0], 1.0),
        ([0.4], 0.5),
    ],
)
def test_the_probability_of_a_gain_by_chance(gains, chance):
    assert adaptation._chance(np.array(gains)) == pytest.approx(chance)
