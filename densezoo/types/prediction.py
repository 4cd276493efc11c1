"""What a network answers for one image."""

from __future__ import annotations

from dataclasses import dataclass

from densezoo.types.shown import as_html, percent


@dataclass(frozen=True)
class Answer:
    """One class with its probability.

    Args:
        label: the class, from 0.
        name: what it is called; its number where nobody says.
        probability: 0 to 1, of the softmax over all classes; with several right answers an image, the class's own.
    """

    label: int
    name: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The first answers for one image.

    Args:
        image: its path or URL; "-": standard input; its number ("0") where it came as pixels.
        answers: the most probable first; none if the image can't be read.
        truncated: whether the file's end is missing, and the protocol's library filled it in.
        error: why the image can't be read; None: it can.
    """

    image: str
    answers: tuple[Answer, ...]
    truncated: bool = False
    error: str | None = None

    @property
    def label(self) -> int:
        """The most probable class.

        Raises:
            ValueError: the image couldn't be read.
        """
        return self._first().label

    @property
    def name(self) -> str:
        """What the most probable class is called.

        Raises:
            ValueError: the image couldn't be read.
        """
        return self._first().name

    @property
    def probability(self) -> float:
        """Of the most probable class, 0 to 1.

        Raises:
            ValueError: the image couldn't be read.
        """
        return self._first().probability

    def _first(self) -> Answer:
        if not self.answers:
            raise ValueError(f"{self.image} has no answer: {self.error}")
        return self.answers[0]

    def __repr__(self) -> str:
        first = f"{self.name}, {percent(100 * self.probability)}" if self.answers else "no answer"
        said = self.error or f"{self.image}: {first}"
        return f"<Prediction {said}>"

    def _repr_html_(self) -> str:
        """The answers, for notebooks."""
        if self.error is not None:
            return as_html(self.image, {"error": self.error})
        places = {f"{i}.": f"{100 * each.probability:.2f} %  {each.name}" for i, each in enumerate(self.answers, 1)}
        return as_html(self.image, places)
