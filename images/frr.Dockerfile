# The image of FRR 10.3 that Herald's nodes run, with Docker:
#   docker build -f images/frr.Dockerfile -t frr:10.3 images
# `make image-tars` makes the same without Docker. Nothing of Herald's is in it.
FROM debian:trixie-slim
RUN apt-get update && \
    apt-get install -y --no-install-recommends frr frr-pythontools tini iproute2 && \
    rm -rf /var/lib/apt/lists/* /var/log/*.log && \
    /usr/lib/frr/bgpd --version | grep -q 'version 10\.3'
LABEL org.opencontainers.image.title="FRR for Herald" \
      org.opencontainers.image.description="Stock FRR of Debian with tini" \
      org.opencontainers.image.version="10.3" \
      org.opencontainers.image.licenses="GPL-2.0-or-later" \
      org.opencontainers.image.source="https://github.com/herald-lb/herald"
ENTRYPOINT ["/usr/bin/tini", "--"]
