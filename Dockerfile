# Both programs, built on bookworm, and nothing else: each is one static file.
# To put it beside ProxySQL, in ProxySQL's own image:
#   COPY --from=proxysql-pulse /usr/bin/proxysql-pulse /usr/bin/proxysql-pulse
# or, with an image that is to stay as it is, into a volume by an init container that runs
#   proxysql-pulse install /the/volume
# as in proxysql-config/kubernetes. As it is, this image runs the probe daemon as a sidecar.
# tests/package/image builds and runs it. For another architecture than the builder's, scripts/install-packages brings
# Debian's cross compiler: docker buildx build --platform linux/amd64,linux/arm64 .

FROM --platform=$BUILDPLATFORM debian:bookworm AS build
ARG TARGETARCH
WORKDIR /src
# First the packages alone, so that a change of the sources doesn't install them again.
COPY scripts/packages.txt scripts/install-packages scripts/
RUN scripts/install-packages --for "${TARGETARCH:-$(dpkg --print-architecture)}" build source && rm -rf /var/lib/apt/lists/*
COPY . .
RUN scripts/build-image-files "${TARGETARCH:-$(dpkg --print-architecture)}" /image

FROM scratch
COPY --from=build /image/ /
# A number, for runAsNonRoot. The state segment must be shared with ProxySQL's user: see pulse.group.
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["/usr/bin/proxysql-pulsed"]
