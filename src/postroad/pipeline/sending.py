"""The page: lease, compose, deliver, judge, settle. A delivery's whole way stands in `_batch` and what it calls.

What is leased is in our hands until it is settled; whatever ends this process, the lease and the node's journal tell
the next one what may have gone out. Nothing is decided here: routes come from `routing`, octets from `compose`, facts
from `deliver`, verdicts from `outcomes`.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from postroad.model.attempt import Attempt, Phase, Trouble
from postroad.model.clock import SECOND, Clock, Instant
from postroad.model.composition import Composed, ComposeFailed, Recipe
from postroad.model.delivery import Hold, Lease, State
from postroad.model.errors import Unavailable
from postroad.model.ids import Mint, SuppressionId
from postroad.model.stream import Stream
from postroad.model.verdict import Verdict
from postroad.pipeline.deliver import Deliverer, Turn
from postroad.pipeline.dressing import Dressed, Dresser
from postroad.pipeline.errands import Errands, survive
from postroad.pipeline.foresight import Finished, Foresight
from postroad.pipeline.journal import Journal, Note
from postroad.pipeline.leftovers import leftover
from postroad.pipeline.outcomes.judge import Policy, judge, lapse
from postroad.pipeline.press import POISON, Outcome, Press
from postroad.pipeline.routing import Router
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.suspensions import Suspensions
from postroad.pipeline.taking import Taking, TakingSettings
from postroad.store import deliveries
from postroad.store.blobs import BlobMissing
from postroad.store.database import Database
from postroad.store.messages import NewMessage
from postroad.store.settlements import Settlement, settle
from postroad.store.wakeup import WakeUp

_log = structlog.get_logger("postroad.sending")
_encoder = msgspec.json.Encoder()
_BATCH = 256
_PLATE = 16
"""Jobs that go to a composing process together."""
_SPEECHLESS = "The sending domain was deleted after this was accepted. Add it again and verify it, or cancel this."
_DOT_MARGIN = 30 * SECOND
"""A lease that lapses sooner than this is not enough to send a final dot under; of a short lease, a quarter."""


class Sending:
    """The delivery role of one node."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        mint: Mint,
        chance: Callable[[], float],
        dresser: Dresser,
        press: Press,
        deliverer: Deliverer,
        router: Router,
        journal: Journal,
        policy: Policy,
        due: WakeUp,
        told: WakeUp,
        shaping: Shaping,
        suspensions: Suspensions | None = None,
        settings: TakingSettings,
    ) -> None:
        """Build the role; `due` rings when something may be leased, `told` is rung when events were written."""
        self._database = database
        self._clock = clock
        self._mint = mint
        self._chance = chance
        self._dresser = dresser
        self._press = press
        self._deliverer = deliverer
        self._router = router
        self._journal = journal
        self._policy = policy
        self._due = due
        self._told = told
        self._settings = settings
        self._dot_margin = min(_DOT_MARGIN, settings.hold.duration // 4)
        self._shaping = shaping
        self._taking = Taking(database, clock, shaping, suspensions, settings)
        self._in_hand = self._taking.in_hand
        self._foresight = Foresight(self._finish)
        self.settled: Counter[State] = Counter()
        """How many attempts led to which state, since the start."""
        self._errands = Errands()
        self._arrived: list[Lease] = []
        self._ready = False
        self._stopping = False
        self._ended: asyncio.Future[None] | None = None

    @property
    def in_hand(self) -> int:
        """How many deliveries are leased and not settled."""
        return self._in_hand.total

    @property
    def running(self) -> bool:
        """Whether the role is at work in this process."""
        return self._ended is not None and not self._ended.done()

    def moved(self, ahead: int) -> None:
        """Know that the clock was moved ahead, by so much in all; leases go on by the time that was not."""
        self._taking.hold = msgspec.structs.replace(self._taking.hold, ahead=ahead)
        self._due.ring()

    def finds_room_at(self) -> Instant | None:
        """Return when what is due and found no room may find it by time alone."""
        return self._taking.finds_room_at()

    async def run(self) -> None:
        """Take and send what is due until `stop`."""
        self._ended = asyncio.get_running_loop().create_future()
        self._press.prepare()
        try:
            await self._run()
        finally:
            self._ended.set_result(None)

    async def _run(self) -> None:
        while not self._stopping and not await survive(self._recover()):
            pass
        self._ready = True
        looked_s = time.monotonic()
        while not self._stopping:
            heard = self._due.beat
            if time.monotonic() - looked_s > self._settings.idle_s:
                looked_s = time.monotonic()
                await survive(self._take_over())
            if not await survive(self._take()):
                await self._due.wait(heard, self._taking.pause_s())

    async def stop(self, drain_s: float) -> None:
        """Take nothing more, hand back what was not begun, and finish what was."""
        self._stopping = True
        self._due.ring()
        if self._ended is not None:
            await self._ended  # a lease that was just being taken is handed back by the loop itself
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                await self._deliverer.drain()
                await self._errands.finished()
        self._errands.cancel()
        self._foresight.close()
        await self._press.close()
        self._journal.close()

    # --- lease -------------------------------------------------------------------------------------------------------

    async def _take(self) -> bool:
        """Lease what there is room for, and tell whether to look again at once."""
        leases = await self._taking.lease()
        if leases and self._stopping:
            await self._taking.hand_back(leases)
        elif leases:
            self._errands.start(self._batch(leases))
        return bool(leases) or self._taking.moved

    def offer(self, count: int, new: Sequence[NewMessage]) -> Hold | None:
        """Offer to take mail in hand as it is accepted; `taken` ends the offer, whether or not anything came of it."""
        return self._taking.offer(count, new) if self._ready and not self._stopping else None

    def foresee(self, new: Sequence[NewMessage], at: Instant, hold: Hold) -> None:
        """Begin to compose what is being accepted, where nothing else waits for that."""
        if self._press.idle:
            self._foresight.begin(new, at, hold)

    def taken(self, count: int, leases: Sequence[Lease], new: Sequence[NewMessage] = ()) -> None:
        """Take what an offer of `count` brought."""
        self._in_hand.keep(count)
        self._foresight.settle(new, leases)
        if not leases:
            return
        self._in_hand.take(leases)
        if not self._arrived:
            asyncio.get_running_loop().call_soon(self._begin_arrived)
        self._arrived += leases

    def _begin_arrived(self) -> None:
        """Begin what one commit brought as one batch, however many requests it came from."""
        leases, self._arrived = self._arrived, []
        self._errands.start(self._taking.hand_back(leases) if self._stopping else self._batch(leases))

    # --- compose -----------------------------------------------------------------------------------------------------

    async def _batch(self, leases: Sequence[Lease]) -> None:
        """Carry a batch of leases through: all of it is dressed, then composed by the plate, then sent one by one."""
        plate: list[Dressed] = []
        for lease in leases:
            foreseen = self._foresight.claim(lease)
            if foreseen is not None:
                self._errands.start(self._send_foreseen(lease, foreseen))
                continue
            if not self._dresser.has_at_hand(lease):
                self._errands.start(self._carry(lease))
                continue
            dressed = await self._dress(lease)
            if dressed is not None:
                plate.append(dressed)
            if len(plate) == _PLATE:
                self._errands.start(self._compose(plate))
                plate = []
        if plate:
            await self._compose(plate)

    async def _carry(self, lease: Lease) -> None:
        """Carry one lease through that waits for an object storage: nothing else waits with it."""
        dressed = await self._dress(lease)
        if dressed is not None:
            await self._compose([dressed])

    async def _finish(self, lease: Lease) -> Finished:
        dressed = await self._dresser.dress(lease)
        return dressed, (await self._press.compose([dressed.job], dressed.keys))[0]

    async def _send_foreseen(self, lease: Lease, foreseen: Awaitable[Finished | None]) -> None:
        finished = await foreseen
        if finished is None or isinstance(finished[1], ComposeFailed) or not finished[0].speaks:
            await self._batch([lease])
            return
        await self._send(msgspec.structs.replace(finished[0], lease=lease), finished[1])

    async def _dress(self, lease: Lease) -> Dressed | None:
        verdict = lapse(lease, now=self._clock.now())
        if verdict is not None:
            self._errands.start(self._settle(lease, verdict))
            return None
        try:
            dressed = await self._dresser.dress(lease)
        except BlobMissing:
            attempt = self._not_begun(Trouble.POISON, "A file of this message is missing from the blob store.")
        except Unavailable as error:
            attempt = self._not_begun(Trouble.HANDED_BACK, error.detail)
        except Exception:  # noqa: BLE001 - one delivery's trouble is not its batch's
            _log.exception("dressing_failed", delivery=lease.delivery_id)
            attempt = self._not_begun(Trouble.POISON, "What this message needs to be composed cannot be read.")
        else:
            if dressed.speaks:
                return dressed
            attempt = self._not_begun(Trouble.POISON, _SPEECHLESS)
        self._errands.start(self._judge_undressed(lease, attempt))
        return None

    async def _judge_undressed(self, lease: Lease, attempt: Attempt) -> None:
        await self._judge(lease, await self._dresser.stream(lease), attempt)

    async def _compose(self, plate: Sequence[Dressed]) -> None:
        keys = {key.id: key for dressed in plate for key in dressed.keys}
        try:
            outcomes = await self._press.compose([dressed.job for dressed in plate], list(keys.values()))
        except Unavailable as error:
            for dressed in plate:
                self._errands.start(
                    self._judge(dressed.lease, dressed.stream, self._not_begun(Trouble.HANDED_BACK, error.detail))
                )
            return
        for dressed, outcome in zip(plate, outcomes, strict=True):
            self._errands.start(self._send(dressed, outcome))

    # --- deliver -----------------------------------------------------------------------------------------------------

    async def _send(self, dressed: Dressed, outcome: Outcome) -> None:
        lease = dressed.lease
        if isinstance(outcome, ComposeFailed):
            trouble = Trouble.POISON if outcome.code == POISON else Trouble.COMPOSITION
            await self._judge(lease, dressed.stream, self._not_begun(trouble, outcome.detail))
            return
        turn = Turn(lease.project_id, lease.domain, dressed.stream.kind)
        attempt = await self._deliverer.deliver(
            self._router.route(lease),
            outcome,
            before_dot=lambda: self._before_dot(lease),
            turn=turn,
            require_tls=dressed.require_tls,
        )
        await self._judge(lease, dressed.stream, attempt, outcome, dressed.recipe)

    def _before_dot(self, lease: Lease) -> bool:
        """Say whether the final dot may be written under this lease, and note it if so."""
        if self._clock.now() - self._taking.hold.ahead > lease.until - self._dot_margin:
            return False
        self._journal.dot(lease.delivery_id, lease.attempt)
        return True

    # --- judge and settle --------------------------------------------------------------------------------------------

    async def _judge(
        self,
        lease: Lease,
        stream: Stream,
        attempt: Attempt,
        composed: Composed | None = None,
        recipe: Recipe | None = None,
    ) -> None:
        document = _encoder.encode(attempt)
        digest = None if composed is None else composed.sha256
        if attempt.phase is Phase.DOT and digest is not None:
            self._journal.result(Note(lease.delivery_id, lease.attempt, msgspec.Raw(document), digest.hex(), recipe))
        verdict = judge(attempt, lease, stream, now=self._clock.now(), chance=self._chance(), policy=self._policy)
        self._shaping.settled(lease, stream.kind, attempt, verdict)
        await self._settle(lease, verdict, attempt, document, digest, recipe)

    async def _settle(
        self,
        lease: Lease,
        verdict: Verdict,
        attempt: Attempt | None = None,
        document: bytes | None = None,
        digest: bytes | None = None,
        recipe: Recipe | None = None,
    ) -> None:
        settlement = Settlement(
            lease=lease,
            verdict=verdict,
            at=self._clock.now(),
            attempt=attempt,
            document=document,
            digest=digest,
            recipe=recipe,
            suppression_id=SuppressionId(self._mint("sup")) if verdict.suppress else None,
        )
        try:
            if not await self._database.write_each(settle, settlement, patient=True, lazy=True):
                _log.warning("lease_lost", delivery=lease.delivery_id, attempt=lease.attempt)
            self._journal.settled(lease.delivery_id, lease.attempt)
            self.settled[verdict.state] += 1
        finally:
            room = self._in_hand.give(lease, time.monotonic())
        self._told.ring()
        soon = verdict.next_at is not None and verdict.next_at < settlement.at + self._settings.idle_s * SECOND
        if room or soon:
            self._due.ring()

    def _not_begun(self, trouble: Trouble, detail: str) -> Attempt:
        now = self._clock.now()
        return Attempt(phase=Phase.COMPOSE, trouble=trouble, detail=detail, started_at=now, finished_at=now)

    # --- what a dead process left ------------------------------------------------------------------------------------

    async def _recover(self) -> bool:
        """Settle what earlier runs of this node had in hand, by the journal."""
        while taken := await self._reclaim(own=True):
            _log.info("recovered", deliveries=len(taken))
        self._journal.recovered()
        return True

    async def _take_over(self) -> bool:
        """Settle what other nodes let lapse."""
        return bool(await self._reclaim(own=False))

    async def _reclaim(self, *, own: bool) -> list[tuple[Lease, str]]:
        hold, now = self._taking.hold, self._clock.now()
        taken = await self._database.write(
            lambda connection: deliveries.reclaim(
                connection,
                now=now,
                hold=hold,
                limit=_BATCH,
                own=own,
            )
        )
        self._in_hand.take([lease for lease, _ in taken])
        ours = hold.node
        await asyncio.gather(*[self._settle_left(lease, ours=holder == ours) for lease, holder in taken])
        return taken

    async def _settle_left(self, lease: Lease, *, ours: bool) -> None:
        """Judge an attempt that a dead process left open."""
        now = self._clock.now()
        attempt, note = leftover(self._journal, lease, ours=ours, now=now)
        stream = await self._dresser.stream(lease)
        if note is None:
            await self._judge(lease, stream, attempt)
            return
        verdict = judge(attempt, lease, stream, now=now, chance=self._chance(), policy=self._policy)
        await self._settle(lease, verdict, attempt, bytes(note.result), note.digest_octets, note.recipe)
