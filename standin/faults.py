"""What can be made to go wrong. Every field may be changed while the stand-in runs.

From Python: ``alpaca.faults.trading.mute = "after_auth"``. Over HTTP: POST a JSON
object with the fields to change to /standin/faults, as in
``{"trading": {"mute": "after_auth"}}``; ``{"reset": true}`` ends all faults.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class _Faults(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class TradingFaults(_Faults):
    """Faults of the trading stream.

    Attributes:
        accounts: Names of the accounts concerned; empty means all.
        repeat: How many times each frame is sent.
        shuffle: Frames (repeats included) are collected up to this many, or for
            50 ms, and sent in random order. 0 keeps the order.
        drop_every: Every n-th frame is never sent; REST knows it. 0 drops none.
        drop: Frames of these execution ids, order ids or events are never sent.
        disconnect_every: The socket is cut after every n-th frame.
        disconnect_how: ``clean`` closes with a close frame, ``reset`` with a RST.
        mute: From where on the server says nothing any more; ``empty_listening``
            acknowledges with an empty list and sends no frame.
        half_open: The connection stays, nothing is read, sent or answered.
        refuse: ``key`` answers unauthorized, ``connection_limit`` error 406 inside
            the stream, the others an HTTP status instead of the handshake;
            ``silence`` accepts the TCP connection and never answers the handshake.
            Before the handshake nobody knows an account: these want no ``accounts``.
        connection_limit: Connections beyond so many for each account get HTTP 429.
        binary: Frames are binary, as on paper accounts, instead of text.
    """

    accounts: list[str] = Field(default_factory=list)
    repeat: int = Field(default=1, ge=1)
    shuffle: int = Field(default=0, ge=0)
    drop_every: int = Field(default=0, ge=0)
    drop: list[str] = Field(default_factory=list)
    disconnect_every: int = Field(default=0, ge=0)
    disconnect_how: Literal["clean", "reset"] = "clean"
    mute: Literal[
        "none", "before_auth", "after_auth", "after_listening", "empty_listening"
    ] = "none"
    half_open: bool = False
    refuse: Literal[
        "none", "key", "connection_limit", "http_401", "http_404", "http_429", "silence"
    ] = "none"
    connection_limit: int | None = None
    binary: bool = False

    def concern(self, name: str | None) -> bool:
        return not self.accounts or name in self.accounts


class DataFaults(_Faults):
    """Faults of the data streams.

    Attributes:
        feeds: Feeds concerned (iex, sip, indicative, opra, crypto); empty means all.
        poison_every: Into every n-th frame an element that is no message is put,
            in its middle. 0 puts none.
        unknown_every: The same with a message of a type nobody knows.
        undecodable_every: Before every n-th frame comes one that is no msgpack.
        mute: No market data is sent.
        mute_from: From where in the handshake on the server does not answer.
        mute_symbols: No market data of these symbols is sent.
        auth_error: The authentication is answered with this error code.
        subscribe_error: Every subscription is answered with this error code and is
            not made.
        symbol_limit: Symbols per channel; a subscription beyond it gets error 405.
        connection_limit: Connections per feed and key; one more gets error 406.
        half_open: The connection stays, nothing is read, sent or answered.
        refuse: An HTTP status instead of the handshake.
    """

    feeds: list[str] = Field(default_factory=list)
    poison_every: int = Field(default=0, ge=0)
    unknown_every: int = Field(default=0, ge=0)
    undecodable_every: int = Field(default=0, ge=0)
    mute: bool = False
    mute_from: Literal["none", "greeting", "auth", "subscription"] = "none"
    mute_symbols: list[str] = Field(default_factory=list)
    auth_error: int | None = None
    subscribe_error: int | None = None
    symbol_limit: int | None = None
    connection_limit: int | None = 1
    half_open: bool = False
    refuse: Literal["none", "http_401", "http_404", "http_429", "silence"] = "none"

    def concern(self, feed: str) -> bool:
        return not self.feeds or feed in self.feeds


class RestAnswer(_Faults):
    """Answers given instead of the right one.

    Attributes:
        path: Concerned are paths that start with it.
        account: Concerned is this account only, where given.
        times: How often; None: until it is taken away.
        status: The HTTP status; None: the right answer, after ``delay``.
        retry_after: The header Retry-After in seconds, where given.
        body: The body; by default JSON for 4xx and an html page for 5xx.
        delay: Seconds before the answer.
        how: ``answer``; ``never`` keeps the connection and does not answer;
            ``reset`` cuts it with a RST.
    """

    path: str = "/v"
    account: str | None = None
    times: int | None = 1
    status: int | None = None
    retry_after: float | None = None
    body: str | None = None
    delay: float = Field(default=0, ge=0)
    how: Literal["answer", "never", "reset"] = "answer"


class RestFaults(_Faults):
    """Faults of REST.

    Attributes:
        answers: Wrong answers, with the fields of RestAnswer; the first that fits
            is used.
        activities_lag: Seconds from a fill to its row in the activities.
        orders_lag: Seconds from an event to the order's new state.
        positions_lag: Seconds from a fill to the new position.
        shuffle_rows: Rows of the activities come in random order within a page.
        hide: Activities with these ids, or parts of ids, or order ids are missing
            from lists that are not asked for by ``date``.
        other_execution_ids: New FILL rows get a uuid that is not the stream's.
        quantities: Quantity by execution id that new FILL rows state instead of the
            right one; ``cum_qty`` stays.
        enforce_rate_limit: More than ``rate_limit`` requests of a key within a
            minute get 429.
        rate_limit: For enforce_rate_limit.
    """

    answers: list[RestAnswer] = Field(default_factory=list)
    activities_lag: float = Field(default=0, ge=0)
    orders_lag: float = Field(default=0, ge=0)
    positions_lag: float = Field(default=0, ge=0)
    shuffle_rows: bool = False
    hide: list[str] = Field(default_factory=list)
    other_execution_ids: bool = False
    quantities: dict[str, str] = Field(default_factory=dict)
    enforce_rate_limit: bool = False
    rate_limit: int = Field(default=200, ge=1)

    def fail(self, status: int | None = None, **fields: Any) -> RestAnswer:
        """Add an answer; see RestAnswer for its fields."""
        answer = RestAnswer(status=status, **fields)
        self.answers.append(answer)
        return answer

    def answer_for(self, path: str, account: str | None) -> RestAnswer | None:
        """The wrong answer that is due for a request; counts it."""
        for answer in self.answers:
            if (
                answer.times == 0
                or not path.startswith(answer.path)
                or answer.account not in (None, account)
            ):
                continue
            if answer.times is not None:
                answer.times -= 1
            return answer
        return None


class Faults(_Faults):
    """All faults.

    Attributes:
        trading: See TradingFaults.
        data: See DataFaults.
        rest: See RestFaults.
        clock_skew: Seconds that are added to the stand-in's clock.
    """

    trading: TradingFaults = Field(default_factory=TradingFaults)
    data: DataFaults = Field(default_factory=DataFaults)
    rest: RestFaults = Field(default_factory=RestFaults)
    clock_skew: float = 0

    def reset(self) -> None:
        """End all faults."""
        self.change(Faults().model_dump())

    def change(self, changes: dict[str, Any]) -> None:
        """Set the named fields; pydantic's ValidationError where one is wrong."""
        merged = self.model_dump()
        for name, value in changes.items():
            if isinstance(value, dict) and isinstance(merged.get(name), dict):
                merged[name] = {**merged[name], **value}
            else:
                merged[name] = value
        checked = Faults.model_validate(merged)
        for part in ("trading", "data", "rest"):
            mine, theirs = getattr(self, part), getattr(checked, part)
            # In place: whoever holds a part sees the change.
            for name in type(mine).model_fields:
                setattr(mine, name, getattr(theirs, name))
        self.clock_skew = checked.clock_skew


PARTS = ("trading", "data", "rest")


def described() -> Iterator[tuple[str, str]]:
    """Each fault as ``part.name=default``, and its meaning in one line."""
    for part, model in (
        ("trading", TradingFaults),
        ("data", DataFaults),
        ("rest", RestFaults),
    ):
        yield from _fields(f"{part}.", model)
    yield from _fields("rest.answers[].", RestAnswer)
    for name, meaning in _fields("", Faults):
        if name.partition("=")[0] not in PARTS:
            yield name, meaning


def _fields(prefix: str, model: type[_Faults]) -> Iterator[tuple[str, str]]:
    _, _, text = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")
    # A continuation is indented deeper than the name that it belongs to.
    entries = re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", text, re.MULTILINE)
    meanings = {name: " ".join(said.split()) for name, said in entries}
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = default if isinstance(default, str) else _json(default)
        meaning = meanings[name].replace("``", "")
        choices = get_args(field.annotation)
        if choices and all(isinstance(choice, str) for choice in choices):
            meaning += f" One of: {', '.join(choices)}."
        yield f"{prefix}{name}={shown}", meaning


def _json(value: Any) -> str:
    if isinstance(value, BaseModel):
        value = value.model_dump()
    return json.dumps(value)


def explain(error: ValidationError) -> str:
    """The first mistake in one line; for a name that does not exist, those that do."""
    first = error.errors()[0]
    *within, name = map(str, first["loc"])
    where = ".".join([*within, name])
    if first["type"] == "extra_forbidden":
        model: Any = Faults
        if within:
            model = (
                RestAnswer if len(within) > 1 else type(getattr(Faults(), within[0]))
            )
        names = list(model.model_fields)
        near = get_close_matches(name, names, 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        owner = ".".join(within) + " has" if within else "there are"
        return f"there is no fault {where}{meant}; {owner} {', '.join(names)}"
    if first["type"] == "model_type" and name in PARTS:
        return f"{name} is a group of faults: write {name}.NAME=VALUE"
    said = first["msg"]
    return f"{where}: {said[:1].lower()}{said[1:]}"
