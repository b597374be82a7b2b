"""From settings to a house: every part is built once, here, and handed to those who need it as an argument."""

import base64
import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from postroad.app.development import DevelopmentSenders
from postroad.app.exchanging import mail_back
from postroad.app.house import House
from postroad.app.neighbours import changing, follow_time, join, time_elsewhere
from postroad.app.node import Minter, Node, WallClock, occupy
from postroad.app.rehearsing import Rehearsal
from postroad.app.reporting import reporting_of
from postroad.app.retention import Retention
from postroad.app.routes import own_addresses, own_names, router_of
from postroad.app.rulebook import RuleFiles
from postroad.app.timekeeping import Timekeeper, clock_of, steady
from postroad.app.traffic import LimitFiles, shaping_of, suspend_by_rules
from postroad.app.transporting import contexts_of, knowledge, resolver_of, transport_of
from postroad.app.unsubscribing import Unsubscribing, mailbox_of
from postroad.config import Settings, split_endpoint
from postroad.features.accounts import Keys, Projects, Streams, built_in_streams
from postroad.features.egress import Egress
from postroad.features.egress import Policy as EgressPolicy
from postroad.features.egress.network import dns_resolver
from postroad.features.guard import Guard
from postroad.features.queue import Queue, Suspending
from postroad.features.senders import Lookup, Senders
from postroad.features.sites import Sites
from postroad.features.suppressions import Softening, Suppressions, Undoing
from postroad.features.transport import Transport
from postroad.features.webhooks import Notifier, Webhooks
from postroad.http.services import Readiness
from postroad.model.clock import SECOND, Clock
from postroad.model.delivery import Hold
from postroad.pipeline.deliver import Deliverer, DeliverSettings, Relays
from postroad.pipeline.dressing import Dresser
from postroad.pipeline.intake import Intake, IntakeLimits
from postroad.pipeline.journal import Journal
from postroad.pipeline.keeping import Keeper
from postroad.pipeline.outcomes.policy import Policy
from postroad.pipeline.outcomes.rules import Rulebook
from postroad.pipeline.press import Press, PressInside, PressOutside
from postroad.pipeline.press.arithmetic import faster_environment
from postroad.pipeline.recompose import Recomposer
from postroad.pipeline.routing import Router
from postroad.pipeline.sending import Sending
from postroad.pipeline.shaping.shaping import Shaping
from postroad.pipeline.suspensions import Suspensions
from postroad.pipeline.taking import TakingSettings
from postroad.store import migrate
from postroad.store.blobs import Blobs
from postroad.store.database import Database
from postroad.store.durability import Lookout
from postroad.store.ringing import Ringing
from postroad.store.room import Room
from postroad.store.vault import Vault, open_or_create_master_key
from postroad.store.wakeup import WakeUp

_IDLE_ALONE_S = 5.0
"""How long a lone node sleeps when nothing wakes it."""
_IDLE_SHARED_S = 0.5
"""The same where other nodes commit too: their wake-ups may be lost on the way."""


async def open_house(settings: Settings, *, dev: bool, patience_s: float = 0.0) -> House:
    """Open store and data directory, bring the schema up to date, and build the parts.

    Raises:
        DirectoryTaken: another process has the data directory.
        AlreadyOpen: another process has the SQLite file.
        SchemaNewer: the store was written by a newer release.
        MasterKeyError: the key file of `postroad dev` cannot be used.
        UnknownProject: a route names a project that there is not.
        UnusableLimits: the file of limits cannot be used.
    """
    node = occupy(settings.data.directory, patience_s=patience_s)
    database: Database | None = None
    try:
        vault = _vault(settings, dev=dev)
        asked = settings.database
        database = Database(
            settings.database_url, node=node.name, readers=asked.pool, connect_timeout_s=asked.connect_timeout_s
        )
        migrate.migrate(database)
        return await _furnish(settings, dev, node, vault, database)
    except BaseException:
        if database is not None:
            database.close()
        node.release()
        raise


def _vault(settings: Settings, *, dev: bool) -> Vault:
    given = settings.secrets.master_key
    if given is not None:
        return Vault(base64.b64decode(given.reveal()))
    if not dev:
        return Vault(os.urandom(32))  # only commands get here: `serve` refuses to start without a key
    return Vault(open_or_create_master_key(settings.data.directory / "master.key"))


@dataclass(frozen=True, slots=True)
class _Ground:
    """What every part stands on."""

    settings: Settings
    dev: bool
    node: Node
    vault: Vault
    database: Database
    clock: Clock
    mint: Minter
    blobs: Blobs
    due: WakeUp
    told: WakeUp
    rules: RuleFiles


def _rule_files(settings: Settings) -> RuleFiles:
    return RuleFiles([Path(name) for name in settings.delivery.rules])


def _senders(ground: _Ground) -> Senders:
    settings = ground.settings
    return Senders(
        database=ground.database,
        clock=ground.clock,
        mint=ground.mint,
        vault=ground.vault,
        dns=Lookup(_resolvers(settings), timeout_s=settings.delivery.dns_timeout_s),
        settings=settings,
        told=ground.told.ring,
    )


async def _furnish(settings: Settings, dev: bool, node: Node, vault: Vault, database: Database) -> House:
    clock: Clock = await clock_of(database) if settings.testing.movable_clock else WallClock()
    mint = Minter(clock)
    blobs, due, told = Blobs(settings.blobs_url), WakeUp(), WakeUp()
    ground = _Ground(settings, dev, node, vault, database, clock, mint, blobs, due, told, _rule_files(settings))
    projects, keys = Projects(database, clock, mint), Keys(database, clock, mint)
    projects.on_change(keys.forget_project)
    streams = Streams(database, clock, built_in_streams(settings))
    senders = _senders(ground)
    identifiers, suspensions = await _identifiers(projects), await _suspensions(ground)
    ringing = Ringing(database, node=node.name)
    join(ringing, due, suspensions)
    changed = changing(ringing, suspensions)
    shaping, relays = shaping_of(settings, identifiers, clock, node), Relays(steady(clock))
    router = router_of(settings, identifiers, dev=dev)
    transport, policy_egress = transport_of(settings, database, clock)
    suppressions = Suppressions(database, clock, mint, streams=streams, told=told.ring)
    arrivals, inbound = mail_back(
        settings=settings, database=database, clock=clock, mint=mint, key=vault.derive("return path"), streams=streams,
        suppressions=suppressions, told=told, node=node.name, rulebook=ground.rules.book,
    )  # fmt: skip
    rehearsal = Rehearsal(arrivals, vault.derive("return path"), clock)
    sending, recompose = _delivery(ground, streams, senders, router, shaping, suspensions, transport, rehearsal, relays)
    retention = Retention(database, blobs, clock, settings.retention)
    room = _room(settings, database)
    intake = _intake(ground, streams, senders, room, sending)
    tls_mail = reporting_of(
        settings, transport, clock=clock, texts=resolver_of(settings, clock), intake=intake, projects=projects
    )
    rounds = (senders.recheck_due, retention.round, *(() if tls_mail is None else (tls_mail.round,)))
    policy = _egress_policy(settings)
    egress = Egress(policy, resolve=dns_resolver(_resolvers(settings), timeout_s=settings.delivery.dns_timeout_s))
    notifier = Notifier(database, egress, vault, clock, settings=settings.webhooks, node=node.name, wake=told)
    time = _timekeeper(ground, ringing, sending, notifier, rounds)
    suspending = Suspending(database, clock, mint, changed=changed, told=told.ring)
    suspend_by_rules(shaping, suspending)
    keeper = await _keeper(ground, shaping, identifiers)
    return House(
        settings=settings, dev=dev, node=node, clock=clock, mint=mint, vault=vault, database=database, blobs=blobs,
        due=due, told=told, ringing=ringing, projects=projects, keys=keys, streams=streams, senders=senders,
        suppressions=suppressions, webhooks=Webhooks(database, vault, clock, mint, policy=policy, wake=told),
        notifier=notifier, egress=egress, room=room, lookout=Lookout(database), readiness=Readiness(), intake=intake,
        tls_mail=tls_mail, sending=sending, recompose=recompose, retention=retention, time=time, rules=ground.rules,
        suspensions=suspensions, shaping=shaping, keeper=keeper, undoing=Undoing(database, clock, mint, told=told.ring),
        sites=Sites(shaping, keeper, clock, suspensions, relays),
        queue=Queue(database, clock, mint, due=due.ring_everywhere, told=told.ring), suspending=suspending,
        guard=_guard(ground, streams, changed), arrivals=arrivals, inbound=inbound, transport=transport,
        policy_egress=policy_egress,
    )  # fmt: skip


def _timekeeper(
    ground: _Ground,
    ringing: Ringing,
    sending: Sending,
    notifier: Notifier,
    rounds: Sequence[Callable[[], Awaitable[object]]],
) -> Timekeeper:
    elsewhere = time_elsewhere(ringing)
    time = Timekeeper(
        ground.clock, ground.database, sending, told=ground.told, pushing=notifier, rounds=rounds, elsewhere=elsewhere
    )
    follow_time(ringing, time)
    return time


def _guard(ground: _Ground, streams: Streams, changed: Callable[[], Awaitable[None]]) -> Guard:
    database, clock, mint, told = ground.database, ground.clock, ground.mint, ground.told.ring
    return Guard(
        database,
        clock,
        mint,
        ground.settings.guard,
        streams=streams,
        changed=changed,
        told=told,
        softening=Softening(database, clock, mint, ground.settings.suppressions, told=told),
    )


def _delivery(
    ground: _Ground,
    streams: Streams,
    senders: Senders,
    router: Router,
    shaping: Shaping,
    suspensions: Suspensions,
    transport: Transport,
    rehearsal: Rehearsal,
    relays: Relays,
) -> tuple[Sending, Recomposer]:
    settings, database = ground.settings, ground.database
    return_path_key = ground.vault.derive("return path")
    outfitter = DevelopmentSenders(senders, settings.data.directory) if ground.dev else senders
    dresser = Dresser(
        blobs=ground.blobs,
        senders=outfitter,
        streams=streams,
        list_headers=Unsubscribing(
            settings.http.public_url, ground.vault.derive("tokens"), mailbox=mailbox_of(settings, return_path_key)
        ).headers,
        verp_key=return_path_key,
    )
    press = _press(settings, dev=ground.dev)
    sending = Sending(
        database=database,
        clock=ground.clock,
        mint=ground.mint,
        chance=random.random,
        dresser=dresser,
        press=press,
        deliverer=Deliverer(
            _deliver_settings(settings),
            clock=ground.clock,
            chance=random.random,
            contexts=contexts_of(settings),
            shaping=shaping,
            tls=knowledge(transport),
            comes_back=rehearsal,
            relays=relays,
            time_s=steady(ground.clock),
        ),
        router=router,
        journal=Journal(settings.data.directory / "journal", ground.node.machine_boot, new_node=ground.node.fresh),
        policy=_policy(settings, ground.rules.book),
        due=ground.due,
        told=ground.told,
        shaping=shaping,
        suspensions=suspensions,
        settings=_sending_settings(settings, ground.node, shared=database.engine_name == "postgresql"),
    )
    return sending, Recomposer(database=database, dresser=dresser, press=press, cabinet=outfitter)


async def _keeper(ground: _Ground, shaping: Shaping, projects: Mapping[str, str]) -> Keeper:
    """Return the keeper of shaping, with what this node had learned brought back."""
    files = LimitFiles(ground.settings, projects)
    keeper = Keeper(
        shaping, ground.database, ground.clock, node=ground.node.name, reread=files.reread, due=ground.due.ring
    )
    await keeper.load()
    return keeper


async def _suspensions(ground: _Ground) -> Suspensions:
    """Return the view of what is suspended, as it stands: nothing may be sent before it is known."""
    view = Suspensions(ground.database, ground.clock)
    view.on_change(ground.due.ring)
    await view.refresh()
    return view


def _intake(ground: _Ground, streams: Streams, senders: Senders, room: Room, sending: Sending) -> Intake:
    return Intake(
        database=ground.database,
        blobs=ground.blobs,
        clock=ground.clock,
        mint=ground.mint,
        streams=streams,
        senders=senders,
        limits=_intake_limits(ground.settings),
        batch_limit=ground.settings.limits.batch_messages,
        gate=room.gate,
        hands=sending,
        due=ground.due,
        told=ground.told,
    )


async def _identifiers(projects: Projects) -> dict[str, str]:
    """Return the identifiers of all projects, by name and by identifier."""
    found = await projects.listed(limit=100_000)
    return {name: project.id for project in found for name in (project.name, project.id)}


def _resolvers(settings: Settings) -> tuple[tuple[str, int], ...]:
    return tuple(split_endpoint(text, 53) for text in settings.delivery.resolvers)


def _room(settings: Settings, database: Database) -> Room:
    return Room(
        database,
        settings.data.directory,
        min_free_octets=settings.limits.min_free_disk_octets,
        min_free_percent=settings.limits.min_free_disk_percent,
        most_deliveries=settings.limits.backlog_deliveries,
    )


def _press(settings: Settings, *, dev: bool) -> Press:
    count = settings.delivery.compose_workers
    if count is None:
        count = 0 if dev else len(os.sched_getaffinity(0))
    return PressOutside(count, faster_environment) if count else PressInside()


def _intake_limits(settings: Settings) -> IntakeLimits:
    limits = settings.limits
    return IntakeLimits(
        message_octets=limits.message_octets,
        recipients=limits.recipients,
        headers=limits.headers,
        header_octets=limits.header_octets,
        subject_characters=limits.subject_characters,
        attachments=limits.attachments,
        tags=limits.tags,
        tag_characters=limits.tag_characters,
        metadata_keys=limits.metadata_keys,
        metadata_key_characters=limits.metadata_key_characters,
        metadata_value_characters=limits.metadata_value_characters,
        schedule_ahead=limits.schedule_ahead_s * SECOND,
    )


def _egress_policy(settings: Settings) -> EgressPolicy:
    webhooks = settings.webhooks
    return EgressPolicy(
        allow_private=webhooks.allow_private_addresses,
        ports=frozenset(webhooks.allowed_ports),
        proxy=None if webhooks.proxy is None else webhooks.proxy.reveal(),
        timeout_s=webhooks.timeout_s,
        response_octets=webhooks.response_octets,
        connections=2 * webhooks.concurrency,
    )


def _deliver_settings(settings: Settings) -> DeliverSettings:
    delivery = settings.delivery
    hostname = delivery.hostname or "localhost"
    return DeliverSettings(
        hostname=hostname,
        mx_port=delivery.mx_port,
        resolvers=_resolvers(settings),
        dns_timeout_s=delivery.dns_timeout_s,
        allow_private_addresses=delivery.allow_private_addresses,
        own_names=own_names(settings),
        own_addresses=own_addresses(settings),
        connections_per_destination=delivery.connections_per_destination,
        messages_per_connection=delivery.messages_per_connection,
        messages_per_second=delivery.messages_per_second,
        idle_s=delivery.idle_s,
        trust_ad=settings.tls.trust_ad,
        timeouts=delivery.timeouts,
    )


def _policy(settings: Settings, rulebook: Rulebook) -> Policy:
    return Policy(
        in_doubt_wait=int(settings.streams.in_doubt_delay_s * SECOND),
        in_doubt_most=settings.streams.in_doubt_attempts,
        rulebook=rulebook,
    )


def _sending_settings(settings: Settings, node: Node, *, shared: bool) -> TakingSettings:
    return TakingSettings(
        hold=Hold(node=node.name, boot=node.run, duration=int(settings.delivery.lease_s * SECOND)),
        concurrency=settings.delivery.concurrency,
        idle_s=_IDLE_SHARED_S if shared else _IDLE_ALONE_S,
    )
