# The verbs a newcomer needs. Each does all its own set-up.
RUN := dev/uv run --quiet
export PYTHONUNBUFFERED := 1

.PHONY: help demo down test bench lint crds images lock
help:    ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

demo:    ## a cluster, the chart, a GraphSchedule, and its execution in the queue
	@$(RUN) python -m dev.demo

down:    ## stop the demo's cluster and remove what it left
	@$(RUN) python -m dev.cluster down --name demo

test: lint ## everything, from pure functions to pods on a real cluster
	@$(RUN) pytest

bench:   ## each benchmark, as a ratio against its baseline in the same run
	@$(RUN) python -m bench

lint:    ## ruff, mypy --strict, and who may import whom
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports

crds:    ## write the CRD from the models
	@$(RUN) python crds/generate.py

images:  ## build the images of operator, runner and API
	@$(RUN) python -m dev.images build

lock:    ## move every pinned dependency to its newest version
	@$(RUN) python -m dev.lock
