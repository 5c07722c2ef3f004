{{/* What the API's pods and the workers' have in common. */}}
{{- define "dlpipe.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "dlpipe.pod" -}}
automountServiceAccountToken: false
hostUsers: false # root in the pod's user namespace is nobody on the node
securityContext: {runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: data
    emptyDir: {{- toYaml .Values.volumes.data | nindent 6 }}
  - name: cache
    emptyDir: {{- toYaml .Values.volumes.cache | nindent 6 }}
  - {name: tmp, emptyDir: {}}
{{- end }}

{{- define "dlpipe.container" -}}
image: {{ include "dlpipe.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
  procMount: Unmasked # bubblewrap mounts a /proc of its own
  seccompProfile: {type: Unconfined} # and makes user namespaces
  appArmorProfile: {type: Unconfined}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: cache, mountPath: /cache}
  - {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "dlpipe.secrets" -}}
{{- range list "DLPIPE_DATABASE" "DLPIPE_STORE_URL" }}
- {name: {{ . }}, valueFrom: {secretKeyRef: {name: {{ $.Values.secretName }}, key: {{ . }}}}}
{{- end }}
{{- range list "AWS_ENDPOINT_URL_S3" "AWS_DEFAULT_REGION" "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- {name: {{ . }}, valueFrom: {secretKeyRef: {name: {{ $.Values.secretName }}, key: {{ . }}, optional: true}}}
{{- end }}
{{- end }}
