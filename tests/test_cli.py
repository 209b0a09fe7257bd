"""The console script: commands are listed, found, and their errors become one line and exit code 2."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Sequence

import pytest

import wrcor_ext
from wrcor_ext import cli
from wrcor_ext.errors import BackendError, InputError


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = cli.main(argv)
    except SystemExit as exit_:
        code = exit_.code
    assert code == 0
    out = capsys.readouterr().out
    for name, (_, summary) in cli.COMMANDS.items():
        assert f"{name} " in out
        assert summary in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"wrcor_ext {wrcor_ext.__version__}\n"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_a_main_with_its_own_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(importlib.import_module(cli.COMMANDS[name][0]).main)
    with pytest.raises(SystemExit) as exit_:
        cli.main([name, "--help"])
    assert exit_.value.code == 0
    own = capsys.readouterr().out
    assert own.startswith("usage:")
    assert "COMMAND" not in own


def test_arguments_reach_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["versions"]["wrcor_ext"] == wrcor_ext.__version__


def test_unknown_command_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serach", "--budget", "3"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"error: unknown command 'serach': use one of {', '.join(cli.COMMANDS)}\n"


def test_unknown_option_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--verbose"]) == 2
    assert (
        capsys.readouterr().err
        == "error: unrecognized arguments: --verbose; did you mean --version? wrcor --help lists all options\n"
    )


@pytest.mark.parametrize("error", [InputError("--tail must be at least 1, not 0."), BackendError("no library.")])
def test_library_errors_are_one_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(argv: Sequence[str]) -> int:
        raise error

    assert cli.run(fail, []) == 2
    assert capsys.readouterr().err == f"error: {error}\n"


def test_ctrl_c_is_one_line_and_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.importlib, "import_module", interrupted)
    assert cli.main(["search"]) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_other_errors_are_not_swallowed() -> None:
    def fail(argv: Sequence[str]) -> int:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        cli.run(fail, [])


def test_exit_code_and_arguments_are_passed_on() -> None:
    seen: list[Sequence[str]] = []

    def command(argv: Sequence[str]) -> int:
        seen.append(list(argv))
        return 5

    assert cli.run(command, ["a", "--b"]) == 5
    assert seen == [["a", "--b"]]


def test_listing_imports_no_command() -> None:
    script = "import sys; from wrcor_ext import cli; cli.main([]); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    imported = set(done.stdout.splitlines())
    assert "wrcor_ext.cli" in imported
    assert not imported & {module for module, _ in cli.COMMANDS.values()}
