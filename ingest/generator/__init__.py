"""Seeded recordings of a market that never was: the demo's sample, and any size.

`generate(plan)` yields the lines of a recording in order of reception. A plan with its
seed decides every byte, on any machine. Prices, splits, dividends and companies' names
are not history: only the calendar, the clock and the shape of the messages are real.

The plans
---------
| plan | days | marks | closed positions | executions |
|---|---|---|---|---|
| `SAMPLE` | 10, 3 to 14 March 2025 | 29,000, a minute apart | 300 | 1,000 |
| `SMALL` | 10 | 1 million, 5 s apart | 10,000 | 27,000 |
| `MEDIUM` | 96 | 20 million | 100,000 | 270,000 |
| `LARGE` | 190 | 130 million | 1 million | 2.7 million |

`SAMPLE` holds every kind of fill and fact that the project knows, and marks of a symbol
only around the positions in it. The others are for measuring, with the marks of all
day: market orders in stocks and options, in one to four executions, with scale-in
and scale-out, flips, shorts, manual trades and redelivered frames; the median hold is
five minutes, and 0.8 % of the positions are held over a night.

The market
----------
A stock or a coin walks at random in steps with somewhat heavy tails, gaps overnight and
is drawn back to its first price by a sixteenth a day. An option is worth what
Bachelier's model says of its underlying, nearly: a hyperbola stands in for the normal
distribution. Spreads are constant for a day. One mark in sixteen is a trade at the mid,
the others are quotes; a few quotes have no bid or are crossed. See `market`, `marks`.

The bots
--------
One bot trades one symbol of one account, its lane, one position at a time. Its strategy
gives it a holding time, and a stop and a target in units of the move that is usual in
that time. Its edge is foreknowledge: in a share of its trades (`Strategy.skill`) it
looks at the day's prices and takes the side that will be right when its time is over.
It leaves at the first price beyond stop or target, else at the end of its time. Buys
pay the ask and sells get the bid of the last step, or half a cent better; a limit order
gets its limit or better. See `bots`, `trader`.

The broker and the dispatcher
-----------------------------
The broker keeps one signed quantity per account and symbol, and states it in each
frame; cumulative quantities and average prices are those of the order after the
execution. An order may fall into several executions, at times in one microsecond, at
times with the last one stating an earlier time than the one before. Frames may come
twice. A recommendation is made three seconds before its order; rows of the dispatcher
may come first without the order's id. See `broker`, `dispatch`; `script` has what no
bot can cause: expiry, assignment, exercise, a split, a dividend, fees, a bust, a
correction, a spread, and dust.

What is left out: opening auctions, halts, extended hours, borrowing fees, partial
assignment, and any effect of the bots on prices.
"""

from ingest.generator.plans import LARGE, MEDIUM, PLANS, SAMPLE, SMALL, Plan
from ingest.generator.recording import generate

__all__ = ["LARGE", "MEDIUM", "PLANS", "SAMPLE", "SMALL", "Plan", "generate"]
