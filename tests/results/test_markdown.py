from __future__ import annotations

from densezoo.results.markdown import markdown


def test_numbers_go_to_the_right_and_empty_columns_out() -> None:
    rows = [
        {"model": "a|b", "top-1": "75.0", "top-5": "", "params": "7,978,856", "interval": "94.54 (94.08 to 94.97) [a]"},
        {"model": "12", "top-1": "", "top-5": "", "params": "-0.5", "interval": "+1"},
        {"model": "c", "top-1": "9", "top-5": "", "params": "1", "interval": ""},
    ]
    assert markdown(rows) == (
        "| model | top-1 | params | interval |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| a\\|b | 75.0 | 7,978,856 | 94.54 (94.08 to 94.97) [a] |\n"
        "| 12 |  | -0.5 | +1 |\n"
        "| c | 9 | 1 |  |\n"
    )


def test_dates_and_versions_are_no_numbers() -> None:
    assert "| --- | --- |\n" in markdown([{"date": "2026-11-21", "version": "1.0.31"}])
