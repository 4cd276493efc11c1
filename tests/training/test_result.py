from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from densezoo import api
from densezoo.config import load_config
from densezoo.conversion.load import load_checkpoint
from densezoo.families import build_architecture
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.safetensors import stated_facts, write_safetensors
from densezoo.protocols import get_protocol
from densezoo.protocols.own import as_own
from densezoo.training.result import differing, trained_facts
from densezoo.types import Start


def test_a_trained_file_says_what_it_is(tmp_path: Path) -> None:
    experiment = load_config(api.DEMO[0])
    assert experiment.train is not None
    recipe = dataclasses.replace(experiment.train, lr=0.25, seed=7, start=Start("x", freeze=("stem",)))
    facts = trained_facts(dataclasses.replace(experiment, train=recipe), started_from={"weights": "x"})
    network, report = load_checkpoint(api.DEMO[1])
    write_safetensors(tmp_path / "a.safetensors", network.state_dict(), facts)
    read = stated_facts(tmp_path / "a.safetensors", read_checkpoint(tmp_path / "a.safetensors").metadata)
    assert build_architecture(read["architecture"], "") == report.architecture
    assert read["class_names"] == [str(digit) for digit in range(10)]
    assert read["recipe"] == {
        **{"epochs": 30, "batch_size": 32, "lr": 0.25, "augmentation": "shift", "seed": 7},
        "start": {"weights": "x", "adapt_in_chans": False, "freeze": ["stem"], "lr_scales": {}},
    }
    assert (read["dataset"], read["protocol"], read["multi_label"]) == ("digits", "digits", False)
    assert (read["config"], read["seed"]) == (experiment.path, 7)
    assert read["started_from"] == {"weights": "x"}
    assert load_checkpoint(tmp_path / "a.safetensors")[1].protocol == "digits"


def test_class_names_of_a_user_s_own(tmp_path: Path) -> None:
    experiment = dataclasses.replace(load_config(api.DEMO[0]), dataset="imagefolder")
    assert trained_facts(experiment)["class_names"] is None
    assert json.loads(json.dumps(trained_facts(experiment, ("cat", "dög"))["class_names"])) == ["cat", "dög"]


def test_a_protocol_of_the_user_s_own_is_stated_whole(tmp_path: Path) -> None:
    own = as_own(dataclasses.replace(get_protocol("digits"), name="mine", mean=(0.4,)))
    experiment = dataclasses.replace(load_config(api.DEMO[0]), protocol=own.name)
    assert trained_facts(experiment)["protocol"] == dataclasses.asdict(own)
    network, report = load_checkpoint(api.DEMO[1])
    facts = {"protocol": {"name": "mine", "mean": [0.5]}}
    write_safetensors(tmp_path / "a.safetensors", network.state_dict(), facts)
    assert load_checkpoint(tmp_path / "a.safetensors")[1].protocol == "mine"
    assert report.protocol == "digits"  # the shipped one names its protocol


def test_another_training_of_the_same_tensors_differs() -> None:
    """Such as one with dropout, of which no tensor tells."""
    experiment = load_config(api.DEMO[0])
    assert experiment.train is not None
    dropped = dataclasses.replace(experiment, model=dataclasses.replace(experiment.model, drop_rate=0.2))
    stated = json.loads(json.dumps(trained_facts(experiment)))
    assert differing(stated, trained_facts(experiment)) == []
    (difference,) = differing(stated, trained_facts(dropped))
    assert difference.startswith("model.drop_rate ")
    assert difference.endswith(", here 0.2")
    older = {**stated, "architecture": {k: v for k, v in stated["architecture"].items() if k != "stem_padding"}}
    without = {name: value for name, value in stated.items() if name != "architecture"}
    assert differing(older, trained_facts(experiment)) == differing(without, trained_facts(experiment)) == []
    started = dataclasses.replace(experiment.train, start=Start("x"))  # weights that have their own epsilon
    stated = json.loads(json.dumps(trained_facts(dataclasses.replace(experiment, train=started))))
    for field, value, number in (("drop_rate", 0.2, 1), ("bn_eps", 1e-4, 0)):
        model = dataclasses.replace(experiment.model, **{field: value})
        assert (
            len(differing(stated, trained_facts(dataclasses.replace(experiment, train=started, model=model)))) == number
        )
