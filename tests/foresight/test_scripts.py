"""Scripts written for the published package, run as a user would."""

from __future__ import annotations

import json
import sys

from helpers.commands import run_ok

from .conftest import ROOT

SCRIPT = """
import argparse
import json

from foresight.dataset import *
from foresight.models import *
from foresight.pruners import *
from foresight.pruners.measures import measure
from foresight.weight_initializers import init_net


@measure("weights_seen", bn=False, scale=2)
def weights_seen(net, inputs, targets, loss_fn=None, split_data=1, scale=1):
    net.zero_grad()
    loss_fn(net(inputs), targets).backward()
    from foresight.pruners.p_utils import get_layer_metric_array
    return get_layer_metric_array(net, lambda layer: torch.full_like(layer.weight.grad, scale), "param")


parser = argparse.ArgumentParser()
parser.add_argument("--measures", nargs="+")
args = parser.parse_args()
torch.manual_seed(3)
device = torch.device("cpu")
train_loader, val_loader = get_dataloaders(8, 4, "noise", 0, 8, os.path.join(sys.path[0], "_dataset"))
config = {"name": "infer.tiny", "C": 4, "N": 1, "num_classes": 10,
          "arch_str": "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"}
net = get_nasbench201_model(config)
net.to(device)
init_net(net, "kaiming", "zero")
before = {name: np.array(values) for name, values in net.state_dict().items()}
values, seconds = predictive.find_measures(
    net, train_loader, ("random", 1, 10), device, measure_names=args.measures, loss_fn=torch.nn.functional.cross_entropy
)
assert all(np.array_equal(before[name], values_now) for name, values_now in net.state_dict().items())
images, labels = next(iter(val_loader))
print(json.dumps([values, seconds, list(images.shape), sum(p.numel() for p in net.parameters() if p.dim() > 1)]))
"""


def test_a_script_runs_unchanged(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    names = ["act_grad_cor_weighted", "jacob_cor", "snip", "weights_seen"]
    printed = run_ok(
        sys.executable,
        "script.py",
        "--measures",
        *names,
        cwd=tmp_path,
        PYTHONPATH=f"{ROOT / 'python'}:{ROOT}",
        OMP_NUM_THREADS="1",
    )
    values, seconds, shape, weights = json.loads(printed)
    assert list(values) == list(seconds) == names
    assert all(isinstance(value, float) for value in values.values())
    assert all(value > 0 for value in seconds.values())
    assert shape == [4, 3, 8, 8]
    assert values["weights_seen"] == 2 * weights
