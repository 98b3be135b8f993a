"""The shards of a namespace on a real API server, and who is in them."""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING, Any

from graphschedule import labels, shards
from graphschedule.payload import RunPayload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.operator.world import World

    Object = dict[str, Any]

GROUPED = {"dispatch": "Grouped"}


def is_shard(cronjob: Object) -> bool:
    """Tell whether a CronJob is a shard."""
    return labels.SHARD_LABEL in cronjob["metadata"]["labels"]


def the_shards(world: World) -> list[Object]:
    """Return the CronJobs of all shards."""
    return [cronjob for cronjob in world.all("cronjob") if is_shard(cronjob)]


def the_shard(world: World) -> Object:
    """Return the CronJob of the only shard."""
    (found,) = the_shards(world)
    return found


def members(world: World, cronjob: Object) -> dict[str, RunPayload]:
    """Return what the Secret holds that a CronJob's pods mount, by the members' names."""
    (volume,) = [it for it in cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"] if "secret" in it]
    found = world.get("secret", volume["secret"]["secretName"])
    if found is None:
        return {}
    lines = gzip.decompress(base64.b64decode(found["data"][shards.FILE])).decode().splitlines()
    return {member.name: member for member in map(RunPayload.decode, lines)}


def until_members(world: World, name: str, *expected: str) -> Mapping[str, RunPayload]:
    """Watch a shard's CronJob until it fires for exactly these schedules, and return what they are given."""

    def holds(cronjob: Object) -> bool:
        return not cronjob["spec"]["suspend"] and members(world, cronjob).keys() == {*expected}

    return members(world, world.until("cronjob", name, holds))
