"""What `score` refuses: one sentence, a documented class."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers.small_net import Net, batch
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext import InputError, score_input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.randn(1, 3, 8, 8), "labels": torch.zeros(1, dtype=torch.long)}, "batch of 1"),
        ({"images": torch.randn(600, 3, 2, 2), "labels": torch.zeros(600, dtype=torch.long)}, "batch of 600"),
        ({"images": torch.randn(8)}, "no batch"),
        ({"labels": torch.arange(7)}, "8 images but labels"),
        ({"labels": None}, "labels are missing: wrcor needs one class index per image"),
        ({"labels": None, "proxies": ["acor", "snip", "zico"]}, "labels are missing: snip, zico need one class"),
        ({"labels": torch.full((8,), 4)}, "label 4 is out of range: the model has classes 0 to 3"),
        ({"labels": torch.full((8,), -1)}, "label -1 is out of range"),
        *(
            ({"labels": torch.arange(8), "proxies": [name]}, "label 7 is out of range: the model has classes 0 to 3")
            for name in ("snip", "grasp", "zico", "gradsign")
        ),
        ({"images": torch.randn(8, 3, 8, 8).index_fill(0, torch.tensor([5]), math.nan)}, "image 5 holds NaN"),
        ({"proxies": ["wrcr"]}, "did you mean wrcor"),
        ({"proxies": []}, "no proxy"),
        ({"rule": "both"}, "unknown rule 'both'"),
        ({"tail": 0}, "tail=0"),
        ({"tail": True}, "tail=True"),
        ({"tail": "all"}, "tail='all'"),
        ({"model": nn.Sequential(nn.Flatten(), nn.Linear(192, 4))}, "no activation function"),
        ({"model": nn.Sequential(nn.Flatten(), nn.GELU()), "rule": "reference"}, "class name contains ReLU"),
        ({"levels": "nowhere"}, "nowhere"),
        ({"levels": None}, "levels=None"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": "a"}, "seed='a'"),
        ({"labels": [0] * 8}, "labels are list"),
        ({"labels": torch.zeros(8)}, "labels are torch.float32"),
        ({"images": [0] * 8}, "images are list"),
        ({"images": torch.zeros(8, 3, 8, 8, dtype=torch.uint8)}, "images are torch.uint8"),
        ({"model": F.relu}, "not a torch.nn.Module"),
        ({"model": nn.Sequential(Net(), nn.Linear(4, 4, device="meta"))}, "model lies on cpu and meta: put all of it"),
        ({"model": nn.Sequential(Net(), nn.BatchNorm1d(4, affine=False, device="meta"))}, "model lies on cpu and meta"),
        ({"model": nn.LazyLinear(3)}, "parameter weight has no size yet"),
        ({"loss": lambda out, labels: 1.0}, "loss returned float"),
        ({"loss": lambda out, labels: out}, "a scalar tensor is needed"),
    ],
)
def test_bad_input_gets_one_sentence(change: dict[str, Any], message: str) -> None:
    images, labels = batch()
    call: dict[str, Any] = {"model": Net(), "images": images, "labels": labels} | change
    with pytest.raises(InputError, match=message) as caught:
        wrcor_ext.score(call.pop("model"), call.pop("images"), call.pop("labels"), **call)
    assert "\n" not in str(caught.value)


def test_a_model_made_in_inference_mode_is_refused() -> None:
    with torch.inference_mode():
        model = Net()
    with pytest.raises(InputError, match=r"parameter stem.weight was made under torch.inference_mode"):
        wrcor_ext.score(model, *batch())


def test_a_model_without_logits_is_told_about_loss() -> None:
    class Dictionary(Net):
        def forward(self, x: Tensor) -> Any:
            return {"out": super().forward(x)}

    images, labels = batch()
    with pytest.raises(InputError, match="returns dict, not logits"):
        wrcor_ext.score(Dictionary(), images, labels)
    own = wrcor_ext.score(Dictionary(), images, labels, loss=lambda out, y: F.cross_entropy(out["out"], y))
    assert own["wrcor"].status == "ok"
    assert score_input.MAX_IMAGES == 512


def test_a_proxy_that_cannot_apply_leaves_the_others_alone() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))

        def forward(self, x: Tensor) -> Any:
            return self.head(x), x

    images, labels = batch()
    of_responses, of_logits = ("wrcor", "naswot"), ("jacob_cor", "dyn_isometry", "synflow", "ntk_condition")
    scores = wrcor_ext.score(
        Pair(),
        images,
        labels,
        proxies=[*of_responses, *of_logits, "snip", "l2_norm", "grasp"],
        loss=lambda out, y: F.cross_entropy(out[0], y),
    )
    for names, reason in ((of_responses, "calls no activation"), (of_logits, "the model returns tuple, not logits")):
        for name in names:
            assert scores[name].status == "failed"
            assert reason in str(scores[name].detail["reason"])
            assert "traceback" not in scores[name].detail
    assert {scores[name].status for name in ("snip", "l2_norm", "grasp")} == {"ok"}


def test_the_callers_loss_takes_what_labels_it_likes() -> None:
    images, _ = batch()
    scores = wrcor_ext.score(
        Net(classes=1), images, torch.randn(8), proxies=["wrcor", "zico"], loss=lambda out, y: F.mse_loss(out[:, 0], y)
    )
    assert {result.status for result in scores.values()} == {"ok"}


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("closed", [torch.jit.script, torch.compile])
def test_a_module_that_cannot_be_looked_into_is_refused(closed: Any) -> None:
    with pytest.raises(InputError, match="give the module that was scripted or compiled"):
        wrcor_ext.score(closed(nn.ReLU()), *batch())
