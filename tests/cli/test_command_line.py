"""The front door: list, help, typos, and the exit code of every way to end."""

from __future__ import annotations

import subprocess
import sys

import cyclopts
import pytest

import kinelex
from kinelex import cli
from kinelex.errors import KinelexError, NoTextEncoder, UnknownName, WrongUnit


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch):
    """Replace the commands by one, `end`, that ends as it is told."""

    def install(result: object) -> None:
        def end() -> object:
            """End in one way."""
            if isinstance(result, BaseException):
                raise result
            return result

        def command_line(tokens: object = ()) -> cyclopts.App:
            app = cyclopts.App(result_action="return_int_as_exit_code_else_zero", suppress_keyboard_interrupt=False)
            app.command(end)
            return app

        monkeypatch.setattr(cli, "command_line", command_line)

    return install


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (None, 0),
        (5, 5),
        (UnknownName("no data set 'x': use hapt"), 2),
        (WrongUnit("this looks like g"), 3),
        (NoTextEncoder("install kinelex[offline]"), 4),
        (KinelexError("something else"), 1),
        (FileNotFoundError(2, "No such file or directory", "a.csv"), 1),
        (OSError("No space left on device"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_ending_has_its_exit_code_and_one_line(ending, capsys, result: object, code: int) -> None:
    ending(result)
    assert cli.main(["end"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    if isinstance(result, BaseException):
        assert err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err
        assert isinstance(result, KeyboardInterrupt) or result.args[-1] in err
    else:
        assert err == ""


def test_a_mistake_in_the_program_keeps_its_traceback(ending) -> None:
    ending(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        cli.main(["end"])


def test_an_unknown_option_is_a_usage_error(ending, capsys) -> None:
    ending(None)
    assert cli.main(["end", "--nothing"]) == 2
    assert "--nothing" in capsys.readouterr().err


def test_the_list_names_every_command_and_imports_none(capsys) -> None:
    code = (
        "import sys; from kinelex.cli import main; main(['--help']); "
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in cli.COMMANDS:
        assert name in done.stdout
    assert done.stdout.splitlines()[-1] == "False False"


def test_the_version_is_the_package_version(capsys) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == kinelex.__version__


def test_a_typo_gets_a_suggestion(capsys) -> None:
    assert cli.main(["pedict"]) == 2
    assert "did you mean 'predict'" in capsys.readouterr().err


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_a_help_page_of_its_own(capsys, name: str) -> None:
    assert cli.main([name, "--help"]) == 0
    page = capsys.readouterr().out
    assert f"kinelex {name}" in page
    assert len(page.split()) > 12


def test_output_cut_short_by_its_reader_is_no_error() -> None:
    code = (
        "import sys\nfrom kinelex import cli\nimport cyclopts\n"
        "app = cyclopts.App(result_action='return_int_as_exit_code_else_zero')\n"
        "@app.command\ndef much():\n    for _ in range(100_000):\n        print('a line')\n"
        "cli.command_line = lambda tokens: app\nsys.exit(cli.main(['much']))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait() == cli.BROKEN_PIPE
    assert err == b""
