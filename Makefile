# Everything is set up on first use and checked, in a fraction of a second, on every further one.

PYTHON ?= python3
ARGS ?=
PYTEST_ARGS ?=
# Where make install puts things: DESTDIR stands before every path while a package is made. The daemon reads SYSCONFDIR/conf.d/pacserve, pacman
# SYSCONFDIR/pacman.d. LAYOUT=system makes it a part of PYTHON, without what it needs (the default with DESTDIR); LAYOUT=private gives it an environment
# of its own in PREFIX/lib/pacserve, with all that it needs (the default without), LAYOUT=shared one with what PYTHON lacks. PACMAN=no is for a host that
# has no pacman. APT=yes puts the configuration of apt into SYSCONFDIR/apt, as is done without DESTDIR where there is apt; APT=no does not.
DESTDIR ?=
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
LAYOUT ?=
PACMAN ?= yes
APT ?=
BIN := .venv/bin
PACMAN7 := .pacman7
DEBIANS := .debian12 .debian13
APT3 := .debian13
INSTALLING = $(PYTHON) -B -m tools.installing --destdir '$(DESTDIR)' --prefix '$(PREFIX)' --sysconfdir '$(SYSCONFDIR)'
# Several tests at once, handed out one by one: the next one in the list goes to the first process that is done.
PARALLEL := -n auto --maxschedchunk 1

.DEFAULT_GOAL := help
.PHONY: help run install uninstall deb dist release test test-fast test-long test-pacman7 test-apt3 test-install lint demo soak man bench clean setup-run setup-test setup-bench setup-pacman7 setup-install

help:  ## Shows this list.
	@echo 'Usage: make TARGET [ARGS="--port 15680"] [PYTHON=/path/to/python3] [PYTEST_ARGS="-k words"]'
	@echo
	@sed -n 's/^\([a-z0-9-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r target text; do printf '  %-14s %s\n' "$$target" "$$text"; done

run: setup-run  ## Installs what is missing into this folder and the system, and starts pacserve (options: ARGS).
	@$(BIN)/pacserve --multicast $(ARGS)

install:  ## Installs pacserve with its units and man pages (DESTDIR, PREFIX=/usr/local, LAYOUT, PACMAN=no, APT); root without DESTDIR.
	@$(if $(DESTDIR)$(filter system,$(LAYOUT)),,tools/system-packages.sh $(if $(filter no,$(PACMAN)),host,run))
	@PYTHON='$(PYTHON)' tools/check-python.sh >/dev/null
	@$(INSTALLING) install --layout '$(LAYOUT)' --pacman '$(PACMAN)' --apt '$(APT)'

uninstall:  ## Removes what make install has installed, with the same DESTDIR and PREFIX; changed configuration stays.
	@$(INSTALLING) uninstall

test: lint  ## Runs the linters and every test but the long ones; end-to-end tests need root (options for pytest: PYTEST_ARGS).
	$(BIN)/pytest $(PARALLEL) -m 'not long' $(PYTEST_ARGS)

test-fast: lint  ## Runs the linters and the unit tests but those that take seconds.
	$(BIN)/pytest $(PARALLEL) -m 'not long and not slow' tests/unit tests/contracts $(PYTEST_ARGS)

test-long: setup-test setup-pacman7 setup-install  ## Runs the tests that take more than a minute each, those of pacman 7 and apt 3, and the soak; needs root.
	tests/e2e/make_pacman7.sh $(PACMAN7)
	tests/e2e/make_debian.sh trixie $(APT3)
	$(BIN)/pytest $(PARALLEL) -m long --pacman7=$(PACMAN7) $(PYTEST_ARGS)
	$(BIN)/pytest $(PARALLEL) tests/e2e --apt3=$(APT3) $(PYTEST_ARGS)
	$(BIN)/python -m tools.soak $(ARGS)

test-pacman7: setup-pacman7  ## Runs the end-to-end tests of pacman 7 in a Debian 13 folder; needs root.
	tests/e2e/make_pacman7.sh $(PACMAN7)
	$(BIN)/pytest $(PARALLEL) tests/e2e/test_pacman7.py tests/e2e/test_pacsrv.py -k 'pacman7' --pacman7=$(PACMAN7) $(PYTEST_ARGS)

test-apt3: setup-install  ## Runs the end-to-end tests of apt with apt 3 of a Debian 13 folder; needs root.
	tests/e2e/make_debian.sh trixie $(APT3)
	$(BIN)/pytest $(PARALLEL) tests/e2e --apt3=$(APT3) $(PYTEST_ARGS)

deb:  ## Builds the package for this Debian into dist/.
	@tools/system-packages.sh deb
	@tools/deb.sh

dist: setup-test  ## Builds source distribution and wheel into dist/, and checks both.
	@rm -rf dist
	@PYTHON=$(BIN)/python tools/dist.sh dist

release: setup-test  ## Sees whether this version can be released, builds it into dist/, and says what to do next.
	@rm -rf dist
	@$(BIN)/python -m tools.release

test-install: setup-install  ## Installs pacserve in new folders of Debian 12 and 13, as the README says and by the package; needs root.
	$(BIN)/pytest $(PARALLEL) tests/e2e/test_debian_package.py tests/e2e/test_by_hand.py tests/e2e/test_container.py $(PYTEST_ARGS)

lint: setup-test  ## Runs ruff, mypy and import-linter.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@! grep -rnE '\b[CL]\{|^[[:space:]]*(r?""")?@(param|ivar|cvar|return|raise)\b' --include=*.py pacserve tests tools benchmarks  # no epytext
	$(BIN)/mypy
	$(BIN)/lint-imports

demo: setup-test  ## Upgrades three hosts at once, with and without pacserve, and shows who got what from where; needs root (ARGS=--keep).
	@$(BIN)/python -m tools.demo $(ARGS)

soak: setup-test  ## Upgrades six hosts again and again while all around them changes, and ends with a table; needs root (ARGS="--minutes 60").
	@$(BIN)/python -m tools.soak $(ARGS)

man: setup-test  ## Makes the man pages (man/) and shell completions (contrib/completion/) anew; to be committed with what they are made from.
	$(BIN)/python -m tools.manual

bench: setup-bench  ## Measures pacserve against nginx (options: ARGS).
	$(BIN)/python -m benchmarks $(ARGS)

clean:  ## Removes what these commands made in this folder; system packages stay.
	rm -rf --one-file-system .venv $(PACMAN7) $(PACMAN7).lock $(PACMAN7).log $(DEBIANS) $(DEBIANS:=.lock) pacserve.egg-info build dist
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	find pacserve tests benchmarks tools -name __pycache__ -type d -exec rm -rf {} +

setup-run setup-test setup-bench setup-pacman7 setup-install: setup-%:
	@tools/system-packages.sh $*
	@PYTHON='$(PYTHON)' tools/venv.sh $(if $(filter run,$*),run,test)
