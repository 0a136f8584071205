{{- define "loglink.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "loglink.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "loglink.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "loglink.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "loglink.labels" -}}
app.kubernetes.io/name: {{ include "loglink.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "loglink.selector" -}}
app.kubernetes.io/name: {{ include "loglink.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "loglink.controllerUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "loglink.fullname" . }}-controller
{{- end -}}

{{- define "loglink.agentUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "loglink.fullname" . }}-agent
{{- end -}}

{{- define "loglink.image" -}}
{{- $image := index .root.Values.image .component -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default .root.Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{- /* What both programs must agree on. */ -}}
{{- define "loglink.sharedConfig" -}}
linkDir: {{ .Values.config.linkDir }}
rootsDir: /run/loglink/roots
stateDir: {{ .Values.agent.stateDir }}
naming: {{ .Values.config.naming }}
linger: {{ .Values.config.linger }}
roots:
- {name: kubelet-pods, path: {{ .Values.config.kubeletPodsDir }}}
{{- with .Values.config.roots }}
{{ toYaml . }}
{{- end }}
{{- with .Values.config.limits }}
limits: {{- toYaml . | nindent 2 }}
{{- end }}
logLevel: {{ .Values.config.logLevel }}
logFormat: {{ .Values.config.logFormat }}
metricsAddress: ":{{ .Values.metrics.port }}"
{{- end -}}
