"""The platform's tables, as of release v0.6.59, under clean Python names (C §1.3).

`agent_graph.c.user_id` is the column `"userId"` of `"AgentGraph"`. The tables carry no schema name: the engine
translates it (`graphschedule_platform.database`). They are Core tables, for the runner starts once per fire and
has no time for an ORM; and they are complete, for standalone databases are created from them.

A newer release may lack columns that nobody here needs (C §1.4): select the columns you read, never a whole table.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Constraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

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

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.sql.schema import SchemaItem

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

_MAX_NAME = 63
_SUFFIXES: dict[type, str] = {
    PrimaryKeyConstraint: "_pkey",
    ForeignKeyConstraint: "_fkey",
    UniqueConstraint: "_key",
    Index: "_idx",
}


def _platform_name(item: Any, table: Table) -> str:  # noqa: ANN401 - SQLAlchemy passes a constraint or an index
    """Return the name the platform's migrations give: table, columns, kind; cut to PostgreSQL's 63 bytes."""
    suffix = "_key" if isinstance(item, Index) and item.unique else _SUFFIXES[type(item)]
    columns = [] if isinstance(item, PrimaryKeyConstraint) else [column.name for column in item.columns]
    return "_".join([table.name, *columns])[: _MAX_NAME - len(suffix)] + suffix


metadata = MetaData(
    naming_convention={"platform_name": _platform_name} | dict.fromkeys(("pk", "fk", "uq", "ix"), "%(platform_name)s")
)

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOW = PerDialect("CURRENT_TIMESTAMP", "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))")
_EMPTY_OBJECT = text("'{}'")


def _column(name: str, type_: Any, **options: Any) -> Column[Any]:  # noqa: ANN401 - handed to Column as they are
    """Return a column that is NOT NULL unless said, keyed by its snake_case name."""
    return Column(name, type_, key=_WORD_START.sub("_", name).lower(), **({"nullable": False} | options))


def _id() -> Column[Any]:
    """Return an id: a lower-case UUID that the writer makes, for there is no default (C §1.1)."""
    return _column("id", Text, primary_key=True)


def _optional(name: str, type_: Any) -> Column[Any]:  # noqa: ANN401 - handed to Column as it is
    return _column(name, type_, nullable=True)


def _flag(name: str, default: bool) -> Column[Any]:
    return _column(name, Boolean, server_default=PerDialect(str(default).lower(), str(int(default))))


def _created(name: str = "createdAt") -> Column[Any]:
    return _column(name, UtcTimestamp, server_default=_NOW)


def _updated() -> Column[Any]:
    """Return an `updatedAt` that defaults to now on insert only; an update must set it (C §1.1)."""
    return _column("updatedAt", UtcTimestamp, server_default=_NOW)


def _table(name: str, *items: SchemaItem) -> Table:
    return Table(name, metadata, *items)


def _references(
    target: str, *columns: str, ondelete: str | None, to: tuple[str, ...] = ("id",), name: str | None = None
) -> Constraint:
    return ForeignKeyConstraint(
        columns, [f"{target}.{column}" for column in to], ondelete=ondelete, onupdate="CASCADE", name=name
    )


def _of_user(column: str = "user_id", ondelete: str | None = "CASCADE") -> Constraint:
    return _references("User", column, ondelete=ondelete)


def _of_graph(ondelete: str) -> Constraint:
    return _references("AgentGraph", "agent_graph_id", "agent_graph_version", ondelete=ondelete, to=("id", "version"))


def _unique(*columns: str) -> Index:
    return Index(None, *columns, unique=True)


def _index(*columns: str) -> Index:
    return Index(None, *columns)


user = _table(
    "User",
    _id(),
    _column("email", Text),
    _optional("name", Text),
    _created(),
    _column("updatedAt", UtcTimestamp),
    _column("metadata", Json, server_default=_EMPTY_OBJECT),
    _column("integrations", Text, server_default=""),
    _optional("stripeCustomerId", Text),
    _optional("topUpConfig", Json),
    _column("maxEmailsPerDay", Integer, server_default="3"),
    _flag("notifyOnAgentRun", True),
    _flag("notifyOnBlockExecutionFailed", True),
    _flag("notifyOnContinuousAgentError", True),
    _flag("notifyOnDailySummary", True),
    _flag("notifyOnLowBalance", True),
    _flag("notifyOnMonthlySummary", True),
    _flag("notifyOnWeeklySummary", True),
    _flag("notifyOnZeroBalance", True),
    _flag("emailVerified", True),
    _column("timezone", Text, server_default="not-set"),
    _flag("notifyOnAgentApproved", True),
    _flag("notifyOnAgentRejected", True),
    _column("subscriptionTier", PlatformEnum("SubscriptionTier"), server_default="NO_TIER"),
    CheckConstraint(
        "timezone = 'not-set' OR now() AT TIME ZONE timezone IS NOT NULL", name="User_timezone_check"
    ).ddl_if(dialect="postgresql"),
    _unique("email"),
)

profile = _table(
    "Profile",
    _id(),
    _created(),
    _updated(),
    _column("userId", Text),
    _column("name", Text),
    _column("username", Text),
    _column("description", Text),
    _column("links", TextArray),
    _optional("avatarUrl", Text),
    _flag("isFeatured", False),
    _of_user(),
    _unique("user_id"),
    _unique("username"),
    _index("user_id"),
)

agent_block = _table(
    "AgentBlock",
    _id(),
    _column("name", Text),
    _column("inputSchema", Text),
    _column("outputSchema", Text),
    _optional("description", Text),
    _optional("optimizedDescription", Text),
    _unique("name"),
)

agent_graph = _table(
    "AgentGraph",
    _id(),
    _column("version", Integer, primary_key=True, autoincrement=False, server_default="1"),
    _optional("name", Text),
    _optional("description", Text),
    _flag("isActive", True),
    _column("userId", Text),
    _created(),
    _optional("updatedAt", UtcTimestamp),
    _optional("forkedFromId", Text),
    _optional("forkedFromVersion", Integer),
    _optional("recommendedScheduleCron", Text),
    _optional("instructions", Text),
    _references("AgentGraph", "forked_from_id", "forked_from_version", ondelete="SET NULL", to=("id", "version")),
    _of_user(),
    _index("forked_from_id", "forked_from_version"),
    _index("user_id", "is_active", "id", "version"),
)

integration_webhook = _table(
    "IntegrationWebhook",
    _id(),
    _created(),
    _optional("updatedAt", UtcTimestamp),
    _column("userId", Text),
    _column("provider", Text),
    _column("credentialsId", Text),
    _column("webhookType", Text),
    _column("resource", Text),
    _column("events", TextArray),
    _column("config", Json),
    _column("secret", Text),
    _column("providerWebhookId", Text),
    _of_user(ondelete="RESTRICT"),
)

_JSON_OBJECT = PerDialect("'{}'::json", "'{}'")

agent_node = _table(
    "AgentNode",
    _id(),
    _column("agentBlockId", Text),
    _column("agentGraphId", Text),
    _column("agentGraphVersion", Integer, server_default="1"),
    _optional("webhookId", Text),
    _column("constantInput", Json, server_default=_JSON_OBJECT),
    _column("metadata", Json, server_default=_JSON_OBJECT),
    _references("AgentBlock", "agent_block_id", ondelete="RESTRICT"),
    _of_graph(ondelete="CASCADE"),
    _references("IntegrationWebhook", "webhook_id", ondelete="SET NULL"),
    _index("agent_block_id"),
    _index("agent_graph_id", "agent_graph_version"),
    _index("webhook_id"),
)

agent_node_link = _table(
    "AgentNodeLink",
    _id(),
    _column("agentNodeSourceId", Text),
    _column("sourceName", Text),
    _column("agentNodeSinkId", Text),
    _column("sinkName", Text),
    _flag("isStatic", False),
    _references("AgentNode", "agent_node_sink_id", ondelete="CASCADE"),
    _references("AgentNode", "agent_node_source_id", ondelete="CASCADE"),
    _index("agent_node_sink_id"),
    _index("agent_node_source_id"),
)

library_folder = _table(
    "LibraryFolder",
    _id(),
    _created(),
    _updated(),
    _column("userId", Text),
    _column("name", Text),
    _optional("icon", Text),
    _optional("color", Text),
    _optional("parentId", Text),
    _flag("isDeleted", False),
    _references("LibraryFolder", "parent_id", ondelete="CASCADE"),
    _of_user(),
    _unique("user_id", "parent_id", "name"),
)

library_agent = _table(
    "LibraryAgent",
    _id(),
    _created(),
    _updated(),
    _column("userId", Text),
    _column("agentGraphId", Text),
    _column("agentGraphVersion", Integer),
    _flag("isFavorite", False),
    _flag("isCreatedByUser", False),
    _flag("isArchived", False),
    _flag("isDeleted", False),
    _flag("useGraphIsActiveVersion", False),
    _optional("creatorId", Text),
    _optional("imageUrl", Text),
    _column("settings", Json, server_default=_EMPTY_OBJECT),
    _optional("folderId", Text),
    _of_graph(ondelete="RESTRICT"),
    _references("Profile", "creator_id", ondelete="SET NULL"),
    _references("LibraryFolder", "folder_id", ondelete="RESTRICT"),
    _of_user(),
    _unique("user_id", "agent_graph_id", "agent_graph_version"),
    _index("agent_graph_id", "agent_graph_version"),
    _index("creator_id"),
    _index("folder_id"),
)

agent_preset = _table(
    "AgentPreset",
    _id(),
    _created(),
    _updated(),
    _column("name", Text),
    _column("description", Text),
    _flag("isActive", True),
    _column("userId", Text),
    _column("agentGraphId", Text),
    _column("agentGraphVersion", Integer),
    _flag("isDeleted", False),
    _optional("webhookId", Text),
    _of_graph(ondelete="RESTRICT"),
    _of_user(),
    _references("IntegrationWebhook", "webhook_id", ondelete="SET NULL"),
    _index("agent_graph_id", "agent_graph_version"),
    _index("user_id"),
    _index("webhook_id"),
)

store_listing = _table(
    "StoreListing",
    _id(),
    _created(),
    _updated(),
    _flag("isDeleted", False),
    _column("agentGraphId", Text),
    _column("owningUserId", Text),
    _optional("activeVersionId", Text),
    _flag("hasApprovedVersion", False),
    _column("slug", Text),
    _flag("useForOnboarding", False),
    _references("StoreListingVersion", "active_version_id", ondelete="SET NULL"),
    _references(
        "Profile", "owning_user_id", ondelete="CASCADE", to=("user_id",), name="StoreListing_owner_Profile_fkey"
    ),
    _of_user("owning_user_id", ondelete="RESTRICT"),
    _unique("active_version_id"),
    _unique("agent_graph_id"),
    _unique("owning_user_id", "slug"),
    _index("is_deleted", "has_approved_version"),
)

store_listing_version = _table(
    "StoreListingVersion",
    _id(),
    _column("version", Integer, server_default="1"),
    _created(),
    _updated(),
    _column("agentGraphId", Text),
    _column("agentGraphVersion", Integer),
    _column("name", Text),
    _column("subHeading", Text),
    _optional("videoUrl", Text),
    _column("imageUrls", TextArray),
    _column("description", Text),
    _column("categories", TextArray),
    _flag("isFeatured", False),
    _flag("isDeleted", False),
    _flag("isAvailable", True),
    _column("storeListingId", Text),
    _optional("reviewerId", Text),
    _optional("reviewComments", Text),
    _optional("internalComments", Text),
    _optional("reviewedAt", UtcTimestamp),
    _optional("changesSummary", Text),
    _column("submissionStatus", PlatformEnum("SubmissionStatus"), server_default="DRAFT"),
    _optional("submittedAt", UtcTimestamp),
    _optional("recommendedScheduleCron", Text),
    _optional("instructions", Text),
    _column("search", SearchVector, nullable=True, server_default=""),
    _optional("agentOutputDemoUrl", Text),
    _of_graph(ondelete="RESTRICT"),
    _of_user("reviewer_id", ondelete="SET NULL"),
    _references("StoreListing", "store_listing_id", ondelete="CASCADE"),
    _unique("store_listing_id", "version"),
    _index("agent_graph_id", "agent_graph_version"),
    _index("reviewer_id"),
    _index("store_listing_id", "submission_status", "is_available"),
    _index("submission_status"),
)

_STATUS = PlatformEnum("AgentExecutionStatus")

agent_graph_execution = _table(
    "AgentGraphExecution",
    _id(),
    _column("agentGraphId", Text),
    _column("agentGraphVersion", Integer, server_default="1"),
    _column("userId", Text),
    _created(),
    _optional("updatedAt", UtcTimestamp),
    _column("executionStatus", _STATUS, server_default="COMPLETED"),
    _optional("startedAt", UtcTimestamp),
    _optional("agentPresetId", Text),
    _optional("stats", Json),
    _flag("isDeleted", False),
    _optional("credentialInputs", Json),
    _optional("inputs", Json),
    _optional("nodesInputMasks", Json),
    _flag("isShared", False),
    _optional("shareToken", Text),
    _optional("sharedAt", UtcTimestamp),
    _optional("parentGraphExecutionId", Text),
    _optional("endedAt", UtcTimestamp),
    _of_graph(ondelete="CASCADE"),
    _references("AgentPreset", "agent_preset_id", ondelete="SET NULL"),
    _references("AgentGraphExecution", "parent_graph_execution_id", ondelete="SET NULL"),
    _of_user(),
    _unique("share_token"),
    _index("agent_graph_id", "agent_graph_version"),
    _index("agent_preset_id"),
    _index("created_at"),
    _index("parent_graph_execution_id"),
    _index("share_token"),
    _index("user_id", "is_deleted", "created_at"),
)

agent_node_execution = _table(
    "AgentNodeExecution",
    _id(),
    _column("agentGraphExecutionId", Text),
    _column("agentNodeId", Text),
    _created("addedTime"),
    _optional("queuedTime", UtcTimestamp),
    _optional("startedTime", UtcTimestamp),
    _optional("endedTime", UtcTimestamp),
    _column("executionStatus", _STATUS, server_default="COMPLETED"),
    _optional("stats", Json),
    _optional("executionData", Json),
    _references("AgentGraphExecution", "agent_graph_execution_id", ondelete="CASCADE"),
    _references("AgentNode", "agent_node_id", ondelete="CASCADE"),
    _index("added_time", "queued_time"),
    _index("agent_graph_execution_id", "agent_node_id", "execution_status"),
    _index("agent_node_id", "execution_status"),
)

agent_node_execution_input_output = _table(
    "AgentNodeExecutionInputOutput",
    _id(),
    _column("name", Text),
    _created("time"),
    _optional("referencedByInputExecId", Text),
    _optional("referencedByOutputExecId", Text),
    _optional("agentPresetId", Text),
    _optional("data", Json),
    _references("AgentPreset", "agent_preset_id", ondelete="SET NULL"),
    _references("AgentNodeExecution", "referenced_by_input_exec_id", ondelete="CASCADE"),
    _references("AgentNodeExecution", "referenced_by_output_exec_id", ondelete="CASCADE"),
    _unique("referenced_by_input_exec_id", "referenced_by_output_exec_id", "name"),
    _index("agent_preset_id"),
    _index("name", "time"),
    _index("referenced_by_output_exec_id"),
)

user_workspace = _table(
    "UserWorkspace",
    _id(),
    _created(),
    _column("updatedAt", UtcTimestamp),
    _column("userId", Text),
    _of_user(),
    _unique("user_id"),
    _index("user_id"),
)

_STEPS = PlatformEnumArray("OnboardingStep")

user_onboarding = _table(
    "UserOnboarding",
    _id(),
    _created(),
    _optional("usageReason", Text),
    _column("integrations", TextArray, server_default=PerDialect("ARRAY[]::text[]", "'[]'")),
    _optional("otherIntegrations", Text),
    _optional("agentInput", Json),
    _column("userId", Text),
    _column("completedSteps", _STEPS, server_default="{}"),
    _optional("selectedStoreListingVersionId", Text),
    _optional("updatedAt", UtcTimestamp),
    _column("notified", _STEPS, server_default="{}"),
    _column("rewardedFor", _STEPS, server_default="{}"),
    _optional("onboardingAgentExecutionId", Text),
    _column("agentRuns", Integer, server_default="0"),
    _column("consecutiveRunDays", Integer, server_default="0"),
    _optional("lastRunAt", UtcTimestamp),
    _flag("walletShown", False),
    _of_user(),
    UniqueConstraint("user_id"),
)

user_balance = _table(
    "UserBalance",
    _column("userId", Text, primary_key=True),
    _column("balance", Integer, server_default="0"),
    _column("updatedAt", UtcTimestamp),
    _of_user(),
    _index("user_id"),
)

credit_transaction = _table(
    "CreditTransaction",
    _column("transactionKey", Text, primary_key=True),
    _created(),
    _column("userId", Text, primary_key=True),
    _column("amount", Integer),
    _column("type", PlatformEnum("CreditTransactionType")),
    _flag("isActive", True),
    _optional("metadata", Json),
    _optional("runningBalance", Integer),
    _of_user(ondelete=None),
    _index("user_id", "created_at"),
)

user_notification_batch = _table(
    "UserNotificationBatch",
    _id(),
    _created(),
    _updated(),
    _column("userId", Text),
    _column("type", PlatformEnum("NotificationType")),
    _of_user(),
    _unique("user_id", "type"),
)

notification_event = _table(
    "NotificationEvent",
    _id(),
    _created(),
    _updated(),
    _optional("userNotificationBatchId", Text),
    _column("type", PlatformEnum("NotificationType")),
    _column("data", Json),
    _references("UserNotificationBatch", "user_notification_batch_id", ondelete="SET NULL"),
    _index("user_notification_batch_id"),
)

_PERMISSIONS = PlatformEnumArray("APIKeyPermission")
_GRANT_TYPES = PerDialect(
    "ARRAY['authorization_code'::text, 'refresh_token'::text]", """'["authorization_code", "refresh_token"]'"""
)

oauth_application = _table(
    "OAuthApplication",
    _id(),
    _created(),
    _column("updatedAt", UtcTimestamp),
    _column("name", Text),
    _optional("description", Text),
    _column("clientId", Text),
    _column("clientSecret", Text),
    _column("clientSecretSalt", Text),
    _optional("redirectUris", TextArray),
    _column("grantTypes", TextArray, nullable=True, server_default=_GRANT_TYPES),
    _optional("scopes", _PERMISSIONS),
    _column("ownerId", Text),
    _flag("isActive", True),
    _optional("logoUrl", Text),
    _of_user("owner_id"),
    _unique("client_id"),
    _index("client_id"),
    _index("owner_id"),
)

oauth_authorization_code = _table(
    "OAuthAuthorizationCode",
    _id(),
    _column("code", Text),
    _created(),
    _column("expiresAt", UtcTimestamp),
    _column("applicationId", Text),
    _column("userId", Text),
    _optional("scopes", _PERMISSIONS),
    _column("redirectUri", Text),
    _optional("codeChallenge", Text),
    _optional("codeChallengeMethod", Text),
    _optional("usedAt", UtcTimestamp),
    _references("OAuthApplication", "application_id", ondelete="CASCADE"),
    _of_user(),
    _unique("code"),
    _index("application_id", "user_id"),
    _index("code"),
    _index("expires_at"),
)


def _oauth_token(name: str) -> Table:
    return _table(
        name,
        _id(),
        _column("token", Text),
        _created(),
        _column("expiresAt", UtcTimestamp),
        _column("applicationId", Text),
        _column("userId", Text),
        _optional("scopes", _PERMISSIONS),
        _optional("revokedAt", UtcTimestamp),
        _references("OAuthApplication", "application_id", ondelete="CASCADE"),
        _of_user(),
        _unique("token"),
        _index("expires_at"),
        _index("token"),
        _index("user_id", "application_id"),
    )


oauth_access_token = _oauth_token("OAuthAccessToken")
oauth_refresh_token = _oauth_token("OAuthRefreshToken")

unified_content_embedding = _table(
    "UnifiedContentEmbedding",
    _id(),
    _created(),
    _column("updatedAt", UtcTimestamp),
    _column("contentType", PlatformEnum("ContentType")),
    _column("contentId", Text),
    _optional("userId", Text),
    _column("embedding", Vector(1536)),
    _column("searchableText", Text),
    _column("metadata", Json, server_default=_EMPTY_OBJECT),
    _column("search", SearchVector, nullable=True, server_default=""),
    Index(None, "content_type", "content_id", "user_id", unique=True, postgresql_nulls_not_distinct=True),
    _index("content_type"),
    _index("content_type", "user_id"),
    Index(None, "search", postgresql_using="gin"),
    _index("user_id"),
)

LATER_COLUMNS: dict[str, dict[str, Any]] = {
    "AgentGraphExecution": dict.fromkeys(
        ("triggerSource", "triggerRef", "scheduleId", "organizationId", "teamId"), Text
    ),
    "LibraryAgent": {"lastRunAt": UtcTimestamp, "organizationId": Text, "teamId": Text},
}
"""Columns that releases after v0.6.59 have and a run should fill, with their types (C §1.4); all may be null."""


def with_later_columns(table: Table, names: Iterable[str]) -> Table:
    """Return a table with some of its later columns; `graphschedule_platform.probe` finds out which there are."""
    extended = table.to_metadata(MetaData())
    for name in names:
        extended.append_column(_optional(name, LATER_COLUMNS[table.name][name]))
    return extended
