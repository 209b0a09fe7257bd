"""One configuration, three spellings: Python, YAML, command line."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from pathlib import Path

import pytest
import yaml

import wrcor_ext
from wrcor_ext.errors import InputError
from wrcor_ext.options import flag
from wrcor_ext.search import config as configs
from wrcor_ext.search.arguments import GROUPS, configuration
from wrcor_ext.search.cli import main
from wrcor_ext.search.config import OPTIONS, SearchConfig

DOCS = Path(wrcor_ext.__file__).parents[1] / "docs"

# A value other than the default for every option.
OTHER = {
    "space": "nasbench201",  # the only one so far
    "stem_width": 8,
    "cells_per_stage": 2,
    "stacks": 2,
    "cells_per_stack": 1,
    "resolution": 64,
    "batch_norm": False,
    "max_flops": 1e8,
    "max_params": 2e6,
    "max_memory": 2.5e6,
    "max_layers": 90,
    "max_latency": 3.5,
    "latency_table": "latencies.csv",
    "maximize": ["snip", "params"],
    "minimize": ["l2_norm"],
    "reference_point": ["params=5e6", "snip=-1"],
    "strategy": "random",
    "population_size": 12,
    "tournament_size": 3,
    "learning_rate": 0.01,
    "baseline_decay": 0.5,
    "warm_up": 50,
    "move": "best",
    "patience": 9,
    "proxies": ["naswot", "wrcor"],
    "rule": "reference",
    "amp": "bfloat16",
    "device": "cuda",
    "tail": 4,
    "group": 3,
    "workers": 2,
    "shard": "2/3",
    "ray": "auto",
    "timeout": 60.0,
    "budget": 7,
    "dedup": False,
    "cache": "scores",
    "refine": 3,
    "dataset": "noise",
    "data_root": "somewhere",
    "download": True,
    "augment": False,
    "batch_size": 16,
    "image_size": 16,
    "seed": 5,
    "threads": 2,
    "out": "a folder",
    "resume": True,
    "explain": True,
    "json": True,
    "tensorboard": True,
    "callback": "hooks:Hook",
}


# All that go together: several objectives have no one best to refine.
TOGETHER = {**OTHER, "refine": 0}


TWO = ("--maximize", "wrcor", "--minimize", "flops")


def words_for(values):
    words = []
    for name, value in values.items():
        if isinstance(value, bool):
            words.append(flag(name) if value else "--no-" + flag(name)[2:])
        else:
            words += [flag(name), *map(str, value if isinstance(value, list) else [value])]
    return words


def test_every_option_has_another_value_here():
    assert set(OTHER) == set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_means_the_same_in_python_yaml_and_on_the_command_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    needed = {"maximize": OTHER["maximize"]} if name == "reference_point" else {}
    given = {**needed, name: OTHER[name]}
    expected = SearchConfig(**given)
    (tmp_path / "o.yaml").write_text(yaml.safe_dump(given))
    assert configuration(["--config", "o.yaml"])[0] == expected
    assert configuration(words_for(given))[0] == expected
    assert name == "space" or expected != SearchConfig(**needed)


def test_all_options_together_are_equivalent_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "all.yaml").write_text(yaml.safe_dump(TOGETHER))
    assert configuration(["--config", "all.yaml"])[0] == configuration(words_for(TOGETHER))[0]
    assert configuration(words_for(TOGETHER))[0] == SearchConfig(**TOGETHER)


def test_what_is_saved_reads_back_as_the_same_run(tmp_path):
    config = SearchConfig(**TOGETHER)
    path = tmp_path / "config.yaml"
    path.write_text(configs.to_yaml(config))
    read = configs.resolve(configs.from_yaml(path))
    assert read.saved() == config.saved()
    assert yaml.safe_load(path.read_text()) == config.saved()
    assert read.out is None  # the same file starts a new run elsewhere
    assert not read.resume


def test_ray_alone_is_a_cluster_of_this_machine():
    assert configuration(["--ray", "--seed", "3"])[0] == configuration(["--seed", "3", "--ray", "local"])[0]
    assert configuration(["--ray", "head:6379"])[0].ray == "head:6379"


def test_flags_override_yaml_and_yaml_overrides_defaults(tmp_path):
    path = tmp_path / "o.yaml"
    path.write_text("budget: 7\nseed: 3\naugment: false\n")
    config, _ = configuration(["--config", str(path), "--seed", "4", "--augment"])
    assert (config.budget, config.seed, config.augment, config.batch_size) == (7, 4, True, SearchConfig().batch_size)


def test_aliases_of_proxies_become_canonical_names():
    assert SearchConfig(proxies=["act_grad_cor_weighted", "acor"]).proxies == ("wrcor", "acor")
    assert SearchConfig(proxies="naswot").proxies == ("naswot",)


def test_a_vote_is_an_objective_and_its_members_are_scored():
    config = SearchConfig(proxies=["vote:rank( snip, -act_grad_cor_weighted )", "naswot", "wrcor"])
    assert config.proxies == ("vote:rank(snip,-wrcor)", "naswot", "wrcor")
    assert config.members == ("snip", "wrcor", "naswot")
    assert config.objective.name == "vote:rank(snip,-wrcor)"
    assert SearchConfig(proxies="sjw").members == ("synflow", "jacob_cor", "wrcor")


def test_the_documentation_has_every_option_in_its_table():
    table = (DOCS / "search.md").read_text(encoding="utf-8").partition("| option |")[2].partition("\n\n")[0]
    documented = set(re.findall(r"`(--[a-z-]+)`", table))
    flags = [{flag(name), flag(f"no_{name}")} for name in OPTIONS]
    assert [names for names in flags if not names & documented] == []
    assert documented - set().union(*flags) == {"--config"}


def test_help_shows_every_option_with_its_default(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "[OPTION ...]" in text  # not all of them once more, without a word
    for title in GROUPS:
        assert f"{title}: --" in text
    for name, entry in OPTIONS.items():
        assert flag(name) in text
        assert entry.help.split(";")[0].split(",")[0] in text
    for shown in (
        "or your own as package.module:attribute",
        "(default: evolution)",
        "(default: 64)",
        "(default: auto)",
        "(default: yes)",
        "(default: wrcor)",
    ):
        assert shown in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tail", "0"], "--tail: expected a whole number of at least 1, 'auto' or 'none' (all levels), not 0"),
        (
            ["--tail", "some"],
            "--tail: expected a whole number of at least 1, 'auto' or 'none' (all levels), not 'some'",
        ),
        (["--budget", "-5"], "--budget: expected a whole number of at least 1, not -5"),
        (["--budget", "1e3"], "--budget: expected a whole number of at least 1, not '1e3'"),
        (["--seed", "-1"], "--seed: expected a whole number from 0"),
        (["--batch-size", "1"], "--batch-size: expected a whole number from 2 to 512, not 1"),
        (["--strategy", "evolutoin"], "--strategy: unknown strategy 'evolutoin': did you mean evolution"),
        (["--space", "nasbench202"], "--space: unknown space 'nasbench202': did you mean nasbench201"),
        (["--proxies", "vote:rank(snip"], "--proxies: 'vote:rank(snip' is not written as vote:METHOD(PROXY,"),
        (["--proxies", "vote:ranks(snip)"], "--proxies: unknown vote 'ranks': did you mean rank"),
        (["--proxies", "wrcor", "wcor"], "--proxies: unknown proxy or vote 'wcor': did you mean"),
        (
            ["--proxies", "wrcor", "act_grad_cor_weighted"],
            "--proxies: 'wrcor' and 'act_grad_cor_weighted' are one; expected one or more different of ",
        ),
        (["--proxies", "acor", "acor"], "--proxies: 'acor' is given twice; expected one or more different of "),
        (["--stacks", "11"], "--stacks: expected a whole number from 1 to 10 or 'none' (the space's own), not 11"),
        (["--rule", "both"], "--rule: expected one of activations, reference, not 'both'"),
        (["--out", ""], "--out: expected a folder or 'none'"),
        (["--proxies"], "expected at least one argument"),
        (["--population-sise", "3"], "unrecognized arguments: --population-sise 3"),
        (["--population_size", "3"], "unrecognized arguments: --population_size 3; did you mean --population-size? "),
        (["--bud", "3"], "unrecognized arguments: --bud 3"),
        (["--config", "missing.yaml"], "cannot read configuration 'missing.yaml': No such file or directory"),
    ],
)
def test_a_bad_flag_gets_one_sentence(words, sentence):
    with pytest.raises(InputError) as caught:
        configuration(words)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("budget: [1, 2", "is not valid YAML"),
        ("budget: 3\n\tseed: 1", "is not valid YAML"),
        ("!!python/object/apply:os.getcwd []", "is not valid YAML"),
        ("- budget", "expected 'option: value' lines, not a list"),
        ("just text", "expected 'option: value' lines, not a str"),
        ("popsize: 3", "unknown option 'popsize': did you mean population_size? known are space"),
        ("budget: '3'", "budget: expected a whole number of at least 1, not '3'"),
        ("budget: 3.5", "budget: expected a whole number of at least 1, not 3.5"),
        ("budget: true", "budget: expected a whole number of at least 1, not True"),
        ("budget:", "budget: expected a whole number of at least 1, not None"),
        ("augment: 1", "augment: expected true or false, not 1"),
        ("proxies: [1]", "proxies: expected one or more different of"),
        ("tail: 0", "tail: expected a whole number of at least 1"),
        ("dataset: 7", "dataset: expected photos"),
        ("population-size: 3", "unknown option 'population-size': did you mean population_size? known are space"),
        ("config: other.yaml", "unknown option 'config'"),
        ("seed: 1\nbudget: 3\nseed: 2", "'seed' is given twice, again in line 3"),
        ("{seed: 1, seed: 1}", "'seed' is given twice, again in line 1"),
        ("proxies: {a: 1, a: 2}", "'a' is given twice"),
        ("stem_width: 100000000", "stem_width: expected a whole number from 1 to 2048"),
        ("seed: 2001-02-31", "is not valid YAML"),
        ("[" * 20_000, "is not valid YAML"),
    ],
)
def test_bad_yaml_gets_one_sentence_that_names_the_file(content, sentence, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        configs.from_yaml(path)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_yaml_that_is_no_text_gets_one_sentence(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_bytes(b"budget: \xff\xfe")
    with pytest.raises(InputError, match="is not valid YAML"):
        configs.from_yaml(path)


def test_an_empty_yaml_file_changes_nothing(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing yet\n")
    assert configs.resolve(configs.from_yaml(path)) == SearchConfig()


def test_python_callers_get_the_same_checks():
    with pytest.raises(InputError, match="budget: expected a whole number of at least 1, not 0"):
        SearchConfig(budget=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        SearchConfig().budget = 3  # type: ignore[misc]


def test_length_place_and_display_are_no_part_of_the_identity():
    identity = SearchConfig().identity()
    assert set(OPTIONS) - set(identity) == {
        "budget", "cache", "refine", "data_root", "download", "threads", "workers", "ray", "timeout",
        "out", "resume", "explain", "json", "tensorboard", "callback", "reference_point",
    }  # fmt: skip


def test_objectives_are_scored_and_come_first_among_the_proxies():
    config = SearchConfig(maximize=("act_grad_cor_weighted", "vote:rank(snip, naswot)"), minimize=("flops", "latency"))
    assert config.objective.name == "wrcor, vote:rank(snip,naswot), -flops, -latency"
    assert config.proxies == ("wrcor", "vote:rank(snip,naswot)")
    assert config.members == ("wrcor", "snip", "naswot")
    config = SearchConfig(maximize=("naswot",), minimize=("params",), proxies=("snip", "naswot"))
    assert config.proxies == ("naswot", "snip")
    assert config.objective.goals[1].is_cost  # the cost, not the proxy of that name


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ({"maximize": ["snip"]}, {"proxies": ["snip"]}),
        ({"maximize": ["wrcor"]}, {}),
        ({"maximize": ["snip"], "proxies": ["naswot", "snip"]}, {"proxies": ["snip", "naswot"]}),
        ({"minimize": ["zen_score_cossim"]}, {"proxies": ["zen_score_cossim"]}),
        ({"maximize": ["sjw"]}, {"proxies": ["sjw"]}),
    ],
)
def test_one_objective_in_its_own_direction_is_the_first_proxy(given, same):
    assert SearchConfig(**given) == SearchConfig(**same)


def test_a_configuration_goes_to_other_processes_without_its_objective():
    config = SearchConfig(**TOGETHER)
    assert config.objective.is_front
    assert b"Objective" not in pickle.dumps(config)
    there = copy.copy(config)  # by the same state
    assert there == config
    assert there.objective == config.objective


@pytest.mark.parametrize("given", [{"maximize": ["zen_score_cossim"]}, {"minimize": ["wrcor"]}])
def test_an_objective_against_its_proxys_direction_is_taken_literally(given):
    (((option, (name,)),)) = given.items()
    config = SearchConfig(**given)
    (goal,) = config.objective.goals
    assert goal.values({name: 3.0}, {}) == ((3.0 if option == "maximize" else -3.0),)
    assert config.objective.name == (name if option == "maximize" else f"-{name}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--maximize", "wrcor", "--minimize", "flops", "wrcor"], "'wrcor' cannot be maximised and minimised at once"),
        (["--maximize", "wrcor", "flops", "--minimize", "flops"], "'flops' cannot be maximised and minimised at once"),
        (["--maximize", "wrcor", "act_grad_cor_weighted"], "--maximize: 'wrcor' and 'act_grad_cor_weighted' are one"),
        (["--minimize", "flops", "flops"], "--minimize: 'flops' is given twice"),
        (["--minimize", "flops", "latency"], "objectives -flops, -latency: costs alone need no search"),
        (["--minimize", "sjw", "flops"], "'sjw' cannot be minimised: a vote looks for a best"),
        (["--maximize", "wrcor", "--minimize", "flop"], "--minimize: unknown proxy or vote 'flop': did you mean flops"),
        (["--maximize", "wrcor", "snip", "naswot", "--minimize", "flops", "params"], "are too many: at most 4"),
        (["--maximize", "wrcor", "--minimize", "flops", "--refine", "3"], "refine 3: of several objectives"),
        (["--reference-point", "wrcor=3"], "reference_point wrcor=3 has no effect without several objectives"),
        ([*TWO, "--reference-point", "params=3"], "reference_point params=3: the objectives are wrcor, flops"),
        ([*TWO, "--reference-point", "flops"], "--reference-point: expected OBJECTIVE=NUMBER"),
        ([*TWO, "--reference-point", "flops=nan"], "--reference-point: expected OBJECTIVE=NUMBER"),
        ([*TWO, "--reference-point", "flops=1", "flops=2"], "--reference-point: 'flops' is given twice"),
    ],
)
def test_objectives_that_do_not_go_together_get_one_sentence(words, message, capsys):
    assert main(words) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_run_of_an_older_release_has_the_defaults_of_newer_options():
    recorded = {name: value for name, value in SearchConfig().saved().items() if name not in ("maximize", "minimize")}
    assert configs.recorded_value(recorded, "maximize") == []
    assert configs.recorded_value({"maximize": ["wrcor"]}, "maximize") == ["wrcor"]
