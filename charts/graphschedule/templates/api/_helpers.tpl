{{- /* Of the API. */ -}}

{{- /* Where schedules are made that come by the API: the first namespace that is served, unless another is named. */ -}}
{{- define "graphschedule.apiNamespace" -}}
{{ .Values.api.namespace | default (include "graphschedule.namespaces" . | fromJsonArray | first) }}
{{- end -}}

{{- define "graphschedule.apiEnv" -}}
- name: GRAPHSCHEDULE_NAMESPACES
  value: {{ ternary "[]" (include "graphschedule.namespaces" .) .Values.watch.allNamespaces | quote }}
- name: GRAPHSCHEDULE_NAMESPACE
  value: {{ include "graphschedule.apiNamespace" . }}
- name: GRAPHSCHEDULE_TASK_NAMESPACE
  value: {{ .Release.Namespace }}
- name: GRAPHSCHEDULE_TASK_SELECTOR
  value: app.kubernetes.io/instance={{ .Release.Name }}
- name: GRAPHSCHEDULE_PORT
  value: "8003"
{{ include "graphschedule.judgeEnv" . }}
- name: GRAPHSCHEDULE_BODY_BYTES
  value: {{ .Values.api.maxBodyBytes | int | quote }}
{{- with .Values.api.rest }}
- name: GRAPHSCHEDULE_REST_ENABLED
  value: {{ .enabled | quote }}
- name: GRAPHSCHEDULE_KUBERNETES_TOKENS
  value: {{ .kubernetesTokens.enabled | quote }}
- name: GRAPHSCHEDULE_TOKEN_AUDIENCE
  value: {{ .kubernetesTokens.audience | quote }}
- name: GRAPHSCHEDULE_CORS_ORIGINS
  value: {{ toJson .corsOrigins | quote }}
- name: GRAPHSCHEDULE_RATE
  value: {{ .rate | quote }}
- name: GRAPHSCHEDULE_BURST
  value: {{ .burst | int | quote }}
{{- with .jwt }}
{{- if .issuer }}
- name: GRAPHSCHEDULE_JWT
  {{- $claims := dict "user_claim" .userClaim "role_claim" .roleClaim "admin_role" .adminRole }}
  value: {{ merge $claims (dict "issuer" .issuer "audience" .audience "jwks_url" .jwksUrl) | toJson | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.api.rpc }}
- name: GRAPHSCHEDULE_RPC_ENABLED
  value: {{ .enabled | quote }}
{{- with .token }}
{{- if .existingSecret }}
- name: GRAPHSCHEDULE_RPC_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret | quote }}
      key: {{ .key | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
