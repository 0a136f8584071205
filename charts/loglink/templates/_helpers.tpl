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
Those that are mounted by themselves: one that lies in another is seen through that. Mounted by its path it would be
what a tenant's symlink there points to.
*/ -}}
{{- define "loglink.mountedRoots" -}}
{{- $all := include "loglink.roots" . | fromJsonArray -}}
{{- $mounted := list -}}
{{- range $root := $all -}}
  {{- $is_inside := false -}}
  {{- range $all -}}
    {{- if and (ne .path $root.path) (hasPrefix (printf "%s/" .path) (printf "%s/" $root.path)) -}}{{- $is_inside = true -}}{{- end -}}
  {{- end -}}
  {{- if not $is_inside -}}{{- $mounted = append $mounted $root -}}{{- end -}}
{{- end -}}
{{- $mounted | toJson -}}
{{- end -}}

{{- /* "yes" where one of two directories is the other one, or contains it; /var/run is /run. */ -}}
{{- define "loglink.overlap" -}}
{{- $a := printf "%s/" .a | replace "/var/run/" "/run/" -}}
{{- $b := printf "%s/" .b | replace "/var/run/" "/run/" -}}
{{- if or (hasPrefix $a $b) (hasPrefix $b $a) }}yes{{ end -}}
{{- end -}}

{{- /*
What would be seen only in the log of a pod that does not start, or not at all: directories that a tenant, a reboot or
another program takes away from us.
*/ -}}
{{- define "loglink.check" -}}
{{- include "loglink.checkDurations" . -}}
{{- $run := "/run/loglink/roots" -}}
{{- $ours := list (dict "key" "config.linkDir" "path" .Values.config.linkDir) (dict "key" "agent.stateDir" "path" .Values.agent.stateDir) -}}
{{- range $ours -}}
  {{- if include "loglink.overlap" (dict "a" .path "b" $run) -}}
    {{- fail (printf "%s: %s and %s, where the safe roots are, must not contain each other" .key .path $run) -}}
  {{- end -}}
{{- end -}}
{{- $link := .Values.config.linkDir -}}
{{- $state := .Values.agent.stateDir -}}
{{- if include "loglink.overlap" (dict "a" $link "b" $state) -}}
  {{- fail (printf "agent.stateDir: %s and config.linkDir %s must not contain each other" $state $link) -}}
{{- end -}}
{{- range list "/run" "/tmp" "/dev" -}}
  {{- if include "loglink.overlap" (dict "a" $state "b" .) -}}
    {{- fail (printf "agent.stateDir: %s is emptied by a reboot, which it is there to survive; give one on a disk, as /var/lib/loglink" $state) -}}
  {{- end -}}
{{- end -}}
{{- range list $link $state -}}
  {{- if include "loglink.overlap" (dict "a" . "b" "/etc/loglink") -}}
    {{- fail (printf "config.linkDir, agent.stateDir: %s is or contains /etc/loglink, where the containers have their configuration, or is in it" .) -}}
  {{- end -}}
{{- end -}}
{{- range list "/var/log/pods" "/var/log/containers" -}}
  {{- if include "loglink.overlap" (dict "a" $link "b" .) -}}
    {{- fail (printf "config.linkDir: %s is or contains %s, or is in it, which is the kubelet's; links are in a directory of their own, as /run/loglink/links" $link .) -}}
  {{- end -}}
{{- end -}}
{{- $pods := .Values.config.kubeletPodsDir -}}
{{- if not (hasSuffix "/pods" $pods) -}}
  {{- fail (printf "config.kubeletPodsDir: %s is not the kubelet's pods directory, whose name is pods; give %s/pods if the kubelet runs with --root-dir=%s" $pods $pods $pods) -}}
{{- end -}}
{{- range .Values.config.roots -}}
  {{- if regexMatch "^(volume-.*|kubelet-pods)$" .name -}}
    {{- fail (printf "config.roots: the name %s is taken by loglink itself, as are all that begin with volume-; give the root another one" .name) -}}
  {{- end -}}
{{- end -}}
{{- $names := dict -}}
{{- $paths := dict -}}
{{- range include "loglink.roots" . | fromJsonArray -}}
  {{- if hasKey $names .name -}}
    {{- fail (printf "config.roots: two have the name %s" .name) -}}
  {{- end -}}
  {{- if hasKey $paths .path -}}
    {{- fail (printf "config.roots: two have the path %s" .path) -}}
  {{- end -}}
  {{- $_ := set $names .name true -}}
  {{- $_ := set $paths .path true -}}
  {{- if hasPrefix (printf "%s/" .path) (printf "%s/" $link) -}}
    {{- fail (printf "config.linkDir: %s is in the root %s: who mounts that could plant links; move one of them" $link .path) -}}
  {{- end -}}
  {{- if or (include "loglink.overlap" (dict "a" .path "b" $state)) (include "loglink.overlap" (dict "a" .path "b" "/run/loglink")) -}}
    {{- fail (printf "the root %s and loglink's own %s and /run/loglink must not contain each other" .path $state) -}}
  {{- end -}}
  {{- if and (ne .name "kubelet-pods") (include "loglink.overlap" (dict "a" .path "b" $pods)) -}}
    {{- fail (printf "config.roots: %s and the kubelet's pods directory %s must not contain each other" .path $pods) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- /*
Nanoseconds of a duration, as 120s or 1h30m, to the last one as the programs count them: what a bound is compared with
must not be rounded. Of each unit: its nanoseconds, how many decimal places count, and what the last of them is.
*/ -}}
{{- define "loglink.nanoseconds" -}}
{{- $units := dict "ms" (list 1e6 6 1.0) "s" (list 1e9 9 1.0) "m" (list 6e10 9 60.0) "h" (list 3.6e12 9 3600.0) -}}
{{- $total := 0.0 -}}
{{- range regexFindAll "[0-9]+(\\.[0-9]+)?(ms|s|m|h)" . -1 -}}
  {{- $unit := get $units (regexFind "[a-z]+$" .) -}}
  {{- $places := regexFind "\\.[0-9]+" . | trimPrefix "." | printf "%s000000000" | trunc (index $unit 1) -}}
  {{- $total = addf $total (mulf (regexFind "^[0-9]+" . | float64) (index $unit 0)) (mulf ($places | float64) (index $unit 2)) -}}
{{- end -}}
{{- minf $total 9e18 | int64 -}}
{{- end -}}

{{- /* What would end the programs at their start; and how long drain may take. */ -}}
{{- define "loglink.checkDurations" -}}
{{- $bounds := list
  (list "config.linger" .Values.config.linger "0s" "720h")
  (list "controller.policyLinger" .Values.controller.policyLinger "0s" "720h")
  (list "agent.missingTargetGrace" .Values.agent.missingTargetGrace "0s" "720h")
  (list "agent.rescanInterval" .Values.agent.rescanInterval "100ms" "1h")
  (list "drain.timeout" .Values.drain.timeout "1s" "24h")
  (list "controller.leaderElection.leaseDuration" .Values.controller.leaderElection.leaseDuration "1s" "1h")
  (list "controller.leaderElection.retryPeriod" .Values.controller.leaderElection.retryPeriod "100ms" "1h") -}}
{{- range $bounds -}}
  {{- $value := include "loglink.nanoseconds" (index . 1) | int64 -}}
  {{- $least := include "loglink.nanoseconds" (index . 2) | int64 -}}
  {{- $most := include "loglink.nanoseconds" (index . 3) | int64 -}}
  {{- if or (lt $value $least) (gt $value $most) -}}
    {{- fail (printf "%s: %s is out of range; use %s to %s" (index . 0) (index . 1) (index . 2) (index . 3)) -}}
  {{- end -}}
{{- end -}}
{{- $lease := .Values.controller.leaderElection -}}
{{- $duration := include "loglink.nanoseconds" $lease.leaseDuration | int64 -}}
{{- $deadline := include "loglink.nanoseconds" $lease.renewDeadline | int64 -}}
{{- $retry := include "loglink.nanoseconds" $lease.retryPeriod | int64 -}}
{{- if mod $duration 1000000000 -}}
  {{- fail (printf "controller.leaderElection.leaseDuration: %s is not in whole seconds, as the Lease has it" $lease.leaseDuration) -}}
{{- end -}}
{{- if ge $deadline $duration -}}
  {{- fail (printf "controller.leaderElection.renewDeadline: %s must be less than leaseDuration %s: a leader has to stop before another begins" $lease.renewDeadline $lease.leaseDuration) -}}
{{- end -}}
{{- if le (mul $deadline 10) (mul $retry 12) -}}
  {{- fail (printf "controller.leaderElection.renewDeadline: %s must be more than 1.2 times retryPeriod %s: one failed try must not lose the lease" $lease.renewDeadline $lease.retryPeriod) -}}
{{- end -}}
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
