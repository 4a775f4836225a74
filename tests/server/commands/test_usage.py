"""What `dirdet serve` and `dirdet detect` say of options that cannot be, option by option."""

import click
import pytest

from dirdet.cli import main
from dirdet.commands.detect import command as detect
from dirdet.commands.serve import command as serve

WRONG = [
    (detect, "--tiles", "large"),
    (detect, "--join", "best"),
    (detect, "--decode", "half"),
    (detect, "--nms", "best"),
    (serve, "--host", "no such host"),
    (serve, "--port", "70000"),
    (serve, "--port", "http"),
    (serve, "--triton", "no-port"),
    (serve, "--triton", "host:http"),
    (serve, "--triton-model", "of no Triton"),
    (serve, "--triton-shared-memory", None),
    (serve, "--triton-key-file", "alone"),
    (serve, "--workers", "2"),
    (serve, "--workers", "0"),
    (serve, "--inference-threads", "0"),
    (serve, "--decoding-threads", "-1"),
    (serve, "--inferences", "0"),
    (serve, "--max-batch", "0"),
    (serve, "--max-batch-delay-ms", "-1"),
    (serve, "--max-batch-delay-ms", "nan"),
    (serve, "--timeout-s", "0"),
    (serve, "--timeout-s", "nan"),
    (serve, "--timeout-s", "121"),
    (serve, "--max-timeout-s", "inf"),
    (serve, "--max-queue", "63"),
    (serve, "--max-queue-mib", "127"),
    (serve, "--max-tiles", "0"),
    (serve, "--drain-timeout-s", "soon"),
    (serve, "--no-auth", None),
    (serve, "--published-on", "no such host"),
    (serve, "--allowed-host", "https://vision.example"),
    (serve, "--tls-cert", "alone.pem"),
    (serve, "--tls-key", "alone.pem"),
    (serve, "--cors-origin", "app.example"),
    (serve, "--root-path", "no-slash"),
    (serve, "--trusted-proxy", "10.0.0.1/8"),
    (detect, "--draw", "out.gif"),
    (detect, "--score-threshold", "2"),
    (detect, "--score-threshold", "much"),
    (detect, "--nms-iou-threshold", "-0.1"),
    (detect, "--min-iou", "nan"),
    (detect, "--iou-weight", "1.5"),
    (detect, "--max-detections", "0"),
    (detect, "--max-detections", "1.5"),
    (serve, "--log-format", "xml"),
    (detect, "--classes", ""),
    (detect, "--classes", "bird,,fish,dragon"),
    (detect, "--json", None),
    (detect, "--recursive", None),
]
# A path may be anything until it is opened: a bundle that is none is an error of the bundle, not of usage.
OPENED_LATER = {serve: {"--detector", "--keys"}, detect: {"--detector"}}


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code


@pytest.mark.parametrize(("command", "option", "value"), WRONG)
@pytest.mark.usefixtures("bundle_folder")
def test_a_wrong_value_is_a_usage_error_that_names_the_option_as_typed(
    command: click.Command, option: str, value: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "serve" if command is serve else "detect"
    given = [f"{option}=1"] if value is None else [option, value]
    assert run(name, *given, *(["photo.jpg"] if command is detect else [])) == 2
    said = capsys.readouterr().err
    assert f"'{option}'" in said
    assert option.removeprefix("--").replace("-", "_") not in said or "-" not in option.removeprefix("--")
    assert "Traceback" not in said


@pytest.mark.parametrize("command", [serve, detect])
def test_every_option_is_tried(command: click.Command) -> None:
    options = {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
    assert options == {option for owner, option, _ in WRONG if owner is command} | OPENED_LATER[command]


@pytest.mark.parametrize("arguments", [["serve", "--port", "0"], ["detect", "photo.jpg"]])
def test_a_bundle_that_is_none_is_one_line_and_no_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments, "--detector", "no/where") == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("dirdet: no/where")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["detect"], "PICTURES"),
        (["detect", "--score-treshold", "1", "a.png"], "--score-threshold"),
        (["serve", "--prot", "1"], "--port"),
        (["serve", "detector"], "detector"),
        (["serve", "--triton-shared-memory"], "--triton-shared-memory"),
        (["dtect"], "dtect"),
        (["detect", "-", "-"], "standard input"),
    ],
)
def test_what_is_not_understood_is_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err
