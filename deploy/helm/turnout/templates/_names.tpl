{{- define "turnout.name" -}}
{{- if contains "turnout" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-turnout" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "turnout.labels" -}}
app.kubernetes.io/name: turnout
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The labels that select one part, given (dict "of" . "part" "edge"). */}}
{{- define "turnout.part" -}}
app.kubernetes.io/name: turnout
app.kubernetes.io/instance: {{ .of.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "turnout.image" -}}
{{ required "image.repository: say where the image is" .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Seconds of a duration such as 90s or 5m. */}}
{{- define "turnout.seconds" -}}
{{- if hasSuffix "m" . }}{{ mul (trimSuffix "m" . | int) 60 }}{{ else }}{{ trimSuffix "s" . | int }}{{ end -}}
{{- end }}

{{/* What the pods of both parts have in common, given (dict "of" . "part" …). */}}
{{- define "turnout.pod" -}}
serviceAccountName: {{ include "turnout.name" .of }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .of.Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector: {matchLabels: {{ include "turnout.part" . | fromYaml | toJson }}}
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: ScheduleAnyway
  labelSelector: {matchLabels: {{ include "turnout.part" . | fromYaml | toJson }}}
{{- end }}

{{- define "turnout.container" -}}
image: {{ include "turnout.image" .of }}
imagePullPolicy: {{ .of.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Settings and secrets as variables. A master key at a KMS needs none here. */}}
{{- define "turnout.secrets" -}}
- {name: TURNOUT_CONFIG, value: /etc/turnout/turnout.yaml}
- name: TURNOUT_INSTANCE
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: TURNOUT_STORE
  valueFrom: {secretKeyRef: {name: {{ .Values.secret }}, key: store}}
- name: TURNOUT_CACHE
  valueFrom: {secretKeyRef: {name: {{ .Values.secret }}, key: cache}}
{{- if .Values.redis }}
- name: TURNOUT_SESSIONS
  valueFrom: {secretKeyRef: {name: {{ .Values.secret }}, key: sessions}}
- name: TURNOUT_EDGE_LIMITS
  valueFrom: {secretKeyRef: {name: {{ .Values.secret }}, key: sessions}}
{{- end }}
- name: TURNOUT_MASTER_KEY
  valueFrom: {secretKeyRef: {name: {{ .Values.secret }}, key: master-key, optional: {{ hasKey .Values.settings "master_key_uri" }}}}
{{- end }}
