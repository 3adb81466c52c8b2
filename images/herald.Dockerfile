# Herald's image, with Docker, from the top of the source tree:
#   docker build -f images/herald.Dockerfile --build-arg VERSION=v0.1.0 -t herald:v0.1.0 .
# `make image-tars` makes the same without Docker.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG VERSION=dev
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
    -ldflags "-X github.com/herald-lb/herald/internal/version.Version=$VERSION" \
    -o /out/usr/local/bin/ ./cmd/herald ./cmd/kubectl-herald ./reloader && \
    install -m 755 reloader/frr-start.sh /out/usr/local/bin/ && install -d -m 1777 /out/tmp

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="Herald" \
      org.opencontainers.image.description="Announces Service addresses over BGP from every node" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/herald-lb/herald"
COPY --from=build /out/ /
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/herald"]
