# Everything runs in .venv of this folder; see README.md.
SHELL := /bin/bash

INTENT ?= change the TV channel
SCENE ?= living_room_remote
DEVICE ?=
MODEL ?=
PYTEST_ARGS ?=
# Passed on through the environment, not pasted into the recipe: an intent may hold quotes.
export INTENT SCENE DEVICE MODEL

.DEFAULT_GOAL := help
.PHONY: help setup build demo test lint clean distclean

help:
	@echo 'make demo    an intent becomes a mask and a 3D point, over ROS 2; report in out/demo/'
	@echo '             INTENT="..." SCENE=name-or-file DEVICE=cpu|cuda MODEL=name'
	@echo 'make test    ruff, mypy, pytest (PYTEST_ARGS="..." is passed on)'
	@echo 'make setup   environment .venv, packages, base weights, build; done by the two above'
	@echo 'make build   colcon build into install/, when something changed'
	@echo 'make lint    ruff and mypy'
	@echo 'make clean   removes build/ install/ log/ out/ and caches; distclean also .venv'

setup:
	@bash scripts/setup.sh

build: setup

demo: setup
	@bash scripts/demo.sh

test: setup
	@bash scripts/test.sh $(PYTEST_ARGS)

lint: setup
	@bash scripts/lint.sh

clean:
	rm -rf build install log out .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -path ./data -prune -o -name __pycache__ -type d -print0 \
	  | xargs -0 rm -rf

distclean: clean
	rm -rf .venv
