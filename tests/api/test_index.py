"""What the index lists, and by what."""

from __future__ import annotations

import subprocess
import sys

import densezoo


def test_listing_with_a_filter() -> None:
    names = densezoo.list_models("densenet*", where="top1 > 76 and params < 10e6", sort="-top1")
    assert "densenet121.ra_in1k" in names
    figures = [spec.headline.top1 or 0 for spec in map(densezoo.get_spec, names) if spec.headline]
    assert figures == sorted(figures, reverse=True)


def test_a_filter_imports_no_torch() -> None:
    program = (
        "import sys, densezoo; assert densezoo.list_models(where='top1 > 76', sort='-top1');"
        "print([name for name in ('torch', 'timm', 'pandas', 'mmengine', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
