import pytest

from dirdet_training.mm.configs import ConfigError, read_config
from dirdet_training.mm.overrides import override


def test_a_setting_is_set(tiny):
    override(tiny, {"train_cfg.max_iters": 7, "param_scheduler.0.factor": 0.5, "find_unused_parameters": True})
    assert tiny.train_cfg.max_iters == 7
    assert tiny.param_scheduler[0].factor == 0.5
    assert tiny.find_unused_parameters


def test_a_variable_from_which_settings_were_computed_is_refused_and_they_are_named():
    cfg = read_config("faster_rcnn_dir_lite0_scenes")
    words = r"has no effect: max_iters is a variable .*; set param_scheduler\.1\.end, train_cfg\.max_iters, which have"
    with pytest.raises(ConfigError, match=words):
        override(cfg, {"max_iters": 500})
    assert cfg.max_iters == 1200


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"optim_wraper.optimizer.lr": 1}, r"no setting optim_wraper; did you mean optim_wrapper\?"),
        ({"qqq": 1}, "-o qqq=1: the config has no setting qqq$"),
        ({"load_from.a.b": 1}, "does not fit the config"),
        ({"param_scheduler.7.end": 1}, "does not fit the config"),
    ],
)
def test_what_the_config_does_not_have_is_refused(tiny, settings, words):
    with pytest.raises(ConfigError, match=words):
        override(tiny, settings)
