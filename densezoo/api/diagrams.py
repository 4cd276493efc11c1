"""Diagrams of models: accuracy against cost, who reads whom in a block, a training's curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from densezoo.api.index import explain_empty, find_models, known_benchmarks
from densezoo.api.names import check_names
from densezoo.errors import QueryError, TrainingError, UnknownNameError
from densezoo.files import PLOT, written_as
from densezoo.results import pareto
from densezoo.results.figures import get_theme, write_figure
from densezoo.results.site.speed import comparable, speeds
from densezoo.results.site.zoo import title


def plot_accuracy(
    path: str | Path,
    patterns: str | Sequence[str] = "*",
    *,
    dataset: str = "imagenet1k",
    against: Sequence[str] = tuple(pareto.COSTS),
    where: str | None = None,
    theme: str = "light",
) -> Path:
    """Draw top-1 on a dataset against cost, with the models than which none is cheaper and better. Return the file.

    A model stands there once, with the accuracy that `densezoo.find_models` has for it; ports of others' weights don't.

    Args:
        path: .png, .svg or .pdf file.
        patterns: of models' names, such as "densenet*.tv_in1k".
        where: a condition on an entry's fields, such as "params < 30e6"; None: none.
        dataset: of the accuracies.
        against: of "params", "flops" and "speed": what is to the right.
        theme: "light" or "dark".

    Raises:
        QueryError: no model fits.
        UnknownNameError: no such cost or theme.
        ConfigError, ResultError, MissingDependencyError: the file can't be written.
    """
    written_as(Path(path), "plot", PLOT)
    get_theme(theme)
    for cost in against:
        if cost not in pareto.COSTS:
            raise UnknownNameError("cost", cost, pareto.COSTS)
    asked = f"dataset == {dataset!r}" + (f" and ({where})" if where else "")
    models = [each for each in find_models(patterns, where=asked) if each.spec.port_of is None]
    if not models:
        raise explain_empty(patterns, asked) or QueryError(f"only ports of others' weights have {asked}; give others")
    measured = comparable(speeds(known_benchmarks()))
    shown = pareto.points(models, measured)
    conditions = measured[0].machine if measured else ""
    pareto.draw_pareto(Path(path), shown, against, f"Top-1 on {title(dataset)}", conditions, theme)
    return Path(path)


def plot_feature_reuse(
    path: str | Path, model: str | Path, checkpoint: str | Path | None = None, *, theme: str = "light"
) -> Path:
    """Draw figure 5 of the DenseNet paper for any weights: how strongly each layer reads each earlier one.

    Args:
        path: .png, .svg or .pdf file.
        model: a name of the index, a checkpoint file, or a config with ``checkpoint``.
        checkpoint: the file of weights for a config; None: the model has its own.
        theme: "light" or "dark".

    Returns:
        The file.

    Raises:
        DensezooError: the model isn't found, its weights can't be read, or the file can't be written.
    """
    written_as(Path(path), "plot", PLOT)
    get_theme(theme)
    from densezoo.api.image_network import load_options  # here, because they import torch
    from densezoo.api.plan import load_weights
    from densezoo.results.feature_reuse import draw_feature_reuse, feature_reuse

    load = load_options(model, checkpoint, None, {})
    loaded = load_weights(load, check_names(load.config, load.checkpoint))
    name = loaded.spec.name if loaded.spec else load.checkpoint.stem
    blocks = feature_reuse(loaded.experiment.model, loaded.network.state_dict())
    draw_feature_reuse(Path(path), blocks, f"What each layer reads: {name}", theme)
    return Path(path)


def plot_curves(path: str | Path, folder: str | Path, *, theme: str = "light") -> Path:
    """Draw loss, accuracy and learning rate of a training. Return the file.

    Args:
        path: .png, .svg or .pdf file.
        folder: of the training's run.
        theme: "light" or "dark".

    Raises:
        TrainingError: there is no log of an epoch.
        ConfigError, ResultError, MissingDependencyError: the file can't be written.
    """
    written_as(Path(path), "plot", PLOT)
    get_theme(theme)
    from densezoo.training.curves import make_figure
    from densezoo.training.logs import JSON_LINES, read_records

    log = Path(folder) / JSON_LINES
    figure = make_figure(read_records(log), Path(folder).absolute().name, theme)
    if figure is None:
        raise TrainingError(
            f"{log}: expected the log of at least one epoch, found none; give a folder of densezoo train"
        )
    write_figure(Path(path), figure)
    return Path(path)
