{{- /* Names and labels. */ -}}

{{- define "graphschedule.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "graphschedule.operatorName" -}}
{{ include "graphschedule.fullname" . }}-operator
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

{{- /* A key of a Secret in the form of the operator's settings. */ -}}
{{- define "graphschedule.secretKey" -}}
{{ dict "name" .existingSecret "key" .key | toJson | quote }}
{{- end -}}

{{- /* The operator's settings: what it watches, and how the pods of a fire look. */ -}}
{{- define "graphschedule.operatorEnv" -}}
- name: GRAPHSCHEDULE_NAMESPACES
  value: {{ ternary "" (include "graphschedule.namespaces" . | fromJsonArray | join ",") .Values.watch.allNamespaces | quote }}
- name: GRAPHSCHEDULE_LOG_LEVEL
  value: {{ .Values.operator.logLevel }}
- name: GRAPHSCHEDULE_HTTP_PORT
  value: "8080"
- name: GRAPHSCHEDULE_RUNNER__IMAGE
  value: {{ include "graphschedule.image" (dict "context" . "image" .Values.runner.image) | quote }}
- name: GRAPHSCHEDULE_RUNNER__PULL_POLICY
  value: {{ .Values.runner.image.pullPolicy }}
{{- with .Values.imagePullSecrets }}
- name: GRAPHSCHEDULE_RUNNER__PULL_SECRETS
  value: {{ toJson . | quote }}
{{- end }}
- name: GRAPHSCHEDULE_RUNNER__SERVICE_ACCOUNT
  value: {{ include "graphschedule.runnerServiceAccount" . | quote }}
- name: GRAPHSCHEDULE_RUNNER__LOG_LEVEL
  value: {{ .Values.runner.logLevel }}
- name: GRAPHSCHEDULE_RUNNER__RESOURCES
  value: {{ toJson .Values.runner.resources | quote }}
{{- if .Values.database.embedded.enabled }}
- name: GRAPHSCHEDULE_RUNNER__DATA_CLAIM
  value: {{ include "graphschedule.dataClaim" . | quote }}
{{- else }}
- name: GRAPHSCHEDULE_RUNNER__DATABASE
  value: {{ include "graphschedule.secretKey" .Values.database }}
- name: GRAPHSCHEDULE_RUNNER__BROKER
  value: {{ include "graphschedule.secretKey" .Values.rabbitmq }}
{{- end }}
{{- if .Values.encryptionKey.existingSecret }}
- name: GRAPHSCHEDULE_RUNNER__ENCRYPTION
  value: {{ include "graphschedule.secretKey" .Values.encryptionKey }}
{{- end }}
{{- end -}}

{{- /* Pull secrets of a pod, given as names. */ -}}
{{- define "graphschedule.imagePullSecrets" -}}
imagePullSecrets:
  {{- range .Values.imagePullSecrets }}
  - name: {{ . | quote }}
  {{- else }} []
  {{- end }}
{{- end -}}
