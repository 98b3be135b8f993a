"""The run payload: a schedule's arguments as they travel to the runner in the pod template's annotation.

One object, applied atomically with the CronJob: a run can never see half of an edit, and the runner needs no
access to the API server. Standard library only, for it is on the runner's cold-start path.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from graphschedule.errors import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
"""Version of the encoding; a runner refuses one it does not know rather than guess."""

MAX_BYTES = 192 * 1024
"""Limit of the encoded payload. Kubernetes allows 256 KiB for all annotations of one object together."""


class InputSource(NamedTuple):
    """Where a run finds inputs that are kept elsewhere: a volume of its pod shows what a Secret or ConfigMap holds.

    `kind` is Secret or ConfigMap, `format` Text or Json. `key` None means every key, each as the input of its name;
    `input` None means that the input is called as the key is.
    """

    kind: str
    name: str
    key: str | None = None
    input: str | None = None
    format: str = "Text"
    optional: bool = False


class RunPayload(NamedTuple):
    """What one run needs to know.

    `inputs` is the graph's input object, over which the run lays what it finds in `inputs_from`; `credentials` maps a
    credential-input name to `{id, provider, type, title?}`. `graph_version` None means the newest version at each
    fire (C §2.1). `heartbeat_url` is a secret of its owner. `not_before`, an RFC 3339 time, is when the schedule was
    made: a shard may be older than its members, and slots before it are not theirs.
    """

    schedule_uid: str
    namespace: str
    name: str
    cronjob: str
    graph_id: str
    user_id: str
    graph_version: int | None = None
    agent_name: str | None = None
    inputs: Mapping[str, Any] = {}
    credentials: Mapping[str, Mapping[str, Any]] = {}
    inputs_from: tuple[InputSource, ...] = ()
    heartbeat_url: str | None = None
    not_before: str | None = None

    def __repr__(self) -> str:
        return f"RunPayload of {self.namespace}/{self.name}"

    def encode(self) -> str:
        """Return the payload as compact JSON with sorted keys: equal payloads are equal texts."""
        sources = [source._asdict() for source in self.inputs_from]
        members = {"format": FORMAT} | self._asdict() | {"inputs_from": sources}
        return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def decode(cls, text: str) -> RunPayload:
        """Return the payload of an encoded text.

        Raises:
            InvalidValueError: the text is not JSON, of another format, or lacks a member or has an unknown one.

        """
        try:
            members = json.loads(text)
        except ValueError as error:
            raise InvalidValueError("payload", f"of {len(text)} characters", f"it must be JSON ({error})") from error
        given = members.pop("format", None) if isinstance(members, dict) else None
        if given != FORMAT:
            raise InvalidValueError("payload", {"format": given}, f"it must be a JSON object with format {FORMAT}")
        try:
            sources = tuple(InputSource(**source) for source in members.pop("inputs_from", ()))
            return cls(**members, inputs_from=sources)
        except TypeError as error:
            remedy = f"its members must be {', '.join(cls._fields)}"
            raise InvalidValueError("payload", sorted(members), remedy) from error
