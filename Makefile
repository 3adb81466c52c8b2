# Herald. `make help` lists the targets. The two that matter: `make demo`, `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

CONTROLLER_TOOLS_VERSION := v0.23.0
CRD_REF_DOCS_VERSION     := v0.3.0
KUSTOMIZE_VERSION        := v5.8.1
GOLANGCI_LINT_VERSION    := v2.15.0

# Everything that is built once and kept: Kubernetes, etcd, FRR roots, linters.
export HERALD_CACHE ?= $(HOME)/.cache/herald

# What `make churn` and `make model-relay` do: see test/churn, test/relay.
SEED     ?= 0
DURATION ?= 10m
STEPS    ?= 0

# What `make bench` measures: see go run ./test/bench -h.
BENCH ?= -docs docs

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X github.com/herald-lb/herald/internal/version.Version=$(VERSION)

# Names and tags of the images.
IMAGE     ?= ghcr.io/herald-lb/herald:$(VERSION)
FRR_IMAGE ?= ghcr.io/herald-lb/frr:10.3

HELM_VERSION             := v4.3.1

CONTROLLER_GEN := go run sigs.k8s.io/controller-tools/cmd/controller-gen@$(CONTROLLER_TOOLS_VERSION)
CRD_REF_DOCS   := go run github.com/elastic/crd-ref-docs@$(CRD_REF_DOCS_VERSION)
KUSTOMIZE      := go run sigs.k8s.io/kustomize/kustomize/v5@$(KUSTOMIZE_VERSION)
HELM           := $(HERALD_CACHE)/tools/helm-$(HELM_VERSION)/helm
GOLANGCI_LINT  := $(HERALD_CACHE)/tools/golangci-lint-$(GOLANGCI_LINT_VERSION)/golangci-lint

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*## "} /^## / {printf "\n%s\n", substr($$0, 4)} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## See it work
.PHONY: demo
demo: deps thirdparty build ## Announce a Service on a lab of real parts; HOLD=0 ends it at once (root).
	bin/demo

.PHONY: cluster
cluster: deps thirdparty-cluster ## Bring up a real three-node cluster with routers on this machine (root).
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/cluster ./test/cluster/ctl
	bin/cluster up

.PHONY: cluster-down
cluster-down: ## Take it down.
	@test ! -x bin/cluster || bin/cluster down

## Build
.PHONY: build
build: ## Build herald, kubectl-herald, reloader and the demo into bin/.
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/ ./cmd/herald ./cmd/kubectl-herald ./reloader ./test/demo

.PHONY: generate
generate: ## Regenerate deepcopy, CRDs and docs/api.md from the Go types, and the manifest of the start script.
	$(CONTROLLER_GEN) object paths=./api/...
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:dir=config/crd/bases
	$(CRD_REF_DOCS) --source-path=api/v1alpha1 --config=api/crd-ref-docs.yaml --renderer=markdown --output-path=docs/api.md --log-level=ERROR
	@{ sed '/^data:/q' config/node/frr-start.yaml; echo '  frr-start.sh: |'; sed '/./s/^/    /' reloader/frr-start.sh; } >config/node/frr-start.new
	@mv config/node/frr-start.new config/node/frr-start.yaml
	@$(MAKE) --no-print-directory packages

.PHONY: image-programs
image-programs:
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w $(LDFLAGS)" -o dist/image/ ./cmd/herald ./cmd/kubectl-herald ./reloader

.PHONY: sbom
sbom: image-programs ## Write dist/herald.cdx.json: every Go module in the programs of Herald's image (CycloneDX).
	go run ./images/sbom dist/image/herald dist/image/kubectl-herald dist/image/reloader > dist/herald.cdx.json

.PHONY: image-tars
image-tars: deps thirdparty image-programs ## Make dist/herald.tar and dist/frr.tar without Docker (root); IMAGE and FRR_IMAGE name them.
	go run ./images/tars -bin dist/image -version $(VERSION) -herald $(IMAGE) -frr $(FRR_IMAGE)

# Platforms of kubectl-herald that krew is given.
KREW_PLATFORMS := linux-amd64 linux-arm64 darwin-amd64 darwin-arm64 windows-amd64

.PHONY: krew
krew: ## Make dist/krew: kubectl-herald's archives and its manifest for krew; VERSION=v1.2.3 names the release.
	go run ./internal/krew -check -version $(VERSION)
	@rm -rf dist/krew
	@for p in $(KREW_PLATFORMS); do \
		exe=; case $$p in windows-*) exe=.exe;; esac; \
		CGO_ENABLED=0 GOOS=$${p%-*} GOARCH=$${p#*-} go build -trimpath -ldflags "-s -w $(LDFLAGS)" -o dist/krew/$$p/kubectl-herald$$exe ./cmd/kubectl-herald || exit 1; \
	done
	go run ./internal/krew -dir dist/krew -version $(VERSION)

.PHONY: packages
packages: ## Make the Helm chart's templates and the OLM bundle of config/.
	$(KUSTOMIZE) build config/default | go run ./internal/packaging -chart charts/herald -bundle bundle

.PHONY: bundle
bundle: packages ## Make the OLM bundle in bundle/ (and the chart) of config/.

.PHONY: deps
deps: ## Install the Debian or Ubuntu packages that the lab needs, where missing (root).
	@test/thirdparty/deps.sh

.PHONY: thirdparty
thirdparty: ## Build Kubernetes, etcd and the FRR roots once, into HERALD_CACHE (root).
	@test/thirdparty/build.sh

.PHONY: thirdparty-cluster
thirdparty-cluster: thirdparty ## Build also what only a real cluster runs: kubelet, containerd, … (root).
	@test/thirdparty/build.sh cluster

## Test
.PHONY: unit
unit: ## The quick part: no root, no lab, under a minute warm.
	go run ./test/tally go test -json -short ./...

# Ginkgo's time is up first, so that its report comes; go ends what still runs after its own
# and a tenth more.
.PHONY: test
test: deps thirdparty build ## Everything: unit, goldens on real FRR, envtest, scenarios on the lab (root).
	go build -o bin/ginkgo github.com/onsi/ginkgo/v2/ginkgo
	HERALD_REQUIRE_LAB=1 HERALD_LOGS='$(CURDIR)/dist/failed' HERALD_GINKGO='$(CURDIR)/bin/ginkgo --procs=2 --output-interceptor-mode=none --timeout=42m' go run ./test/tally -save dist/tally/test -again "go test -json -timeout 15m -count=1 -exec '$(CURDIR)/test/exec.sh'" go test -json -timeout 45m -count=1 -p 2 -exec '$(CURDIR)/test/exec.sh' ./test/scenarios ./...

.PHONY: e2e
e2e: deps thirdparty-cluster $(HELM) ## Herald installed (kustomize, Helm, OLM's bundle), upgraded, removed on a real cluster on this machine (root).
	HERALD_REQUIRE_LAB=1 HERALD_LOGS='$(CURDIR)/dist/failed' HERALD_HELM=$(HELM) go run ./test/tally -may-skip -save dist/tally/e2e -again 'go test -json -tags e2e -timeout 15m -count=1' go test -json -tags e2e -timeout 25m -count=1 -p 1 ./test/cluster ./test/e2e

.PHONY: survival
survival: deps thirdparty-cluster ## Connections that break when nodes come and go, on a real cluster; SURVIVAL='-proxy nftables -events drain' measures less (root).
	go run ./test/survival $(SURVIVAL)

.PHONY: scenarios
scenarios: deps thirdparty build ## The numbered scenarios on the lab; FOCUS='D1|S8' picks some (root).
	HERALD_REQUIRE_LAB=1 go test -timeout 25m -count=1 ./test/scenarios -ginkgo.v -ginkgo.focus='$(FOCUS)'

.PHONY: churn
churn: deps thirdparty build ## Random churn and faults, then the routers are asked; SEED (0: a new one), DURATION (10m), STEPS replay (root).
	HERALD_REQUIRE_LAB=1 go test -v -timeout 24h -count=1 ./test/churn -args -churn.seed=$(SEED) -churn.duration=$(DURATION) -churn.steps=$(STEPS)

.PHONY: model-relay
model-relay: deps ## Random packets through the relay's rules against a model of who must answer; SEED (0: a new one), DURATION (10m), STEPS rounds replay (root).
	HERALD_REQUIRE_LAB=1 go test -v -timeout 24h -count=1 ./test/relay -run '^TestModel$$' -args -relay.seed=$(SEED) -relay.duration=$(DURATION) -relay.rounds=$(STEPS)

.PHONY: bench-relay
bench-relay: deps ## What the relay costs, between namespaces of one kernel, into docs/performance.md (root).
	HERALD_REQUIRE_LAB=1 go test -v -timeout 30m -run '^$$' -bench '^BenchmarkRelay$$' -benchtime 1x ./test/relay -args -relay.json=$(CURDIR)/dist/bench-relay.json -relay.page=$(CURDIR)/docs/performance.md

.PHONY: fuzz
fuzz: ## Fuzz what parses users' text and FRR's answers, FUZZTIME each (20s).
	test/fuzz.sh

.PHONY: bench
bench: deps thirdparty build ## From the API to the router on the lab, into docs/performance.md; BENCH='-frr 10.3 -present 0,1000' measures less, and writes no page (root).
	@mkdir -p dist
	go run ./test/bench $(BENCH)

.PHONY: bench-scale
bench-scale: deps thirdparty build ## What up to 1,000 nodes and 10,000 Services cost manager, API server and agent, into docs/performance.md (root).
	@mkdir -p dist
	go run ./test/bench -scale -o dist/bench-scale.json $(BENCH)

.PHONY: bench-pure
bench-pure: ## Benchmarks of the pure parts.
	go test -run '^$$' -bench . -benchmem ./controllers/... ./frr-templates/... ./reloader/...

## Check
.PHONY: verify
verify: generate lint kustomize helm bundle-rules alerts docs ## Regenerate, lint, build the manifests, fire the alerts, follow the docs' links; ends on a clean tree.
	go mod tidy -diff
	go vet ./...
	@git diff --exit-code -- . || { echo "verify: generated files are stale: run 'make generate' and commit"; exit 1; }
	@test -z "$$(git status --porcelain --untracked-files=normal -- api config charts bundle)" || { git status --short; echo "verify: generated files are not committed"; exit 1; }

.PHONY: lint
lint: $(GOLANGCI_LINT) ## golangci-lint.
	$(GOLANGCI_LINT) run

.PHONY: kustomize
kustomize: ## Build every kustomization in config/.
	@for k in $$(find config -name kustomization.yaml -printf '%h\n' | sort); do $(KUSTOMIZE) build $$k >/dev/null || exit 1; echo "kustomize: $$k ok"; done

.PHONY: dashboard-picture
dashboard-picture: deps thirdparty build ## Draw docs/dashboard.svg from what is recorded on the lab, in three minutes (root).
	@mkdir -p dist
	go run ./test/dashboard -out dist/metrics.txt
	cd test/prometheus && go run ./draw -recorded ../../dist/metrics.txt -dashboard ../../config/prometheus/dashboard.json -out ../../docs/dashboard.svg

.PHONY: alerts
alerts: ## Test the alerts and the dashboard of config/prometheus by Prometheus' own engine, and by promtool.
	promtool=$$(test/thirdparty/promtool.sh) && cd test/prometheus && go vet ./... && HERALD_PROMTOOL=$$promtool go test -count=1 ./...

.PHONY: docs
docs: ## Make the documentation's site in dist/site; no link of it is dead.
	cd internal/site && go vet . && go test -count=1 . && go run . -docs ../../docs -out ../../dist/site

.PHONY: helm
helm: $(HELM) ## Lint the Helm chart; with its default values it is what config/default is.
	@mkdir -p dist
	$(HELM) lint --strict charts/herald
	$(KUSTOMIZE) build config/default >dist/default.yaml
	$(HELM) template herald charts/herald --namespace herald-system --include-crds --skip-tests | \
		go run ./internal/packaging -same dist/default.yaml -but Herald/default,Namespace/herald-system
	@echo "helm: the chart is what config/default is"

.PHONY: bundle-rules
bundle-rules: ## Hold the OLM bundle to the documented rules of its format, by tests of ours (internal/packaging says which).
	go test -count=1 ./internal/packaging

$(GOLANGCI_LINT):
	GOBIN=$(dir $@) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

$(HELM):
	GOBIN=$(dir $@) go install helm.sh/helm/v4/cmd/helm@$(HELM_VERSION)

.PHONY: clean
clean: ## Remove what was built here. What is cached stays: delete HERALD_CACHE by hand.
	rm -rf bin dist
