# make demo                 the main job on the embedded PHP server
# make demo FAULT=session   the same with a planted leak (php fixtures/smtp-server/bin/console --help lists them)
# make test                 what CI runs: lint, all tests, the short truth suite
# make truth                the whole truth suite: hours
# make faults               every fault that a run should survive: trees, endings, starts, rights, disks, settings
# make static            the program as one file that runs in every Linux image
# make dist              a release: dist/ with an archive and its checksum
# make dist-test         what a release promises: in empty roots, in other Debians, byte for byte (root, debootstrap)
# make bench                speed against named peers

CARGO ?= cargo
BUDGET ?= 90s
FAULT ?=
# Runs a case of the truth suite; the doubtful ones twice as many.
RUNS ?= 5
# Runs at a time.
LANES ?= 1

.PHONY: demo build static dist dist-test tools tools-demo tools-truth tools-bench tools-dist test lint truth faults bench

demo: tools-demo build
	@SMTP_FAULT='$(FAULT)' sh tests/demo.sh target/release/profile-run '$(BUDGET)'

build:
	$(CARGO) build --release --locked --bin profile-run

static:
	@sh packaging/static.sh

dist:
	@sh packaging/dist.sh

tools-dist:
	@sh tests/install-tools.sh dist

dist-test: tools-dist
	@sh packaging/test.sh

tools-demo:
	@sh tests/install-tools.sh demo

tools:
	@sh tests/install-tools.sh test

tools-bench:
	@sh tests/install-tools.sh bench

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --quiet
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --offline check licenses bans sources; \
	else echo 'cargo-deny is not installed: licences, bans and sources are not checked here'; fi

test: tools lint
	$(CARGO) test --locked

tools-truth:
	@sh tests/install-tools.sh truth

truth: tools-truth build
	PROFILE_RUN_TRUTH=$(RUNS) PROFILE_RUN_LANES=$(LANES) $(CARGO) test --locked --release --test truth -- --nocapture
	PROFILE_RUN_TRUTH=100 $(CARGO) test --locked --release --test it verdict:: -- --nocapture
	PROFILE_RUN_TRUTH=1 $(CARGO) test --locked --release --test it -- cli::bisect cli::count --nocapture
	sh tests/truth/heap.sh
	sh tests/truth/containers.sh
	sh tests/truth/arm.sh

faults: tools
	PROFILE_RUN_FAULTS=1 $(CARGO) test --locked --test faults -- --nocapture --test-threads=1

bench: tools-bench
	$(CARGO) bench --locked
