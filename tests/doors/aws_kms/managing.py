"""What the tests of key management share: answers, statements of policies, the scheduler."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from tests.harness import TENANT, Person, Reply, Stack

from keystead.service.scheduler import Scheduler

ABSENT = "00000000-0000-4000-8000-000000000000"  # no key has this id


def done(reply: Reply) -> Any:
    """The answer of an operation that went well; None for one without a body."""
    assert reply.status == 200, (reply.code, reply.message)
    return reply.json


def ask(person: Person, operation: str, **members: Any) -> Any:
    return done(person.call(operation, **members))


def made(person: Person, **members: Any) -> str:
    """The id of a new key."""
    return ask(person, "CreateKey", **members)["KeyMetadata"]["KeyId"]


def pages(person: Person, operation: str, member: str, **members: Any) -> list[list[Any]]:
    """Every page of a listing, each held to what AWS says of Truncated and NextMarker."""
    found, marker = [], {}
    while True:
        page = ask(person, operation, **members, **marker)
        found.append(page[member])
        assert page["Truncated"] == ("NextMarker" in page)
        if not page["Truncated"]:
            return found
        marker = {"Marker": page["NextMarker"]}


def scheduled(stack: Stack) -> Scheduler:
    """The scheduler, as the supervisor runs it."""
    return Scheduler(stack.barrier, stack.store, stack.clock, stack.by_system)


def wait(stack: Stack, scheduler: Scheduler | None = None, **by: float) -> int:
    """Let time pass and the scheduler do what is due; how much that was."""
    stack.clock.forward(timedelta(**by))
    return (scheduler or scheduled(stack)).step()


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, resource: str = "*", principal: str | None = None, **more: Any) -> dict[str, Any]:
    """A statement; of a key policy, where `principal` is given."""
    who = {} if principal is None else {"Principal": {"AWS": principal}}
    return {"Effect": "Allow", **who, "Action": list(actions), "Resource": resource, **more}


def deny(*actions: str, **more: Any) -> dict[str, Any]:
    return {**allow(*actions, **more), "Effect": "Deny"}


def root(tenant: str = TENANT) -> str:
    return f"arn:aws:iam::{tenant}:root"


ROOT_MAY = allow("kms:*", principal=root())
EVERYTHING = policy(allow("kms:*"))
NOTHING = policy(deny("sns:Publish"))
