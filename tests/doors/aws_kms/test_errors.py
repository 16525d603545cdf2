"""The error tables: total, true to the model, and never a way to fall over."""

from __future__ import annotations

import botocore.loaders
import pytest

from keystead.core import errors as e
from keystead.doors.aws_kms import DOOR, errors, query
from keystead.doors.aws_kms.credential import QUERY_REASONS, REASONS
from keystead.doors.aws_kms.errors import COMMON, ERRORS, REFUSALS, UNLISTED, Said, row
from keystead.doors.aws_kms.iam.errors import ERRORS as IAM
from keystead.doors.aws_kms.sts import ERRORS as STS
from keystead.kit import fault
from keystead.service.authenticate import Reason
from keystead.wire.http import Refusal

SHAPES = botocore.loaders.Loader().load_service_model("kms", "service-2")["shapes"]
KINDS = [kind for kind in e.KeysteadError.__subclasses__() if kind.__module__ == e.__name__]  # a command has its own
NOT_MODELLED = {
    *(code for code, _ in REASONS.values()),
    *UNLISTED,
    "SerializationException",
    "ValidationException",
    "AccessDeniedException",
    "ThrottlingException",
    "UnknownOperationException",
}


@pytest.mark.parametrize("table", [ERRORS, query.ERRORS, STS, IAM], ids=["JSON", "Query", "STS", "IAM"])
def test_every_kind_has_a_row_and_every_row_is_of_a_kind(table) -> None:
    assert {kind for kind in table if isinstance(kind, type)} == set(KINDS)
    assert {kind[0] for kind in table if isinstance(kind, tuple)} <= set(KINDS)


@pytest.mark.parametrize("table", [ERRORS, query.ERRORS, STS, IAM], ids=["JSON", "Query", "STS", "IAM"])
@pytest.mark.parametrize("kind", KINDS)
def test_5xx_means_that_it_is_ours_or_may_be_tried_again(table, kind) -> None:
    ours = kind in (e.Sealed, e.Unavailable, e.Internal)
    assert (table[kind].status >= 500) is ours


def test_codes_are_the_models_and_5xx_are_its_faults() -> None:
    for found in ERRORS.values():
        if found.code in NOT_MODELLED:
            assert found.status == 400
        else:
            assert SHAPES[found.code]["exception"], found.code
            assert (found.status >= 500) is bool(SHAPES[found.code].get("fault")), found.code


def test_reasons_and_refusals_are_told_in_full() -> None:
    assert set(REASONS) == set(QUERY_REASONS) == set(Reason)
    assert set(REFUSALS) == set(Refusal)
    for reason in Reason:
        assert (e.Unauthenticated, reason) in ERRORS
        assert (e.Unauthenticated, reason) in query.ERRORS


def test_an_unknown_detail_falls_back_to_its_kind() -> None:
    for kind in KINDS:
        assert row(kind("why", ("some", "detail"))) is ERRORS[kind]
        assert fault(query.ERRORS, kind("why", "detail")) is query.ERRORS[kind]


def test_what_every_operation_may_answer_is_declared() -> None:
    always = {ERRORS[kind].code for kind in (e.Malformed, e.InvalidArgument, e.Denied, e.RateLimited, e.Unsupported)}
    ours = {ERRORS[kind].code for kind in (e.Sealed, e.Unavailable, e.Internal)}
    assert always | ours <= COMMON
    for operation in DOOR.operations:
        assert operation.errors >= COMMON or operation.name.startswith(("sts:", "iam:"))


@pytest.mark.parametrize("kind", KINDS)
def test_words_can_be_found_for_every_kind_without_a_key_or_a_request(kind) -> None:
    """What has no key to name has no words that need one: a kind's own row asks for nothing."""
    error = kind("what went wrong")
    words = ERRORS[kind].words(Said(error, None))
    assert words is None or isinstance(words, str)


def test_internal_errors_say_nothing() -> None:
    assert ERRORS[e.Internal].words(Said(e.Internal("trace", "id"), None)) is None


def test_the_prefix_is_the_one_of_the_model() -> None:
    metadata = botocore.loaders.Loader().load_service_model("kms", "service-2")["metadata"]
    assert f"{metadata['targetPrefix']}." == errors.PREFIX
