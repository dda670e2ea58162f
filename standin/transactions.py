"""Multi-statement transactions over shards.

Each shard opens its part of the transaction with its first statement. The commit is the servers' own two-phase
commit, coordinated by the first participant. The router only remembers the participants.
"""

import logging
import time
from typing import Any

from bson import Int64

from standin.catalog import Catalog
from standin.errors import TRANSIENT_TRANSACTION_CODES, CommandError, Reply, check
from standin.request import Request, User

log = logging.getLogger(__name__)

# Twice the servers' transactionLifetimeLimitSeconds.
REMEMBER_SECONDS = 120.0

OPEN, ABORTED, COMMITTED = "open", "aborted", "committed"


class Transaction:
    """`participants` are shard ids in the order in which they joined; the first one coordinates the commit."""

    def __init__(
        self, catalog: Catalog, session_id: dict[str, Any], number: Int64, read_concern: dict[str, Any]
    ) -> None:
        self.number = number
        self.state = OPEN
        self.participants: list[str] = []
        self.started = time.monotonic()
        self._catalog = catalog
        self._session_id = session_id
        self._read_concern = read_concern

    @property
    def _identity(self) -> dict[str, Any]:
        return {"lsid": self._session_id, "txnNumber": self.number, "autocommit": False}

    def statement_fields(self, shard_id: str | None) -> dict[str, Any]:
        """The fields that a statement to this shard needs. A new shard joins the transaction."""
        if shard_id is None:
            raise CommandError(
                263, "OperationNotSupportedInTransaction", "config servers take no part in a transaction"
            )
        if shard_id in self.participants:
            return self._identity
        fields = {**self._identity, "startTransaction": True}
        if self._read_concern:
            fields["readConcern"] = self._read_concern
        if not self.participants:
            fields["coordinator"] = True
        self.participants.append(shard_id)
        return fields

    async def commit(self, request: Request) -> Reply:
        """Raises CommandError. It can be repeated after a lost reply: the shards know the decision."""
        self.state = COMMITTED
        if not self.participants:
            return {"ok": 1.0}
        command: dict[str, Any] = {"commitTransaction": 1}
        if len(self.participants) > 1:
            parts = [{"shardId": shard} for shard in self.participants]
            command = {"coordinateCommitTransaction": 1, "participants": parts}
        coordinator = await self._catalog.shard(self.participants[0])
        decision = {**command, **self._identity, "writeConcern": request.write_concern}
        reply, _ = await coordinator.run("admin", decision)
        request.note(reply)
        return check(reply)

    async def abort(self) -> None:
        """Tell every participant. One that can't be reached aborts at its own time limit."""
        if self.state != OPEN:
            return
        self.state = ABORTED
        for shard_id in self.participants:
            try:
                shard = await self._catalog.shard(shard_id)
                await shard.run("admin", {"abortTransaction": 1, **self._identity}, retry=False)
            except CommandError as error:
                log.warning("can't abort a transaction on %s: %s", shard_id, error)


class Transactions:
    """The newest transaction of each session."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._by_session: dict[tuple[User | None, bytes], Transaction] = {}

    def _key(self, request: Request) -> tuple[User | None, bytes]:
        return request.user, bytes(request.generic["lsid"]["id"])

    def statement(self, request: Request) -> Transaction:
        """A statement's transaction: a new one with `startTransaction`, otherwise the open one.

        Raises CommandError 251 (NoSuchTransaction) when it wasn't started here or has ended.
        """
        number = _number(request)
        if request.session_id is None:
            raise CommandError(72, "InvalidOptions", "a transaction needs a session")
        if request.generic.get("startTransaction"):
            concern = request.clock.pin_snapshot(request.generic.get("readConcern") or {})
            transaction = Transaction(self._catalog, request.session_id, number, concern)
            self._by_session[self._key(request)] = transaction
            return transaction
        transaction = self._known(request)
        if transaction.state != OPEN:
            raise CommandError(
                251,
                "NoSuchTransaction",
                f"Transaction {number} has been {transaction.state}",
                errorLabels=["TransientTransactionError"],
            )
        return transaction

    def _known(self, request: Request) -> Transaction:
        number = _number(request)
        transaction = self._by_session.get(self._key(request))
        if transaction is None or transaction.number != number:
            raise CommandError(
                251,
                "NoSuchTransaction",
                "no such transaction on this router",
                errorLabels=["TransientTransactionError"],
            )
        return transaction

    async def commit(self, request: Request) -> Reply:
        transaction = self._known(request)
        if transaction.state == ABORTED:
            raise CommandError(
                251,
                "NoSuchTransaction",
                "Transaction was aborted",
                errorLabels=["TransientTransactionError"],
            )
        return await transaction.commit(request)

    async def abort(self, request: Request) -> Reply:
        await self._known(request).abort()
        return {"ok": 1.0}

    async def end_sessions(self, request: Request, session_ids: list[Any]) -> None:
        """Abort the open transactions of sessions that a client ends."""
        for session_id in session_ids:
            transaction = self._by_session.pop((request.user, bytes(session_id["id"])), None)
            if transaction is not None:
                await transaction.abort()

    def forget_old(self) -> None:
        oldest = time.monotonic() - REMEMBER_SECONDS
        for key in [key for key, known in self._by_session.items() if known.started < oldest]:
            del self._by_session[key]


def _number(request: Request) -> Int64:
    number = request.generic.get("txnNumber")
    if not isinstance(number, Int64) or "lsid" not in request.generic:
        raise CommandError(72, "InvalidOptions", "a transaction needs a session and a txnNumber (long)")
    return number


def label_failure(reply: Reply) -> None:
    """Tell the driver that it may run the whole transaction again."""
    if reply.get("code") in TRANSIENT_TRANSACTION_CODES:
        reply["errorLabels"] = ["TransientTransactionError"]
