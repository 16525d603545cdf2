"""Tokens with the rights of their bearers, as they are held (service.view)."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar

from keystead.core.entities import Entity, Kind, PrincipalKind, Tenant, Token
from keystead.core.errors import Denied, Unavailable
from keystead.core.rights import Rights
from keystead.core.sensitive import Sensitive
from keystead.service.credentials.batch import SUBKEY, BatchTokens
from keystead.service.credentials.token import token_id
from keystead.service.held import HeldToken
from keystead.service.rights import alike, of_bearer, of_token
from keystead.service.view.cache import Forgets
from keystead.service.view.principals import PrincipalCache


class TokenCache(PrincipalCache):
    """Part of service.view.View."""

    def __init__(self, *sources: Any) -> None:
        super().__init__(*sources)
        self._tokens: dict[str, HeldToken] = {}
        self._batches: BatchTokens | None = None
        self._by_standing: dict[tuple[object, ...], Rights] = {}  # of batch tokens that have the same

    def _forget_everything(self) -> None:
        super()._forget_everything()
        self._tokens.clear()
        self._batches = None
        self._by_standing.clear()

    def _forget_token(self, id_: str) -> None:
        self._tokens.pop(id_, None)

    def _forget_base_of_tokens(self, id_: str) -> None:
        """The tokens that rest on it: a policy, also one that was not there yet; an entity, a group that it is in."""
        for gone in [one for one, held in self._tokens.items() if id_ in held.rights.bases]:
            del self._tokens[gone]
        for standing in [one for one, rights in self._by_standing.items() if id_ in rights.bases]:
            del self._by_standing[standing]

    def token(self, id_: str) -> HeldToken | None:
        """The token of that id, whatever its state; None if there is none."""
        self.refresh()
        if (held := self._tokens.get(id_)) is None and id_ not in self._nobodies:
            self.may_block()
            stamp = self._seen_change
            rights = self._steadily(lambda: of_token(self._barrier, id_))
            if rights is None or rights.token is None:
                self._keep(stamp, self._nobodies, id_, None)
            else:
                held = HeldToken(rights.token, rights)
                self._keep(stamp, self._tokens, id_, held)
        return held

    def batch_token(self, text: str) -> HeldToken | None:
        """The batch token of that text, over or not; None for any other text.

        It is opened here, and reads no store where its maker's row and policies of the same names are held.
        """
        self.refresh()
        id_ = token_id(text)
        if (held := self._tokens.get(id_)) is None:
            stamp = self._seen_change
            batches = self._batches = self._batches or BatchTokens(self._barrier.subkey(SUBKEY))
            token = batches.open(Sensitive(text.encode("utf-8", "surrogatepass")))
            rights = self._rights_of_batch(token) if token is not None else None
            if token is None or rights is None:
                return None
            held = HeldToken(token, rights)
            self._keep(stamp, self._tokens, id_, held)
        return held

    def _rights_of_batch(self, token: Token) -> Rights | None:
        """None where the token that it was made with is gone, or the mount that it was got at."""
        beside: list[Entity] = []
        if token.creator:
            if (maker := self.token(token.creator)) is None:
                return None
            beside.append(maker.token)
        if token.mount:
            mount = next((one for one in self.mounts(token.tenant).mounts if one.uuid == token.mount), None)
            if mount is None:
                return None
            beside.append(mount)
        if (like := self._by_standing.get(token.standing)) is None:
            self.may_block()
            stamp = self._seen_change
            like = self._steadily(lambda: of_bearer(self._barrier, token))
            if like is None or self._barrier.get(Tenant, token.tenant) is None:
                return None
            self._keep(stamp, self._by_standing, token.standing, like)
        return alike(like, token, tuple(beside))

    def again(self, rights: Rights, now: datetime) -> Rights | None:
        """Those rights as they are now; None where whoever has them is there no more."""
        if rights.token is None and rights.principal.principal_kind is PrincipalKind.TOKEN:
            return self.strangers(rights)  # somebody who logs in: there is no row
        if rights.token is None:
            return self.narrowed_rights(rights.principal.id, rights.narrowing)
        base = (self._batch_again if rights.token.is_batch else self._token_again)(rights.token, now)
        with suppress(Denied, Unavailable):
            return None if base is None else self.within(base, rights.principal.tenant)
        return None

    def _token_again(self, token: Token, now: datetime) -> Rights | None:
        held = self.token(token.id)
        return None if held is None or held.token.is_over(now) else held.rights

    def _batch_again(self, token: Token, now: datetime) -> Rights | None:
        """What was held of it may name a row of its maker that has moved."""
        stamp = self._seen_change
        maker = self.token(token.creator) if token.creator else None
        rights = self._rights_of_batch(token)
        if rights is None or token.is_over(now) or (maker is not None and maker.token.is_over(now)):
            return None
        self._keep(stamp, self._tokens, token.id, HeldToken(token, rights))
        return rights

    FORGET: ClassVar[Forgets] = {
        **PrincipalCache.FORGET,
        Kind.TOKEN: _forget_token,
        Kind.ACL_POLICY: _forget_base_of_tokens,
        Kind.IDENTITY_ENTITY: _forget_base_of_tokens,
        Kind.IDENTITY_GROUP: _forget_base_of_tokens,
    }
