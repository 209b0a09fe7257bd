"""Scores of the input Jacobian against direct computations on a small network."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.small_net import Net, batch
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext import proxies
from wrcor_ext.measurements import class_jacobian
from wrcor_ext.measurements.image_gradient import ImageGradients
from wrcor_ext.plan import plan

SHARED = ("jacob_cor", "jacob_cor_logdet", "epe_score", "resp_sens")


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().double().train()


def jacobian(model: nn.Module, images: Tensor, weights: Tensor | None = None) -> np.ndarray:
    """[N, D]: the gradient of the outputs, summed with these weights per class."""
    images = images.clone().requires_grad_(True)
    out = model(images)
    out = out.sum() if weights is None else (out @ weights).sum()
    out.backward()
    return images.grad.flatten(1).numpy()


def naive_epe(c: np.ndarray, labels: list[int]) -> float:
    e = []
    for label in sorted(set(labels)):
        rows = [i for i, other in enumerate(labels) if other == label]
        total = sum(math.log(abs(c[i, j]) + 1e-5) for i in rows for j in rows)
        e.append(total if len(set(labels)) <= 100 else total / len(rows))
    if len(e) <= 100:
        return sum(map(abs, e))
    return sum(abs(e[i] - e[j]) for i in range(len(e)) for j in range(i)) / len(e)


def test_against_a_direct_computation(net: Net) -> None:
    images, labels = batch()
    images = images.double()
    found = wrcor_ext.score(net, images, labels, proxies=SHARED)
    j = jacobian(net, images)
    c = np.corrcoef(j)
    v = np.linalg.eigvalsh(c) + 1e-5
    truth = {
        "jacob_cor": -sum(np.log(v) + 1 / v),
        "jacob_cor_logdet": np.log(abs(np.linalg.det(c))),
        "epe_score": naive_epe(c, labels.tolist()),
        "resp_sens": sum(abs(x) for x in j.flatten()) / j.size,
    }
    assert {name: found[name].value for name in truth} == pytest.approx(truth, rel=1e-9)


def test_epe_score_of_more_than_a_hundred_classes() -> None:
    rng = np.random.default_rng(0)
    labels = [*range(101), 0, 0, 5, 100]
    c = np.corrcoef(rng.standard_normal((len(labels), 40)))
    j = ImageGradients(torch.from_numpy(c), torch.tensor(0.0))
    found = proxies.get("epe_score").compute(j, torch.tensor(labels))
    assert found.value == pytest.approx(naive_epe(c, labels), rel=1e-12)


def test_epe_score_wants_one_class_per_image(net: Net) -> None:
    images, labels = batch()
    soft = nn.functional.one_hot(labels, 4).double()
    result = wrcor_ext.score(net, images, soft, proxies=["epe_score"])["epe_score"]
    assert result.status == "degenerate"
    assert "not class indices" in str(result.detail["reason"])


def test_all_share_one_forward_and_one_backward() -> None:
    shared = plan([proxies.get(name) for name in SHARED])
    assert (shared.forwards, shared.backwards, shared.loss_gradients) == (1, 1, False)


@pytest.mark.parametrize(("classes", "held"), [(4, 2**28), (4, 3 * 4 * 3 * 8 * 8), (4, 1), (7, 2**28)])
def test_dynamical_isometry(net: Net, classes: int, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven classes of six features: no image's Jacobian has full rank."""
    monkeypatch.setattr(class_jacobian, "_HELD_VALUES", held)  # of all images, of three, of less than one
    net.head = nn.Linear(6, classes).double()
    images, labels = batch()
    images = images.double()
    found = wrcor_ext.score(net, images, labels, proxies=["dyn_isometry"])["dyn_isometry"]
    if classes == 7:
        assert found.status == "degenerate"
        assert "full rank" in str(found.detail["reason"])
        return
    rows = [jacobian(net, images, weights) for weights in torch.eye(classes).double()]
    terms = []
    for image in range(len(images)):
        per_class = np.stack([row[image] for row in rows])
        v = np.mean(np.log(np.sqrt(np.linalg.eigvalsh(per_class @ per_class.T))))
        terms.append(v + np.exp(-v))
    assert found.value == pytest.approx(-np.mean(terms), rel=1e-9)


def test_a_network_that_is_not_finite_has_no_isometry(net: Net) -> None:
    with torch.no_grad():
        net.stem.weight[0, 0, 0, 0] = torch.nan
    result = wrcor_ext.score(net, *batch(), proxies=["dyn_isometry"])["dyn_isometry"]
    assert result.status == "degenerate"
    assert "not finite" in str(result.detail["reason"])


def test_an_output_that_is_no_matrix_has_no_isometry(net: Net) -> None:
    images, labels = batch()
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    result = wrcor_ext.score(model, images, labels, proxies=["dyn_isometry"])["dyn_isometry"]
    assert result.status == "failed"
    assert result.detail["reason"] == "outputs of shape (8, 4, 6, 6) are not [N, classes]"


def test_gradients_that_do_not_vary_are_degenerate_with_a_reason() -> None:
    images, labels = batch()
    model = nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(192, 4))
    with torch.no_grad():
        model[2].weight.zero_()
    for name in ("jacob_cor", "jacob_cor_logdet", "epe_score", "dyn_isometry"):
        result = wrcor_ext.score(model, images, labels, proxies=[name])[name]
        assert result.status == "degenerate", name
        assert result.detail["reason"]
    assert wrcor_ext.score(model, images, labels, proxies=["resp_sens"])["resp_sens"].value == 0


def test_an_output_that_the_images_do_not_reach_has_the_gradient_zero() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(2, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.ones(len(x), 2).relu())

    images, labels = batch()
    scores = wrcor_ext.score(Constant(), images, labels, proxies=["resp_sens", "snip", "dyn_isometry"])
    assert scores["resp_sens"].value == 0
    assert scores["dyn_isometry"].status == "degenerate"


def test_a_model_may_overwrite_the_images() -> None:
    images, labels = batch()
    torch.manual_seed(0)
    careless = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(192, 4))
    careful = nn.Sequential(nn.ReLU(), *careless[1:])
    names = (*SHARED, "dyn_isometry")
    found, truth = (wrcor_ext.score(model, images, labels, proxies=names) for model in (careless, careful))
    assert {n: found[n].value for n in names} == {n: truth[n].value for n in names}
    assert found["jacob_cor"].status == "ok"


def test_tokens_have_no_gradient_and_the_other_scores_are_unaffected() -> None:
    model = nn.Sequential(nn.Embedding(10, 6), nn.Linear(6, 6), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4))
    tokens = torch.randint(10, (8, 8), generator=torch.Generator().manual_seed(0))
    labels = torch.arange(8) % 4
    scores = wrcor_ext.score(model, tokens, labels, proxies=["acor", *SHARED, "dyn_isometry", "synflow", "snip"])
    for name in (*SHARED, "dyn_isometry", "synflow"):
        assert scores[name].status == "failed", name
        assert str(scores[name].detail["reason"]).startswith("images are torch.int64")
    assert scores["acor"].status == scores["snip"].status == "ok"
