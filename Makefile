# Targets explain themselves: `make help`.
GO ?= go
LINT = $(GO) tool -modfile=tools/go.mod golangci-lint

.DEFAULT_GOAL := help
.PHONY: help demo test check build lint unit race long e2e faults chart bench bench-edge fuzz tools

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## run everything on this machine with sample data; Ctrl-C ends it
	bin/turnout demo

test: check ## everything that CI runs (the same as check)

# Whatever needs more than Go must be there, or the test fails.
check: export TURNOUT_CI = 1
check: tools build lint race long e2e faults chart ## build, lint, unit tests with the race detector, the long ones without, end-to-end, kill and fault tests, chart

build: ## build bin/turnout
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/turnout ./cmd/turnout

lint: ## golangci-lint, go vet among it, for every build tag
	$(LINT) run --build-tags e2e ./...
	cd tools/ferretdb && $(GO) vet ./...

unit: ## unit tests without the race detector, two or three minutes
	$(GO) test -vet=off -p 4 ./...

# SQLite itself is C that a program made into Go. Its races are not ours to find,
# and looking for them makes it ten times slower.
race: ## unit tests under the race detector
	CGO_ENABLED=1 $(GO) test -race -short -vet=off -p 4 -gcflags=modernc.org/sqlite/lib=-race=false ./...

# Packages whose tests do less under -short, as which the race detector runs them.
# All others have nothing left to show after race. The slowest come first.
# TestLongPackages holds the list.
LONG = internal/cache/mongo internal/store/postgres cmd/turnout internal/cache/sqlite internal/compact internal/console internal/edge/room internal/limit internal/load/measure internal/store/sqlite internal/web

long: ## unit tests of packages of which race leaves some out, without the detector
	$(GO) test -vet=off -p 4 $(addprefix ./,$(LONG))

e2e: tools build ## the whole product: real processes, kill -9, a real browser, jsforce
	TURNOUT_BINARY=$(CURDIR)/bin/turnout $(GO) test -tags e2e -count=1 -parallel 4 -timeout 30m ./e2e ./e2e/jsforce
	mkdir -p bin/screenshots && TURNOUT_SCREENSHOTS=$(CURDIR)/bin/screenshots $(GO) test -count=1 -run TestScreenshots ./internal/web

faults: tools build ## three instances while everything around them fails, 3 minutes: TURNOUT_FAULTS_SEED, TURNOUT_FAULTS_DURATION
	TURNOUT_BINARY=$(CURDIR)/bin/turnout $(GO) test -tags e2e -count=1 -timeout 30m -v ./e2e/faults

chart: ## the Helm chart and the systemd units, as Kubernetes, Turnout and systemd read them
	cd deploy/check && $(GO) vet ./... && $(GO) test ./...

bench: ## accepts/s and pages/s beside floor servers, in one run
	$(GO) test -run NONE -bench . -benchtime 1x -timeout 60m ./bench

bench-edge: ## the edge beside HAProxy and nginx, about 20 minutes; tables in bin/bench-edge.md
	@./bench/edge/prerequisites.sh
	@mkdir -p bin && rm -f bin/bench-edge.md
	PATH="$$PATH:/usr/sbin" $(GO) test -run NONE -bench . -benchtime 1x -timeout 60m ./bench/edge -into $(CURDIR)/bin/bench-edge.md

fuzz: ## every fuzz target for 20 seconds
	./e2e/fuzz.sh 20s

tools: ## install what the tests need besides Go, or say what is missing
	@./e2e/prerequisites.sh
	@cd tools/ferretdb && CGO_ENABLED=0 GOFLAGS= $(GO) build -o $(CURDIR)/bin/ferretdb . # tests find it in Go's build cache
