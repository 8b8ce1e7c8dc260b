"""Logs and pictures of a training, read back by their own libraries."""

import json
import warnings

import pytest

import fastmlp


def trained(tmp_path, **options):
    return fastmlp.train("digits", hidden=(8,), epochs=3, out=tmp_path / "run", **options)


def test_a_line_of_json_for_each_epoch_also_of_a_run_that_goes_on(tmp_path):
    run = trained(tmp_path, log=["jsonl"])
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert [line["loss"] for line in lines] == run.history.loss
    assert [line["validation_accuracy"] for line in lines] == run.history.validation_accuracy
    fastmlp.train(resume=tmp_path / "run", epochs=5, log=["jsonl"])
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5]


def test_tensorboard_reads_the_scalars(tmp_path):
    pytest.importorskip("tensorboard", reason='needs TensorBoard: pip install "fastmlp[tensorboard]"')
    run = trained(tmp_path, log=["tensorboard"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(tmp_path / "run/tensorboard"))
        events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3]
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(run.history.loss)
    assert {"validation_accuracy", "validation_loss", "learning_rate"} <= set(events.Tags()["scalars"])


@pytest.mark.filterwarnings("ignore")  # MLflow's own, where the test reads the store
def test_mlflow_reads_the_run(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason='needs MLflow: pip install "fastmlp[mlflow]"')
    pytest.importorskip("alembic", reason='needs MLflow\'s store: pip install "fastmlp[mlflow]"')
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = trained(tmp_path, log=["mlflow"])
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'run/mlflow.db'}")
    (kept,) = client.search_runs([client.get_experiment_by_name("fastmlp").experiment_id])
    assert kept.info.status == "FINISHED"
    assert kept.data.params["hidden"] == "[8]"
    assert [each.value for each in client.get_metric_history(kept.info.run_id, "loss")] == run.history.loss


def test_a_log_needs_a_folder_and_a_target_that_exists(tmp_path):
    with pytest.raises(ValueError, match="log='jsonl' needs a folder"):
        fastmlp.train("digits", epochs=1, log=["jsonl"])
    with pytest.raises(ValueError, match="log must be one of 'jsonl', 'tensorboard', 'mlflow'"):
        fastmlp.train("digits", epochs=1, log=["wandb"], out=tmp_path / "run")


@pytest.mark.parametrize("task", ["classify", "regress"])
def test_curves_as_a_picture(task, tmp_path):
    pytest.importorskip("matplotlib", reason='needs matplotlib: pip install "fastmlp[plot]"')
    run = fastmlp.train("digits", hidden=(8,), epochs=3, task=task, plot=tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    losses, other = run.history.plot().axes
    assert [line.get_label() for line in losses.get_lines()] == ["training", "validation"]
    assert list(losses.get_lines()[0].get_ydata()) == run.history.loss
    assert other.get_ylabel() == {"classify": "accuracy", "regress": "R2"}[task]
    assert other.get_xlabel() == "epoch"


def test_a_picture_of_no_kind_is_refused_and_nothing_left(tmp_path):
    pytest.importorskip("matplotlib", reason='needs matplotlib: pip install "fastmlp[plot]"')
    run = fastmlp.train("digits", hidden=(8,), epochs=1)
    with pytest.raises(ValueError, match=r"plot must end in one of .*\.png.*got 'curves.docx'"):
        run.history.plot(tmp_path / "curves.docx")
    with pytest.raises(OSError, match="no-such-folder"):
        run.history.plot(tmp_path / "no-such-folder/curves.png")
    assert list(tmp_path.iterdir()) == []
