"""Latency: what is timed and what is not, by a clock that the test turns; the cache; the table."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from torch import nn

from wrcor_ext import devices, spaces
from wrcor_ext.errors import InputError, WrcorError
from wrcor_ext.latency import LatencyTable, MeasuredLatency, measure


class Clock:
    """Stands still but while a model runs: each of its forwards takes the next of the given times, in seconds."""

    def __init__(self, *times):
        self.now = 100.0
        self.times = itertools.cycle(times)

    def __call__(self):
        return self.now


class Timed(nn.Module):
    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        self.norm = nn.BatchNorm2d(3)
        self.seen = []

    def forward(self, x):
        self.clock.now += next(self.clock.times)
        self.seen.append((tuple(x.shape), self.training, torch.get_num_threads(), torch.is_inference_mode_enabled()))
        return self.norm(x)


def test_the_median_of_the_repeats_without_the_warm_up():
    model = Timed(Clock(9.0, 9.0, 0.001, 0.004, 0.002))
    assert measure(model, image_size=8, batch_size=2, warmup=2, repeats=3, clock=model.clock) == pytest.approx(2.0)
    assert len(model.seen) == 5


def test_the_model_runs_as_asked_and_comes_back_as_it_was():
    model = Timed(Clock(0.001)).train()
    threads = torch.get_num_threads()
    measure(model, image_size=6, batch_size=3, threads=threads + 1, warmup=0, repeats=1, clock=model.clock)
    assert model.seen == [((3, 3, 6, 6), False, threads + 1, True)]
    assert model.training
    assert model.norm.num_batches_tracked == 0
    assert torch.get_num_threads() == threads


def test_another_device_measures_a_copy():
    model = Timed(Clock(0.001))
    assert measure(model, image_size=4, device="meta", repeats=3, clock=model.clock) >= 0
    assert model.seen == []
    assert model.norm.weight.device.type == "cpu"


def test_accelerators_are_waited_for_before_each_look_at_the_clock(monkeypatch):
    events = []
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cpu"))  # takes the CPU for one
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda device: events.append("wait"))
    model = nn.Identity()
    model.register_forward_pre_hook(lambda *_: events.append("forward"))

    def clock():
        events.append("clock")
        return 0.0

    measure(model, image_size=4, warmup=1, repeats=2, clock=clock)
    assert events == ["forward", *["wait", "clock", "forward", "wait", "clock"] * 2]


def test_threads_are_restored_after_a_failure():
    threads = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="channels"):
        measure(nn.Conv2d(4, 4, 1), image_size=4, threads=threads + 1)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeats": 0}, "repeats=0"),
        ({"warmup": -1}, "warmup=-1"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"image_size": 2.5}, r"image_size=2\.5"),
        ({"threads": 0}, "threads=0"),
        ({"device": "gpu"}, "device 'gpu' cannot be used"),
        ({"device": "cuda:99"}, "device 'cuda:99' cannot be used"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message) as caught:
        measure(nn.ReLU(), **options)
    assert "\n" not in str(caught.value)


def plain(width, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(48, width), nn.ReLU(), nn.Linear(width, num_classes))


@pytest.fixture
def space():
    return spaces.from_models(plain, {"width": [2, 3, 4]}, image_size=4)


class Stopwatch:
    """In place of `measure`: returns 1, 2, 3, ... and remembers how it was called."""

    def __init__(self):
        self.calls = []

    def __call__(self, model, **options):
        self.calls.append((model[1].out_features, options))
        return len(self.calls)


def test_each_architecture_is_measured_once(space):
    stopwatch = Stopwatch()
    source = MeasuredLatency(space, batch_size=5, threads=1, num_classes=7, measure=stopwatch)
    assert [source.milliseconds((width,)) for width in (2, 3, 2, 3)] == [1, 2, 1, 2]
    options = {"image_size": 4, "batch_size": 5, "threads": 1, "device": torch.device("cpu")}
    assert stopwatch.calls == [(2, options), (3, options)]


def test_real_measurements_are_positive(space):
    assert MeasuredLatency(space).milliseconds((2,)) > 0


def test_the_cache_answers_the_next_time_and_only_for_the_same_circumstances(space, tmp_path, monkeypatch):
    cache = tmp_path / "folder" / "latency.json"
    first = MeasuredLatency(space, threads=1, cache=cache, measure=Stopwatch())
    assert [first.milliseconds((width,)) for width in (2, 3)] == [1, 2]

    def asked_again(**options):
        stopwatch = Stopwatch()
        MeasuredLatency(space, **{"threads": 1, "cache": cache, "measure": stopwatch, **options}).milliseconds((3,))
        return len(stopwatch.calls)

    assert asked_again() == 0
    assert [asked_again(**{name: 2}) for name in ("batch_size", "threads", "num_classes")] == [1, 1, 1]
    assert asked_again() == 0
    monkeypatch.setattr(torch, "__version__", "9.9")
    assert asked_again() == 1
    monkeypatch.setattr(devices, "cpu_model", lambda: "another processor")
    assert asked_again() == 1
    assert len(json.loads(cache.read_text())) == 7
    assert [path.name for path in cache.parent.iterdir()] == ["latency.json"]


def test_two_processes_keep_each_others_answers(space, tmp_path):
    cache = tmp_path / "latency.json"
    one, two = (MeasuredLatency(space, threads=1, cache=cache, measure=Stopwatch()) for _ in range(2))
    one.milliseconds((2,))
    two.milliseconds((3,))
    assert len(json.loads(cache.read_text())) == 2


def test_cells_with_one_key_but_other_cost_are_measured_apart():
    space = spaces.get("nasbench201", stem_width=2, cells_per_stage=1, image_size=4)
    dead_ends = [
        space.parse(f"|skip_connect~0|+|{op}~0|none~1|+|none~0|skip_connect~1|none~2|")
        for op in ("none", "nor_conv_3x3")
    ]
    assert len({space.key(cell) for cell in dead_ends}) == 1
    calls = []
    source = MeasuredLatency(space, measure=lambda model, **_: calls.append(model) or float(len(calls)))
    assert [source.milliseconds(cell) for cell in dead_ends] == [1.0, 2.0]


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": "b"}', "\udcff"])
def test_a_file_that_is_no_cache_is_refused_and_kept(space, tmp_path, content):
    cache = tmp_path / "other.json"
    cache.write_text(content, errors="surrogateescape")
    with pytest.raises(InputError, match="is no latency cache: name another file"):
        MeasuredLatency(space, cache=cache)
    assert cache.read_text(errors="surrogateescape") == content


def test_a_cache_that_cannot_be_written_is_one_sentence(space, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WrcorError, match="latency cache"):
        MeasuredLatency(space, cache=tmp_path / "file" / "latency.json", measure=Stopwatch()).milliseconds((2,))


@pytest.fixture
def table(tmp_path):
    def write(text, space):
        path = tmp_path / "latency.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return LatencyTable(path, space)

    return write


def test_a_table_is_looked_up(table, space):
    text = 'latency_ms,note,architecture\n1.5,a,"{""width"": 2}"\n2e1,b,"{""width"": 3}"\n'
    source = table(text, space)
    assert len(source) == 2
    assert [source.milliseconds((width,)) for width in (2, 3)] == [1.5, 20.0]
    with pytest.raises(InputError, match=r'holds no latency of \{"width": 4\}, only of 2 other'):
        source.milliseconds((4,))


def test_a_table_is_matched_by_key_where_the_architecture_itself_is_missing(table):
    space = spaces.get("nasbench201")
    cells = [f"|skip_connect~0|+|{op}~0|none~1|+|none~0|skip_connect~1|none~2|" for op in ("none", "nor_conv_3x3")]
    unlisted = space.parse("|skip_connect~0|+|nor_conv_1x1~0|none~1|+|none~0|skip_connect~1|none~2|")
    source = table(f"architecture,latency_ms\n{cells[0]},1\n{cells[1]},3\n", space)
    assert [source.milliseconds(space.parse(cell)) for cell in cells] == [1.0, 3.0]
    assert source.milliseconds(unlisted) == 3.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no column 'architecture'"),
        ("architecture,ms\n", r"no column 'latency_ms'"),
        ("architecture,latency_ms\n", r"holds no latency$"),
        ("architecture,latency_ms\nx,1\n", r"line 2: .*not JSON"),
        ('architecture,latency_ms\n"{""width"": 2}",fast\n', r"line 2: latency_ms is 'fast', not a positive"),
        ('architecture,latency_ms\n"{""width"": 2}",0\n', r"line 2: latency_ms is '0'"),
        ('architecture,latency_ms\n"{""width"": 2}",nan\n', r"latency_ms is 'nan'"),
        ('architecture,latency_ms\n"{""width"": 2}"\n', r"latency_ms is ''"),
        ('architecture,latency_ms\n"{""width"": 2}",1\n"{""width"":2}",2\n', r"line 3: .* has a latency already"),
        (b"architecture,latency_ms\n\xff,1\n", r"is no CSV file"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(table, space, text, message):
    with pytest.raises(InputError, match=message):
        table(text, space)


def test_a_table_that_is_not_there_is_refused(tmp_path, space):
    with pytest.raises(InputError, match=r"cannot read latencies from .*No such file"):
        LatencyTable(tmp_path / "no.csv", space)
