# Both programs, built on bookworm. proxysql-pulse is static: to put it beside ProxySQL, in ProxySQL's own image:
#   COPY --from=proxysql-pulse /usr/bin/proxysql-pulse /usr/bin/proxysql-pulse
# or, with an image that is to stay as it is, into a volume by an init container: proxysql-config/kubernetes.
# As it is, this image runs the probe daemon as a sidecar.

FROM debian:bookworm AS build
WORKDIR /src
# First the packages alone, so that a change of the sources doesn't install them again.
COPY scripts/packages.txt scripts/install-packages scripts/
RUN scripts/install-packages build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset release -DPULSE_TESTS=OFF \
 && cmake --build --preset release --target proxysql-pulse proxysql-pulsed \
 && strip build/release/bin/proxysql-pulse build/release/bin/proxysql-pulsed

FROM debian:bookworm-slim
COPY scripts/packages.txt scripts/install-packages /tmp/scripts/
RUN /tmp/scripts/install-packages runtime && rm -rf /tmp/scripts /var/lib/apt/lists/*
COPY --from=build /src/build/release/bin/proxysql-pulse /src/build/release/bin/proxysql-pulsed /usr/bin/
# A number, for runAsNonRoot. The state segment must be shared with ProxySQL's user: see pulse.group.
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["/usr/bin/proxysql-pulsed"]
