{{- /* Of the system tasks. A task is (dict "context" $ "task" $name "own" $valuesOfIt). */ -}}

{{- define "graphschedule.tasksEnabled" -}}
{{- if and .Values.tasks.enabled (not .Values.database.embedded.enabled) -}}true{{- end -}}
{{- end -}}

{{- define "graphschedule.taskNames" -}}
{{ list "processWeeklySummary" "processExistingBatches" "reportLateExecutions" "reportBlockErrorRates" "cleanupExpiredFiles" "cleanupOauthTokens" "reportExecutionAccuracyAlerts" "ensureEmbeddingsCoverage" | toJson }}
{{- end -}}

{{- /* The name of a task's CronJob, in the 52 characters that Kubernetes has for it. */ -}}
{{- define "graphschedule.taskCronJob" -}}
{{- $name := printf "%s-%s" (include "graphschedule.fullname" .context) .task -}}
{{- if le (len $name) 52 -}}
{{ $name }}
{{- else -}}
{{ $name | trunc 43 | trimSuffix "-" }}-{{ sha256sum $name | trunc 8 }}
{{- end -}}
{{- end -}}

{{- /* A task's interval in seconds; empty if it has a schedule. */ -}}
{{- define "graphschedule.taskInterval" -}}
{{- if not .own.schedule -}}
{{- if not (or .own.intervalSeconds .own.intervalHours) -}}
{{- fail (printf "tasks: %s has neither a schedule nor an interval; set schedule, intervalSeconds or intervalHours, or enabled=false" .task) -}}
{{- end -}}
{{ .own.intervalSeconds | default (mul 3600 (.own.intervalHours | default 0)) }}
{{- end -}}
{{- end -}}

{{- /*
When a task's CronJob fires. H in the fields of minute and hour is a number that follows from the release's name.
*/ -}}
{{- define "graphschedule.taskSchedule" -}}
{{- if .own.schedule -}}
{{- $fields := splitList " " (regexReplaceAll "\\s+" (trim .own.schedule) " ") -}}
{{- $hash := printf "%s/%s/%s" .context.Release.Namespace .context.Release.Name .task | adler32sum | int64 -}}
{{- $spread := list (mod $hash 60) (mod (div $hash 60) 24) -}}
{{- $said := list -}}
{{- range $index, $field := $fields -}}
{{- $said = append $said (ternary (index (concat $spread (list "H" "H" "H" "H")) (min $index 5 | int) | toString) $field (eq $field "H")) -}}
{{- end -}}
{{ join " " $said }}
{{- else -}}
{{ include "graphschedule.cronOfInterval" (include "graphschedule.taskInterval" . | int) }}
{{- end -}}
{{- end -}}

{{- /* The cron expression in UTC with the fewest ticks that hold all multiples of an interval since 1970. */ -}}
{{- define "graphschedule.cronOfInterval" -}}
{{- if eq (mod . 3600) 0 -}}
{{- $step := include "graphschedule.gcd" (list . 86400) | int -}}
{{ ternary "0 0 * * *" (printf "0 */%d * * *" (div $step 3600)) (eq $step 86400) }}
{{- else if eq (mod . 60) 0 -}}
*/{{ div (include "graphschedule.gcd" (list . 3600) | int) 60 }} * * * *
{{- else -}}
*/1 * * * *
{{- end -}}
{{- end -}}

{{- define "graphschedule.gcd" -}}
{{- $a := index . 0 | int -}}
{{- $b := index . 1 | int -}}
{{- if $b }}{{ include "graphschedule.gcd" (list $b (mod $a $b)) }}{{ else }}{{ $a }}{{ end -}}
{{- end -}}

{{- /* The spec of a task's Job. */ -}}
{{- define "graphschedule.taskJob" -}}
{{- $tasks := .context.Values.tasks -}}
# A retry helps where something was down; wrong settings it does not mend.
backoffLimit: 3
podFailurePolicy:
  rules:
    - action: FailJob
      onExitCodes:
        operator: In
        values: [64]
activeDeadlineSeconds: {{ .own.timeoutSeconds | default $tasks.timeoutSeconds }}
template:
  metadata:
    labels:
      {{- include "graphschedule.labels" (dict "context" .context "component" "task") | nindent 6 }}
      graphschedule.io/task: {{ .task }}
  spec:
    restartPolicy: Never
    automountServiceAccountToken: false
    {{- with $tasks.serviceAccountName }}
    serviceAccountName: {{ . | quote }}
    {{- end }}
    imagePullSecrets: {{ toJson .context.Values.imagePullSecrets }}
    securityContext:
      {{- include "graphschedule.podSecurityContext" .context | nindent 6 }}
    containers:
      - name: task
        image: {{ include "graphschedule.image" (dict "context" .context "image" .context.Values.runner.image) | quote }}
        imagePullPolicy: {{ .context.Values.runner.image.pullPolicy }}
        command: [graphschedule-runner, task, {{ .task }}]
        args:
          - --output=json
          {{- with include "graphschedule.taskInterval" . }}
          - --every={{ . }}
          {{- end }}
        env:
          - name: LOG_LEVEL
            value: {{ .context.Values.logLevel }}
          - name: DATABASE_URL
            {{- include "graphschedule.databaseUrl" .context | nindent 12 }}
          - name: RABBITMQ_URL
            valueFrom:
              secretKeyRef:
                name: {{ .context.Values.rabbitmq.existingSecret | quote }}
                key: {{ .context.Values.rabbitmq.key | quote }}
          - name: GRAPHSCHEDULE_CRONJOB_NAME
            value: {{ include "graphschedule.taskCronJob" . }}
          - name: GRAPHSCHEDULE_JOB_NAME
            valueFrom:
              fieldRef:
                fieldPath: metadata.labels['batch.kubernetes.io/job-name']
          - name: PUSHGATEWAY_INSTANCE
            value: {{ include "graphschedule.taskInstance" .context }}
          {{- range $name, $value := $tasks.settings }}
          - name: {{ $name }}
            value: {{ $value | toString | quote }}
          {{- end }}
          {{- with $tasks.extraEnv }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
        {{- with $tasks.existingSecret }}
        envFrom:
          - secretRef:
              name: {{ . | quote }}
        {{- end }}
        resources:
          {{- toYaml (.own.resources | default $tasks.resources) | nindent 10 }}
        securityContext:
          {{- include "graphschedule.containerSecurityContext" .context | nindent 10 }}
        {{- with $tasks.volumeMounts }}
        volumeMounts:
          {{- toYaml . | nindent 10 }}
        {{- end }}
    {{- with $tasks.volumes }}
    volumes:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end -}}

{{- /* What tells this release's metrics from another's. */ -}}
{{- define "graphschedule.taskInstance" -}}
{{ .Release.Namespace }}/{{ include "graphschedule.fullname" . }}
{{- end -}}
