{{- /* Names and labels. */ -}}

{{- define "graphschedule.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "graphschedule.operatorName" -}}
{{ include "graphschedule.fullname" . }}-operator
{{- end -}}

{{- define "graphschedule.apiName" -}}
{{ include "graphschedule.fullname" . }}-api
{{- end -}}

{{- define "graphschedule.selectorLabels" -}}
app.kubernetes.io/name: {{ .context.Chart.Name }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "graphschedule.labels" -}}
{{ include "graphschedule.selectorLabels" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ .context.Chart.Name }}
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* An image reference; a digest wins over a tag, and the tag follows the chart. */ -}}
{{- define "graphschedule.image" -}}
{{- $image := .image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .context.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* The namespaces whose schedules are served, as a JSON list: the release's own unless others are named. */ -}}
{{- define "graphschedule.namespaces" -}}
{{ .Values.watch.namespaces | default (list .Release.Namespace) | uniq | toJson }}
{{- end -}}

{{- /*
The account of runner pods. The chart makes it in each watched namespace; with allNamespaces it cannot, so the
account that every namespace has is used. Neither matters for rights: runner pods mount no token.
*/ -}}
{{- define "graphschedule.runnerServiceAccount" -}}
{{- if .Values.runner.serviceAccountName -}}
{{ .Values.runner.serviceAccountName }}
{{- else if .Values.watch.allNamespaces -}}
default
{{- else -}}
{{ include "graphschedule.fullname" . }}-runner
{{- end -}}
{{- end -}}

{{- define "graphschedule.dataClaim" -}}
{{ .Values.database.embedded.existingClaim | default (printf "%s-data" (include "graphschedule.fullname" .)) }}
{{- end -}}

{{- define "graphschedule.webhookSecret" -}}
{{ include "graphschedule.operatorName" . }}-webhook
{{- end -}}

{{- /* Where admission applies: to the namespaces that this release serves. */ -}}
{{- define "graphschedule.namespaceSelector" -}}
{{- if .Values.watch.allNamespaces -}}
namespaceSelector: {}
{{- else -}}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: In
      values: {{ include "graphschedule.namespaces" . }}
{{- end -}}
{{- end -}}

{{- /*
When admission applies: a change that leaves the spec alone always passes, or garbage collection could not remove its
finalizers.
*/ -}}
{{- define "graphschedule.specIsNew" -}}
- name: spec-is-new
  expression: request.operation == 'CREATE' || object.spec != oldObject.spec
{{- end -}}

{{- /* What the restricted Pod Security Standard asks for, and a read-only root besides. */ -}}
{{- define "graphschedule.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "graphschedule.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* A database URL as the value of an environment variable. */ -}}
{{- define "graphschedule.databaseUrl" -}}
{{- if .Values.database.embedded.enabled -}}
value: sqlite:////data/graphschedule.db
{{- else -}}
valueFrom:
  secretKeyRef:
    name: {{ .Values.database.existingSecret | quote }}
    key: {{ .Values.database.key | quote }}
{{- end -}}
{{- end -}}

{{- /* The settings of whoever judges graphs. What the platform offers to all users is the same for all who do. */ -}}
{{- define "graphschedule.judgeEnv" -}}
- name: GRAPHSCHEDULE_LOG_LEVEL
  value: {{ .Values.logLevel }}
- name: GRAPHSCHEDULE_DATABASE_URL
  {{- include "graphschedule.databaseUrl" . | nindent 2 }}
{{- with .Values.encryptionKey }}
{{- if .existingSecret }}
- name: GRAPHSCHEDULE_ENCRYPTION_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret | quote }}
      key: {{ .key | quote }}
{{- end }}
{{- end }}
{{- range .Values.runner.extraEnv }}
{{- if eq .name "SYSTEM_CREDENTIALS" }}
- name: GRAPHSCHEDULE_SYSTEM_CREDENTIALS
  {{- omit . "name" | toYaml | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The operator's settings: what it watches, what it reads, and how the pods of a fire look. */ -}}
{{- define "graphschedule.operatorEnv" -}}
- name: GRAPHSCHEDULE_NAMESPACES
  value: {{ ternary "[]" (include "graphschedule.namespaces" .) .Values.watch.allNamespaces | quote }}
- name: GRAPHSCHEDULE_PORT
  value: "8080"
{{- if .Values.webhook.enabled }}
- name: GRAPHSCHEDULE_WEBHOOK_PORT
  value: "8443"
- name: GRAPHSCHEDULE_WEBHOOK_CERTIFICATES
  value: /etc/graphschedule/webhook
- name: GRAPHSCHEDULE_WEBHOOK_SECONDS
  value: {{ sub .Values.webhook.timeoutSeconds 1 | quote }}
{{- end }}
{{ include "graphschedule.judgeEnv" . }}
- name: GRAPHSCHEDULE_DISPATCH
  value: {{ .Values.dispatch.default }}
- name: GRAPHSCHEDULE_SHARD_MEMBERS
  value: {{ .Values.dispatch.shardMembers | quote }}
- name: GRAPHSCHEDULE_RUNNER_IMAGE
  value: {{ include "graphschedule.image" (dict "context" . "image" .Values.runner.image) | quote }}
- name: GRAPHSCHEDULE_RUNNER_IMAGE_PULL_POLICY
  value: {{ .Values.runner.image.pullPolicy }}
- name: GRAPHSCHEDULE_RUNNER_IMAGE_PULL_SECRETS
  value: {{ toJson .Values.imagePullSecrets | quote }}
- name: GRAPHSCHEDULE_RUNNER_SERVICE_ACCOUNT
  value: {{ include "graphschedule.runnerServiceAccount" . | quote }}
- name: GRAPHSCHEDULE_RUNNER_RESOURCES
  value: {{ toJson .Values.runner.resources | quote }}
- name: GRAPHSCHEDULE_RUNNER_EXTRA_ENV
  value: {{ toJson .Values.runner.extraEnv | quote }}
{{- if .Values.database.embedded.enabled }}
- name: GRAPHSCHEDULE_DATA_CLAIM
  value: {{ include "graphschedule.dataClaim" . | quote }}
{{- else }}
- name: GRAPHSCHEDULE_DATABASE_SECRET_NAME
  value: {{ .Values.database.existingSecret | quote }}
- name: GRAPHSCHEDULE_DATABASE_SECRET_KEY
  value: {{ .Values.database.key | quote }}
- name: GRAPHSCHEDULE_BROKER_SECRET_NAME
  value: {{ .Values.rabbitmq.existingSecret | quote }}
- name: GRAPHSCHEDULE_BROKER_SECRET_KEY
  value: {{ .Values.rabbitmq.key | quote }}
{{- end }}
{{- with .Values.encryptionKey.existingSecret }}
- name: GRAPHSCHEDULE_ENCRYPTION_KEY_SECRET_NAME
  value: {{ . | quote }}
- name: GRAPHSCHEDULE_ENCRYPTION_KEY_SECRET_KEY
  value: {{ $.Values.encryptionKey.key | quote }}
{{- end }}
{{- end -}}
