# Two commands on a fresh machine: `make run` starts Keystead, `make test` proves it. Both rest on `make install`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DATA   ?= keystead-data
APART  := ansible salt vaultclients
SERVERS := tests/cli tests/cross tests/cryptoki tests/entropy tests/faults
PARTS   := servers inside real-last real-first
SAID    := $(VENV)/said

# Where it is set (in images of containers it often is) every process that a test starts would compile all of Keystead.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run install test check unit parts real $(PARTS) clients hsm-clients in-hsm every-client tpm bench secrets torture differential drill docs lock clean

run: install           ## start a development server on loopback and say what to paste
	@$(BIN)/keystead dev --data $(DATA)

install: $(VENV)/.installed

$(VENV)/.installed: requirements/dev.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing locked dependencies into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.bench: install requirements/bench.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.lock
	@touch $@

# What some clients' tests need beside Python's own packages; where it is missing they are skipped (in CI they fail).
$(VENV)/.clients: $(VENV)/.installed requirements/clients.lock tests/clients/js/package-lock.json
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/clients.lock
	@npm ci --prefix tests/clients/js --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(VENV)/.tpm: $(VENV)/.installed requirements/tpm.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tpm.lock
	@touch $@

# Clients that are programs of their own, each with its own libraries. Nothing of them is imported here.
$(VENV)/clients/%/.installed: requirements/%.lock $(VENV)/.installed
	@$(BIN)/python -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r $<
	@touch $@

test: check unit       ## everything CI runs

check: install         ## style, types, layers
	$(BIN)/ruff format --check src tests bench docs
	$(BIN)/ruff check src tests bench docs
	$(BIN)/mypy
	$(BIN)/lint-imports

# In parts, the longest first: `make -j2 test` begins the next one when one has ended, so both cores are busy to the
# end. A part that fails keeps none of the others from being run. What failed is asked once more when the machine is
# quiet (tests/again.sh), and what failed, of every part, is said at the end.
unit: install          ## every test, the real clients included
	@rm -rf $(SAID) && mkdir $(SAID)
	@$(MAKE) --no-print-directory --keep-going parts || sh tests/again.sh $(BIN)/pytest $(SAID) $(PARTS)
	@sh tests/summary.sh $(SAID) $(PARTS)

parts: $(PARTS)

real: real-first real-last

# The output of a command, on the screen and in a file; as such it ends, too.
define said
	@mkdir -p $(SAID); rm -f $(SAID)/$@.status
	@{ $(1); echo $$? > $(SAID)/$@.status; } 2>&1 | tee $(SAID)/$@; exit $$(cat $(SAID)/$@.status || echo 2)
endef

PART = $(BIN)/pytest -q -o cache_dir=$(SAID)/$@.cache

real-first: install
	$(call said,$(PART) $(wildcard tests/clients/test_[a-m]*.py))

real-last: install
	$(call said,$(PART) tests/scripts $(filter-out $(wildcard tests/clients/test_[a-m]*.py),$(wildcard tests/clients/test_*.py)))

servers: install
	$(call said,$(PART) $(SERVERS))

inside: install
	$(call said,$(PART) $(filter-out tests/clients tests/scripts $(SERVERS) tests/__pycache__,$(patsubst %/,%,$(wildcard tests/*/))))

every-client: $(VENV)/.clients $(APART:%=$(VENV)/clients/%/.installed) ## install the clients that come from elsewhere: sops, those in JavaScript, Ansible, Salt, more in Python

tpm: $(VENV)/.tpm       ## the extra for a TPM 2.0; it is built against libtss2-dev

clients: install       ## only the real clients against a real server
	$(BIN)/pytest -q -m client

HSM_CLIENTS ?= tests/clients

hsm-clients: export KEYSTEAD_TEST_HSM = 1
hsm-clients: install   ## the same with every server's new keys in SoftHSM2 (needs softhsm2), where it can hold them
	@$(MAKE) --no-print-directory in-hsm || sh tests/again.sh $(BIN)/pytest $(SAID) in-hsm
	@sh tests/summary.sh $(SAID) in-hsm

in-hsm: install
	$(call said,$(PART) $(HSM_CLIENTS))

bench: $(VENV)/.bench  ## whole requests against peers, interleaved; prints ratios
	$(BIN)/python -m bench

secrets: $(VENV)/.bench ## a million secrets: loading, reading, listing, starting; beside a thousand
	$(BIN)/python -m bench.secrets

torture: install       ## the long runs: power losses, kill -9, destruction
	$(BIN)/python -m tests.faults.run

differential: install  ## the Vault door beside a real OpenBao: requests, and policies by the thousand
	KEYSTEAD_PEER_ROUNDS=250 $(BIN)/pytest -q tests/doors/vault/test_openbao.py tests/doors/vault/test_kv_openbao.py \
	  tests/doors/vault/test_transit_openbao.py tests/wire/test_vault_openbao.py tests/cross/test_vault_policy_peer.py \
	  tests/cross/test_vault_policy_door.py

drill: install         ## lose a machine and restore it on an empty one, once a week
	$(BIN)/python -m tests.faults.run_drill

docs: install          ## print the tables into docs/ and build the site
	$(BIN)/python -m docs.build
	$(BIN)/mkdocs build --strict --quiet

lock:                  ## resolve the locks anew
	$(BIN)/python -m pip install --quiet uv
	for e in run dev bench clients tpm; do \
	  $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate \
	    $$( [ $$e = dev ] && echo --extra dev; \
	        [ $$e = bench ] && echo --extra dev --extra bench; [ $$e = clients ] && echo --extra dev --extra clients; \
	        [ $$e = tpm ] && echo --extra dev --extra tpm ) \
	    pyproject.toml -o requirements/$$e.lock; done
	for e in $(APART); do \
	  $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate requirements/$$e.in -o requirements/$$e.lock; done

clean:
	rm -rf tests/clients/js/node_modules $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache
