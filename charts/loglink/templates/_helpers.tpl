{{- define "loglink.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* At most 40 characters: the longest name made from it is <fullname>-workload-annotations, of at most 63. */ -}}
{{- define "loglink.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "loglink.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "loglink.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "loglink.labels" -}}
app.kubernetes.io/name: {{ include "loglink.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "loglink.selector" -}}
app.kubernetes.io/name: {{ include "loglink.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
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

{{- /* The roots as a list of {name, path, ...}: the kubelet's pods directory first. */ -}}
{{- define "loglink.roots" -}}
{{- concat (list (dict "name" "kubelet-pods" "path" .Values.config.kubeletPodsDir)) .Values.config.roots | toJson -}}
{{- end -}}

{{- /*
What both programs must agree on. Every string is quoted, because YAML reads many words (on, no, 1e3) as something
else; every number goes through int64, because Helm writes large ones as 1e+06.
*/ -}}
{{- define "loglink.sharedConfig" -}}
linkDir: {{ .Values.config.linkDir | quote }}
rootsDir: "/run/loglink/roots"
stateDir: {{ .Values.agent.stateDir | quote }}
naming: {{ .Values.config.naming | quote }}
linger: {{ .Values.config.linger | quote }}
roots:
{{- range include "loglink.roots" . | fromJsonArray }}
- name: {{ .name | quote }}
  path: {{ .path | quote }}
  {{- if hasKey . "namespaces" }}
  namespaces: {{ toJson .namespaces }}
  {{- end }}
  {{- if hasKey . "perNamespace" }}
  perNamespace: {{ .perNamespace }}
  {{- end }}
{{- end }}
{{- with .Values.config.limits }}
limits:
  {{- range $name, $number := . }}
  {{ $name }}: {{ int64 $number }}
  {{- end }}
{{- end }}
logLevel: {{ .Values.config.logLevel | quote }}
logFormat: {{ .Values.config.logFormat | quote }}
metricsAddress: ":{{ int64 .Values.metrics.port }}"
{{- end -}}
