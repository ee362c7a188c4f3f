# make demo | test | compare-all | explorer | release | fuzz | docs | mutants | mutation | peers | notebooks | zoo | bench: each makes the environment it needs, from nothing but Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
PEERS ?= .venv-peers
MUTATION ?= .venv-mutation
SITE ?= .venv-site
BIN = $(VENV)/bin

.PHONY: demo test compare-all explorer release fuzz docs mutants mutation peers notebooks zoo bench clean

demo: $(VENV)/.installed
	mkdir -p out
	$(BIN)/lrp-ref demo --output out/figure1.png

test: $(VENV)/.test   # two processes: threads of both would wait for each other; compiled once: a third of all start-up
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadgroup $(PYTEST_ARGS)

# Every door that something comes in by, with made inputs: what happened, in six columns (docs/reliability.md).
fuzz: $(VENV)/.test
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python tests/fuzz/run.py $(FUZZ_ARGS)

# Every library whose answers are recorded, side by side on one page: docs/compare.html. None is installed; it takes some
# minutes, and ends well although cases fail.
RECORDED = zennit.json zennit_crp.json.gz captum.json innvestigate.json toolbox.json caffe.json torchlrp.json lxt.json \
  autolrp.json.gz moboehle.json.gz kaifishr.json.gz
compare-all: $(VENV)/.installed
	$(BIN)/lrp-ref compare --spec 1.0 $(RECORDED:%=recorded:data_fixtures/recorded/%) --report docs/compare.html || test $$? = 1

# The page to explore three photographs in: docs/explorer.html (docs/explorer.md).
explorer: $(VENV)/.installed
	$(BIN)/python docs/explorer_page.py

# The vectors with runners in five languages, in dist/: the same bytes every time.
release: $(VENV)/.installed
	$(BIN)/python examples/release.py dist

# The tables in docs/ that classes and proofs know themselves, the course's figures and file to fill in, and the site, out/site/index.html: warnings are errors.
docs: $(VENV)/.installed $(SITE)/.installed
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/course/make.py
	$(SITE)/bin/sphinx-build -q -W --keep-going -c docs/site . out/site

$(SITE)/.installed: setup.cfg
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check -e .[docs]
	touch $@

# Which test kills each mutant of the specification (tests/mutants), on copies of the code.
mutants: $(VENV)/.test
	$(BIN)/python tests/mutants/run.py $(MUTANTS_ARGS)

# Mutants that a program makes of rules, relevance, ledger and layers ([mutmut] in setup.cfg), on a copy in mutants/.
mutation: $(MUTATION)/.installed
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(MUTATION)/bin/mutmut run --max-children 2 $(MUTATION_ARGS)
	$(MUTATION)/bin/mutmut results

$(MUTATION)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(MUTATION)
	$(MUTATION)/bin/python -m pip install --quiet --disable-pip-version-check mutmut==3.8.1 -e .[test]
	touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .[imagenet]
	touch $@

$(VENV)/.test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .[test]
	touch $@

# zennit and captum beside us, and scikit-image, whose Fisher vectors need scikit-learn; threadpoolctl tells `bench` which
# kernel works out NumPy's products; efficientnet_lite_pytorch is what the weights of imagenet were made for. What zennit
# and captum require would bring another torch (gigabytes) and a torchvision that does not import beside the CPU build, so
# they come without it; where torchvision does not import, a stand-in serves, which transformers 5 does not take.
peers: $(PEERS)/.installed
$(PEERS)/.installed: setup.cfg Makefile
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps zennit==0.5.1 captum==0.9.0 \
	  efficientnet_lite_pytorch==0.1.0 lxt==2.1
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check click tqdm matplotlib packaging \
	  scikit-image scikit-learn threadpoolctl distributed==2026.8.0 onnx==1.23.2 transformers==4.57.1 nbclient nbformat ipykernel python-flint \
	  -e .[test]
	$(PEERS)/bin/python -c "import torchvision" 2>/dev/null || \
	  cp -r tests/standin/torchvision $$($(PEERS)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")
	$(PEERS)/bin/python -c "import zennit.composites, captum.attr"
	touch $@

# The notebooks of docs/, run again, with what they print.
notebooks: peers
	$(PEERS)/bin/python docs/notebooks/run.py

# The nine graphs of ONNX's model zoo, each under every preset and beside zennit: six minutes.
zoo: peers
	$(PEERS)/bin/python tests/peers/zoo.py $(ZOO)

bench: peers
	$(PEERS)/bin/python benchmarks/bench.py
	$(PEERS)/bin/python benchmarks/imagenet.py
	$(PEERS)/bin/python benchmarks/depthwise.py
	$(PEERS)/bin/python benchmarks/vit.py
	$(PEERS)/bin/python benchmarks/taps.py
	$(PEERS)/bin/python benchmarks/fisher.py

clean:
	rm -rf $(VENV) $(PEERS) $(MUTATION) $(SITE) mutants out build dist *.egg-info
