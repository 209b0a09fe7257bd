# Every target sets up what it needs in $(VENV) and says what it does; a second run starts at once.
#   make search      the main job: search NAS-Bench-201 (options: make search ARGS="--budget 20")
#   make test        all tests (options: make test ARGS="-k ops")
#   make check       formatting, lint, types, documentation
#   make bench       benchmarks on this CPU: table, benchmarks/results, pictures (five minutes)
#   make gpu         build, tests, sanitizers and benchmarks on a machine with a GPU, with the torch that PYTHON has
#   make docs | clean
# PYTHON names the interpreter that the environment is made with (3.10 or newer).

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

# torch's threads would otherwise spin while they wait, and a busy machine with few cores comes to a crawl.
export OMP_WAIT_POLICY ?= passive

TORCH := torch==2.14.1 torchvision==0.29.1

PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet
# Never with --quiet: that hides the warnings from --strict, too.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict
# What decides the compiled library and the metadata. Other Python files are read from the tree (editable install).
BUILD_INPUTS := pyproject.toml setup.py CMakeLists.txt wrcor_ext/__init__.py $(shell find csrc -type f)
PYTHON_SOURCES := wrcor_ext python tests benchmarks setup.py
CXX_SOURCES := $(shell find csrc -name '*.cpp' -o -name '*.h' -o -name '*.cuh' -o -name '*.cu')

.PHONY: search test check docs bench gpu clean

search: $(VENV)/.installed
	$(PY) -m wrcor_ext.search $(ARGS)

test: $(VENV)/.installed-test
	$(PY) -m pytest $(ARGS)

check: $(VENV)/.installed-dev
	$(PY) -m ruff format --check $(PYTHON_SOURCES)
	$(PY) -m ruff check $(PYTHON_SOURCES)
	$(PY) -m mypy
	$(VENV)/bin/clang-format --dry-run -Werror $(CXX_SOURCES)
	$(MKDOCS)

docs: $(VENV)/.installed-dev
	$(MKDOCS)
	@echo "==> site/index.html"

bench: $(VENV)/.installed-bench
	$(PY) benchmarks/bench_ops.py --refcheck $(ARGS)
	$(PY) benchmarks/bench_score.py --refcheck $(ARGS)
	$(PY) benchmarks/summary.py

# In the environment of PYTHON, not in one of its own: a machine with a GPU has the torch that fits its driver.
gpu:
	@$(PYTHON) benchmarks/gpu.py $(ARGS)

clean:
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info wrcor_ext/*.so
	find wrcor_ext python tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.torch:
	@echo "==> making $(VENV) with $$($(PYTHON) --version)"
	$(PYTHON) -m venv $(VENV)
	@echo "==> installing $(TORCH): several GB, a few minutes"
	$(PIP) $(TORCH)
	@touch $@

# Without a compiler this still succeeds: the pure-torch reference answers then.
$(VENV)/.installed: $(VENV)/.torch $(BUILD_INPUTS)
	@echo "==> installing wrcor_ext and compiling its native library"
	$(PIP) --editable .
	@test -e wrcor_ext/_C.so || echo "==> no native library (why: $(PY) -m pip install -v -e .)"
	@touch $@

# Developers and CI need the native library: a failure to compile is an error unless WRCOR_NATIVE says otherwise.
$(VENV)/.installed-%: $(VENV)/.torch $(BUILD_INPUTS)
	@echo "==> installing wrcor_ext[$*] and compiling its native library"
	WRCOR_NATIVE=$${WRCOR_NATIVE:-1} $(PIP) --editable '.[$*]'
	@touch $@
