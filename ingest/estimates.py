"""What a sample tells: quantiles and shares, with the range that is compatible with it.

Every interval is for 95 % confidence. A sample that is too small for one gets None
instead of a range that only looks like knowledge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

#: Two-sided 95 % point of the normal distribution, as in the dbt macro wilson_bound.
Z = Decimal("1.959963984540054")

#: Probability that an interval may miss on either side.
TAIL = 0.025

Interval = tuple[Decimal, Decimal]


def quantile(ordered: Sequence[Decimal], p: Decimal) -> Decimal | None:
    """The p-quantile of sorted values, interpolated as ``percentile_cont`` does."""
    if not ordered:
        return None
    place = p * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def quantile_interval(ordered: Sequence[Decimal], p: Decimal) -> Interval | None:
    """95 % interval of a quantile, from the values' ranks alone.

    How many of n values lie below the true p-quantile is binomial(n, p), whatever the
    distribution of the values. So the true quantile lies between the l-th and the
    u-th value with probability P(l <= B < u): l is the largest rank with P(B < l) <=
    2.5 %, u the smallest with P(B >= u) <= 2.5 %. For the median that takes 6 values.

    Source: W. J. Conover, "Practical Nonparametric Statistics", 3rd edition (1999),
    section 3.2; the same in G. J. Hahn and W. Q. Meeker, "Statistical Intervals"
    (1991), section 5.2.

    Returns:
        The two values, None where the sample has no value low or high enough.
    """
    n = len(ordered)
    lower = _ranks_in_tail(n, float(p))
    above = _ranks_in_tail(n, 1 - float(p))
    if lower < 1 or above < 1:
        return None
    return ordered[lower - 1], ordered[n - above]


def _ranks_in_tail(n: int, p: float) -> int:
    """The largest l with P(binomial(n, p) < l) <= TAIL."""
    rank, total = 0, 0.0
    while rank < n:
        total += math.exp(
            math.lgamma(n + 1)
            - math.lgamma(rank + 1)
            - math.lgamma(n - rank + 1)
            + rank * math.log(p)
            + (n - rank) * math.log1p(-p)
        )
        if total > TAIL:
            break
        rank += 1
    return rank


def wilson_interval(successes: int, trials: int) -> Interval | None:
    """95 % interval of a share, by Wilson's score.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22 (1927).
    """
    if trials == 0:
        return None
    k, n = Decimal(successes), Decimal(trials)
    middle = k + Z * Z / 2
    reach = Z * (k * (n - k) / n + Z * Z / 4).sqrt()
    whole = n + Z * Z
    # Exactly 0 and 1 at the ends, where the root's last digit may say otherwise.
    low = (middle - reach) / whole if successes else Decimal(0)
    high = (middle + reach) / whole if successes < trials else Decimal(1)
    return low, high


def mean(values: Sequence[Decimal]) -> Decimal | None:
    """The arithmetic mean.

    No interval: that of a mean supposes that no single trade carries it, and with
    profits and losses one often does.
    """
    return sum(values, Decimal(0)) / len(values) if values else None
