{{- /* Parts that two policies share. They expect the variables template, ann (new annotations) and old (former ones). */ -}}

{{- /* trim() would also take tabs and no-break spaces away, which the controller refuses: only U+0020 may surround an item. */ -}}
{{- define "loglink.trim" -}}
({{ . }}.matches('^ *[!-~]+ *$') ? {{ . }}.trim() : {{ . }})
{{- end -}}

{{- define "loglink.itemPattern" -}}
'^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?:)?(/+[A-Za-z0-9._@+=~-]+)+/*$'
{{- end -}}

{{- define "loglink.patternsPattern" -}}
'^ *[A-Za-z0-9._*?@+=~-]{1,64} *(, *[A-Za-z0-9._*?@+=~-]{1,64} *){0,15}$'
{{- end -}}

{{- /* The first of a list of items, fit for a message: short, and without characters that no HTTP header can carry. */ -}}
{{- define "loglink.firstItem" -}}
({{ . }}[0].matches('[[:cntrl:]]') ? 'an item with a control character' : '\"' + (size({{ . }}[0]) > 80 ? {{ . }}[0].substring(0, 80) + '...' : {{ . }}[0]) + '\"')
{{- end -}}

{{- define "loglink.requestVariables" -}}
- {name: known, expression: "['loglink/watch-dir', 'loglink/include', 'loglink/exclude', 'loglink/max-depth', 'loglink/status', 'loglink/links', 'loglink/message']"}
# Only what this request sets or changes: what was there before must never be in the way.
- {name: setKnown, expression: "variables.known.filter(k, k in variables.ann && !(k in variables.old && variables.old[k] == variables.ann[k]))"}
- {name: unknown, expression: "size(variables.ann) <= 256 ? variables.ann.filter(k, k.startsWith('loglink/') && !(k in variables.known) && !(k in variables.old && variables.old[k] == variables.ann[k])) : []"}
- {name: hasDirs, expression: "'loglink/watch-dir' in variables.setKnown"}
- {name: dirs, expression: "variables.hasDirs ? variables.ann['loglink/watch-dir'] : ''"}
- {name: dirsFit, expression: "size(variables.dirs) <= 4096"}
- {name: noDirs, expression: "variables.dirsFit && variables.dirs.matches('^ *$')"}
- {name: entries, expression: "variables.dirsFit && !variables.noDirs ? variables.dirs.split(',', 18).map(e, {{ include "loglink.trim" "e" }}) : []"}
- {name: badEntries, expression: "variables.entries.filter(e, !e.matches({{ include "loglink.itemPattern" . }}) || size(e) > 320)"}
- {name: dotEntries, expression: "variables.entries.filter(e, e.matches('/[.][.]?(/|$)'))"}
- {name: containers, expression: "(variables.template.spec.containers + (has(variables.template.spec.initContainers) ? variables.template.spec.initContainers : [])).map(c, c.name)"}
- {name: strangers, expression: "variables.entries.filter(e, e.contains(':') && !(e.split(':', 2)[0] in variables.containers))"}
- {name: include, expression: "'loglink/include' in variables.setKnown ? variables.ann['loglink/include'] : '*'"}
- {name: exclude, expression: "'loglink/exclude' in variables.setKnown ? variables.ann['loglink/exclude'] : '*'"}
{{- end -}}

{{- define "loglink.requestValidations" -}}
- expression: "size(variables.unknown) == 0"
  message: "unknown loglink/ annotation; known are loglink/watch-dir, loglink/include, loglink/exclude and loglink/max-depth"
  messageExpression: "variables.unknown[0] + ' is not an annotation of loglink; known are loglink/watch-dir, loglink/include, loglink/exclude and loglink/max-depth'"
  reason: Invalid
- expression: "!variables.hasDirs || !variables.noDirs"
  message: "loglink/watch-dir is empty; name a directory or take the annotation away"
  reason: Invalid
- expression: "variables.dirsFit"
  message: "loglink/watch-dir is longer than 4096 characters; shorten it, or name a parent directory and set loglink/max-depth"
  reason: Invalid
- expression: "size(variables.entries) <= 16"
  message: "loglink/watch-dir names more than 16 directories; shorten it, or name a parent directory and set loglink/max-depth"
  reason: Invalid
- expression: "size(variables.badEntries) == 0"
  message: "loglink/watch-dir must be a comma separated list of [<container>:]<absolute directory>, without control characters"
  messageExpression: "'loglink/watch-dir: ' + {{ include "loglink.firstItem" "variables.badEntries" }} + ' is not [<container>:]<absolute directory>, as /var/log/app or app:/var/log/app (letters, digits and ._@+=~- in a name; at most 320 characters)'"
  reason: Invalid
- expression: "size(variables.dotEntries) == 0"
  message: "loglink/watch-dir has a . or .. component; write the directory without it"
  messageExpression: "'loglink/watch-dir: ' + {{ include "loglink.firstItem" "variables.dotEntries" }} + ' has a . or .. component; write the directory without it'"
  reason: Invalid
{{- range $key := list "include" "exclude" }}
- expression: "size(variables.{{ $key }}) <= 1040 && variables.{{ $key }}.matches({{ include "loglink.patternsPattern" $ }})"
  message: "loglink/{{ $key }} must be 1 to 16 file name patterns with commas between them, each of at most 64 letters, digits, ._@+=~- and the wildcards * and ?"
  reason: Invalid
{{- end }}
- expression: "!('loglink/max-depth' in variables.setKnown) || variables.ann['loglink/max-depth'].matches('^([1-9]|1[0-6])$')"
  message: "loglink/max-depth must be a whole number from 1 to 16"
  reason: Invalid
{{- end -}}

{{- /*
By themselves, because they are never a denial in a template: what a webhook injects, as a mesh's proxy, is only in the pod; and
keys that only look like ours may be somebody else's.
*/ -}}
{{- define "loglink.warnings" -}}
- expression: "!['watch-dir', 'include', 'exclude', 'max-depth'].exists(k, 'loglink.io/' + k in variables.ann && !('loglink.io/' + k in variables.old))"
  message: "annotations that begin with loglink.io/ do nothing; those of loglink begin with loglink/, as loglink/watch-dir"
  reason: Invalid
- expression: "size(variables.strangers) == 0"
  message: "loglink/watch-dir names a container that the pod does not have"
  messageExpression: "'loglink/watch-dir: ' + {{ include "loglink.firstItem" "variables.strangers" }} + ' names a container that the pod does not have; it has ' + variables.containers.join(', ')"
  reason: Invalid
{{- end -}}
