"""The platform's tables that a run reads or writes, as of release v0.6.59, under clean Python names (C §1.3).

`agent_graph.c.user_id` is the column `"userId"` of `"AgentGraph"`. The tables carry no schema name: the engine
translates it (`graphschedule_platform.database`). They are Core tables, for the runner starts once per fire and
has no time for an ORM; and they are complete, for standalone databases are created from them and from
`graphschedule_platform.standalone_tables`.

A newer release may lack columns that nobody here needs (C §1.4): select the columns you read, never a whole table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, Integer, MetaData, Text, UniqueConstraint

from graphschedule_platform.column_types import (
    Json,
    PerDialect,
    PlatformEnum,
    PlatformEnumArray,
    SearchVector,
    TextArray,
    UtcTimestamp,
)
from graphschedule_platform.table_parts import (
    EMPTY_OBJECT,
    column,
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
    from collections.abc import Iterable

    from sqlalchemy import Table

user = table(
    "User",
    id_(),
    column("email", Text),
    optional("name", Text),
    created(),
    column("updatedAt", UtcTimestamp),
    column("metadata", Json, server_default=EMPTY_OBJECT),
    column("integrations", Text, server_default=""),
    optional("stripeCustomerId", Text),
    optional("topUpConfig", Json),
    column("maxEmailsPerDay", Integer, server_default="3"),
    flag("notifyOnAgentRun", True),
    flag("notifyOnBlockExecutionFailed", True),
    flag("notifyOnContinuousAgentError", True),
    flag("notifyOnDailySummary", True),
    flag("notifyOnLowBalance", True),
    flag("notifyOnMonthlySummary", True),
    flag("notifyOnWeeklySummary", True),
    flag("notifyOnZeroBalance", True),
    flag("emailVerified", True),
    column("timezone", Text, server_default="not-set"),
    flag("notifyOnAgentApproved", True),
    flag("notifyOnAgentRejected", True),
    column("subscriptionTier", PlatformEnum("SubscriptionTier"), server_default="NO_TIER"),
    keys=lambda: (
        CheckConstraint(
            "timezone = 'not-set' OR now() AT TIME ZONE timezone IS NOT NULL", name="User_timezone_check"
        ).ddl_if(dialect="postgresql"),
        unique("email"),
    ),
)

agent_block = table(
    "AgentBlock",
    id_(),
    column("name", Text),
    column("inputSchema", Text),
    column("outputSchema", Text),
    optional("description", Text),
    optional("optimizedDescription", Text),
    keys=lambda: (unique("name"),),
)

agent_graph = table(
    "AgentGraph",
    id_(),
    column("version", Integer, primary_key=True, autoincrement=False, server_default="1"),
    optional("name", Text),
    optional("description", Text),
    flag("isActive", True),
    column("userId", Text),
    created(),
    optional("updatedAt", UtcTimestamp),
    optional("forkedFromId", Text),
    optional("forkedFromVersion", Integer),
    optional("recommendedScheduleCron", Text),
    optional("instructions", Text),
    keys=lambda: (
        references("AgentGraph", "forked_from_id", "forked_from_version", ondelete="SET NULL", to=("id", "version")),
        of_user(),
        index("forked_from_id", "forked_from_version"),
        index("user_id", "is_active", "id", "version"),
    ),
)

_JSON_OBJECT = PerDialect("'{}'::json", "'{}'")

agent_node = table(
    "AgentNode",
    id_(),
    column("agentBlockId", Text),
    column("agentGraphId", Text),
    column("agentGraphVersion", Integer, server_default="1"),
    optional("webhookId", Text),
    column("constantInput", Json, server_default=_JSON_OBJECT),
    column("metadata", Json, server_default=_JSON_OBJECT),
    keys=lambda: (
        references("AgentBlock", "agent_block_id", ondelete="RESTRICT"),
        of_graph(ondelete="CASCADE"),
        references("IntegrationWebhook", "webhook_id", ondelete="SET NULL"),
        index("agent_block_id"),
        index("agent_graph_id", "agent_graph_version"),
        index("webhook_id"),
    ),
)

agent_node_link = table(
    "AgentNodeLink",
    id_(),
    column("agentNodeSourceId", Text),
    column("sourceName", Text),
    column("agentNodeSinkId", Text),
    column("sinkName", Text),
    flag("isStatic", False),
    keys=lambda: (
        references("AgentNode", "agent_node_sink_id", ondelete="CASCADE"),
        references("AgentNode", "agent_node_source_id", ondelete="CASCADE"),
        index("agent_node_sink_id"),
        index("agent_node_source_id"),
    ),
)

library_agent = table(
    "LibraryAgent",
    id_(),
    created(),
    updated(),
    column("userId", Text),
    column("agentGraphId", Text),
    column("agentGraphVersion", Integer),
    flag("isFavorite", False),
    flag("isCreatedByUser", False),
    flag("isArchived", False),
    flag("isDeleted", False),
    flag("useGraphIsActiveVersion", False),
    optional("creatorId", Text),
    optional("imageUrl", Text),
    column("settings", Json, server_default=EMPTY_OBJECT),
    optional("folderId", Text),
    keys=lambda: (
        of_graph(ondelete="RESTRICT"),
        references("Profile", "creator_id", ondelete="SET NULL"),
        references("LibraryFolder", "folder_id", ondelete="RESTRICT"),
        of_user(),
        unique("user_id", "agent_graph_id", "agent_graph_version"),
        index("agent_graph_id", "agent_graph_version"),
        index("creator_id"),
        index("folder_id"),
    ),
)

store_listing_version = table(
    "StoreListingVersion",
    id_(),
    column("version", Integer, server_default="1"),
    created(),
    updated(),
    column("agentGraphId", Text),
    column("agentGraphVersion", Integer),
    column("name", Text),
    column("subHeading", Text),
    optional("videoUrl", Text),
    column("imageUrls", TextArray),
    column("description", Text),
    column("categories", TextArray),
    flag("isFeatured", False),
    flag("isDeleted", False),
    flag("isAvailable", True),
    column("storeListingId", Text),
    optional("reviewerId", Text),
    optional("reviewComments", Text),
    optional("internalComments", Text),
    optional("reviewedAt", UtcTimestamp),
    optional("changesSummary", Text),
    column("submissionStatus", PlatformEnum("SubmissionStatus"), server_default="DRAFT"),
    optional("submittedAt", UtcTimestamp),
    optional("recommendedScheduleCron", Text),
    optional("instructions", Text),
    column("search", SearchVector, nullable=True, server_default=""),
    optional("agentOutputDemoUrl", Text),
    keys=lambda: (
        of_graph(ondelete="RESTRICT"),
        of_user("reviewer_id", ondelete="SET NULL"),
        references("StoreListing", "store_listing_id", ondelete="CASCADE"),
        unique("store_listing_id", "version"),
        index("agent_graph_id", "agent_graph_version"),
        index("reviewer_id"),
        index("store_listing_id", "submission_status", "is_available"),
        index("submission_status"),
    ),
)

_STATUS = PlatformEnum("AgentExecutionStatus")

agent_graph_execution = table(
    "AgentGraphExecution",
    id_(),
    column("agentGraphId", Text),
    column("agentGraphVersion", Integer, server_default="1"),
    column("userId", Text),
    created(),
    optional("updatedAt", UtcTimestamp),
    column("executionStatus", _STATUS, server_default="COMPLETED"),
    optional("startedAt", UtcTimestamp),
    optional("agentPresetId", Text),
    optional("stats", Json),
    flag("isDeleted", False),
    optional("credentialInputs", Json),
    optional("inputs", Json),
    optional("nodesInputMasks", Json),
    flag("isShared", False),
    optional("shareToken", Text),
    optional("sharedAt", UtcTimestamp),
    optional("parentGraphExecutionId", Text),
    optional("endedAt", UtcTimestamp),
    keys=lambda: (
        of_graph(ondelete="CASCADE"),
        references("AgentPreset", "agent_preset_id", ondelete="SET NULL"),
        references("AgentGraphExecution", "parent_graph_execution_id", ondelete="SET NULL"),
        of_user(),
        unique("share_token"),
        index("agent_graph_id", "agent_graph_version"),
        index("agent_preset_id"),
        index("created_at"),
        index("parent_graph_execution_id"),
        index("share_token"),
        index("user_id", "is_deleted", "created_at"),
    ),
)

agent_node_execution = table(
    "AgentNodeExecution",
    id_(),
    column("agentGraphExecutionId", Text),
    column("agentNodeId", Text),
    created("addedTime"),
    optional("queuedTime", UtcTimestamp),
    optional("startedTime", UtcTimestamp),
    optional("endedTime", UtcTimestamp),
    column("executionStatus", _STATUS, server_default="COMPLETED"),
    optional("stats", Json),
    optional("executionData", Json),
    keys=lambda: (
        references("AgentGraphExecution", "agent_graph_execution_id", ondelete="CASCADE"),
        references("AgentNode", "agent_node_id", ondelete="CASCADE"),
        index("added_time", "queued_time"),
        index("agent_graph_execution_id", "agent_node_id", "execution_status"),
        index("agent_node_id", "execution_status"),
    ),
)

agent_node_execution_input_output = table(
    "AgentNodeExecutionInputOutput",
    id_(),
    column("name", Text),
    created("time"),
    optional("referencedByInputExecId", Text),
    optional("referencedByOutputExecId", Text),
    optional("agentPresetId", Text),
    optional("data", Json),
    keys=lambda: (
        references("AgentPreset", "agent_preset_id", ondelete="SET NULL"),
        references("AgentNodeExecution", "referenced_by_input_exec_id", ondelete="CASCADE"),
        references("AgentNodeExecution", "referenced_by_output_exec_id", ondelete="CASCADE"),
        unique("referenced_by_input_exec_id", "referenced_by_output_exec_id", "name"),
        index("agent_preset_id"),
        index("name", "time"),
        index("referenced_by_output_exec_id"),
    ),
)

user_workspace = table(
    "UserWorkspace",
    id_(),
    created(),
    column("updatedAt", UtcTimestamp),
    column("userId", Text),
    keys=lambda: (
        of_user(),
        unique("user_id"),
        index("user_id"),
    ),
)

_STEPS = PlatformEnumArray("OnboardingStep")

user_onboarding = table(
    "UserOnboarding",
    id_(),
    created(),
    optional("usageReason", Text),
    column("integrations", TextArray, server_default=PerDialect("ARRAY[]::text[]", "'[]'")),
    optional("otherIntegrations", Text),
    optional("agentInput", Json),
    column("userId", Text),
    column("completedSteps", _STEPS, server_default="{}"),
    optional("selectedStoreListingVersionId", Text),
    optional("updatedAt", UtcTimestamp),
    column("notified", _STEPS, server_default="{}"),
    column("rewardedFor", _STEPS, server_default="{}"),
    optional("onboardingAgentExecutionId", Text),
    column("agentRuns", Integer, server_default="0"),
    column("consecutiveRunDays", Integer, server_default="0"),
    optional("lastRunAt", UtcTimestamp),
    flag("walletShown", False),
    keys=lambda: (
        of_user(),
        UniqueConstraint("user_id"),
    ),
)

user_balance = table(
    "UserBalance",
    column("userId", Text, primary_key=True),
    column("balance", Integer, server_default="0"),
    column("updatedAt", UtcTimestamp),
    keys=lambda: (
        of_user(),
        index("user_id"),
    ),
)

credit_transaction = table(
    "CreditTransaction",
    column("transactionKey", Text, primary_key=True),
    created(),
    column("userId", Text, primary_key=True),
    column("amount", Integer),
    column("type", PlatformEnum("CreditTransactionType")),
    flag("isActive", True),
    optional("metadata", Json),
    optional("runningBalance", Integer),
    keys=lambda: (
        of_user(ondelete=None),
        index("user_id", "created_at"),
    ),
)

LATER_COLUMNS: dict[str, dict[str, Any]] = {
    "AgentGraphExecution": dict.fromkeys(
        ("triggerSource", "triggerRef", "scheduleId", "organizationId", "teamId"), Text
    ),
    "LibraryAgent": {"lastRunAt": UtcTimestamp, "organizationId": Text, "teamId": Text},
}
"""Columns that releases after v0.6.59 have and a run should fill, with their types (C §1.4); all may be null."""


def with_later_columns(known: Table, names: Iterable[str]) -> Table:
    """Return a table with some of its later columns; `graphschedule_platform.probe` finds out which there are."""
    extended = known.to_metadata(MetaData())
    for name in names:
        extended.append_column(optional(name, LATER_COLUMNS[known.name][name]))
    return extended
