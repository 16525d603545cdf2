"""What a role grants is the most that a secret id of it has. Vault HTTP API, "AppRole auth method", secret-id."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

from keystead.core import operations as ops
from keystead.core.entities import Account
from keystead.core.errors import InvalidArgument

Network = IPv4Network | IPv6Network


def check_bounds_of_secret_id(op: ops.MakeSecretId, account: Account) -> None:
    """Raises InvalidArgument for more uses, a longer life or other networks than the role has. 0 is without end."""
    _require_within(op.cidrs, account.secret_id_cidrs)
    _require_within(op.token_cidrs, account.terms.bound_cidrs)
    if _is_more(op.n_uses, account.secret_id_n_uses):
        raise InvalidArgument("num_uses cannot be higher than the role's secret_id_num_uses", "num_uses")
    if _is_more(op.ttl, account.secret_id_ttl):
        raise InvalidArgument("ttl cannot be longer than the role's secret_id_ttl", "ttl")


def _is_more(asked: int | None, most: int) -> bool:
    return asked is not None and most > 0 and (asked == 0 or asked > most)


def are_granted(asked: tuple[str, ...], granted: tuple[str, ...]) -> bool:
    """Whether each network lies in one that is granted; where none is, every one is."""
    around = [ip_network(one, strict=False) for one in granted]
    return not around or all(any(_is_in(ip_network(one, strict=False), other) for other in around) for one in asked)


def _require_within(asked: tuple[str, ...], granted: tuple[str, ...]) -> None:
    if not are_granted(asked, granted):
        words = "failed to verify subset relationship between CIDR blocks on the role"
        raise InvalidArgument(f"{words} {_list(granted)} and CIDR blocks on the secret ID {_list(asked)}", "cidr")


def _is_in(one: Network, other: Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.subnet_of(other)
    return isinstance(other, IPv6Network) and one.subnet_of(other)


def _list(networks: tuple[str, ...]) -> str:
    return "[" + " ".join(f'"{one}"' for one in networks) + "]"
