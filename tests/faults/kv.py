"""What kv promises at the Vault door, for whoever takes the power or the process away meanwhile.

What was acknowledged is there. What is deleted stays deleted until it is undeleted; what is destroyed, destroyed.
Of many that write under one check-and-set, one wins each version, and it is that one's value.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

KEPT = 10  # versions: kv's default
DELETED, DESTROYED = "deleted", "destroyed"

Ask = Callable[[str, str, Any], tuple[int, Any]]
"""(method, path below the mount, body) -> (status, answer)"""
State = dict[int, tuple[str, str]]
"""Version -> (what became of it, its value); without those that are out of reach."""
Step = tuple[str, str, Any, State]
"""Method, path, body, and what comes of it."""


def told(state: State) -> str:
    """As whoever reads it finds it: what is deleted tells no value."""
    return json.dumps({n: what or value for n, (what, value) in sorted(state.items())})


def step(rng: random.Random, name: str, state: State) -> Step:
    """Some change of the secret `name`, which is as `state` has it."""
    kind = rng.choice(("write", "write", "write", "patch", "delete", "undelete", "destroy", "erase"))
    if kind == "erase" and rng.random() < 0.7:
        kind = "write"
    made = {"write": _write, "patch": _patch}.get(kind)
    if made is not None or not state:
        return (made or _write)(rng, name, state)
    if kind == "erase":
        return "DELETE", f"metadata/{name}", None, {}
    if kind == "delete":
        last = max(state)
        return "DELETE", f"data/{name}", None, {**state, last: _deleted(state[last])}
    chosen = rng.sample(sorted(state), rng.randint(1, len(state)))
    becomes = {"undelete": _undeleted, "destroy": lambda _: (DESTROYED, "")}[kind]
    return (
        "POST",
        f"{kind}/{name}",
        {"versions": chosen},
        {n: becomes(v) if n in chosen else v for n, v in state.items()},
    )


def _write(rng: random.Random, name: str, state: State, *, method: str = "POST") -> Step:
    number, value = max(state, default=0) + 1, f"{rng.getrandbits(64):x}"
    body = {"data": {"v": value, "pad": "x" * rng.choice((0, 100, 9000))}, "options": {"cas": number - 1}}
    kept = {n: one for n, one in state.items() if n > number - KEPT}
    return method, f"data/{name}", body, {**kept, number: ("", value)}


def _patch(rng: random.Random, name: str, state: State) -> Step:
    if not state or state[max(state)][0]:
        return _write(rng, name, state)
    return _write(rng, name, state, method="PATCH")


def _deleted(version: tuple[str, str]) -> tuple[str, str]:
    return version if version[0] == DESTROYED else (DELETED, version[1])


def _undeleted(version: tuple[str, str]) -> tuple[str, str]:
    return version if version[0] == DESTROYED else ("", version[1])


def found(ask: Ask, name: str) -> str:
    """The same of the secret as the door tells it."""
    status, answer = ask("GET", f"metadata/{name}", None)
    if status == 404:
        return told({})
    assert status == 200, (status, answer)
    versions = {int(n): _version(ask, name, n, one) for n, one in answer["data"]["versions"].items()}
    return told({n: version for n, version in versions.items() if version is not None})


def _version(ask: Ask, name: str, number: str, facts: Any) -> tuple[str, str] | None:
    """None: it has made room for others since, where others write too."""
    status, answer = ask("GET", f"data/{name}?version={number}", None)
    if status == 404 and "data" not in answer:
        _, now = ask("GET", f"metadata/{name}", None)
        assert number not in now["data"]["versions"], (number, now)
        return None
    if facts["destroyed"] or facts["deletion_time"]:
        assert status == 404, (status, answer)
        assert answer["data"]["data"] is None
        return (DESTROYED if facts["destroyed"] else DELETED), ""
    assert status == 200, (status, answer)
    return "", answer["data"]["data"]["v"]


def current_version(ask: Ask, name: str) -> int:
    status, answer = ask("GET", f"metadata/{name}", None)
    return int(answer["data"]["current_version"]) if status == 200 else 0


class Owner:
    """Who alone changes some secrets, and knows what each may be: as was acknowledged last, or as was asked since."""

    def __init__(self, names: list[str]) -> None:
        self.state: dict[str, State] = {name: {} for name in names}
        self.asked: dict[str, State] = {}  # what may have happened as well

    def change(self, ask: Ask, rng: random.Random) -> str:
        """One change, acknowledged: of which secret. Whatever `ask` raises leaves it as asked."""
        name = rng.choice(sorted(self.state))
        method, path, body, after = step(rng, name, self.state[name])
        self.asked[name] = after
        status, answer = ask(method, path, body)
        assert status in {200, 204}, (method, path, status, answer)
        self.state[name] = self.asked.pop(name)
        return name

    def allowed(self, name: str) -> list[State]:
        return [self.state[name], *([self.asked[name]] if name in self.asked else [])]

    def check(self, ask: Ask) -> Iterator[tuple[str, str]]:
        """(name, what it is) of each secret, which is as it may be. Raises AssertionError."""
        for name in self.state:
            now = found(ask, name)
            which = [state for state in self.allowed(name) if told(state) == now]
            assert which, f"{name} is {now}, not {[told(state) for state in self.allowed(name)]}"
            self.state[name] = which[0]
            self.asked.pop(name, None)
            yield name, now


class Contest:
    """One secret that many write under check-and-set: who has been told that a version is theirs."""

    NAME = "contest"

    def __init__(self) -> None:
        self.won: dict[int, str] = {}

    def bid(self, ask: Ask, rng: random.Random) -> None:
        current = current_version(ask, self.NAME)
        value = f"{rng.getrandbits(64):x}"
        status, answer = ask("POST", f"data/{self.NAME}", {"data": {"v": value}, "options": {"cas": current}})
        if status == 200:
            assert self.won.setdefault(current + 1, value) == value, f"version {current + 1} was won twice"
            assert answer["data"]["version"] == current + 1
        else:
            assert status == 400 and "did not match" in answer["errors"][0], (status, answer)

    def check(self, ask: Ask) -> None:
        won = dict(self.won)  # before anything is asked: others may be bidding already
        there = {int(n): value for n, value in json.loads(found(ask, self.NAME)).items()}
        last = current_version(ask, self.NAME)  # by now: what has been read may have made room since
        assert last >= max(won, default=0), "the version that was won last is gone"
        lost = {n for n in won if n > last - KEPT and there.get(n) != won[n]}
        assert not lost, f"versions {sorted(lost)} have another's value"
