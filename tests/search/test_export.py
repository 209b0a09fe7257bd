"""`search export`: files that compute what the network of the search computes, without this package."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.trials import trial

from wrcor_ext import reporting, spaces
from wrcor_ext.errors import WrcorError
from wrcor_ext.search import export, export_files, export_source, main, runs
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.study import Study
from wrcor_ext.spaces import Cost

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
ENVIRONMENT = {"batch_sha256": "0123456789abcdef", "num_classes": 7, "batch_shape": [6, 3, 8, 8]}
CONFIG = SearchConfig(proxies=["wrcor", "naswot"], budget=4, seed=5, stem_width=4, cells_per_stage=1)
OTHER = CELL.replace("skip_connect", "nor_conv_3x3")

# Runs a standalone file where this package cannot be imported.
# With one thread, as the tests here: the last digits of an output depend on their number.
ALONE = """
import sys
sys.modules["wrcor_ext"] = None
import importlib.util, torch
torch.set_num_threads(1)
images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
for path in sys.argv[2:]:
    spec = importlib.util.spec_from_file_location("model", path)
    module = sys.modules["model"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = torch.random.get_rng_state()
    model = module.network(seed=5).eval()
    assert torch.equal(before, torch.random.get_rng_state())
    with torch.no_grad():
        torch.save((model(images), model.state_dict(), list(module.network(3)(images).shape)), path + ".out")
"""


def run(folder, config=CONFIG, archs=(CELL, OTHER)):
    with Study(folder, config, ENVIRONMENT) as study:
        for number, (text, value) in enumerate(zip(archs, (3.0, 8.0), strict=False)):
            study.journal.append(trial(number, value, architecture=text, cost=Cost(10, 20)))
        study.journal.append(trial(len(archs), None, architecture=CELL))
    return folder


@pytest.fixture
def without_packages(monkeypatch):
    """As if the packages of the extra were not installed: making their files takes seconds."""
    monkeypatch.setattr(export_files, "missing", lambda *packages: list(packages))


def exported(folder, *words):
    assert main(["export", str(folder), *map(str, words)]) == 0


def test_a_standalone_file_computes_the_same_without_this_package(tmp_path):
    made = {
        "nasbench201": (spaces.get("nasbench201", stem_width=4, cells_per_stage=1, batch_norm=False), CELL),
        "nasbench101": (
            spaces.get("nasbench101", stem_width=6, stacks=2, cells_per_stack=1),
            '{"matrix": [[0, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], '
            '"ops": ["input", "maxpool3x3", "conv3x3-bn-relu", "output"]}',
        ),
        "mobilenetv2": (spaces.get("mobilenetv2"), "mobilenetv2@32"),
        "nasbench_macro": (spaces.get("nasbench_macro"), "02110120"),
        "channelbench_mobilenet": (spaces.get("channelbench_mobilenet"), "1213111"),
    }
    assert made.keys() == set(spaces.names())
    paths = []
    for name, (space, text) in made.items():
        construction = export_source.construction(space, space.parse(text))
        source = export_source.standalone(
            construction, title="A title.", origin="An origin.", num_classes=7, image_size=8, seed=5
        )
        assert imported(source) <= {"__future__", "collections", "dataclasses", "math", "torch", "typing"}
        assert max(map(len, source.splitlines())) < 160
        paths.append(tmp_path / f"{name}.py")
        paths[-1].write_text(source)
    subprocess.run([sys.executable, "-c", ALONE, "-", *map(str, paths)], check=True, cwd=tmp_path)
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    for path, (space, text) in zip(paths, made.values(), strict=True):
        logits, state, shape = torch.load(f"{path}.out", weights_only=True)
        model = space.build(space.parse(text), num_classes=7, seed=5).eval()
        with torch.no_grad():
            torch.testing.assert_close(logits, model(images), rtol=0, atol=0)
        assert list(state) == list(model.state_dict())
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
        assert tuple(shape) == (2, 3)


def imported(source):
    """The packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
    return found


def test_a_candidate_is_written_beside_its_run(tmp_path, capsys, without_packages):
    folder = run(tmp_path / "run")
    exported(folder)
    out = folder / "export" / "trial-1"
    assert sorted(path.name for path in out.iterdir()) == [
        "architecture.svg", "architecture.txt", "candidate.json", "model.py",
    ]  # fmt: skip
    assert (out / "architecture.txt").read_text() == f"{OTHER}\n"
    assert (out / "architecture.svg").read_text() == reporting.draw(OTHER, "nasbench201")
    assert json.loads((out / "candidate.json").read_text())["scores"] == {"wrcor": 8.0, "naswot": 0.1}
    assert "num_classes: int = 7" in (out / "model.py").read_text()
    streams = capsys.readouterr()
    assert f"trial 1 written to {out}: architecture.txt" in streams.out
    assert "weights.safetensors is left out without safetensors: pip install 'wrcor_ext[export]'" in streams.err
    exported(folder)  # the same files once more


def test_rank_and_trial_choose_the_candidate(tmp_path, without_packages):
    folder = run(tmp_path / "run")
    exported(folder, "--rank", 2, "--out", tmp_path / "second")
    exported(folder, "--trial", 0, "--out", tmp_path / "first")
    assert (tmp_path / "first" / "candidate.json").read_bytes() == (tmp_path / "second/candidate.json").read_bytes()
    assert (tmp_path / "first" / "architecture.txt").read_text() == f"{CELL}\n"


def test_of_several_objectives_ranks_are_those_of_the_front_by_the_first_one(tmp_path, capsys, without_packages):
    config = replace(CONFIG, maximize=["wrcor"], minimize=["flops"])
    with Study(tmp_path / "run", config, ENVIRONMENT) as study:
        for number, (value, flops) in enumerate([(3.0, 10), (8.0, 30), (5.0, 20), (4.0, 25)]):
            study.journal.append(trial(number, value, architecture=(CELL, OTHER)[number % 2], cost=Cost(flops, 20)))
        study.export()
    listed = json.loads((tmp_path / "run" / "best.json").read_text())["front"]
    assert [one["trial"] for one in listed] == [1, 2, 0]
    for rank, one in enumerate(listed, start=1):
        exported(tmp_path / "run", "--rank", rank, "--out", tmp_path / f"{rank}")
        assert json.loads((tmp_path / f"{rank}" / "candidate.json").read_text()) == one
    assert main(["export", str(tmp_path / "run"), "--rank", "4"]) == 2
    assert re.search("--rank 4: the run in .* has 3 candidates on its front", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rank", "3"), "--rank 3: the run in .* has 2 candidates with a score"),
        (("--rank", "0"), "--rank: expected a whole number of at least 1"),
        (("--trial", "2"), "--trial 2 has no score: RuntimeError: no"),
        (("--trial", "9"), "--trial 9: the run in .* has 3 trials, the first is 0"),
        (("--trial", "1", "--rank", "1"), "--rank and --trial both say which"),
    ],
)
def test_what_is_not_there_is_refused(tmp_path, capsys, words, message):
    folder = run(tmp_path / "run")
    assert main(["export", str(folder), *words]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (folder / "export").exists()


def test_files_of_the_users_own_are_not_overwritten(tmp_path, capsys, without_packages):
    (tmp_path / "model.py").write_text("mine")
    assert main(["export", str(run(tmp_path / "run")), "--out", str(tmp_path)]) == 2
    assert "already holds model.py: choose another --out" in capsys.readouterr().err
    assert (tmp_path / "model.py").read_text() == "mine"
    assert not (tmp_path / "architecture.txt").exists()


def test_the_weights_are_those_of_the_run_in_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors", reason="the extra `export` is not installed")
    from safetensors.torch import load_file

    folder = run(tmp_path / "run")
    (content, path) = contents(folder)["weights.safetensors"](), tmp_path / "weights.safetensors"
    path.write_bytes(content)
    expected = spaces.get("nasbench201", stem_width=4, cells_per_stage=1)
    expected = expected.build(expected.parse(OTHER), num_classes=7, seed=5).state_dict()
    found = load_file(path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata()["architecture"] == OTHER


def contents(folder, rank=1):
    with runs.opened(folder) as opened:
        return export.files(opened, opened.leaders(rank)[rank - 1])


def test_onnx_computes_the_same_for_batches_of_any_size_and_is_checked():
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason="the extra `export` is not installed")
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    space = spaces.get("nasbench201", stem_width=4, cells_per_stage=1)
    arch = space.parse("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|none~2|")
    model = space.build(arch, seed=5).eval()
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    content = export_files.onnx(model, images)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    five = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    (found,) = session.run(["logits"], {"images": five.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found, model(five).numpy(), rtol=1e-4, atol=1e-6)
    with pytest.raises(WrcorError, match=r"deviates by .* of its largest output"):
        export_files.check_onnx(content, space.build(arch, seed=6).eval(), images)


def test_spaces_of_the_users_own_have_a_program_of_torch_export(tmp_path, monkeypatch, without_packages):
    (tmp_path / "own_space.py").write_text(
        "from wrcor_ext.spaces.nasbench_macro import NASBenchMacro\n\n\nclass Own(NASBenchMacro): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = SearchConfig(space="own_space:Own", proxies=["wrcor"], budget=4, seed=5)
    folder = run(tmp_path / "run", config, archs=["00000000"])
    written = contents(folder)
    assert list(written) == ["architecture.txt", "candidate.json", "model.pt2"]
    program = torch.export.load(io.BytesIO(written["model.pt2"]())).module()
    images = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    space = spaces.get("nasbench_macro")
    with torch.no_grad():
        expected = space.build("00000000", num_classes=7, seed=5).eval()(images)
        torch.testing.assert_close(program(images), expected)
