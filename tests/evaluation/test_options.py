"""The options of an evaluation are the arguments of the public function, with the same defaults."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys

from densezoo.api.evaluation import evaluate_protocols
from densezoo.evaluation.options import LoadOptions, RunOptions, StoreOptions

NAMES = {"protocols": "names"}  # where the public one is called otherwise
ARGUMENTS = inspect.signature(evaluate_protocols).parameters


def test_each_option_is_an_argument_with_the_same_default() -> None:
    fields = {
        field.name: field for kind in (LoadOptions, RunOptions, StoreOptions) for field in dataclasses.fields(kind)
    }
    fields.pop("label_table")  # which `evaluate_labels` takes
    assert {NAMES.get(name, name) for name in fields} - {"existing"} == set(ARGUMENTS) - {"resume", "restart"}
    assert len(fields) + 1 == sum(len(dataclasses.fields(kind)) for kind in (LoadOptions, RunOptions, StoreOptions))
    for name, field in fields.items():
        if field.default is not dataclasses.MISSING and name != "existing":
            assert ARGUMENTS[NAMES.get(name, name)].default == field.default, name
    assert StoreOptions().existing == "refuse"


def test_they_import_no_torch() -> None:
    program = "import sys, densezoo.evaluation.options; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
