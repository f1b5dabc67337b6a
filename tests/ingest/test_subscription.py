"""How many symbols a data stream is asked to carry."""

from __future__ import annotations

import warnings

# alpaca-py imports what websockets deprecates.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from ingest.feed.market import LOWERED_SECONDS, Subscription


def test_a_refused_subscription_is_halved_but_never_to_nothing() -> None:
    """Of a stream that carries no symbol nobody would notice that it is missing."""
    subscription = Subscription(30)
    subscription.want({"A", "B", "C", "D", "E"})
    limits = []
    for _ in range(4):
        subscription.lower(0.0)
        limits.append(subscription.limit)

    assert limits == [2, 1, 1, 1]
    assert subscription.symbols == {"A"}


def test_what_is_carried_already_is_kept() -> None:
    subscription = Subscription(30)
    subscription.want({"A", "B", "C", "D"})
    subscription.carried = {"A", "B", "C"}
    subscription.lower(0.0)

    assert subscription.limit == 3


def test_the_configured_limit_is_tried_again_later() -> None:
    subscription = Subscription(30)
    subscription.want({"A", "B", "C", "D"})
    subscription.lower(0.0)
    subscription.raise_again(LOWERED_SECONDS)
    assert subscription.limit == 2

    subscription.raise_again(LOWERED_SECONDS + 1)
    assert subscription.limit == 30


def test_symbols_wanted_the_longest_stay_when_others_come() -> None:
    subscription = Subscription(2)
    subscription.want({"M", "N"})
    subscription.want({"A", "M", "N"})

    assert subscription.symbols == {"M", "N"}
