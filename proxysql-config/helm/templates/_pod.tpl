{{- /*
The spec of a pod. Takes a dict: root (the chart's own context), component (a label), secret (of proxysql.cnf).
It is proxysql-config/kubernetes/base/core.yaml's, where each line has its reason.
*/ -}}
{{- define "proxysql-pulse.pod" -}}
{{- $values := .root.Values -}}
serviceAccountName: proxysql
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  runAsGroup: 999
  fsGroup: 999
  seccompProfile:
    type: RuntimeDefault
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        app: proxysql
        component: {{ .component }}
{{- if $values.nodeSelector }}
nodeSelector:
  {{- toYaml $values.nodeSelector | nindent 2 }}
{{- end }}
{{- if $values.tolerations }}
tolerations:
  {{- toYaml $values.tolerations | nindent 2 }}
{{- end }}
{{- if $values.priorityClassName }}
priorityClassName: {{ $values.priorityClassName | quote }}
{{- end }}
initContainers:
  - name: beat
    image: {{ include "proxysql-pulse.image" .root | quote }}
    command: [/usr/bin/proxysql-pulse, install, /opt/pulse]
    securityContext:
      {{- include "proxysql-pulse.locked" "10001" | nindent 6 }}
    resources:
      requests: {cpu: 10m, memory: 16Mi}
      limits: {memory: 32Mi}
    volumeMounts:
      - name: pulse
        mountPath: /opt/pulse
  {{- if eq $values.sidecar "native" }}
  {{- include "proxysql-pulse.daemon" .root | nindent 2 }}
  {{- end }}
containers:
  - name: proxysql
    image: {{ include "proxysql-pulse.proxysql-image" .root | quote }}
    command: [proxysql, -f, -c, /etc/proxysql.cnf, -D, /var/lib/proxysql, --no-version-check]
    env:
      - name: MALLOC_CONF
        value: thp:always
    {{- if eq $values.hook "exec" }}
    lifecycle:
      preStop:
        exec:
          command: [/opt/pulse/proxysql-pulse, drain]
    {{- end }}
    {{- if eq $values.hook "http" }}
    lifecycle:
      preStop:
        httpGet:
          path: /shutdown
          port: 8080
          httpHeaders:
            - name: X-Pulse-Token
              value: {{ $values.httpHookToken | quote }}
    {{- end }}
    ports:
      - name: mysql
        containerPort: 6033
      - name: admin
        containerPort: 6032
      {{- if $values.postgresql }}
      - name: pgsql
        containerPort: 6133
      {{- end }}
    startupProbe:
      httpGet:
        path: /healthz/started
        port: 8080
      periodSeconds: 2
      failureThreshold: 60
    readinessProbe:
      httpGet:
        path: /healthz/ready
        port: 8080
      periodSeconds: 2
    livenessProbe:
      httpGet:
        path: /healthz/live
        port: 8080
      periodSeconds: 10
    securityContext:
      {{- include "proxysql-pulse.locked" "999" | nindent 6 }}
    resources:
      {{- toYaml $values.resources | nindent 6 }}
    volumeMounts:
      - name: config
        mountPath: /etc/proxysql.cnf
        subPath: proxysql.cnf
        readOnly: true
      - name: segment
        mountPath: /dev/shm
      - name: pulse
        mountPath: /opt/pulse
        readOnly: true
      - name: data
        mountPath: /var/lib/proxysql
      - name: tmp
        mountPath: /tmp
  {{- if eq $values.sidecar "container" }}
  {{- include "proxysql-pulse.daemon" .root | nindent 2 }}
  {{- end }}
volumes:
  - name: config
    secret:
      secretName: {{ .secret }}
      defaultMode: 0440
  - name: segment
    emptyDir:
      medium: Memory
      sizeLimit: 16Mi
  - name: pulse
    emptyDir:
      sizeLimit: 32Mi
  - name: data
    emptyDir: {}
  - name: tmp
    emptyDir: {}
  - name: api
    projected:
      defaultMode: 0440
      sources:
        - serviceAccountToken:
            path: token
            expirationSeconds: 3600
        - configMap:
            name: kube-root-ca.crt
            items:
              - key: ca.crt
                path: ca.crt
        - downwardAPI:
            items:
              - path: namespace
                fieldRef:
                  fieldPath: metadata.namespace
  {{- if eq $values.hook "http" }}
  - name: token
    secret:
      secretName: {{ include "proxysql-pulse.token-secret" .root }}
      defaultMode: 0440
  {{- end }}
{{- end -}}

{{- define "proxysql-pulse.daemon" -}}
- name: pulsed
  image: {{ include "proxysql-pulse.image" . | quote }}
  {{- if eq .Values.sidecar "native" }}
  restartPolicy: Always
  {{- else if eq .Values.hook "exec" }}
  lifecycle:
    preStop:
      exec:
        command: [/usr/bin/proxysql-pulse, drain]
  {{- end }}
  env:
    - name: PULSE_ADDRESS
      valueFrom:
        fieldRef:
          fieldPath: status.podIP
    {{- if eq .Values.hook "http" }}
    - name: PULSE_DAEMON_TOKEN_FILE
      value: /run/secrets/pulse/token
    {{- end }}
  ports:
    - name: http
      containerPort: 8080
  livenessProbe:
    httpGet:
      path: /status
      port: 8080
    periodSeconds: 30
  securityContext:
    {{- include "proxysql-pulse.locked" "10001" | nindent 4 }}
  resources:
    requests: {cpu: 20m, memory: 24Mi}
    limits: {memory: 64Mi}
  volumeMounts:
    - name: config
      mountPath: /etc/proxysql.cnf
      subPath: proxysql.cnf
      readOnly: true
    - name: segment
      mountPath: /dev/shm
    - name: api
      mountPath: /var/run/secrets/kubernetes.io/serviceaccount
      readOnly: true
    {{- if eq .Values.hook "http" }}
    - name: token
      mountPath: /run/secrets/pulse
      readOnly: true
    {{- end }}
{{- end -}}

{{- define "proxysql-pulse.locked" -}}
runAsUser: {{ . }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "proxysql-pulse.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "proxysql-pulse.proxysql-image" -}}
{{ .Values.proxysql.image.repository }}:
{{- if .Values.proxysql.image.tag -}}
{{ .Values.proxysql.image.tag }}
{{- else if .Values.postgresql -}}
3.0.11
{{- else -}}
2.7.1
{{- end -}}
{{- end -}}

{{- /* Another content is another name, so a rollout, and a pod of an old revision finds its own file. */ -}}
{{- define "proxysql-pulse.core-secret" -}}
proxysql-core-{{ .Values.core.config | sha256sum | trunc 10 }}
{{- end -}}
{{- define "proxysql-pulse.satellite-secret" -}}
proxysql-satellite-{{ .Values.satellite.config | sha256sum | trunc 10 }}
{{- end -}}
{{- define "proxysql-pulse.single-tier-secret" -}}
proxysql-{{ .Values.singleTier.config | sha256sum | trunc 10 }}
{{- end -}}
{{- define "proxysql-pulse.token-secret" -}}
proxysql-pulse-token-{{ .Values.httpHookToken | sha256sum | trunc 10 }}
{{- end -}}
