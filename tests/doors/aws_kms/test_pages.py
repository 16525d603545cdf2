"""Listings, page by page: KMS API Reference, Limit, Marker, Truncated and NextMarker of whatever has them."""

import pytest
from tests.doors.aws_kms.managing import EVERYTHING, ask, made, pages
from tests.harness import OTHER_REGION, OTHER_TENANT, TENANT, stack

N = 105


@pytest.fixture(scope="module")
def office():
    """N keys, N aliases, a key with N grants, 25 rotations and 50 tags."""
    office = stack()
    office.keyring(TENANT, OTHER_REGION)
    office.keyring(OTHER_TENANT)
    office.keys = [made(office.admin) for _ in range(N)]
    for n, key_id in enumerate(office.keys):
        ask(office.admin, "CreateAlias", AliasName=f"alias/{n}", TargetKeyId=key_id)
    office.much = office.keys[0]
    for _ in range(N):
        ask(office.admin, "CreateGrant", KeyId=office.much, GranteePrincipal=office.admin.arn, Operations=["Encrypt"])
    for _ in range(25):
        ask(office.admin, "RotateKeyOnDemand", KeyId=office.much)
    ask(office.admin, "TagResource", KeyId=office.much, Tags=[{"TagKey": f"k{n}", "TagValue": ""} for n in range(50)])
    return office


# operation, member, what tells items apart, how many there are, default and greatest page
LISTINGS = [
    ("ListKeys", "Keys", "KeyId", N, 100, 1000),
    ("ListAliases", "Aliases", "AliasName", N, 50, 100),
    ("ListGrants", "Grants", "GrantId", N, 50, 100),
    ("ListKeyRotations", "Rotations", "KeyMaterialId", 25, 100, 1000),
    ("ListResourceTags", "Tags", "TagKey", 50, 50, 50),
]
OF_A_KEY = {"ListGrants", "ListKeyRotations", "ListResourceTags"}
listing = pytest.mark.parametrize(("operation", "member", "by", "n", "default", "most"), LISTINGS)


def of(office, operation):
    return {"KeyId": office.much} if operation in OF_A_KEY else {}


def sizes(n, size):
    return [min(size, n - at) for at in range(0, n, size)]


@listing
def test_every_item_once_whatever_the_page(office, operation, member, by, n, default, most) -> None:
    members = of(office, operation)
    whole = pages(office.admin, operation, member, **members, Limit=most)
    items = [item[by] for page in whole for item in page]
    assert len(items) == len(set(items)) == n
    for asked, size in (({}, default), *(({"Limit": limit}, limit) for limit in (1, 7, n - 1, n) if limit <= most)):
        found = pages(office.admin, operation, member, **members, **asked)
        assert [len(page) for page in found] == sizes(n, size)
        assert [item[by] for page in found for item in page] == items


@listing
def test_limits_differ_from_operation_to_operation(office, operation, member, by, n, default, most) -> None:
    for limit in (0, -1, most + 1, 1001):
        reply = office.admin.call(operation, **of(office, operation), Limit=limit)
        assert reply.code == "ValidationException" and f"Value '{limit}' at 'limit'" in reply.message


@listing
def test_row_64_markers_forged_and_foreign(office, operation, member, by, n, default, most) -> None:
    """Row 64: InvalidMarkerException for what this caller was not given for this operation."""
    members = of(office, operation)
    marker = ask(office.admin, operation, **members, Limit=1)["NextMarker"]
    flipped = marker[:9] + ("A" if marker[9] != "A" else "B") + marker[10:]
    for forged in ("x", "0", flipped, marker[:-1], marker + "=", marker + "AAAA", marker.swapcase(), "é" * 8):
        assert office.admin.call(operation, **members, Marker=forged).code == "InvalidMarkerException"
    for other in {row[0] for row in LISTINGS} - {operation}:
        assert office.admin.call(other, **of(office, other), Marker=marker).code == "InvalidMarkerException"
    if operation not in OF_A_KEY:
        elsewhere = office.admin.call(operation, region=OTHER_REGION, Marker=marker)
        assert elsewhere.code == "InvalidMarkerException"
        stranger = office.user(f"s-{operation}", EVERYTHING, tenant=OTHER_TENANT)
        assert stranger.call(operation, Marker=marker).code == "InvalidMarkerException"
    assert office.admin.call(operation, **members, Marker="x" * 1025).code == "ValidationException"
    assert office.admin.call(operation, **members, Marker="").code == "ValidationException"
    assert office.admin.call(operation, **members, Marker=marker, Limit=2).status == 200


def test_row_38_a_listing_shows_nothing_of_another_account_or_region(office) -> None:
    """Row 38: what is listed is what could be got one by one."""
    stranger = office.user("stranger", EVERYTHING, tenant=OTHER_TENANT)
    for operation, member in (("ListKeys", "Keys"), ("ListAliases", "Aliases")):
        assert ask(stranger, operation) == {member: [], "Truncated": False}
        assert ask(office.admin, operation, region=OTHER_REGION) == {member: [], "Truncated": False}
        assert office.user(f"nobody-{operation}").call(operation).code == "AccessDeniedException"
    own = made(stranger)
    ask(stranger, "CreateAlias", AliasName="alias/0", TargetKeyId=own)
    assert [entry["KeyId"] for entry in ask(stranger, "ListKeys")["Keys"]] == [own]
    assert [entry["TargetKeyId"] for entry in ask(stranger, "ListAliases")["Aliases"]] == [own]
    assert len(ask(office.admin, "ListKeys", Limit=1000)["Keys"]) == N


def test_a_listing_goes_on_where_it_was_when_what_it_stood_on_is_gone(office) -> None:
    first = ask(office.admin, "ListAliases", Limit=10)
    last = first["Aliases"][-1]
    ask(office.admin, "DeleteAlias", AliasName=last["AliasName"])
    rest = ask(office.admin, "ListAliases", Limit=100, Marker=first["NextMarker"])["Aliases"]
    ask(office.admin, "CreateAlias", AliasName=last["AliasName"], TargetKeyId=last["TargetKeyId"])
    assert len(rest) == N - 10
    assert not {entry["AliasName"] for entry in rest} & {entry["AliasName"] for entry in first["Aliases"]}
