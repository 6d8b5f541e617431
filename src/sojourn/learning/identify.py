"""Which radius-1 rule made these boards? Counting outcomes, and claiming no more than they show.

A two-state radius-1 rule is a table of 512 outcomes, one for each 3 by 3 neighbourhood, so data determine
exactly the entries that were seen.

    exact data:   entry k is the one outcome that followed neighbourhood k
    noisy data:   entry k is the majority outcome; it is wrong with probability at most (q / (1 - q))^margin

The noise model: given everything earlier, each observed outcome is flipped independently with probability at most
q < 1/2, and the next step starts from the board as recorded. Under it ((1 - q) / q)^(wrong - right) is a nonnegative
supermartingale for every entry, so by Ville's inequality the bound holds whatever the number of observations and
however flips steer later boards. Noise that is in the *recording* alone is not covered: it corrupts neighbourhoods too.

Source: J. Ville, "Etude critique de la notion de collectif" (1939); C. Clopper and E. Pearson, Biometrika 26 (1934).
"""

from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np

from sojourn.bounds.intervals import clopper_pearson
from sojourn.errors import InputError
from sojourn.learning.transitions import BOUNDARIES, Boards, Transitions, count_transitions
from sojourn.processes.life.hensel import CENTRE_OF, CLASS_OF, COUNT_OF
from sojourn.processes.life.rule import Rule

Assumption = Literal["isotropic", "outer-totalistic"]

HYPOTHESES: dict[Assumption | None, np.ndarray] = {
    None: np.arange(512),
    "isotropic": CLASS_OF + 51 * CENTRE_OF.astype(np.int64),
    "outer-totalistic": COUNT_OF + 9 * CENTRE_OF.astype(np.int64),
}
"""Classes of neighbourhoods that must share an outcome, from the weakest assumption to the strongest."""


@dataclass(frozen=True, eq=False)
class Identification:
    """What boards show of the rule that made them; `str()` says it in a paragraph.

    Attributes:
        rule: the rule in its shortest notation, or None when the data do not determine one.
        assuming: what `rule` presupposes beyond a radius-1 rule: None (nothing), "isotropic" or "outer-totalistic".
        table: int8 (512,), the outcome of each neighbourhood, for inconsistent or noisy data the majority outcome;
            -1 where none was seen, or both equally often.
        counts: int64 (512, 2), how often each neighbourhood was followed by 0 and by 1.
        consistent: whether no neighbourhood was seen with both outcomes, so that a deterministic rule explains all.
        contradictions: neighbourhood -> (member, time, y, x) of the first observation that contradicts an earlier one;
            `time` is the index of the frame that shows the neighbourhood.
        noise: the bound q on the probability of a flip, as given or estimated; 0.5 when there are more contradictions
            than flips can explain, so that nothing is bounded; None when the data are taken as exact.
        error_probability: float64 (512,), None for exact data. With probability at least 1 - a, none of the entries
            whose value is at most a is wrong: for every a, for all entries together, under the noise model.
        confidence: 1 - confidence bounds the probability that `rule` is wrong, under the noise model.
        boundary: "torus", "dead", or "interior" when only cells with eight recorded neighbours were counted.
    """

    rule: str | None
    assuming: Assumption | None
    table: np.ndarray
    counts: np.ndarray
    consistent: bool
    contradictions: dict[int, tuple[int, int, int, int]]
    noise: float | None
    error_probability: np.ndarray | None
    confidence: float
    boundary: str

    @property
    def unseen(self) -> np.ndarray:
        """The neighbourhoods that never occurred."""
        return np.flatnonzero(self.counts.sum(axis=1) == 0)

    @property
    def observations(self) -> int:
        """Number of outcomes that were counted."""
        return int(self.counts.sum())

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists, numbers and text."""
        error = self.error_probability
        return {
            "rule": self.rule,
            "assuming": self.assuming,
            "table": self.table.tolist(),
            "counts": self.counts.tolist(),
            "unseen": self.unseen.tolist(),
            "consistent": self.consistent,
            "contradictions": {str(k): list(place) for k, place in self.contradictions.items()},
            "noise": self.noise,
            "error_probability": None if error is None else error.tolist(),
            "confidence": self.confidence,
            "boundary": self.boundary,
        }

    def __str__(self) -> str:
        return " ".join([self._claim(), self._seen(), *self._noise()])

    def _claim(self) -> str:
        if self.rule is None:
            return "No rule is claimed."
        if self.assuming is None:
            return f"The rule is {self.rule}."
        return f"The rule is {self.rule}, if it is {self.assuming}."

    def _seen(self) -> str:
        if self.observations == 0:
            return "No two frames are one step apart in time, so nothing was seen: simulate with save_every=1."
        seen = f"{512 - len(self.unseen)} of 512 neighbourhoods were seen, in {self.observations:,} observations"
        if self.contradictions:
            k, (member, time, y, x) = next(iter(self.contradictions.items()))
            many = f"{len(self.contradictions)} of them" if len(self.contradictions) > 1 else "one of them"
            return (
                f"{seen}; {many} had both outcomes (first, number {k} in member {member} at time {time}, y {y}, "
                f"x {x}), so no deterministic radius-1 rule explains the data."
            )
        if len(self.unseen):
            return f"{seen}, each with one outcome; 2^{len(self.unseen)} radius-1 rules explain the data."
        return f"{seen}, each with one outcome."

    def _noise(self) -> list[str]:
        if self.noise is None or self.error_probability is None:
            return []
        if self.noise >= 0.5:
            return ["As noise, the contradictions are too many to say anything."]
        sure = int((self.error_probability <= 1 - self.confidence).sum())
        return [
            f"If outcomes are flipped independently with probability at most {self.noise:.3g}, the majority outcomes "
            f"of {sure} neighbourhoods are all right with {100 * self.confidence:g}% confidence."
        ]


def identify_rule(
    source: Any,
    *,
    boundary: str | None = None,
    noise: float | Literal["estimate"] | None = None,
    confidence: float = 0.999,
) -> Identification:
    """Identify the two-state radius-1 rule behind recorded boards, claiming only what they determine.

    `rule` is claimed when all 512 neighbourhoods were seen; else, when data agree with it, under the weakest
    of the assumptions "isotropic" (102 classes) and "outer-totalistic" (18 classes) of which every class was
    seen: the field `assuming` then names it. Exact data (noise=None) that contradict themselves give no rule.

    Args:
        source: an object with a `.dataset` (a Trajectory), an xarray Dataset with `cell` (ensemble, time, y, x), or
            an array (ensemble, time, y, x) or (time, y, x) of 0 and 1; only frames one step apart count.
        boundary: "torus", "dead" (all outside is dead for ever) or "interior" (count only cells whose eight
            neighbours were recorded). Left out: what the data set says, else "interior".
        noise: None for exact data; a bound q in (0, 1/2) on the probability that an observed outcome is flipped; or
            "estimate" for flips of one unknown probability, which is then bounded from the data. The module's
            docstring states the model. Contradictory data with noise=None get the bounds of "estimate", but no rule.
        confidence: of the claim `rule` for noisy data, in (0, 1).

    Raises:
        InputError: unusable boards, cells other than 0 and 1, or a bad parameter.
    """
    if noise is not None and noise != "estimate" and not (isinstance(noise, Real) and 0 < noise < 0.5):
        raise InputError(
            f"noise={noise!r} is not a probability of a flip in (0, 0.5); leave it out for exact data, or give "
            '"estimate"'
        )
    if not 0 < confidence < 1:
        raise InputError(f"confidence={confidence} is not in (0, 1); 0.999 is usual")
    boards = Boards(source)
    where = _boundary(boundary, boards.boundary)
    found = count_transitions(boards, where)
    consistent = not found.contradictions
    exact = noise is None and consistent
    q, doubt = (0.0, 0.0) if exact else _flip_probability(found, noise, confidence)
    vote = np.sign(found.counts[:, 1] - found.counts[:, 0])
    rule, assuming = (None, None)
    if consistent or noise is not None:
        rule, assuming = _claim(found.counts, q, doubt, 1 - confidence)
    return Identification(
        rule=rule,
        assuming=assuming,
        table=((vote + 1) // 2 - (vote == 0)).astype(np.int8),
        counts=found.counts,
        consistent=consistent,
        contradictions=found.contradictions,
        noise=None if exact else q,
        error_probability=None if exact else _error_probability(found.counts, q, doubt),
        confidence=confidence,
        boundary=where,
    )


def _boundary(given: str | None, recorded: str | None) -> str:
    if given is not None and recorded is not None and given not in (recorded, "interior"):
        raise InputError(f'boundary="{given}", but the data set says "{recorded}"; leave it out, or give "interior"')
    boundary = given or recorded or "interior"
    if boundary not in BOUNDARIES:
        raise InputError(f'boundary="{boundary}" is not known; choose one of {", ".join(BOUNDARIES)}')
    return boundary


def _flip_probability(found: Transitions, noise: Any, confidence: float) -> tuple[float, float]:
    """The bound q on the probability of a flip, and the probability that the bound fails; q = 1/2 bounds nothing.

    Estimated: any prediction of an observation, right or wrong, fails with probability at least the flip
    probability p < 1/2, given all earlier observations. So the misses among N predictions dominate a binomial
    (N, p), and the Clopper-Pearson upper end for them is above p with the confidence asked for. Half of what may go
    wrong is the bound's, half the votes'.
    """
    if noise is None or noise == "estimate":
        doubt = (1 - confidence) / 2
        if found.misses >= found.trials:
            return 0.5, doubt
        upper = clopper_pearson(found.misses, found.trials, confidence=confidence, side="upper", family=2).high
        return min(upper, 0.5), doubt
    minority, total = int(found.counts.min(axis=1).sum()), int(found.counts.sum())
    if minority and clopper_pearson(minority, total, confidence=confidence, side="lower").low > noise:
        return 0.5, 0.0  # more flips than q allows: the model does not hold
    return noise, 0.0


def _error_probability(counts: np.ndarray, q: float, doubt: float) -> np.ndarray:
    """Bound on the probability that the majority of any of these entries is wrong, for all entries together.

    The last factor is above what rounding may take away.
    """
    margin = np.abs(counts[:, 1] - counts[:, 0])
    if q >= 0.5:
        return np.ones(len(counts))
    bound = doubt + len(counts) * (q / (1 - q)) ** margin
    return np.minimum(1.0, np.nextafter(bound * (1 + (margin + 8) * 2.0**-51), np.inf))


def _claim(counts: np.ndarray, q: float, doubt: float, allowed: float) -> tuple[str | None, Assumption | None]:
    """The rule and what it assumes: the weakest hypothesis that is not refuted and of which all is determined.

    The three hypotheses share the allowed probability of error.
    """
    share = (allowed - doubt) / len(HYPOTHESES)
    certain = _error_probability(counts, q, 0.0) <= share
    majority = counts[:, 1] > counts[:, 0]
    for assuming, class_of in HYPOTHESES.items():
        size = int(class_of.max()) + 1
        pooled = np.stack([np.bincount(class_of, counts[:, o], size) for o in (0, 1)], axis=1).astype(np.int64)
        votes = np.stack([np.bincount(class_of[certain & (majority == o)], minlength=size) for o in (0, 1)])
        refuted = (votes > 0).all(axis=0).any()
        if not refuted and (_error_probability(pooled, q, 0.0) <= share).all():
            return Rule.from_table((pooled[:, 1] > pooled[:, 0])[class_of]).notation, assuming
    return None, None
