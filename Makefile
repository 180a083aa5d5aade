# Everything that is done here has a target; CI calls the same ones.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
TOOL := go tool -modfile=tools/go.mod
WEB_SOURCES := $(shell find web/src web/public web/*.html web/*.json web/*.ts -type f 2>/dev/null)

.PHONY: help run build bin/jobcenter test lint race fuzz bench web generate e2e torture screenshot clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build everything and start the server on http://127.0.0.1:8080 (ARGS="--listen …")
	bin/jobcenter serve $(ARGS)

build: web bin/jobcenter ## Build the console and bin/jobcenter

# Always: the Go tool knows what is up to date.
bin/jobcenter:
	CGO_ENABLED=0 go build -ldflags '-s -w -X main.version=$(VERSION)' -o $@ ./cmd/jobcenter

web: ## Build the console, if its sources are newer than it
	@if scripts/node.sh ok; then $(MAKE) --no-print-directory web/dist/index.html; \
	else echo "Without the console: $$(scripts/node.sh why)." >&2; fi

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	cd web && npm run --silent build
	@touch $@

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

test: ## Test everything, in a browser too; installs what is missing (Debian)
	@scripts/test.sh

race: ## Test all of Go under the race detector
	go test -race ./...

e2e: build ## Test the console in a real browser
	@. scripts/browser.sh && cd web && JOBCENTER_BIN=$(CURDIR)/bin/jobcenter npm run test:e2e

screenshot: e2e ## Leave a screenshot of each page in web/screenshots
	@ls web/screenshots

torture: ## Kill and cut off schedulers, servers and stores, and check the ledger (TORTURE=1m a store, KILLS=20)
	go test -count=1 -v -timeout 24h ./internal/torture -torture.time=$(or $(TORTURE),1m)
	go test -count=1 -v -timeout 60m ./cmd/jobcenter -run '^TestTorture' -torture.kills=$(or $(KILLS),20)
	go test -count=1 -v -timeout 60m ./jobstore/sqlstore -run Crash -crashes $(or $(KILLS),20)

lint: ## Check style, the arrows between packages, and the console's sources
	$(TOOL) golangci-lint run
	cd bench && go tool -modfile=../tools/go.mod golangci-lint run -c ../.golangci.yml
	cd jobstore/mongostore/ferret && go tool -modfile=../../../tools/go.mod golangci-lint run -c ../../../.golangci.yml
	@if scripts/node.sh ok; then $(MAKE) --no-print-directory web/node_modules/.package-lock.json && cd web && npm run --silent lint; fi

fuzz: ## Fuzz each parser and decoder (FUZZTIME=30s)
	@scripts/fuzz.sh $(or $(FUZZTIME),30s)

bench: ## Measure beside the peers; leaves a report in bench/report.md and .json
	cd bench && go test -v -bench . -benchtime 200ms -count 5 -timeout 60m . >report.txt && go run ./report -json report.json report.txt >report.md

generate: ## Make the generated files anew
	go generate ./...
	cd web && npm run --silent generate

clean: ## Remove what was built
	rm -rf bin .cache web/dist/assets web/dist/index.html web/test-results web/playwright-report web/screenshots
