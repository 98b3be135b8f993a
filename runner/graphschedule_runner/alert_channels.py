"""The ways out of the cluster that an alert takes: the platform's notification service, and any notification URL.

The URLs are secrets, for who has one can write where people look: messages name only what kind of service it leads to
and where it stands in the setting.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from graphschedule.errors import InvalidValueError
from graphschedule_platform.errors import DependencyError

from graphschedule_runner import rpc

if TYPE_CHECKING:
    from apprise import NotifyBase

    from graphschedule_runner.tasks.settings import TaskSettings

LONGEST_MESSAGE = 2000
"""Characters that Discord takes; the platform's bot does not say when it was refused (C §4.9)."""

_log = logging.getLogger(__name__)


class Channel(StrEnum):
    """Whom an alert concerns: the platform's own names (C §4.9)."""

    PLATFORM = "platform"
    PRODUCT = "product"


class Way(Protocol):
    """A way out."""

    def send(self, content: str) -> None:
        """Send an alert.

        Raises:
            DependencyError: it did not get through; the message names the way.

        """


def ways(settings: TaskSettings, channel: Channel) -> list[Way]:
    """Return all configured ways of a channel; if there are none, the log.

    Raises:
        InvalidValueError: a URL is none that the notification library knows.

    """
    found: list[Way] = []
    if settings.notification_service:
        found.append(_Platform(settings.notification_service, settings.patience, channel))
    urls = settings.platform_alert_urls if channel is Channel.PLATFORM else settings.product_alert_urls
    setting = "PLATFORM_ALERT_URLS" if urls == settings.platform_alert_urls else "PRODUCT_ALERT_URLS"
    found += [_Url.parse(setting, number, url) for number, url in enumerate(urls, 1)]
    return found or [_Log()]


@dataclass(frozen=True, slots=True)
class _Platform:
    service: rpc.Service
    patience: rpc.Patience
    channel: Channel

    def send(self, content: str) -> None:
        rpc.call(self.service, self.patience, "discord_system_alert", content=_cut(content), channel=self.channel.value)


@dataclass(frozen=True, slots=True)
class _Url:
    """A notification URL, known to people by its `name`."""

    name: str
    service: NotifyBase

    @classmethod
    def parse(cls, setting: str, number: int, url: str) -> _Url:
        from apprise import Apprise, OverflowMode

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would quote parts of the URL
        service = Apprise.instantiate(url)
        if service is None:
            scheme, found, _ = url.partition("://")
            remedy = f"correct number {number}: write a URL of apprise's, such as json://host/path"
            raise InvalidValueError(setting, f"{scheme}://***" if found else "***", remedy)
        service.overflow_mode = OverflowMode.SPLIT
        return cls(f"number {number} of {setting} ({service.service_name})", service)

    def send(self, content: str) -> None:
        if not self.service.notify(body=content):
            raise DependencyError(f"{self.name} did not take an alert")


class _Log:
    def send(self, content: str) -> None:
        _log.warning("%s", content)


def _cut(content: str) -> str:
    if len(content) <= LONGEST_MESSAGE:
        return content
    end = "\n… the rest is in the task's result"
    return content[: LONGEST_MESSAGE - len(end)] + end
