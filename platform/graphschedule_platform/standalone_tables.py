"""The platform's tables that no fire touches, as of release v0.6.59: standalone databases and system tasks need them.

They are apart from `graphschedule_platform.tables` for the runner's sake, which starts once per fire: a table takes
longer to describe than to query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Index, Integer, Text

from graphschedule_platform import tables
from graphschedule_platform.column_types import (
    Json,
    PerDialect,
    PlatformEnum,
    PlatformEnumArray,
    SearchVector,
    TextArray,
    UtcTimestamp,
    Vector,
)
from graphschedule_platform.table_parts import (
    EMPTY_OBJECT,
    column,
    complete,
    created,
    flag,
    id_,
    index,
    of_graph,
    of_user,
    optional,
    references,
    table,
    unique,
    updated,
)

if TYPE_CHECKING:
    from sqlalchemy import Table

metadata = tables.user.metadata
"""All of the platform's tables, those of `graphschedule_platform.tables` too."""

ENUMS: dict[str, tuple[str, ...]] = {
    "AgentExecutionStatus": ("INCOMPLETE", "QUEUED", "RUNNING", "COMPLETED", "FAILED", "TERMINATED", "REVIEW"),
    "OnboardingStep": (
        "WELCOME",
        "USAGE_REASON",
        "INTEGRATIONS",
        "AGENT_CHOICE",
        "AGENT_NEW_RUN",
        "AGENT_INPUT",
        "CONGRATS",
        "GET_RESULTS",
        "MARKETPLACE_VISIT",
        "MARKETPLACE_ADD_AGENT",
        "MARKETPLACE_RUN_AGENT",
        "BUILDER_OPEN",
        "BUILDER_SAVE_AGENT",
        "BUILDER_RUN_AGENT",
        "RUN_AGENTS",
        "RE_RUN_AGENT",
        "SCHEDULE_AGENT",
        "RUN_3_DAYS",
        "TRIGGER_WEBHOOK",
        "RUN_14_DAYS",
        "RUN_AGENTS_100",
        "VISIT_COPILOT",
    ),
    "SubscriptionTier": ("NO_TIER", "BASIC", "PRO", "MAX", "BUSINESS", "ENTERPRISE"),
    "NotificationType": (
        "AGENT_RUN",
        "ZERO_BALANCE",
        "LOW_BALANCE",
        "BLOCK_EXECUTION_FAILED",
        "CONTINUOUS_AGENT_ERROR",
        "DAILY_SUMMARY",
        "WEEKLY_SUMMARY",
        "MONTHLY_SUMMARY",
        "REFUND_REQUEST",
        "REFUND_PROCESSED",
        "AGENT_APPROVED",
        "AGENT_REJECTED",
    ),
    "SubmissionStatus": ("DRAFT", "PENDING", "APPROVED", "REJECTED"),
    "ContentType": ("STORE_AGENT", "BLOCK", "INTEGRATION", "DOCUMENTATION", "LIBRARY_AGENT"),
    "CreditTransactionType": ("TOP_UP", "USAGE", "GRANT", "REFUND", "CARD_CHECK", "SUBSCRIPTION"),
    "APIKeyPermission": (
        "EXECUTE_GRAPH",
        "READ_GRAPH",
        "EXECUTE_BLOCK",
        "READ_BLOCK",
        "READ_STORE",
        "USE_TOOLS",
        "MANAGE_INTEGRATIONS",
        "READ_INTEGRATIONS",
        "DELETE_INTEGRATIONS",
        "IDENTITY",
        "WRITE_GRAPH",
        "WRITE_LIBRARY",
    ),
}
"""The native enum types, in database order (C §1.2)."""

profile = table(
    "Profile",
    id_(),
    created(),
    updated(),
    column("userId", Text),
    column("name", Text),
    column("username", Text),
    column("description", Text),
    column("links", TextArray),
    optional("avatarUrl", Text),
    flag("isFeatured", False),
    of_user(),
    unique("user_id"),
    unique("username"),
    index("user_id"),
)

integration_webhook = table(
    "IntegrationWebhook",
    id_(),
    created(),
    optional("updatedAt", UtcTimestamp),
    column("userId", Text),
    column("provider", Text),
    column("credentialsId", Text),
    column("webhookType", Text),
    column("resource", Text),
    column("events", TextArray),
    column("config", Json),
    column("secret", Text),
    column("providerWebhookId", Text),
    of_user(ondelete="RESTRICT"),
)

library_folder = table(
    "LibraryFolder",
    id_(),
    created(),
    updated(),
    column("userId", Text),
    column("name", Text),
    optional("icon", Text),
    optional("color", Text),
    optional("parentId", Text),
    flag("isDeleted", False),
    references("LibraryFolder", "parent_id", ondelete="CASCADE"),
    of_user(),
    unique("user_id", "parent_id", "name"),
)

agent_preset = table(
    "AgentPreset",
    id_(),
    created(),
    updated(),
    column("name", Text),
    column("description", Text),
    flag("isActive", True),
    column("userId", Text),
    column("agentGraphId", Text),
    column("agentGraphVersion", Integer),
    flag("isDeleted", False),
    optional("webhookId", Text),
    of_graph(ondelete="RESTRICT"),
    of_user(),
    references("IntegrationWebhook", "webhook_id", ondelete="SET NULL"),
    index("agent_graph_id", "agent_graph_version"),
    index("user_id"),
    index("webhook_id"),
)

store_listing = table(
    "StoreListing",
    id_(),
    created(),
    updated(),
    flag("isDeleted", False),
    column("agentGraphId", Text),
    column("owningUserId", Text),
    optional("activeVersionId", Text),
    flag("hasApprovedVersion", False),
    column("slug", Text),
    flag("useForOnboarding", False),
    references("StoreListingVersion", "active_version_id", ondelete="SET NULL"),
    references(
        "Profile", "owning_user_id", ondelete="CASCADE", to=("user_id",), name="StoreListing_owner_Profile_fkey"
    ),
    of_user("owning_user_id", ondelete="RESTRICT"),
    unique("active_version_id"),
    unique("agent_graph_id"),
    unique("owning_user_id", "slug"),
    index("is_deleted", "has_approved_version"),
)

user_notification_batch = table(
    "UserNotificationBatch",
    id_(),
    created(),
    updated(),
    column("userId", Text),
    column("type", PlatformEnum("NotificationType")),
    of_user(),
    unique("user_id", "type"),
)

notification_event = table(
    "NotificationEvent",
    id_(),
    created(),
    updated(),
    optional("userNotificationBatchId", Text),
    column("type", PlatformEnum("NotificationType")),
    column("data", Json),
    references("UserNotificationBatch", "user_notification_batch_id", ondelete="SET NULL"),
    index("user_notification_batch_id"),
)

_PERMISSIONS = PlatformEnumArray("APIKeyPermission")
_GRANT_TYPES = PerDialect(
    "ARRAY['authorization_code'::text, 'refresh_token'::text]", """'["authorization_code", "refresh_token"]'"""
)

oauth_application = table(
    "OAuthApplication",
    id_(),
    created(),
    column("updatedAt", UtcTimestamp),
    column("name", Text),
    optional("description", Text),
    column("clientId", Text),
    column("clientSecret", Text),
    column("clientSecretSalt", Text),
    optional("redirectUris", TextArray),
    column("grantTypes", TextArray, nullable=True, server_default=_GRANT_TYPES),
    optional("scopes", _PERMISSIONS),
    column("ownerId", Text),
    flag("isActive", True),
    optional("logoUrl", Text),
    of_user("owner_id"),
    unique("client_id"),
    index("client_id"),
    index("owner_id"),
)

oauth_authorization_code = table(
    "OAuthAuthorizationCode",
    id_(),
    column("code", Text),
    created(),
    column("expiresAt", UtcTimestamp),
    column("applicationId", Text),
    column("userId", Text),
    optional("scopes", _PERMISSIONS),
    column("redirectUri", Text),
    optional("codeChallenge", Text),
    optional("codeChallengeMethod", Text),
    optional("usedAt", UtcTimestamp),
    references("OAuthApplication", "application_id", ondelete="CASCADE"),
    of_user(),
    unique("code"),
    index("application_id", "user_id"),
    index("code"),
    index("expires_at"),
)


def _oauth_token(name: str) -> Table:
    return table(
        name,
        id_(),
        column("token", Text),
        created(),
        column("expiresAt", UtcTimestamp),
        column("applicationId", Text),
        column("userId", Text),
        optional("scopes", _PERMISSIONS),
        optional("revokedAt", UtcTimestamp),
        references("OAuthApplication", "application_id", ondelete="CASCADE"),
        of_user(),
        unique("token"),
        index("expires_at"),
        index("token"),
        index("user_id", "application_id"),
    )


oauth_access_token = _oauth_token("OAuthAccessToken")
oauth_refresh_token = _oauth_token("OAuthRefreshToken")

unified_content_embedding = table(
    "UnifiedContentEmbedding",
    id_(),
    created(),
    column("updatedAt", UtcTimestamp),
    column("contentType", PlatformEnum("ContentType")),
    column("contentId", Text),
    optional("userId", Text),
    column("embedding", Vector(1536)),
    column("searchableText", Text),
    column("metadata", Json, server_default=EMPTY_OBJECT),
    column("search", SearchVector, nullable=True, server_default=""),
    Index(None, "content_type", "content_id", "user_id", unique=True, postgresql_nulls_not_distinct=True),
    index("content_type"),
    index("content_type", "user_id"),
    Index(None, "search", postgresql_using="gin"),
    index("user_id"),
)

complete()
