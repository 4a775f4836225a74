import dataclasses
import json
from pathlib import Path

import pytest

from dirdet.errors import ParameterError
from dirdet_training.study.errors import StudyError
from dirdet_training.study.estimate import Left, shown
from dirdet_training.study.plan import USED, Plan, Training, use_checkpoints
from dirdet_training.study.presets import PRESETS, Detector, narrowed, with_config
from dirdet_training.study.training import BEGINNING, train, train_command


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(PRESETS["scenes-cpu"], tmp_path, Path("data"))


def test_a_trained_detector_comes_before_those_that_begin_with_it(plan):
    plan.start = Path("trunk.pth")
    trainings = list(plan.trainings())
    assert len(trainings) == 2 * 3 + 6 + 6 + 1
    made = {plan.start}
    for training in trainings:
        assert training.start in made
        assert (training.start == plan.start) == (training.role in {"plain", "faster", "tsd_whole"})
        made.add(training.checkpoint)
    assert len(made) == 1 + len(trainings)


def test_a_training_goes_on_and_knows_what_is_left(plan):
    first = next(training for training in plan.trainings() if training.role == "faster")
    assert first.steps_left() == first.total_steps == 600
    first.checkpoint.parent.mkdir(parents=True)
    (first.checkpoint.parent / "iter_400.pth").touch()
    assert first.steps_left() == 200
    command = train_command(plan, first, keep_milestones=True)
    assert "--resume" in command
    assert "default_hooks.checkpoint.interval=150" in command
    tuned = next(training for training in plan.trainings() if training.role == "mask")
    command = train_command(plan, tuned, keep_milestones=False)
    assert "train_cfg.max_iters=100" in command
    assert f"load_from={tuned.checkpoint.with_name(BEGINNING)}" in command


def test_several_gpus_are_used_by_torchrun(plan, monkeypatch):
    first = next(plan.trainings())
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert "torch.distributed.run" not in train_command(plan, first, keep_milestones=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    command = train_command(plan, first, keep_milestones=False)
    assert command[1:6] == ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=4", "-m"]


def test_all_detectors_learn_whole_from_other_pictures_with_classes_of_their_own(tmp_path):
    (tmp_path / "classes.txt").write_text("cell\nnucleus\n")
    plan = Plan(
        PRESETS["pictures-cpu"], tmp_path, Path("data"), start=Path("trunk.pth"), classes_from=tmp_path / "classes.txt"
    )
    trainings = list(plan.trainings())
    assert {training.role for training in trainings} >= {
        "plain",
        "faster",
        "mask",
        "cascade",
        "dcn",
        "double_head",
        "tsd",
        "htc",
    }
    assert len({training.checkpoint for training in trainings}) == len(trainings)
    for training in trainings:
        assert (training.total_steps, training.start) == (600, plan.start)
        cfg = plan.config(training.detector)
        assert cfg.train_dataloader.dataset.metainfo["classes"] == ("cell", "nucleus")
        box_heads = cfg.model.roi_head.get("tsd_head") or cfg.model.roi_head.bbox_head
        for head in box_heads if isinstance(box_heads, list) else [box_heads]:
            assert head.num_classes == 2
        command = train_command(plan, training, keep_milestones=False)
        assert command[command.index("--classes-from") + 1] == str(tmp_path / "classes.txt")
        assert "train_dataloader.batch_size=4" in command


def test_the_papers_dcn_is_studied():
    for name in ("coco", "scenes-gpu"):
        assert "dcnv1" in PRESETS[name].detectors["dcn"].config


def test_parts_of_tsd_are_trainings_of_their_own_and_equal_ones_are_one(plan, tmp_path):
    [no_shift] = [training for training in plan.trainings() if training.role == "tsd_no_shift"]
    assert "model.roi_head.shift=False" in train_command(plan, no_shift, keep_milestones=False)
    assert plan.config(no_shift.detector).model.roi_head.shift is False
    made = {training.role: training.checkpoint for training in Plan(PRESETS["coco"], tmp_path).trainings()}
    assert made["tsd_base"] == made["plain"]
    assert len(set(made.values())) == len(made) - 1


def test_used_checkpoints_are_remembered_and_not_trained(plan, tmp_path):
    rows = [{"config": "faster_rcnn_dir_lite0_scenes_judges", "seed": 4, "checkpoint": str(tmp_path / "a.pth")}]
    (tmp_path / USED).write_text(json.dumps(rows))
    use_checkpoints(plan, [], trust_checkpoint=False)
    [training] = [training for training in plan.trainings() if training.role == "faster"]
    assert (training.seed, training.elsewhere) == (4, True)
    assert training.detector.config == "faster_rcnn_dir_lite0_scenes_judges"
    with pytest.raises(StudyError, match=r"a\.pth is not there any more"):
        train(plan, training, keep_milestones=False)


def test_used_checkpoints_of_detectors_left_out_are_still_remembered(plan, tmp_path):
    configs = ("faster_rcnn_lite0_scenes", "faster_rcnn_dir_lite0_scenes_rivals")
    rows = [{"config": config, "seed": 0, "checkpoint": f"/{config}.pth"} for config in configs]
    (tmp_path / USED).write_text(json.dumps(rows))
    only = dataclasses.replace(plan, preset=narrowed(plan.preset, {"faster": None}))
    use_checkpoints(only, [], trust_checkpoint=False)
    assert only.used == {"faster": {0: Path("/faster_rcnn_dir_lite0_scenes_rivals.pth")}}
    assert json.loads((tmp_path / USED).read_text()) == rows


@pytest.mark.parametrize("content", ["{", "[{}]", "[1]"])
def test_a_broken_memory_is_named(plan, tmp_path, content):
    (tmp_path / USED).write_text(content)
    with pytest.raises(StudyError, match=r"used\.json is broken"):
        use_checkpoints(plan, [], trust_checkpoint=False)


def test_a_training_that_fails_says_where_its_log_is(plan, tmp_path):
    training = Training("plain", Detector("no_such_config"), 0, tmp_path / "run" / "iter_1.pth", None, 1)
    with pytest.raises(StudyError, match=r"no_such_config with seed 0 ended with status 1 and no iter_1\.pth"):
        train(plan, training, keep_milestones=False)


def test_roles_are_chosen_and_their_configs_replaced():
    found = narrowed(PRESETS["scenes-cpu"], {"faster": "mine.py", "plain": None})
    assert found.detectors == {"faster": Detector("mine.py"), "plain": PRESETS["scenes-cpu"].detectors["plain"]}
    assert narrowed(PRESETS["scenes-cpu"], {"mask": None}).detectors.keys() == {"mask", "faster"}
    with pytest.raises(ParameterError, match="not 'fastest'"):
        narrowed(PRESETS["coco"], {"fastest": None})


def test_a_config_stands_in_for_its_role():
    preset, role = with_config(PRESETS["scenes-cpu"], "faster_rcnn_dir_lite0_scenes")
    assert (role, preset.detectors[role].config) == ("faster", "faster_rcnn_dir_lite0_scenes")
    with pytest.raises(ParameterError, match="not 'nothing'"):
        with_config(preset, "nothing")


def test_an_estimate_is_in_hours_and_minutes():
    assert shown([]) == "Nothing is left to train, collect or measure."
    text = shown([Left("train x", "10 steps", 5400), Left("measure", "3 rankings", 30)])
    assert text.splitlines() == [
        "train x: 10 steps: 1 h 30 min",
        "measure: 3 rankings: 30 s",
        "In all about 1 h 30 min on this machine.",
    ]
